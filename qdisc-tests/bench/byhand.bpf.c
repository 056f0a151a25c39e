// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The least that a VXLAN tunnel between two programs can be, as the yardstick: one program at each end, IPv4 only, the header
 * as constants, no table, no counter, no route, no check of who sent it. The path's number I is the filter's
 * classid (1:I): 10.9.I.1 and .2, MAC addresses 02:00:00:01:00:I and 02:00:00:02:00:I.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PORT 4789
#define ROOM (20 + 8 + 8 + ETH_HLEN)
#define ENCAP                                                                                    \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP | \
	 BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH)

/* An Ethernet header, in pieces that are loaded and stored at once. */
struct eth {
	__u32 w[3];
	__u16 type;
};

static __always_inline void eth_copy(struct eth *to, const struct eth *from)
{
	to->w[0] = from->w[0];
	to->w[1] = from->w[1];
	to->w[2] = from->w[2];
	to->type = from->type;
}

/* A classifier that does nothing: what the hooks cost. */
SEC("tc/nothing")
int nothing(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("tc/put")
int put(struct __sk_buff *skb)
{
	__u32 i = skb->tc_classid & 0xff, len, sum, *ip;
	struct eth inner, *eth = (void *)(long)skb->data;

	if ((void *)eth + ETH_HLEN > (void *)(long)skb->data_end || eth->type != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	eth_copy(&inner, eth);
	if (bpf_skb_adjust_room(skb, ROOM, BPF_ADJ_ROOM_MAC, ENCAP))
		return TC_ACT_SHOT;
	eth = (void *)(long)skb->data;
	if ((void *)eth + ETH_HLEN + ROOM > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	eth->w[0] = bpf_htonl(0x02000002);
	eth->w[1] = bpf_htonl(i << 16 | 0x0200);
	eth->w[2] = bpf_htonl(0x00010000 | i);
	eth->type = bpf_htons(ETH_P_IP);
	len = skb->len - ETH_HLEN;
	sum = 0x4500 + len + 0x4000 + (64 << 8 | IPPROTO_UDP) + 2 * (0x0a09 + (i << 8)) + 1 + 2;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip = (void *)eth + ETH_HLEN;
	ip[0] = bpf_htonl(0x45000000 | len);
	ip[1] = bpf_htonl(0x4000);
	ip[2] = bpf_htonl(64 << 24 | IPPROTO_UDP << 16 | (~sum & 0xffff));
	ip[3] = bpf_htonl(0x0a090001 | i << 8);
	ip[4] = bpf_htonl(0x0a090002 | i << 8);
	ip[5] = bpf_htonl(50000U << 16 | PORT);
	ip[6] = bpf_htonl((len - 20) << 16);
	ip[7] = bpf_htonl(0x08000000);
	ip[8] = bpf_htonl(42 << 8);
	eth_copy((void *)(ip + 9), &inner);
	return TC_ACT_UNSPEC;
}

SEC("tc/take")
int take(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	struct eth inner, *eth = data;

	if (data + ETH_HLEN + ROOM > (void *)(long)skb->data_end || eth->type != bpf_htons(ETH_P_IP) ||
	    *(__u8 *)(data + 23) != IPPROTO_UDP || *(__u16 *)(data + 36) != bpf_htons(PORT))
		return TC_ACT_UNSPEC;
	eth_copy(&inner, data + ROOM);
	if (bpf_skb_adjust_room(skb, -ROOM, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		return TC_ACT_SHOT;
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	eth = (void *)(long)skb->data;
	if ((void *)eth + ETH_HLEN > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	eth_copy(eth, &inner);
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
