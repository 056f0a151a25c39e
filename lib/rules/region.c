/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Boxes against the part of the header space that a node is about. */
#include "tree.h"

/* Boxes that others are compared with: all pairs of so many are, of longer lists only the widest. */
#define PRUNE 256

static bool field_covered(const struct build *t, uint32_t b, enum box_field f, const struct region *r)
{
	const uint32_t lo = t->x->field[f].lo[b], hi = t->x->field[f].hi[b], known = r->mask[f], value = r->value[f];

	if (f >= BOX_MASKED)
		return !(hi & ~known || (lo ^ value) & hi);
	return lo <= value && hi >= (value | (box_field_max(f) & ~known));
}

uint32_t region_narrow(const struct build *t, uint32_t b, const struct region *r)
{
	uint32_t narrow = 0;

	for (unsigned int i = 0; i < t->n_active; i++)
		if (!field_covered(t, b, t->active[i], r))
			narrow |= 1U << i;
	return narrow;
}

/* Does box a take all that the region leaves of box b, in the fields `narrow`? */
static bool hides(const struct build *t, uint32_t a, uint32_t b, uint32_t narrow, const struct region *r)
{
	for (; narrow; narrow &= narrow - 1) {
		enum box_field f = t->active[__builtin_ctz(narrow)];
		const struct box_column *c = &t->x->field[f];
		uint32_t alo = c->lo[a], ahi = c->hi[a], blo = c->lo[b], bhi = c->hi[b];

		if (f >= BOX_MASKED) {
			ahi &= ~r->mask[f];
			if (ahi & ~bhi || (alo ^ blo) & ahi)
				return false;
		} else {
			uint32_t rlo = r->value[f], rhi = rlo | (box_field_max(f) & ~r->mask[f]);

			if (alo > (blo > rlo ? blo : rlo) || ahi < (bhi < rhi ? bhi : rhi))
				return false;
		}
	}
	return true;
}

size_t region_prune(struct build *t, uint32_t *ids, size_t n, const struct region *r, uint32_t *ret_narrow)
{
	uint32_t wide[PRUNE], narrow[PRUNE];
	unsigned int n_wide = 0, most = n <= PRUNE ? BOX_FIELDS : 2;
	uint32_t any = 0;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t fields = region_narrow(t, ids[i], r);
		unsigned int k;

		for (k = 0; k < n_wide; k++)
			if (!(narrow[k] & ~fields) && hides(t, wide[k], ids[i], narrow[k], r))
				break;
		t->work += k / 4 + t->n_active / 2;
		if (k < n_wide)
			continue;
		if (n_wide < PRUNE && (unsigned int)__builtin_popcount(fields) <= most) {
			wide[n_wide] = ids[i];
			narrow[n_wide++] = fields;
		}
		any |= fields;
		ids[kept++] = ids[i];
		/* nothing counts behind a box that takes the whole region */
		if (!fields)
			break;
	}
	*ret_narrow = any;
	return kept;
}
