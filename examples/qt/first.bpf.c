// SPDX-License-Identifier: GPL-2.0-only
/* A tc program to try qt on: SSH gets DSCP CS6 and a mark, everything else passes as it is. IPv4 without options. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define CS6 48

SEC("tc")
int ssh_first(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	__u8 tos;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != 6)
		return TC_ACT_UNSPEC;
	if (tcp->dest != bpf_htons(22))
		return TC_ACT_UNSPEC;
	tos = CS6 << 2 | (ip->tos & 3);
	bpf_l3_csum_replace(skb, sizeof(*eth) + 10, bpf_htons(ip->tos), bpf_htons(tos), 2);
	bpf_skb_store_bytes(skb, sizeof(*eth) + 1, &tos, 1, 0);
	skb->mark = 0x22;
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
