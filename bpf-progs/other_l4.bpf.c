/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of protocols without a handler of their own, and of IPv6 "no next header". */
#include "tcctl/l4.h"

SEC("tc")
int other_l4(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_OTHER);
	return tcctl_handled(skb);
}
