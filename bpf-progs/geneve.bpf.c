/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of GENEVE (RFC 8926):
 *
 *	|Ver|Opt Len|O|C|    Rsvd.  |       protocol       |
 *	|            VNI                     |    Rsvd.    |
 *	| option class |C   type  |R R R| words | data …
 *
 * Control packets (O) and other versions are left to the stack. Options are skipped. Where a critical one is announced they are
 * looked through, and a critical option is refused unless the tunnel's own packets have the same one at the same place.
 */
#include "tcctl/decap.h"

#define GENEVE_CONTROL 0x00800000U
#define GENEVE_CRITICAL 0x00400000U
#define OPTION_CRITICAL 0x00008000U
#define OPTIONS_MAX 8 /* that are looked through; a packet with more is refused */

/*
 * The tunnel's own option at this distance from the first one: class and type. 0: none. Options begin at 36 or 56, behind outer IP,
 * UDP and GENEVE header. Each place is a case of its own: a pointer with a variable offset would be too much for
 * the verifier, see tcctl/octets.h.
 */
#define WORD(at)                                                                                          \
	case (at):                                                                                        \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                     \
			     : "=r"(word)                                                                 \
			     : "r"(row), "i"(__builtin_offsetof(struct tcctl_tunnel, header) + (at)));     \
		break
static __always_inline __u32 own_option(struct __sk_buff *skb, const struct tcctl_tunnel *row, __u32 at)
{
	__u32 i = row->l4_at + 16 + at;
	__u64 word = 0;

	if (i + 4 > row->header_len)
		return 0;
	switch (i) {
		WORD(36);
		WORD(40);
		WORD(44);
		WORD(48);
		WORD(52);
		WORD(56);
		WORD(60);
		WORD(64);
		WORD(68);
		WORD(72);
		WORD(76);
		WORD(80);
		WORD(84);
		WORD(88);
		WORD(92);
		WORD(96);
		WORD(100);
		WORD(104);
		WORD(108);
		WORD(112);
		WORD(116);
		WORD(120);
		WORD(124);
	}
	return tcctl_forget(skb, bpf_ntohl(word) & 0xffffff00);
}

/* Are there options that must be understood and are not, or lengths that lie? */
static __always_inline bool options_bad(struct __sk_buff *skb, const struct tcctl_tunnel *row, __u32 start, __u32 len)
{
	__u32 at = 0, w = 0;

	len = tcctl_forget(skb, len);
#pragma clang loop unroll(full)
	for (int i = 0; i < OPTIONS_MAX; i++) {
		if (at == len)
			return false;
		if (at + 4 > len || !tcctl_read_slow(skb, start + at, &w, 1))
			return true;
		w = bpf_ntohl(w);
		if (w & OPTION_CRITICAL && (w & 0xffffff00) != own_option(skb, row, at))
			return true;
		at += 4 + 4 * (w & 31);
		at = tcctl_forget(skb, at);
		if (at > len)
			return true;
	}
	return at != len;
}

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	__u32 w, options;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_GENEVE);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_GENEVE), 4, 8);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_GENEVE), TCCTL_IP_UDP);
	w = bpf_ntohl(d->h[2]);
	options = (w >> 24 & 63) * 4;
	d->inner = tcctl_l4(skb) + 16 + options;
	if (tcctl_unlikely(w >> 30 || (d->inner > d->end && !tcctl_decap_is_part(skb))))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	if (tcctl_unlikely(w & GENEVE_CONTROL))
		return tcctl_handled(skb);
	w &= 0xffff;
	d->kind = w == TCCTL_ETH_TEB  ? TCCTL_INNER_ETH :
		  w == TCCTL_ETH_IPV4 ? TCCTL_INNER_IPV4 :
		  w == TCCTL_ETH_IPV6 ? TCCTL_INNER_IPV6 :
					TCCTL_INNER_OTHER;
	row = tcctl_decap_find(skb, d, TCCTL_T_GENEVE, tcctl_flags(skb) & TCCTL_F_IPV4, tcctl_dport(skb), bpf_ntohl(d->h[3]) >> 8, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_GENEVE);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	w = bpf_ntohl(d->h[2]);
	if (tcctl_unlikely(w & GENEVE_CRITICAL) &&
	    options_bad(skb, row, tcctl_l4(skb) + 16, d->inner - tcctl_l4(skb) - 16))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_BAD);
	return tcctl_decap_finish(skb, d, row, 16, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(geneve, run, TCCTL_PARSED_L4)
