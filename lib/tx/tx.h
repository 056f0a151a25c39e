/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The transaction over all hooks of an apply or remove.
 *
 *   build    everything that no packet sees: programs, tables, rules, counters          (tx/build.c)
 *   intent   the state that is being headed for is stored beside the one that is true
 *   commit   clsact, filters, slot and generation writes                                 (tx/commit.c)
 *   settle   after packets in flight are through: what is not used any more goes, the new state is stored
 *
 * An error before `settle` undoes all of it. A kill at any point is repaired by the next run (recover.h).
 */
#ifndef TCCTL_LIB_TX_H
#define TCCTL_LIB_TX_H

#include "session.h"
#include "tx/undo.h"

#define ARENA_KIND "arena" /* of tables that are kept, see pipeline_keep() */

struct tx_pipeline {
	const struct plan_pipeline *pp;
	struct pipeline p;
	struct generation g; /* ADD, swap */
	int old_entry_fd;    /* swap: to go back */
	uint32_t old_generation, new_generation; /* equal: rules do not change, or together with the programs */
	uint32_t old_slot, new_slot; /* of the arenas and tunnel tables; equal: the same one */
	uint64_t kept_routes; /* digest of the table that is pinned for later; 0: none */
	bool keeps_new;	      /* it has been pinned by this change */
	uint64_t kept_arena;  /* the same of the arena */
	bool keeps_new_arena;
	char filter_name[NL_BPF_NAME_MAX];
};

struct tx {
	struct session *s;
	struct state next;
	struct tx_pipeline *pipelines; /* as plan->pipelines */
	size_t n_pipelines;
	int *was_fds;	    /* per plan->hooks: program to put back, -1 */
	bool *clsact_made;  /* per plan->clsacts */
	size_t devices_done; /* of plan->devices */
	bool retires;	    /* packets may be inside what goes: wait before it does */
	uint16_t *tunnel_ids; /* by spec.tunnels */
	int learned_fd;	      /* the owner's map of learned stations, -1: nothing learns */
	struct undo undo;
	struct tcctl_result result;
};

int tx_run(struct session *s, struct tcctl_result *ret_result);

/* Steps of tx_run(), in this order. */
int tx_build(struct tx *tx);
int tx_commit(struct tx *tx);
int tx_settle(struct tx *tx);

struct tx_pipeline *tx_pipeline_find(struct tx *tx, unsigned int id);
double tx_now(void); /* seconds, monotonic */

#endif
