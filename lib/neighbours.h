/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Who else runs on our hooks: TCX programs, which run before clsact. (Filters of others: filters.h) */
#ifndef TCCTL_LIB_NEIGHBOURS_H
#define TCCTL_LIB_NEIGHBOURS_H

#include "nl.h"
#include "nl/tcx.h"

struct neighbours_hook {
	uint32_t ifindex;
	enum spec_dir dir;
	struct nl_tcx tcx; /* n = 0 where the kernel has none */
};

/* Fill in tcx of n hooks. Errors leave it empty: it is for information. */
void neighbours_tcx(int netns_fd, struct neighbours_hook *hooks, size_t n);

#endif
