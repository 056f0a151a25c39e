// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Gives the program under test another packet on each run: copies the next prepared L3/L4 header over the
 * packet's, then jumps. Its own cost is measured with `noop` behind it and subtracted, so it counts for
 * none of the programs that are compared.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define HEADER 64 /* bytes after the Ethernet header that change */
#define ETH_HLEN 14

struct header {
	__u64 w[HEADER / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* a power of two, set by the loader */
	__type(key, __u32);
	__type(value, struct header);
} headers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* Set by the loader, in this order. */
const volatile struct {
	__u32 mask;    /* number of headers - 1 */
	__u32 classid; /* what a clsact filter presets: the hook id */
} constants;
__u32 next;

SEC("tc")
int driver(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 i = next++ & constants.mask;
	const struct header *h = bpf_map_lookup_elem(&headers, &i);
	__u64 *to = data + ETH_HLEN;

	if (!h || data + ETH_HLEN + HEADER > end)
		return TC_ACT_SHOT;
	for (int k = 0; k < HEADER / 8; k++)
		to[k] = h->w[k];
	skb->tc_classid = constants.classid;
	bpf_tail_call(skb, &target, 0);
	return TC_ACT_SHOT;
}

SEC("tc")
int noop(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
