/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Last stage: clears the context and gives the configured verdict. */
#include "tcctl/handler.h"

SEC("tc")
int end(struct __sk_buff *skb)
{
	tcctl_stage_begin_of(skb, TCCTL_STAGE_END);
	return tcctl_pass(skb);
}
