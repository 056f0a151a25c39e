/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The part of classify that looks a packet up in the rules: one run reads ARENA_RUN lines, and the program jumps to
 * itself when that was not enough. Leaves as classify does.
 */
#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_FLOWS
#include "tcctl/classify.h"

SEC("tc")
int walk(struct __sk_buff *skb)
{
	struct tcctl_hit hit;
	arena_t arena;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_WALK);
	arena = tcctl_arena(tcctl_generation(skb));
	return tcctl_classified(skb, arena ? tcctl_walk(arena, &hit) : TCCTL_R_NO_RULES, &hit);
}
