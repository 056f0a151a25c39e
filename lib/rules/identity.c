/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Stable identities of (rule, class): what counters are kept by when a configuration changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../rules.h"
#include "../util.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ULL;
	return h ^ h >> 32;
}

static uint64_t mix_bytes(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	h = mix(h, n);
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return mix(h, n);
}

static uint64_t mix_string(uint64_t h, const char *s)
{
	return mix_bytes(h, s, strlen(s));
}

static uint64_t mix_addrs(uint64_t h, const struct spec *spec, const struct spec_addrs *a)
{
	h = mix(h, a->set | a->neg << 1);
	for (size_t i = 0; i < a->n_prefixes; i++) {
		h = mix(h, a->prefixes[i].family << 8 | a->prefixes[i].len);
		h = mix_bytes(h, a->prefixes[i].addr, 16);
	}
	/* by name: a set's content may change under a rule that stays */
	for (size_t i = 0; i < a->n_sets; i++)
		h = mix_string(h, spec->sets[a->sets[i]].name);
	return h;
}

static uint64_t mix_ranges(uint64_t h, const struct spec_ranges *r)
{
	h = mix(h, r->set | r->neg << 1 | r->n << 2);
	for (size_t i = 0; i < r->n; i++)
		h = mix(h, (uint64_t)r->items[i].lo << 32 | r->items[i].hi);
	return h;
}

static uint64_t mix_maskeds(uint64_t h, const struct spec_maskeds *m)
{
	h = mix(h, m->set | m->neg << 1 | m->n << 2);
	for (size_t i = 0; i < m->n; i++)
		h = mix(h, (uint64_t)m->items[i].value << 32 | m->items[i].mask);
	return h;
}

/* Of the rule alone, whatever its neighbours are. */
static uint64_t rule_hash(const struct spec *spec, const struct spec_rule *r)
{
	uint64_t h = mix_string(0x7463746cULL, spec->classes[r->class].name);

	if (r->name)
		return mix_string(mix(h, 1), r->name);
	for (unsigned int k = 0; k < SPEC_ADDR_MAX; k++)
		h = mix_addrs(h, spec, &r->addr[k]);
	for (unsigned int k = 0; k < SPEC_PORT_MAX; k++)
		h = mix_ranges(h, &r->port[k]);
	h = mix_ranges(h, &r->proto);
	h = mix_ranges(h, &r->dscp);
	h = mix_ranges(h, &r->vlan);
	h = mix_ranges(h, &r->length);
	h = mix_ranges(h, &r->icmp);
	h = mix_ranges(h, &r->icmp6);
	h = mix_maskeds(h, &r->flags);
	h = mix_maskeds(h, &r->mark);
	h = mix(h, r->mac.set | r->mac.neg << 1 | r->mac.n << 2);
	for (size_t i = 0; i < r->mac.n; i++)
		h = mix_bytes(h, r->mac.items[i].addr, 6);
	return mix(h, r->frag | (uint64_t)r->frag_neg << 8);
}

static uint64_t nth(uint64_t h, uint64_t ordinal)
{
	if (ordinal)
		h = mix(h, ordinal);
	return h ? h : 1;
}

uint64_t rules_identity(const struct spec *spec, const struct spec_ruleset *set, size_t rule)
{
	uint64_t h = rule_hash(spec, &set->rules[rule]), ordinal = 0;

	for (size_t i = 0; i < rule; i++)
		ordinal += rule_hash(spec, &set->rules[i]) == h;
	return nth(h, ordinal);
}

int rules_identities(const struct spec *spec, const struct spec_ruleset *set, uint64_t *ret)
{
	struct seen {
		uint64_t hash, n; /* n 0: free */
	};
	_cleanup_free_ struct seen *seen = NULL;
	size_t mask = 15;

	while (mask < set->n_rules * 2)
		mask = mask * 2 + 1;
	seen = calloc(mask + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_rules; i++) {
		uint64_t h = rule_hash(spec, &set->rules[i]);
		size_t j = h & mask;

		while (seen[j].n && seen[j].hash != h)
			j = (j + 1) & mask;
		seen[j].hash = h;
		ret[i] = nth(h, seen[j].n++);
	}
	return 0;
}
