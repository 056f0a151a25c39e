/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of AH over IPv4. Over IPv6 it is an extension header, which the IPv6 handler walks over. */
#include "tcctl/l4.h"

SEC("tc")
int ah(struct __sk_buff *skb)
{
	tcctl_l4_begin(skb, TCCTL_L4_AH);
	return tcctl_handled(skb);
}
