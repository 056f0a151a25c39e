/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* From the typed configuration and the devices that exist to the model that is wanted. Pure. */
#ifndef TCCTL_LIB_DESIRED_H
#define TCCTL_LIB_DESIRED_H

#include "model.h"
#include "nl.h"
#include "pipeline.h"
#include "tunnel.h"

/*
 * `objects` has the digest of each of the spec's programs. -ENODEV: a device is missing; -EINVAL: two keys match
 * one device; with diagnostics at their lines, all at once. `tunnels` has an entry for each of the spec's (tunnel/device.h).
 * The model borrows from the spec.
 */
int desired_make(const struct spec *spec, const struct nl_links *links, const struct pipeline_object *objects,
		 const struct tunnel_resolved *tunnels, struct tcctl_diags *diags, struct model *ret);

/* Warns where aggregates may come to be encapsulated that cannot be; asks the kernel what devices offload. */
void desired_warn_aggregates(const struct spec *spec, const struct nl_links *links, const struct tunnel_resolved *tunnels,
			     const struct model *want, struct nl *nl, struct tcctl_diags *diags);

/* Everything that a compiled rule set depends on: rules, the sets and classes they name. */
uint64_t desired_ruleset_digest(const struct spec *spec, const struct spec_ruleset *set);

#endif
