/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of GUE (draft-ietf-intarea-gue):
 *
 *	variant 0	|0|C| Hlen  |  protocol  |      flags      | Hlen words of optional fields
 *	variant 1	IPv4 or IPv6 directly: its version begins with the bits 01
 *
 * Control messages (C) and other variants are left to the stack. Optional fields are not known here, so a packet with any is
 * refused.
 */
#include "tcctl/decap.h"

#define GUE_CONTROL 0x20000000U

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	__u32 w;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_GUE);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_GUE), 3, 4);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_GUE), TCCTL_IP_UDP);
	w = bpf_ntohl(d->h[2]);
	if (tcctl_unlikely(w >> 31)) /* variants 2 and 3 do not exist */
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	if (tcctl_unlikely(w >> 30 == 0 && w & GUE_CONTROL))
		return tcctl_handled(skb);
	row = tcctl_decap_find(skb, d, TCCTL_T_GUE, tcctl_flags(skb) & TCCTL_F_IPV4, tcctl_dport(skb), 0, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_GUE);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	w = bpf_ntohl(d->h[2]);
	d->inner = tcctl_l4(skb) + 8;
	d->kind = TCCTL_INNER_GUESS;
	if (w >> 30 == 0) {
		if (tcctl_unlikely(w & 0x1f00ffff))
			return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_BAD);
		d->inner += 4;
		w = w >> 16 & 0xff;
		d->kind = w == TCCTL_IP_IPIP ? TCCTL_INNER_IPV4 : w == TCCTL_IP_IPV6 ? TCCTL_INNER_IPV6 : TCCTL_INNER_OTHER;
	}
	return tcctl_decap_finish(skb, d, row, 12, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(gue, run, TCCTL_PARSED_L4)
