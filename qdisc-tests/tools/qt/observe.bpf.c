// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Observers: filters that note a packet and let it go on, and a tracepoint for the fields that BPF_PROG_TEST_RUN
 * does not report. The tracepoint needs kernel BTF; the structures below name only what it reads.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "observe.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OBSERVE_MAX);
	__type(key, __u32);
	__type(value, struct observed);
} observed SEC(".maps");

static __always_inline int note(struct __sk_buff *skb, __u32 place)
{
	struct observed *o = bpf_map_lookup_elem(&observed, &place);
	__u32 n = skb->len;
	__u64 last;

	if (!o || !n)
		return TC_ACT_UNSPEC;
	o->mark = skb->mark;
	o->priority = skb->priority;
	o->tc_index = (__u16)skb->tc_index;
	o->queue_mapping = (__u16)skb->queue_mapping;
	o->tstamp = skb->tstamp;
	o->len = skb->len;
	o->vlan_tci = (__u16)skb->vlan_tci;
	o->vlan_proto = skb->vlan_present ? (__u16)skb->vlan_proto : 0;
	o->cb[0] = skb->cb[0];
	o->cb[1] = skb->cb[1];
	o->cb[2] = skb->cb[2];
	o->cb[3] = skb->cb[3];
	o->cb[4] = skb->cb[4];
	if (n > sizeof(o->data))
		n = sizeof(o->data);
	o->known = n;
	/* In a form in which every verifier sees that the size is from 1 to OBSERVED_DATA, a power of two. */
	last = n - 1;
	asm volatile("%0 &= %1" : "+r"(last) : "i"(OBSERVED_DATA - 1));
	bpf_skb_load_bytes(skb, 0, o->data, last + 1);
	__sync_fetch_and_add(&o->count, 1);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int see_next(struct __sk_buff *skb)
{
	return note(skb, OBSERVE_NEXT);
}

SEC("tc")
int see_stack(struct __sk_buff *skb)
{
	return note(skb, OBSERVE_STACK);
}

SEC("tc")
int see_out(struct __sk_buff *skb)
{
	return note(skb, OBSERVE_OUT);
}

/* The process that runs the packets, as its own pid namespace calls it. */
const volatile __u64 pidns_dev, pidns_ino;
const volatile __u32 pid;

struct sk_buff {
	char cb[48];
	unsigned int len, data_len;
	__u32 priority, mark;
	__u16 tc_index, queue_mapping, vlan_tci, vlan_proto;
	__s64 tstamp;
} __attribute__((preserve_access_index));

struct qdisc_skb_cb {
	__u16 tc_classid;
	unsigned char data[20];
} __attribute__((preserve_access_index));

SEC("tp_btf/kfree_skb")
int BPF_PROG(see_freed, struct sk_buff *skb)
{
	struct bpf_pidns_info who = { 0 };
	__u32 place = OBSERVE_FREED;
	struct observed *o;

	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &who, sizeof(who)) || who.tgid != pid)
		return 0;
	o = bpf_map_lookup_elem(&observed, &place);
	if (!o)
		return 0;
	o->mark = skb->mark;
	o->priority = skb->priority;
	o->tc_index = skb->tc_index;
	o->queue_mapping = skb->queue_mapping;
	o->tstamp = skb->tstamp;
	o->vlan_tci = skb->vlan_tci;
	o->vlan_proto = skb->vlan_proto;
	o->len = skb->len;
	bpf_probe_read_kernel(&o->tc_classid, sizeof(o->tc_classid),
			      (char *)skb->cb + bpf_core_field_offset(struct qdisc_skb_cb, tc_classid));
	__sync_fetch_and_add(&o->count, 1);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
