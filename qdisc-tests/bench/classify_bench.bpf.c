/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For qdisc-tests/bench/classify: a driver that gives each run another packet, and what classify is compared with. All
 * do the same reading of headers and the same counting; only the way to the answer differs.
 */
#define TCCTL_WANT_COUNTERS
#include "tcctl/handler.h"

struct bench_packet {
	__u32 l3[10];
	__u32 cb[5];
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 64);
} packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} under_test SEC(".maps");

struct hash_key {
	__u32 src, dst, ports, proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__uint(key_size, 16);
	__uint(value_size, 8);
} by_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1 << 20);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 20);
	__uint(value_size, 8);
} by_lpm SEC(".maps");

__u32 next, n_packets = 1;

SEC("tc")
int driver(struct __sk_buff *skb)
{
	__u32 i = next;
	struct bench_packet *p;
	__u32 *l3;

	next = i + 1 < n_packets ? i + 1 : 0;
	p = bpf_map_lookup_elem(&packets, &i);
	if (!p)
		return 0;
	l3 = (void *)tcctl_data_at(skb, 14);
	if ((__u8 *)(l3 + 10) > tcctl_data_end(skb))
		return 0;
	for (int k = 0; k < 10; k++)
		__builtin_memcpy((__u8 *)l3 + 4 * k, &p->l3[k], 4);
	for (int k = 0; k < 5; k++)
		skb->cb[k] = p->cb[k];
	tcctl_jump(skb, under_test, 0);
	return 0;
}

/* A stage that does nothing. */
SEC("tc")
int noop(struct __sk_buff *skb)
{
	return 0;
}

static __always_inline int answer(struct __sk_buff *skb, const __u32 *v)
{
	if (v) {
		tcctl_count_id(skb, v[0]);
		tcctl_set_class(skb, v[1]);
	}
	return tcctl_next_of(skb, TCCTL_STAGE_CLASSIFY);
}

SEC("tc")
int hash(struct __sk_buff *skb)
{
	struct hash_key key;
	__u32 w[5];

	tcctl_stage_begin_of(skb, TCCTL_STAGE_CLASSIFY);
	if (!(tcctl_flags(skb) & TCCTL_F_IPV4) || !tcctl_read_l3(skb, tcctl_l3(skb), w, 5))
		return 0;
	key.src = w[3];
	key.dst = w[4];
	key.ports = tcctl_flags(skb) & TCCTL_F_PORTS ? tcctl_cb(skb, TCCTL_CB_PORTS) : 0;
	key.proto = tcctl_proto(skb);
	return answer(skb, bpf_map_lookup_elem(&by_hash, &key));
}

SEC("tc")
int lpm(struct __sk_buff *skb)
{
	struct {
		__u32 len, addr[4];
	} key = { .len = 32 };
	__u32 w[10];

	tcctl_stage_begin_of(skb, TCCTL_STAGE_CLASSIFY);
	if (tcctl_flags(skb) & TCCTL_F_IPV4) {
		if (!tcctl_read_l3(skb, tcctl_l3(skb), w, 5))
			return 0;
		key.addr[0] = w[3];
	} else {
		if (!tcctl_read_l3(skb, tcctl_l3(skb), w, 10))
			return 0;
		key.len = 128;
		key.addr[0] = w[2];
		key.addr[1] = w[3];
		key.addr[2] = w[4];
		key.addr[3] = w[5];
	}
	return answer(skb, bpf_map_lookup_elem(&by_lpm, &key));
}
