/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which cut of a node leaves the fewest boxes to look at for its memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define SAMPLE 512
/* Memory counts less at the root, where width spares most packets everything below. */
#define ROOT_MEMORY 0.02
#define ENTRY 32 /* bytes: what memory is counted in */
#define FIELDS 6 /* of which windows are tried */
#define FEW 160
#define FEW_BITS 6
/* Of how many boxes the worst child has to have fewer, not just the average one; what the worst child counts. */
#define WORST 40
#define WORST_WEIGHT 0.3

/* What a cut makes of a list of boxes. Neighbouring children with the same boxes share what is below them: they are
 * a run, and memory follows the runs. */
struct split {
	double total;	      /* boxes in all children together */
	double runs, squares; /* boxes in all runs together, and the sum of their squares */
	double most;	      /* boxes in one child */
	size_t wide;	      /* boxes left out */
};

/* With `narrow`, boxes in more than half of the children are left out. The counters are all zero before and after: only
 * those where something changes are visited. */
#define EDGE(j, by) (edge[(j) / 64] |= 1ULL << (j) % 64, c[j] += (by))
static void evaluate(struct build *t, const uint32_t *ids, size_t n, const struct window *w,
		     const struct region *r, bool narrow, struct split *ret)
{
	uint32_t size = 1U << w->bits, first, mask, k, in = 0, from = 0, wide = 0, most = 0;
	uint64_t total = 0, runs = 0, squares = 0, *edge = t->edges;
	uint32_t *c = t->counts;

	for (size_t i = 0; i < n; i++) {
		k = window_span(t, ids[i], w, r, &first, &mask);
		if (!k)
			continue;
		if (narrow && k > size / 2) {
			wide++;
			continue;
		}
		if (k == size) {
			in++;
		} else if (w->field >= BOX_MASKED) {
			/* masked counts are kept apart from the differences: shifted by adding both ends */
			uint32_t free_bits = ~mask & (size - 1), sub = 0;

			do {
				EDGE(first | sub, 1);
				EDGE((first | sub) + 1, -1U);
				sub = (sub - free_bits) & free_bits;
			} while (sub);
			t->work += k;
		} else if (first + k <= size) {
			EDGE(first, 1);
			EDGE(first + k, -1U);
		} else {
			EDGE(0, 1);
			EDGE(first + k - size, -1U);
			EDGE(first, 1);
		}
	}
	EDGE(size, 0);
	for (uint32_t q = 0; q <= size / 64; q++) {
		for (uint64_t bits = edge[q]; bits; bits &= bits - 1) {
			uint32_t j = q * 64 + (uint32_t)__builtin_ctzll(bits);

			if (j > from) {
				runs += in;
				total += (uint64_t)in * (j - from);
				squares += (uint64_t)in * in;
				if (in > most)
					most = in;
			}
			from = j;
			in += c[j];
			c[j] = 0;
		}
		edge[q] = 0;
	}
	*ret = (struct split){ (double)total, (double)runs, (double)squares, most, wide };
	t->work += 2 * n + size / 64;
}

/* The same as evaluate() for few boxes, with what is behind a box that takes a whole child left out. */
static void evaluate_few(struct build *t, const uint32_t *ids, size_t n, const bool *others,
			 const struct window *w, const struct region *r, struct split *ret)
{
	uint32_t size = 1U << w->bits, first, mask = 0, window = (size - 1) << w->shift;
	uint32_t open = box_field_max(w->field) & ~(r->mask[w->field] | window);
	uint32_t count[1U << FEW_BITS] = {}, most = 0;
	uint64_t closed = 0, edge = 0, total = 0, runs = 0, squares = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t k = window_span(t, ids[i], w, r, &first, &mask);
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
			if (!q || w->field >= BOX_MASKED)
				edge |= 1ULL << j;
			if (q + 1 == k || w->field >= BOX_MASKED)
				edge |= 1ULL << ((j + 1) & 63);
			if (!others[i])
				continue;
			at = (r->value[w->field] & ~window) | j << w->shift;
			if (w->field >= BOX_MASKED ? !(hi & open) && !((lo ^ at) & hi) :
						     lo <= at && hi >= (at | open))
				closed |= 1ULL << j;
		}
		t->work += k + 2;
	}
	for (uint32_t j = 0; j < size; j++) {
		total += count[j];
		if (j && !(edge >> j & 1) && count[j] == count[j - 1])
			continue;
		runs += count[j];
		if (count[j] > most)
			most = count[j];
		squares += (uint64_t)count[j] * count[j];
	}
	*ret = (struct split){ (double)total, (double)runs, (double)squares, most, 0 };
}

/* What is known of the boxes of a node while its cut is chosen. */
struct chooser {
	struct build *t;
	const struct region *r;
	const uint32_t *ids; /* all, or a sample */
	size_t n, m;	     /* boxes; those in `ids` */
	double scale, allowance;
	unsigned int depth, per_line;
	bool narrow;
	uint32_t narrows[FEW];	  /* of few boxes: fields in which each does not take the whole region */
	size_t count[BOX_FIELDS]; /* boxes that do not, by place in active[] */
};

/* The bits of a field that are worth a cut, from the highest on, -1: none. Bits that every box has alike separate them from
 * everything else, once: worth a try as well. */
static int top_bit(const struct chooser *c, enum box_field f, uint32_t open)
{
	const struct box_column *column = &c->t->x->field[f];
	uint32_t vary = 0, one = 0;
	bool any = false;

	for (size_t i = 0; i < c->m; i++) {
		uint32_t lo = column->lo[c->ids[i]], hi = column->hi[c->ids[i]];

		if (f >= BOX_MASKED) {
			vary |= hi;
			any |= !!(hi & open);
			continue;
		}
		if (lo <= c->r->value[f] && hi >= (c->r->value[f] | open))
			continue;
		if (!any)
			one = lo;
		any = true;
		vary |= (lo ^ one) | (hi ^ one);
	}
	vary &= open;
	if (!any || !open)
		return -1;
	return 31 - __builtin_clz(vary ? vary : open);
}

/* Is a cut better than what is known? */
static bool weigh(const struct chooser *c, const struct window *w, const struct split *split,
		  struct choice *ret)
{
	const struct build *t = c->t;
	double n = (double)c->n, m = (double)c->m, line = c->per_line, left = m - (double)split->wide;
	double worst = t->share ? 0 : WORST_WEIGHT, avg, copies, memory, score;

	if (!split->total || split->wide > c->m / 2 + c->m / 4)
		return false;
	avg = split->squares / split->runs * c->scale;
	/* a sample shows fewer runs than there are */
	copies = fmin(split->total, split->runs * c->scale) / left;
	if (!c->narrow && copies * n > c->allowance)
		return false;
	/* one line for the cut must save more than one */
	if (!c->narrow && (avg >= t->gain * n || avg + line >= n ||
			   ((c->n <= WORST || t->share) && split->most + line > n)))
		return false;
	memory = (double)(1U << w->bits) * 8 / (n * ENTRY) + (copies - 1) * ARENA_LINE / line / ENTRY;
	score = (1 - worst) * log2(avg + 1) + worst * log2(split->most * c->scale + 1) +
		t->memory * memory * (c->depth ? 1 : ROOT_MEMORY) +
		(c->depth ? 0.25 : 1) * log2(split->total * c->scale / (1U << w->bits) + 1);
	if (c->narrow)
		score += 4.0 * (double)split->wide / m;
	if (score >= ret->score)
		return false;
	*ret = (struct choice){ *w, score, copies, avg };
	return true;
}

/* Try windows of one field. */
static bool choose_in(const struct chooser *c, unsigned int a, struct choice *ret)
{
	static const uint8_t try_bits[] = { 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18 };
	struct window w = { .field = c->t->active[a] };
	uint32_t open = box_field_max(w.field) & ~c->r->mask[w.field];
	unsigned int width = box_places[w.field].width, step = c->m > 256 ? 4 : c->m > 64 ? 2 : 1;
	bool found = false, others[FEW], exact = false;
	int top = top_bit(c, w.field, open);

	for (size_t i = 0; c->n <= FEW && !c->narrow && i < c->n; i++) {
		others[i] = !(c->narrows[i] & ~(1U << a));
		exact |= others[i];
	}
	for (unsigned int low = 0; (int)low <= top && (c->m <= 128 || low <= 12); low += step) {
		unsigned int high = (unsigned int)top - low + 1;

		for (unsigned int k = 0; k < ARRAY_SIZE(try_bits); k++) {
			struct split split;

			w.bits = try_bits[k];
			if (low + 1 < w.bits && low)
				break;
			w.shift = high < w.bits ? 0 : high - w.bits;
			if (w.shift + w.bits > width || (1U << w.bits) > (c->depth ? 8 : 64) * c->n + 8)
				break;
			if (((1U << w.bits) - 1) << w.shift & c->r->mask[w.field])
				continue; /* known already */
			if (exact && w.bits <= FEW_BITS)
				evaluate_few(c->t, c->ids, c->m, others, &w, c->r, &split);
			else
				evaluate(c->t, c->ids, c->m, &w, c->r, c->narrow, &split);
			found |= weigh(c, &w, &split, ret);
			if (w.shift == 0)
				break;
		}
	}
	return found;
}

/* Every child of a cut has the boxes that take all of its field: a field that few look at is no good. */
static bool worth_trying(const struct chooser *c, unsigned int a)
{
	const struct build *t = c->t;
	unsigned int better = 0;

	if (t->active[a] == BOX_NEED || t->active[a] == BOX_FRAG)
		return false;
	for (unsigned int b = 0; b < t->n_active; b++)
		better += c->count[b] > c->count[a];
	return better < FIELDS || c->count[a] > c->m / 2;
}

bool choose(struct build *t, const uint32_t *ids, size_t n, const struct region *r, double allowance,
	    unsigned int depth, unsigned int per_line, bool narrow, struct choice *ret)
{
	struct chooser c = { .t = t,
			     .r = r,
			     .ids = ids,
			     .n = n,
			     .m = n,
			     .scale = 1,
			     .allowance = allowance,
			     .depth = depth,
			     .per_line = per_line,
			     .narrow = narrow };
	uint32_t some[SAMPLE];
	bool found = false;

	if (n > SAMPLE) {
		uint64_t x = n;

		for (size_t i = 0; i < SAMPLE; i++) {
			x = x * 6364136223846793005ULL + 1442695040888963407ULL;
			/* stratified: one of each stretch, so that no rule order misleads */
			some[i] = ids[(i * n + (x >> 33) % n) / SAMPLE];
		}
		c.ids = some;
		c.m = SAMPLE;
		c.scale = (double)n / SAMPLE;
	}
	for (size_t i = 0; i < c.m; i++) {
		uint32_t fields = region_narrow(t, c.ids[i], r);

		if (n <= FEW)
			c.narrows[i] = fields;
		for (; fields; fields &= fields - 1)
			c.count[__builtin_ctz(fields)]++;
	}
	t->work += c.m * t->n_active / 2;
	*ret = (struct choice){ .score = HUGE_VAL };
	/* Shared nodes: one field after the other, or there are as many different ones as fields have states together. */
	for (unsigned int begun = !!t->share; !found && begun <= 1; begun--)
		for (unsigned int a = 0; a < t->n_active; a++)
			if (c.count[a] && (!begun || r->mask[t->active[a]]) && worth_trying(&c, a))
				found |= choose_in(&c, a, ret);
	return found;
}
