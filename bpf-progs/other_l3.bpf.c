/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of EtherTypes without a handler of their own: nothing to parse; stages see the packet without an IP header. */
#include "tcctl/l3.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L3 + TCCTL_L3_OTHER);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(other_l3, run, TCCTL_PARSED_L2)
