/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The part of tunnels in a transaction. */
#ifndef TCCTL_LIB_TX_TUNNELS_H
#define TCCTL_LIB_TX_TUNNELS_H

#include "tx/tx.h"

/* Ids of the tunnels of the state to come, and the map of learned stations if something learns. */
int tx_tunnels_begin(struct tx *tx);
/* Tables of a pipeline into the half that the next data generation reads; its counters in `sp`. `old` may be NULL. */
int tx_tunnels_build(struct tx *tx, struct tx_pipeline *tp, const struct state_pipeline *old, struct state_pipeline *sp);
/* Nothing reads that half (any more). */
void tx_tunnels_drop(const struct tx_pipeline *tp, uint32_t slot);
/* Going back: the new half, and what was pinned for it. */
void tx_tunnels_undo(const struct tx_pipeline *tp);
/* After the change: what is remembered about tunnels that are gone goes, too. */
void tx_tunnels_settle(struct tx *tx);

/* Devices: made and changed before anything is attached to them, removed after everything has left them. */
int tx_devices_commit(struct tx *tx);
int tx_devices_settle(struct tx *tx);
/* Those of the state to come. -ENOMEM */
int tx_devices_next(struct tx *tx);

#endif
