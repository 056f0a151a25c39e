/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference for decapsulation: what must come out of a packet, in plain C, written from the standards and apart from the
 * BPF sources. Only the tables' layout is shared (tcctl/tunnel.h).
 */
#ifndef QDISC_TESTS_TUNNELREF_H
#define QDISC_TESTS_TUNNELREF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tunnels.h"

#define TUNNELREF_MAX 4096 /* longest packet */

struct tunnelref_source {
	uint32_t group, bits, id;
	uint8_t addr[16];
};

/* The same tables that the programs have. */
struct tunnelref {
	struct tcctl_tunnel rows[TUNNELS_MAX];
	struct tcctl_decap_key keys[256];
	uint32_t values[256];
	size_t n_keys;
	struct tunnelref_source sources[64];
	size_t n_sources;
	uint32_t unknown_types;
};

enum tunnelref_what { TUNNELREF_STAGED, TUNNELREF_PASSED, TUNNELREF_DROPPED };

struct tunnelref_result {
	enum tunnelref_what what; /* to the stages; past them; dropped */
	uint8_t out[TUNNELREF_MAX];
	size_t out_len;
	uint32_t cb[5]; /* where staged, guard 0 */
	uint32_t mark;
	uint32_t counted[TUNNELS_MAX][TCCTL_TUN_MAX]; /* packets */
	uint32_t rx_bytes[TUNNELS_MAX];
	uint32_t reasons[TCCTL_R_MAX]; /* those of tunnels */
};

void tunnelref_decap(const struct tunnelref *t, const uint8_t *in, size_t len, uint32_t mark, struct tunnelref_result *ret);

#endif
