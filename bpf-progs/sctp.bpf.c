/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of SCTP: ports. */
#include "tcctl/l4.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_SCTP);
	if (tcctl_unlikely(!tcctl_l4_ports(skb)))
		return tcctl_lost_l4(skb);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(sctp, run, TCCTL_PARSED_L3)
