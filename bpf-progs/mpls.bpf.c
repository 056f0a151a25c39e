/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of MPLS: checks the label stack. What is inside is known to the label's owner only, so stages see the
 * packet without an IP header. A stack without an end is passed on unclassified.
 */
#include "tcctl/l3.h"

static __always_inline int run(struct __sk_buff *skb)
{
	__u32 l3;

	tcctl_count(skb, TCCTL_CNT_L3 + TCCTL_L3_MPLS);
	l3 = tcctl_l3(skb);
#pragma clang loop unroll(full)
	for (int i = 0; i < TCCTL_MPLS_MAX; i++) {
		__u32 label;

		if (!tcctl_read_slow(skb, l3 + 4 * i, &label, 1))
			return tcctl_pass_reason(skb, TCCTL_R_TRUNC_L3);
		if (bpf_ntohl(label) & 0x100) /* bottom of stack */
			return tcctl_handled(skb);
	}
	return tcctl_pass_reason(skb, TCCTL_R_TRUNC_L3);
}

TCCTL_PROGRAM(mpls, run, TCCTL_PARSED_L2)
