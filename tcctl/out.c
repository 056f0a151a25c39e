// SPDX-License-Identifier: GPL-2.0-only
#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"
#include "out_diag.h"

static bool json_errors;

void out_json_errors(bool on)
{
	json_errors = on;
}

const char *nearest(const char *word, const char *const *names, size_t n)
{
	const char *near = diag_nearest(word, names, n);

	/* Other tools take abbreviations: name what was meant. */
	for (size_t i = 0; i < n && !near; i++)
		if (word[0] && !strncmp(names[i], word, strlen(word)))
			near = names[i];
	return near;
}

/* Is this a terminal that wants colours? Asked once of each file: a list of thousands of lines asks for each of them. */
static bool colourful(FILE *f)
{
	static const FILE *asked[2];
	static bool answers[2];
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	size_t i = f == stderr;

	if (asked[i] != f) {
		asked[i] = f;
		answers[i] = !(no && no[0]) && term && strcmp(term, "dumb") && isatty(fileno(f));
	}
	return answers[i];
}

const char *colour(FILE *f, enum colour c)
{
	static const char *const codes[COLOUR_MAX] = {
		[PLAIN] = "\033[0m",  [BOLD] = "\033[1m",      [DIM] = "\033[2m",   [RED] = "\033[1;31m",
		[GREEN] = "\033[32m", [YELLOW] = "\033[1;33m", [CYAN] = "\033[36m",
	};

	return colourful(f) ? codes[c] : "";
}

void put_text(FILE *f, const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)) /* C0, DEL, C1 */
			fprintf(f, "\\x%02x", *c);
		else
			putc(*c, f);
}

const char *bytes_text(uint64_t bytes, char buf[32])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double v = (double)bytes;
	size_t unit = 0;

	for (; v >= 999.5 && unit < sizeof(units) / sizeof(units[0]) - 1; unit++)
		v /= 1000;
	snprintf(buf, 32, unit && v < 99.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return buf;
}

int usage_error(const char *hint, const char *fmt, ...)
{
	struct tcctl_diag d = { .sz = sizeof(d), .severity = TCCTL_ERROR, .err = EINVAL, .hint = hint };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d.message = text;
	if (json_errors) {
		struct json_object *o = json_object_new_object(), *list = json_object_new_array();

		json_add_text(o, "tcctl", tcctl_version());
		json_add_bool(o, "ok", false);
		json_object_array_add(list, diag_json(&d));
		json_add(o, "diagnostics", list);
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
	} else {
		diag_print(&d, true);
	}
	return EXIT_ERROR;
}

struct json_object *json_begin(const struct options *options)
{
	struct json_object *o;

	if (!options->json)
		return NULL;
	o = json_object_new_object();
	json_add_text(o, "tcctl", tcctl_version());
	json_add_text(o, "command", options->command->name);
	return o;
}

void json_add(struct json_object *to, const char *key, struct json_object *value)
{
	if (to)
		json_object_object_add(to, key, value);
	else
		json_object_put(value);
}

size_t utf8_length(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 :
		   s[0] < 0xc2 ? 0 :
		   s[0] < 0xe0 ? 2 :
		   s[0] < 0xf0 ? 3 :
		   s[0] < 0xf5 ? 4 :
				 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void json_add_text(struct json_object *to, const char *key, const char *text)
{
	char *clean, *out;

	if (!text || !to)
		return;
	/* Names in the kernel are bytes; JSON is UTF-8. What is none becomes U+FFFD. */
	out = clean = malloc(3 * strlen(text) + 1);
	if (!clean)
		abort();
	while (*text) {
		size_t n = utf8_length(text);

		memcpy(out, n ? text : "\xef\xbf\xbd", n ? n : 3);
		out += n ? n : 3;
		text += n ? n : 1;
	}
	json_add(to, key, json_object_new_string_len(clean, (int)(out - clean)));
	free(clean);
}

void json_add_u64(struct json_object *to, const char *key, uint64_t value)
{
	json_add(to, key, json_object_new_uint64(value));
}

void json_add_bool(struct json_object *to, const char *key, bool value)
{
	json_add(to, key, json_object_new_boolean(value));
}

int finish(const struct options *options, int err, int code, struct tcctl_diags *diags,
	   struct json_object *json)
{
	size_t n = tcctl_diags_count(diags);
	struct tcctl_diag d = { .sz = sizeof(d) };
	int write_err = 0;

	if (err < 0)
		code = EXIT_ERROR;
	/* The library explains every failure; this is for one it forgot. */
	if (err < 0 && !tcctl_diags_errors(diags)) {
		diag_errno(diag_error(diags, NULL, "%s failed: %s", options->command->name, strerror(-err)),
			   err);
		n = tcctl_diags_count(diags);
	}
	if (options->json) {
		struct json_object *list = json_object_new_array();

		if (!json)
			json = json_begin(options);
		json_add_bool(json, "ok", code != EXIT_ERROR);
		for (size_t i = 0; i < n; i++)
			if (!tcctl_diags_get(diags, i, &d))
				json_object_array_add(list, diag_json(&d));
		json_add(json, "diagnostics", list);
		puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(json);
	} else {
		/* Behind what was printed so far, also when both go to one file. */
		if (fflush(stdout))
			write_err = errno;
		for (size_t i = 0; i < n; i++)
			if (!tcctl_diags_get(diags, i, &d) && (!options->quiet || d.severity != TCCTL_NOTE))
				diag_print(&d, options->verbose);
	}
	tcctl_diags_free(diags);
	diag_print_done();
	if (fflush(stdout) && !write_err)
		write_err = errno;
	if (write_err || ferror(stdout)) {
		fprintf(stderr, "tcctl: writing standard output: %s\n", strerror(write_err ? write_err : EIO));
		return EXIT_ERROR;
	}
	return code;
}

void table_row(struct table *t, const char *const *cells)
{
	if (t->n_rows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->cells = realloc(t->cells, t->cap * t->n_columns * sizeof(*t->cells));
		t->colours = realloc(t->colours, t->cap * t->n_columns * sizeof(*t->colours));
		if (!t->cells || !t->colours)
			abort();
	}
	for (size_t i = 0; i < t->n_columns; i++) {
		size_t at = t->n_rows * t->n_columns + i;

		t->cells[at] = strdup(cells[i] ? cells[i] : "");
		if (!t->cells[at])
			abort();
		t->colours[at] = PLAIN;
	}
	t->n_rows++;
}

void table_colour(struct table *t, size_t column, enum colour c)
{
	t->colours[(t->n_rows - 1) * t->n_columns + column] = c;
}

/* Columns on a terminal: one for each UTF-8 character. */
static size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void put_cell(const char *text, size_t width, bool right, bool last, enum colour c)
{
	size_t pad = width - text_width(text);

	if (right)
		printf("%*s", (int)pad, "");
	if (c != PLAIN)
		fputs(colour(stdout, c), stdout);
	put_text(stdout, text);
	if (c != PLAIN)
		fputs(colour(stdout, PLAIN), stdout);
	if (!right && !last)
		printf("%*s", (int)pad, "");
}

void table_print(const struct table *t, const char *indent)
{
	size_t *widths;

	if (!t->n_rows)
		return;
	widths = calloc(t->n_columns, sizeof(*widths));
	if (!widths)
		abort();
	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = t->titles ? text_width(t->titles[i]) : 0;
		for (size_t r = 0; r < t->n_rows; r++) {
			size_t w = text_width(t->cells[r * t->n_columns + i]);

			if (w > widths[i])
				widths[i] = w;
		}
	}
	for (size_t r = t->titles ? 0 : 1; r <= t->n_rows; r++) {
		bool title = !r;

		size_t n = t->n_columns;

		fputs(indent, stdout);
		/* No blanks at the end of a line. */
		while (n > 1 && !(title ? t->titles[n - 1] : t->cells[(r - 1) * t->n_columns + n - 1])[0])
			n--;
		for (size_t i = 0; i < n; i++) {
			size_t at = (r - 1) * t->n_columns + i;

			put_cell(title ? t->titles[i] : t->cells[at], widths[i], t->right && t->right[i],
				 i + 1 == n, title ? DIM : t->colours[at]);
			if (i + 1 < n)
				fputs("  ", stdout);
		}
		putchar('\n');
	}
	free(widths);
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->colours);
	t->cells = NULL;
	t->colours = NULL;
	t->n_rows = t->cap = 0;
}
