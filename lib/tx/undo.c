// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tx/undo.h"

#include <errno.h>
#include <stdlib.h>

int undo_reserve(struct undo *u, size_t n)
{
	struct undo_step *steps;

	if (u->cap - u->n >= n)
		return 0;
	steps = realloc(u->steps, (u->n + n) * sizeof(*steps));
	if (!steps)
		return -ENOMEM;
	u->steps = steps;
	u->cap = u->n + n;
	return 0;
}

void undo_push(struct undo *u, undo_fn *fn, size_t arg)
{
	u->steps[u->n++] = (struct undo_step){ fn, arg };
}

int undo_run(struct undo *u)
{
	int first = 0;

	while (u->n) {
		struct undo_step *s = &u->steps[--u->n];
		int err = s->fn(u->ctx, s->arg);

		if (err && !first)
			first = err;
	}
	return first;
}

void undo_done(struct undo *u)
{
	free(u->steps);
	*u = (struct undo){};
}
