// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Warnings: aggregates (GSO, GRO) come to where they are put into tunnels that give each packet a header of its own. */
#include <errno.h>
#include <string.h>

#include "desired.h"
#include "desired/internal.h"
#include "diag.h"
#include "nl/route.h"
#include "util.h"

struct looking {
	const struct spec *spec;
	const struct nl_links *links;
	const struct tunnel_resolved *tunnels;
	struct nl *nl;
	struct tcctl_diags *diags;
};

/* A veth hands over what its other end was given. */
static bool veth_brings(const struct looking *l, const struct nl_link *link)
{
	const struct nl_link *peer = link->lower_elsewhere ? NULL : nl_links_by_index(l->links, link->lower);

	if (strcmp(link->kind, "veth"))
		return false;
	return !peer || (peer->gso_segs != 1 && nl_link_segments(l->nl, peer->name));
}

/* The first tunnel of a hook that cannot take aggregates, and how many more; SPEC_NONE. */
static int find(const struct looking *l, const struct spec_hook *hook, unsigned int *ret_more, int *ret_own,
		uint32_t ifindex)
{
	_cleanup_free_ bool *out = desired_out(l->spec, hook);
	int found = SPEC_NONE;

	*ret_more = 0;
	*ret_own = SPEC_NONE;
	for (size_t i = 0; out && i < l->spec->n_tunnels; i++) {
		if (!out[i] || !tunnel_needs_cut(&l->spec->tunnels[i]))
			continue;
		if (l->tunnels[i].device == ifindex)
			*ret_own = i;
		if (l->tunnels[i].end == ifindex)
			continue;
		if (found == SPEC_NONE)
			found = i;
		else
			++*ret_more;
	}
	return found;
}

static void warn(const struct looking *l, const struct model_hook *h, const struct nl_link *link, int tunnel,
		 unsigned int more, const char *where)
{
	const struct spec_tunnel *t = &l->spec->tunnels[tunnel];
	const struct loc *loc = h->interface == SPEC_NONE ? &t->loc : &l->spec->interfaces[h->interface].loc;
	char others[24] = "";
	struct diag *g;

	if (more)
		snprintf(others, sizeof(others), " (and %u more)", more);
	g = diag_warning(l->diags, loc, "tunnel %s%s: aggregates of TCP (%s) %s", t->name, others, where,
			 tcctl_tunnel_is_udp(t->type) && t->type != TCCTL_T_GTPU ?
				 "go into it without the UDP checksum" :
				 "cannot go into it, where each packet has a header of its own, and are dropped");
	if (l->tunnels[tunnel].device == link->ifindex)
		diag_hint(g, "let tcctl make the device, so that it cuts them; ethtool -K %s tso off gso off helps for what "
			     "this host sends, not for what it forwards",
			  link->name);
	else if (h->dir == SPEC_EGRESS)
		diag_hint(g, "`device:` makes one that cuts them; or ethtool -K %s tso off gso off, and gro off where packets "
			     "to forward come in",
			  link->name);
	else if (!strcmp(link->kind, "veth"))
		diag_hint(g, "`device:` makes one that cuts them; or ethtool -K %s gro off, and tso off gso off at its other end",
			  link->name);
	else
		diag_hint(g, "`device:` makes one that cuts them; or ethtool -K %s gro off", link->name);
	diag_device(g, "%s", link->name);
}

void desired_warn_aggregates(const struct spec *spec, const struct nl_links *links,
			     const struct tunnel_resolved *tunnels, const struct model *want, struct nl *nl,
			     struct tcctl_diags *diags)
{
	const struct looking l = { spec, links, tunnels, nl, diags };

	for (size_t i = 0; i < want->n_hooks; i++) {
		const struct model_hook *h = &want->hooks[i];
		const struct nl_link *link = nl_links_by_index(links, h->ifindex);
		unsigned int more;
		int tunnel, own;

		if (!link || !want->pipelines[h->pipeline].n_tunnels)
			continue;
		tunnel = find(&l, want->pipelines[h->pipeline].hook, &more, &own, h->ifindex);
		if (tunnel == SPEC_NONE)
			continue;
		if (own != SPEC_NONE)
			warn(&l, h, link, own, more, "what this host sends or forwards");
		else if (h->dir == SPEC_EGRESS && link->gso_segs != 1 && nl_link_segments(nl, link->name))
			warn(&l, h, link, tunnel, more, "segmentation offload is on");
		else if (h->dir == SPEC_INGRESS && nl_link_merges(nl, link->name))
			warn(&l, h, link, tunnel, more, "GRO is on");
		else if (h->dir == SPEC_INGRESS && veth_brings(&l, link))
			warn(&l, h, link, tunnel, more, "segmentation offload at the other end");
	}
}
