/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Nodes of few boxes that overlap in many fields. Memory is shared out by the number of boxes, which starves the few
 * places where many overlap: there it is worth far more. What a share is good for is tried out first.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define GOAL 7	 /* lines below such a node: good enough */
#define LIMIT 24 /* too many */
#define TRIAL_WORK 30000000

static const struct {
	double allowance, allowance0, memory; /* copies per box, and besides; as in struct plan */
} shares[] = {
	{ 0, 0, 1 },
	{ 30, 1000, 0.1 },
	{ 200, 20000, 0.02 },
};

/* Lines below the node with one share. -EOVERFLOW: too much work for what it may save. */
static int try_share(struct build *t, const uint32_t *ids, uint32_t *copy, size_t n, const struct region *r,
		     double allowance, unsigned int depth, bool bounded, size_t *ret_depth)
{
	uint64_t work_max = t->work_max, node;
	int err;

	memcpy(copy, ids, n * sizeof(*copy));
	if (bounded && work_max > t->work + TRIAL_WORK)
		t->work_max = t->work + TRIAL_WORK;
	t->dry = true;
	err = node_build(t, copy, n, r, allowance, depth, &node, ret_depth);
	t->dry = false;
	t->work_max = work_max;
	return err;
}

int hard_build(struct build *t, uint32_t *ids, size_t n, const struct region *r, double allowance,
	       unsigned int depth, unsigned int per_line, uint64_t *ret, size_t *ret_depth)
{
	_cleanup_free_ uint32_t *copy = malloc(n * sizeof(*copy));
	double memory = t->memory, best_allowance = allowance, best_memory = memory;
	size_t least = SIZE_MAX;
	bool aside = false;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	t->hard = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(shares) && !err && least > GOAL; i++) {
		double some = fmax(shares[i].allowance * (double)n + shares[i].allowance0, allowance);
		size_t d;

		t->memory = i ? fmin(shares[i].memory, memory) : memory;
		err = try_share(t, ids, copy, n, r, some, depth, i > 0, &d);
		if (err == -EOVERFLOW && i && t->work < t->work_max) {
			err = 0;
			break;
		}
		if (!err && (least == SIZE_MAX || d < least - least / 8)) {
			least = d;
			best_allowance = some;
			best_memory = t->memory;
		}
	}
	t->memory = memory;
	t->hard = false;
	if (!err && least > LIMIT && !t->last)
		err = aside_build(t, ids, n, r, allowance, depth, per_line, &aside, ret, ret_depth);
	if (err || aside)
		return err;
	t->memory = best_memory;
	t->hard = true;
	err = node_build(t, ids, n, r, best_allowance, depth, ret, ret_depth);
	t->memory = memory;
	t->hard = false;
	return err;
}
