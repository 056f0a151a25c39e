/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of protocols without a handler of their own, and of IPv6 "no next header". */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_OTHER);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(other_l4, run, TCCTL_PARSED_L3)
