/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of every other IP protocol: counts it. In a pipeline also of those that have a program of their own for stock tc, or only for
 * decapsulation, so that one program is enough for all that is only counted.
 */
#include "tcctl/l4.h"

/* A branch for each that leaves a constant: of anything else compilers make a variable offset. */
#define CASE(protocol, slot)                                   \
	case protocol:                                         \
		key = &tcctl_key[TCCTL_CNT_L4 + (slot)];       \
		asm volatile("" : "+r"(key));                  \
		break

static __always_inline int run(struct __sk_buff *skb)
{
	const volatile __u32 *key = &tcctl_key[TCCTL_CNT_L4 + TCCTL_L4_OTHER];

#ifdef TCCTL_PIPELINE
	switch (tcctl_proto(skb)) {
		CASE(TCCTL_IP_GRE, TCCTL_L4_GRE);
		CASE(TCCTL_IP_IPIP, TCCTL_L4_IPIP);
		CASE(TCCTL_IP_IPV6, TCCTL_L4_IPV6);
		CASE(TCCTL_IP_ESP, TCCTL_L4_ESP);
		CASE(TCCTL_IP_AH, TCCTL_L4_AH);
	}
#endif
	tcctl_count_key(skb, key);
	return tcctl_handled(skb);
}

TCCTL_PROGRAM(other_l4, run, TCCTL_PARSED_L3)
