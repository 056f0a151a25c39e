/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the tunnels of an owner have counted. */
#ifndef TCCTL_LIB_STATUS_TUNNELS_H
#define TCCTL_LIB_STATUS_TUNNELS_H

#include "counters.h"
#include "state.h"
#include "tcctl/tunnel.h"

struct status_tunnel {
	struct tcctl_counter counters[TCCTL_TUN_MAX]; /* over all pipelines */
	uint32_t stations; /* learned and still in use */
};

/* One for each of state.tunnels, all zero; malloc()ed. */
struct status_tunnel *status_tunnels_new(const struct state *state);
/* Add what one pipeline has counted. */
int status_tunnels_add(const struct state *state, const struct state_pipeline *p, struct counters_reader *reader,
		       struct status_tunnel *tunnels);
/* Count the stations that have been learned; none where nothing learns. */
int status_tunnels_stations(const struct state *state, int owner_fd, struct status_tunnel *tunnels);

/* What a counter besides _RX and _TX means. */
struct status_tunnel_event {
	const char *name, *text;
	bool drop;
};
extern const struct status_tunnel_event status_tunnel_events[TCCTL_TUN_MAX];

#endif
