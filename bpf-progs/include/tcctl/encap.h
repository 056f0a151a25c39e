/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the parts of the encap stage share. They are programs of their own and jump to each other:
 *
 *	encap          which tunnel, may the packet go there, does it fit, to which remote (inner eth); the usual outer
 *	               header (tcctl/encap_usual.h)
 *	encap_sum      only for tunnels with a checksum: sum of the payload
 *	encap_header   any other outer header
 *	flood          copies for several remotes: only of frames that go to all of them
 *	too_big        only for what does not fit: ICMP to the sender
 *
 * What one has found out is left for the next in `encaps`, a per-CPU element: nothing else runs on a CPU between two
 * programs of one packet, but what bpf_clone_redirect() runs does, and it may be this stage once more. It is also
 * where the outer header is composed, and where keys and parameters of helpers live: writes to the stack cost a
 * speculation barrier each in a program loaded without CAP_PERFMON, those to a map's value do not.
 *
 * encap_header composes the outer header whole and then writes it with a helper, which also takes care of non-linear packets.
 */
#ifndef TCCTL_ENCAP_H
#define TCCTL_ENCAP_H

#define TCCTL_WANT_COUNTERS
#include "tcctl/half.h"

/* Of the packet that is encapsulated. */
#define TCCTL_EN_FDB 0x1U	/* `remote` and `remote_id` say where it goes, not the row */
#define TCCTL_EN_FLOOD 0x2U	/* it goes to all of the tunnel's remotes */
#define TCCTL_EN_DF 0x4U	/* inner IPv4: DF is set; inner IPv6 */
#define TCCTL_EN_SUM 0x8U	/* `sum` holds */

#define TCCTL_FLOOD_NOBODY 0xffffU /* flood_own */

#define TCCTL_FRAME_IP 16	/* offset in `frame` of the outer IP header */
#define TCCTL_FRAME_MAX (TCCTL_FRAME_IP + TCCTL_TEMPLATE_MAX)

struct tcctl_encap {
	__u8 frame[TCCTL_FRAME_MAX]; /* the outer header */
	__u8 l2[32];	  /* the inner Ethernet header with its tags, up to the L3 header */
	__u8 remote[16];
	__u32 remote_id;
	__u32 id;	  /* of the tunnel */
	__u32 flags;	  /* TCCTL_EN_* */
	__u32 hash;	  /* of the inner flow */
	__u32 kind;	  /* of the payload: TCCTL_F_IPV4, TCCTL_F_IPV6 or 0 */
	__u32 tos;	  /* of the inner IP header */
	__u32 ttl;
	__u32 mtu;	  /* too_big: what to tell the sender */
	__u32 wire;	  /* of segments that are more than the MTU together: the longest, from the inner L3 header on */
	__u32 sum;	  /* of the payload, folded */
	__u32 hop;	  /* key of `hops`: the entry of the packet that was sent last */
	__u32 expected;	  /* the kernel was asked to send that one, it may come by here: tcctl_hop_from(); else 0 */
	__u32 again;	  /* flood: key of `agains`, the copy that was sent through the hook last */
	__u32 flood_next; /* flood: the remote that is next */
	__u32 flood_own;  /* flood: the remote that the packet itself goes to */
	__u32 w[10];	  /* the inner IP header, network byte order; IPv4: 5 words; else the first 3 of the frame */
	struct tcctl_counter count;	/* what this packet adds to TCCTL_TUN_TX */
	struct tcctl_station_key station;
	__u32 pad2;
	struct tcctl_route_key route;
	struct bpf_fib_lookup fib;
	struct bpf_redir_neigh neigh;
	__u32 pad3;
	__u64 refill;	  /* too_big: CLOCK_MONOTONIC ns when answers were last refilled */
	__u32 answers;	  /* too_big: how many may still be sent */
	__u32 pad4;
	__u8 chunk[512];  /* bytes of the packet that are summed up */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcctl_encap);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} encaps SEC(".maps") __weak;

/*
 * GRE sequence numbers by tunnel id, from 0 on. A spin lock, because kernels such as 5.10 have no atomic addition that
 * also tells the value.
 */
struct tcctl_sequence {
	struct bpf_spin_lock lock;
	__u32 next;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TCCTL_TUNNELS_MAX + 1);
	__type(key, __u32);
	__type(value, struct tcctl_sequence);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sequences SEC(".maps") __weak;

static __always_inline __u32 tcctl_sequence(struct tcctl_encap *s)
{
	struct tcctl_sequence *q = bpf_map_lookup_elem(&sequences, &s->id);
	__u32 n;

	if (!q)
		return 0;
	bpf_spin_lock(&q->lock);
	n = q->next++;
	bpf_spin_unlock(&q->lock);
	return n;
}

/* Types that the pipeline encapsulates; loaded by stock tc (no bits): all of them. */
#define tcctl_encaps(type) (!cfg.encap || cfg.encap & 1U << (type))

static __always_inline struct tcctl_encap *tcctl_encap_state(void)
{
	return bpf_map_lookup_elem(&encaps, (const void *)&tcctl_key[0]);
}

/* The row of tunnel s->id. */
static __always_inline const struct tcctl_tunnel *tcctl_encap_row(struct __sk_buff *skb, const struct tcctl_encap *s)
{
	void *rows = tcctl_half(skb, tunnels);

	return rows ? bpf_map_lookup_elem(rows, &s->id) : NULL;
}

#define TCCTL_DATA_OFFSET (cfg.flags & TCCTL_CFG_RAW ? 0 : 14) /* of an L3 header without tags in front of it */

/* Add s->count to a counter. */
static __always_inline void tcctl_encap_count(struct tcctl_encap *s, __u32 id)
{
	struct tcctl_counter *c;
	void *chunk;

	s->fib.ifindex = id / TCCTL_CHUNK; /* keys outside of the stack */
	s->fib.rt_metric = id % TCCTL_CHUNK;
	chunk = bpf_map_lookup_elem(&counters, &s->fib.ifindex);
	c = chunk ? bpf_map_lookup_elem(chunk, &s->fib.rt_metric) : NULL;
	if (c) {
		c->packets += s->count.packets;
		c->segments += s->count.segments;
		c->bytes += s->count.bytes;
	}
}

/* What the packet adds to the tunnel's counter. */
static __always_inline void tcctl_encap_measure(struct __sk_buff *skb, struct tcctl_encap *s)
{
	s->count.packets = 1;
	s->count.segments = 1;
	s->count.bytes = tcctl_field(skb, len);
	if (tcctl_unlikely(tcctl_field(skb, gso_size))) {
		s->count.segments = 0;
		s->count.bytes = 0;
		tcctl_counter_add_gso(skb, &s->count);
	}
}

/* The packet is in its tunnel: counted, and so said in the context. */
static __always_inline void tcctl_encapsulated(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	tcctl_encap_count(s, row->counters + TCCTL_TUN_TX);
	tcctl_cb_set(skb, TCCTL_CB_CLASS,
		     (tcctl_cb(skb, TCCTL_CB_CLASS) &
		      (0xffff | (__u32)(TCCTL_TUNNEL_DEPTH_MAX << TCCTL_TUNNEL_DEPTH_SHIFT) << 16)) |
			     (s->id & TCCTL_TUNNEL_ID) << 16 | (__u32)TCCTL_TUNNEL_OUT << 16);
}

/* Drop, counted under one of the tunnel's counters. */
static __always_inline int tcctl_encap_drop(struct __sk_buff *skb, const struct tcctl_tunnel *row, __u32 which)
{
	tcctl_count_id(skb, row->counters + which);
	tcctl_clear(skb);
	return TC_ACT_SHOT;
}

/*
 * Sum of bytes [from, to) of the packet, as 16-bit words in memory's order, not folded; -1: there are fewer, or more than
 * TCCTL_SUM_CHUNK * (chunks + 1). Unrolled: see tcctl_parse_ipv6().
 */
#define TCCTL_SUM_CHUNK 512
static __always_inline __s64 tcctl_sum(struct __sk_buff *skb, struct tcctl_encap *s, __u32 from, __u32 to,
				       const int chunks)
{
	__s64 sum = 0;
	__u64 n;

#pragma clang loop unroll(full)
	for (int i = 0; i < chunks; i++) {
		from = tcctl_forget(skb, from);
		if (to - from < TCCTL_SUM_CHUNK)
			break;
		if (bpf_skb_load_bytes(skb, from, s->chunk, TCCTL_SUM_CHUNK))
			return -1;
		sum = (__u32)bpf_csum_diff(NULL, 0, (void *)s->chunk, TCCTL_SUM_CHUNK, sum);
		from += TCCTL_SUM_CHUNK;
	}
	n = tcctl_forget(skb, to - from);
	if (!n)
		return sum;
	if (n >= TCCTL_SUM_CHUNK)
		return -1;
	/* In a register of 64 bits, where the verifier follows it. Kernels before 6.8 take no lower bound from "not 0". */
	asm volatile("%0 -= 1\n\t%0 &= 511\n\t%0 += 1" : "+r"(n));
	for (int i = 0; i < TCCTL_SUM_CHUNK / 8; i++)
		((__u64 *)s->chunk)[i] = 0;
	if (bpf_skb_load_bytes(skb, from, s->chunk, n))
		return -1;
	return (__u32)bpf_csum_diff(NULL, 0, (void *)s->chunk, TCCTL_SUM_CHUNK, sum);
}

#endif
