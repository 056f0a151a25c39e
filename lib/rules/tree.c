/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From boxes to trees.
 *
 * Boxes are put into a few groups by what is specific about them, so that a wide box of one kind is not
 * copied into every branch of a tree that is made for another. Each group becomes a tree of cuts; a node tries
 * windows of bits of every field and takes the one that leaves the fewest rules to look at for its memory.
 * Boxes that no cut of a node can tell apart without many copies go on to another round, with trees of
 * their own. Copies are limited per tree, rounds in number, and the sum of the depths by what a packet may walk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define TREE_ROUNDS 6
#define TREES_MAX 40

/* By the addresses that a box looks at. A box that leaves one open would be copied into every cut of it. */
enum { GROUP_SRC = 1, GROUP_DST = 2, GROUP_BOTH = GROUP_SRC | GROUP_DST, GROUP_REST = 0, GROUPS = 4 };

static unsigned int group_of(const struct build *t, uint32_t b)
{
	return (box_prefix_len(t->x, BOX_SRC0, b) ? GROUP_SRC : 0) | (box_prefix_len(t->x, BOX_DST0, b) ? GROUP_DST : 0);
}

struct tree {
	uint64_t node;
	size_t depth;
};

static int tree_cmp(const void *a, const void *b)
{
	uint32_t x = arena_node_rule(((const struct tree *)a)->node), y = arena_node_rule(((const struct tree *)b)->node);

	return x < y ? -1 : x > y;
}

static int round_build(struct build *t, uint32_t *ids, size_t n, struct tree *trees, size_t *n_trees)
{
	_cleanup_free_ uint32_t *sorted = malloc((n + 1) * sizeof(*sorted));
	_cleanup_free_ struct region *all = calloc(1, sizeof(*all));
	size_t at[GROUPS + 1] = {}, count[GROUPS] = {};
	unsigned int into[GROUPS];
	int err = 0;

	if (!sorted || !all)
		return -ENOMEM;
	/* an IPv6 key says so; IPv4 keys have zeros where nobody looks */
	for (size_t i = 0; i < n; i++)
		count[group_of(t, ids[i])]++;
	/* a tree for a handful costs every packet a line */
	for (unsigned int g = 0; g < GROUPS; g++)
		into[g] = count[g] && count[g] <= 2 * t->leaf_want && n > count[g] ? GROUP_REST : g;
	if (into[GROUP_REST] == GROUP_REST && n <= (t->round ? 1000 : t->together))
		into[GROUP_SRC] = into[GROUP_DST] = into[GROUP_BOTH] = GROUP_REST;
	for (size_t i = 0; i < n; i++)
		at[into[group_of(t, ids[i])] + 1]++;
	for (unsigned int g = 0; g < GROUPS; g++)
		at[g + 1] += at[g];
	for (size_t i = 0; i < n; i++)
		sorted[at[into[group_of(t, ids[i])]]++] = ids[i];
	for (unsigned int g = 0; g < GROUPS && !err; g++) {
		size_t first = g ? at[g - 1] : 0, m = at[g] - first;
		struct tree *tree = &trees[*n_trees];

		if (!m)
			continue;
		if (*n_trees == TREES_MAX)
			return -EOVERFLOW;
		err = node_build(t, sorted + first, m, all, t->copies * (double)m + t->copies0, 0, &tree->node, &tree->depth);
		if (!err && arena_node_kind(tree->node))
			++*n_trees;
	}
	return err;
}

/* How much memory to give for how few lines; tried in this order until it fits. */
static const struct plan {
	double copies, copies0, memory, gain;
	unsigned int leaf4, leaf6, together;
	size_t lines; /* memory: lines per box; 0: all of the budget */
	bool generous;
} plans[] = {
	{ 40, 400000, 0.1, 0.9, 48, 24, 64, 10, true },
	{ 20, 40000, 0.35, 0.9, 48, 24, 64, 20, true },
	{ 10, 40000, 0.35, 0.9, 48, 24, 64, 0, false },
};
#define PLAN_LINES 16384 /* besides */
/* Work of a plan, in boxes looked at: bounds the time. */
#define PLAN_WORK 1000000000ULL
#define PLAN_WORK_BOX 12000ULL

static int trees_try(const struct boxes *x, unsigned int family, const struct tree_rule *rules, const struct plan *plan,
		     struct arena_buf *a, uint32_t *ret_first, uint32_t *ret_end, struct tree_stats *stats,
		     size_t *ret_depth)
{
	_cleanup_free_ uint32_t *ids = malloc((x->n + 1) * sizeof(*ids));
	_cleanup_free_ uint8_t *spilled = calloc(x->n + 1, 1);
	_cleanup_free_ uint32_t *counts = malloc(((1U << BITS_MAX) + 1) * sizeof(*counts));
	_cleanup_free_ uint64_t *edges = malloc(((1U << BITS_MAX) / 64 + 1) * sizeof(*edges));
	_cleanup_free_ struct tree *trees = calloc(TREES_MAX, sizeof(*trees));
	struct line_table *shared = NULL;
	struct build t = {
		.x = x, .family = family, .rules = rules, .a = a, .stats = stats,
		.leaf_want = family == 4 ? 4 : 3, .leaf_max = family == 4 ? plan->leaf4 : plan->leaf6,
		.copies = plan->copies, .copies0 = plan->copies0, .memory = plan->memory, .gain = plan->gain,
		.together = plan->together, .generous = plan->generous,
		.spilled = spilled, .counts = counts, .edges = edges,
		.work_max = PLAN_WORK + PLAN_WORK_BOX * x->n,
	};
	size_t n = x->n, n_trees = 0, depth = 0;
	uint32_t base;
	int err;

	if (!ids || !spilled || !counts || !edges || !trees)
		return -ENOMEM;
	err = line_table_new(&shared);
	if (err)
		return err;
	t.shared = shared;
	for (enum box_field f = 0; f < BOX_FIELDS; f++)
		if (x->field[f].lo)
			t.active[t.n_active++] = f;
	for (size_t i = 0; i < n; i++)
		ids[i] = (uint32_t)i;
	for (unsigned int round = 0; n && !err; round++) {
		t.last = round + 1 == TREE_ROUNDS;
		t.round = round;
		t.n_spilled = 0;
		memset(spilled, 0, x->n);
		err = round_build(&t, ids, n, trees, &n_trees);
		n = 0;
		for (size_t i = 0; i < x->n; i++)
			if (spilled[i])
				ids[n++] = (uint32_t)i;
	}
	line_table_free(shared);
	if (!err)
		err = arena_buf_grow(a, (n_trees + 7) / 8, &base);
	if (err)
		return err;
	qsort(trees, n_trees, sizeof(*trees), tree_cmp);
	for (size_t i = 0; i < n_trees; i++) {
		((struct arena_nodes *)(a->lines + base + i / 8))->d[i % 8] = trees[i].node;
		depth += trees[i].depth;
	}
	*ret_first = base * 8;
	*ret_end = base * 8 + (uint32_t)n_trees;
	*ret_depth = depth;
	stats->trees += n_trees;
	return depth >= ARENA_STEPS ? -EOVERFLOW : 0;
}

int trees_build(const struct boxes *x, unsigned int family, const struct tree_rule *rules, struct arena_buf *a,
		uint32_t *ret_first, uint32_t *ret_end, struct tree_stats *stats)
{
	size_t begin = a->n, max = a->max, least = SIZE_MAX, depth = 0;
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(plans); i++) {
		size_t lines = begin + PLAN_LINES + plans[i].lines * x->n;
		struct tree_stats s = *stats;

		a->n = begin;
		a->max = plans[i].lines && lines < max ? lines : max;
		depth = 0;
		err = trees_try(x, family, rules, &plans[i], a, ret_first, ret_end, &s, &depth);
		a->max = max;
		if (depth && depth < least)
			least = depth;
		if (!err) {
			*stats = s;
			break;
		}
		if (err != -EOVERFLOW && err != -E2BIG)
			return err;
	}
	if (err)
		depth = least == SIZE_MAX ? 0 : least;
	if (depth > stats->depth)
		stats->depth = depth;
	return err;
}
