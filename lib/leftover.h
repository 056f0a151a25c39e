/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Filters that bear a name of ours while the pins that tell about them are gone. Removing the pins empties their jump
 * tables: such a filter counts nothing, does nothing, and no state says that it is there. */
#ifndef TCCTL_LIB_LEFTOVER_H
#define TCCTL_LIB_LEFTOVER_H

#include "diag.h"
#include "filters.h"

struct leftover {
	struct nl_filter_key key;
	char device[NL_NAME_MAX];
	char name[NL_BPF_NAME_MAX]; /* of the filter */
	char *owner;
	uint32_t prog_id, classid;
};

/* All filters named "tcctl:<owner>/p<N>" among those, whatever is pinned; free with leftovers_done(). With `owner` only
 * those of that one. */
int leftovers_in(const struct filters *filters, const struct nl_links *links, const char *owner,
		 struct leftover **ret_items, size_t *ret_n);
/* The same for the clsacts of the namespace. Errors are told. */
int leftovers_find(struct nl *nl, const struct nl_links *links, const char *owner, struct tcctl_diags *diags,
		   struct leftover **ret_items, size_t *ret_n);
void leftovers_done(struct leftover *items, size_t n);

#endif
