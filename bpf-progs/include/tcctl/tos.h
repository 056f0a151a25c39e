/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing the TOS byte or traffic class of an IP header. */
#ifndef TCCTL_TOS_H
#define TCCTL_TOS_H

#include "tcctl/handler.h"

/*
 * DSCP of IPv4: one byte and the header checksum, updated by the difference (RFC 1624, equation 3). Both changes
 * cancel in skb->csum, so a CHECKSUM_COMPLETE packet stays right. Sums are taken over words as they lie in
 * memory, which is the same in both byte orders.
 */
static __always_inline void tcctl_write_dscp4(__u8 *ip, __u8 tos)
{
	__u16 *word = (__u16 *)ip, *check = (__u16 *)(ip + 10);
	__u32 sum;

	sum = (~*check & 0xffff) + (~*word & 0xffff);
	ip[1] = tos;
	sum += *word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~sum;
}

/* DSCP of IPv6: no header checksum, so a CHECKSUM_COMPLETE sum over the packet must follow the change. The
 * helper that adds to it is cheaper than bpf_skb_store_bytes(), and refuses (fine) on other packets. */
static __always_inline void tcctl_write_dscp6(struct __sk_buff *skb, __u8 *ip, __u8 class)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = ~*word & 0xffff;

	ip[0] = (ip[0] & 0xf0) | class >> 4;
	ip[1] = (ip[1] & 0x0f) | (class & 0x0f) << 4;
	sum += *word;
	bpf_csum_update(skb, sum);
}

#define TCCTL_TOS_AT(constant)                                              \
	do {                                                                \
		if (l3 == (constant)) {                                     \
			__u8 *ip = tcctl_data_at(skb, constant);            \
			if (tcctl_unlikely(ip + 20 > tcctl_data_end(skb)))  \
				break;                                      \
			if (ipv4)                                           \
				tcctl_write_dscp4(ip, tos);                 \
			else                                                \
				tcctl_write_dscp6(skb, ip, tos);            \
			return 0;                                           \
		}                                                           \
	} while (0)

/*
 * Write the whole byte, ECN included. `first` are the first four bytes of the header in host byte order. Directly at the usual
 * offsets, by helpers elsewhere and where the header is not linear. Returns 0, or an error of a helper.
 */
static __always_inline long tcctl_write_tos(struct __sk_buff *skb, __u32 l3, bool ipv4, __u32 first, __u8 tos)
{
	__u64 bytes;

	TCCTL_TOS_AT(14);
	TCCTL_TOS_AT(0);
	TCCTL_TOS_AT(18);

	/* A partial pull of a fraglist GSO packet breaks it on some kernels; writing pulls, so take all of it. */
	if (tcctl_field(skb, gso_size) && bpf_skb_pull_data(skb, tcctl_field(skb, len)))
		return -1;
	if (ipv4) {
		if (bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(first >> 16), bpf_htons((first >> 16 & 0xff00) | tos), 2))
			return -1;
		bytes = TCCTL_KEY(bpf_htonl((first & 0xff00ffff) | (__u32)tos << 16));
		return bpf_skb_store_bytes(skb, l3, &bytes, 4, 0);
	}
	bytes = TCCTL_KEY(bpf_htonl((first & 0xf00fffff) | (__u32)tos << 20));
	return bpf_skb_store_bytes(skb, l3, &bytes, 4, BPF_F_RECOMPUTE_CSUM);
}

#endif
