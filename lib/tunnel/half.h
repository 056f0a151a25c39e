/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One half of a pipeline's tunnel tables (tcctl/tunnel.h): first in memory, then in the kernel. */
#ifndef TCCTL_LIB_TUNNEL_HALF_H
#define TCCTL_LIB_TUNNEL_HALF_H

#include "model.h"
#include "tunnel.h"

enum tunnel_table {
	TUNNEL_ROWS,
	TUNNEL_DECAPS,
	TUNNEL_SOURCES,
	TUNNEL_ROUTES,
	TUNNEL_STATIONS,
	TUNNEL_REMOTES,
	TUNNEL_DEVICES,
	TUNNEL_TABLE_MAX,
};
/* The map of maps that holds both halves. */
const char *tunnel_table_name(enum tunnel_table table);

struct tunnel_entries {
	void *keys, *values; /* arrays; keys of TUNNEL_ROWS and TUNNEL_REMOTES are 0, 1, 2, … */
	size_t n, cap;
};

struct tunnel_half {
	struct tunnel_entries tables[TUNNEL_TABLE_MAX];
};

struct tunnel_half_want {
	const struct spec *spec;
	const struct spec_hook *hook;
	const struct model_tunnel *tunnels; /* those in the tables */
	size_t n_tunnels;
	uint32_t flags;	     /* more TCCTL_TF_* of all of them */
	const uint16_t *ids; /* by spec.tunnels */
	const struct tunnel_resolved *resolved;
};

/* First counter id of a tunnel. */
uint32_t tunnel_counters(uint32_t id);

/* Pure. -ENOMEM, -E2BIG. */
int tunnel_half_make(const struct tunnel_half_want *want, struct tunnel_half *ret);
void tunnel_half_done(struct tunnel_half *half);
/* Of everything in one table. */
uint64_t tunnel_entries_digest(const struct tunnel_entries *e, enum tunnel_table table);
/* A map with these entries. A new file descriptor or -errno. */
int tunnel_entries_load(const struct tunnel_entries *e, enum tunnel_table table);

#endif
