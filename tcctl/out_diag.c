// SPDX-License-Identifier: GPL-2.0-only
#include "out_diag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "out.h"

#define SOURCE_WIDTH 100 /* characters of a source line that are shown */
#define DETAIL_LINES 12

static const char *const severities[TCCTL_SEVERITY_MAX] = {
	[TCCTL_ERROR] = "error",
	[TCCTL_WARNING] = "warning",
	[TCCTL_NOTE] = "note",
};
static const enum colour severity_colours[TCCTL_SEVERITY_MAX] = {
	[TCCTL_ERROR] = RED,
	[TCCTL_WARNING] = YELLOW,
	[TCCTL_NOTE] = CYAN,
};

/* Diagnostics come sorted by place, so one pass over each file is enough. */
static struct {
	FILE *f;
	char *name, *line;
	size_t cap;
	unsigned int n; /* lines read */
} source;

void diag_print_done(void)
{
	if (source.f)
		fclose(source.f);
	free(source.name);
	free(source.line);
	memset(&source, 0, sizeof(source));
}

static const char *source_line(const char *name, unsigned int n)
{
	struct stat st;

	if (!source.name || strcmp(source.name, name) || n < source.n) {
		diag_print_done();
		source.name = strdup(name);
		source.f = stat(name, &st) || !S_ISREG(st.st_mode) ? NULL : fopen(name, "re");
	}
	while (source.f && source.n < n) {
		ssize_t len = getline(&source.line, &source.cap, source.f);

		if (len < 0) {
			fclose(source.f);
			source.f = NULL;
			return NULL;
		}
		if (len && source.line[len - 1] == '\n')
			source.line[len - 1] = '\0';
		source.n++;
	}
	return source.f ? source.line : NULL;
}

/* `n` characters further. */
static const char *utf8_skip(const char *s, size_t n)
{
	for (; n && *s; n--)
		do
			s++;
		while ((*s & 0xc0) == 0x80);
	return s;
}

static void print_source(const struct tcctl_diag *d)
{
	const char *line, *from, *to, *mark;
	size_t skip = 0;

	if (!d->file || !d->line)
		return;
	line = source_line(d->file, d->line);
	if (!line)
		return;
	/* A window around the column, for a file of one very long line. */
	if (d->col > SOURCE_WIDTH - 20)
		skip = d->col - (SOURCE_WIDTH - 20);
	from = utf8_skip(line, skip);
	to = utf8_skip(from, SOURCE_WIDTH);
	fprintf(stderr, "%6u | %s", d->line, skip ? "…" : "");
	for (const char *c = from; c < to; c++)
		if (*c == '\t')
			putc('\t', stderr);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			putc('?', stderr);
		else
			putc(*c, stderr);
	fprintf(stderr, "%s\n", *to ? "…" : "");
	if (!d->col)
		return;
	fprintf(stderr, "       | %s", skip ? " " : "");
	mark = utf8_skip(from, d->col - 1 - skip);
	for (const char *c = from; c < mark; c++)
		if (*c == '\t')
			putc('\t', stderr);
		else if ((*c & 0xc0) != 0x80)
			putc(' ', stderr);
	fprintf(stderr, "%s^%s\n", colour(stderr, GREEN), colour(stderr, PLAIN));
}

static void print_detail(const char *text, bool whole)
{
	const char *from = text, *end = text + strlen(text);
	size_t lines = 0;

	while (end > text && end[-1] == '\n')
		end--;
	if (!whole)
		for (from = end; from > text; from--)
			if (from[-1] == '\n' && ++lines == DETAIL_LINES)
				break;
	if (from > text)
		fprintf(stderr, "  … (-v prints all of it)\n");
	while (from < end) {
		const char *nl = memchr(from, '\n', (size_t)(end - from));
		char line[512];

		snprintf(line, sizeof(line), "%.*s", (int)((nl ? nl : end) - from), from);
		fputs("  ", stderr);
		put_text(stderr, line);
		putc('\n', stderr);
		from = nl ? nl + 1 : end;
	}
}

void diag_print(const struct tcctl_diag *d, bool whole)
{
	const char *off = colour(stderr, PLAIN);

	if (d->file) {
		fputs(colour(stderr, BOLD), stderr);
		put_text(stderr, d->file);
		if (d->line)
			fprintf(stderr, ":%u", d->line);
		if (d->line && d->col)
			fprintf(stderr, ":%u", d->col);
		fprintf(stderr, ":%s ", off);
	} else {
		fprintf(stderr, "%stcctl:%s ", colour(stderr, BOLD), off);
	}
	fprintf(stderr, "%s%s:%s ", colour(stderr, severity_colours[d->severity]), severities[d->severity],
		off);
	if (d->device) {
		put_text(stderr, d->device);
		fputs(": ", stderr);
	}
	if (d->object) {
		put_text(stderr, d->object);
		fputs(": ", stderr);
	}
	put_text(stderr, d->message);
	/* Of some the message says better what they mean here. */
	if (d->err && d->err != EINVAL && d->err != EEXIST && d->err != EBADMSG && d->err != EPROTONOSUPPORT &&
	    !strstr(d->message, strerror(d->err)))
		fprintf(stderr, ": %s", strerror(d->err));
	putc('\n', stderr);
	print_source(d);
	if (d->hint) {
		fprintf(stderr, "  %shint:%s ", colour(stderr, CYAN), off);
		put_text(stderr, d->hint);
		putc('\n', stderr);
	}
	if (d->detail && d->detail[0])
		print_detail(d->detail, whole);
}

struct json_object *diag_json(const struct tcctl_diag *d)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "severity", severities[d->severity]);
	json_add_text(o, "file", d->file);
	if (d->file && d->line)
		json_add_u64(o, "line", d->line);
	if (d->file && d->line && d->col)
		json_add_u64(o, "column", d->col);
	json_add_text(o, "device", d->device);
	json_add_text(o, "object", d->object);
	json_add_text(o, "message", d->message);
	json_add_text(o, "hint", d->hint);
	json_add_text(o, "detail", d->detail);
	if (d->err)
		json_add(o, "errno", json_object_new_int(d->err));
	return o;
}
