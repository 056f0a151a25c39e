/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of context-leak.sh and vlan.sh. What they see goes into `leak_seen`, device numbers come from `leak_cfg`. */
#include "tcctl/handler.h"

struct seen {
	__u64 packets;
	__u64 dirty;	/* detect: cb was not zero; record: a class was set already */
	__u64 foreign;	/* record: not this hook's context */
	__u32 cb[5];	/* of the last packet */
	__u32 mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct seen);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} leak_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} leak_cfg SEC(".maps");

TCCTL_SLOT(0);

static __always_inline __u32 config(__u32 key)
{
	__u32 *v = bpf_map_lookup_elem(&leak_cfg, &key);

	return v ? *v : 0;
}

/* UDP over IPv4 only: the test's own packets, not neighbour discovery. */
static __always_inline bool is_udp(struct __sk_buff *skb)
{
	__u8 ip[20];

	return !bpf_skb_load_bytes_relative(skb, 0, ip, sizeof(ip), BPF_HDR_START_NET) && ip[0] == 0x45 && ip[9] == 17;
}

static __always_inline void look(struct __sk_buff *skb, __u32 key)
{
	struct seen *s = bpf_map_lookup_elem(&leak_seen, &key);

	if (!s || !is_udp(skb))
		return;
	s->packets++;
	s->cb[0] = tcctl_cb(skb, 0);
	s->cb[1] = tcctl_cb(skb, 1);
	s->cb[2] = tcctl_cb(skb, 2);
	s->cb[3] = tcctl_cb(skb, 3);
	s->cb[4] = tcctl_cb(skb, 4);
	if (s->cb[0] | s->cb[1] | s->cb[2] | s->cb[3] | s->cb[4])
		s->dirty++;
}

/* Filters that look at cb as it arrives: the minor of the filter's classid says where. */
SEC("tc")
int detect(struct __sk_buff *skb)
{
	look(skb, skb->tc_classid & 15);
	return TC_ACT_UNSPEC;
}

/* What a careless program does. */
SEC("tc")
int dirty(struct __sk_buff *skb)
{
	tcctl_cb_set(skb, 0, TCCTL_CB_MAGIC << 24 | 0x77);
	tcctl_cb_set(skb, 4, 0x55);
	return TC_ACT_UNSPEC;
}

/* A foreign filter behind ours that redirects UDP. */
SEC("tc")
int redirect(struct __sk_buff *skb)
{
	return is_udp(skb) ? bpf_redirect(config(0), 0) : TC_ACT_UNSPEC;
}

/* A stage: notes the context by hook index, then sets a class that must not be seen by anybody else. */
static __always_inline int noted(struct __sk_buff *skb)
{
	__u32 key = 8 + (tcctl_hook(skb) >> TCCTL_HOOK_INDEX_SHIFT & 7);
	struct seen *s = bpf_map_lookup_elem(&leak_seen, &key);

	if (s && tcctl_proto(skb) == 17 && tcctl_flags(skb) & TCCTL_F_IPV4) {
		s->packets++;
		s->dirty += tcctl_class(skb) != 0;
		s->cb[0] = tcctl_cb(skb, 0);
		s->cb[1] = tcctl_cb(skb, 1);
		s->cb[2] = tcctl_cb(skb, 2);
		s->cb[3] = tcctl_cb(skb, 3);
		tcctl_set_class(skb, 0x55);
	}
	return tcctl_next(skb);
}

SEC("tc")
int record(struct __sk_buff *skb)
{
	tcctl_stage_begin(skb);
	return noted(skb);
}

/* A stage that sends a copy of each UDP packet elsewhere in the middle of its work. */
SEC("tc")
int copy(struct __sk_buff *skb)
{
	__u32 before, key = 7;
	struct seen *s;

	tcctl_stage_begin(skb);
	if (is_udp(skb) && !(tcctl_hook(skb) & TCCTL_HOOK_EGRESS)) {
		before = tcctl_cb(skb, 0) ^ tcctl_cb(skb, 1) ^ tcctl_cb(skb, 2) ^ tcctl_cb(skb, 3);
		tcctl_clone_redirect(skb, config(0), 0);
		s = bpf_map_lookup_elem(&leak_seen, &key);
		if (s) {
			s->packets++;
			s->foreign += before != (tcctl_cb(skb, 0) ^ tcctl_cb(skb, 1) ^ tcctl_cb(skb, 2) ^ tcctl_cb(skb, 3));
		}
	}
	return noted(skb);
}
