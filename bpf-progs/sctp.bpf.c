/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of SCTP: ports. */
#include "tcctl/l4.h"

SEC("tc")
int sctp(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_SCTP);
	tcctl_l4_ports(skb);
	return tcctl_handled(skb);
}
