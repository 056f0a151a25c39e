/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of `desired` share. */
#ifndef TCCTL_LIB_DESIRED_INTERNAL_H
#define TCCTL_LIB_DESIRED_INTERNAL_H

#include <stdio.h>

#include "model.h"
#include "nl.h"
#include "tunnel.h"

/* Per spec.tunnels: does the hook put packets into it? malloc()ed; NULL without memory. */
bool *desired_out(const struct spec *spec, const struct spec_hook *hook);

/* The tunnels that a hook's tables hold, sorted by name; `resolved` has one entry per tunnel of the spec, `flags` are more
 * TCCTL_TF_* of them all. 0 or -ENOMEM. */
int desired_tunnels(const struct spec *spec, const struct spec_hook *hook, const bool *out,
		    const struct tunnel_resolved *resolved, uint32_t flags, struct model_tunnel **ret, size_t *ret_n);

/* What a compiled rule set has of tunnels: which class goes where. */
uint64_t desired_classes_digest(uint64_t h, const struct spec *spec, const struct spec_hook *hook);

/* Of all tables together. */
uint64_t desired_tunnels_digest(const struct spec *spec, const struct spec_hook *hook, const struct model_tunnel *tunnels,
				size_t n);

/* "decap(site-b, vendor)", "encap(site-b; 3 routes)"; nothing where there is none. Returns whether something was
 * printed. */
bool desired_print_decap(FILE *f, const char *sep, const struct spec *spec, const struct spec_hook *hook);
bool desired_print_encap(FILE *f, const char *sep, const struct spec *spec, const struct spec_hook *hook);

/* Per link: index of the link where its egress hook goes instead, at ingress, which is the other end of a device that
 * cuts aggregates; or SPEC_NONE. `ret_is_end` says of each link whether it is one. Both malloc()ed. 0 or -ENOMEM. */
int desired_ends(const struct spec *spec, const struct nl_links *links, const struct tunnel_resolved *tunnels, int **ret_of,
		 bool **ret_is_end);

/*
 * The devices that tunnels name. *ret_of (malloc()ed, per link) is the tunnel that takes what leaves there although no
 * interface says so, or SPEC_NONE. -EINVAL with a diagnostic: it could be several, or
 * it is the device that the tunnel's own packets leave through.
 */
int desired_device_tunnels(const struct spec *spec, const struct nl_links *links, const struct tunnel_resolved *resolved,
			   const int *interface_of, struct tcctl_diags *diags, int **ret_of);

#endif
