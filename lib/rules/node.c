/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* From a list of boxes to a node and all below it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define DEPTH_MAX 24
/* Memory is shared out by the number of boxes, which starves the few places where many overlap: a node of few boxes may
 * always have this many copies of each. */
#define FEW 64
#define FEW_COPIES 4

static void spill(struct build *t, uint32_t b)
{
	if (t->spilled[b])
		return;
	t->spilled[b] = 1;
	t->n_spilled++;
}

/* Lists of a cut's children, one after the other. */
struct children {
	uint32_t *ids;
	size_t *at; /* where child j's list begins; one more at the end */
};

static int children_make(struct build *t, const uint32_t *ids, size_t n, const struct window *w,
			 const struct region *r, struct children *ret)
{
	uint32_t size = 1U << w->bits, first, mask = 0, k, j;
	_cleanup_free_ size_t *at = calloc(size + 1, sizeof(*at));
	_cleanup_free_ uint32_t *out = NULL;
	size_t total = 0;

	if (!at)
		return -ENOMEM;
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			k = window_span(t, ids[i], w, r, &first, &mask);
			for (uint32_t q = 0, sub = 0; q < k; q++) {
				if (w->field >= BOX_MASKED) {
					j = first | sub;
					sub = (sub - (~mask & (size - 1))) & ~mask & (size - 1);
				} else {
					j = (first + q) & (size - 1);
				}
				if (pass)
					out[at[j]++] = ids[i];
				else
					at[j]++;
			}
		}
		if (pass)
			break;
		for (j = 0; j < size; j++) {
			size_t c = at[j];

			at[j] = total;
			total += c;
		}
		at[size] = total;
		out = malloc((total + 1) * sizeof(*out));
		if (!out)
			return -ENOMEM;
	}
	/* every at[j] has moved to the end of its list, which is where the next begins */
	memmove(at + 1, at, size * sizeof(*at));
	at[0] = 0;
	t->work += total;
	ret->at = TAKE_PTR(at);
	ret->ids = TAKE_PTR(out);
	return 0;
}

/* Are children j and j + 1 the same? */
static bool children_same(const struct children *kids, uint32_t j)
{
	size_t m = kids->at[j + 1] - kids->at[j];

	return kids->at[j + 2] - kids->at[j + 1] == m &&
	       !memcmp(kids->ids + kids->at[j], kids->ids + kids->at[j + 1], m * sizeof(*kids->ids));
}

/* Boxes in all children together, those counted once that share what is below them. */
static size_t children_runs(const struct children *kids, uint32_t size)
{
	size_t total = kids->at[size];

	for (uint32_t j = 0; j + 1 < size; j++)
		if (children_same(kids, j))
			total -= kids->at[j + 1] - kids->at[j];
	return total;
}

static int cut_build(struct build *t, const uint32_t *ids, size_t n, const struct region *r,
		     const struct choice *c, double allowance, unsigned int depth, uint64_t *ret,
		     size_t *ret_depth)
{
	const struct box_place *place = &box_places[c->w.field];
	uint32_t size = 1U << c->w.bits, base = 0, best = ARENA_NO_RULE;
	struct children kids = {};
	struct arena_nodes *lines = NULL;
	struct region *sub = NULL;
	size_t deepest = 0, total;
	int err;

	err = children_make(t, ids, n, &c->w, r, &kids);
	if (err)
		return err;
	sub = malloc(sizeof(*sub));
	lines = calloc((size + 7) / 8, sizeof(*lines));
	if (!sub || !lines) {
		err = -ENOMEM;
		goto out;
	}
	*sub = *r;
	total = children_runs(&kids, size);
	for (uint32_t j = 0, end; j < size; j = end) {
		size_t m = kids.at[j + 1] - kids.at[j], d;
		uint32_t common;
		uint64_t node = 0;

		/* neighbours with the same boxes share what is below them */
		for (end = j + 1; end < size && children_same(&kids, end - 1); end++)
			;
		/* only the bits that all of them share are known below */
		common = (size - 1) &
			 (end - 1 == j ? UINT32_MAX : ~(UINT32_MAX >> __builtin_clz(j ^ (end - 1))));
		sub->mask[c->w.field] = r->mask[c->w.field] | common << c->w.shift;
		sub->value[c->w.field] = (r->value[c->w.field] & ~(common << c->w.shift)) |
					 (j & common) << c->w.shift;
		err = node_build(t, kids.ids + kids.at[j], m, sub,
				 t->share ? allowance : allowance * (double)m / (double)(total + 1), depth + 1,
				 &node, &d);
		if (err)
			goto out;
		if (d > deepest)
			deepest = d;
		if (arena_node_rule(node) < best)
			best = arena_node_rule(node);
		for (uint32_t q = j; q < end; q++)
			lines[q / 8].d[q % 8] = node;
	}
	err = line_table_add(t->shared, t->a, (struct arena_line *)lines, (size + 7) / 8, &base);
	if (err)
		goto out;
	t->stats->nodes++;
	*ret = tree_node(ARENA_KIND_CUT, base, best) | (uint64_t)place->word << 44 |
	       (uint64_t)(place->shift + c->w.shift) << 49 | (uint64_t)c->w.bits << 54;
	*ret_depth = deepest + 1;
out:
	free(kids.at);
	free(kids.ids);
	free(lines);
	free(sub);
	return err;
}

int aside_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
		unsigned int depth, unsigned int per_line, bool *ret_done, uint64_t *ret, size_t *ret_depth)
{
	uint32_t first, mask, size;
	struct choice c;
	size_t kept = 0;

	*ret_done = choose(t, ids, n, r, allowance, depth, per_line, true, &c) && c.avg < 0.7 * (double)n;
	if (!*ret_done)
		return 0;
	size = 1U << c.w.bits;
	for (size_t i = 0; i < n; i++) {
		if (window_span(t, ids[i], &c.w, r, &first, &mask) > size / 2)
			spill(t, ids[i]);
		else
			ids[kept++] = ids[i];
	}
	if (kept <= t->leaf_want)
		return leaf_build(t, ids, kept, r, ret, ret_depth);
	return cut_build(t, ids, kept, r, &c, allowance + (double)kept * c.copies, depth, ret, ret_depth);
}

/* Of boxes that region_prune() has left; `fields` from there. */
static int pruned_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, uint32_t fields,
			double allowance, unsigned int depth, uint64_t *ret, size_t *ret_depth)
{
	unsigned int per_line = t->family == 4 ? 2 : 1, want = t->leaf_want, most = t->leaf_max;
	struct choice c;
	bool aside;
	int err;

	if (!(fields & ~t->brief)) {
		most *= ARENA_BRIEFS / per_line;
		want = want > ARENA_BRIEFS ? want : ARENA_BRIEFS;
		per_line = ARENA_BRIEFS;
	}
	if (n <= want)
		return leaf_build(t, ids, n, r, ret, ret_depth);
	if (allowance < (double)n)
		allowance = (double)n;
	if (t->generous && n <= FEW && allowance < FEW_COPIES * (double)n)
		allowance = FEW_COPIES * (double)n;
	if (depth < DEPTH_MAX && choose(t, ids, n, r, allowance, depth, per_line, false, &c))
		return cut_build(t, ids, n, r, &c, allowance, depth, ret, ret_depth);
	if (n <= most || t->last || depth >= DEPTH_MAX)
		return leaf_build(t, ids, n, r, ret, ret_depth);
	err = aside_build(t, ids, n, r, allowance, depth, per_line, &aside, ret, ret_depth);
	return err || aside ? err : leaf_build(t, ids, n, r, ret, ret_depth);
}

int node_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
	       unsigned int depth, uint64_t *ret, size_t *ret_depth)
{
	uint32_t fields = 0;
	int err;

	n = region_prune(t, ids, n, r, &fields);
	if (t->work > t->work_max)
		return -EOVERFLOW;
	if (!t->share)
		return pruned_build(t, ids, n, r, fields, allowance, depth, ret, ret_depth);
	err = share_boxes(t, ids, &n, r);
	if (err || share_find(t, ids, n, r, fields, ret, ret_depth))
		return err;
	err = pruned_build(t, ids, n, r, fields, allowance, depth, ret, ret_depth);
	return err ? err : share_add(t, ids, n, r, fields, *ret, *ret_depth);
}
