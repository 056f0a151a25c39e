/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Storage of boxes and of the growing arena. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "box.h"

const struct box_place box_places[BOX_FIELDS] = {
	[BOX_SRC0] = { ARENA_CUT_SRC0, 0, 32 },
	[BOX_SRC1] = { ARENA_CUT_SRC1, 0, 32 },
	[BOX_SRC2] = { ARENA_CUT_SRC2, 0, 32 },
	[BOX_SRC3] = { ARENA_CUT_SRC3, 0, 32 },
	[BOX_DST0] = { ARENA_CUT_DST0, 0, 32 },
	[BOX_DST1] = { ARENA_CUT_DST1, 0, 32 },
	[BOX_DST2] = { ARENA_CUT_DST2, 0, 32 },
	[BOX_DST3] = { ARENA_CUT_DST3, 0, 32 },
	[BOX_SPORT] = { ARENA_CUT_PORTS, 16, 16 },
	[BOX_DPORT] = { ARENA_CUT_PORTS, 0, 16 },
	[BOX_PROTO] = { ARENA_CUT_SMALL, 0, 8 },
	[BOX_DSCP] = { ARENA_CUT_SMALL, 8, 8 },
	[BOX_ICMP] = { ARENA_CUT_MISC, 0, 16 },
	[BOX_VLAN] = { ARENA_CUT_MISC, 16, 16 },
	[BOX_LENGTH] = { ARENA_CUT_LENGTH, 0, 32 },
	[BOX_FRAG] = { ARENA_CUT_SMALL, 24 + ARENA_M_FRAG_SHIFT, 2 },
	[BOX_FLAGS] = { ARENA_CUT_SMALL, 16, 8 },
	[BOX_MARK] = { ARENA_CUT_MARK, 0, 32 },
	[BOX_MACHI] = { ARENA_CUT_MACHI, 0, 16 },
	[BOX_MACLO] = { ARENA_CUT_MACLO, 0, 32 },
	[BOX_SSETS] = { ARENA_CUT_SSETS, 0, 32 },
	[BOX_DSETS] = { ARENA_CUT_DSETS, 0, 32 },
	[BOX_NEED] = { ARENA_CUT_SMALL, 24, 4 },
};

static int boxes_reserve(struct boxes *x)
{
	size_t cap = x->cap ? x->cap * 2 : 64;
	uint32_t *p;

	if (x->n < x->cap)
		return 0;
	p = realloc(x->rule, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	x->rule = p;
	for (unsigned int f = 0; f < BOX_FIELDS; f++) {
		if (!x->field[f].lo)
			continue;
		p = realloc(x->field[f].lo, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		x->field[f].lo = p;
		p = realloc(x->field[f].hi, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		x->field[f].hi = p;
	}
	x->cap = cap;
	return 0;
}

/* The first box that constrains a field makes its column; those before it had the field open. */
static int boxes_add_column(struct boxes *x, enum box_field f)
{
	uint32_t open = f >= BOX_MASKED ? 0 : box_field_max(f);
	_cleanup_free_ uint32_t *lo = calloc(x->cap, sizeof(*lo));
	_cleanup_free_ uint32_t *hi = calloc(x->cap, sizeof(*hi));

	if (!lo || !hi)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++)
		hi[i] = open;
	x->field[f].lo = TAKE_PTR(lo);
	x->field[f].hi = TAKE_PTR(hi);
	return 0;
}

int boxes_add(struct boxes *x, const struct box *b)
{
	int err = boxes_reserve(x);

	if (err)
		return err;
	for (enum box_field f = 0; f < BOX_FIELDS; f++) {
		uint32_t open = f >= BOX_MASKED ? 0 : box_field_max(f);

		if (!x->field[f].lo) {
			if (!b->lo[f] && b->hi[f] == open)
				continue;
			err = boxes_add_column(x, f);
			if (err)
				return err;
		}
		x->field[f].lo[x->n] = b->lo[f];
		x->field[f].hi[x->n] = b->hi[f];
	}
	x->rule[x->n++] = b->rule;
	return 0;
}

static int column_copy(const uint32_t *from, size_t n, size_t cap, uint32_t **ret)
{
	*ret = malloc(cap * sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, from, n * sizeof(**ret));
	return 0;
}

int boxes_copy(const struct boxes *x, struct boxes *ret)
{
	int err = 0;

	*ret = (struct boxes){ .n = x->n, .cap = x->cap };
	if (!x->n)
		return 0;
	err = column_copy(x->rule, x->n, x->cap, &ret->rule);
	for (unsigned int f = 0; f < BOX_FIELDS && !err; f++) {
		if (!x->field[f].lo)
			continue;
		err = column_copy(x->field[f].lo, x->n, x->cap, &ret->field[f].lo);
		if (!err)
			err = column_copy(x->field[f].hi, x->n, x->cap, &ret->field[f].hi);
	}
	return err;
}

void boxes_done(struct boxes *x)
{
	for (unsigned int f = 0; f < BOX_FIELDS; f++) {
		free(x->field[f].lo);
		free(x->field[f].hi);
	}
	free(x->rule);
	memset(x, 0, sizeof(*x));
}

void box_sets_done(struct box_sets *s)
{
	for (unsigned int side = 0; side < 2; side++)
		for (unsigned int i = 0; i < s->n[side]; i++)
			free(s->side[side][i].prefixes);
	memset(s, 0, sizeof(*s));
}

int arena_buf_grow(struct arena_buf *a, size_t n, uint32_t *ret_base)
{
	struct arena_line *p;
	size_t cap = a->cap;

	if (n > a->max || a->n > a->max - n)
		return -E2BIG;
	if (a->n + n > cap) {
		cap = cap ? cap + cap / 2 : 256;
		if (cap < a->n + n)
			cap = a->n + n;
		p = realloc(a->lines, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		a->lines = p;
		a->cap = cap;
	}
	memset(a->lines + a->n, 0, n * sizeof(*a->lines));
	*ret_base = (uint32_t)a->n;
	a->n += n;
	return 0;
}

struct line_slot {
	uint32_t hash, base, n; /* n 0: free */
};

struct line_table {
	struct line_slot *slots;
	size_t n, mask;
};

int line_table_new(struct line_table **ret)
{
	_cleanup_free_ struct line_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->mask = 255;
	t->slots = calloc(t->mask + 1, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	*ret = TAKE_PTR(t);
	return 0;
}

void line_table_free(struct line_table *t)
{
	if (!t)
		return;
	free(t->slots);
	free(t);
}

static int line_table_double(struct line_table *t)
{
	size_t mask = t->mask * 2 + 1;
	struct line_slot *slots = calloc(mask + 1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i <= t->mask; i++) {
		size_t j = t->slots[i].hash & mask;

		if (!t->slots[i].n)
			continue;
		while (slots[j].n)
			j = (j + 1) & mask;
		slots[j] = t->slots[i];
	}
	free(t->slots);
	t->slots = slots;
	t->mask = mask;
	return 0;
}

int line_table_add(struct line_table *t, struct arena_buf *a, const struct arena_line *lines, size_t n,
		   uint32_t *ret_base)
{
	const uint32_t *w = (const uint32_t *)lines;
	uint64_t h = n;
	size_t i;
	int err;

	for (i = 0; i < n * (ARENA_LINE / 4); i++)
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL + (h >> 29);
	h ^= h >> 32;
	for (i = (uint32_t)h & t->mask; t->slots[i].n; i = (i + 1) & t->mask) {
		const struct line_slot *s = &t->slots[i];

		if (s->hash == (uint32_t)h && s->n == n && !memcmp(a->lines + s->base, lines, n * sizeof(*lines))) {
			*ret_base = s->base;
			return 0;
		}
	}
	err = arena_buf_grow(a, n, ret_base);
	if (err)
		return err;
	memcpy(a->lines + *ret_base, lines, n * sizeof(*lines));
	t->slots[i] = (struct line_slot){ (uint32_t)h, *ret_base, (uint32_t)n };
	return ++t->n * 2 > t->mask ? line_table_double(t) : 0;
}
