/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts what other programs seldom meet, in their place: see tcctl_count_rare(). Which counter, and where the packet goes then, is in
 * the context.
 */
#include "tcctl/handler.h"

SEC("tc")
int count(struct __sk_buff *skb)
{
	__u32 what = tcctl_class(skb);

	if (tcctl_is_alone(skb)) { /* nobody asked for anything */
		tcctl_alone(skb, TCCTL_PARSED_NOTHING);
		return tcctl_pass(skb);
	}
	tcctl_set_class(skb, TCCTL_CLASS_KEEP);
	tcctl_count(skb, what & ~TCCTL_COUNT_HANDLED);
	return what & TCCTL_COUNT_HANDLED ? tcctl_handled(skb) : tcctl_pass(skb);
}
