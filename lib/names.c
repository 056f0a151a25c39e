// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "names.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"

#define NAMES_NEAREST_MAX 1024

static uint64_t names_hash(const char *key)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 0x100000001b3ULL;
	return h ^ (h >> 29);
}

/* The slot of `key`, or the empty one where it belongs. */
static struct names_slot *names_slot(const struct names *t, const char *key)
{
	size_t i = names_hash(key) & (t->cap - 1);

	while (t->slots[i].key && strcmp(t->slots[i].key, key))
		i = (i + 1) & (t->cap - 1);
	return &t->slots[i];
}

static int names_grow(struct names *t)
{
	struct names bigger = { .cap = t->cap ? t->cap * 2 : 16, .n = t->n };

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].key)
			*names_slot(&bigger, t->slots[i].key) = t->slots[i];
	free(t->slots);
	*t = bigger;
	return 0;
}

int names_add(struct names *t, const char *key, int value, int *ret_old)
{
	struct names_slot *slot;

	if (t->n * 4 >= t->cap * 3 && names_grow(t) < 0)
		return -ENOMEM;
	slot = names_slot(t, key);
	if (slot->key) {
		if (ret_old)
			*ret_old = slot->value;
		return 1;
	}
	slot->key = key;
	slot->value = value;
	t->n++;
	return 0;
}

int names_put(struct names *t, const char *key, int value)
{
	int r = names_add(t, key, value, NULL);

	if (r == 1)
		names_slot(t, key)->value = value;
	return r < 0 ? r : 0;
}

int names_find(const struct names *t, const char *key)
{
	const struct names_slot *slot = t->cap ? names_slot(t, key) : NULL;

	return slot && slot->key ? slot->value : NAMES_NONE;
}

static int by_value(const void *a, const void *b)
{
	const struct names_slot *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

const char *names_nearest(const struct names *t, const char *word)
{
	struct names_slot *sorted;
	const char **keys, *nearest;
	size_t n = 0;

	if (!t->n || t->n > NAMES_NEAREST_MAX)
		return NULL;
	sorted = malloc(t->n * sizeof(*sorted));
	keys = malloc(t->n * sizeof(*keys));
	if (!sorted || !keys) {
		free(sorted);
		free(keys);
		return NULL;
	}
	for (size_t i = 0; i < t->cap; i++)
		if (t->slots[i].key)
			sorted[n++] = t->slots[i];
	/* In the order of the file, so that ties do not depend on the hash. */
	qsort(sorted, n, sizeof(*sorted), by_value);
	for (size_t i = 0; i < n; i++)
		keys[i] = sorted[i].key;
	nearest = diag_nearest(word, keys, n);
	free(sorted);
	free(keys);
	return nearest;
}

void names_done(struct names *t)
{
	free(t->slots);
	*t = (struct names){ 0 };
}
