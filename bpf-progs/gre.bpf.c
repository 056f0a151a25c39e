/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of GRE: a place for tunnel programs; the packet is classified by its outer header. */
#include "tcctl/l4.h"

SEC("tc")
int gre(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_GRE);
	return tcctl_handled(skb);
}
