/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where packets go that were put into a tunnel: to the next hop towards the outer destination, as the routing table says.
 *
 *	inner ip, inner eth   bpf_fib_lookup(); the next hop is resolved: its addresses are written and the frame is sent;
 *	                      it is not: bpf_redirect_neigh(), with which the kernel resolves it
 *	VLAN                  out of this device, like any packet
 *	metadata              to the external device
 *
 * What was found is kept for other packets of the same flow on this CPU, until the kernel's clock ticks (tcctl/hops.h).
 */
#ifndef TCCTL_ROUTE_H
#define TCCTL_ROUTE_H

#include "tcctl/encap.h"
#include "tcctl/hops.h"

#define TCCTL_AF_INET 2
#define TCCTL_AF_INET6 10
#define TCCTL_LOOPBACK 1 /* ifindex of lo in every network namespace */
#define TCCTL_FIB_LOOKUP_MARK (1U << 5) /* since Linux 6.10, in which `mark` is where `tbid` was */

/* One look-up through a device. */
static __always_inline long tcctl_fib(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				      __u32 ifindex, __u32 flags)
{
	long ret;

	s->fib.ifindex = ifindex;
	if (row->mark) {
		s->fib.tbid = row->mark;
		ret = bpf_fib_lookup(skb, &s->fib, sizeof(s->fib), flags | TCCTL_FIB_LOOKUP_MARK);
		if (ret != -22 /* EINVAL: an older kernel */)
			return ret;
		s->fib.tbid = 0;
	}
	return bpf_fib_lookup(skb, &s->fib, sizeof(s->fib), flags);
}

/* The route to the remote has less than the tunnel: for the packets that follow, see encap. */
static __always_inline void tcctl_path_learn(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 mtu = s->fib.tot_len, over = tcctl_outer_overhead(row); /* mtu_result, since 5.12 */
	struct tcctl_tunnel *known = (struct tcctl_tunnel *)row;

	/* before: only that this is too long. Next lower usual MTU, RFC 1191 section 7 */
	if (mtu == tcctl_outer_length(skb, s, row))
		mtu = mtu > 1492 ? 1492 : mtu > 1280 ? 1280 : mtu > 1006 ? 1006 : 576;
	if (mtu <= over || mtu - over >= row->mtu)
		return;
	known->path_mtu = mtu - over;
	known->path_seen = bpf_ktime_get_ns() / 1000000000;
}

/* The next hop of the outer header into s->fib: BPF_FIB_LKUP_RET_*, or negative. */
static __always_inline long tcctl_next_hop(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 w[10], i, v6 = row->family == 6;
	long ret;

	if (v6) {
		if (!tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 10))
			return -1;
	} else {
		if (!tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 5))
			return -1;
	}
	for (i = 0; i < sizeof(s->fib) / 8; i++)
		((__u64 *)&s->fib)[i] = 0;
	if (v6) {
		s->fib.family = TCCTL_AF_INET6;
		s->fib.flowinfo = w[0] & bpf_htonl(0x0fffffff);
		for (i = 0; i < 4; i++) {
			s->fib.ipv6_src[i] = w[2 + i];
			s->fib.ipv6_dst[i] = w[6 + i];
		}
	} else {
		s->fib.family = TCCTL_AF_INET;
		s->fib.tos = bpf_ntohl(w[0]) >> 16 & 0x1c;
		s->fib.ipv4_src = w[3];
		s->fib.ipv4_dst = w[4];
	}
	s->fib.l4_protocol = tcctl_proto(skb);
	if (tcctl_flags(skb) & TCCTL_F_PORTS) {
		s->fib.sport = bpf_htons(tcctl_sport(skb));
		s->fib.dport = bpf_htons(tcctl_dport(skb));
	}
	s->fib.tot_len = tcctl_outer_length(skb, s, row);
	if (row->underlay)
		return tcctl_fib(skb, s, row, row->underlay, BPF_FIB_LOOKUP_OUTPUT);
	ret = tcctl_fib(skb, s, row, skb->ifindex, 0);
	/* As for packets of this host, where those of others are not forwarded: conf.lo.forwarding allows it. */
	if (ret == BPF_FIB_LKUP_RET_FWD_DISABLED)
		ret = tcctl_fib(skb, s, row, TCCTL_LOOPBACK, 0);
	return ret;
}

/*
 * Have the kernel resolve the next hop, through a device; the context ends here. It refuses frames to a group, and
 * the frame may still have the address of an inner one.
 */
static __always_inline int tcctl_send_unresolved(struct __sk_buff *skb, __u32 ifindex,
						 struct bpf_redir_neigh *params, int size)
{
	if (!(cfg.flags & TCCTL_CFG_RAW)) {
		__u16 *mac = (__u16 *)tcctl_data_at(skb, 0);

		if ((__u8 *)mac + 6 <= tcctl_data_end(skb))
			mac[0] = mac[1] = mac[2] = 0;
	}
	tcctl_clear(skb);
	return bpf_redirect_neigh(ifindex, params, size, 0);
}

/* Send a packet with TCCTL_TUNNEL_OUT; the context ends here. */
static __always_inline int tcctl_send(struct __sk_buff *skb, const struct tcctl_tunnel *row)
{
	struct tcctl_encap *s = tcctl_encap_state();
	__u32 ifindex, mark = row->mark;
	struct tcctl_hop *hop;
	long ret;

	if (row->type == TCCTL_T_VLAN)
		return tcctl_pass(skb);
	if (row->type == TCCTL_T_METADATA) {
		/* on its way out there already: once more through this hook would be so for ever */
		if (tcctl_hook(skb) & TCCTL_HOOK_EGRESS && tcctl_field(skb, ifindex) == row->device)
			return tcctl_pass(skb);
		return tcctl_redirect(skb, row->device, 0);
	}
	hop = s ? tcctl_hop(skb, s, row) : NULL;
	if (!hop)
		return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
	if (mark)
		skb->mark = mark;
	if (tcctl_likely(hop->state == TCCTL_HOP_KNOWN)) {
		ifindex = hop->ifindex;
		ret = BPF_FIB_LKUP_RET_SUCCESS;
	} else if (hop->state == TCCTL_HOP_UNTOLD) {
		ifindex = 0;
		ret = BPF_FIB_LKUP_RET_FWD_DISABLED;
	} else {
		ret = tcctl_next_hop(skb, s, row);
		ifindex = s->fib.ifindex;
		if (ret != BPF_FIB_LKUP_RET_FWD_DISABLED && row->underlay && ifindex != row->underlay)
			ret = -1;
		if (tcctl_likely(ret == BPF_FIB_LKUP_RET_SUCCESS))
			tcctl_hop_keep(skb, s, row, hop);
	}
	if (ret == BPF_FIB_LKUP_RET_FWD_DISABLED) {
		tcctl_hop_expect(skb, s, row, hop);
		if (cfg.flags & TCCTL_CFG_RAW && bpf_skb_change_head(skb, 14, 0)) /* see below */
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
		/* Not a router. The kernel looks the route up itself, through the device that led there. */
		return tcctl_send_unresolved(skb, row->way ? row->way : skb->ifindex, NULL, 0);
	}
	if (tcctl_likely(ret == BPF_FIB_LKUP_RET_SUCCESS || ret == BPF_FIB_LKUP_RET_NO_NEIGH)) {
		bool own = tcctl_hook(skb) & TCCTL_HOOK_EGRESS && ifindex == tcctl_field(skb, ifindex);
		__u16 *mac;

		/* bpf_redirect_neigh() wants to take an Ethernet header off, even where there was none. */
		if (cfg.flags & TCCTL_CFG_RAW && bpf_skb_change_head(skb, 14, 0))
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
		mac = (__u16 *)tcctl_data_at(skb, 0);
		if (tcctl_likely(ret == BPF_FIB_LKUP_RET_SUCCESS) && (__u8 *)mac + 14 <= tcctl_data_end(skb)) {
			*(__u32 *)mac = hop->mac[0];
			*(__u32 *)(mac + 2) = hop->mac[1];
			*(__u32 *)(mac + 4) = hop->mac[2];
			if (cfg.flags & TCCTL_CFG_RAW)
				mac[6] = row->family == 6 ? bpf_htons(TCCTL_ETH_IPV6) : bpf_htons(TCCTL_ETH_IPV4);
			else if (own) /* it is on its way out already, and does not meet this hook a second time */
				return tcctl_pass(skb);
			return tcctl_redirect(skb, ifindex, 0);
		}
		for (int i = 0; i < 4; i++)
			s->neigh.ipv6_nh[i] = s->fib.ipv6_dst[i];
		s->neigh.nh_family = s->fib.family;
		return tcctl_send_unresolved(skb, ifindex, &s->neigh, sizeof(s->neigh));
	}
	if (ret == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		tcctl_path_learn(skb, s, row);
	return tcctl_encap_drop(skb, row, ret == BPF_FIB_LKUP_RET_FRAG_NEEDED ? TCCTL_TUN_TX_MTU : TCCTL_TUN_TX_ROUTE);
}

#endif
