// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "diag.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What diag_add() returns when nothing is kept. Never written: the setters know it. */
static const struct diag sink;
#define SINK ((struct diag *)&sink)

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

/* Text from a configuration must not steer the terminal that shows it. */
static void sanitize(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; p && *p; p++) {
		if (*p < 0x20)
			*p = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : '?';
		else if (*p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* U+0080 to U+009F */
			p[0] = p[1] = '?';
	}
}

struct diag *diag_add(struct tcctl_diags *d, enum diag_severity severity, const struct loc *loc,
		      const char *fmt, ...)
{
	struct diag *g;
	va_list ap;

	if (severity == DIAG_ERROR)
		d->n_errors++;
	if (d->count[severity]++ >= DIAGS_KEEP)
		return SINK;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 8;
		struct diag *items = realloc(d->items, cap * sizeof(*items));

		if (!items)
			return SINK;
		d->items = items;
		d->cap = cap;
	}
	g = &d->items[d->n];
	memset(g, 0, sizeof(*g));
	g->severity = severity;
	if (loc)
		g->loc = *loc;
	if (g->loc.file)
		g->loc.file = diags_file(d, g->loc.file);
	va_start(ap, fmt);
	if (vasprintf(&g->message, fmt, ap) < 0)
		g->message = NULL;
	va_end(ap);
	sanitize(g->message);
	d->n++;
	return g;
}

struct diag *diag_none(void)
{
	return SINK;
}

bool diags_full(const struct tcctl_diags *d, enum diag_severity severity)
{
	return d->count[severity] >= DIAGS_KEEP;
}

size_t diags_lost(const struct tcctl_diags *d, enum diag_severity severity)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->n; i++)
		kept += d->items[i].severity == severity;
	return d->count[severity] - kept;
}

struct sort_key {
	size_t file; /* 0: no place */
	unsigned int line, col;
	size_t i;
};

static int by_place(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

void diags_sort(struct tcctl_diags *d, size_t from)
{
	size_t n = d->n > from ? d->n - from : 0;
	struct sort_key *keys;
	struct diag *sorted;

	if (n < 2)
		return;
	keys = malloc(n * sizeof(*keys));
	sorted = malloc(n * sizeof(*sorted));
	for (size_t i = 0; keys && sorted && i < n; i++) {
		const struct loc *loc = &d->items[from + i].loc;

		keys[i] = (struct sort_key){ 0, loc->line, loc->col, i };
		for (size_t f = 0; loc->file && f < d->n_files; f++)
			if (d->files[f] == loc->file)
				keys[i].file = f + 1;
	}
	if (keys && sorted) {
		qsort(keys, n, sizeof(*keys), by_place);
		for (size_t i = 0; i < n; i++)
			sorted[i] = d->items[from + keys[i].i];
		memcpy(d->items + from, sorted, n * sizeof(*sorted));
	}
	free(keys);
	free(sorted);
}

char *diag_format(const struct diag *g)
{
	static const char *const severity[] = {
		[DIAG_ERROR] = "error", [DIAG_WARNING] = "warning", [DIAG_NOTE] = "note"
	};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	_Static_assert(sizeof(severity) / sizeof(severity[0]) == DIAG_SEVERITY_MAX,
		       "a word for each severity");
	if (!f)
		return NULL;
	if (g->loc.file)
		fprintf(f, "%s:", g->loc.file);
	if (g->loc.file && g->loc.line)
		fprintf(f, "%u:", g->loc.line);
	if (g->loc.file && g->loc.line && g->loc.col)
		fprintf(f, "%u:", g->loc.col);
	fprintf(f, "%s%s: ", g->loc.file ? " " : "", severity[g->severity]);
	if (g->device)
		fprintf(f, "%s: ", g->device);
	if (g->object)
		fprintf(f, "%s: ", g->object);
	fputs(g->message ? g->message : "out of memory", f);
	if (g->err)
		fprintf(f, ": %s", strerror(g->err));
	if (g->hint)
		fprintf(f, " (%s)", g->hint);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void __attribute__((format(printf, 3, 0)))
diag_set(struct diag *g, char **field, const char *fmt, va_list ap)
{
	char *text;

	if (g == SINK || vasprintf(&text, fmt, ap) < 0)
		return;
	sanitize(text);
	free(*field);
	*field = text;
}

#define DIAG_SETTER(name, field)                                \
	struct diag *name(struct diag *g, const char *fmt, ...) \
	{                                                       \
		va_list ap;                                     \
                                                                \
		va_start(ap, fmt);                              \
		diag_set(g, &g->field, fmt, ap);                \
		va_end(ap);                                     \
		return g;                                       \
	}
DIAG_SETTER(diag_hint, hint)
DIAG_SETTER(diag_device, device)
DIAG_SETTER(diag_object, object)

struct diag *diag_detail(struct diag *g, const char *text)
{
	if (g != SINK && text) {
		free(g->detail);
		g->detail = strdup(text);
	}
	return g;
}

struct diag *diag_errno(struct diag *g, int err)
{
	if (g != SINK)
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
			size_t cost = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
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
	size_t len = strlen(word);
	/* In a short word two differences make another word. */
	size_t best_distance = (len <= 5 ? 1 : len <= 8 ? 2 : len / 3) + 1;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t distance = edit_distance(word, candidates[i]);

		if (distance < best_distance && distance < len) {
			best_distance = distance;
			best = candidates[i];
		}
	}
	return best;
}
