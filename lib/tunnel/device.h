/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the configuration cannot know of tunnels: numbers of devices, MTUs. Asked once for a plan. */
#ifndef TCCTL_LIB_TUNNEL_DEVICE_H
#define TCCTL_LIB_TUNNEL_DEVICE_H

#include "model.h"
#include "nl.h"
#include "tunnel.h"

struct tunnel_world {
	struct tunnel_resolved *tunnels; /* one for each of spec.tunnels */
	struct model_device *devices;	 /* that they name: each once */
	size_t n_devices;
};

/*
 * Devices that are named and not there are to be made by us: they are added to `links`, with an ifindex of our choice, as
 * if they were there. All that is wrong is said in `diags`: -ENODEV, -EINVAL (an MTU that is too small).
 */
int tunnel_world_make(const struct spec *spec, struct nl *nl, struct nl_links *links, struct tcctl_diags *diags,
		      struct tunnel_world *ret);
void tunnel_world_done(struct tunnel_world *w);

/* "vxlan", "gre", …; "?" for none. */
const char *tunnel_type_name(uint8_t type);
/* "192.0.2.1", "10.0.0.0/8 and 3 more", "any". */
void tunnel_address_text(const struct spec_prefix *items, size_t n, char *buf, size_t size);

/* The smallest MTU that a tunnel may leave for what is inside; 0: any. */
unsigned int tunnel_mtu_min(const struct spec_tunnel *t);

#endif
