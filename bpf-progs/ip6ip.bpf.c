/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv6 in IP: a place for tunnel programs; the packet is classified by its outer header. */
#include "tcctl/l4.h"

SEC("tc")
int ip6ip(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_IPV6);
	return tcctl_handled(skb);
}
