/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Inside the rule compiler.
 *
 * A **box** is one conjunction of simple constraints, one per field. A rule becomes the boxes of the product
 * of its alternatives; whatever a rule says can be said this way. Fields are stored by column, and only those
 * columns exist that some box constrains, so that 100,000 address rules cost what they need.
 */
#ifndef TCCTL_LIB_RULES_BOX_H
#define TCCTL_LIB_RULES_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../rules.h"
#include "tcctl/arena.h"
#include "tcctl/lookup.h"

/* Fields of a box. Range fields hold lo..hi, masked fields value (in lo) and mask (in hi). */
enum box_field {
	BOX_SRC0, /* four words, most significant first; each a prefix of its word */
	BOX_SRC1,
	BOX_SRC2,
	BOX_SRC3,
	BOX_DST0,
	BOX_DST1,
	BOX_DST2,
	BOX_DST3,
	BOX_SPORT,
	BOX_DPORT,
	BOX_PROTO,
	BOX_DSCP,
	BOX_ICMP,
	BOX_VLAN,
	BOX_LENGTH,
	BOX_FRAG, /* 0 whole, 1 first, 2 later */
	BOX_FLAGS, /* masked from here on */
	BOX_MARK,
	BOX_MACHI,
	BOX_MACLO,
	BOX_SSETS,
	BOX_DSETS,
	BOX_NEED, /* ARENA_M_PORTS, ICMP, FLAGS, MAC */
	BOX_FIELDS,
};
#define BOX_MASKED BOX_FLAGS

/* Where a field is in the key, and its width. */
struct box_place {
	uint8_t word; /* enum arena_cut */
	uint8_t shift, width;
};
extern const struct box_place box_places[BOX_FIELDS];

struct box_column {
	uint32_t *lo, *hi; /* NULL while no box constrains the field */
};

struct boxes {
	struct box_column field[BOX_FIELDS];
	uint32_t *rule; /* rule index, ascending */
	size_t n, cap;
};

/* Does box b leave the whole field open? */
static inline uint32_t box_field_max(enum box_field f)
{
	return box_places[f].width == 32 ? UINT32_MAX : (1U << box_places[f].width) - 1;
}

static inline uint32_t box_lo(const struct boxes *x, enum box_field f, size_t b)
{
	return x->field[f].lo ? x->field[f].lo[b] : 0;
}

/* Upper end of a range field, mask of a masked one. */
static inline uint32_t box_hi(const struct boxes *x, enum box_field f, size_t b)
{
	if (x->field[f].lo)
		return x->field[f].hi[b];
	return f >= BOX_MASKED ? 0 : box_field_max(f);
}

/* Length of the prefix in the words f..f+3. */
static inline unsigned int box_prefix_len(const struct boxes *x, enum box_field f, size_t b)
{
	unsigned int len = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t wild = box_lo(x, f + i, b) ^ box_hi(x, f + i, b);

		if (wild)
			return len + (unsigned int)__builtin_clz(wild);
		len += 32;
	}
	return len;
}

/* One box before it is stored. */
struct box {
	uint32_t rule;
	uint32_t lo[BOX_FIELDS], hi[BOX_FIELDS];
};
int boxes_add(struct boxes *x, const struct box *b);
/* The same boxes and columns. Whatever it returns, *ret is to be freed by boxes_done(). */
int boxes_copy(const struct boxes *x, struct boxes *ret);
void boxes_done(struct boxes *x);

/*
 * Big sets: prefix lists that are not worth a box per prefix. One bit each, per side.
 */
struct box_set {
	struct spec_prefix *prefixes; /* owned; sorted */
	size_t n;
	const struct spec_addrs *key; /* the first use, for telling equal uses apart */
};

struct box_sets {
	struct box_set side[2][ARENA_SETS]; /* source, destination */
	unsigned int n[2];
};
void box_sets_done(struct box_sets *s);

/* How a rule set looks at addresses. */
struct box_mode {
	bool relative; /* only relative keys: remote takes the place of the source */
	bool views;    /* both kinds: a view where the source is local, and one where it is not */
	uint32_t used; /* ARENA_USE_* that follow from the rules' keys */
};
void box_mode_of(const struct spec_ruleset *set, struct box_mode *ret);

/* Expand a rule set for one family (4, 6) and view. Rules whose lists are too big to expand use (and add to)
 * `sets`. -E2BIG: `*ret_rule` would need more than `max` boxes in all. */
int boxes_expand(const struct spec *spec, const struct spec_ruleset *set, const struct box_mode *mode,
		 unsigned int family, bool src_local, size_t max, struct box_sets *sets, struct boxes *ret,
		 size_t *ret_rule);

/* The arena while it grows. */
struct arena_buf {
	struct arena_line *lines;
	size_t n, cap, max; /* in lines */
};
/* `n` zeroed lines at the end; *ret_base is the number of the first. -E2BIG beyond the budget. */
int arena_buf_grow(struct arena_buf *a, size_t n, uint32_t *ret_base);

struct tree_stats {
	size_t depth;  /* longest walk: lines over all trees */
	size_t trees, nodes, entries;
	double work;  /* boxes looked at */
	size_t lines; /* of the arena with the walk `depth`, when that is refused */
};

/* What a leaf entry needs to know about a rule. */
struct tree_rule {
	uint32_t counter, class;
};

/* Runs of lines that are told apart by content only: equal ones are stored once. */
struct line_table;
int line_table_new(struct line_table **ret);
void line_table_free(struct line_table *t);
/* The place of `n` lines with this content, in `a` already or added now. */
int line_table_add(struct line_table *t, struct arena_buf *a, const struct arena_line *lines, size_t n,
		   uint32_t *ret_base);

/* Build the trees of one view into `a`; returns the first and the end of the trees' descriptors. -E2BIG: the
 * budget of lines; -EOVERFLOW: more steps than a packet may take. */
int trees_build(const struct boxes *x, unsigned int family, const struct tree_rule *rules, struct arena_buf *a,
		 uint32_t *ret_first, uint32_t *ret_end, struct tree_stats *stats);

/* Build the set trie of one side and family. *ret_entry 0: no set has a prefix of this family. */
int set_trie_build(const struct box_sets *sets, unsigned int side, unsigned int family, struct arena_buf *a,
		   uint32_t *ret_entry, size_t *ret_depth);

#endif
