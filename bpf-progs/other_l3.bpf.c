/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of EtherTypes without a handler of their own: nothing to parse; stages see the packet without an IP header. */
#include "tcctl/l3.h"

SEC("tc")
int other_l3(struct __sk_buff *skb)
{
	tcctl_l3_begin(skb, TCCTL_L3_OTHER);
	return tcctl_handled(skb);
}
