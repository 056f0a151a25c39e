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
/* Up to so many boxes are one tree, in the first round and in later ones. */
#define TOGETHER 64
#define TOGETHER_LATER 1000

/* By the addresses that a box looks at. A box that leaves one open would be copied into every cut of it. */
enum { GROUP_SRC = 1, GROUP_DST = 2, GROUP_BOTH = GROUP_SRC | GROUP_DST, GROUP_REST = 0, GROUPS = 4 };

static unsigned int group_of(const struct build *t, uint32_t b)
{
	return (box_prefix_len(t->x, BOX_SRC0, b) ? GROUP_SRC : 0) |
	       (box_prefix_len(t->x, BOX_DST0, b) ? GROUP_DST : 0);
}

struct tree {
	uint64_t node;
	size_t depth;
};

static int tree_cmp(const void *a, const void *b)
{
	uint32_t x = arena_node_rule(((const struct tree *)a)->node),
		 y = arena_node_rule(((const struct tree *)b)->node);

	return x < y ? -1 : x > y;
}

static int tree_add(struct build *t, uint32_t *ids, size_t n, const struct region *all, double allowance,
		    struct tree *trees, size_t *n_trees)
{
	struct tree *tree = &trees[*n_trees];
	int err;

	if (!n)
		return 0;
	if (*n_trees == TREES_MAX)
		return -EOVERFLOW;
	err = node_build(t, ids, n, all, allowance, 0, &tree->node, &tree->depth);
	if (!err && arena_node_kind(tree->node))
		++*n_trees;
	return err;
}

/* One tree, or one for short prefixes and one for long ones. */
static int group_build(struct build *t, unsigned int group, uint32_t *ids, size_t n, struct tree *trees,
		       size_t *n_trees)
{
	_cleanup_free_ struct region *all = calloc(1, sizeof(*all));
	_cleanup_free_ uint32_t *longer = malloc((n + 1) * sizeof(*longer));
	double allowance = t->copies * (double)n + t->copies0;
	enum box_field side = group == GROUP_SRC ? BOX_SRC0 : BOX_DST0;
	size_t m, shorter = 0, k = 0;
	unsigned int split = 0;
	uint32_t fields;
	int err = 0;

	/* an IPv6 key says so; IPv4 keys have zeros where nobody looks */
	if (!all || !longer)
		return -ENOMEM;
	m = region_prune(t, ids, n, all, &fields);
	if (group == GROUP_SRC || group == GROUP_DST)
		err = crowd_split(t, ids, m, side, &split);
	if (err)
		return err;
	for (size_t i = 0; i < m; i++) {
		if (!split || box_prefix_len(t->x, side, ids[i]) <= split)
			ids[shorter++] = ids[i];
		else
			longer[k++] = ids[i];
	}
	err = tree_add(t, ids, shorter, all, allowance * (double)shorter / (double)(m + 1), trees, n_trees);
	if (!err)
		err = tree_add(t, longer, k, all, allowance * (double)k / (double)(m + 1), trees, n_trees);
	return err;
}

/* Trees of as many rules each. */
static int parts_build(struct build *t, uint32_t *ids, size_t n, struct tree *trees, size_t *n_trees)
{
	size_t n_rules = 0, rules = 0, first = 0;
	unsigned int part = 0;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		n_rules += !i || t->x->rule[ids[i]] != t->x->rule[ids[i - 1]];
	for (size_t i = 1; i <= n && !err; i++) {
		if (i < n && t->x->rule[ids[i]] == t->x->rule[ids[i - 1]])
			continue;
		if (++rules < n_rules * (part + 1) / t->parts)
			continue;
		err = group_build(t, GROUP_REST, ids + first, i - first, trees, n_trees);
		first = i;
		part++;
	}
	return err;
}

static int round_build(struct build *t, uint32_t *ids, size_t n, struct tree *trees, size_t *n_trees)
{
	_cleanup_free_ uint32_t *sorted = malloc((n + 1) * sizeof(*sorted));
	size_t at[GROUPS + 1] = {}, count[GROUPS] = {};
	unsigned int into[GROUPS] = {};
	bool together = n <= (t->round ? TOGETHER_LATER : TOGETHER);
	int err = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		count[group_of(t, ids[i])]++;
	/* a tree for a handful costs every packet a line */
	for (unsigned int g = 0; g < GROUPS && !together; g++)
		into[g] = count[g] && count[g] <= 2 * t->leaf_want && n > count[g] ? GROUP_REST : g;
	for (size_t i = 0; i < n; i++)
		at[into[group_of(t, ids[i])] + 1]++;
	for (unsigned int g = 0; g < GROUPS; g++)
		at[g + 1] += at[g];
	for (size_t i = 0; i < n; i++)
		sorted[at[into[group_of(t, ids[i])]]++] = ids[i];
	for (unsigned int g = 0, first = 0; g < GROUPS && !err; first = (unsigned int)at[g++])
		if (at[g] > first)
			err = group_build(t, g, sorted + first, at[g] - first, trees, n_trees);
	return err;
}

/*
 * How much memory to give for how few lines; tried in this order until the trees are shallow enough. A budget is counted in
 * units besides, and units per box: lines of memory, and boxes looked at, which bounds the time.
 */
struct budget {
	double fixed, per_box;
};

static const struct plan {
	struct budget copies, lines, work; /* copies: of boxes, by cuts; lines 0: all that there are */
	double memory, gain;
	unsigned int leaf4, leaf6; /* boxes of a leaf */
	size_t depth;		   /* lines over all trees, at most; 0: as a packet may walk */
	size_t boxes, rules;	   /* for so many at most; 0: any number */
	bool generous;
	bool split; /* addresses that are crowded a little, too */
	/* So many trees of as many rules each, one after the other, their nodes shared (share.c); 0: by addresses. */
	unsigned int parts;
} plans[] = {
#define SHALLOW 64
#define CROWD4 11
#define CROWD6 3.5
#define FEW 4096
#define MANY 16384
#define PLAN_WIDE                                                                                   \
	.copies = { 400000, 40 }, .lines = { 196608, 12 }, .memory = 0.1, .gain = 0.9, .leaf4 = 48, \
	.leaf6 = 24, .generous = true
	/* The common case: wide trees. */
	{ PLAN_WIDE, .work = { 2e7, 30000 }, .boxes = MANY, .depth = SHALLOW },
	/* Few rules that overlap in many fields: nodes are shared wherever they come out the same. The more parts, the less
	 * overlaps, until it must do; each costs a packet a walk of its own. One part cannot fail for so many boxes as one leaf takes. */
#define PLAN_PARTS(n, l4, l6)                                                                      \
	.copies = { 60000, 0 }, .lines = { 262144, 0 }, .memory = 0.02, .gain = 0.98, .leaf4 = l4, \
	.leaf6 = l6, .parts = n, .rules = 512
	{ PLAN_PARTS(1, 24, 24), .work = { 2e7, 0 }, .boxes = FEW, .depth = SHALLOW },
	{ PLAN_PARTS(8, 16, 8), .work = { 4e7, 2000 }, .boxes = MANY },
	{ PLAN_PARTS(16, 8, 4), .work = { 4e7, 2000 }, .boxes = MANY },
	{ PLAN_PARTS(3, 48, 24), .work = { 4e7, 0 }, .boxes = FEW },
	{ PLAN_PARTS(1, 160, 80), .work = { 4e7, 0 }, .boxes = FEW },
	/* Many of them: deeper than one would like. */
	{ PLAN_WIDE, .work = { 4e8, 30000 } },
	{ PLAN_WIDE, .work = { 4e8, 30000 }, .split = true },
	/* All memory, but not where few boxes overlap a lot. */
	{ .copies = { 40000, 10 },
	  .work = { 4e8, 12000 },
	  .memory = 0.35,
	  .gain = 0.9,
	  .leaf4 = 48,
	  .leaf6 = 24 },
};
/* Of all plans of a view together. */
static const struct budget all_work = { 4e9, 20000 };

static double budget_of(const struct budget *b, size_t n)
{
	return b->fixed + b->per_box * (double)n;
}

static int trees_try(const struct boxes *x, unsigned int family, const struct tree_rule *rules,
		     const struct plan *plan, double work, struct arena_buf *a, uint32_t *ret_first,
		     uint32_t *ret_end, struct tree_stats *stats, size_t *ret_depth)
{
	_cleanup_free_ uint32_t *ids = malloc((x->n + 1) * sizeof(*ids));
	_cleanup_free_ uint8_t *spilled = calloc(x->n + 1, 1);
	_cleanup_free_ uint32_t *counts = calloc((1U << BITS_MAX) + 1, sizeof(*counts));
	_cleanup_free_ uint64_t *edges = calloc((1U << BITS_MAX) / 64 + 1, sizeof(*edges));
	_cleanup_free_ struct tree *trees = calloc(TREES_MAX, sizeof(*trees));
	struct line_table *shared = NULL;
	struct build t = {
		.x = x,
		.family = family,
		.rules = rules,
		.a = a,
		.stats = stats,
		.leaf_want = plan->parts ? (family == 4 ? plan->leaf4 : plan->leaf6) :
			     family == 4 ? 4 :
					   3,
		.leaf_max = family == 4 ? plan->leaf4 : plan->leaf6,
		.copies = plan->copies.per_box,
		.copies0 = plan->copies.fixed,
		.memory = plan->memory,
		.gain = plan->gain,
		.crowd = (family == 4 ? CROWD4 : CROWD6) / (plan->split ? 2 : 1),
		.generous = plan->generous,
		.parts = plan->parts,
		.spilled = spilled,
		.counts = counts,
		.edges = edges,
		.work_max = (uint64_t)work,
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
	for (enum box_field f = 0; f < BOX_FIELDS; f++) {
		if (!x->field[f].lo)
			continue;
		if (f == BOX_SPORT || f == BOX_DPORT || f == BOX_PROTO || f == BOX_NEED)
			t.brief |= 1U << t.n_active;
		t.active[t.n_active++] = f;
	}
	for (size_t i = 0; i < n; i++)
		ids[i] = (uint32_t)i;
	if (plan->parts)
		err = share_new(&t, x, &t.share);
	for (unsigned int round = 0; n && !err; round++) {
		t.last = plan->parts || round + 1 == TREE_ROUNDS;
		t.round = round;
		t.n_spilled = 0;
		memset(spilled, 0, x->n);
		err = (plan->parts ? parts_build : round_build)(&t, ids, n, trees, &n_trees);
		n = 0;
		for (size_t i = 0; i < x->n; i++)
			if (spilled[i])
				ids[n++] = (uint32_t)i;
	}
	line_table_free(shared);
	share_free(t.share);
	stats->work += (double)t.work;
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
	return depth > (plan->depth ? plan->depth : ARENA_STEPS - 1) ? -EOVERFLOW : 0;
}

int trees_build(const struct boxes *x, unsigned int family, const struct tree_rule *rules,
		struct arena_buf *a, uint32_t *ret_first, uint32_t *ret_end, struct tree_stats *stats)
{
	double done = stats->work + budget_of(&all_work, x->n);
	size_t begin = a->n, max = a->max, least = SIZE_MAX, depth = 0;
	bool memory = false;
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(plans); i++) {
		double lines = (double)begin + budget_of(&plans[i].lines, x->n),
		       work = budget_of(&plans[i].work, x->n);
		double left = done - stats->work;
		struct tree_stats s = *stats;

		if ((plans[i].boxes && x->n > plans[i].boxes) ||
		    (plans[i].rules && x->n && x->rule[x->n - 1] >= plans[i].rules) || left <= 0)
			continue;
		a->n = begin;
		a->max = lines > (double)begin && lines < (double)max ? (size_t)lines : max;
		depth = 0;
		err = trees_try(x, family, rules, &plans[i], work < left ? work : left, a, ret_first, ret_end,
				&s, &depth);
		memory |= err == -E2BIG && a->max == max;
		a->max = max;
		stats->work = s.work;
		if (depth >= ARENA_STEPS && depth < least) {
			least = depth;
			stats->lines = a->n;
		}
		if (!err) {
			*stats = s;
			break;
		}
		if (err != -EOVERFLOW && err != -E2BIG)
			return err;
	}
	if (err) {
		depth = least == SIZE_MAX ? 0 : least;
		stats->depth = depth;
		return memory && !depth ? -E2BIG : -EOVERFLOW;
	}
	if (depth > stats->depth)
		stats->depth = depth;
	return 0;
}
