/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of FOU (ip-fou(8)): IP directly in UDP, by port. */
#include "tcctl/decap.h"

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_FOU);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_FOU), 2, 0);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_FOU), TCCTL_IP_UDP);
	row = tcctl_decap_find(skb, d, TCCTL_T_FOU, tcctl_flags(skb) & TCCTL_F_IPV4, tcctl_dport(skb), 0, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_FOU);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	d->inner = tcctl_l4(skb) + 8;
	d->kind = TCCTL_INNER_GUESS;
	return tcctl_decap_finish(skb, d, row, 8, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(fou, run, TCCTL_PARSED_L4)
