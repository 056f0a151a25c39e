/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Clamping the maximum segment size that a TCP SYN offers, so that both ends keep to what fits through a tunnel
 * without having to learn it from ICMP.
 */
#ifndef TCCTL_MSS_H
#define TCCTL_MSS_H

#include "tcctl/handler.h"

#define TCCTL_TCP_SYN 0x0002U
#define TCCTL_MSS_OPTIONS 8 /* options looked at: it is the first one everywhere */

/*
 * Lower the MSS option of the TCP header at `l4`, if it is a SYN, to `mss`. Does nothing to a header without the option:
 * its sender's 536 (1220 over IPv6) fits.
 */
static __always_inline void tcctl_clamp_mss(struct __sk_buff *skb, __u32 l4, __u32 mss)
{
	__u32 w[1], at, end;

	if (!tcctl_read_slow(skb, l4 + 12, w, 1))
		return;
	w[0] = bpf_ntohl(w[0]);
	if (!(w[0] >> 16 & TCCTL_TCP_SYN))
		return;
	at = l4 + 20;
	end = l4 + (w[0] >> 28) * 4;
	/* Unrolled: see tcctl_parse_ipv6(). */
#pragma clang loop unroll(full)
	for (int i = 0; i < TCCTL_MSS_OPTIONS; i++) {
		__u32 kind, len;

		/* kind, length, value: a window of four bytes that may end in the payload, but not behind the packet */
		at = tcctl_forget(skb, at);
		if (at + 4 > end || !tcctl_read_slow(skb, at, w, 1))
			return;
		w[0] = bpf_ntohl(w[0]);
		kind = w[0] >> 24;
		len = w[0] >> 16 & 0xff;
		if (kind == 0)
			return;
		if (kind == 1) {
			at++;
			continue;
		}
		if (kind == 2) {
			__u32 old = w[0] & 0xffff;
			__u64 be = TCCTL_KEY(bpf_htonl(0x02040000 | mss));

			if (len != 4 || old <= mss)
				return;
			/* The sum is over words in memory: an option at an odd offset sits in it with its bytes swapped. */
			if ((at - l4) & 1) {
				old = (old & 0xff) << 8 | old >> 8;
				mss = (mss & 0xff) << 8 | (mss >> 8 & 0xff);
			}
			if (bpf_l4_csum_replace(skb, l4 + 16, bpf_htons(old), bpf_htons(mss), 2))
				return;
			/* the two changes cancel in the sum of a CHECKSUM_COMPLETE packet */
			bpf_skb_store_bytes(skb, at, &be, 4, 0);
			return;
		}
		if (len < 2)
			return;
		at += len;
	}
}

#endif
