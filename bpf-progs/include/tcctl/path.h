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

/* Is a packet of this protocol and port one that tunnels of this pipeline send? */
static __always_inline bool tcctl_path_is_ours(__u32 proto, __u32 dport)
{
	const __u32 types = cfg.decap | cfg.encap;

#define HAS(type) (types & 1U << (type))
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
		if (cfg.udp_used & 1U << i && cfg.udp_port[i] == dport)
			return true;
	return (HAS(TCCTL_T_VXLAN) && dport == 4789) || (HAS(TCCTL_T_GENEVE) && dport == 6081) ||
	       (HAS(TCCTL_T_GTPU) && dport == 2152) || (HAS(TCCTL_T_MPLS_UDP) && dport == 6635) ||
	       (HAS(TCCTL_T_FOU) && dport == 5555) || (HAS(TCCTL_T_GUE) && dport == 6080);
#undef HAS
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
	__u32 at = tcctl_l4(skb) + 8, w[6], dst[1];

	if (tcctl_icmp_type(skb) != 3 || tcctl_icmp_code(skb) != 4 || tcctl_flags(skb) & TCCTL_F_FRAG ||
	    !tcctl_read_slow(skb, at, w, 6) || !tcctl_read_slow(skb, tcctl_l3(skb) + 16, dst, 1))
		return;
	if (bpf_ntohl(w[0]) >> 24 != 0x45 || w[3] != dst[0] ||
	    !tcctl_path_is_ours(bpf_ntohl(w[2]) >> 16 & 0xff, bpf_ntohl(w[5]) & 0xffff))
		return;
	tcctl_path_put(skb, at + 8, bpf_ntohl(w[2]) >> 16, (bpf_ntohl(w[2]) >> 16 & 0xff00) | TCCTL_IP_ICMP);
	tcctl_path_put(skb, at + 20, bpf_ntohl(w[5]) >> 16, bpf_ntohl(w[5]) >> 16 & 0xff); /* type: echo reply */
}

/* An ICMPv6 message with type and code in the context. */
static __always_inline void tcctl_path_hear6(struct __sk_buff *skb)
{
	__u32 at = tcctl_l4(skb) + 8, w[10], ports[1], dst[4];

	if (tcctl_icmp_type(skb) != 2 || tcctl_flags(skb) & TCCTL_F_FRAG || !tcctl_read_slow(skb, at, w, 10) ||
	    !tcctl_read_slow(skb, at + 40, ports, 1) ||
	    !tcctl_read_slow(skb, tcctl_l3(skb) + 24, dst, 4))
		return;
	if (bpf_ntohl(w[0]) >> 28 != 6 || w[2] != dst[0] || w[3] != dst[1] || w[4] != dst[2] || w[5] != dst[3] ||
	    !tcctl_path_is_ours(bpf_ntohl(w[1]) >> 8 & 0xff, bpf_ntohl(ports[0]) & 0xffff))
		return;
	tcctl_path_put(skb, at + 6, bpf_ntohl(w[1]) & 0xffff, (bpf_ntohl(w[1]) & 0xff) | TCCTL_IP_ICMPV6 << 8);
}

#endif
