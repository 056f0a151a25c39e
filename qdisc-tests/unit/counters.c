// SPDX-License-Identifier: GPL-2.0-only
/* Which rule has which counter, over a series of changes. */
#include <errno.h>

#include "counters.h"
#include "test.h"

static struct tcctl_diags *diags;
static struct spec *spec;
static struct state_pipeline state, before; /* what the last change made, and the one before */
static uint32_t *ids, *fresh;
static size_t n_fresh;

/* Counter id i shows i packets. */
static int read_counter(void *ctx, uint32_t id, struct tcctl_counter *ret)
{
	*ret = (struct tcctl_counter){ id, id, id };
	return 0;
}

/* Apply a rule set of these rules ("" for none). */
static int change(const char *rules)
{
	struct state_pipeline next = {};
	char text[1024];
	int err;

	spec_free(spec);
	spec = NULL;
	free(ids);
	free(fresh);
	ids = fresh = NULL;
	snprintf(text, sizeof(text),
		 "tcctl: 1\nclasses: { voice: { dscp: EF }, bulk: { dscp: CS1 } }\nrules:\n  wan:\n%s", rules);
	err = spec_parse(text, strlen(text), "t.yaml", NULL, diags, &spec);
	if (!test_eq(err, 0))
		return err;
	err = counters_assign(spec, &spec->rulesets[0], state.rule_chunks ? &state : NULL, read_counter, NULL, diags, &next,
			      &ids, &fresh, &n_fresh);
	state_pipeline_done(&before);
	before = state;
	state = next;
	return err;
}

static const struct state_class *class(const char *name)
{
	for (size_t i = 0; i < state.n_classes; i++)
		if (!strcmp(state.classes[i].name, name))
			return &state.classes[i];
	test_fail("no class %s", name);
	return &state.classes[0];
}

#define A "    - { proto: udp, port: 1, class: voice }\n"
#define B "    - { proto: udp, port: 2, class: voice }\n"
#define C "    - { proto: udp, port: 3, class: bulk }\n"

int main(void)
{
	const uint32_t first = COUNTERS_RULES_FIRST;

	diags = diags_new();
	test_case("first rules get the first ids, in a chunk of zeros");
	test_eq(change(A B), 0);
	test_eq(ids[0], first);
	test_eq(ids[1], first + 1);
	test_eq(n_fresh, 0);
	test_eq(state.rule_chunks, 1);

	test_case("a rule that stays keeps its id wherever it goes; a new one is set to zero");
	test_eq(change(C B A), 0);
	test_eq(ids[0], first + 2);
	test_eq(ids[1], first + 1);
	test_eq(ids[2], first);
	test_eq(n_fresh, 1);
	test_eq(fresh[0], first + 2);

	test_case("a rule that goes keeps its counter for one change");
	test_eq(change(A), 0);
	test_eq(state.n_counters, 3);
	test_eq(class("bulk")->retired.packets, 0);
	test_case("and comes back to it");
	test_eq(change(A C), 0);
	test_eq(ids[1], first + 2);
	test_eq(n_fresh, 0);

	test_case("the next change adds it to its class and gives the id up, but not out");
	/* B has been gone since two changes */
	test_eq(state.n_counters, 2);
	test_eq(class("voice")->retired.packets, first + 1);
	test_eq(change("    - { proto: udp, port: 4, class: keep }\n"), 0);
	test_eq(ids[0], first + 1);
	test_eq(n_fresh, 1);
	test_eq(change("    - { proto: udp, port: 5, class: keep }\n"), 0);
	test_ok(ids[0] != first && ids[0] != first + 1 && ids[0] != first + 2);
	test_eq(class("voice")->retired.packets, first + 1 + first);
	test_eq(class("bulk")->retired.packets, first + 2);
	test_case("one change later it is given out");
	test_eq(change("    - { proto: udp, port: 6, class: keep }\n"), 0);
	test_eq(ids[0], first);
	test_eq(fresh[0], first);

	test_case("another class is another counter");
	test_eq(change("    - { proto: udp, port: 6, class: bulk }\n"), 0);
	test_ok(ids[0] != first);

	state_pipeline_done(&state);
	state_pipeline_done(&before);
	spec_free(spec);
	free(ids);
	free(fresh);
	diags_free(diags);
	return test_done();
}
