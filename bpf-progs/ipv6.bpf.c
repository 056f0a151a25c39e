/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv6: header checks, extension headers, fragments, then the handler by upper-layer protocol. */
#include "tcctl/l3.h"

static __always_inline int run(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	tcctl_count(skb, TCCTL_CNT_L3 + TCCTL_L3_IPV6);
	p.l3 = tcctl_l3(skb);
	reason = tcctl_parse_ipv6(skb, &p);
	if (tcctl_unlikely(reason == TCCTL_R_TRUNC_L4 || reason == TCCTL_R_EXT_DEPTH))
		return tcctl_without_l4(skb, &p, reason);
	if (tcctl_unlikely(reason))
		return tcctl_pass_reason(skb, reason);
	return tcctl_dispatch_l4(skb, &p);
}

TCCTL_PROGRAM(ipv6, run, TCCTL_PARSED_L2)
