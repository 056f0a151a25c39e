// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tunnels with a device of their own: what leaves there goes into the tunnel, without an interface having to say so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "desired/internal.h"
#include "diag.h"
#include "util.h"

int desired_ends(const struct spec *spec, const struct nl_links *links, const struct tunnel_resolved *tunnels,
		 int **ret_of, bool **ret_is_end)
{
	int *of = malloc((links->n + 1) * sizeof(*of));
	bool *is_end = calloc(links->n + 1, sizeof(*is_end));

	if (!of || !is_end) {
		free(of);
		free(is_end);
		return -ENOMEM;
	}
	for (size_t i = 0; i < links->n; i++)
		of[i] = SPEC_NONE;
	for (size_t i = 0; i < spec->n_tunnels; i++) {
		const struct nl_link *device = nl_links_by_index(links, tunnels[i].device);
		const struct nl_link *end = tunnels[i].end ? nl_links_by_index(links, tunnels[i].end) : NULL;

		if (!device || !end)
			continue;
		of[device - links->items] = end - links->items;
		is_end[end - links->items] = true;
	}
	*ret_of = of;
	*ret_is_end = is_end;
	return 0;
}

/* Somebody has said what is to become of what leaves there. */
static bool is_told(const struct spec_hook *hook)
{
	return hook->enabled && (hook->encap != SPEC_NONE || hook->n_routes || hook->class_tunnels);
}

/* Who writes `device` as ip(8) has `dev` would lose all else that leaves there, a remote login first of all. */
static void is_way(const struct spec_tunnel *t, struct tcctl_diags *diags)
{
	struct diag *g;

	g = diag_error(diags, &t->loc,
		       "tunnel %s: all that leaves %s would go into the tunnel, and %s is the way to its remote", t->name,
		       t->device, t->device);
	diag_hint(g,
		  "`underlay: %s` is what outer packets leave through; if all is meant: interfaces: %s: { egress: { encap: %s } }",
		  t->device, t->device, t->name);
	diag_errno(diag_device(g, "%s", t->device), EINVAL);
}

int desired_device_tunnels(const struct spec *spec, const struct nl_links *links, const struct tunnel_resolved *resolved,
			   const int *interface_of, struct tcctl_diags *diags, int **ret_of)
{
	int *of = malloc((links->n + 1) * sizeof(*of));
	int err = 0;

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < links->n; i++)
		of[i] = SPEC_NONE;
	for (size_t i = 0; i < spec->n_tunnels; i++) {
		const struct spec_tunnel *t = &spec->tunnels[i];
		const struct nl_link *link = spec_tunnel_takes_device(t) ? nl_links_find(links, t->device) : NULL;
		size_t k;

		if (!link)
			continue;
		k = link - links->items;
		if (interface_of[k] != SPEC_NONE &&
		    is_told(&spec->interfaces[interface_of[k]].hook[SPEC_EGRESS]))
			continue;
		if (resolved[i].way == link->ifindex) {
			is_way(t, diags);
			err = -EINVAL;
			continue;
		}
		if (of[k] == SPEC_NONE) {
			of[k] = i;
			continue;
		}
		diag_errno(
			diag_device(
				diag_hint(
					diag_error(
						diags, &t->loc,
						"tunnels %s and %s have the same device, so that it is not clear "
						"where a packet goes that leaves there",
						spec->tunnels[of[k]].name, t->name),
					"say it: interfaces: %s: { egress: { encap: … } }", t->device),
				"%s", t->device),
			EINVAL);
		err = -EINVAL;
	}
	if (err) {
		free(of);
		return err;
	}
	*ret_of = of;
	return 0;
}
