/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of TCP: ports. */
#include "tcctl/l4.h"

SEC("tc")
int tcp(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_TCP);
	tcctl_l4_ports(skb);
	return tcctl_handled(skb);
}
