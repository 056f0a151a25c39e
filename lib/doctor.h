/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Findings about the host; the public side is tcctl_doctor() in tcctl.h. doctor.c looks, doctor_try.c tries out. */
#ifndef TCCTL_LIB_DOCTOR_H
#define TCCTL_LIB_DOCTOR_H

#include <stdbool.h>

#include "tcctl.h"

struct finding {
	enum tcctl_finding_state state;
	const char *group, *name; /* constants */
	char *found, *hint;	  /* malloc()ed; hint may be NULL */
};

struct tcctl_doctor {
	struct finding *items;
	size_t n, cap;
	bool oom;
};

/* Add a finding; on out-of-memory `oom` is set. */
void finding_add(struct tcctl_doctor *d, enum tcctl_finding_state state, const char *group, const char *name,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* A hint to the last one. */
void finding_hint(struct tcctl_doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What is found by making maps, programs, qdiscs and filters, in a thread with a network namespace of its own. */
void doctor_try(struct tcctl_doctor *d);

#endif
