/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Path MTU of the underlay, learned from "fragmentation needed" and "packet too big" about outer packets of ours.
 *
 * The kernel makes an exception of its route for such a message when a protocol's error handler asks for it, and those of UDP, GRE and
 * IP in IP want a socket or a device of theirs, which a tunnel without a kernel's device does not have. The one of ICMP
 * asks for nothing: about an echo reply of this host, and over IPv6 about any ICMPv6 packet, the exception is made. So the quoted
 * packet becomes one. The kernel keeps and ages the exception as any other (`ip route get REMOTE`; net.ipv4.route.mtu_expires and
 * min_pmtu; 1280 over IPv6), nobody can forge more than without us, and bpf_fib_lookup() tells the new MTU.
 */
#ifndef TCCTL_PATH_H
#define TCCTL_PATH_H

#include "tcctl/handler.h"
#include "tcctl/tunnel.h"

/* Is a packet of this protocol and port one that comes out of tunnels of this pipeline, at their other end? */
static __always_inline bool tcctl_path_is_ours(__u32 proto, __u32 dport)
{
#define HAS(type) (cfg.decap & 1U << (type))
#define PORT(number, slot) ((cfg.udp_tunnels & 1U << (slot)) && dport == (number))
	switch (proto) {
	case TCCTL_IP_IPIP:
	case TCCTL_IP_IPV6:
		return HAS(TCCTL_T_IPIP);
	case TCCTL_IP_GRE:
		return HAS(TCCTL_T_GRE) || HAS(TCCTL_T_MPLS_GRE);
	case TCCTL_IP_UDP:
		break;
	default:
		return false;
	}
	for (int i = 0; i < 8; i++)
		if (PORT(cfg.udp_port[i], TCCTL_UDP_USER + i))
			return true;
	return PORT(4789, TCCTL_UDP_VXLAN) || PORT(6081, TCCTL_UDP_GENEVE) || PORT(2152, TCCTL_UDP_GTPU) ||
	       PORT(6635, TCCTL_UDP_MPLS) || PORT(5555, TCCTL_UDP_FOU) || PORT(6080, TCCTL_UDP_GUE);
#undef PORT
#undef HAS
}

/*
 * Does the message end here? Those about packets of others are theirs, unchanged. A host that does not forward is not told, and
 * gets none of others.
 */
static __always_inline bool tcctl_path_is_mine(struct __sk_buff *skb, const __u32 *src, const __u32 *dst, bool v6)
{
	struct bpf_fib_lookup fib = { .family = v6 ? 10 : 2 }; /* AF_INET6, AF_INET */
	long ret;

	fib.ifindex = skb->ifindex;
	for (int i = 0; i < (v6 ? 4 : 1); i++) {
		fib.ipv6_src[i] = src[i];
		fib.ipv6_dst[i] = dst[i];
	}
	ret = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	return ret == BPF_FIB_LKUP_RET_NOT_FWDED || ret == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

/* Two bytes at `at` change, and the ICMP checksum with them. */
static __always_inline void tcctl_path_put(struct __sk_buff *skb, __u32 at, __u32 old, __u32 new)
{
	__u16 bytes TCCTL_BUFFER = bpf_htons(new);

	if (!bpf_l4_csum_replace(skb, tcctl_l4(skb) + 2, bpf_htons(old), bytes, 2))
		bpf_skb_store_bytes(skb, at, &bytes, 2, 0);
}

/* An ICMP message with type and code in the context. */
static __always_inline void tcctl_path_hear(struct __sk_buff *skb)
{
	__u32 at = tcctl_l4(skb) + 8, w[6], ends[2];

	if (tcctl_icmp_type(skb) != 3 || tcctl_icmp_code(skb) != 4 || tcctl_flags(skb) & TCCTL_F_FRAG ||
	    tcctl_hook(skb) & TCCTL_HOOK_EGRESS || !tcctl_read_slow(skb, at, w, 6) ||
	    !tcctl_read_slow(skb, tcctl_l3(skb) + 12, ends, 2))
		return;
	if (bpf_ntohl(w[0]) >> 24 != 0x45 || w[3] != ends[1] ||
	    !tcctl_path_is_ours(bpf_ntohl(w[2]) >> 16 & 0xff, bpf_ntohl(w[5]) & 0xffff) ||
	    !tcctl_path_is_mine(skb, ends, ends + 1, false))
		return;
	tcctl_path_put(skb, at + 8, bpf_ntohl(w[2]) >> 16, (bpf_ntohl(w[2]) >> 16 & 0xff00) | TCCTL_IP_ICMP);
	tcctl_path_put(skb, at + 20, bpf_ntohl(w[5]) >> 16, bpf_ntohl(w[5]) >> 16 & 0xff); /* type: echo reply */
}

/* An ICMPv6 message with type and code in the context. */
static __always_inline void tcctl_path_hear6(struct __sk_buff *skb)
{
	__u32 at = tcctl_l4(skb) + 8, w[10], ports[1], ends[8];

	if (tcctl_icmp_type(skb) != 2 || tcctl_flags(skb) & TCCTL_F_FRAG || tcctl_hook(skb) & TCCTL_HOOK_EGRESS ||
	    !tcctl_read_slow(skb, at, w, 10) || !tcctl_read_slow(skb, at + 40, ports, 1) ||
	    !tcctl_read_slow(skb, tcctl_l3(skb) + 8, ends, 8))
		return;
	if (bpf_ntohl(w[0]) >> 28 != 6 || w[2] != ends[4] || w[3] != ends[5] || w[4] != ends[6] || w[5] != ends[7] ||
	    !tcctl_path_is_ours(bpf_ntohl(w[1]) >> 8 & 0xff, bpf_ntohl(ports[0]) & 0xffff) ||
	    !tcctl_path_is_mine(skb, ends, ends + 4, true))
		return;
	tcctl_path_put(skb, at + 6, bpf_ntohl(w[1]) & 0xffff, (bpf_ntohl(w[1]) & 0xff) | TCCTL_IP_ICMPV6 << 8);
}

#endif
