/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What a context holds: one network namespace and one bpffs. */
#ifndef TCCTL_LIB_CONTEXT_H
#define TCCTL_LIB_CONTEXT_H

#include "netns.h"
#include "nl.h"
#include "rules.h"
#include "spec.h"
#include "tcctl.h"

struct tcctl {
	int netns_fd;
	char identity[NETNS_IDENTITY_MAX];
	char *bpffs_path; /* NULL: the default */
	unsigned int lock_ms;
	uint32_t prio;
	struct nl *nl;
	/* opened when first needed, see context_bpffs() */
	int bpffs_fd;
};

struct tcctl_config {
	struct spec *spec;
	struct rules_stats *stats; /* per rule set, NULL before tcctl_config_check() */
};

/* Open bpffs if that is not done yet; with `create` mount it where it is missing. -ENOENT without a diagnostic: there
 * is none, so nothing is applied. */
int context_bpffs(struct tcctl *t, bool create, struct tcctl_diags *diags);

/* The directory of an owner for reading. -ENOENT: nothing is applied under this name. */
int context_owner_open(struct tcctl *t, const char *owner, struct tcctl_diags *diags, int *ret_fd);

#endif
