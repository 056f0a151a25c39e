/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of GRE (RFC 2784, RFC 2890): IP, Ethernet (gretap) or MPLS (RFC 4023) inside, taken out of its tunnel where there is one,
 * otherwise classified by its outer header.
 *
 *	|C|R|K|S|s|Recur|  0  |Ver|   protocol   |  checksum, 0 (C)  |  key (K)  |  sequence number (S)
 *
 * Version 1 (PPTP) and routing are left to the stack. A checksum is skipped, not verified: it cannot be told whether the device
 * has done so, or will have it computed, and what is inside has its own. Sequence numbers are skipped too: RFC 2890 leaves
 * what to do about order to the receiver.
 */
#include "tcctl/decap.h"
#include "tcctl/labels.h"

#define GRE_C 0x8000U
#define GRE_K 0x2000U
#define GRE_S 0x1000U
#define GRE_REFUSED 0x4c07U /* bits 1, 4 and 5, which RFC 2784 says to discard, and the version */

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	__u32 flags, len, key = 0;
	struct tcctl_decap *d;
	__u8 type;

	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_GRE);
	if (tcctl_proto(skb) != TCCTL_IP_GRE) /* attached alone, and not the packet this is for */
		return tcctl_handled(skb);
	/* four words: the longest header, and less than the shortest one with anything inside */
	d = tcctl_decap_begin(skb, TCCTL_TYPE(TCCTL_T_GRE) | TCCTL_TYPE(TCCTL_T_MPLS_GRE), 4);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_GRE) | TCCTL_TYPE(TCCTL_T_MPLS_GRE), TCCTL_IP_GRE);
	flags = bpf_ntohl(d->h[0]) >> 16;
	if (tcctl_unlikely(flags & GRE_REFUSED))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	len = 4;
	if (flags & GRE_C)
		len += 4;
	if (flags & GRE_K) {
		__u32 first = d->h[1], second = d->h[2];

		asm volatile("" : "+r"(first), "+r"(second)); /* not one read at a variable offset */
		key = bpf_ntohl(flags & GRE_C ? second : first);
		len += 4;
	}
	if (flags & GRE_S)
		len += 4;
	len = tcctl_forget(skb, len);
	d->inner = tcctl_l4(skb) + len;
	if (tcctl_unlikely(d->inner > d->end))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	type = TCCTL_T_GRE;
	switch (bpf_ntohl(d->h[0]) & 0xffff) {
	case TCCTL_ETH_IPV4:
		d->kind = TCCTL_INNER_IPV4;
		break;
	case TCCTL_ETH_IPV6:
		d->kind = TCCTL_INNER_IPV6;
		break;
	case TCCTL_ETH_TEB:
		d->kind = TCCTL_INNER_ETH;
		break;
	case TCCTL_ETH_MPLS_UC:
	case TCCTL_ETH_MPLS_MC:
		type = TCCTL_T_MPLS_GRE;
		d->kind = TCCTL_INNER_GUESS;
		if (tcctl_unlikely(!tcctl_labels(skb, d, &key)))
			return tcctl_decap_endless(skb, TCCTL_TYPE(TCCTL_T_GRE) | TCCTL_TYPE(TCCTL_T_MPLS_GRE), TCCTL_IP_GRE);
		break;
	default:
		d->kind = TCCTL_INNER_OTHER;
	}
	if (tcctl_unlikely(!tcctl_decap_wanted(TCCTL_TYPE(type))))
		return tcctl_handled(skb);
	d->type = type;
	row = tcctl_decap_find(skb, d, type, tcctl_flags(skb) & TCCTL_F_IPV4, 0, key,
			       type == TCCTL_T_GRE && d->h[0] & bpf_htonl(GRE_K << 16));
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, d->type);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, d->h[0] & bpf_htonl(GRE_C << 16)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	return tcctl_decap_finish(skb, d, row, 4, TCCTL_DECAP_L4_GRE,
				  TCCTL_DECAP_HASH | (d->h[0] & bpf_htonl(GRE_C << 16) ? TCCTL_DECAP_CSUM : 0));
}

TCCTL_PROGRAM_LONG(gre, run, TCCTL_PARSED_L3)
