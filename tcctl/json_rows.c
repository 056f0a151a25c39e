// SPDX-License-Identifier: GPL-2.0-only
#include "json_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

#define FLUSH_SIZE (32 << 10)

struct json_rows {
	size_t n;
	json_row_fn *fn;
	const void *data;
};

struct json_row {
	struct printbuf *to;
	bool empty; /* no member yet at this level */
	char buf[1024];
	size_t len;
};

/* What is printed so far goes out when it is much: thousands of rows need not be in memory together. */
static void flush(struct json_row *row)
{
	if (row->len)
		printbuf_memappend(row->to, row->buf, (int)row->len);
	row->len = 0;
	if (printbuf_length(row->to) >= FLUSH_SIZE) {
		fwrite(row->to->buf, 1, printbuf_length(row->to), stdout);
		printbuf_reset(row->to);
	}
}

static void put(struct json_row *row, const char *s, size_t n)
{
	if (n > sizeof(row->buf) - row->len)
		flush(row);
	if (n > sizeof(row->buf)) {
		printbuf_memappend(row->to, s, (int)n);
		return;
	}
	memcpy(row->buf + row->len, s, n);
	row->len += n;
}

static void put_key(struct json_row *row, const char *key)
{
	put(row, row->empty ? " \"" : ", \"", row->empty ? 2 : 3);
	put(row, key, strlen(key));
	put(row, "\": ", 3);
	row->empty = false;
}

void row_text(struct json_row *row, const char *key, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	if (!text)
		return;
	put_key(row, key);
	put(row, "\"", 1);
	while (*text) {
		const unsigned char c = *text;
		size_t n = 0;

		/* mostly plain */
		while ((unsigned char)text[n] >= 0x20 && (unsigned char)text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
			n++;
		if (n) {
			put(row, text, n);
			text += n;
			continue;
		}
		if (c == '"' || c == '\\') {
			put(row, c == '"' ? "\\\"" : "\\\\", 2);
		} else if (c < 0x20) {
			const char escape[] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

			put(row, escape, sizeof(escape));
		} else {
			n = utf8_length(text);
			put(row, n ? text : "\xef\xbf\xbd", n ? n : 3);
		}
		text += n ? n : 1;
	}
	put(row, "\"", 1);
}

void row_u64(struct json_row *row, const char *key, uint64_t value)
{
	char digits[20], *at = digits + sizeof(digits);

	put_key(row, key);
	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	put(row, at, digits + sizeof(digits) - at);
}

void row_bool(struct json_row *row, const char *key, bool value)
{
	put_key(row, key);
	put(row, value ? "true" : "false", value ? 4 : 5);
}

void row_begin(struct json_row *row, const char *key)
{
	put_key(row, key);
	put(row, "{", 1);
	row->empty = true;
}

void row_end(struct json_row *row)
{
	put(row, " }", 2);
	row->empty = false;
}

/* Indented as json-c does the rest. */
static int rows_print(struct json_object *o, struct printbuf *to, int level, int flags)
{
	const struct json_rows *rows = json_object_get_userdata(o);
	struct json_row row = { .to = to };
	bool any = false;

	put(&row, "[", 1);
	for (size_t i = 0; i < rows->n; i++) {
		/* an empty one, so that the beginning of a row that is none can be taken back */
		flush(&row);
		put(&row, any ? ",\n" : "\n", any ? 2 : 1);
		for (int k = 0; k <= level && k < 16; k++)
			put(&row, "  ", 2);
		put(&row, "{", 1);
		row.empty = true;
		if (!rows->fn(rows->data, i, &row)) {
			row.len = 0;
			continue;
		}
		put(&row, " }", 2);
		any = true;
	}
	if (any) {
		put(&row, "\n", 1);
		for (int k = 0; k < level && k < 16; k++)
			put(&row, "  ", 2);
	}
	put(&row, "]", 1);
	flush(&row);
	return 0;
}

static void rows_free(struct json_object *o, void *data)
{
	free(data);
}

struct json_object *json_rows_new(size_t n, json_row_fn *fn, const void *data)
{
	struct json_object *o = json_object_new_array();
	struct json_rows *rows = malloc(sizeof(*rows));

	if (!o || !rows)
		abort();
	*rows = (struct json_rows){ n, fn, data };
	json_object_set_serializer(o, rows_print, rows, rows_free);
	return o;
}
