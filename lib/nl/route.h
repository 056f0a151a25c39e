/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Routes and devices of tunnels, over the same socket as everything else (nl.h). */
#ifndef TCCTL_LIB_NL_ROUTE_H
#define TCCTL_LIB_NL_ROUTE_H

#include "nl.h"

struct nl_route {
	uint32_t ifindex; /* it leaves through */
	uint32_t mtu;	  /* of the route itself; 0: that of the device */
	bool local;	  /* the address is this host's */
};

/* The route to an address (family 4 or 6, network byte order), through `ifindex` and with `mark` unless 0.
 * -ENETUNREACH, -EHOSTUNREACH, …: there is none. */
int nl_route_get(struct nl *nl, uint8_t family, const uint8_t *to, uint32_t ifindex, uint32_t mark,
		 struct nl_route *ret);

/* A device that only passes packets to whoever is attached to it. */
struct nl_link_want {
	const char *name;
	uint32_t ifindex; /* it is to have */
	uint32_t peer;	  /* the other end's, where it has to be a veth pair */
	const char *peer_name;
	uint32_t mtu;
	uint8_t mac[6];
	bool arp; /* ask for neighbours */
	bool gso; /* false: a veth pair that cuts aggregates on their way to the other end */
};

/* Make one and set it up: a dummy, or where the kernel has none and for !gso a veth pair whose other end is up, too.
 * -EEXIST: the name is taken; -EBUSY: an ifindex is. */
int nl_link_make(struct nl *nl, const struct nl_link_want *want);
/* Finish what a kill may have left undone: after nl_link_make() the other end, after that and nl_link_change() the offloads;
 * before nl_links_delete() the group. */
int nl_link_finish(struct nl *nl, uint32_t ifindex, const char *name, bool gso);
int nl_link_change(struct nl *nl, uint32_t ifindex, uint32_t mtu, bool gso);
int nl_link_delete(struct nl *nl, uint32_t ifindex);

/* A device that we made and that is to go. */
struct nl_link_gone {
	uint32_t ifindex;
	uint8_t mac[6];
	uint32_t group; /* it is in, and comes back to if it cannot be removed */
	int err;	/* result: 0 or -errno */
};
/* Remove all that are there, in one go. On the way they are in a group of their own; the high half of its number
 * is NL_LINK_GROUP. Returns the first error. */
int nl_links_delete(struct nl *nl, struct nl_link_gone *links, size_t n);

#define NL_LINK_GROUP 0x74630000U /* "tc" */
#define NL_LINK_GROUP_MASK 0xffff0000U
int nl_link_group_set(struct nl *nl, uint32_t ifindex, uint32_t group);

/* Segmentation and checksums of what is sent, by the device or (off) by the stack before the device has it. */
int nl_link_offload(struct nl *nl, const char *device, bool on);
/* Does it hand up aggregates of what it receives (GRO)? false, too, where it cannot be asked. */
bool nl_link_merges(struct nl *nl, const char *device);
/* Do this host's own sockets hand it aggregates (GSO, TSO)? The same. */
bool nl_link_segments(struct nl *nl, const char *device);

#endif
