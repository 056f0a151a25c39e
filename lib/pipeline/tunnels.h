/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What a pipeline's programs depend on of its tunnels. Everything else of a tunnel is data. */
#ifndef TCCTL_LIB_PIPELINE_TUNNELS_H
#define TCCTL_LIB_PIPELINE_TUNNELS_H

#include "spec.h"
#include "tcctl/abi.h"

#define PIPELINE_TUNNELS_INNER_ETH 0x1U /* what is decapsulated may be an Ethernet frame */
#define PIPELINE_TUNNELS_LEARN 0x2U	/* forwarding entries are learned: the map for them is big */
#define PIPELINE_TUNNELS_FDB 0x4U	/* a frame may go to several remotes */
#define PIPELINE_TUNNELS_CSUM 0x8U	/* checksums over the payload */

struct pipeline_tunnel_port {
	uint16_t port;
	uint8_t type; /* enum tcctl_tunnel_type */
};

struct pipeline_tunnels {
	uint32_t decap, encap; /* as in struct tcctl_cfg */
	uint32_t flags;	       /* PIPELINE_TUNNELS_* */
	struct pipeline_tunnel_port ports[TCCTL_UDP_MAX];
	size_t n_ports;
};

/* Of one direction of an interface. `out` (per spec.tunnels): packets are put into it there. */
struct pipeline_tunnels pipeline_tunnels_make(const struct spec *spec, const struct spec_hook *hook, const bool *out);
bool pipeline_tunnels_any(const struct pipeline_tunnels *p);
uint64_t pipeline_tunnels_digest(uint64_t h, const struct pipeline_tunnels *p);

/* The handler of a type that is told by its UDP port; NULL: it has none. */
const char *pipeline_tunnel_program(uint8_t type);

#endif
