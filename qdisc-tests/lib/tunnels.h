/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables of tunnels (tcctl/tunnel.h) for program tests: made for one half of a pipeline, filled one entry at a
 * time. Everything returns 0 or -errno; a failure is the test's own mistake and goes to stderr too.
 */
#ifndef QDISC_TESTS_TUNNELS_H
#define QDISC_TESTS_TUNNELS_H

#include <stddef.h>
#include <stdint.h>

#include "pipe.h"
#include "tcctl/tunnel.h"

#define TUNNELS_MAX 64 /* ids 1..63, in one chunk of counters */

struct tunnels {
	struct pipe *p;
	int rows, decaps, sources, routes, stations, remotes, devices; /* the maps of this half */
};

/*
 * Empty tables into half `half`, and the chunk of counters of ids 1..63. tunnels_close() closes what is ours; the
 * pipeline keeps the tables for as long as it is open.
 */
int tunnels_open(struct tunnels *t, struct pipe *p, uint32_t half);
void tunnels_close(struct tunnels *t);

/* Counter id of the first counter of a tunnel: for tcctl_tunnel.counters. */
uint32_t tunnels_counters(uint32_t id);
/* One counter of a tunnel (enum tcctl_tunnel_counter). */
struct tcctl_counter tunnels_counter(const struct tunnels *t, uint32_t id, uint32_t which);

/* `counters` of the row is set by this function. */
int tunnels_set(struct tunnels *t, uint32_t id, const struct tcctl_tunnel *row);
int tunnels_settings(struct tunnels *t, const struct tcctl_tunnel_settings *s);
/* value: a tunnel id, or a group with TCCTL_DECAP_GROUP */
int tunnels_decap(struct tunnels *t, const struct tcctl_decap_key *key, uint32_t value);
int tunnels_undecap(struct tunnels *t, const struct tcctl_decap_key *key);
/* addr is 16 bytes, IPv4 in the first four; bits of the address */
int tunnels_source(struct tunnels *t, uint32_t group, const uint8_t *addr, uint32_t bits, uint32_t id);
int tunnels_route(struct tunnels *t, uint32_t family, const uint8_t *addr, uint32_t bits, uint32_t id);
int tunnels_station(struct tunnels *t, const struct tcctl_station_key *key, const struct tcctl_station *station);
int tunnels_device(struct tunnels *t, uint32_t ifindex, uint32_t id);
int tunnels_remote(struct tunnels *t, uint32_t index, const struct tcctl_remote *remote);

/* What was learned: 0 and *ret, or -ENOENT. */
int tunnels_learned(const struct tunnels *t, const struct tcctl_station_key *key, struct tcctl_station *ret);
void tunnels_forget(const struct tunnels *t, const struct tcctl_station_key *key);

#endif
