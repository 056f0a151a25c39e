/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which cut of a node leaves the fewest boxes to look at for its memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define SAMPLE 1024
/* Memory counts less at the root, where width spares most packets everything below. */
#define ROOT_MEMORY 0.02
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

/* With `narrow`, boxes in more than half of the children are left out. */
#define EDGE(j) (edge[(j) / 64] |= 1ULL << (j) % 64)
static void evaluate(struct build *t, const uint32_t *ids, size_t n, const struct window *w, const struct region *r,
		     bool narrow, struct split *ret)
{
	uint32_t size = 1U << w->bits, first, mask, k;
	uint32_t *c = t->counts;
	uint64_t total = 0, runs = 0, squares = 0, *edge = t->edges;
	uint32_t in = 0, base = 0, wide = 0, most = 0;

	memset(c, 0, (size + 1) * sizeof(*c));
	memset(edge, 0, (size / 64 + 1) * sizeof(*edge));
	for (size_t i = 0; i < n; i++) {
		k = window_span(t, ids[i], w, r, &first, &mask);
		if (!k)
			continue;
		if (narrow && k > size / 2) {
			wide++;
			continue;
		}
		if (w->field >= BOX_MASKED) {
			/* masked counts are kept apart from the differences: shifted by adding both ends */
			uint32_t free_bits = ~mask & (size - 1), sub = 0;

			do {
				c[first | sub]++;
				c[(first | sub) + 1]--;
				EDGE(first | sub);
				EDGE((first | sub) + 1);
				sub = (sub - free_bits) & free_bits;
			} while (sub);
		} else if (k == size) {
			base++;
		} else if (first + k <= size) {
			c[first]++;
			c[first + k]--;
			EDGE(first);
			EDGE(first + k);
		} else {
			c[first]++;
			c[size]--;
			c[0]++;
			c[first + k - size]--;
			EDGE(first);
			EDGE(first + k - size);
		}
	}
	for (uint32_t j = 0; j < size; j++) {
		in += c[j];
		total += in + base;
		if (j && !(edge[j / 64] >> j % 64 & 1))
			continue;
		runs += in + base;
		if (in + base > most)
			most = in + base;
		squares += (uint64_t)(in + base) * (in + base);
	}
	*ret = (struct split){ (double)total, (double)runs, (double)squares, most, wide };
	t->work += n + size / 4;
}

/* The same as evaluate() for few boxes, with what is behind a box that takes a whole child left out. */
static void evaluate_few(struct build *t, const uint32_t *ids, size_t n, const bool *others, const struct window *w,
			 const struct region *r, struct split *ret)
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
			if (w->field >= BOX_MASKED ? !(hi & open) && !((lo ^ at) & hi) : lo <= at && hi >= (at | open))
				closed |= 1ULL << j;
		}
		t->work += k;
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

static const uint8_t try_bits[] = { 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18 };

bool choose(struct build *t, const uint32_t *ids, size_t n, const struct region *r, double allowance, unsigned int depth,
	    bool narrow, struct choice *ret)
{
	_cleanup_free_ uint32_t *some = NULL;
	const uint32_t *s = ids;
	size_t m = n;
	double scale = 1, line = t->family == 4 ? 2 : 1;
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
				others[i] = region_covered_but(t, ids[i], w.field, r);
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
		for (unsigned int low = 0; (int)low <= top && (m <= 128 || low <= 12); low += step) {
			for (unsigned int k = 0; k < ARRAY_SIZE(try_bits); k++) {
				double avg, copies, memory, score;
				struct split split;

				w.bits = try_bits[k];
				if (low + 1 < w.bits && low)
					break;
				w.shift = (unsigned int)top - low + 1 < w.bits ? 0 : (unsigned int)top - low + 1 - w.bits;
				if (w.shift + w.bits > width || w.bits > BITS_MAX)
					break;
				if (((1U << w.bits) - 1) << w.shift & r->mask[w.field])
					continue; /* known already */
				if ((1U << w.bits) > (depth ? 8 : 64) * n + 8)
					break;
				if (exact && w.bits <= FEW_BITS) {
					evaluate_few(t, s, m, others, &w, r, &split);
				} else {
					evaluate(t, s, m, &w, r, narrow, &split);
				}
				if (!split.total || split.wide > m / 2 + m / 4)
					continue;
				avg = split.squares / split.runs * scale;
				/* a sample shows fewer runs than there are */
				copies = fmin(split.total, split.runs * scale) / (double)(m - split.wide);
				if (copies * (double)n > allowance && !narrow)
					continue;
				memory = ((double)(1U << w.bits) * 8 / (double)n + (copies - 1) * 32) / 32;
				/* one line for the cut must save more than one */
				if (!narrow && (avg >= t->gain * (double)n || avg + line >= (double)n ||
						(n <= WORST && split.most + line > (double)n)))
					continue;
				score = (1 - WORST_WEIGHT) * log2(avg + 1) + WORST_WEIGHT * log2(split.most * scale + 1) + (depth ? t->memory : t->memory * ROOT_MEMORY) * memory +
					(depth ? 0.25 : 1) * log2(split.total * scale / (1U << w.bits) + 1);
				if (narrow)
					score += 4.0 * (double)split.wide / (double)m;
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
