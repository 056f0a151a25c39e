/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The rule compiler: a typed rule set becomes an arena (tcctl/arena.h), a block of 64-byte lines that the
 * classify stage walks at a cost that does not grow with the number of rules. Pure: no kernel, no files.
 */
#ifndef TCCTL_LIB_RULES_H
#define TCCTL_LIB_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "spec.h"
#include "tcctl/abi.h"

struct rules_arena {
	void *lines;	/* n_lines * 64 bytes, line 0 is the header; malloc()ed */
	size_t n_lines;
};

struct rules_options {
	size_t max_bytes; /* memory budget of the arena; 0: RULES_BUDGET_DEFAULT */
	const uint16_t *tunnel_ids; /* by spec.tunnels: what classes with `tunnel:` encapsulate into; NULL: they do not */
};
#define RULES_BUDGET_DEFAULT (256UL << 20)

struct rules_stats {
	size_t bytes;	     /* of the arena */
	size_t counters;     /* counters the rule set needs */
	size_t bytes_per_cpu; /* of its counters, in whole chunks, and of the flow cache; times the number of possible CPUs */
	size_t depth_max;    /* most table lines that a packet can touch */
	double compile_seconds;
	double work; /* comparisons of the compiler: what its time follows */
};

/*
 * `counter_ids[i]` is the counter id of rule i of the set (see rules_identity()). Returns 0, -ENOMEM, or
 * -E2BIG with a diagnostic that names the rule set, the size needed and the budget.
 */
int rules_compile(const struct spec *spec, const struct spec_ruleset *set, const uint32_t *counter_ids,
		  const struct rules_options *options, struct tcctl_diags *diags,
		  struct rules_arena *ret_arena, struct rules_stats *ret_stats);
void rules_arena_done(struct rules_arena *arena);

/* Stable identity of (rule, class): from the rule's name if it has one, else from its own text, and the
 * class name. Equal rules of one set are told apart by their ordinal among equals. Never 0. */
uint64_t rules_identity(const struct spec *spec, const struct spec_ruleset *set, size_t rule);
/* All of a set at once, in one pass (100k rules). ret has room for set->n_rules. */
int rules_identities(const struct spec *spec, const struct spec_ruleset *set, uint64_t *ret);

/* Warn of rules that can never match: hidden by an earlier rule (named with its line) or by several
 * together, or contradictory in themselves. Adds warnings; returns 0 or -errno. */
int rules_check(const struct spec *spec, const struct spec_ruleset *set, struct tcctl_diags *diags);

/*
 * The reference model: plain linear first match, no compiled form. Also says what a packet looks like to
 * rules; tests fill it from headers in their own way.
 */
struct rules_packet {
	uint8_t family; /* 4 or 6 */
	uint8_t src[16], dst[16]; /* network order */
	uint8_t proto;
	bool has_ports, has_icmp, has_flags, has_mac;
	uint16_t sport, dport;
	uint8_t icmp_type, icmp_code;
	uint8_t tcp_flags;
	uint8_t dscp;
	uint32_t frag; /* one of SPEC_FRAG_* */
	uint32_t vlan; /* id or SPEC_VLAN_NONE */
	uint32_t length;
	uint32_t mark;
	uint8_t mac[6];	/* of the neighbour */
	bool src_local; /* TCCTL_HOOK_SRC_LOCAL of the hook */
};

/* Index of the first rule that matches, or -1. */
int rules_match_linear(const struct spec *spec, const struct spec_ruleset *set, const struct rules_packet *p);

/* The user-space twin of the BPF lookup, from the same source (tcctl/lookup.h). *ret_lines, if not NULL,
 * is the number of distinct table lines touched, header and class row excluded. Returns rule index or -1. */
int rules_match_arena(const struct rules_arena *arena, const struct rules_packet *p, unsigned int *ret_lines);

#endif
