/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Next hops of outer packets, kept until the kernel's clock ticks: 1 to 10 ms, by CONFIG_HZ. A route or a neighbour that changes
 * is seen by the first packet after that, and nobody has to say so. Where few packets go, each has its own look-up.
 *
 * By the whole flow as the routing table may tell flows apart (outer addresses, TOS or traffic class and flow label, ports,
 * device it is looked up through), so paths of equal cost are shared as without; and per CPU. An entry overwrites whatever
 * was in its place.
 *
 * On a host that does not forward, programs are not told about next hops. There the kernel sends a packet
 * (bpf_redirect_neigh()); where it does so through a device whose egress hook runs the encap stage, that sees the addresses that
 * the kernel chose, and they serve the flow until the next tick. All of that happens inside one transmission, on one CPU.
 */
#ifndef TCCTL_HOPS_H
#define TCCTL_HOPS_H

#include "tcctl/encap.h"

enum tcctl_hop_state {
	TCCTL_HOP_NONE,	  /* nobody has looked */
	TCCTL_HOP_KNOWN,  /* ifindex and mac hold */
	TCCTL_HOP_UNTOLD, /* the kernel does not tell; it may be seen */
};

/* Addresses and ports as in the packet, in words. */
struct tcctl_hop {
	__u64 tick;	/* bpf_jiffies64() when it was made */
	__u32 tunnel;	/* id; its highest bit is the half of the tables */
	__u32 from;	/* ifindex of the device that the packet passes */
	__u32 dst[4];	/* IPv4: the first word; the source is the tunnel's */
	__u32 first;	/* what a route may depend on of the IP header's first word */
	__u32 ports;	/* as in the context */
	__u32 state;	/* enum tcctl_hop_state */
	__u32 ifindex;	/* to leave through */
	__u32 mac[3];	/* destination and source */
	__u32 len;	/* longest packet that was found to fit, from the outer L3 header on */
};
_Static_assert(sizeof(struct tcctl_hop) == 64, "a cache line");

#define TCCTL_HOPS 64
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCCTL_HOPS);
	__type(key, __u32);
	__type(value, struct tcctl_hop);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hops SEC(".maps") __weak;

static __always_inline __u32 tcctl_outer_overhead(const struct tcctl_tunnel *row)
{
	return row->header_len + (row->flags & TCCTL_TF_INNER_ETH ? 14 : 0);
}

/* From the outer L3 header on, of segments the longest, for the kernel to compare with the route's MTU. 0: not known. */
static __always_inline __u32 tcctl_outer_length(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 len = tcctl_field(skb, len) - TCCTL_DATA_OFFSET, over = tcctl_outer_overhead(row);

	if (tcctl_unlikely(tcctl_field(skb, gso_size))) {
		if (!row->mtu)
			return 0;
		if (len - over > row->mtu)
			len = s->wire + over;
	}
	return len > 0xffff ? 0 : len;
}

/* The packet's entry, made anew when it is not one of this tick. NULL: the packet is cut short. */
static __always_inline struct tcctl_hop *tcctl_hop(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 w[10], d0, d1 = 0, d2 = 0, d3 = 0, first, ports, tunnel, from = tcctl_field(skb, ifindex);
	__u64 now = bpf_jiffies64();
	struct tcctl_hop *hop;

	if (row->family == 6) {
		if (!tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 10))
			return NULL;
		first = w[0];
		d0 = w[6];
		d1 = w[7];
		d2 = w[8];
		d3 = w[9];
	} else {
		if (!tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 5))
			return NULL;
		first = w[0] & bpf_htonl(0x00ff0000);
		d0 = w[4];
	}
	ports = tcctl_cb(skb, TCCTL_CB_PORTS);
	tunnel = (tcctl_tunnel(skb) & TCCTL_TUNNEL_ID) | TCCTL_ARENA_SLOT(tcctl_generation(skb), cfg.flags) << 31;
	s->hop = ((d0 ^ d3 ^ first ^ ports ^ tunnel) * 0x9e3779b1U) >> 26;
	hop = bpf_map_lookup_elem(&hops, &s->hop);
	if (!hop)
		return NULL;
	if (tcctl_likely(hop->tick == now && hop->tunnel == tunnel && hop->from == from && hop->first == first &&
			 hop->ports == ports && hop->dst[0] == d0) &&
	    hop->dst[1] == d1 && hop->dst[2] == d2 && hop->dst[3] == d3) {
		/* whether a longer one fits is for the kernel to say */
		if (tcctl_unlikely(tcctl_outer_length(skb, s, row) > hop->len) && hop->state == TCCTL_HOP_KNOWN)
			hop->state = TCCTL_HOP_NONE;
		return hop;
	}
	hop->state = TCCTL_HOP_NONE;
	hop->tick = now;
	hop->tunnel = tunnel;
	hop->from = from;
	hop->dst[0] = d0;
	hop->dst[1] = d1;
	hop->dst[2] = d2;
	hop->dst[3] = d3;
	hop->first = first;
	hop->ports = ports;
	hop->len = 0;
	return hop;
}

/* The routing table's answer, in s->fib. */
static __always_inline void tcctl_hop_keep(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
					   struct tcctl_hop *hop)
{
	__u32 len = tcctl_outer_length(skb, s, row);
	const __u16 *dst = (const __u16 *)s->fib.dmac, *src = (const __u16 *)s->fib.smac;
	__u16 *mac = (__u16 *)hop->mac;

	for (int i = 0; i < 3; i++) {
		mac[i] = dst[i];
		mac[3 + i] = src[i];
	}
	hop->ifindex = s->fib.ifindex;
	if (hop->len < len)
		hop->len = len;
	hop->state = TCCTL_HOP_KNOWN;
}

/* Where a packet comes from, and its protocol: what the entry itself does not have. Never 0. */
static __always_inline __u32 tcctl_hop_from(__u32 first, __u32 last, __u32 proto)
{
	return ((first ^ last) * 0x9e3779b1U ^ proto << 1) | 1;
}

/* The kernel sends the packet on its own, without telling us. */
static __always_inline void tcctl_hop_expect(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
					     struct tcctl_hop *hop)
{
	const __u32 *local = (const __u32 *)row->local;

	hop->state = TCCTL_HOP_UNTOLD;
	s->expected = tcctl_hop_from(local[0], row->family == 6 ? local[3] : 0, tcctl_proto(skb));
}

/*
 * A packet leaves as it is, the inner header of which is in the state: is it the expected one? Then others of its flow can go
 * where it goes.
 */
static __always_inline bool tcctl_hop_see(struct __sk_buff *skb, struct tcctl_encap *s)
{
	__u32 flags = tcctl_flags(skb), v6 = flags & TCCTL_F_IPV6;
	__u32 expected = s->expected;
	struct tcctl_hop *hop;
	const __u32 *mac;

	if (tcctl_likely(!expected))
		return false;
	s->expected = 0;
	if (expected != (v6 ? tcctl_hop_from(s->w[2], s->w[5], tcctl_proto(skb)) : tcctl_hop_from(s->w[3], 0, tcctl_proto(skb))))
		return false;
	if (!(flags & TCCTL_F_L2) || flags & TCCTL_F_VLAN || !(flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6)) || tcctl_l3(skb) != 14 ||
	    !(tcctl_hook(skb) & TCCTL_HOOK_EGRESS))
		return false;
	hop = bpf_map_lookup_elem(&hops, &s->hop);
	if (!hop || hop->state != TCCTL_HOP_UNTOLD || hop->tick != bpf_jiffies64() || hop->ports != tcctl_cb(skb, TCCTL_CB_PORTS))
		return false;
	if (v6) {
		if (hop->first != s->w[0] || hop->dst[0] != s->w[6] || hop->dst[1] != s->w[7] || hop->dst[2] != s->w[8] ||
		    hop->dst[3] != s->w[9])
			return false;
	} else if (hop->first != (s->w[0] & bpf_htonl(0x00ff0000)) || hop->dst[0] != s->w[4]) {
		return false;
	}
	mac = (const __u32 *)tcctl_data_at(skb, 0);
	if ((__u8 *)mac + 14 > tcctl_data_end(skb))
		return false;
	hop->mac[0] = mac[0];
	hop->mac[1] = mac[1];
	hop->mac[2] = mac[2];
	hop->ifindex = tcctl_field(skb, ifindex);
	hop->len = 0xffffffff; /* the kernel did not ask either */
	hop->state = TCCTL_HOP_KNOWN;
	return true;
}

#endif
