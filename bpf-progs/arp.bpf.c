/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of ARP: nothing to parse; stages see the packet without an IP header. */
#include "tcctl/l3.h"

SEC("tc")
int arp(struct __sk_buff *skb)
{
	tcctl_l3_begin(skb, TCCTL_L3_ARP);
	return tcctl_handled(skb);
}
