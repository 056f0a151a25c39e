/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Inside the building of trees: tree.c makes groups of boxes and a tree of each, node.c builds nodes, choose.c
 * chooses their cuts, leaf.c writes entries, region.c is geometry,
 * share.c finds nodes that are the same.
 */
#ifndef TCCTL_LIB_RULES_TREE_H
#define TCCTL_LIB_RULES_TREE_H

#include "box.h"

#define BITS_MAX 18 /* of a cut */

/* The part of the header space that a node is about: bits of fields that are known. */
struct region {
	uint32_t mask[BOX_FIELDS], value[BOX_FIELDS];
};

struct build {
	const struct boxes *x;
	unsigned int family;
	const struct tree_rule *rules;
	struct line_table *shared;
	struct share *share; /* NULL: nodes are shared between neighbours only */
	struct arena_buf *a;
	struct tree_stats *stats;
	enum box_field active[BOX_FIELDS]; /* columns that exist */
	unsigned int n_active;
	uint32_t brief;			  /* those that brief entries check: bit i is active[i] */
	unsigned int leaf_want, leaf_max; /* boxes */
	double copies, copies0;		  /* allowed: per box, and besides */
	double gain, crowd;
	double memory; /* weight of memory in the choice of a cut */
	unsigned int round;
	bool last;	     /* no further round: leaves may have any length */
	bool generous;	     /* with memory where few boxes overlap a lot */
	unsigned int parts;  /* as in struct plan */
	uint8_t *spilled;    /* by box */
	size_t n_spilled;
	uint32_t *counts; /* scratch of 2^BITS_MAX + 1 */
	uint64_t *edges;  /* and as many bits */
	uint64_t work, work_max;
};

/* The window of a cut: `bits` bits of a field from `shift` up. */
struct window {
	enum box_field field;
	unsigned int shift, bits;
};

/* Fields in which box b does not take the whole region: bit i is active[i]. */
uint32_t region_narrow(const struct build *t, uint32_t b, const struct region *r);
/* Drop what never matches: behind a box that takes all that the region leaves of it. Returns how many stay, in
 * their order; *ret_narrow: fields in which any of them does not take the whole region. */
size_t region_prune(struct build *t, uint32_t *ids, size_t n, const struct region *r, uint32_t *ret_narrow);

/* Children of a cut that a box touches: *first .. *first + n - 1, modulo the number of children; for masked
 * fields those j with (j & *mask) == *first. n is 0 when the box is outside the region. */
static inline uint32_t window_span(const struct build *t, uint32_t b, const struct window *w,
				   const struct region *r, uint32_t *first, uint32_t *mask)
{
	uint32_t lo = t->x->field[w->field].lo[b], hi = t->x->field[w->field].hi[b];
	uint32_t all = (1U << w->bits) - 1, rlo, rhi;

	if (w->field >= BOX_MASKED) {
		*mask = hi >> w->shift & all;
		*first = lo >> w->shift & all;
		return 1U << (w->bits - (unsigned int)__builtin_popcount(*mask));
	}
	rlo = r->value[w->field];
	rhi = rlo | (box_field_max(w->field) & ~r->mask[w->field]);
	if (lo > rhi || hi < rlo)
		return 0;
	lo = (lo > rlo ? lo : rlo) >> w->shift;
	hi = (hi < rhi ? hi : rhi) >> w->shift;
	*first = hi - lo >= all ? 0 : lo & all;
	return hi - lo >= all ? all + 1 : hi - lo + 1;
}

/* Sharing of nodes between different places: see share.c. share_new() makes t->x a copy of x, which grows. */
struct share;
int share_new(struct build *t, const struct boxes *x, struct share **ret);
void share_free(struct share *s);
/* Boxes become what the region leaves of them. */
int share_boxes(struct build *t, uint32_t *ids, size_t *n, const struct region *r);
/* A node made before for the same; `fields` as from region_prune(). */
bool share_find(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint32_t fields,
		uint64_t *ret, size_t *ret_depth);
int share_add(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint32_t fields,
	      uint64_t node, size_t depth);

/* The prefix length that boxes of one side (BOX_SRC0, BOX_DST0) are best split behind into two trees, 0: they are not
 * crowded. That is when a box shares its cell with more than t->crowd others on average. */
int crowd_split(const struct build *t, const uint32_t *ids, size_t n, enum box_field side, unsigned int *ret);

struct choice {
	struct window w;
	double score;  /* less is better */
	double copies; /* boxes in all children together, per box */
	double avg;    /* boxes in the child of an average copy */
};

/* The best cut whose copies stay within `allowance`. `per_line`: entries in a line of
 * leaves. `narrow`: boxes in more than half of the children do not count. */
bool choose(struct build *t, const uint32_t *ids, size_t n, const struct region *r, double allowance,
	    unsigned int depth, unsigned int per_line, bool narrow, struct choice *ret);

/* A node descriptor but for what is special about its kind. */
static inline uint64_t tree_node(uint32_t kind, uint32_t base, uint32_t rule)
{
	return (uint64_t)kind << 60 | (uint64_t)rule << 24 | base;
}

/* Each of these returns the descriptor and the number of lines that a packet reads below it at most. -ENOMEM, -E2BIG,
 * -EOVERFLOW: see trees_build(). `ids` are in order of rules; node_build() may change them. */
int leaf_build(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint64_t *ret,
	       size_t *ret_depth);
int node_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
	       unsigned int depth, uint64_t *ret, size_t *ret_depth);
/* Set the boxes aside that are wide in some field, for trees of another round, and build a node of the others. Does nothing
 * when that is not worth it: *ret_done. */
int aside_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
		unsigned int depth, unsigned int per_line, bool *ret_done, uint64_t *ret, size_t *ret_depth);

#endif
