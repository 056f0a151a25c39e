/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of PPPoE session frames: on to the IPv4 or IPv6 handler with the offset moved. Anything else inside
 * (LCP, IPCP, …) goes to the stages without an IP header. */
#define TCCTL_WANT_JT_L3
#include "tcctl/l3.h"

static __always_inline int run(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	tcctl_count(skb, TCCTL_CNT_L3 + TCCTL_L3_PPPOE);
	p.l3 = tcctl_l3(skb);
	reason = tcctl_parse_pppoe(skb, &p);
	if (reason)
		return tcctl_pass_reason(skb, reason);
	tcctl_set_offsets(skb, p.l3, 0);
	if (p.ethertype == TCCTL_ETH_IPV4) {
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV4);
		return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_L3 + TCCTL_L3_IPV4);
	}
	if (p.ethertype == TCCTL_ETH_IPV6) {
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV6);
		return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_L3 + TCCTL_L3_IPV6);
	}
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(pppoe, run, TCCTL_PARSED_L2)
