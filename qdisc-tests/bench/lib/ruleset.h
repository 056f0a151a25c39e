/* SPDX-License-Identifier: GPL-2.0-only */
/* A rule set, from its YAML text to a kernel map that any number of pipelines can use. */
#ifndef BENCH_RULESET_H
#define BENCH_RULESET_H

#include <stddef.h>
#include <stdint.h>

#include "pipe.h"
#include "rules.h"
#include "spec.h"

struct ruleset {
	int fd;			  /* the arena's map */
	struct rules_arena arena; /* the same in user space */
	size_t n_rules, bytes, depth_max;
	double parse_seconds, compile_seconds, load_seconds; /* CPU time */
};

/* The first rule set of a configuration; counter ids count up from the first chunk of rules, in rule order.
 * What is wrong goes to stderr. Returns 0 or -errno. */
int ruleset_load(const char *yaml, size_t len, const char *base, struct ruleset *ret);
void ruleset_close(struct ruleset *r);

/* The same from a typed configuration. */
int ruleset_compile(const struct spec *spec, struct ruleset *ret);

/* Make it the one that a pipeline uses, in half 0 or 1 of its arenas (chosen by the generation). */
int ruleset_use(const struct ruleset *r, struct pipe *pipe, uint32_t half);

/* What the last load or compile that failed had to say; "" when nothing. */
const char *ruleset_error(void);

/* Counter id of rule `i`. */
uint32_t ruleset_counter(size_t i);

#endif
