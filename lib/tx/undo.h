/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What must be done to go back, newest first. */
#ifndef TCCTL_LIB_UNDO_H
#define TCCTL_LIB_UNDO_H

#include <stddef.h>

typedef int undo_fn(void *ctx, size_t arg);

struct undo_step {
	undo_fn *fn;
	size_t arg;
};

struct undo {
	void *ctx; /* handed to every step */
	struct undo_step *steps;
	size_t n, cap;
};

/* Make room for `n` more steps, so that undo_push() cannot fail after something was done. */
int undo_reserve(struct undo *u, size_t n);
void undo_push(struct undo *u, undo_fn *fn, size_t arg);
/* Go back: every step is tried; the first error is returned. */
int undo_run(struct undo *u);
/* Nothing to go back to. */
void undo_done(struct undo *u);

#endif
