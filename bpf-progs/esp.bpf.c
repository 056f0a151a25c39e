/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of ESP: everything behind it is encrypted. */
#include "tcctl/l4.h"

SEC("tc")
int esp(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_ESP);
	return tcctl_handled(skb);
}
