/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of checksum.sh: a stage that gives every IP packet one class, and a filter that notes fields. */
#include "tcctl/handler.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} paint_class SEC(".maps");

struct fields {
	__u32 mark, priority, queue, tc_index;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fields);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} paint_seen SEC(".maps");

TCCTL_SLOT(TCCTL_STAGE_MARK - 1);

SEC("tc")
int paint(struct __sk_buff *skb)
{
	__u32 key = 0, *class = bpf_map_lookup_elem(&paint_class, &key);

	tcctl_stage_begin(skb);
	if (class && tcctl_flags(skb) & (TCCTL_F_IPV4 | TCCTL_F_IPV6))
		tcctl_set_class(skb, *class);
	return tcctl_next(skb);
}

SEC("tc")
int look(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct fields *f = bpf_map_lookup_elem(&paint_seen, &key);

	if (f) {
		f->mark = skb->mark;
		f->priority = skb->priority;
		f->queue = skb->queue_mapping;
		f->tc_index = skb->tc_index;
	}
	return TC_ACT_UNSPEC;
}
