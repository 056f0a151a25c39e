/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decapsulation: what the handlers of tunnel types share. A handler
 *
 *	d = tcctl_decap_begin(skb, type, words)	the outer header and the first words behind it; none: tcctl_decap_not()
 *	tcctl_decap_udp(skb, d)			where UDP: length
 *	...					its own header: where the payload starts, of what kind it is, id
 *	row = tcctl_decap_find(skb, d, type, …)	whose tunnel it is
 *	...					what only that tunnel can judge
 *	return tcctl_decap_finish(skb, d, row, …)
 *
 * Until a tunnel is found every packet goes on to the stages with its outer header, and to the stack. Afterwards it is the
 * tunnel's: what is wrong with it is dropped, under the tunnel's counters.
 *
 * State is kept in a map's memory, not on the stack: see `decap_scratch` in maps.h. A helper makes the compiler read it
 * anew, so little has to live in registers.
 */
#ifndef TCCTL_DECAP_H
#define TCCTL_DECAP_H

#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_DECAP
#define TCCTL_WANT_JT_L3
#include "tcctl/half.h"
#include "tcctl/l4.h"

#define TCCTL_ETH_TEB 0x6558

/* Kinds of payload. */
enum tcctl_inner {
	TCCTL_INNER_GUESS, /* Ethernet where the tunnel carries that, otherwise IP by its first four bits */
	TCCTL_INNER_ETH,
	TCCTL_INNER_IPV4,
	TCCTL_INNER_IPV6,
	TCCTL_INNER_OTHER,
};

#define TCCTL_DSCP_NONE 0xff

/* Words of packet bytes are in network byte order, everything else in host byte order. */
struct tcctl_decap {
	__u32 ip[10]; /* outer IP header */
	__u32 h[8];   /* what follows it: UDP or GRE header first */
	struct tcctl_decap_key key;
	struct tcctl_source_key source;
	__u32 chunk, index; /* keys of a counter */
	__u32 zero;
	__u32 tunnel;	   /* id */
	__u32 flags;	   /* TCCTL_TF_* of this packet: the tunnel's, without what this packet shall not do */
	__u32 l3;	   /* offsets from skb->data: outer L3 header, payload, end of the payload */
	__u32 inner;
	__u32 end;
	__u32 kind;	   /* enum tcctl_inner */
	__u32 frame;	   /* an Ethernet frame came out */
	__u32 tos;	   /* outer TOS or traffic class */
	__u32 dscp;	   /* to be written into the inner header, or TCCTL_DSCP_NONE */
	__u32 type;	   /* enum tcctl_tunnel_type, where a handler has several */
	__u32 unknown;	   /* types whose strangers are dropped */
	__u32 eth[4];	   /* first bytes of the payload: inner Ethernet or IP header */
	struct tcctl_station_key station;
	struct tcctl_station seen;
};
_Static_assert(sizeof(struct tcctl_decap) <= 256, "the value of decap_scratch");

/*
 * Does this pipeline decapsulate a type? Alone, with stock tc, every object does what it can: tables may be filled by others.
 * Nothing is changed in observe mode.
 */
static __always_inline bool tcctl_decap_wanted(__u32 types)
{
#ifdef TCCTL_PIPELINE
	return cfg.decap & types && !(cfg.flags & TCCTL_CFG_OBSERVE);
#else
	return true;
#endif
}
#define TCCTL_TYPE(type) (1U << (type))

/* Add to a counter of a tunnel. Keys are not on the stack, see above. */
static __always_inline void tcctl_decap_count(struct __sk_buff *skb, struct tcctl_decap *d, __u32 id)
{
	struct tcctl_counter *c;
	void *map;

	d->chunk = id / TCCTL_CHUNK;
	d->index = id % TCCTL_CHUNK;
	map = bpf_map_lookup_elem(&counters, &d->chunk);
	if (!map)
		return;
	c = bpf_map_lookup_elem(map, &d->index);
	if (tcctl_likely(c))
		tcctl_counter_add(skb, c);
}

/* Drop a tunnel's packet, under one of its counters. */
static __always_inline int tcctl_decap_drop(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row,
					    __u32 which)
{
	tcctl_decap_count(skb, d, row->counters + which);
	tcctl_clear(skb);
	return TC_ACT_SHOT;
}

/* Not a packet for a tunnel of ours, for `reason`: on to the stages with the outer header. */
static __always_inline int tcctl_decap_leave(struct __sk_buff *skb, __u32 reason)
{
	tcctl_count(skb, TCCTL_CNT_REASON + reason);
	return tcctl_handled(skb);
}

/* Scratch memory. */
static __always_inline struct tcctl_decap *tcctl_decap_scratch(struct __sk_buff *skb)
{
	struct tcctl_decap *d = bpf_map_lookup_elem(&decap_scratch, (const void *)&tcctl_key[0]);

	if (tcctl_unlikely(!d))
		return NULL;
	d->zero = 0;
	d->dscp = TCCTL_DSCP_NONE;
	return d;
}

/*
 * Word `i` of the outer header's addresses, to where look-ups need them. As assembly: the compiler would make stores of both families
 * into one with a variable offset.
 */
#define TCCTL_DECAP_PUT(d, field, i, value)                                                                      \
	asm volatile("*(u32 *)(%0 + %1) = %2"                                                                    \
		     :                                                                                           \
		     : "r"(d), "i"(__builtin_offsetof(struct tcctl_decap, field) + 4 * (i)), "r"((__u64)(value)) \
		     : "memory")
#define tcctl_decap_address(d, i, to, from)                     \
	do {                                                    \
		TCCTL_DECAP_PUT(d, key.local, i, to);           \
		TCCTL_DECAP_PUT(d, key.remote, i, from);        \
		TCCTL_DECAP_PUT(d, source.addr, i, from);       \
	} while (0)

/* The outer IP header and `words` words behind it. NULL: not for us, the caller leaves with tcctl_decap_not(). */
static __always_inline struct tcctl_decap *tcctl_decap_begin(struct __sk_buff *skb, __u32 types, const __u32 words)
{
	__u32 l3 = tcctl_l3(skb), l4 = tcctl_l4(skb), flags = tcctl_flags(skb);
	struct tcctl_decap *d;

	if (!tcctl_decap_wanted(types) || !(flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6)))
		return NULL;
	if (tcctl_unlikely(!l4))
		return NULL;
	d = tcctl_decap_scratch(skb);
	if (tcctl_unlikely(!d))
		return NULL;
	if (flags & TCCTL_F_IPV4) {
		if (tcctl_unlikely(!tcctl_read_l3(skb, l3, d->ip, 5)))
			return NULL;
		tcctl_decap_address(d, 0, d->ip[4], d->ip[3]);
		tcctl_decap_address(d, 1, 0, 0);
		tcctl_decap_address(d, 2, 0, 0);
		tcctl_decap_address(d, 3, 0, 0);
		d->tos = bpf_ntohl(d->ip[0]) >> 16 & 0xff;
		d->end = l3 + (bpf_ntohl(d->ip[0]) & 0xffff);
	} else {
		if (tcctl_unlikely(!tcctl_read_l3(skb, l3, d->ip, 10)))
			return NULL;
		tcctl_decap_address(d, 0, d->ip[6], d->ip[2]);
		tcctl_decap_address(d, 1, d->ip[7], d->ip[3]);
		tcctl_decap_address(d, 2, d->ip[8], d->ip[4]);
		tcctl_decap_address(d, 3, d->ip[9], d->ip[5]);
		d->tos = bpf_ntohl(d->ip[0]) >> 20 & 0xff;
		d->end = l3 + 40 + (bpf_ntohl(d->ip[1]) >> 16);
	}
	if (tcctl_unlikely(tcctl_field(skb, gso_size))) /* what is above 64 KiB has a length of 0 */
		d->end = tcctl_field(skb, len);
	d->l3 = l3;
	/* of a first fragment, padding is not taken for what comes later */
	if (tcctl_unlikely(flags & TCCTL_F_FRAG) && l4 + 4 * words > d->end)
		return NULL;
	if (tcctl_unlikely(!tcctl_read_l4(skb, l4, d->h, words))) {
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TUNNEL_BAD);
		return NULL;
	}
	return d;
}

/* Is it the first fragment of an outer packet? Lengths in its headers are those of the whole. */
static __always_inline bool tcctl_decap_is_part(struct __sk_buff *skb)
{
	return tcctl_unlikely(tcctl_flags(skb) & TCCTL_F_FRAG);
}

/* The same for UDP: its length is checked, the end becomes that of the datagram. At least `min` bytes must follow. */
static __always_inline struct tcctl_decap *tcctl_decap_begin_udp(struct __sk_buff *skb, __u32 types, const __u32 words,
								 __u32 min)
{
	struct tcctl_decap *d;
	__u32 end;

	if (tcctl_proto(skb) != TCCTL_IP_UDP) /* attached alone, and not the packet this is for */
		return NULL;
	d = tcctl_decap_begin(skb, types, words);
	if (!d)
		return NULL;
	end = bpf_ntohl(d->h[1]) >> 16;
	if (tcctl_unlikely(!end && tcctl_field(skb, gso_size)))
		end = d->end;
	else
		end += tcctl_l4(skb);
	if (tcctl_unlikely(end > d->end || tcctl_l4(skb) + 8 + min > end)) {
		if (tcctl_decap_is_part(skb))
			return tcctl_l4(skb) + 8 + min > d->end ? NULL : d;
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TUNNEL_BAD);
		return NULL;
	}
	d->end = end;
	return d;
}

/*
 * A handler began and got nothing, or too little. A first fragment with too little to tell whose it is counts as a
 * stranger's: where those are refused it is dropped, or the stack would put together what must not arrive.
 */
static __always_inline int tcctl_decap_not(struct __sk_buff *skb, __u32 types, __u32 proto)
{
	const struct tcctl_tunnel_settings *settings;
	void *rows;

	if (tcctl_likely(!(tcctl_flags(skb) & TCCTL_F_FRAG)) || !tcctl_l4(skb) || tcctl_proto(skb) != proto ||
	    !tcctl_decap_wanted(types))
		return tcctl_handled(skb);
	rows = tcctl_half(skb, tunnels);
	settings = rows ? bpf_map_lookup_elem(rows, (const void *)&tcctl_key[0]) : NULL;
	if (settings && settings->unknown_types & types)
		return tcctl_drop(skb, TCCTL_R_TUNNEL_REFUSED);
	return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_FRAGMENT);
}

/* A tunnel's first fragment: not all of the payload is there, so it is the stack's. */
static __always_inline int tcctl_decap_part(struct __sk_buff *skb)
{
	return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_FRAGMENT);
}

/* The header has no end: bad, or in a fragment not all there. */
static __always_inline int tcctl_decap_endless(struct __sk_buff *skb, __u32 types, __u32 proto)
{
	return tcctl_decap_is_part(skb) ? tcctl_decap_not(skb, types, proto) : tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
}

/* Does the UDP header have a checksum? */
static __always_inline bool tcctl_decap_has_csum(const struct tcctl_decap *d)
{
	return d->h[1] & bpf_htonl(0xffff);
}

#include "tcctl/decap_find.h"
#include "tcctl/decap_finish.h"

#endif
