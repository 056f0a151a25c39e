// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "status/tunnels.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pin.h"
#include "tunnel/half.h"
#include "util.h"

const struct status_tunnel_event status_tunnel_events[TCCTL_TUN_MAX] = {
	[TCCTL_TUN_RX] = { "rx", "decapsulated", false },
	[TCCTL_TUN_TX] = { "tx", "encapsulated", false },
	[TCCTL_TUN_RX_BAD] = { "rx-bad",
			       "header cut short, of another version, or with bits that must not be set",
			       true },
	[TCCTL_TUN_RX_PAYLOAD] = { "rx-payload", "payload of a kind that the tunnel does not carry", true },
	[TCCTL_TUN_RX_ECN] = { "rx-ecn", "congestion mark on a packet that is not ECN capable (RFC 6040)",
			       true },
	[TCCTL_TUN_RX_CE] = { "rx-ce", "congestion mark copied to the inner header", false },
	[TCCTL_TUN_RX_CSUM] = { "rx-csum", "checksum missing or wrong", true },
	[TCCTL_TUN_RX_DEPTH] = { "rx-depth", "too many tunnels in each other: left to the stack", false },
	[TCCTL_TUN_TX_MTU] = { "tx-mtu", "too big for the tunnel", true },
	[TCCTL_TUN_TX_ANSWERED] = { "tx-answered", "senders told of the MTU by ICMP", false },
	[TCCTL_TUN_TX_ROUTE] = { "tx-route", "no route to the remote, or not through the underlay", true },
	[TCCTL_TUN_TX_UNKNOWN] = { "tx-unknown", "destination unknown, and no flooding", true },
	[TCCTL_TUN_TX_PAYLOAD] = { "tx-payload", "of a kind that the tunnel does not carry: left alone",
				   false },
	[TCCTL_TUN_TX_FAILED] = { "tx-failed", "the kernel refused to make room, or a copy", true },
	[TCCTL_TUN_TX_LOOP] = { "tx-loop", "was a packet of this tunnel already: left alone", false },
	[TCCTL_TUN_TX_FLOODED] = { "tx-flooded", "copies made for several remotes", false },
};

struct status_tunnel *status_tunnels_new(const struct state *state)
{
	return calloc(state->n_tunnels + 1, sizeof(struct status_tunnel));
}

/* Index into state.tunnels by id, or -1. */
static int *index_make(const struct state *state)
{
	int *at = malloc((TCCTL_TUNNELS_MAX + 1) * sizeof(*at));

	for (uint32_t i = 0; at && i <= TCCTL_TUNNELS_MAX; i++)
		at[i] = -1;
	for (size_t i = 0; at && i < state->n_tunnels; i++)
		if (!state->tunnels[i].gone)
			at[state->tunnels[i].id] = (int)i;
	return at;
}

int status_tunnels_add(const struct state *state, const struct state_pipeline *p,
		       struct counters_reader *reader, struct status_tunnel *tunnels)
{
	_cleanup_free_ int *at = p->n_tunnels ? index_make(state) : NULL;

	if (p->n_tunnels && !at)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_tunnels; i++) {
		const uint32_t id = p->tunnels[i].id;

		if (id > TCCTL_TUNNELS_MAX || at[id] < 0)
			continue;
		for (uint32_t k = 0; k < TCCTL_TUN_MAX; k++) {
			struct tcctl_counter *sum = &tunnels[at[id]].counters[k], c;
			int err = counters_reader_get(reader, tunnel_counters(id) + k, &c);

			if (err)
				return err;
			sum->packets += c.packets;
			sum->segments += c.segments;
			sum->bytes += c.bytes;
		}
	}
	return 0;
}

#define STATIONS_BATCH 4096

int status_tunnels_stations(const struct state *state, int owner_fd, struct status_tunnel *tunnels)
{
	_cleanup_close_ int fd = pin_get(owner_fd, "learned");
	_cleanup_free_ struct tcctl_station_key *keys = NULL;
	_cleanup_free_ struct tcctl_station *values = NULL;
	_cleanup_free_ int *at = NULL;
	struct timespec now;
	uint32_t in = 0, out = 0;
	bool first = true;
	int err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	keys = calloc(STATIONS_BATCH, sizeof(*keys));
	values = calloc(STATIONS_BATCH, sizeof(*values));
	at = index_make(state);
	if (!keys || !values || !at)
		return -ENOMEM;
	clock_gettime(CLOCK_MONOTONIC, &now);
	do {
		uint32_t n = STATIONS_BATCH;

		err = bpf_map_lookup_batch(fd, first ? NULL : &in, &out, keys, values, &n, NULL) ? errno : 0;
		if (err && err != ENOENT) /* before 5.6, or more in one bucket than fits */
			return 0;
		for (uint32_t i = 0; i < n; i++) {
			const int tunnel = keys[i].tunnel <= TCCTL_TUNNELS_MAX ? at[keys[i].tunnel] : -1;

			if (tunnel >= 0 &&
			    /* signed: it may have been seen since `now` */
			    (int32_t)((uint32_t)now.tv_sec - values[i].seen) <= (int32_t)state->tunnels[tunnel].ageing)
				tunnels[tunnel].stations++;
		}
		in = out;
		first = false;
	} while (!err);
	return 0;
}
