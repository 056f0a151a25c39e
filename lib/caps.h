/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Capabilities: what we have, what a feature needs, and giving them up. */
#ifndef TCCTL_LIB_CAPS_H
#define TCCTL_LIB_CAPS_H

#include <stdbool.h>

#include "diag.h"

enum caps_feature {
	CAPS_LOAD,	    /* create maps and load programs: BPF and NET_ADMIN (SYS_ADMIN below 5.8) */
	CAPS_ATTACH,	    /* qdiscs and filters: NET_ADMIN */
	CAPS_NETNS,	    /* enter another network namespace: SYS_ADMIN */
	CAPS_MOUNT_BPFFS,   /* SYS_ADMIN */
	CAPS_FOREIGN_PROGS, /* look up programs of others by id: SYS_ADMIN */
	CAPS_MEMLOCK,	    /* raise RLIMIT_MEMLOCK below 5.11: SYS_RESOURCE */
	CAPS_PERFMON,	    /* load without the verifier's extra checks and mitigations: PERFMON (5.8) */
	CAPS_FEATURE_MAX,
};

/* Effective in the calling thread? */
bool caps_have(enum caps_feature feature);
/* The capabilities a feature needs, "CAP_BPF and CAP_NET_ADMIN". */
const char *caps_needed(enum caps_feature feature);
/* What it is for, "entering another network namespace". */
const char *caps_purpose(enum caps_feature feature);

/* 0, or -EPERM with a diagnostic that names the missing capability, what it is for and how to get it. */
int caps_require(enum caps_feature feature, struct tcctl_diags *diags);

/*
 * Give up what is not needed any more. After this only BPF and NET_ADMIN are left, with keep_admin SYS_ADMIN, before
 * Linux 5.11 SYS_RESOURCE (maps count against RLIMIT_MEMLOCK), and PERFMON where it was there: without it the kernel
 * compiles in its Spectre mitigations, and a jump through a table costs several times as much. Effective for the calling thread, so call it before threads are made. 0 or
 * -errno.
 */
int caps_drop(bool keep_admin);

#endif
