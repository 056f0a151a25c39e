/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of protocol 1: type and code. Over IPv6 it means nothing. In a pipeline also of protocol 58, likewise. */
#include "tcctl/l4.h"
#include "tcctl/path.h"

static __always_inline int run(struct __sk_buff *skb)
{
	const volatile __u32 *key = &tcctl_key[TCCTL_CNT_L4 + TCCTL_L4_ICMP];
	__u64 family = TCCTL_F_IPV4;

#ifdef TCCTL_PIPELINE
	if (tcctl_proto(skb) == TCCTL_IP_ICMPV6) {
		key = &tcctl_key[TCCTL_CNT_L4 + TCCTL_L4_ICMPV6];
		family = TCCTL_F_IPV6;
		asm volatile("" : "+r"(key));
	}
#endif
	tcctl_count_key(skb, key);
	if (tcctl_flags(skb) & family && tcctl_unlikely(!tcctl_l4_icmp(skb)))
		return tcctl_lost_l4(skb);
#ifdef TCCTL_PIPELINE
	if (cfg.decap && !(cfg.flags & TCCTL_CFG_OBSERVE) && tcctl_flags(skb) & TCCTL_F_ICMP) {
		if (tcctl_flags(skb) & TCCTL_F_IPV4)
			tcctl_path_hear(skb);
		else
			tcctl_path_hear6(skb);
	}
#endif
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(icmp, run, TCCTL_PARSED_L3)
