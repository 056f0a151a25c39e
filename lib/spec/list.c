// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Lists of alternatives: ranges, masked values, addresses; and what is left of one without another. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

bool spec_range_push(struct spec_ctx *c, struct spec_ranges *r, uint32_t lo, uint32_t hi)
{
	if (!spec_grow(c, &r->items, r->n, sizeof(*r->items)))
		return false;
	r->items[r->n++] = (struct spec_range){ lo, hi };
	return true;
}

static int by_lo(const void *a, const void *b)
{
	const struct spec_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void *shrink(void *p, size_t n, size_t size)
{
	void *smaller;

	if (!n) {
		free(p);
		return NULL;
	}
	smaller = realloc(p, n * size);
	return smaller ? smaller : p;
}

void spec_ranges_normalise(struct spec_ranges *r)
{
	size_t kept = 0;

	if (r->n > 1)
		qsort(r->items, r->n, sizeof(*r->items), by_lo);
	for (size_t i = 0; i < r->n; i++) {
		struct spec_range *last = kept ? &r->items[kept - 1] : NULL;

		if (last && r->items[i].lo <= (uint64_t)last->hi + 1) {
			if (r->items[i].hi > last->hi)
				last->hi = r->items[i].hi;
		} else {
			r->items[kept++] = r->items[i];
		}
	}
	r->n = kept;
	r->items = shrink(r->items, kept, sizeof(*r->items));
}

static bool range_number(const char *text, size_t len, const struct spec_range_kind *kind, uint32_t *ret,
			 const char **ret_wrong)
{
	*ret_wrong = spec_number(text, len, ret);
	if (!*ret_wrong && *ret > kind->max)
		*ret_wrong = "";
	return !*ret_wrong;
}

bool spec_range_text(struct spec_ctx *c, const struct yaml_node *v, const struct spec_range_kind *kind,
		     const char *text, struct spec_range *ret)
{
	struct spec_range r = { 0, kind->max };
	const char *dash, *wrong = "";
	size_t len = strlen(text);
	uint32_t value;
	struct diag *g;
	bool ok;

	if (kind->words && spec_word_find(kind->words, text, &value)) {
		*ret = (struct spec_range){ value, value };
		return true;
	}
	dash = strchr(text, '-');
	if (!dash) {
		ok = range_number(text, len, kind, &r.lo, &wrong);
		r.hi = r.lo;
	} else {
		ok = len > 1 &&
		     (dash == text || range_number(text, (size_t)(dash - text), kind, &r.lo, &wrong)) &&
		     (!dash[1] || range_number(dash + 1, strlen(dash + 1), kind, &r.hi, &wrong));
	}
	if (ok && r.lo > r.hi) {
		diag_hint(spec_error(c, v, "%s: the range %s runs backwards", kind->key, text), "write %u-%u",
			  r.hi, r.lo);
		return false;
	}
	if (ok) {
		*ret = r;
		return true;
	}
	g = spec_expected(c, v, kind->key, "%s", kind->what);
	if (wrong && *wrong)
		diag_hint(g, "%s", wrong);
	else if (kind->words && !diags_full(c->diags, DIAG_ERROR) && spec_word_nearest(kind->words, text))
		spec_did_you_mean(g, spec_word_nearest(kind->words, text));
	else if (strchr(text, ':') && text[0] >= '0' && text[0] <= '9')
		diag_hint(g, "ranges are written with a dash: 80-90");
	else if (strchr(text, ',') || strchr(text, ' '))
		diag_hint(g, "write several values as a list: [a, b]");
	else if (text[0] == '!')
		diag_hint(g, "to negate, write not: { %s: ... }", kind->key);
	else if (!kind->words && isalpha((unsigned char)text[0]))
		diag_hint(g, "names are not looked up: write the number");
	return false;
}

void spec_ranges_parse(struct spec_ctx *c, const struct yaml_node *v, const struct spec_range_kind *kind,
		       struct spec_ranges *ret)
{
	size_t n;
	const struct yaml_node *const *items = spec_list(c, &v, kind->key, &n);
	struct spec_range r;

	ret->set = true;
	for (size_t i = 0; i < n; i++)
		if (spec_text(c, items[i], kind->key, kind->what) &&
		    spec_range_text(c, items[i], kind, items[i]->text, &r))
			spec_range_push(c, ret, r.lo, r.hi);
	spec_ranges_normalise(ret);
}

void spec_ranges_subtract(struct spec_ctx *c, struct spec_ranges *a, const struct spec_ranges *b)
{
	struct spec_ranges left = { .set = a->set, .neg = a->neg };
	size_t j = 0;

	for (size_t i = 0; i < a->n; i++) {
		uint64_t lo = a->items[i].lo, hi = a->items[i].hi;

		while (j < b->n && b->items[j].hi < lo)
			j++;
		for (size_t k = j; k < b->n && b->items[k].lo <= hi && lo <= hi; k++) {
			if (b->items[k].lo > lo)
				spec_range_push(c, &left, (uint32_t)lo, b->items[k].lo - 1);
			lo = (uint64_t)b->items[k].hi + 1;
		}
		if (lo <= hi)
			spec_range_push(c, &left, (uint32_t)lo, (uint32_t)hi);
	}
	free(a->items);
	*a = left;
	spec_ranges_normalise(a);
}

/* a without b, as the disjoint pieces that differ from b in exactly the first i of the bits b asks for. */
static void masked_subtract(struct spec_ctx *c, struct spec_maskeds *out, struct spec_masked a,
			    struct spec_masked b)
{
	uint32_t bits = b.mask & ~a.mask;

	if ((a.value ^ b.value) & a.mask & b.mask) { /* disjoint */
		bits = 0;
		if (spec_grow(c, &out->items, out->n, sizeof(*out->items)))
			out->items[out->n++] = a;
	}
	for (; bits; bits &= bits - 1) {
		uint32_t bit = bits & -bits;
		struct spec_masked piece = { a.value | (~b.value & bit), a.mask | bit };

		if (spec_grow(c, &out->items, out->n, sizeof(*out->items)))
			out->items[out->n++] = piece;
		a.value |= b.value & bit;
		a.mask |= bit;
	}
}

bool spec_maskeds_subtract(struct spec_ctx *c, struct spec_maskeds *a, const struct spec_maskeds *b)
{
	for (size_t j = 0; j < b->n; j++) {
		struct spec_maskeds left = { .set = true };

		for (size_t i = 0; i < a->n && left.n <= SPEC_MASKEDS_MAX; i++)
			masked_subtract(c, &left, a->items[i], b->items[j]);
		free(a->items);
		*a = left;
		if (a->n > SPEC_MASKEDS_MAX)
			return false;
	}
	return true;
}

static int by_mac(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct spec_mac));
}

void spec_macs_normalise(struct spec_macs *m)
{
	size_t kept = 0;

	if (m->n > 1)
		qsort(m->items, m->n, sizeof(*m->items), by_mac);
	for (size_t i = 0; i < m->n; i++)
		if (!kept || by_mac(&m->items[kept - 1], &m->items[i]))
			m->items[kept++] = m->items[i];
	m->n = kept;
}

void spec_macs_subtract(struct spec_macs *a, const struct spec_macs *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->n; i++)
		if (!b->n || !bsearch(&a->items[i], b->items, b->n, sizeof(a->items[i]), by_mac))
			a->items[kept++] = a->items[i];
	a->n = kept;
	a->items = shrink(a->items, kept, sizeof(*a->items));
}

/* --- addresses --------------------------------------------------------------------------------------- */

static bool prefix_bit(const struct spec_prefix *p, unsigned int i)
{
	return p->addr[i / 8] >> (7 - i % 8) & 1;
}

/* Is `b` equal to `a` or inside it? */
static bool prefix_contains(const struct spec_prefix *a, const struct spec_prefix *b)
{
	unsigned int bytes = a->len / 8, bits = a->len % 8;

	if (a->family != b->family || a->len > b->len || memcmp(a->addr, b->addr, bytes))
		return false;
	return !bits || !((a->addr[bytes] ^ b->addr[bytes]) & (uint8_t)(0xff00U >> bits));
}

struct prefix_list {
	struct spec_prefix *items;
	size_t n;
};

static bool list_push(struct spec_ctx *c, struct prefix_list *l, const struct spec_prefix *p)
{
	if (c->prefixes >= SPEC_PREFIXES_MAX || !spec_grow(c, &l->items, l->n, sizeof(*l->items)))
		return false;
	l->items[l->n++] = *p;
	c->prefixes++;
	return true;
}

/* Prefixes and the contents of sets in one sorted list. */
static bool list_of(struct spec_ctx *c, const struct spec_addrs *a, struct prefix_list *l)
{
	for (size_t i = 0; i < a->n_prefixes; i++)
		if (!list_push(c, l, &a->prefixes[i]))
			return false;
	for (size_t i = 0; i < a->n_sets; i++) {
		const struct spec_set *set = &c->spec->sets[a->sets[i]];

		for (size_t k = 0; k < set->n_items; k++)
			if (!list_push(c, l, &set->items[k]))
				return false;
	}
	l->n = spec_prefixes_sort(l->items, l->n);
	return true;
}

/* Push p without the prefixes but[0..n), all of which are inside p and sorted. */
static bool push_without(struct spec_ctx *c, struct prefix_list *out, struct spec_prefix p,
			 const struct spec_prefix *but, size_t n)
{
	struct spec_prefix half = p;
	size_t split = 0;

	if (!n)
		return list_push(c, out, &p);
	if (but[0].len <= p.len)
		return true;
	/* Every but[i] is longer than p, so the next bit tells its half; the order puts the 0s first. */
	while (split < n && !prefix_bit(&but[split], p.len))
		split++;
	half.len++;
	if (!push_without(c, out, half, but, split))
		return false;
	half.addr[p.len / 8] |= (uint8_t)(0x80 >> (p.len % 8));
	return push_without(c, out, half, but + split, n - split); /* n > 0: `but` is an array */
}

bool spec_addrs_subtract(struct spec_ctx *c, const struct yaml_node *v, struct spec_addrs *a,
			 const struct spec_addrs *b)
{
	struct prefix_list yes = { 0 }, no = { 0 }, out = { 0 };
	bool ok = list_of(c, a, &yes) && list_of(c, b, &no);
	size_t j = 0;

	for (size_t i = 0; ok && yes.items && i < yes.n; i++) {
		const struct spec_prefix *p = &yes.items[i];
		size_t end;
		bool covered = false;

		/* A prefix inside the one before adds nothing. */
		if (i && prefix_contains(&yes.items[i - 1], p)) {
			yes.items[i] = yes.items[i - 1];
			continue;
		}
		/* Exceptions that contain p sort before it or are equal; at most 128 lengths nest. */
		while (j < no.n && spec_prefix_compare(&no.items[j], p) < 0)
			j++;
		for (unsigned int len = 0; len <= p->len && !covered; len++) {
			struct spec_prefix up = *p;

			up.len = (uint8_t)len;
			for (unsigned int bit = len; bit < p->len; bit++)
				up.addr[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
			covered = no.n && bsearch(&up, no.items, no.n, sizeof(up), spec_prefix_compare);
		}
		if (covered)
			continue;
		for (end = j; end < no.n && prefix_contains(p, &no.items[end]); end++)
			;
		ok = push_without(c, &out, *p, end > j ? &no.items[j] : NULL, end - j);
	}
	free(yes.items);
	free(no.items);
	if (!ok) {
		free(out.items);
		if (!c->oom)
			spec_error(c, v, "addresses with exceptions take more than %lu prefixes",
				   SPEC_PREFIXES_MAX);
		return false;
	}
	free(a->prefixes);
	free(a->sets);
	out.n = spec_prefixes_sort(out.items, out.n);
	*a = (struct spec_addrs){ .set = true,
				  .prefixes = shrink(out.items, out.n, sizeof(*out.items)),
				  .n_prefixes = out.n };
	return true;
}
