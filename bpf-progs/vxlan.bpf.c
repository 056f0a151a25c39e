/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of VXLAN (RFC 7348), with group policy (draft-smith-vxlan-group-policy) where the tunnel has it:
 *
 *	|G R R R I R R R| R D R R A R R R|  group policy id  |
 *	|                 VNI                    | reserved  |
 *
 * Like the kernel's device, and unlike the RFC, a packet with reserved bits set is refused: they may mean another format
 * (GPE), in which the payload is no Ethernet frame.
 */
#include "tcctl/decap.h"

#define VXLAN_I 0x08000000U
#define VXLAN_GBP 0x80ffffffU /* what group policy uses of the first word */
#define VXLAN_G 0x80000000U
#define VXLAN_DONT_LEARN 0x00400000U

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	__u32 w, unused;
	bool ipv4;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_VXLAN);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_VXLAN), 4, 8);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_VXLAN), TCCTL_IP_UDP);
	if (tcctl_unlikely(!(d->h[2] & bpf_htonl(VXLAN_I)))) /* no VNI */
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	ipv4 = tcctl_flags(skb) & TCCTL_F_IPV4;
	row = tcctl_decap_find(skb, d, TCCTL_T_VXLAN, ipv4, tcctl_dport(skb), bpf_ntohl(d->h[3]) >> 8, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_VXLAN);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	w = bpf_ntohl(d->h[2]);
	unused = w & ~VXLAN_I;
	if (tcctl_unlikely(d->flags & TCCTL_TF_GBP))
		unused &= ~VXLAN_GBP;
	if (tcctl_unlikely(unused || d->h[3] & bpf_htonl(0xff)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_BAD);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	if (tcctl_unlikely(d->flags & TCCTL_TF_GBP && w & VXLAN_G)) {
		tcctl_decap_policy(skb, w);
		if (w & VXLAN_DONT_LEARN)
			d->flags &= ~TCCTL_TF_LEARN;
	}
	d->inner = tcctl_l4(skb) + 16;
	d->kind = TCCTL_INNER_ETH;
	return tcctl_decap_finish(skb, d, row, 16, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(vxlan, run, TCCTL_PARSED_L4)
