/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the entries share: from an EtherType to a slot of jt_l3. */
#ifndef TCCTL_ENTRY_H
#define TCCTL_ENTRY_H

#define TCCTL_WANT_JT_L3
#include "tcctl/handler.h"

/* One constant slot per kind: a jump with a variable index costs five times as much. */
static __always_inline int tcctl_dispatch_l3(struct __sk_buff *skb, __u32 ethertype)
{
	__u32 slot;

	switch (ethertype) {
	case TCCTL_ETH_IPV4:
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV4);
		slot = TCCTL_L3_IPV4;
		break;
	case TCCTL_ETH_IPV6:
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV6);
		slot = TCCTL_L3_IPV6;
		break;
	case TCCTL_ETH_ARP:
		tcctl_jump(skb, jt_l3, TCCTL_L3_ARP);
		slot = TCCTL_L3_ARP;
		break;
	case TCCTL_ETH_MPLS_UC:
	case TCCTL_ETH_MPLS_MC:
		tcctl_jump(skb, jt_l3, TCCTL_L3_MPLS);
		slot = TCCTL_L3_MPLS;
		break;
	case TCCTL_ETH_PPPOE:
		tcctl_jump(skb, jt_l3, TCCTL_L3_PPPOE);
		slot = TCCTL_L3_PPPOE;
		break;
	default:
		tcctl_jump(skb, jt_l3, TCCTL_L3_OTHER);
		slot = TCCTL_L3_OTHER;
	}
	return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_L3 + slot);
}

#endif
