/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that tcctl prints. */
#ifndef TCCTL_TOOL_OUT_H
#define TCCTL_TOOL_OUT_H

#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "options.h"
#include "tcctl.h"

/* --- what goes wrong ---------------------------------------------------------------------------------- */

/* Errors of the command line itself come as JSON too. */
void out_json_errors(bool on);

/* Print a usage error; returns EXIT_ERROR. `hint` may be NULL. */
int usage_error(const char *hint, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Near-miss among `names`, or NULL. */
const char *nearest(const char *word, const char *const *names, size_t n);

/*
 * The end of every command: diagnostics to stderr as compilers print them, or with -j one object on stdout that
 * holds them and what is in `json` (taken over; may be NULL). Returns `code`, or EXIT_ERROR when err < 0 or stdout
 * could not be written.
 */
int finish(const struct options *options, int err, int code, struct tcctl_diags *diags,
	   struct json_object *json);

/* An object with "tcctl" and "command" in it; NULL unless -j. */
struct json_object *json_begin(const struct options *options);
void json_add(struct json_object *to, const char *key, struct json_object *value);
/* Leave the key out when there is nothing. */
void json_add_text(struct json_object *to, const char *key, const char *text);
void json_add_u64(struct json_object *to, const char *key, uint64_t value);
void json_add_bool(struct json_object *to, const char *key, bool value);
/* Length of the UTF-8 character at text, 0 if it is none. */
size_t utf8_length(const char *text);

/* --- text --------------------------------------------------------------------------------------------- */

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW, CYAN, COLOUR_MAX };

/* Begin and end a colour; nothing where `f` is no terminal or NO_COLOR is set. */
const char *colour(FILE *f, enum colour c);

/* Names and texts of others may hold anything: control characters are shown as \xNN. */
void put_text(FILE *f, const char *text);

/* "12.3 kB"; powers of 1000, as rates are. */
const char *bytes_text(uint64_t bytes, char buf[32]);

/* Columns as wide as their widest cell. Cells are copied. Column titles may be NULL at the end. */
struct table {
	const char *const *titles;
	const bool *right; /* align to the right */
	size_t n_columns;
	char **cells;
	enum colour *colours; /* of each cell */
	size_t n_rows, cap;
};
/* Add a row of n_columns cells; NULL is an empty one. */
void table_row(struct table *t, const char *const *cells);
/* Colour of a cell of the last row. */
void table_colour(struct table *t, size_t column, enum colour c);
void table_print(const struct table *t, const char *indent);
void table_done(struct table *t);

#endif
