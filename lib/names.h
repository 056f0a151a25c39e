/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A table from names to small numbers: a hash table that does not own its strings. */
#ifndef TCCTL_LIB_NAMES_H
#define TCCTL_LIB_NAMES_H

#include <stddef.h>

#define NAMES_NONE (-1)

struct names_slot {
	const char *key; /* NULL: empty */
	int value;
};

/* All zero is an empty table. */
struct names {
	struct names_slot *slots;
	size_t cap, n;
};

/* 0: added; 1: the name is there already and *ret_old (may be NULL) is its value; -ENOMEM. */
int names_add(struct names *t, const char *key, int value, int *ret_old);
/* The same, but a name that is there gets the new value. 0 or -ENOMEM. */
int names_put(struct names *t, const char *key, int value);
/* The value, or NAMES_NONE. */
int names_find(const struct names *t, const char *key);
/* The name nearest to `word` for "did you mean", or NULL. Gives up on tables too big to be worth it. */
const char *names_nearest(const struct names *t, const char *word);
void names_done(struct names *t);

#endif
