/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* From configured tunnels to the rows and tables that the programs read (tcctl/tunnel.h). */
#ifndef TCCTL_LIB_TUNNEL_H
#define TCCTL_LIB_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"
#include "tcctl/tunnel.h"

/* What the configuration cannot know: numbers of devices, counters and tables. */
struct tunnel_resolved {
	uint32_t device, underlay; /* ifindex; 0: none */
	uint32_t end; /* ifindex of the other end of `device`, where what left that arrives cut; 0: none */
	uint32_t way;		   /* ifindex that the route to the remote leads through; 0: unknown */
	uint32_t counters;	   /* first of TCCTL_TUN_MAX counter ids */
	uint32_t flags;		   /* more TCCTL_TF_*: TCCTL_TF_TERMINATES where the hook is an ingress */
	uint16_t mtu;		   /* largest outer packet, from the outer L3 header on, bytes; 0: unknown */
	uint16_t flood_first;	   /* of tcctl_tunnel.flood_n = spec_tunnel.n_flood entries in `remotes` */
	uint8_t device_mac[6];	   /* of `device`; zero without L2 header */
	bool no_l2_eth;		   /* the kernel does not know BPF_F_ADJ_ROOM_ENCAP_L2_ETH (before 5.13) */
};

/* Make a row with the template of the outer header. -EINVAL: no such type. */
int tunnel_row_build(const struct spec_tunnel *t, const struct tunnel_resolved *r, struct tcctl_tunnel *ret);

/*
 * Bytes in front of the inner L3 header, counted as an MTU counts: from the outer L3 header on. An Ethernet header
 * inside is part of it; of VLAN tags those after the first are, because devices take one above their MTU.
 */
unsigned int tunnel_overhead(const struct spec_tunnel *t);

/* Does what is put in front of a packet depend on its length or bytes, so that an aggregate cannot have it? */
bool tunnel_needs_cut(const struct spec_tunnel *t);

/* Keys of `decaps` without the remote: two for a tunnel of both families. Returns how many. */
unsigned int tunnel_decap_keys(const struct spec_tunnel *t, struct tcctl_decap_key ret[2]);

#endif
