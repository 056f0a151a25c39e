// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Several programs, a pinned jump table, a pinned map and a section name that libbpf does not know. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} jump SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} marks SEC(".maps");

SEC("tc")
int entry(struct __sk_buff *skb)
{
	skb->cb[0] = 1;
	bpf_tail_call(skb, &jump, 2);
	return TC_ACT_SHOT; /* the slot is empty */
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	__u32 key = skb->mark, *mark = bpf_map_lookup_elem(&marks, &key), seen = 1;

	if (mark)
		skb->mark = *mark;
	bpf_map_update_elem(&marks, &key, &seen, BPF_ANY);
	return TC_ACT_PIPE;
}

SEC("classifier/old")
int old_style(struct __sk_buff *skb)
{
	return bpf_skb_change_tail(skb, 60, 0) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("action")
int act(struct __sk_buff *skb)
{
	skb->mark = 5;
	return TC_ACT_PIPE;
}

char _license[] SEC("license") = "Dual BSD/GPL";
