/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of UDP: ports, then the handler of the destination port if there is one. An empty slot of a well-known
 * port is the ordinary case (nobody asked for that tunnel): counted, and on to the stages.
 */
#define TCCTL_WANT_JT_UDP
#include "tcctl/l4.h"

#define UDP_CASE(port, slot_)                    \
	case port:                               \
		tcctl_jump(skb, jt_udp, slot_);  \
		slot = slot_;                    \
		break

/* Ports of the configuration. Constants at load time: what is not used is not even verified. */
#define UDP_USER(i)                                                                    \
	do {                                                                           \
		if ((cfg.udp_used & 1U << (i)) && dport == cfg.udp_port[i]) {          \
			tcctl_jump(skb, jt_udp, TCCTL_UDP_USER + (i));                 \
			slot = TCCTL_UDP_USER + (i);                                   \
			goto empty;                                                    \
		}                                                                      \
	} while (0)

static __always_inline int run(struct __sk_buff *skb)
{
	__u32 dport, slot;

	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_UDP);
	if (tcctl_unlikely(!tcctl_l4_ports(skb)))
		return tcctl_lost_l4(skb);
	dport = tcctl_dport(skb);
	if (cfg.udp_used) {
		UDP_USER(0);
		UDP_USER(1);
		UDP_USER(2);
		UDP_USER(3);
		UDP_USER(4);
		UDP_USER(5);
		UDP_USER(6);
		UDP_USER(7);
	}
	switch (dport) {
		UDP_CASE(4789, TCCTL_UDP_VXLAN);
		UDP_CASE(6081, TCCTL_UDP_GENEVE);
		UDP_CASE(2152, TCCTL_UDP_GTPU);
		UDP_CASE(6635, TCCTL_UDP_MPLS);
		UDP_CASE(5555, TCCTL_UDP_FOU);
		UDP_CASE(6080, TCCTL_UDP_GUE);
	default:
		return tcctl_handled(skb);
	}
empty:
	return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_UDP + slot);
}

TCCTL_PROGRAM(udp, run, TCCTL_PARSED_L3)
