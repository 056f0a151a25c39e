/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* From rules to boxes: alternatives become a product, negations become complements. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "box.h"

/* Prefix lists longer than this, and the longer of two whose product is, become a bit of a set trie. */
#define LIST_INLINE 64
#define PRODUCT_INLINE 1024
/* A complement of more prefixes than this is a bit, too: its ladder of prefixes is hard to cut. */
#define COMPLEMENT_INLINE 8
/* Bits are few: lists of so few prefixes, whose complements are some hundred at most, leave some to longer ones. */
#define LIST_SHORT 8
#define SETS_SHORT 20

struct alt {
	uint32_t lo, hi; /* or value, mask */
};

struct alts {
	struct alt *v;
	size_t n, cap;
};

struct prefixes {
	struct spec_prefix *v;
	size_t n, cap;
};

static int alts_add(struct alts *a, uint32_t lo, uint32_t hi)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 8;
		struct alt *p = realloc(a->v, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		a->v = p;
		a->cap = cap;
	}
	a->v[a->n++] = (struct alt){ lo, hi };
	return 0;
}

static int prefixes_add(struct prefixes *a, const struct spec_prefix *p)
{
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 8;
		struct spec_prefix *v = realloc(a->v, cap * sizeof(*v));

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->cap = cap;
	}
	a->v[a->n++] = *p;
	return 0;
}

static int prefix_cmp(const void *a, const void *b)
{
	const struct spec_prefix *p = a, *q = b;
	int c;

	if (p->family != q->family)
		return p->family < q->family ? -1 : 1;
	c = memcmp(p->addr, q->addr, sizeof(p->addr));
	return c ? c : (int)p->len - (int)q->len;
}

static bool prefix_in(const struct spec_prefix *outer, const struct spec_prefix *p)
{
	unsigned int whole = outer->len / 8, rest = outer->len % 8;

	if (outer->family != p->family || outer->len > p->len || memcmp(outer->addr, p->addr, whole))
		return false;
	return !rest || !((outer->addr[whole] ^ p->addr[whole]) >> (8 - rest));
}

/* Everything a key lists, both families, sorted, without prefixes inside others. */
static int addrs_union(const struct spec *spec, const struct spec_addrs *a, struct prefixes *ret)
{
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < a->n_prefixes && !err; i++)
		err = prefixes_add(ret, &a->prefixes[i]);
	for (size_t i = 0; i < a->n_sets && !err; i++)
		for (size_t j = 0; j < spec->sets[a->sets[i]].n_items && !err; j++)
			err = prefixes_add(ret, &spec->sets[a->sets[i]].items[j]);
	if (err || !ret->n)
		return err;
	qsort(ret->v, ret->n, sizeof(*ret->v), prefix_cmp);
	for (size_t i = 0; i < ret->n; i++)
		if (!n || !prefix_in(&ret->v[n - 1], &ret->v[i]))
			ret->v[n++] = ret->v[i];
	ret->n = n;
	return 0;
}

static unsigned int prefix_bit(const struct spec_prefix *p, unsigned int bit)
{
	return p->addr[bit / 8] >> (7 - bit % 8) & 1;
}

/* Prefixes that together are everything below `at` outside v[0..n). -E2BIG: more than `max`. */
static int prefixes_complement(const struct spec_prefix *v, size_t n, const struct spec_prefix *at, size_t max,
			       struct prefixes *ret)
{
	struct spec_prefix half = *at;
	size_t left = 0;
	int err;

	if (!n) {
		if (ret->n >= max)
			return -E2BIG;
		return prefixes_add(ret, at);
	}
	if (v[0].len <= at->len)
		return 0;
	while (left < n && !prefix_bit(&v[left], at->len))
		left++;
	half.len++;
	err = prefixes_complement(v, left, &half, max, ret);
	if (err)
		return err;
	half.addr[at->len / 8] |= (uint8_t)(0x80 >> at->len % 8);
	return prefixes_complement(v + left, n - left, &half, max, ret);
}

static int ranges_alts(const struct spec_ranges *r, uint32_t max, struct alts *ret)
{
	uint32_t next = 0;
	int err = 0;

	if (!r->set)
		return alts_add(ret, 0, max);
	if (!r->neg) {
		for (size_t i = 0; i < r->n && !err; i++)
			if (r->items[i].lo <= max && r->items[i].lo <= r->items[i].hi)
				err = alts_add(ret, r->items[i].lo, r->items[i].hi < max ? r->items[i].hi : max);
		return err;
	}
	for (size_t i = 0; i < r->n && !err; i++) {
		if (r->items[i].lo > next)
			err = alts_add(ret, next, r->items[i].lo - 1 < max ? r->items[i].lo - 1 : max);
		if (r->items[i].hi >= max)
			return err;
		if (r->items[i].hi + 1 > next)
			next = r->items[i].hi + 1;
	}
	return err ? err : alts_add(ret, next, max);
}

/* What of (value, mask) is not in (v, m), as disjoint parts. */
static int masked_subtract(struct alt from, uint32_t v, uint32_t m, struct alts *ret)
{
	int err = 0;

	if ((from.lo ^ v) & from.hi & m)
		return alts_add(ret, from.lo, from.hi);
	for (uint32_t rest = m & ~from.hi; rest && !err; rest &= rest - 1) {
		uint32_t bit = rest & -rest;

		err = alts_add(ret, from.lo | (~v & bit), from.hi | bit);
		from.lo |= v & bit;
		from.hi |= bit;
	}
	return err;
}

static int maskeds_alts(const struct spec_maskeds *m, struct alts *ret)
{
	int err = 0;

	if (!m->set)
		return alts_add(ret, 0, 0);
	if (!m->neg) {
		for (size_t i = 0; i < m->n && !err; i++)
			if (!(m->items[i].value & ~m->items[i].mask))
				err = alts_add(ret, m->items[i].value, m->items[i].mask);
		return err;
	}
	err = alts_add(ret, 0, 0);
	for (size_t i = 0; i < m->n && !err; i++) {
		struct alts next = {};

		if (m->items[i].value & ~m->items[i].mask)
			continue;
		for (size_t j = 0; j < ret->n && !err; j++)
			err = masked_subtract(ret->v[j], m->items[i].value, m->items[i].mask, &next);
		if (!err && next.n > PRODUCT_INLINE)
			err = -E2BIG;
		free(ret->v);
		*ret = next;
	}
	return err;
}

/* MAC addresses as value and mask of both words: lo, hi of v[2i] the first two bytes, of v[2i+1] the rest. */
static int mac_add(struct alts *ret, uint64_t value, uint64_t mask)
{
	int err = alts_add(ret, (uint32_t)(value >> 32), (uint32_t)(mask >> 32));

	return err ? err : alts_add(ret, (uint32_t)value, (uint32_t)mask);
}

static uint64_t mac_value(const struct spec_mac *m)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 6; i++)
		v = v << 8 | m->addr[i];
	return v;
}

static int u64_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int macs_complement(const uint64_t *v, size_t n, unsigned int len, uint64_t at, struct alts *ret)
{
	uint64_t bit;
	size_t left = 0;
	int err;

	if (!n)
		return mac_add(ret, at, len ? (0xffffffffffffULL << (48 - len)) & 0xffffffffffffULL : 0);
	if (len == 48)
		return 0;
	bit = 1ULL << (47 - len);
	while (left < n && !(v[left] & bit))
		left++;
	err = macs_complement(v, left, len + 1, at, ret);
	return err ? err : macs_complement(v + left, n - left, len + 1, at | bit, ret);
}

static int macs_alts(const struct spec_macs *m, struct alts *ret)
{
	_cleanup_free_ uint64_t *v = NULL;
	int err = 0;

	if (!m->set)
		return mac_add(ret, 0, 0);
	if (!m->neg) {
		for (size_t i = 0; i < m->n && !err; i++)
			err = mac_add(ret, mac_value(&m->items[i]), 0xffffffffffffULL);
		return err;
	}
	v = calloc(m->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		v[i] = mac_value(&m->items[i]);
	qsort(v, m->n, sizeof(*v), u64_cmp);
	return macs_complement(v, m->n, 0, 0, ret);
}

static int frag_alts(const struct spec_rule *rule, struct alts *ret)
{
	uint32_t want = rule->frag_neg ? ~rule->frag & 7 : rule->frag & 7;
	int err = 0;

	if (!rule->frag)
		return alts_add(ret, 0, 3);
	for (uint32_t i = 0; i < 3 && !err; i++) {
		uint32_t lo = i;

		if (!(want & 1U << i))
			continue;
		while (i < 2 && want & 1U << (i + 1))
			i++;
		err = alts_add(ret, lo, i);
	}
	return err;
}

/* --- addresses ---------------------------------------------------------------------------------------- */

/* One side of a rule: prefixes to expand, or a bit of the side's set trie. */
struct side {
	struct prefixes list; /* this family's part; already complemented */
	bool bit;
	struct alt set; /* value and mask of the set word */
};

static bool same_prefixes(const struct box_set *s, const struct prefixes *p)
{
	if (s->n != p->n)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (prefix_cmp(&s->prefixes[i], &p->v[i]))
			return false;
	return true;
}

/* The bit of a list on one side; -ENOSPC when all are taken. Takes over `list` when it is new. */
static int set_bit(struct box_sets *sets, unsigned int side, struct prefixes *list, unsigned int *ret)
{
	for (unsigned int i = 0; i < sets->n[side]; i++)
		if (same_prefixes(&sets->side[side][i], list)) {
			*ret = i;
			return 0;
		}
	if (sets->n[side] == ARENA_SETS || (list->n <= LIST_SHORT && sets->n[side] >= SETS_SHORT))
		return -ENOSPC;
	*ret = sets->n[side]++;
	sets->side[side][*ret] = (struct box_set){ .prefixes = TAKE_PTR(list->v), .n = list->n };
	list->n = list->cap = 0;
	return 0;
}

/* This family's part of a sorted list. */
static void family_part(const struct prefixes *all, unsigned int family, size_t *ret_first, size_t *ret_n)
{
	size_t first = 0, n;

	while (first < all->n && all->v[first].family != family)
		first++;
	n = first;
	while (n < all->n && all->v[n].family == family)
		n++;
	*ret_first = first;
	*ret_n = n - first;
}

/* `force_bit`: the product would be too big with this list expanded. */
static int side_resolve(const struct spec *spec, const struct spec_addrs *a, unsigned int family, unsigned int side,
			bool force_bit, struct box_sets *sets, struct side *ret)
{
	struct spec_prefix everything = { .family = (uint8_t)family };
	struct prefixes all = {};
	size_t first, n;
	unsigned int bit;
	int err;

	if (!a || !a->set)
		return prefixes_add(&ret->list, &everything);
	err = addrs_union(spec, a, &all);
	if (err)
		goto out;
	family_part(&all, family, &first, &n);
	if (!force_bit && n <= LIST_INLINE) {
		if (!a->neg) {
			for (size_t i = 0; i < n && !err; i++)
				err = prefixes_add(&ret->list, &all.v[first + i]);
			goto out;
		}
		err = prefixes_complement(all.v + first, n, &everything, COMPLEMENT_INLINE, &ret->list);
		if (err != -E2BIG)
			goto out;
		ret->list.n = 0;
	}
	err = set_bit(sets, side, &all, &bit);
	if (!err) {
		ret->bit = true;
		ret->set = (struct alt){ a->neg ? 0 : 1U << bit, 1U << bit };
		goto out;
	}
	/* no bit left: one box per prefix after all */
	if (err == -ENOSPC && a->neg) {
		err = prefixes_complement(all.v + first, n, &everything, SIZE_MAX, &ret->list);
	} else if (err == -ENOSPC) {
		err = 0;
		for (size_t i = 0; i < n && !err; i++)
			err = prefixes_add(&ret->list, &all.v[first + i]);
	}
out:
	free(all.v);
	return err;
}

static void box_set_prefix(struct box *b, enum box_field f, const struct spec_prefix *p)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t v = (uint32_t)p->addr[4 * i] << 24 | (uint32_t)p->addr[4 * i + 1] << 16 |
			     (uint32_t)p->addr[4 * i + 2] << 8 | p->addr[4 * i + 3];
		unsigned int len = p->len > 32 * i ? p->len - 32 * i : 0;
		uint32_t mask = len >= 32 ? UINT32_MAX : ~(UINT32_MAX >> len);

		b->lo[f + i] = v & mask;
		b->hi[f + i] = v | ~mask;
		if (p->family == 4 && i)
			b->lo[f + i] = 0, b->hi[f + i] = UINT32_MAX;
	}
}

/* --- the product -------------------------------------------------------------------------------------- */

enum { D_SRC, D_DST, D_FIRST, D_SPORT = D_FIRST, D_DPORT, D_PROTO, D_DSCP, D_ICMP, D_VLAN, D_LENGTH, D_FRAG, D_FLAGS,
       D_MARK, D_MAC, D_MAX };

static const enum box_field dim_field[D_MAX] = {
	[D_SPORT] = BOX_SPORT, [D_DPORT] = BOX_DPORT, [D_PROTO] = BOX_PROTO, [D_DSCP] = BOX_DSCP,
	[D_ICMP] = BOX_ICMP,   [D_VLAN] = BOX_VLAN,   [D_LENGTH] = BOX_LENGTH, [D_FRAG] = BOX_FRAG,
	[D_FLAGS] = BOX_FLAGS, [D_MARK] = BOX_MARK,   [D_MAC] = BOX_MACHI,
};

struct product {
	struct alts dim[D_MAX];
	struct side side[2];
	uint32_t need;
};

static void product_done(struct product *p)
{
	for (unsigned int i = 0; i < D_MAX; i++)
		free(p->dim[i].v);
	free(p->side[0].list.v);
	free(p->side[1].list.v);
}

/* Which of two port keys applies to a position; at most one of them is given. */
static const struct spec_ranges *either(const struct spec_ranges *a, const struct spec_ranges *b)
{
	return a->set ? a : b;
}

static size_t dim_size(const struct product *p, unsigned int d)
{
	if (d < D_FIRST)
		return p->side[d].bit ? 1 : p->side[d].list.n;
	return d == D_MAC ? p->dim[d].n / 2 : p->dim[d].n;
}

static int product_emit(const struct product *p, uint32_t rule, size_t max, struct boxes *ret)
{
	size_t at[D_MAX] = {};
	struct box b;
	int err;

	for (;;) {
		unsigned int d;

		b.rule = rule;
		for (enum box_field f = 0; f < BOX_FIELDS; f++) {
			b.lo[f] = 0;
			b.hi[f] = f >= BOX_MASKED ? 0 : box_field_max(f);
		}
		b.lo[BOX_NEED] = b.hi[BOX_NEED] = p->need;
		for (d = 0; d < 2; d++) {
			if (p->side[d].bit) {
				b.lo[BOX_SSETS + d] = p->side[d].set.lo;
				b.hi[BOX_SSETS + d] = p->side[d].set.hi;
			} else {
				box_set_prefix(&b, d ? BOX_DST0 : BOX_SRC0, &p->side[d].list.v[at[d]]);
			}
		}
		for (d = D_FIRST; d < D_MAC; d++) {
			b.lo[dim_field[d]] = p->dim[d].v[at[d]].lo;
			b.hi[dim_field[d]] = p->dim[d].v[at[d]].hi;
		}
		for (unsigned int i = 0; i < 2; i++) {
			b.lo[BOX_MACHI + i] = p->dim[D_MAC].v[2 * at[D_MAC] + i].lo;
			b.hi[BOX_MACHI + i] = p->dim[D_MAC].v[2 * at[D_MAC] + i].hi;
		}
		if (ret->n >= max)
			return -E2BIG;
		err = boxes_add(ret, &b);
		if (err)
			return err;
		for (d = 0; d < D_MAX; d++) {
			if (++at[d] < dim_size(p, d))
				break;
			at[d] = 0;
		}
		if (d == D_MAX)
			return 0;
	}
}

static int rule_expand(const struct spec *spec, const struct spec_rule *rule, uint32_t index,
		       const struct box_mode *mode, unsigned int family, bool src_local, size_t max,
		       struct box_sets *sets, struct boxes *ret)
{
	/* position of the relative keys: remote is the source, except in the view where the source is local */
	const struct spec_addrs *rel_src = &rule->addr[src_local ? SPEC_LOCAL : SPEC_REMOTE];
	const struct spec_addrs *rel_dst = &rule->addr[src_local ? SPEC_REMOTE : SPEC_LOCAL];
	const struct spec_addrs *src = rel_src->set ? rel_src : &rule->addr[SPEC_SRC];
	const struct spec_addrs *dst = rel_dst->set ? rel_dst : &rule->addr[SPEC_DST];
	const struct spec_ranges *sport = either(&rule->port[src_local ? SPEC_LOCAL_PORT : SPEC_PORT],
						 &rule->port[SPEC_SPORT]);
	const struct spec_ranges *dport = either(&rule->port[src_local ? SPEC_PORT : SPEC_LOCAL_PORT],
						 &rule->port[SPEC_DPORT]);
	const struct spec_ranges *icmp = family == 4 ? &rule->icmp : &rule->icmp6;
	struct product p = {};
	size_t rest = 1, n_src, n_dst;
	int err;

	if ((rule->icmp.set || rule->icmp6.set) && !icmp->set)
		return 0;
	if (sport->set || dport->set)
		p.need |= ARENA_M_PORTS;
	if (icmp->set)
		p.need |= ARENA_M_ICMP;
	if (rule->flags.set)
		p.need |= ARENA_M_FLAGS;
	if (rule->mac.set)
		p.need |= ARENA_M_MAC;
	err = ranges_alts(sport, 0xffff, &p.dim[D_SPORT]);
	if (!err)
		err = ranges_alts(dport, 0xffff, &p.dim[D_DPORT]);
	if (!err)
		err = ranges_alts(&rule->proto, 0xff, &p.dim[D_PROTO]);
	if (!err)
		err = ranges_alts(&rule->dscp, 0xff, &p.dim[D_DSCP]);
	if (!err)
		err = ranges_alts(icmp, 0xffff, &p.dim[D_ICMP]);
	if (!err)
		err = ranges_alts(&rule->vlan, 0xffff, &p.dim[D_VLAN]);
	if (!err)
		err = ranges_alts(&rule->length, UINT32_MAX, &p.dim[D_LENGTH]);
	if (!err)
		err = frag_alts(rule, &p.dim[D_FRAG]);
	if (!err)
		err = maskeds_alts(&rule->flags, &p.dim[D_FLAGS]);
	if (!err)
		err = maskeds_alts(&rule->mark, &p.dim[D_MARK]);
	if (!err)
		err = macs_alts(&rule->mac, &p.dim[D_MAC]);
	if (!err)
		err = side_resolve(spec, src, family, 0, false, sets, &p.side[0]);
	if (!err)
		err = side_resolve(spec, dst, family, 1, false, sets, &p.side[1]);
	if (err)
		goto out;
	for (unsigned int d = D_FIRST; d < D_MAX; d++) {
		if (!dim_size(&p, d) || rest > SIZE_MAX / 2 / dim_size(&p, d))
			goto out; /* never matches; a product this big is caught below */
		rest *= dim_size(&p, d);
	}
	/* Both lists fit alone, but not their product: the longer one becomes a bit, then the other. */
	for (unsigned int round = 0; round < 2; round++) {
		n_src = dim_size(&p, D_SRC);
		n_dst = dim_size(&p, D_DST);
		if (!n_src || !n_dst)
			goto out;
		if (n_src * n_dst * rest <= PRODUCT_INLINE || (n_src <= 1 && n_dst <= 1))
			break;
		unsigned int side = n_src >= n_dst ? 0 : 1;
		const struct spec_addrs *a = side ? dst : src;

		if (!a->set)
			break;
		p.side[side].list.n = 0;
		err = side_resolve(spec, a, family, side, true, sets, &p.side[side]);
		if (err)
			goto out;
	}
	n_src = dim_size(&p, D_SRC);
	n_dst = dim_size(&p, D_DST);
	if (!n_src || !n_dst)
		goto out;
	if (rest > max || n_src > max || n_dst > max || n_src * n_dst > max)
		err = -E2BIG;
	else
		err = product_emit(&p, index, max, ret);
out:
	product_done(&p);
	return err;
}

void box_mode_of(const struct spec_ruleset *set, struct box_mode *ret)
{
	bool relative = false, absolute = false;

	*ret = (struct box_mode){};
	for (size_t i = 0; i < set->n_rules; i++) {
		const struct spec_rule *r = &set->rules[i];
		bool ports = false;

		relative |= r->addr[SPEC_REMOTE].set || r->addr[SPEC_LOCAL].set || r->port[SPEC_PORT].set ||
			    r->port[SPEC_LOCAL_PORT].set;
		absolute |= r->addr[SPEC_SRC].set || r->addr[SPEC_DST].set || r->port[SPEC_SPORT].set ||
			    r->port[SPEC_DPORT].set;
		for (unsigned int k = 0; k < SPEC_PORT_MAX; k++)
			ports |= r->port[k].set;
		if (ports || r->icmp.set || r->icmp6.set || r->flags.set)
			ret->used |= ARENA_USE_L4;
		if (r->icmp.set || r->icmp6.set)
			ret->used |= ARENA_USE_ICMP;
		if (r->dscp.set)
			ret->used |= ARENA_USE_DSCP;
		if (r->flags.set)
			ret->used |= ARENA_USE_FLAGS;
		if (r->vlan.set)
			ret->used |= ARENA_USE_VLAN;
		if (r->length.set)
			ret->used |= ARENA_USE_LENGTH;
		if (r->mark.set)
			ret->used |= ARENA_USE_MARK;
		if (r->mac.set)
			ret->used |= ARENA_USE_MAC;
		if (r->frag)
			ret->used |= ARENA_USE_FRAG;
	}
	ret->relative = relative && !absolute;
	ret->views = relative && absolute;
	if (ret->relative)
		ret->used |= ARENA_USE_RELATIVE;
	if (ret->views)
		ret->used |= ARENA_USE_VIEWS;
}

int boxes_expand(const struct spec *spec, const struct spec_ruleset *set, const struct box_mode *mode,
		 unsigned int family, bool src_local, size_t max, struct box_sets *sets, struct boxes *ret,
		 size_t *ret_rule)
{
	for (size_t i = 0; i < set->n_rules; i++) {
		int err = rule_expand(spec, &set->rules[i], (uint32_t)i, mode, family, src_local, max, sets, ret);

		if (err) {
			*ret_rule = i;
			return err;
		}
	}
	return 0;
}
