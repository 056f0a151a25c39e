/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of MPLS in UDP (RFC 7510): a stack of labels; the top one is the tunnel's, what is below it is skipped. */
#include "tcctl/decap.h"
#include "tcctl/labels.h"

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	__u32 label = 0;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_MPLS);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_MPLS_UDP), 3, 4);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_MPLS_UDP), TCCTL_IP_UDP);
	d->inner = tcctl_l4(skb) + 8;
	if (tcctl_unlikely(!tcctl_labels(skb, d, &label)))
		return tcctl_decap_endless(skb, TCCTL_TYPE(TCCTL_T_MPLS_UDP), TCCTL_IP_UDP);
	d->kind = TCCTL_INNER_GUESS;
	row = tcctl_decap_find(skb, d, TCCTL_T_MPLS_UDP, tcctl_flags(skb) & TCCTL_F_IPV4, tcctl_dport(skb), label, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_MPLS_UDP);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	return tcctl_decap_finish(skb, d, row, 12, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(mpls_udp, run, TCCTL_PARSED_L4)
