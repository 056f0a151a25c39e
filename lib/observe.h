/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* From the kernel and the stored state to the model of what is there. Changes nothing. */
#ifndef TCCTL_LIB_OBSERVE_H
#define TCCTL_LIB_OBSERVE_H

#include "model.h"
#include "nl.h"
#include "state.h"

struct observe_input {
	const char *owner;
	int owner_fd; /* the owner's pin directory, -1: none */
	const struct state *state; /* recovered, see recover.h; NULL: none */
	bool interrupted;
	const struct model *want; /* hooks that are wanted are looked at too */
	const struct nl_links *links;
	struct nl *nl;
};

int observe_make(const struct observe_input *in, struct tcctl_diags *diags, struct model *ret);

/* The name that a filter of ours bears: "tcctl:<owner>/p<N>". */
void observe_filter_name(char name[NL_BPF_NAME_MAX], const char *owner, unsigned int pipeline);

/* Read filters by key, many in one go: fn once for each that could be read, NULL where there is none. Errors are told. */
typedef void observe_filter_fn(void *arg, size_t i, const struct nl_filter *filter);
int observe_filters(struct nl *nl, const struct nl_filter_key *keys, size_t n, struct tcctl_diags *diags,
		    observe_filter_fn *fn, void *arg);

#endif
