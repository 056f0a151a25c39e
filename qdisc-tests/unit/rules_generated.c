/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule compiler against the linear model, through the user-space twin of the BPF look-up: generated rule sets of
 * 10 to 100,000 rules. unit/rules_sweep has small ones of every kind.
 * timeout: 600
 */
#include "rulecheck.h"
#include "test.h"
#include "util.h"

#ifdef __SANITIZE_ADDRESS__
#define FEWER 10 /* packets: the linear model is as slow as the compiler there */
#else
#define FEWER 1
#endif

static void differential_in_order(enum rulegen_mix mix, enum rulegen_keys keys, enum rulegen_order order,
				  size_t n_rules, size_t n_packets, uint64_t seed)
{
	struct rulegen_options o = { .mix = mix,
				     .keys = keys,
				     .order = order,
				     .n_rules = n_rules,
				     .v6_percent = n_rules < 100000 ? 35 : 30,
				     .seed = seed };
	struct rulecheck c;
	char name[100];

	n_packets = n_packets / FEWER + 1;
	snprintf(name, sizeof(name), "%s mix, %zu rules%s, keys %d: %zu packets, seed %llu",
		 rulegen_mix_names[mix], n_rules, order ? ", specific first" : "", keys, n_packets,
		 (unsigned long long)seed);
	test_case(name);
	test_checks += (unsigned int)n_packets;
	if (!rulecheck_run(&o, n_packets, &c))
		test_fail("%s", c.why);
	/* a comparison in which nothing matches says nothing */
	else
		test_ok(c.matches > n_packets / 20);
	test_end();
}

static void differential(enum rulegen_mix mix, enum rulegen_keys keys, size_t n_rules, size_t n_packets,
			 uint64_t seed)
{
	differential_in_order(mix, keys, RULEGEN_RANDOM, n_rules, n_packets, seed);
}

int main(void)
{
	static const size_t sizes[] = { 10, 1000, 10000 };

	for (enum rulegen_mix mix = RULEGEN_ACL; mix <= RULEGEN_IPC; mix++)
		for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
			differential(mix, RULEGEN_ABSOLUTE, sizes[i],
				     sizes[i] == 10 ? 1000000 : 100000000 / sizes[i] / 10 + 1000, i + 1);
	for (enum rulegen_mix mix = RULEGEN_ACL; mix <= RULEGEN_IPC; mix++) {
		differential_in_order(mix, RULEGEN_ABSOLUTE, RULEGEN_SPECIFIC_FIRST, 1000, 10000, 1);
		differential_in_order(mix, RULEGEN_ABSOLUTE, RULEGEN_SPECIFIC_FIRST, 10000, 2000, 2);
	}
	differential(RULEGEN_ACL, RULEGEN_RELATIVE, 1000, 50000, 11);
	differential(RULEGEN_IPC, RULEGEN_BOTH, 1000, 50000, 12);
	for (uint64_t seed = 20; seed < 60; seed++)
		differential(RULEGEN_ANY, (enum rulegen_keys)(seed % 3), 1 + seed % 40, 10000, seed);
	/* many prefixes inside each other, and half of the addresses too long for one key word */
	for (enum rulegen_mix mix = RULEGEN_FW; mix <= RULEGEN_IPC; mix++)
		differential(mix, RULEGEN_ABSOLUTE, 100000, 2000, 1);
	differential_in_order(RULEGEN_FW, RULEGEN_ABSOLUTE, RULEGEN_SPECIFIC_FIRST, 100000, 1000, 1);
	return test_done();
}
