// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Digest of a rule set. Places in files do not count: moving a rule's line is no change. */
#include "desired.h"

#include <stdlib.h>

#include "digest.h"

static uint64_t digest_prefixes(uint64_t h, const struct spec_prefix *items, size_t n)
{
	h = digest_u64(h, n);
	for (size_t i = 0; i < n; i++) {
		h = digest_u64(h, (uint64_t)items[i].family << 8 | items[i].len);
		h = digest_bytes(h, items[i].addr, items[i].family == 4 ? 4 : 16);
	}
	return h;
}

static uint64_t digest_addrs(uint64_t h, const struct spec *spec, const struct spec_addrs *a)
{
	h = digest_u64(h, a->set | a->neg << 1);
	if (!a->set)
		return h;
	h = digest_prefixes(h, a->prefixes, a->n_prefixes);
	h = digest_u64(h, a->n_sets);
	for (size_t i = 0; i < a->n_sets; i++)
		h = digest_str(h, spec->sets[a->sets[i]].name);
	return h;
}

static uint64_t digest_ranges(uint64_t h, const struct spec_ranges *r)
{
	h = digest_u64(h, r->set | r->neg << 1);
	if (!r->set)
		return h;
	h = digest_u64(h, r->n);
	for (size_t i = 0; i < r->n; i++)
		h = digest_u64(h, (uint64_t)r->items[i].lo << 32 | r->items[i].hi);
	return h;
}

static uint64_t digest_maskeds(uint64_t h, const struct spec_maskeds *m)
{
	h = digest_u64(h, m->set | m->neg << 1);
	if (!m->set)
		return h;
	h = digest_u64(h, m->n);
	for (size_t i = 0; i < m->n; i++)
		h = digest_u64(h, (uint64_t)m->items[i].value << 32 | m->items[i].mask);
	return h;
}

static uint64_t digest_class(uint64_t h, const struct spec_class *c)
{
	h = digest_str(h, c->name);
	h = digest_u64(h, (uint64_t)c->flags << 32 | c->mark);
	h = digest_u64(h, (uint64_t)c->mark_mask << 32 | c->priority);
	return digest_u64(h, (uint64_t)c->dscp << 32 | (uint64_t)c->queue << 16 | c->tc_index);
}

uint64_t desired_ruleset_digest(const struct spec *spec, const struct spec_ruleset *set)
{
	bool *used_sets = calloc(spec->n_sets + 1, sizeof(*used_sets));
	bool *used_classes = calloc(spec->n_classes + 1, sizeof(*used_classes));
	uint64_t h = digest_str(DIGEST_INIT, set->name);

	h = digest_u64(h, set->n_rules);
	for (size_t i = 0; i < set->n_rules; i++) {
		const struct spec_rule *r = &set->rules[i];

		h = digest_str(h, r->name);
		h = digest_str(h, spec->classes[r->class].name);
		if (used_classes)
			used_classes[r->class] = true;
		for (int k = 0; k < SPEC_ADDR_MAX; k++) {
			h = digest_addrs(h, spec, &r->addr[k]);
			for (size_t s = 0; used_sets && s < r->addr[k].n_sets; s++)
				used_sets[r->addr[k].sets[s]] = true;
		}
		for (int k = 0; k < SPEC_PORT_MAX; k++)
			h = digest_ranges(h, &r->port[k]);
		h = digest_ranges(h, &r->proto);
		h = digest_ranges(h, &r->dscp);
		h = digest_ranges(h, &r->vlan);
		h = digest_ranges(h, &r->length);
		h = digest_ranges(h, &r->icmp);
		h = digest_ranges(h, &r->icmp6);
		h = digest_maskeds(h, &r->flags);
		h = digest_maskeds(h, &r->mark);
		h = digest_u64(h, r->mac.set | r->mac.neg << 1);
		if (r->mac.set && r->mac.n)
			h = digest_bytes(h, r->mac.items, r->mac.n * sizeof(*r->mac.items));
		h = digest_u64(h, (uint64_t)r->frag << 1 | r->frag_neg);
	}
	/* without memory for the marks: all of them, which can only cause a change too many */
	for (size_t i = 0; i < spec->n_sets; i++)
		if (!used_sets || used_sets[i]) {
			h = digest_str(h, spec->sets[i].name);
			h = digest_prefixes(h, spec->sets[i].items, spec->sets[i].n_items);
		}
	for (size_t i = 0; i < spec->n_classes; i++)
		if (!used_classes || used_classes[i])
			h = digest_class(h, &spec->classes[i]);
	free(used_sets);
	free(used_classes);
	return h;
}
