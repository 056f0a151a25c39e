/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Set tries: big prefix lists, all of one side and family in one trie, one bit per list. Strides follow the
 * number of prefixes below a node, so that 1,000,000 IPv4 prefixes up to /24 are one flat table and a few
 * hundred a few lines; up to four prefixes are one line of their own; common bits are skipped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "box.h"

#define STRIDE_MIN 6
#define STRIDE_MAX 24

struct item {
	uint64_t hi, lo; /* left-aligned */
	uint32_t bits;	 /* of the sets */
	uint8_t len;
};

struct trie {
	const struct item *items;
	struct arena_buf *a;
	size_t depth;
};

static int item_cmp(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->hi != y->hi)
		return x->hi < y->hi ? -1 : 1;
	if (x->lo != y->lo)
		return x->lo < y->lo ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* 64 bits from bit `pos` on. */
static uint64_t item_bits(const struct item *x, unsigned int pos)
{
	if (pos >= 128)
		return 0;
	if (pos >= 64)
		return x->lo << (pos - 64);
	return pos ? x->hi << pos | x->lo >> (64 - pos) : x->hi;
}

static unsigned int common_bits(const struct item *x, const struct item *y, unsigned int pos)
{
	uint64_t diff = item_bits(x, pos) ^ item_bits(y, pos);

	return diff ? (unsigned int)__builtin_clzll(diff) : 64;
}

static bool item_in(const struct item *outer, const struct item *x, unsigned int pos)
{
	unsigned int len = outer->len - pos;

	return outer->len <= x->len && common_bits(outer, x, pos) >= (len > 64 ? 64 : len);
}

static int build(struct trie *t, size_t first, size_t end, unsigned int pos, uint32_t value, size_t depth,
		 uint32_t *ret);

static int build_bucket(struct trie *t, size_t first, size_t end, unsigned int pos, uint32_t value, uint32_t *ret)
{
	struct arena_bucket b = { .other = value, .skip = { 255, 255, 255, 255 } };
	size_t order[ARENA_BUCKET], n = 0;
	uint32_t base;
	int err;

	for (size_t i = first; i < end; i++) {
		size_t at = n++;

		while (at && t->items[order[at - 1]].len < t->items[i].len) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
	}
	for (size_t k = 0; k < n; k++) {
		const struct item *x = &t->items[order[k]];
		unsigned int len = x->len - pos;

		b.bits[k] = item_bits(x, pos) & ~(len < 64 ? UINT64_MAX >> len : 0);
		b.skip[k] = (uint8_t)(64 - len);
		b.entry[k] = value;
		for (size_t i = first; i < end; i++)
			if (item_in(&t->items[i], x, pos))
				b.entry[k] |= t->items[i].bits;
	}
	err = arena_buf_grow(t->a, 1, &base);
	if (err)
		return err;
	memcpy(t->a->lines + base, &b, sizeof(b));
	*ret = ARENA_T_BUCKET << ARENA_T_SHIFT | base;
	return 0;
}

/* Skip `len` bits that all items share. */
static int build_skip(struct trie *t, size_t first, size_t end, unsigned int pos, unsigned int len, uint32_t value,
		      size_t depth, uint32_t *ret)
{
	struct arena_bucket b = { .other = value, .skip = { (uint8_t)(64 - len), 255, 255, 255 } };
	uint32_t base;
	int err = arena_buf_grow(t->a, 1, &base);

	if (err)
		return err;
	b.bits[0] = item_bits(&t->items[first], pos) & ~(len < 64 ? UINT64_MAX >> len : 0);
	err = build(t, first, end, pos + len, value, depth + 1, &b.entry[0]);
	if (err)
		return err;
	memcpy(t->a->lines + base, &b, sizeof(b));
	*ret = ARENA_T_BUCKET << ARENA_T_SHIFT | base;
	return 0;
}

/* Children of a node of this stride that have something below. */
static size_t children(const struct trie *t, size_t first, size_t end, unsigned int pos, unsigned int stride)
{
	uint64_t last = UINT64_MAX;
	size_t n = 0;

	for (size_t i = first; i < end; i++) {
		uint64_t slot = item_bits(&t->items[i], pos) >> (64 - stride);

		n += slot != last;
		last = slot;
	}
	return n;
}

static int build_node(struct trie *t, size_t first, size_t end, unsigned int pos, unsigned int longest, uint32_t value,
		      size_t depth, uint32_t *ret)
{
	size_t n = end - first, size;
	unsigned int stride = 63 - (unsigned int)__builtin_clzll(n) + (n >= 4096 ? 4 : 2);
	uint32_t base;
	int err;

	if (stride < STRIDE_MIN)
		stride = STRIDE_MIN;
	if (stride > STRIDE_MAX)
		stride = STRIDE_MAX;
	if (stride > longest - pos)
		stride = longest - pos;
	while (stride > STRIDE_MIN + 1 && (1UL << stride) > 32 * children(t, first, end, pos, stride))
		stride -= 2;
	size = 1UL << stride;
	err = arena_buf_grow(t->a, (size + 15) / 16, &base);
	if (err)
		return err;
#define ENTRY(j) (t->a->lines[base + (j) / 16].w[(j) % 16])
	for (size_t j = 0; j < size; j++)
		ENTRY(j) = value;
	/* those that end here; the outer ones come first, the inner ones add to them */
	for (size_t i = first; i < end; i++) {
		const struct item *x = &t->items[i];
		size_t at = item_bits(x, pos) >> (64 - stride);

		if (x->len > pos + stride)
			continue;
		for (size_t j = 0; j < 1UL << (pos + stride - x->len); j++)
			ENTRY(at + j) |= x->bits;
	}
	for (size_t i = first; i < end;) {
		size_t at = item_bits(&t->items[i], pos) >> (64 - stride), next = i + 1;
		uint32_t entry;

		if (t->items[i].len <= pos + stride) {
			i++;
			continue;
		}
		while (next < end && item_bits(&t->items[next], pos) >> (64 - stride) == at)
			next++;
		err = build(t, i, next, pos + stride, ENTRY(at), depth + 1, &entry);
		if (err)
			return err;
		ENTRY(at) = entry;
		i = next;
	}
#undef ENTRY
	*ret = ARENA_T_NODE << ARENA_T_SHIFT | (uint32_t)stride << 25 | base;
	return 0;
}

/* The entry for items [first, end), which agree in their first `pos` bits; `value` is what holds them all. */
static int build(struct trie *t, size_t first, size_t end, unsigned int pos, uint32_t value, size_t depth,
		 uint32_t *ret)
{
	unsigned int shortest = 255, longest = 0, common;

	while (first < end && t->items[first].len <= pos)
		value |= t->items[first++].bits;
	if (first == end) {
		*ret = value;
		if (depth > t->depth)
			t->depth = depth;
		return 0;
	}
	for (size_t i = first; i < end; i++) {
		if (t->items[i].len < shortest)
			shortest = t->items[i].len;
		if (t->items[i].len > longest)
			longest = t->items[i].len;
	}
	if (end - first <= ARENA_BUCKET && longest - pos <= 64) {
		if (depth + 1 > t->depth)
			t->depth = depth + 1;
		return build_bucket(t, first, end, pos, value, ret);
	}
	common = common_bits(&t->items[first], &t->items[end - 1], pos);
	if (common > shortest - pos)
		common = shortest - pos;
	if (common >= STRIDE_MIN)
		return build_skip(t, first, end, pos, common, value, depth, ret);
	return build_node(t, first, end, pos, longest, value, depth, ret);
}

static uint64_t be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

int set_trie_build(const struct box_sets *sets, unsigned int side, unsigned int family, struct arena_buf *a,
		   uint32_t *ret_entry, size_t *ret_depth)
{
	_cleanup_free_ struct item *items = NULL;
	size_t n = 0, kept = 0;
	struct trie t = { .a = a };
	int err;

	for (unsigned int s = 0; s < sets->n[side]; s++)
		n += sets->side[side][s].n;
	items = malloc((n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	n = 0;
	for (unsigned int s = 0; s < sets->n[side]; s++)
		for (size_t i = 0; i < sets->side[side][s].n; i++) {
			const struct spec_prefix *p = &sets->side[side][s].prefixes[i];

			if (p->family != family)
				continue;
			items[n++] = (struct item){
				.hi = family == 4 ? be64(p->addr) >> 32 << 32 : be64(p->addr),
				.lo = family == 4 ? 0 : be64(p->addr + 8),
				.bits = 1U << s,
				.len = p->len,
			};
		}
	*ret_entry = 0;
	*ret_depth = 0;
	if (!n)
		return 0;
	qsort(items, n, sizeof(*items), item_cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept && !item_cmp(&items[kept - 1], &items[i]))
			items[kept - 1].bits |= items[i].bits;
		else
			items[kept++] = items[i];
	}
	t.items = items;
	err = build(&t, 0, kept, 0, 0, 0, ret_entry);
	if (err)
		return err;
	*ret_depth = t.depth;
	return t.depth > ARENA_TRIE_STEPS ? -EOVERFLOW : 0;
}
