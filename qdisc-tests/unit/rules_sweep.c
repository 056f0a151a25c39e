/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small rule sets of every kind: none is refused, none takes much work to compile, all agree with the linear model.
 * `make sweep` runs SEEDS=300 of each kind, from SEED_FIRST on.
 * timeout: 240
 */
#include "rulecheck.h"
#include "test.h"
#include "util.h"

/* Boxes that the compiler may look at: a second or so, and once more for sets with relative and absolute keys. */
#define WORK_MOST 3e8
/* Under a sanitizer the compiler alone takes all the time there is. */
#ifdef __SANITIZE_ADDRESS__
#define PACKETS 100
#else
#define PACKETS 400
#endif

static const size_t sizes[] = { 1, 2, 3, 5, 8, 13, 20, 30, 40, 60, 100, 200, 350, 500 };
/* A hundred rules with every key that there is are beyond the compiler now and then: docs/classification.md. */
#define ANY_MOST 60
static const uint64_t hard_seeds[] = { 6, 8, 37 };
static const unsigned int v6_percents[] = { 0, 35, 100 };

static uint64_t number_of(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : fallback;
}

struct summary {
	double work, seconds;
	uint64_t work_seed; /* of the most work */
	size_t depth, sets, matches;
};

/* One set. */
static void check(const struct rulegen_options *o, struct summary *sum)
{
	struct rulecheck c;
	static char name[100];

	snprintf(name, sizeof(name), "seed %llu, %u%% IPv6%s, keys %d, order %d", (unsigned long long)o->seed,
		 o->v6_percent, o->catch_all ? ", catch-all" : "", o->keys, o->order);
	test_checks++;
	if (!rulecheck_run(o, PACKETS, &c))
		test_fail("%s: %s", name, c.why);
	else if (c.stats.work > (o->keys == RULEGEN_BOTH ? 2 : 1) * WORK_MOST)
		test_fail("%s: %.0f million comparisons, %.2f s", name, c.stats.work / 1e6,
			  c.stats.compile_seconds);
	if (c.stats.work > sum->work) {
		sum->work = c.stats.work;
		sum->work_seed = o->seed;
	}
	if (c.stats.compile_seconds > sum->seconds)
		sum->seconds = c.stats.compile_seconds;
	if (c.stats.depth_max > sum->depth)
		sum->depth = c.stats.depth_max;
	sum->matches += c.matches;
	sum->sets++;
}

/* All kinds of one mix and size. */
static void sweep(enum rulegen_mix mix, size_t n_rules, uint64_t first, uint64_t n_seeds)
{
	struct summary sum = {};
	static char name[100];

	snprintf(name, sizeof(name), "%s mix, %zu rules", rulegen_mix_names[mix], n_rules);
	test_case(name);
	for (uint64_t seed = first; seed < first + n_seeds; seed++)
		for (unsigned int kind = 0; kind < 2 * ARRAY_SIZE(v6_percents); kind++)
			check(&(struct rulegen_options){ .mix = mix,
							 .keys = (enum rulegen_keys)((seed + kind) % 3),
							 .order = (enum rulegen_order)((seed + kind) / 3 % 2),
							 .n_rules = n_rules,
							 .v6_percent = v6_percents[kind / 2],
							 .catch_all = kind % 2,
							 .seed = seed },
			      &sum);
	/* a comparison in which nothing matches says nothing */
	test_ok(sum.matches > sum.sets * PACKETS / 10);
	printf("# %s: %zu sets, at most %.1f million comparisons (seed %llu), %.2f s, %zu lines\n", name,
	       sum.sets, sum.work / 1e6, (unsigned long long)sum.work_seed, sum.seconds, sum.depth);
	test_end();
}

int main(void)
{
	uint64_t first = number_of("SEED_FIRST", 1), n_seeds = number_of("SEEDS", 1);

	test_case("40 rules that overlap in every field: sets that were too much once");
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(hard_seeds); i++)
		check(&(struct rulegen_options){ .mix = RULEGEN_ANY,
						 .n_rules = 40,
						 .v6_percent = i % 2 * 35,
						 .seed = hard_seeds[i / 2] },
		      &(struct summary){});
	test_end();
	for (enum rulegen_mix mix = RULEGEN_ACL; mix < RULEGEN_MIX_MAX; mix++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			if (mix != RULEGEN_ANY || sizes[i] <= ANY_MOST)
				sweep(mix, sizes[i], first, n_seeds);
	return test_done();
}
