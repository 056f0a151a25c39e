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
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "box.h"

#define TREE_ROUNDS 6
#define TREES_MAX 40
#define BITS_MAX 18
#define SAMPLE 2048
/* Memory counts less at the root, where width spares most packets everything below. */
#define ROOT_MEMORY 0.02
#define FEW 160
#define FEW_BITS 6
#define DEPTH_MAX 24
/* What hard_build() is for, in boxes. */
#define HARD_LEAST 8
#define HARD_MOST 512

struct region {
	uint32_t mask[BOX_FIELDS], value[BOX_FIELDS];
};

struct build {
	const struct boxes *x;
	unsigned int family;
	const struct tree_rule *rules;
	struct line_table *shared;
	struct arena_buf *a;
	struct tree_stats *stats;
	enum box_field active[BOX_FIELDS]; /* columns that exist */
	unsigned int n_active;
	unsigned int leaf_want, leaf_max; /* boxes */
	double copies, copies0;		  /* allowed: per box, and besides */
	double gain;
	double memory;			  /* weight of memory in the choice of a cut */
	unsigned int round, together;
	bool last;			  /* no further round: leaves may have any length */
	bool try, hard, dry;		  /* hard_build() is for use; its work below; only figures are wanted */
	size_t goal, limit;		  /* lines below a node of few boxes: good enough; too many */
	uint8_t *spilled;		  /* by box */
	size_t n_spilled;
	uint32_t *counts; /* scratch of 2^BITS_MAX + 1 */
	uint64_t work, work_max;
};

/* --- geometry ------------------------------------------------------------------------------------------ */

static bool covers(const struct build *t, uint32_t b, const struct region *r)
{
	for (unsigned int i = 0; i < t->n_active; i++) {
		enum box_field f = t->active[i];
		uint32_t lo = t->x->field[f].lo[b], hi = t->x->field[f].hi[b];

		if (f >= BOX_MASKED) {
			if (hi & ~r->mask[f] || (lo ^ r->value[f]) & hi)
				return false;
		} else if (lo > r->value[f] || hi < (r->value[f] | (box_field_max(f) & ~r->mask[f]))) {
			return false;
		}
	}
	return true;
}

/* The window of a cut: `bits` bits of a field from `shift` up. */
struct window {
	enum box_field field;
	unsigned int shift, bits;
};

/* Children of a cut that a box touches: *first .. *first + n - 1, modulo the number of children; for masked
 * fields those j with (j & *mask) == *first. n is 0 when the box is outside the region. */
static uint32_t span(const struct build *t, uint32_t b, const struct window *w, const struct region *r,
		     uint32_t *first, uint32_t *mask)
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

/* --- choosing a cut ------------------------------------------------------------------------------------ */

struct choice {
	struct window w;
	double score;  /* less is better */
	double copies; /* boxes in all children together, per box */
	double avg;    /* boxes in the child of an average copy */
};

/* Copies and sum of squares over the children of `w`; with `narrow`, boxes in more than half of the children
 * are left out and counted in *ret_wide. */
static void evaluate(struct build *t, const uint32_t *ids, size_t n, const struct window *w, const struct region *r,
		     bool narrow, double *ret_total, double *ret_squares, size_t *ret_wide)
{
	uint32_t size = 1U << w->bits, first, mask, k;
	uint32_t *c = t->counts;
	uint64_t total = 0, squares = 0;
	uint32_t run = 0, base = 0;

	memset(c, 0, (size + 1) * sizeof(*c));
	*ret_wide = 0;
	for (size_t i = 0; i < n; i++) {
		k = span(t, ids[i], w, r, &first, &mask);
		if (!k)
			continue;
		if (narrow && k > size / 2) {
			++*ret_wide;
			continue;
		}
		if (w->field >= BOX_MASKED) {
			/* masked counts are kept apart from the differences: shifted by adding both ends */
			uint32_t free_bits = ~mask & (size - 1), sub = 0;

			do {
				c[first | sub]++;
				c[(first | sub) + 1]--;
				sub = (sub - free_bits) & free_bits;
			} while (sub);
		} else if (k == size) {
			base++;
		} else if (first + k <= size) {
			c[first]++;
			c[first + k]--;
		} else {
			c[first]++;
			c[size]--;
			c[0]++;
			c[first + k - size]--;
		}
	}
	for (uint32_t j = 0; j < size; j++) {
		run += c[j];
		total += run + base;
		squares += (uint64_t)(run + base) * (run + base);
	}
	*ret_total = (double)total;
	*ret_squares = (double)squares;
	t->work += n + size / 4;
}

/* Does a box take the whole region in every field but one? */
static bool covers_others(const struct build *t, uint32_t b, enum box_field but, const struct region *r)
{
	for (unsigned int i = 0; i < t->n_active; i++) {
		enum box_field f = t->active[i];
		uint32_t lo = t->x->field[f].lo[b], hi = t->x->field[f].hi[b];

		if (f == but)
			continue;
		if (f >= BOX_MASKED) {
			if (hi & ~r->mask[f] || (lo ^ r->value[f]) & hi)
				return false;
		} else if (lo > r->value[f] || hi < (r->value[f] | (box_field_max(f) & ~r->mask[f]))) {
			return false;
		}
	}
	return true;
}

/* The same as evaluate() for few boxes, with what is behind a box that takes a whole child left out. */
static void evaluate_few(struct build *t, const uint32_t *ids, size_t n, const bool *others, const struct window *w,
			 const struct region *r, double *ret_total, double *ret_squares)
{
	uint32_t size = 1U << w->bits, first, mask = 0, window = (size - 1) << w->shift;
	uint32_t open = box_field_max(w->field) & ~(r->mask[w->field] | window);
	uint32_t count[1U << FEW_BITS] = {};
	uint64_t closed = 0, total = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t k = span(t, ids[i], w, r, &first, &mask);
		uint32_t lo = t->x->field[w->field].lo[ids[i]], hi = t->x->field[w->field].hi[ids[i]];

		for (uint32_t q = 0, sub = 0; q < k; q++) {
			uint32_t j, at;

			if (w->field >= BOX_MASKED) {
				j = first | sub;
				sub = (sub - (~mask & (size - 1))) & ~mask & (size - 1);
			} else {
				j = (first + q) & (size - 1);
			}
			if (closed >> j & 1)
				continue;
			count[j]++;
			if (!others[i])
				continue;
			at = (r->value[w->field] & ~window) | j << w->shift;
			if (w->field >= BOX_MASKED ? !(hi & open) && !((lo ^ at) & hi) : lo <= at && hi >= (at | open))
				closed |= 1ULL << j;
		}
		t->work += k;
	}
	for (uint32_t j = 0; j < size; j++) {
		total += count[j];
		squares += (uint64_t)count[j] * count[j];
	}
	*ret_total = (double)total;
	*ret_squares = (double)squares;
}

static const uint8_t try_bits[] = { 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18 };

static bool choose(struct build *t, const uint32_t *ids, size_t n, const struct region *r, double allowance,
		   unsigned int depth, bool narrow, struct choice *ret)
{
	_cleanup_free_ uint32_t *some = NULL;
	const uint32_t *s = ids;
	size_t m = n;
	double scale = 1;
	bool found = false;

	if (n > SAMPLE) {
		some = malloc(SAMPLE * sizeof(*some));
		if (some) {
			uint64_t x = n;

			for (size_t i = 0; i < SAMPLE; i++) {
				x = x * 6364136223846793005ULL + 1442695040888963407ULL;
				/* stratified: one of each stretch, so that no rule order misleads */
				some[i] = ids[(i * n + (x >> 33) % n) / SAMPLE];
			}
			s = some;
			m = SAMPLE;
			scale = (double)n / SAMPLE;
		}
	}
	*ret = (struct choice){ .score = HUGE_VAL };
	for (unsigned int a = 0; a < t->n_active; a++) {
		struct window w = { .field = t->active[a] };
		unsigned int width = box_places[w.field].width, step = m > 256 ? 2 : 1;
		uint32_t vary = 0, one = 0, open = box_field_max(w.field) & ~r->mask[w.field];
		bool any = false, others[FEW], exact = false;
		int top;

		if (n <= FEW && !narrow)
			for (size_t i = 0; i < n; i++) {
				others[i] = covers_others(t, ids[i], w.field, r);
				exact |= others[i];
			}
		if (w.field == BOX_NEED || w.field == BOX_FRAG)
			continue;
		for (size_t i = 0; i < m; i++) {
			uint32_t lo = t->x->field[w.field].lo[s[i]], hi = t->x->field[w.field].hi[s[i]];

			if (w.field >= BOX_MASKED) {
				vary |= hi;
				any |= !!(hi & open);
				continue;
			}
			if (lo <= r->value[w.field] && hi >= (r->value[w.field] | open))
				continue;
			if (!any)
				one = lo;
			any = true;
			vary |= (lo ^ one) | (hi ^ one);
		}
		/* bits that every box has alike separate them from everything else, once: worth a try as well */
		vary &= open;
		if (!any || !open) /* nothing left to cut */
			continue;
		if (!vary)
			vary = open;
		top = 31 - __builtin_clz(vary);
		for (unsigned int low = 0; (int)low <= top; low += step) {
			for (unsigned int k = 0; k < ARRAY_SIZE(try_bits); k++) {
				double total, squares, avg, copies, memory, score;
				size_t wide;

				w.bits = try_bits[k];
				if (low + 1 < w.bits && low)
					break;
				w.shift = (unsigned int)top - low + 1 < w.bits ? 0 : (unsigned int)top - low + 1 - w.bits;
				if (w.shift + w.bits > width || w.bits > BITS_MAX)
					break;
				if ((1U << w.bits) > (depth ? 8 : 64) * n + 8)
					break;
				if (exact && w.bits <= FEW_BITS) {
					evaluate_few(t, s, m, others, &w, r, &total, &squares);
					wide = 0;
				} else {
					evaluate(t, s, m, &w, r, narrow, &total, &squares, &wide);
				}
				if (!total || wide > m / 2 + m / 4)
					continue;
				avg = squares / total * scale;
				copies = total / (double)(m - wide);
				if (copies * (double)n > allowance && !narrow)
					continue;
				memory = ((double)(1U << w.bits) * 8 / (double)n + (copies - 1) * 32) / 32;
				score = log2(avg + 1) + (depth ? t->memory : t->memory * ROOT_MEMORY) * memory +
					(depth ? 0.25 : 1) * log2(total * scale / (1U << w.bits) + 1);
				if (narrow)
					score += 4.0 * (double)wide / (double)m;
				if (score < ret->score) {
					*ret = (struct choice){ w, score, copies, avg };
					found = true;
				}
				if (w.shift == 0)
					break;
			}
		}
	}
	return found;
}

/* --- building ------------------------------------------------------------------------------------------ */

static uint64_t descriptor(uint32_t kind, uint32_t base, uint32_t rule)
{
	return (uint64_t)kind << 60 | (uint64_t)rule << 24 | base;
}

static void cond_of(const struct boxes *x, uint32_t b, struct arena_cond *c)
{
	*c = (struct arena_cond){
		.dscp_lo = (uint8_t)box_lo(x, BOX_DSCP, b),
		.dscp_hi = (uint8_t)box_hi(x, BOX_DSCP, b),
		.flags = (uint8_t)box_lo(x, BOX_FLAGS, b),
		.flags_mask = (uint8_t)box_hi(x, BOX_FLAGS, b),
		.icmp_lo = (uint16_t)box_lo(x, BOX_ICMP, b),
		.icmp_hi = (uint16_t)box_hi(x, BOX_ICMP, b),
		.vlan_lo = (uint16_t)box_lo(x, BOX_VLAN, b),
		.vlan_hi = (uint16_t)box_hi(x, BOX_VLAN, b),
		.length_lo = box_lo(x, BOX_LENGTH, b),
		.length_hi = box_hi(x, BOX_LENGTH, b),
		.mark = box_lo(x, BOX_MARK, b),
		.mark_mask = box_hi(x, BOX_MARK, b),
		.maclo = box_lo(x, BOX_MACLO, b),
		.maclo_mask = box_hi(x, BOX_MACLO, b),
		.machi = (uint16_t)box_lo(x, BOX_MACHI, b),
		.machi_mask = (uint16_t)box_hi(x, BOX_MACHI, b),
		.ssets = box_lo(x, BOX_SSETS, b),
		.ssets_mask = box_hi(x, BOX_SSETS, b),
		.dsets = box_lo(x, BOX_DSETS, b),
		.dsets_mask = box_hi(x, BOX_DSETS, b),
		.need = (uint8_t)(box_hi(x, BOX_NEED, b) & ~ARENA_M_PORTS),
		.frag_lo = (uint8_t)box_lo(x, BOX_FRAG, b),
		.frag_hi = (uint8_t)box_hi(x, BOX_FRAG, b),
	};
}

/* The line of what an entry has no room for, 0 when it has room for all. */
static int cond_line(struct build *t, uint32_t b, uint32_t *ret)
{
	static const struct arena_cond open = {
		.dscp_hi = 0xff, .icmp_hi = 0xffff, .vlan_hi = 0xffff, .length_hi = UINT32_MAX, .frag_hi = 3,
	};
	struct arena_cond c;
	struct arena_line line;

	cond_of(t->x, b, &c);
	*ret = 0;
	if (!memcmp(&c, &open, sizeof(c)))
		return 0;
	memcpy(&line, &c, sizeof(line));
	return line_table_add(t->shared, t->a, &line, 1, ret);
}

static uint32_t range_word(const struct boxes *x, enum box_field f, uint32_t b)
{
	return box_lo(x, f, b) | box_hi(x, f, b) << 16;
}

static int entry4(struct build *t, uint32_t b, struct arena_entry4 *e)
{
	const struct boxes *x = t->x;
	const struct tree_rule *rule = &t->rules[x->rule[b]];
	unsigned int slen = box_prefix_len(x, BOX_SRC0, b), dlen = box_prefix_len(x, BOX_DST0, b);
	uint32_t cond;
	int err = cond_line(t, b, &cond);

	*e = (struct arena_entry4){
		.src = box_lo(x, BOX_SRC0, b),
		.dst = box_lo(x, BOX_DST0, b),
		.sport = range_word(x, BOX_SPORT, b),
		.dport = range_word(x, BOX_DPORT, b),
		.rule = x->rule[b] | slen << ARENA_RULE_BITS | (uint32_t)dlen << (ARENA_RULE_BITS + 6),
		.counter = rule->counter | box_hi(x, BOX_PROTO, b) << 24,
		.cond = cond | box_lo(x, BOX_PROTO, b) << 24,
		.class = rule->class | (box_hi(x, BOX_NEED, b) & ARENA_M_PORTS ? ARENA_E_PORTS : 0),
	};
	return err;
}

static int entry6(struct build *t, uint32_t b, struct arena_entry6 *e)
{
	const struct boxes *x = t->x;
	const struct tree_rule *rule = &t->rules[x->rule[b]];
	unsigned int len[2] = { box_prefix_len(x, BOX_SRC0, b), box_prefix_len(x, BOX_DST0, b) };
	uint32_t cond;
	int err = cond_line(t, b, &cond);

	*e = (struct arena_entry6){
		.sport = range_word(x, BOX_SPORT, b),
		.dport = range_word(x, BOX_DPORT, b),
		.rule = x->rule[b],
		.counter = rule->counter | box_hi(x, BOX_PROTO, b) << 24,
		.cond = cond | box_lo(x, BOX_PROTO, b) << 24,
		.class = rule->class | (box_hi(x, BOX_NEED, b) & ARENA_M_PORTS ? ARENA_E_PORTS : 0),
	};
	for (unsigned int i = 0; i < 4; i++) {
		e->src[i] = box_lo(x, BOX_SRC0 + i, b);
		e->dst[i] = box_lo(x, BOX_DST0 + i, b);
	}
	for (unsigned int i = 0; i < 2; i++) {
		e->shift[2 * i] = (uint8_t)(len[i] > 64 ? 0 : 64 - len[i]);
		e->shift[2 * i + 1] = (uint8_t)(len[i] > 64 ? 128 - len[i] : 64);
	}
	return err;
}

static int leaf_build(struct build *t, const uint32_t *ids, size_t n, uint64_t *ret, size_t *ret_depth)
{
	size_t n_lines = t->family == 4 ? (n + 1) / 2 : n;
	_cleanup_free_ struct arena_line *lines = NULL;
	uint32_t base;
	int err;

	if (!n) {
		*ret = descriptor(ARENA_KIND_EMPTY, 0, ARENA_NO_RULE);
		*ret_depth = 0;
		return 0;
	}
	if (n_lines > 0x7fff)
		return -EOVERFLOW;
	if (t->dry) {
		*ret = descriptor(ARENA_KIND_LEAF, 0, t->x->rule[ids[0]]);
		*ret_depth = n_lines;
		return 0;
	}
	lines = calloc(n_lines, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (t->family == 4)
			err = entry4(t, ids[i], (struct arena_entry4 *)lines + i);
		else
			err = entry6(t, ids[i], (struct arena_entry6 *)lines + i);
		if (err)
			return err;
	}
	if (t->family == 4 && n & 1)
		((struct arena_entry4 *)lines)[n].rule = ARENA_NO_RULE;
	err = line_table_add(t->shared, t->a, lines, n_lines, &base);
	if (err)
		return err;
	*ret = descriptor(ARENA_KIND_LEAF, base, t->x->rule[ids[0]]) | (uint64_t)n_lines << 44;
	*ret_depth = n_lines;
	t->stats->entries += n;
	return 0;
}

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
			k = span(t, ids[i], w, r, &first, &mask);
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

static int node_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
		      unsigned int depth, uint64_t *ret, size_t *ret_depth);

static int cut_build(struct build *t, const uint32_t *ids, size_t n, const struct region *r, const struct choice *c,
		     double allowance, unsigned int depth, uint64_t *ret, size_t *ret_depth)
{
	const struct box_place *place = &box_places[c->w.field];
	uint32_t size = 1U << c->w.bits, base = 0, best = ARENA_NO_RULE;
	struct children kids = {};
	struct region *sub = NULL;
	size_t deepest = 0, total;
	int err;

	err = children_make(t, ids, n, &c->w, r, &kids);
	if (err)
		return err;
	sub = malloc(sizeof(*sub));
	if (!sub) {
		err = -ENOMEM;
		goto out;
	}
	*sub = *r;
	if (!t->dry) {
		err = arena_buf_grow(t->a, (size + 7) / 8, &base);
		if (err)
			goto out;
		t->stats->nodes++;
	}
	total = kids.at[size];
	for (uint32_t j = 0, end; j < size; j = end) {
		size_t m = kids.at[j + 1] - kids.at[j], d;
		uint32_t common;
		uint64_t node = 0;

		/* neighbours with the same boxes share what is below them */
		for (end = j + 1; end < size; end++)
			if (kids.at[end + 1] - kids.at[end] != m ||
			    memcmp(kids.ids + kids.at[j], kids.ids + kids.at[end], m * sizeof(*ids)))
				break;
		/* only the bits that all of them share are known below */
		common = (size - 1) & (end - 1 == j ? UINT32_MAX : ~(UINT32_MAX >> __builtin_clz(j ^ (end - 1))));
		sub->mask[c->w.field] = r->mask[c->w.field] | common << c->w.shift;
		sub->value[c->w.field] = (r->value[c->w.field] & ~(common << c->w.shift)) |
					 (j & common) << c->w.shift;
		err = node_build(t, kids.ids + kids.at[j], m, sub, allowance * (double)m / (double)(total + 1),
				 depth + 1, &node, &d);
		if (err)
			goto out;
		if (d > deepest)
			deepest = d;
		if (arena_node_rule(node) < best)
			best = arena_node_rule(node);
		for (uint32_t q = j; q < end && !t->dry; q++)
			((struct arena_nodes *)(t->a->lines + base + q / 8))->d[q % 8] = node;
	}
	*ret = descriptor(ARENA_KIND_CUT, base, best) | (uint64_t)place->word << 44 |
	       (uint64_t)(place->shift + c->w.shift) << 49 | (uint64_t)c->w.bits << 54;
	*ret_depth = deepest + 1;
out:
	free(kids.at);
	free(kids.ids);
	free(sub);
	return err;
}

/*
 * A node of few boxes. Memory is shared out by the number of boxes, which starves the few places where many overlap:
 * there it is worth far more. What a share is good for is tried out first.
 */
static const struct {
	double allowance, allowance0, memory; /* copies per box, and besides; as in struct plan */
} shares[] = {
	{ 0, 0, 1 },
	{ 30, 1000, 0.1 },
	{ 200, 20000, 0.02 },
};
#define DRY_WORK 30000000 /* of one attempt */

static int hard_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
		      unsigned int depth, uint64_t *ret, size_t *ret_depth)
{
	_cleanup_free_ uint32_t *copy = malloc(n * sizeof(*copy));
	double memory = t->memory, best_allowance = allowance, best_memory = memory;
	size_t least = SIZE_MAX;
	struct choice c;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	t->hard = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(shares) && !err && least > t->goal; i++) {
		uint64_t work_max = t->work_max;
		double some = shares[i].allowance * (double)n + shares[i].allowance0;
		size_t d;

		if (some < allowance)
			some = allowance;
		memcpy(copy, ids, n * sizeof(*copy));
		t->dry = true;
		if (i && work_max > t->work + DRY_WORK)
			t->work_max = t->work + DRY_WORK;
		t->memory = i && shares[i].memory < memory ? shares[i].memory : memory;
		err = node_build(t, copy, n, r, some, depth, ret, &d);
		t->dry = false;
		if (err == -EOVERFLOW && t->work < work_max && i) {
			/* too much work for what it may save */
			t->work_max = work_max;
			err = 0;
			break;
		}
		t->work_max = work_max;
		if (!err && (least == SIZE_MAX || d < least - least / 8)) {
			least = d;
			best_allowance = some;
			best_memory = t->memory;
		}
	}
	if (!err && least > t->limit && !t->last && choose(t, ids, n, r, allowance, depth, true, &c) &&
	    c.avg < 0.7 * (double)n) {
		/* set the wide ones aside, for trees of another round */
		uint32_t first, mask, size = 1U << c.w.bits;
		size_t kept = 0;

		t->memory = memory;
		t->hard = false;
		for (size_t i = 0; i < n; i++) {
			if (span(t, ids[i], &c.w, r, &first, &mask) > size / 2)
				spill(t, ids[i]);
			else
				ids[kept++] = ids[i];
		}
		if (kept <= t->leaf_want)
			return leaf_build(t, ids, kept, ret, ret_depth);
		return cut_build(t, ids, kept, r, &c, allowance + (double)kept * c.copies, depth, ret, ret_depth);
	}
	t->memory = best_memory;
	if (!err)
		err = node_build(t, ids, n, r, best_allowance, depth, ret, ret_depth);
	t->memory = memory;
	t->hard = false;
	return err;
}

/* `ids` in order of rules; may be changed. */
static int node_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
		      unsigned int depth, uint64_t *ret, size_t *ret_depth)
{
	struct choice c;
	size_t kept = 0;

	/* nothing counts behind a box that takes the whole region */
	for (size_t i = 0; i < n; i++)
		/* all n are set. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
		if (covers(t, ids[i], r))
			n = i + 1;
	if (t->work > t->work_max)
		return -EOVERFLOW;
	if (n <= t->leaf_want)
		return leaf_build(t, ids, n, ret, ret_depth);
	if (allowance < (double)n)
		allowance = (double)n;
	if (t->try && !t->hard && n > HARD_LEAST && n <= HARD_MOST && depth < DEPTH_MAX)
		return hard_build(t, ids, n, r, allowance, depth, ret, ret_depth);
	if (depth < DEPTH_MAX && choose(t, ids, n, r, allowance, depth, false, &c) &&
	    c.avg < t->gain * (double)n)
		return cut_build(t, ids, n, r, &c, allowance, depth, ret, ret_depth);
	if (n <= t->leaf_max || t->last || t->hard || depth >= DEPTH_MAX)
		return leaf_build(t, ids, n, ret, ret_depth);
	/* set the wide ones aside, for trees of another round */
	if (choose(t, ids, n, r, allowance, depth, true, &c) && c.avg < 0.7 * (double)n) {
		uint32_t first, mask, size = 1U << c.w.bits;

		for (size_t i = 0; i < n; i++) {
			if (span(t, ids[i], &c.w, r, &first, &mask) > size / 2)
				spill(t, ids[i]);
			else
				ids[kept++] = ids[i];
		}
		if (kept <= t->leaf_want)
			return leaf_build(t, ids, kept, ret, ret_depth);
		return cut_build(t, ids, kept, r, &c, allowance + (double)kept * c.copies, depth, ret, ret_depth);
	}
	return leaf_build(t, ids, n, ret, ret_depth);
}

/* --- groups -------------------------------------------------------------------------------------------- */

enum { GROUP_SRC, GROUP_DST, GROUP_REST, GROUPS };

static unsigned int group_of(const struct build *t, uint32_t b)
{
	unsigned int s = box_prefix_len(t->x, BOX_SRC0, b), d = box_prefix_len(t->x, BOX_DST0, b);
	unsigned int specific = t->family == 4 ? 10 : 24;

	if (s < specific && d < specific)
		return GROUP_REST;
	return s >= d ? GROUP_SRC : GROUP_DST;
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
		into[GROUP_SRC] = into[GROUP_DST] = GROUP_REST;
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

/* How much memory to give for how few lines; tried in this order until the trees are shallow enough. */
static const struct plan {
	double copies, copies0, memory, gain;
	unsigned int leaf4, leaf6, together;
	bool try; /* try out what more memory is good for where many boxes overlap */
} plans[] = {
	{ 40, 40000, 0.35, 0.9, 48, 24, 64, true },
	{ 40, 40000, 0.35, 0.9, 48, 24, 64, false },
	{ 100, 400000, 0.1, 0.9, 32, 16, 64, false },
	{ 40, 40000, 0.35, 0.8, 96, 64, 1000, false },
	{ 200, 4000000, 0.05, 0.95, 20, 12, 64, false },
};

static int trees_try(const struct boxes *x, unsigned int family, const struct tree_rule *rules, const struct plan *plan,
		     struct arena_buf *a, uint32_t *ret_first, uint32_t *ret_end, struct tree_stats *stats,
		     size_t *ret_depth)
{
	_cleanup_free_ uint32_t *ids = malloc((x->n + 1) * sizeof(*ids));
	_cleanup_free_ uint8_t *spilled = calloc(x->n + 1, 1);
	_cleanup_free_ uint32_t *counts = malloc(((1U << BITS_MAX) + 1) * sizeof(*counts));
	_cleanup_free_ struct tree *trees = calloc(TREES_MAX, sizeof(*trees));
	struct line_table *shared = NULL;
	struct build t = {
		.x = x, .family = family, .rules = rules, .a = a, .stats = stats,
		.leaf_want = family == 4 ? 4 : 3, .leaf_max = family == 4 ? plan->leaf4 : plan->leaf6,
		.copies = plan->copies, .copies0 = plan->copies0, .memory = plan->memory, .gain = plan->gain,
		.together = plan->together, .try = plan->try, .goal = 7, .limit = 24,
		.spilled = spilled, .counts = counts,
		.work_max = 2000000000ULL + (plan->try ? 20000ULL : 30000ULL) * x->n,
	};
	size_t n = x->n, n_trees = 0, depth = 0;
	uint32_t base;
	int err;

	if (!ids || !spilled || !counts || !trees)
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
	size_t begin = a->n, least = SIZE_MAX, depth = 0;
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(plans); i++) {
		struct tree_stats s = *stats;

		a->n = begin;
		depth = 0;
		err = trees_try(x, family, rules, &plans[i], a, ret_first, ret_end, &s, &depth);
		if (depth && depth < least)
			least = depth;
		if (!err) {
			*stats = s;
			break;
		}
		if (err != -EOVERFLOW && err != -E2BIG)
			return err;
		/* far from it, or out of work or memory: another plan would only take longer to say the same */
		if (!plans[i].try && (err == -E2BIG || !depth || depth > 2 * ARENA_STEPS))
			break;
	}
	if (err)
		depth = least == SIZE_MAX ? 0 : least;
	if (depth > stats->depth)
		stats->depth = depth;
	return err;
}
