/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Clamping of TCP's maximum segment size, so that connections through a tunnel begin with segments that fit. */
#ifndef TCCTL_MSS_H
#define TCCTL_MSS_H

#include "tcctl/handler.h"

#define TCCTL_MSS_OPTIONS 12 /* that are looked at; the MSS is the first one by custom */

/*
 * Lower the MSS option of a TCP SYN to what fits into `mtu` bytes from the IP header on. Packets of other kinds stay as they are,
 * and IPv6 ones with extension headers. Not for the hot path: everything is read by helpers.
 */
static __always_inline void tcctl_mss_clamp(struct __sk_buff *skb, __u32 l3, bool ipv4, __u32 mtu)
{
	__u8 b[16] TCCTL_BUFFER;
	__u32 l4, at, end, max, old;
	__u64 new;

	if (bpf_skb_load_bytes(skb, l3, b, 12))
		return;
	if (ipv4) {
		if (b[9] != TCCTL_IP_TCP || (b[6] & 0x1f) || b[7])
			return;
		l4 = l3 + (b[0] & 15) * 4;
		max = 40;
	} else {
		if (b[6] != TCCTL_IP_TCP)
			return;
		l4 = l3 + 40;
		max = 60;
	}
	if (mtu < max + 88) /* nothing useful fits, and TCP needs some room: RFC 791's 68 bytes and more */
		return;
	max = mtu - max;
	l4 = tcctl_forget(skb, l4);
	max = tcctl_forget(skb, max);
	if (bpf_skb_load_bytes(skb, l4, b, 16) || !(b[13] & 2))
		return;
	at = l4 + 20;
	end = tcctl_forget(skb, l4 + (b[12] >> 4) * 4);
#pragma clang loop unroll(full)
	for (int i = 0; i < TCCTL_MSS_OPTIONS; i++) {
		if (at + 4 > end || bpf_skb_load_bytes(skb, at, b, 4) || !b[0])
			return;
		if (b[0] == 2)
			break;
		at = tcctl_forget(skb, at + (b[0] == 1 ? 1 : b[1] < 2 ? 40 : b[1]));
	}
	at = tcctl_forget(skb, at);
	old = TCCTL_BE16(b + 2);
	if (b[0] != 2 || b[1] != 4 || old <= max)
		return;
	old = bpf_htons(old);
	new = TCCTL_KEY(0);
	*(__u16 *)&new = bpf_htons(max);
	bpf_skb_store_bytes(skb, at + 2, &new, 2, 0);
	/* Sums go over pairs of bytes from the header on; an option may begin at an odd one. */
	max = bpf_htons(max);
	if ((at - l4) & 1) {
		old = (__u16)__builtin_bswap16(old);
		max = (__u16)__builtin_bswap16(max);
	}
	bpf_l4_csum_replace(skb, l4 + 16, old, max, 2);
}

#endif
