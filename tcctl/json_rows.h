/* SPDX-License-Identifier: GPL-2.0-only */
/* Long lists as JSON text, without an object in memory for each row: those cost more than all else of a status. */
#ifndef TCCTL_TOOL_JSON_ROWS_H
#define TCCTL_TOOL_JSON_ROWS_H

#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_row;

/* Puts the members of row i; false: there is no such row. */
typedef bool json_row_fn(const void *data, size_t i, struct json_row *row);

/* An array of n rows, each an object on a line of its own, that is asked for when the JSON is printed, to standard output:
 * data has to live until then. */
struct json_object *json_rows_new(size_t n, json_row_fn *fn, const void *data);

/* Members; keys are ours and need no escaping. */
void row_text(struct json_row *row, const char *key, const char *text); /* left out when NULL */
void row_u64(struct json_row *row, const char *key, uint64_t value);
void row_bool(struct json_row *row, const char *key, bool value);
/* An object inside. */
void row_begin(struct json_row *row, const char *key);
void row_end(struct json_row *row);

#endif
