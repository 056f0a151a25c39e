/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole pipeline as one SCHED_ACT program, for `tc … action bpf object-file act.bpf.o section action`: parse,
 * classify, tag, without jump tables, because those cannot mix program types. Returns TC_ACT_PIPE, so that
 * the actions after it run, or TC_ACT_SHOT for the class `drop`.
 */
#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_CTL
#include "tcctl/handler.h"
#include "tcctl/arena.h"
#include "tcctl/tag.h"

SEC("action")
int act(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	reason = tcctl_parse(skb, TCCTL_PARSED_L4, &p);
	if (reason)
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
	return TC_ACT_PIPE;
}
