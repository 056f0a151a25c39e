/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of protocol 1: type and code. Over IPv6 it means nothing. */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_ICMP);
	if (tcctl_flags(skb) & TCCTL_F_IPV4)
		tcctl_l4_icmp(skb);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(icmp, run, TCCTL_PARSED_L3)
