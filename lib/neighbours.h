/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* TCX programs on our hooks: they run before clsact. (Filters of others: filters.h) */
#ifndef TCCTL_LIB_NEIGHBOURS_H
#define TCCTL_LIB_NEIGHBOURS_H

#include "nl.h"
#include "nl/tcx.h"

struct neighbours_hook {
	uint32_t ifindex;
	enum spec_dir dir;
};

/* fn for each hook that has some, in order, possibly in another thread while the caller waits. Errors count as none: it is
 * for information. */
typedef void neighbours_fn(void *arg, size_t i, const struct nl_tcx *tcx);
void neighbours_tcx(int netns_fd, const struct neighbours_hook *hooks, size_t n, neighbours_fn *fn, void *arg);

#endif
