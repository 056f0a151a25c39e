/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "rulecheck.h"

uint32_t *rulecheck_ids(size_t n)
{
	uint32_t *ids = calloc(n + 1, sizeof(*ids));

	for (size_t i = 0; ids && i < n; i++)
		ids[i] = TCCTL_CHUNK_RULES * TCCTL_CHUNK + (uint32_t)i;
	return ids;
}

void rulecheck_print_diags(const struct tcctl_diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		printf("# %s:%u: %s\n", d->items[i].loc.file ? d->items[i].loc.file : "-",
		       d->items[i].loc.line, d->items[i].message);
}

bool rulecheck_packets(const struct spec *spec, const struct rules_arena *arena, size_t n_packets,
		       uint64_t seed, struct rulecheck *ret)
{
	const struct spec_ruleset *set = &spec->rulesets[0];
	uint64_t state = seed * 7919 + 17;

	ret->matches = 0;
	for (size_t i = 0; i < n_packets; i++) {
		struct rules_packet p;
		int want, got;

		switch (i % 4) {
		case 0: rulegen_packet_uniform(&state, &p); break;
		case 1: rulegen_packet_between(&state, spec, set, &p); break;
		default: rulegen_packet_near(&state, spec, set, &p);
		}
		want = rules_match_linear(spec, set, &p);
		got = rules_match_arena(arena, &p, NULL);
		ret->matches += want >= 0;
		if (got != want) {
			int n = snprintf(ret->why, sizeof(ret->why), "packet %zu: rule %d, expected %d: ", i,
					 got, want);

			rulegen_packet_print(&p, ret->why + n, sizeof(ret->why) - (size_t)n);
			return false;
		}
	}
	return true;
}

bool rulecheck_run(const struct rulegen_options *o, size_t n_packets, struct rulecheck *ret)
{
	struct spec *spec = rulegen_make(o);
	struct tcctl_diags *d = diags_new();
	uint32_t *ids = rulecheck_ids(o->n_rules);
	struct rules_arena arena = {};
	bool right = false;

	*ret = (struct rulecheck){};
	if (rules_compile(spec, &spec->rulesets[0], ids, NULL, d, &arena, &ret->stats))
		snprintf(ret->why, sizeof(ret->why), "refused: %.400s", d->n ? d->items[0].message : "?");
	else
		right = rulecheck_packets(spec, &arena, n_packets, o->seed, ret);
	rules_arena_done(&arena);
	free(ids);
	diags_free(d);
	rulegen_free(spec);
	return right;
}
