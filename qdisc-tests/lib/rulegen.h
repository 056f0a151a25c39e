/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rule sets and packets for tests and benchmarks, from a seed: the same seed gives the same.
 *
 * The mixes follow what ClassBench describes of real filter sets: addresses from a skewed tree of networks in
 * which some prefixes come up again and again; ports that are mostly one exact value or open, with a few
 * well-known ranges; protocol mostly TCP or UDP.
 *   acl   both addresses specific, source port open, destination port exact
 *   fw    one address or both wide open, ports in ranges on either side
 *   ipc   a bit of everything, nested prefixes on both sides
 *   any   every key there is, negated ones and sets included: for correctness, not for size
 */
#ifndef QDISC_TESTS_RULEGEN_H
#define QDISC_TESTS_RULEGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules.h"
#include "spec.h"

enum rulegen_mix { RULEGEN_ACL, RULEGEN_FW, RULEGEN_IPC, RULEGEN_ANY, RULEGEN_MIX_MAX };
extern const char *const rulegen_mix_names[RULEGEN_MIX_MAX];

/*
 * Rules of a mix overlap a lot, and in random order a few wide ones hide most of what comes behind them: of 100,000 rules
 * of the firewall kind, 400 can be reached. Specific ones first, as people write them, leaves nearly all reachable.
 */
enum rulegen_order { RULEGEN_RANDOM, RULEGEN_SPECIFIC_FIRST };
enum rulegen_keys { RULEGEN_ABSOLUTE, RULEGEN_RELATIVE, RULEGEN_BOTH };

struct rulegen_options {
	enum rulegen_mix mix;
	enum rulegen_keys keys;
	enum rulegen_order order; /* not of the `any` mix */
	size_t n_rules;
	unsigned int v6_percent; /* share of rules about IPv6 addresses */
	bool catch_all;		 /* end with one, and have none before */
	uint64_t seed;
};

/* A spec with one rule set. Free with rulegen_free(). */
struct spec *rulegen_make(const struct rulegen_options *o);
void rulegen_free(struct spec *spec);

/* xorshift-multiply; state must not be 0. */
static inline uint64_t rulegen_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static inline uint32_t rulegen_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)((rulegen_random(state) >> 32) * n >> 32);
}

static inline bool rulegen_chance(uint64_t *state, unsigned int percent)
{
	return rulegen_below(state, 100) < percent;
}

static inline void rulegen_bytes(uint64_t *state, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(rulegen_random(state) >> 40);
}

/* A packet with every field random. */
void rulegen_packet_uniform(uint64_t *state, struct rules_packet *p);
/* A packet inside a random rule's constraints (where they are not negated), or just outside of one of them. */
void rulegen_packet_near(uint64_t *state, const struct spec *spec, const struct spec_ruleset *set,
			 struct rules_packet *p);
/* A packet near several rules at once: some of its fields near one, others near another. */
void rulegen_packet_between(uint64_t *state, const struct spec *spec, const struct spec_ruleset *set,
			    struct rules_packet *p);
/* Make a packet consistent the way real ones are: ports only with TCP, UDP, SCTP; no L4 fields in later
 * fragments. */
void rulegen_packet_tidy(struct rules_packet *p);

/* Random prefixes of one family, sorted, distinct: lengths as in a BGP table up to /24 (or /64), with
 * `long_percent` of them longer. malloc()ed. */
struct spec_prefix *rulegen_prefixes(uint64_t *state, unsigned int family, size_t n, unsigned int long_percent);

/* One line that says what a packet looks like, for failures. */
void rulegen_packet_print(const struct rules_packet *p, char *buf, size_t len);
#endif
