/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole pipeline as one SCHED_ACT program: parse, classify, tag, without jump tables, because those cannot mix
 * program types. For filters of other kinds that want its work as their action:
 *
 *	tc filter add dev eth0 ingress matchall action bpf object-file act.bpf.o section action program act
 *
 * `act` is for packets that come in, `act_out` for those that go out: what they differ in is which address rules
 * take for the local one. Both return TC_ACT_PIPE, so that the actions behind them run, or TC_ACT_SHOT for the
 * class `drop`.
 */
#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_CTL
#define TCCTL_WANT_FLOWS
#include "tcctl/classify.h"
#include "tcctl/tag.h"

static __always_inline int run(struct __sk_buff *skb, __u32 hook)
{
	const struct tcctl_ctl *c = bpf_map_lookup_elem(&ctl, (const void *)&tcctl_key[0]);
	__u32 generation = c ? c->generation : 0, reason;
	const struct tcctl_class_row *row;
	struct tcctl_parse p = {};
	struct tcctl_hit hit;
	arena_t arena;

	reason = tcctl_parse(skb, TCCTL_PARSED_L4, &p);
	if (reason) {
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
		if (reason != TCCTL_R_TRUNC_L4 && reason != TCCTL_R_EXT_DEPTH)
			return TC_ACT_PIPE;
	}
	arena = tcctl_arena(generation);
	reason = arena ? tcctl_classify(skb, &p, hook, arena, &hit) : TCCTL_R_NO_RULES;
	if (reason) {
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
		return TC_ACT_PIPE;
	}
	tcctl_count_id(skb, hit.counter);
	if (hit.flags & TCCTL_HIT_DROP) {
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_RULE_DROP);
		return cfg.flags & TCCTL_CFG_OBSERVE ? TC_ACT_PIPE : TC_ACT_SHOT;
	}
	if (hit.class == TCCTL_CLASS_KEEP || cfg.flags & TCCTL_CFG_OBSERVE)
		return TC_ACT_PIPE;
	row = tcctl_class_row(generation, hit.class);
	if (row)
		tcctl_tag(skb, row, p.flags, p.l3);
	return TC_ACT_PIPE;
}

SEC("action")
int act(struct __sk_buff *skb)
{
	return run(skb, 0);
}

SEC("action")
int act_out(struct __sk_buff *skb)
{
	return run(skb, TCCTL_HOOK_EGRESS | TCCTL_HOOK_SRC_LOCAL);
}
