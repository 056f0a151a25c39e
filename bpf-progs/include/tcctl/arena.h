/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The arena: a compiled rule set, one block of 64-byte lines. In the kernel it is an inner ARRAY with
 * value size 64 of the map-in-map `arenas`; in user space a plain allocation. The same source reads both.
 *
 *   line 0   header: what every packet needs
 *   line 1   roots: what a packet needs that the flow cache did not know
 *   then     class table, two rows of struct tcctl_class_row a line, and the tables of the lookup
 *
 * All integers are in host byte order. An arena is never changed after it was made.
 */
#ifndef TCCTL_ARENA_H
#define TCCTL_ARENA_H

#include <linux/types.h>

#include "abi.h"

#define ARENA_LINE 64
#define ARENA_MAGIC 0x74634131U /* "tcA1": changes with every change of the layout */

struct arena_line {
	__u32 w[ARENA_LINE / 4];
} __attribute__((aligned(8)));

/* Line 0. */
struct arena_header {
	__u32 magic;
	__u32 n_lines;	  /* this one included */
	__u32 stamp;	  /* differs between any two arenas; never 0 */
	__u32 seed;	  /* of the flow cache's hash */
	__u32 used;	  /* ARENA_USE_*: what the rules look at */
	__u32 class_base; /* first line of the class table */
	__u32 n_classes;
	__u32 n_rules;
	__u32 reserved[8];
};

/* One entry of the class table's lines. */
#define ARENA_ROWS (ARENA_LINE / 32)
_Static_assert(sizeof(struct tcctl_class_row) == 32, "two class rows a line");
_Static_assert(sizeof(struct arena_header) == ARENA_LINE, "header is one line");

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* An arena is the inner map. */
typedef void *arena_t;

static __always_inline const void *arena_line(arena_t arena, __u32 i)
{
	return bpf_map_lookup_elem(arena, &i);
}
#else
#include <stddef.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* An arena is its lines, plus what the twin wants to know about a lookup. */
struct arena_view {
	const struct arena_line *lines;
	__u32 n_lines;
	__u32 *trace; /* NULL, or where the numbers of the lines read go */
	__u32 n_trace, max_trace;
};
typedef struct arena_view *arena_t;

static __always_inline const void *arena_line(arena_t arena, __u32 i)
{
	if (i >= arena->n_lines)
		return NULL;
	if (arena->trace && arena->n_trace < arena->max_trace)
		arena->trace[arena->n_trace++] = i;
	return arena->lines + i;
}
#endif

/* The header, or NULL when this is no arena of ours. */
static __always_inline const struct arena_header *arena_header(arena_t arena)
{
	const struct arena_header *h = arena_line(arena, 0);

	return h && h->magic == ARENA_MAGIC ? h : (const struct arena_header *)0;
}

/* The row of a class; NULL for an id outside the table, which no arena of ours names. */
static __always_inline const struct tcctl_class_row *arena_class_row(arena_t arena, const struct arena_header *h,
								      __u32 class_id)
{
	const struct tcctl_class_row *row;

	if (class_id >= h->n_classes)
		return (const struct tcctl_class_row *)0;
	row = arena_line(arena, h->class_base + class_id / ARENA_ROWS);
	if (!row)
		return row;
	/* a branch, not an offset: variable offsets into map values cost a mask without CAP_PERFMON */
	return class_id & 1 ? row + 1 : row;
}

#endif
