/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv4 in IP: a place for tunnel programs; the packet is classified by its outer header. */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_IPIP);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(ipip, run, TCCTL_PARSED_L3)
