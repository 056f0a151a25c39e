// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One program, as a user of qt would bring it: writes every skb field, the DSCP, and drops port 9. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

SEC("tc")
int tag(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	__u64 *n;
	__u32 zero = 0;
	__u8 tos;
	__u16 old, new;

	n = bpf_map_lookup_elem(&packets, &zero);
	if (n)
		++*n;
	if ((void *)(udp + 1) > end || ip->protocol != 17)
		return TC_ACT_UNSPEC;
	if (udp->dest == bpf_htons(9))
		return TC_ACT_SHOT;
	tos = (ip->tos & 3) | 46 << 2;
	old = ip->tos;
	new = tos;
	bpf_l3_csum_replace(skb, sizeof(struct ethhdr) + 10, bpf_htons(old), bpf_htons(new), 2);
	bpf_skb_store_bytes(skb, sizeof(struct ethhdr) + 1, &tos, 1, 0);
	skb->mark = (skb->mark & 0xff) | 0x1000;
	skb->priority = 0x10010;
	skb->tc_index = 7;
	skb->queue_mapping = 3;
	skb->tc_classid = 0x42;
	skb->cb[0] = 0xabc;
	skb->cb[4] = skb->cb[0] + 1;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
