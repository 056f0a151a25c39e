/* SPDX-License-Identifier: GPL-2.0-only */
/* A generated rule set, compiled, against the linear model. */
#ifndef QDISC_TESTS_RULECHECK_H
#define QDISC_TESTS_RULECHECK_H

#include "rulegen.h"

/* Counter ids for so many rules. malloc()ed. */
uint32_t *rulecheck_ids(size_t n);
void rulecheck_print_diags(const struct tcctl_diags *d);

struct rulecheck {
	struct rules_stats stats;
	size_t matches; /* packets that any rule matched */
	char why[480];	/* what is wrong */
};

/*
 * Does `arena` say of n_packets packets what the linear model says? A quarter of them is random, the others are near one rule
 * or between several.
 */
bool rulecheck_packets(const struct spec *spec, const struct rules_arena *arena, size_t n_packets, uint64_t seed,
		       struct rulecheck *ret);
/* Make a rule set, compile it, compare. */
bool rulecheck_run(const struct rulegen_options *o, size_t n_packets, struct rulecheck *ret);

#endif
