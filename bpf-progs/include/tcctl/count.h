/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting: packets (skbs), segments and bytes as they are on the wire.
 *
 * A GSO or GRO packet stands for `gso_segs` packets, each with a copy of the headers. skb->len has the headers
 * once; skb->wire_len has them all, but on egress only. So the header length is worked out here, the same
 * way in both directions, on a path that only GSO packets take.
 */
#ifndef TCCTL_COUNT_H
#define TCCTL_COUNT_H

#include "tcctl/maps.h"

#define tcctl_likely(x) __builtin_expect(!!(x), 1)
#define tcctl_unlikely(x) __builtin_expect(!!(x), 0)

#define TCCTL_BE16(p) ((__u32)(p)[0] << 8 | (p)[1])

/*
 * The same value, but to the verifier any value: it does not know that two reads of skb->len give the same. Put
 * where paths join, it keeps the verifier from following every combination of what came before. Off the hot
 * path only.
 */
static __always_inline __u32 tcctl_forget(struct __sk_buff *skb, __u32 value)
{
	__u64 v = value, a, b;

	asm volatile("%1 = *(u32 *)(%3 + 0)\n\t"
		     "%2 = *(u32 *)(%3 + 0)\n\t"
		     "%0 ^= %1\n\t"
		     "%0 ^= %2"
		     : "+r"(v), "=&r"(a), "=&r"(b)
		     : "r"(skb));
	return v;
}

struct tcctl_size {
	__u32 segments;
	__u64 bytes;
};

/* Length of all headers of a GSO packet, 0 when it cannot be told. Reads from the network header on, which the
 * kernel has set for every GSO packet, so it needs no context and works on every kind of device. */
static __always_inline __u32 tcctl_gso_headers(struct __sk_buff *skb)
{
	__u32 hlen, total, l4 = 0;
	__u8 ip[20], proto, doff;

	if (bpf_skb_load_bytes_relative(skb, 0, ip, sizeof(ip), BPF_HDR_START_NET))
		return 0;
	if (ip[0] >> 4 == 4) {
		hlen = (ip[0] & 15) * 4;
		total = TCCTL_BE16(ip + 2);
		proto = ip[9];
	} else if (ip[0] >> 4 == 6) {
		hlen = 40;
		total = TCCTL_BE16(ip + 4);
		if (total)
			total += 40;
		proto = ip[6];
	} else {
		return 0;
	}
	if (!total || total > skb->len) /* 0: more than 64 KiB */
		return 0;
	if (proto == 6 && !bpf_skb_load_bytes_relative(skb, hlen + 12, &doff, 1, BPF_HDR_START_NET))
		l4 = (doff >> 4) * 4;
	else if (proto == 17)
		l4 = 8;
	else if (proto == 132)
		l4 = 12;
	return skb->len - total + hlen + l4;
}

static __always_inline struct tcctl_size tcctl_size(struct __sk_buff *skb)
{
	struct tcctl_size size = { 1, skb->len };
	__u32 gso = skb->gso_size, segs, headers;

	if (tcctl_likely(!gso))
		return size;
	segs = skb->gso_segs;
	headers = tcctl_forget(skb, tcctl_gso_headers(skb));
	if (!segs) /* from a guest or a tap that did not say */
		segs = (skb->len - headers + gso - 1) / gso;
	segs = tcctl_forget(skb, segs);
	/* What does not fit in the segments must be header: inner headers of a tunnel, extension headers. */
	if ((__u64)segs * gso + headers < skb->len)
		headers = skb->len - segs * gso;
	if (segs > 1) {
		size.segments = segs;
		size.bytes += (__u64)(segs - 1) * headers;
	}
	return size;
}

static __always_inline void tcctl_counter_add(struct tcctl_counter *c, struct tcctl_size size)
{
	c->packets++;
	c->segments += size.segments;
	c->bytes += size.bytes;
}

/* Count under a fixed counter (enum tcctl_fixed_counter). */
static __always_inline void tcctl_count_size(__u32 id, struct tcctl_size size)
{
	struct tcctl_counter *c = bpf_map_lookup_elem(&counters_fixed, &id);

	if (tcctl_likely(c))
		tcctl_counter_add(c, size);
}

static __always_inline void tcctl_count(struct __sk_buff *skb, __u32 id)
{
	tcctl_count_size(id, tcctl_size(skb));
}

#ifdef TCCTL_WANT_COUNTERS
/* Count under a counter id of a hook or a rule: chunk * TCCTL_CHUNK + index. A chunk that is not there is
 * not an error: stock tc makes none. */
static __always_inline void tcctl_count_id(__u32 id, struct tcctl_size size)
{
	__u32 chunk = id / TCCTL_CHUNK, index = id % TCCTL_CHUNK;
	struct tcctl_counter *c;
	void *map;

	map = bpf_map_lookup_elem(&counters, &chunk);
	if (!map)
		return;
	c = bpf_map_lookup_elem(map, &index);
	if (tcctl_likely(c))
		tcctl_counter_add(c, size);
}
#endif

#endif
