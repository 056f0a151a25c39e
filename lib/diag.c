// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct diag oom_diag; /* written only with constants; returned when there is no memory for a real one */

struct tcctl_diags *diags_new(void)
{
	return calloc(1, sizeof(struct tcctl_diags));
}

static void diag_clear(struct diag *g)
{
	free(g->device);
	free(g->object);
	free(g->message);
	free(g->hint);
	free(g->detail);
}

void diags_free(struct tcctl_diags *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		diag_clear(&d->items[i]);
	for (size_t i = 0; i < d->n_files; i++)
		free(d->files[i]);
	free(d->files);
	free(d->items);
	free(d);
}

const char *diags_file(struct tcctl_diags *d, const char *file)
{
	char **files, *copy;

	for (size_t i = 0; i < d->n_files; i++)
		if (!strcmp(d->files[i], file))
			return d->files[i];
	copy = strdup(file);
	files = copy ? realloc(d->files, (d->n_files + 1) * sizeof(*files)) : NULL;
	if (!files) {
		free(copy);
		return "?";
	}
	d->files = files;
	d->files[d->n_files++] = copy;
	return copy;
}

struct diag *diag_add(struct tcctl_diags *d, enum diag_severity severity, const struct loc *loc,
		      const char *fmt, ...)
{
	struct diag *g;
	va_list ap;

	if (severity == DIAG_ERROR)
		d->n_errors++;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 8;
		struct diag *items = realloc(d->items, cap * sizeof(*items));

		if (!items)
			return &oom_diag;
		d->items = items;
		d->cap = cap;
	}
	g = &d->items[d->n];
	memset(g, 0, sizeof(*g));
	g->severity = severity;
	if (loc)
		g->loc = *loc;
	va_start(ap, fmt);
	if (vasprintf(&g->message, fmt, ap) < 0)
		g->message = NULL;
	va_end(ap);
	d->n++;
	return g;
}

static void diag_set(struct diag *g, char **field, const char *fmt, va_list ap)
{
	char *text;

	if (g == &oom_diag || vasprintf(&text, fmt, ap) < 0)
		return;
	free(*field);
	*field = text;
}

#define DIAG_SETTER(name, field)                                  \
	struct diag *name(struct diag *g, const char *fmt, ...)   \
	{                                                         \
		va_list ap;                                       \
                                                                  \
		va_start(ap, fmt);                                \
		diag_set(g, &g->field, fmt, ap);                  \
		va_end(ap);                                       \
		return g;                                         \
	}
DIAG_SETTER(diag_hint, hint)
DIAG_SETTER(diag_device, device)
DIAG_SETTER(diag_object, object)

struct diag *diag_detail(struct diag *g, const char *text)
{
	if (g != &oom_diag && text) {
		free(g->detail);
		g->detail = strdup(text);
	}
	return g;
}

struct diag *diag_errno(struct diag *g, int err)
{
	if (g != &oom_diag)
		g->err = err < 0 ? -err : err;
	return g;
}

/* Optimal string alignment distance: insertions, deletions, substitutions, neighbour swaps. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t row[3][64];

	if (la >= 63 || lb >= 63)
		return 63;
	for (size_t j = 0; j <= lb; j++)
		row[1][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *prev2 = row[(i + 2) % 3], *prev = row[i % 3], *cur = row[(i + 1) % 3];

		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t cost = a[i - 1] != b[j - 1];
			size_t best = prev[j] + 1;

			if (cur[j - 1] + 1 < best)
				best = cur[j - 1] + 1;
			if (prev[j - 1] + cost < best)
				best = prev[j - 1] + cost;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    prev2[j - 2] + 1 < best)
				best = prev2[j - 2] + 1;
			cur[j] = best;
		}
	}
	return row[(la + 1) % 3][lb];
}

const char *diag_nearest(const char *word, const char *const *candidates, size_t n)
{
	size_t best_distance = strlen(word) / 3 > 2 ? strlen(word) / 3 + 1 : 3;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t distance = edit_distance(word, candidates[i]);

		if (distance < best_distance && distance < strlen(word)) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}
