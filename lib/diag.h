/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Diagnostics: what went wrong or deserves a warning, and where. The library never prints; every
 * function that can fail for a reason a person should read takes a `struct tcctl_diags *` and adds to it.
 */
#ifndef TCCTL_LIB_DIAG_H
#define TCCTL_LIB_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A place in a configuration. `file` is owned by the diags' or the spec's file table and outlives both. */
struct loc {
	const char *file;	/* NULL: no place */
	unsigned int line, col; /* from 1; 0: unknown */
};

enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE, DIAG_SEVERITY_MAX };

struct diag {
	enum diag_severity severity;
	struct loc loc;
	char *device;  /* NULL, or the device concerned ("eth0 ingress") */
	char *object;  /* NULL, or the object concerned ("map jt_l3", "program ipv4") */
	char *message; /* what was found and what was expected, one sentence without a full stop */
	char *hint;    /* NULL, or what to do */
	char *detail;  /* NULL, or long text: netlink extack, tail of the verifier log */
	int err;       /* 0 or a positive errno */
};

/* So many of one severity are kept; of the rest only the number is. */
#define DIAGS_KEEP 200

struct tcctl_diags {
	struct diag *items;
	size_t n, cap;
	size_t n_errors;		 /* all of them, kept or not */
	size_t count[DIAG_SEVERITY_MAX]; /* the same for each severity */
	char **files;			 /* interned file names, see diags_file() */
	size_t n_files;
};

struct tcctl_diags *diags_new(void);
void diags_free(struct tcctl_diags *d);

/* Intern a file name; the result lives as long as `d`. */
const char *diags_file(struct tcctl_diags *d, const char *file);

/* No further diagnostic of this severity will be kept: whoever makes costly suggestions can stop. */
bool diags_full(const struct tcctl_diags *d, enum diag_severity severity);
/* How many of a severity were added and not kept. */
size_t diags_lost(const struct tcctl_diags *d, enum diag_severity severity);
/* Sort items [from, n) by place: files in the order in which they were first named, then line and column;
 * those without a place stay in front in the order in which they came. */
void diags_sort(struct tcctl_diags *d, size_t from);

/*
 * Add a diagnostic and return it, so that device, object, hint and detail can be set by the calls below;
 * never NULL (out of memory, or too many: it is counted, and what is returned takes no text). loc->file is
 * copied.
 */
struct diag *diag_add(struct tcctl_diags *d, enum diag_severity severity, const struct loc *loc,
		      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define diag_error(d, loc, ...) diag_add(d, DIAG_ERROR, loc, __VA_ARGS__)
#define diag_warning(d, loc, ...) diag_add(d, DIAG_WARNING, loc, __VA_ARGS__)

/* What stands for a diagnostic that is not kept: the calls below do nothing with it. */
struct diag *diag_none(void);

struct diag *diag_hint(struct diag *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct diag *diag_device(struct diag *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct diag *diag_object(struct diag *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct diag *diag_detail(struct diag *g, const char *text);
struct diag *diag_errno(struct diag *g, int err); /* err: positive or negative errno */

/* One line for people: "file:line:col: error: message (hint)", without the detail. The caller frees it;
 * NULL: out of memory. */
char *diag_format(const struct diag *g);

/* "did you mean": the candidate nearest to `word`, without regard to case, or NULL when none is near (one edit
 * for words of up to 5 letters, two up to 8, else a third of the letters). */
const char *diag_nearest(const char *word, const char *const *candidates, size_t n);

#endif
