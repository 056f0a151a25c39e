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

/*
 * Is a value the one that it usually is? Asked apart, before compilers make one search, and several branches, of all the values that a
 * program tells apart.
 */
#define tcctl_is_usual(value, usual)             \
	({                                       \
		__u64 _value = (value);          \
		asm volatile("" : "+r"(_value)); \
		tcctl_likely(_value == (usual)); \
	})

#define TCCTL_BE16(p) ((__u32)(p)[0] << 8 | (p)[1])

/*
 * A 32-bit field of the packet's metadata. As assembly, because in long programs the compiler keeps the field's address in a
 * register, and the verifier refuses an access through a context pointer that was added to.
 */
#define tcctl_field(skb, name)                                                              \
	({                                                                                  \
		__u64 _field;                                                               \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                       \
			     : "=r"(_field)                                                 \
			     : "r"(skb), "i"(__builtin_offsetof(struct __sk_buff, name)));  \
		__builtin_assume(_field <= 0xffffffff);                                     \
		(__u32)_field;                                                              \
	})

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

/*
 * Add a GSO packet. Off the hot path, and it must stay off its registers too: locals are volatile, so that they live
 * on the stack here instead of pushing the hot path's values there.
 *
 * The header length is read from the network header on, which the kernel has set for every GSO packet, so this
 * needs no context and works on every kind of device.
 */
static __always_inline void tcctl_counter_add_gso(struct __sk_buff *skb, struct tcctl_counter *c)
{
	volatile __u64 headers = 0, l4_at = 0, segs, size; /* 64 bits wide, see TCCTL_KEY() */
	__u32 total = 0, proto = 0;
	/* zeroed in whole slots: 6.1 refuses a helper's bytes where a number was kept before, without CAP_PERFMON */
	__u8 ip[24] TCCTL_BUFFER = {};

	if (!bpf_skb_load_bytes_relative(skb, 0, ip, 20, BPF_HDR_START_NET)) {
		if (ip[0] >> 4 == 4) {
			l4_at = (ip[0] & 15) * 4;
			total = TCCTL_BE16(ip + 2);
			proto = ip[9];
			asm volatile("" : "+r"(proto)); /* keeps both reads at constant offsets */
		} else if (ip[0] >> 4 == 6) {
			l4_at = 40;
			total = TCCTL_BE16(ip + 4);
			if (total)
				total += 40;
			proto = ip[6];
		}
		if (l4_at && total && total <= tcctl_field(skb, len)) { /* total is 0 above 64 KiB */
			headers = tcctl_field(skb, len) - total + l4_at;
			if (proto == 17)
				headers += 8;
			else if (proto == 132)
				headers += 12;
			else if (proto == 6 &&
				 !bpf_skb_load_bytes_relative(skb, l4_at + 12, ip, 1, BPF_HDR_START_NET))
				headers += (ip[0] >> 4) * 4; /* data offset, in a buffer that is there already */
		}
	}
	headers = tcctl_forget(skb, headers);
	segs = tcctl_field(skb, gso_segs);
	size = tcctl_field(skb, gso_size);
	if (!segs && size) /* from a guest or a tap that did not say */
		segs = (tcctl_field(skb, len) - headers + size - 1) / size;
	segs = tcctl_forget(skb, segs);
	/* What does not fit in the segments must be header: inner headers of a tunnel, extension headers. */
	if (segs * size + headers < tcctl_field(skb, len))
		headers = tcctl_field(skb, len) - segs * size;
	if (!segs)
		segs = 1;
	c->segments += segs;
	c->bytes += tcctl_field(skb, len) + (segs - 1) * headers;
}

/* Count a packet. */
static __always_inline void tcctl_counter_add(struct __sk_buff *skb, struct tcctl_counter *c)
{
	c->packets++;
	if (tcctl_likely(!tcctl_field(skb, gso_size))) {
		c->segments++;
		c->bytes += tcctl_field(skb, len);
	} else {
		tcctl_counter_add_gso(skb, c);
	}
}

/*
 * Keys of the fixed counters. A key on the stack costs a speculation barrier (some 10 ns) in a program that was
 * loaded without CAP_PERFMON; a key in read-only data costs nothing.
 */
#define TCCTL_KEYS4(n) (n), (n) + 1, (n) + 2, (n) + 3
#define TCCTL_KEYS16(n) TCCTL_KEYS4(n), TCCTL_KEYS4((n) + 4), TCCTL_KEYS4((n) + 8), TCCTL_KEYS4((n) + 12)
#define TCCTL_KEYS64(n) TCCTL_KEYS16(n), TCCTL_KEYS16((n) + 16), TCCTL_KEYS16((n) + 32), TCCTL_KEYS16((n) + 48)
TCCTL_SHARED(const volatile __u32 tcctl_key[TCCTL_CNT_FIXED_MAX], {
	TCCTL_KEYS64(0),   TCCTL_KEYS64(64),  TCCTL_KEYS64(128),
	TCCTL_KEYS64(192), TCCTL_KEYS64(256), TCCTL_KEYS64(320), TCCTL_KEYS16(384), TCCTL_KEYS16(400),
});
_Static_assert(TCCTL_CNT_FIXED_MAX == 416, "a key for each fixed counter");

/* Count under the fixed counter of a key in tcctl_key[]. */
static __always_inline void tcctl_count_key(struct __sk_buff *skb, const volatile __u32 *key)
{
	struct tcctl_counter *c = bpf_map_lookup_elem(&counters_fixed, (const void *)key);

	if (tcctl_likely(c))
		tcctl_counter_add(skb, c);
}

/* Count under a fixed counter (enum tcctl_fixed_counter). */
static __always_inline void tcctl_count(struct __sk_buff *skb, __u32 id)
{
	struct tcctl_counter *c;
	__u64 key;

	if (__builtin_constant_p(id)) {
		c = bpf_map_lookup_elem(&counters_fixed, (const void *)&tcctl_key[id]);
	} else {
		key = TCCTL_KEY(id);
		c = bpf_map_lookup_elem(&counters_fixed, &key);
	}
	if (tcctl_likely(c))
		tcctl_counter_add(skb, c);
}

#ifdef TCCTL_WANT_COUNTERS
/* Count under a counter id of a rule: chunk * TCCTL_CHUNK + index. A chunk that is not there is not an error: stock tc
 * makes none. */
static __always_inline void tcctl_count_id(struct __sk_buff *skb, __u32 id)
{
	__u64 index = TCCTL_KEY(id % TCCTL_CHUNK);
	struct tcctl_counter *c;
	__u64 chunk = TCCTL_KEY(id / TCCTL_CHUNK);
	void *map = bpf_map_lookup_elem(&counters, &chunk);

	if (!map)
		return;
	c = bpf_map_lookup_elem(map, &index);
	if (tcctl_likely(c))
		tcctl_counter_add(skb, c);
}
#endif

#endif
