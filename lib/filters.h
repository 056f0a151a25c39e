/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Every filter in the private clsacts of a namespace, ours and others', read once for whoever asks. */
#ifndef TCCTL_LIB_FILTERS_H
#define TCCTL_LIB_FILTERS_H

#include "nl.h"

struct filters_device {
	uint32_t ifindex;
	struct nl_filters of[SPEC_DIR_MAX]; /* empty where the direction belongs to a shared block */
};

struct filters {
	struct filters_device *devices; /* those with a clsact, by ifindex */
	size_t n;
};

/* Devices that vanish meanwhile are left out. */
int filters_read_all(struct nl *nl, struct filters *ret);
void filters_done(struct filters *f);
/* NULL: no clsact there. */
const struct nl_filters *filters_at(const struct filters *f, uint32_t ifindex, enum spec_dir dir);

#endif
