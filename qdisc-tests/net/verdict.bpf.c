/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of verdict.sh, run as filters that stand before and behind ours. */
#include "tcctl/handler.h"

struct fields {
	__u32 packets, mark, priority, queue, tc_index;
};

/* Per UDP destination port, 5000 to 5015. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct fields);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} verdict_seen SEC(".maps");

/* A neighbour in front of us has written to the fields already. */
SEC("tc")
int stamp(struct __sk_buff *skb)
{
	skb->tc_index = 0x123;
	skb->mark = 0xabc;
	return TC_ACT_UNSPEC;
}

/* Notes the fields of UDP over IPv4 without options. */
SEC("tc")
int note(struct __sk_buff *skb)
{
	struct fields *f;
	__u8 h[24];
	__u32 key;

	if (bpf_skb_load_bytes_relative(skb, 0, h, sizeof(h), BPF_HDR_START_NET) || h[0] != 0x45 || h[9] != 17)
		return TC_ACT_UNSPEC;
	key = (h[22] << 8 | h[23]) - 5000;
	f = bpf_map_lookup_elem(&verdict_seen, &key);
	if (f) {
		f->packets++;
		f->mark = skb->mark;
		f->priority = skb->priority;
		f->queue = skb->queue_mapping;
		f->tc_index = skb->tc_index;
	}
	return TC_ACT_UNSPEC;
}
