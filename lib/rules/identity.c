// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Identities of rules: what counters are kept by when rules come, go and move. */
#include <errno.h>
#include <stdlib.h>

#include "../digest.h"
#include "../rules.h"
#include "../util.h"

static uint64_t addrs_digest(uint64_t h, const struct spec *spec, const struct spec_addrs *a)
{
	h = digest_u64(h, a->set | a->neg << 1 | (uint64_t)a->n_prefixes << 8 | (uint64_t)a->n_sets << 40);
	for (size_t i = 0; i < a->n_prefixes; i++) {
		h = digest_u64(h, a->prefixes[i].family | a->prefixes[i].len << 8);
		h = digest_bytes(h, a->prefixes[i].addr, sizeof(a->prefixes[i].addr));
	}
	/* a set by name: a set that gains a prefix leaves the rule the same rule */
	for (size_t i = 0; i < a->n_sets; i++)
		h = digest_str(h, spec->sets[a->sets[i]].name);
	return h;
}

static uint64_t ranges_digest(uint64_t h, const struct spec_ranges *r)
{
	h = digest_u64(h, r->set | r->neg << 1 | (uint64_t)r->n << 8);
	for (size_t i = 0; i < r->n; i++)
		h = digest_u64(h, (uint64_t)r->items[i].lo << 32 | r->items[i].hi);
	return h;
}

static uint64_t maskeds_digest(uint64_t h, const struct spec_maskeds *m)
{
	h = digest_u64(h, m->set | m->neg << 1 | (uint64_t)m->n << 8);
	for (size_t i = 0; i < m->n; i++)
		h = digest_u64(h, (uint64_t)m->items[i].value << 32 | m->items[i].mask);
	return h;
}

static uint64_t macs_digest(uint64_t h, const struct spec_macs *m)
{
	h = digest_u64(h, m->set | m->neg << 1 | (uint64_t)m->n << 8);
	return m->n ? digest_bytes(h, m->items, m->n * sizeof(*m->items)) : h;
}

/* Of the rule alone; equal rules of one set have equal ones. */
static uint64_t rule_digest(const struct spec *spec, const struct spec_rule *rule)
{
	uint64_t h = digest_str(DIGEST_INIT, spec->classes[rule->class].name);

	h = digest_str(h, rule->name);
	if (rule->name)
		return h;
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		h = addrs_digest(h, spec, &rule->addr[i]);
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		h = ranges_digest(h, &rule->port[i]);
	h = ranges_digest(h, &rule->proto);
	h = ranges_digest(h, &rule->dscp);
	h = ranges_digest(h, &rule->vlan);
	h = ranges_digest(h, &rule->length);
	h = ranges_digest(h, &rule->icmp);
	h = ranges_digest(h, &rule->icmp6);
	h = maskeds_digest(h, &rule->flags);
	h = maskeds_digest(h, &rule->mark);
	h = macs_digest(h, &rule->mac);
	return digest_u64(h, rule->frag | (uint64_t)rule->frag_neg << 32);
}

/* The ordinal among equals tells equal rules apart. */
static uint64_t identity_of(uint64_t digest, size_t ordinal)
{
	uint64_t h = digest_u64(digest, ordinal);

	return h ? h : 1;
}

uint64_t rules_identity(const struct spec *spec, const struct spec_ruleset *set, size_t rule)
{
	uint64_t digest = rule_digest(spec, &set->rules[rule]);
	size_t ordinal = 0;

	for (size_t i = 0; i < rule; i++)
		ordinal += rule_digest(spec, &set->rules[i]) == digest;
	return identity_of(digest, ordinal);
}

struct numbered {
	uint64_t digest;
	size_t rule;
};

static int by_digest(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;

	if (x->digest != y->digest)
		return x->digest < y->digest ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

int rules_identities(const struct spec *spec, const struct spec_ruleset *set, uint64_t *ret)
{
	_cleanup_free_ struct numbered *list = calloc(set->n_rules + 1, sizeof(*list));
	size_t ordinal = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_rules; i++)
		list[i] = (struct numbered){ rule_digest(spec, &set->rules[i]), i };
	qsort(list, set->n_rules, sizeof(*list), by_digest);
	for (size_t i = 0; i < set->n_rules; i++) {
		ordinal = i && list[i].digest == list[i - 1].digest ? ordinal + 1 : 0;
		ret[list[i].rule] = identity_of(list[i].digest, ordinal);
	}
	return 0;
}
