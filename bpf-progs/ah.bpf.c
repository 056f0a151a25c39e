/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of AH over IPv4. Over IPv6 it is an extension header, which the IPv6 handler walks over. */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_AH);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(ah, run, TCCTL_PARSED_L3)
