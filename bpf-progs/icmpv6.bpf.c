/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of protocol 58: type and code. Over IPv4 it means nothing. */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_ICMPV6);
	if (tcctl_flags(skb) & TCCTL_F_IPV6 && tcctl_unlikely(!tcctl_l4_icmp(skb)))
		return tcctl_lost_l4(skb);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(icmpv6, run, TCCTL_PARSED_L3)
