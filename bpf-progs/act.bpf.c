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

/*
 * One run of the walk through the rules, as reason 7..0 | TCCTL_HIT_* 15..8 | class 31..16 | counter 63..32.
 *
 * A global function: it is verified once, by itself, and not once for each of its calls. The programs of a pipeline
 * jump instead, because not every JIT has such calls, and not beside tail calls; but a jump table of this program
 * type is one that nobody would fill.
 */
__attribute__((noinline)) __u64 act_walk(__u32 generation)
{
	arena_t arena = tcctl_arena(generation);
	struct tcctl_hit hit = {};
	__u64 reason;

	if (!arena)
		return TCCTL_R_NO_RULES;
	reason = tcctl_walk(arena, &hit);
	return reason | hit.flags << 8 | hit.class << 16 | hit.counter << 32;
}

static __always_inline __u32 again(__u32 generation, __u32 reason, struct tcctl_hit *hit)
{
	__u64 answer;

	if (reason != TCCTL_WALK)
		return reason;
	answer = act_walk(generation);
	hit->flags = answer >> 8 & 0xff;
	hit->class = answer >> 16 & 0xffff;
	hit->counter = answer >> 32;
	return answer & 0xff;
}

static __always_inline int run(struct __sk_buff *skb, __u32 hook)
{
	const struct tcctl_ctl *c = bpf_map_lookup_elem(&ctl, (const void *)&tcctl_key[0]);
	__u32 generation = c ? c->generation : 0, reason;
	const struct tcctl_class_row *row;
	struct tcctl_parse p = {};
	struct tcctl_hit hit = {};
	arena_t arena;

	reason = tcctl_parse(skb, TCCTL_PARSED_L4, &p);
	if (reason) {
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
		if (reason != TCCTL_R_TRUNC_L4 && reason != TCCTL_R_EXT_DEPTH)
			return TC_ACT_PIPE;
	}
	/* one state for the verifier, whichever way the parser went */
	tcctl_parse_forget(skb, &p);
	p.ports = tcctl_forget(skb, p.ports);
	arena = tcctl_arena(generation);
	reason = arena ? tcctl_classify(skb, &p, hook, arena, &hit) : TCCTL_R_NO_RULES;
	ARENA_UNROLL
	for (int i = 0; i < TCCTL_WALK_RUNS; i++)
		reason = again(generation, reason, &hit);
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
