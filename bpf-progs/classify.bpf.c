/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage: finds the packet's rule, counts it, sets the class. The class `drop` acts at once. Here is the flow cache;
 * what it does not know goes on to walk.
 */
#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_FLOWS
#include "tcctl/known.h"

SEC("tc")
int classify(struct __sk_buff *skb)
{
	const struct tcctl_flow *known;
	struct tcctl_parse p = {};
	struct tcctl_hit hit;
	arena_t arena;
	int reason;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_CLASSIFY);
	known = tcctl_known(skb);
	if (tcctl_likely(known)) {
		tcctl_flow_hit(known, &hit);
		return tcctl_classified(skb, hit.flags & TCCTL_HIT_MATCH ? TCCTL_R_NONE : TCCTL_R_NO_MATCH, &hit);
	}
	arena = tcctl_arena(tcctl_generation(skb));
	reason = TCCTL_R_NO_RULES;
	if (tcctl_likely(arena)) {
		p.l3 = tcctl_l3(skb);
		p.l4 = tcctl_l4(skb);
		p.flags = tcctl_flags(skb);
		p.proto = tcctl_proto(skb);
		p.tci = tcctl_vlan_tci(skb);
		p.ports = tcctl_cb(skb, TCCTL_CB_PORTS);
		reason = tcctl_classify(skb, &p, tcctl_hook(skb), arena, &hit);
	}
	return tcctl_classified(skb, reason, &hit);
}
