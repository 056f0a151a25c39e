/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The end of a decapsulated packet's way: into the tunnel's device, or on through this one. */
#ifndef TCCTL_DELIVER_H
#define TCCTL_DELIVER_H

#include "tcctl/half.h"

/* The row of the packet's tunnel, or NULL. */
static __always_inline const struct tcctl_tunnel *tcctl_tunnel_row(struct __sk_buff *skb)
{
	__u64 id = TCCTL_KEY(tcctl_tunnel(skb) & TCCTL_TUNNEL_ID);
	void *rows = tcctl_half(skb, tunnels);

	return rows ? bpf_map_lookup_elem(rows, &id) : NULL;
}

/* An Ethernet header in front of an IP packet that came without, for the tunnel's device. */
static __always_inline bool tcctl_add_eth(struct __sk_buff *skb)
{
	__u16 type = tcctl_flags(skb) & TCCTL_F_IPV4 ? bpf_htons(TCCTL_ETH_IPV4) : bpf_htons(TCCTL_ETH_IPV6);
	__u8 *eth;

	if (bpf_skb_change_head(skb, 14, 0))
		return false;
	eth = tcctl_data_at(skb, 0);
	if (eth + 14 > tcctl_data_end(skb))
		return false;
	*(__u16 *)(eth + 12) = type;
	return true;
}

/*
 * May the stack take an Ethernet frame that came out of a tunnel just as it is? It looks at what it found out about the outer
 * frame: that it was for this device, which tcctl_decap_eth() keeps true, and of which family.
 */
static __always_inline bool tcctl_is_for_stack(struct __sk_buff *skb)
{
	__u32 protocol = tcctl_flags(skb) & TCCTL_F_IPV4 ? bpf_htons(TCCTL_ETH_IPV4) : bpf_htons(TCCTL_ETH_IPV6);

	return !(cfg.flags & TCCTL_CFG_RAW) && tcctl_flags(skb) & (TCCTL_F_IPV4 | TCCTL_F_IPV6) && tcctl_l3(skb) == 14 &&
	       tcctl_field(skb, pkt_type) == TCCTL_PACKET_HOST && tcctl_field(skb, protocol) == protocol;
}

/*
 * Datagrams that were sent in one piece (UDP_SEGMENT) through a UDP tunnel, on this same host. skb->encapsulation and the bit of the
 * UDP tunnel in gso_type stay set after decapsulation where bpf_skb_adjust_room() has no flag to clear them. With both,
 * udp4_ufo_fragment() and udp6_ufo_fragment() cut the packet as one in a tunnel, by offsets of the header that is gone, and
 * fail: in validate_xmit_skb() of every device it is forwarded to, for it is from an untrusted source (SKB_GSO_DODGY), and before a
 * socket without UDP_GRO. No other helper touches the two, and TCP does not look at them.
 */
static __always_inline bool tcctl_is_uncut(struct __sk_buff *skb, const struct tcctl_tunnel *row)
{
	return tcctl_unlikely(tcctl_field(skb, gso_size)) && !(cfg.flags & TCCTL_CFG_CLEAR_GSO) && tcctl_proto(skb) == TCCTL_IP_UDP &&
	       tcctl_tunnel_is_udp(row->type);
}

/*
 * A decapsulated packet. IP in a device with Ethernet headers gets the device's address as destination: that is what makes the
 * device take it for its own.
 *
 * An Ethernet frame without a device of its tunnel's goes on to the stack when it is IP for the same address as the outer frame.
 * Any other comes in once more through the device it came from, which finds out anew whom it is for and what is in it; it
 * passes that hook again as what it is now. That ends: each time it is shorter by an outer header, and the kernel queues it in
 * between.
 */
static __always_inline int tcctl_deliver(struct __sk_buff *skb, const struct tcctl_tunnel *row)
{
	__u32 device = row->device;

	if (tcctl_is_uncut(skb, row))
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TUNNEL_UNCUT);
	if (row->type == TCCTL_T_METADATA) /* that is where it came from */
		return tcctl_pass(skb);
	if (!device) {
		if (row->type != TCCTL_T_VLAN && row->flags & TCCTL_TF_INNER_ETH && !(tcctl_hook(skb) & TCCTL_HOOK_EGRESS) &&
		    !tcctl_is_for_stack(skb))
			return tcctl_redirect(skb, tcctl_field(skb, ifindex), BPF_F_INGRESS);
		return tcctl_pass(skb);
	}
	if (!(row->flags & TCCTL_TF_INNER_ETH) && row->type != TCCTL_T_VLAN) {
		const __u16 *mac = (const __u16 *)row->mac;
		__u16 *eth;

		if (mac[0] | mac[1] | mac[2]) {
			if (tcctl_unlikely(!(tcctl_flags(skb) & TCCTL_F_L2)) && !tcctl_add_eth(skb)) {
				tcctl_clear(skb);
				return TC_ACT_SHOT;
			}
			eth = (void *)tcctl_data_at(skb, 0);
			if (tcctl_likely((__u8 *)eth + 14 <= tcctl_data_end(skb))) {
				eth[0] = mac[0];
				eth[1] = mac[1];
				eth[2] = mac[2];
			}
		}
	}
	return tcctl_redirect(skb, device, BPF_F_INGRESS);
}

#endif
