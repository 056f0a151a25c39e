// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Who has which counter: pure bookkeeping. */
#include "counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"
#include "util.h"

static int compare_counters(const void *va, const void *vb)
{
	const struct state_counter *a = va, *b = vb;

	return a->identity < b->identity ? -1 : a->identity > b->identity;
}

static struct state_counter *find_counter(const struct state_counter *items, size_t n, uint64_t identity)
{
	const struct state_counter key = { .identity = identity };

	return n ? bsearch(&key, items, n, sizeof(key), compare_counters) : NULL;
}

/* Index of a class in next->classes by name, adding it; UINT32_MAX without memory. */
static uint32_t class_index(struct state_pipeline *next, const char *name, const struct tcctl_counter *retired)
{
	struct state_class *k;

	for (size_t i = 0; i < next->n_classes; i++)
		if (!strcmp(next->classes[i].name, name))
			return i;
	k = realloc(next->classes, (next->n_classes + 1) * sizeof(*k));
	if (!k)
		return UINT32_MAX;
	next->classes = k;
	k += next->n_classes;
	*k = (struct state_class){ .name = strdup(name) };
	if (!k->name)
		return UINT32_MAX;
	if (retired)
		k->retired = *retired;
	return next->n_classes++;
}

uint32_t counters_rule_chunks(const struct state_pipeline *p)
{
	uint32_t top = 0;

	for (size_t i = 0; i < p->n_counters; i++)
		if (p->counters[i].id - COUNTERS_RULES_FIRST >= top)
			top = p->counters[i].id - COUNTERS_RULES_FIRST + 1;
	return (top + TCCTL_CHUNK - 1) / TCCTL_CHUNK;
}

/* Ids in use, as a bitmap, and a cursor over the free ones. */
struct ids {
	uint64_t *used;
	uint32_t n, next;
};

static void ids_take(struct ids *ids, uint32_t id)
{
	uint32_t i = id - COUNTERS_RULES_FIRST;

	if (i < ids->n)
		ids->used[i / 64] |= 1ULL << (i % 64);
}

static uint32_t ids_give(struct ids *ids)
{
	while (ids->next < ids->n && (ids->used[ids->next / 64] >> (ids->next % 64) & 1))
		ids->next++;
	return ids->next < ids->n ? COUNTERS_RULES_FIRST + ids->next++ : UINT32_MAX;
}

int counters_assign(const struct spec *spec, const struct spec_ruleset *set, const struct state_pipeline *old,
		    counters_read_fn *read, void *ctx, struct tcctl_diags *diags, struct state_pipeline *next,
		    uint32_t **ret_ids, uint32_t **ret_fresh, size_t *ret_n_fresh)
{
	const size_t n_rules = set ? set->n_rules : 0, n_old = old ? old->n_counters : 0;
	_cleanup_free_ uint64_t *identities = calloc(n_rules + 1, sizeof(*identities));
	_cleanup_free_ uint32_t *ids = calloc(n_rules + 1, sizeof(*ids));
	_cleanup_free_ uint32_t *fresh = calloc(n_rules + 1, sizeof(*fresh));
	_cleanup_free_ uint32_t *class_of = calloc(spec->n_classes + 1, sizeof(*class_of));
	_cleanup_free_ uint64_t *used = calloc(COUNTERS_RULES_MAX / 64, sizeof(*used));
	_cleanup_free_ bool *kept = calloc(n_old + 1, sizeof(*kept));
	struct ids pool = { .used = used, .n = COUNTERS_RULES_MAX };
	const uint32_t old_chunks = old ? old->rule_chunks : 0;
	size_t n_fresh = 0, n = 0;
	int err;

	if (!identities || !ids || !fresh || !class_of || !used || !kept)
		return -ENOMEM;
	if (set) {
		err = rules_identities(spec, set, identities);
		if (err)
			return err;
	}
	next->counters = calloc(n_rules + n_old + 1, sizeof(*next->counters));
	if (!next->counters)
		return -ENOMEM;

	/* Classes in the order of the configuration, with what they have counted before. */
	for (size_t i = 0; i < spec->n_classes; i++) {
		const struct tcctl_counter *retired = NULL;

		for (size_t j = 0; old && j < old->n_classes; j++)
			if (!strcmp(old->classes[j].name, spec->classes[i].name))
				retired = &old->classes[j].retired;
		class_of[i] = class_index(next, spec->classes[i].name, retired);
		if (class_of[i] == UINT32_MAX)
			return -ENOMEM;
	}
	/* Whatever id the old pipeline had is not given out now, even if its rule went long ago: should this change be
	 * undone, the numbers are still there. */
	for (size_t i = 0; i < n_old; i++)
		ids_take(&pool, old->counters[i].id);

	for (size_t r = 0; r < n_rules; r++) {
		const struct spec_rule *rule = &set->rules[r];
		struct state_counter *c = &next->counters[n];
		struct state_counter *was = find_counter(old ? old->counters : NULL, n_old, identities[r]);

		*c = (struct state_counter){ .identity = identities[r], .rule = r, .class = class_of[rule->class] };
		if (was) {
			c->id = was->id;
			kept[was - old->counters] = true;
		} else {
			c->id = ids_give(&pool);
			if (c->id == UINT32_MAX) {
				diag_errno(diag_error(diags, &set->loc,
						      "rule set '%s' needs more than %u counters together with the rules it "
						      "replaces",
						      set->name, COUNTERS_RULES_MAX),
					   E2BIG);
				return -E2BIG;
			}
			/* a new chunk is made of zeros */
			if ((c->id - COUNTERS_RULES_FIRST) / TCCTL_CHUNK < old_chunks)
				fresh[n_fresh++] = c->id;
		}
		ids[r] = c->id;
		n++;
		next->n_counters = n;
		if (rule->name) {
			c->name = strdup(rule->name);
			if (!c->name)
				return -ENOMEM;
		}
	}
	for (size_t i = 0; i < n_old; i++) {
		const struct state_counter *was = &old->counters[i];
		const char *class_name = old->classes[was->class].name;
		struct state_counter *c = &next->counters[n];
		struct tcctl_counter value;
		uint32_t class = UINT32_MAX;

		if (kept[i])
			continue;
		for (size_t j = 0; j < next->n_classes; j++)
			if (!strcmp(next->classes[j].name, class_name))
				class = j;
		if (was->rule == STATE_GONE) {
			/* gone since an earlier change: nothing counts there any more */
			if (class == UINT32_MAX)
				continue;
			err = read(ctx, was->id, &value);
			if (err)
				return err;
			next->classes[class].retired.packets += value.packets;
			next->classes[class].retired.segments += value.segments;
			next->classes[class].retired.bytes += value.bytes;
			continue;
		}
		if (class == UINT32_MAX)
			class = class_index(next, class_name, NULL);
		if (class == UINT32_MAX)
			return -ENOMEM;
		*c = *was;
		c->rule = STATE_GONE;
		c->class = class;
		c->name = was->name ? strdup(was->name) : NULL;
		n++;
		next->n_counters = n;
		if (was->name && !c->name)
			return -ENOMEM;
	}
	if (n)
		qsort(next->counters, n, sizeof(*next->counters), compare_counters);
	next->rule_chunks = counters_rule_chunks(next);
	if (next->rule_chunks < old_chunks)
		next->rule_chunks = old_chunks;
	*ret_ids = TAKE_PTR(ids);
	*ret_fresh = TAKE_PTR(fresh);
	*ret_n_fresh = n_fresh;
	return 0;
}
