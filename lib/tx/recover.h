/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * After a run that was cut short: the stored state says where things were and where they were going; the kernel says
 * how far it came. What comes out is a state that is true, from which the next plan starts.
 */
#ifndef TCCTL_LIB_RECOVER_H
#define TCCTL_LIB_RECOVER_H

#include "nl.h"
#include "state.h"

/* Reads only. `record` is consumed. */
int recover_state(const char *owner, int owner_fd, struct nl *nl, struct state_record *record,
		  struct tcctl_diags *diags, struct state *ret);

/*
 * For writers, with the lock held, before recover_state(): make the pins agree with the record. The tables of a
 * generation that runs get their place, those of one that does not go, and so do half-written pins and pipelines
 * that the record does not know. record NULL: there is no state, and pipelines stay: filters may run them.
 */
int recover_pins(int owner_fd, const struct state_record *record);

#endif
