// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What one would write by hand for one job, as the yardstick: a single program, no jumps, no context, the
 * same packet parsing, the same counters as the pipeline (hook, EtherType, protocol, stages, rule), and one map
 * look-up of the obvious kind.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct count {
	__u64 packets, segments, bytes;
};

#define FIXED 256
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FIXED);
	__type(key, __u32);
	__type(value, struct count);
} fixed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1); /* set by the loader: one per rule or flow */
	__type(key, __u32);
	__type(value, struct count);
} rules SEC(".maps");

/* 16 bytes: the exact flow */
struct flow {
	__be32 src, dst;
	__be16 sport, dport;
	__u8 proto, pad[3];
};

struct verdict {
	__u32 rule, mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow);
	__type(value, struct verdict);
} flows SEC(".maps");

struct lpm4 {
	__u32 len;
	__u8 addr[4];
};

struct lpm6 {
	__u32 len;
	__u8 addr[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm4);
	__type(value, struct verdict);
} trie4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm6);
	__type(value, struct verdict);
} trie6 SEC(".maps");

static __always_inline void count_in(struct __sk_buff *skb, void *map, __u32 i)
{
	struct count *c = bpf_map_lookup_elem(map, &i);

	if (c) {
		c->packets++;
		c->segments += skb->gso_size ? skb->gso_segs : 1;
		c->bytes += skb->len;
	}
}

/* The pipeline counts a packet at its hook, its EtherType, its protocol, and in the stages classify and mark. */
static __always_inline void count_path(struct __sk_buff *skb, __u32 l3, __u32 l4)
{
	count_in(skb, &fixed, 0);
	count_in(skb, &fixed, 16 + l3);
	count_in(skb, &fixed, 32 + l4);
	count_in(skb, &fixed, 64);
	count_in(skb, &fixed, 72);
}

static __always_inline int finish(struct __sk_buff *skb, const struct verdict *v)
{
	if (!v)
		return TC_ACT_UNSPEC;
	count_in(skb, &rules, v->rule);
	skb->mark = v->mark;
	return TC_ACT_UNSPEC;
}

struct parsed {
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	struct udphdr *l4;
	__u32 proto;
};

static __always_inline int parse4(struct __sk_buff *skb, struct parsed *p)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	__u32 off;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->version != 4 || ip->ihl < 5)
		return -1;
	if (ip->frag_off & bpf_htons(0x3fff))
		return -1;
	off = sizeof(*eth) + ip->ihl * 4;
	p->l4 = data + off;
	if ((void *)(p->l4 + 1) > end)
		return -1;
	p->ip4 = ip;
	p->proto = ip->protocol;
	return 0;
}

static __always_inline int parse6(struct __sk_buff *skb, struct parsed *p)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip = data + sizeof(*eth);

	p->l4 = (void *)(ip + 1);
	if ((void *)(p->l4 + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6) || ip->version != 6)
		return -1;
	p->ip6 = ip;
	p->proto = ip->nexthdr;
	return 0;
}

SEC("tc")
int hash(struct __sk_buff *skb)
{
	struct parsed p;
	struct flow key = {};

	if (parse4(skb, &p))
		return TC_ACT_UNSPEC;
	key.src = p.ip4->saddr;
	key.dst = p.ip4->daddr;
	key.proto = p.proto;
	if (p.proto == IPPROTO_UDP || p.proto == IPPROTO_TCP) {
		key.sport = p.l4->source;
		key.dport = p.l4->dest;
	}
	count_path(skb, 0, p.proto & 15);
	return finish(skb, bpf_map_lookup_elem(&flows, &key));
}

/* The same without the look-up. */
SEC("tc")
int plain_v4(struct __sk_buff *skb)
{
	struct parsed p;

	if (parse4(skb, &p))
		return TC_ACT_UNSPEC;
	count_path(skb, 0, p.proto & 15);
	count_in(skb, &rules, 0);
	skb->mark = p.ip4->saddr & 1;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int plain_v6(struct __sk_buff *skb)
{
	struct parsed p;

	if (parse6(skb, &p))
		return TC_ACT_UNSPEC;
	count_path(skb, 1, p.proto & 15);
	count_in(skb, &rules, 0);
	skb->mark = p.ip6->saddr.in6_u.u6_addr8[0] & 1;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int lpm_v4(struct __sk_buff *skb)
{
	struct parsed p;
	struct lpm4 key = { .len = 32 };

	if (parse4(skb, &p))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.addr, &p.ip4->saddr, 4);
	count_path(skb, 0, p.proto & 15);
	return finish(skb, bpf_map_lookup_elem(&trie4, &key));
}

SEC("tc")
int lpm_v6(struct __sk_buff *skb)
{
	struct parsed p;
	struct lpm6 key = { .len = 128 };

	if (parse6(skb, &p))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.addr, &p.ip6->saddr, 16);
	count_path(skb, 1, p.proto & 15);
	return finish(skb, bpf_map_lookup_elem(&trie6, &key));
}

char _license[] SEC("license") = "Dual BSD/GPL";
