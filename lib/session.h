/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One run of the flow up to the plan: what is wanted, what is there, and the difference. */
#ifndef TCCTL_LIB_SESSION_H
#define TCCTL_LIB_SESSION_H

#include "context.h"
#include "model.h"
#include "pipeline.h"
#include "plan.h"
#include "state.h"
#include "tunnel/device.h"

struct session {
	struct tcctl *t;
	struct tcctl_diags *diags;
	const struct spec *spec; /* NULL: everything goes */
	const char *owner;
	char *escaped; /* owner as a directory name */
	char *text;    /* normalised spec */
	size_t text_len;
	int lock_fd;  /* the namespace's directory, locked; -1 when only reading */
	int owner_fd; /* -1: there is no directory yet */
	bool has_state;
	struct state state; /* what is true now */
	bool interrupted;
	struct nl_links links;
	struct pipeline_object *objects;
	struct tunnel_world world;
	struct model want, have;
	struct tcctl_plan *plan;
};

/* `write`: take the lock, clear up what an interrupted run left, and make the owner's directory if something is to be
 * done. The caller calls session_done() in any case. */
int session_begin(struct session *s, struct tcctl *t, const struct spec *spec, const char *owner, bool write,
		  struct tcctl_diags *diags);
void session_done(struct session *s);

#endif
