// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tunnel/device.h"

#include <errno.h>
#include <linux/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "diag.h"
#include "nl/route.h"
#include "pipeline.h"
#include "util.h"

#define END_NAME "tcctl"
#define END_MAX 999999999L
#define MTU_MAX 65535U
#define MTU_GUESS 1500U /* where there is no route yet */
#define IPV6_MTU_MIN 1280U
#define IPV4_MTU_MIN 68U
#define ENCAP_L2_ETH (1U << 6) /* BPF_F_ADJ_ROOM_ENCAP_L2_ETH, Linux 5.13 */

/* Can packets be put into it? */
static bool encapsulates(const struct spec_tunnel *t)
{
	return !spec_tunnel_cannot_send(t);
}

unsigned int tunnel_mtu_min(const struct spec_tunnel *t)
{
	return t->flags & (TCCTL_TF_INNER_ETH | TCCTL_TF_INNER_IPV6) ? IPV6_MTU_MIN : IPV4_MTU_MIN;
}

struct resolving {
	const struct spec *spec;
	struct nl *nl;
	struct nl_links *links;
	struct tcctl_diags *diags;
	struct tunnel_world w;
	unsigned int next_end; /* number in the name of the next other end that is made */
	const struct spec_prefix *local; /* that was asked for last */
	int err;
};

/* --- devices ---------------------------------------------------------------------------------------------- */

/* The next number that no device has; links are sorted by it. */
static uint32_t free_ifindex(const struct resolving *r)
{
	uint32_t top = r->links->n ? r->links->items[r->links->n - 1].ifindex : 0;

	for (size_t i = 0; i < r->w.n_devices; i++)
		if (r->w.devices[i].make && r->w.devices[i].peer > top)
			top = r->w.devices[i].peer;
	return top + 1;
}

/* The N of "tcctlN", as the other ends of our devices are named; -1: another name. */
static long end_number(const char *name)
{
	const size_t len = strlen(END_NAME);
	char *end;
	long n;

	if (strncmp(name, END_NAME, len) || name[len] < '0' || name[len] > '9')
		return -1;
	n = strtol(name + len, &end, 10);
	return *end || n > END_MAX ? -1 : n;
}

static void name_end(struct resolving *r, struct model_device *d)
{
	if (!r->next_end)
		for (size_t i = 0; i < r->links->n; i++) {
			long n = end_number(r->links->items[i].name);

			if (n >= (long)r->next_end)
				r->next_end = n + 1;
		}
	snprintf(d->peer_name, sizeof(d->peer_name), END_NAME "%u", r->next_end++);
}

/* The other end of a device that cuts, as if it were there. */
static int make_end(struct resolving *r, const struct model_device *d)
{
	struct nl_link *items = realloc(r->links->items, (r->links->n + 1) * sizeof(*items));
	size_t i = r->links->n;

	if (!items)
		return -ENOMEM;
	r->links->items = items;
	/* sorted by number */
	for (; i && items[i - 1].ifindex > d->peer; i--)
		items[i] = items[i - 1];
	items[i] = (struct nl_link){
		.ifindex = d->peer, .type = ARPHRD_ETHER, .mac_len = 6, .flags = IFF_UP, .lower = d->ifindex, .kind = "veth"
	};
	memcpy(items[i].name, d->peer_name, sizeof(items[i].name));
	r->links->n++;
	return 0;
}

/* Only pairs that we made: what somebody else's other end is for is not known. */
static uint32_t find_end(const struct resolving *r, uint32_t ifindex)
{
	const struct nl_link *link = nl_links_by_index(r->links, ifindex), *end;

	if (!link || strcmp(link->kind, "veth") || link->lower_elsewhere)
		return 0;
	end = nl_links_by_index(r->links, link->lower);
	return end && end_number(end->name) >= 0 ? end->ifindex : 0;
}

/* Behind all devices that are to be made: one of those may be named as ends are. */
static int resolve_ends(struct resolving *r)
{
	int err = 0;

	for (size_t k = 0; k < r->w.n_devices && !err; k++) {
		struct model_device *d = &r->w.devices[k];

		if (d->make)
			name_end(r, d);
		if (d->make && !d->gso)
			err = make_end(r, d);
		else if (!d->gso)
			d->peer = find_end(r, d->ifindex);
	}
	return err;
}

static int make_device(struct resolving *r, const struct spec_tunnel *t, struct model_device *d)
{
	struct nl_link *items = realloc(r->links->items, (r->links->n + 1) * sizeof(*items)), *link;

	if (!items)
		return -ENOMEM;
	r->links->items = items;
	d->make = true;
	d->ifindex = free_ifindex(r);
	d->peer = d->ifindex + 1;
	if (getrandom(d->mac, sizeof(d->mac), 0) != sizeof(d->mac))
		return -EIO;
	d->mac[0] = (uint8_t)((d->mac[0] & 0xfcU) | 0x02U); /* locally administered, one station */
	link = &items[r->links->n++];
	*link = (struct nl_link){
		.ifindex = d->ifindex, .type = ARPHRD_ETHER, .mac_len = 6, .flags = IFF_UP
	};
	snprintf(link->name, sizeof(link->name), "%s", t->device);
	memcpy(link->mac, d->mac, sizeof(d->mac));
	return 0;
}

/* The kinds of kernel devices that can be `external`. */
static const char *const external_kinds[TCCTL_T_MAX][4] = {
	[TCCTL_T_VXLAN] = { "vxlan" },
	[TCCTL_T_GENEVE] = { "geneve" },
	[TCCTL_T_GRE] = { "gre", "gretap", "ip6gre", "ip6gretap" },
	[TCCTL_T_IPIP] = { "ipip", "ip6tnl" },
};

static int check_external(struct resolving *r, const struct spec_tunnel *t, const struct nl_link *link)
{
	const char *const *kinds = external_kinds[t->type];
	bool fits = false;
	struct diag *g;

	for (size_t k = 0; k < ARRAY_SIZE(external_kinds[0]) && kinds[k]; k++)
		fits |= !strcmp(link->kind, kinds[k]);
	if (fits && link->external)
		return 0;
	g = diag_error(r->diags, &t->loc, "tunnel %s: '%s' is %s%s, expected an external %s", t->name, t->device,
		       fits ? "an ordinary " : "of kind ", link->kind[0] ? link->kind : "hardware",
		       tunnel_type_name(t->type));
	if (fits)
		diag_hint(g, "the kernel looks at no metadata there: ip link add %s type %s external", t->device, link->kind);
	diag_device(diag_errno(g, EINVAL), "%s", t->device);
	return -EINVAL;
}

static int check_loopback(struct resolving *r, const struct spec_tunnel *t, const struct nl_link *link)
{
	if (link->type != ARPHRD_LOOPBACK)
		return 0;
	diag_device(diag_errno(diag_hint(diag_error(r->diags, &t->loc,
						    "tunnel %s: '%s' is the loopback device, which others need as it is",
						    t->name, t->device),
					 "with a name that no device has, one is made"),
			       EINVAL),
		    "%s", t->device);
	return -EINVAL;
}

static int add_device(struct resolving *r, size_t i)
{
	const struct spec_tunnel *t = &r->spec->tunnels[i];
	const struct nl_link *link = nl_links_find(r->links, t->device);
	struct model_device *d = NULL;
	int err;

	if (!link && t->mode == SPEC_TUNNEL_METADATA) {
		diag_device(
			diag_errno(
				diag_hint(
					diag_error(r->diags, &t->loc,
						   "tunnel %s: no device '%s' in this network namespace",
						   t->name, t->device),
					"metadata mode needs the kernel's own device: ip link add %s type %s external",
					t->device, tunnel_type_name(t->type)),
				ENODEV),
			"%s", t->device);
		return -ENODEV;
	}
	if (t->mode == SPEC_TUNNEL_METADATA) {
		r->w.tunnels[i].device = link->ifindex;
		return check_external(r, t, link);
	}
	err = link ? check_loopback(r, t, link) : 0;
	if (err)
		return err;
	for (size_t k = 0; k < r->w.n_devices && !d; k++)
		if (link && r->w.devices[k].ifindex == link->ifindex)
			d = &r->w.devices[k];
	if (!d) {
		d = &r->w.devices[r->w.n_devices];
		*d = (struct model_device){ .gso = true, .tunnel = (int)i, .mtu = MTU_MAX };
		snprintf(d->name, sizeof(d->name), "%s", t->device);
		if (link)
			d->ifindex = link->ifindex;
		err = link ? 0 : make_device(r, t, d);
		if (err)
			return err;
		r->w.n_devices++;
		link = nl_links_by_index(r->links, d->ifindex);
		if (!link)
			return -EIO;
		memcpy(d->mac, link->mac, sizeof(d->mac));
	}
	if (link->type == ARPHRD_ETHER && link->mac_len == 6)
		memcpy(r->w.tunnels[i].device_mac, link->mac, 6);
	r->w.tunnels[i].device = d->ifindex;
	d->arp |= !!(t->flags & TCCTL_TF_INNER_ETH);
	if (tunnel_needs_cut(t) && encapsulates(t))
		d->gso = false;
	return 0;
}

/* --- MTU -------------------------------------------------------------------------------------------------- */

struct path {
	uint32_t mtu; /* 0: unknown */
	const char *device;
	uint32_t ifindex; /* of the first way; 0: none */
};

static uint32_t link_mtu(const struct resolving *r, uint32_t ifindex, const char **ret_name)
{
	const struct nl_link *link = nl_links_by_index(r->links, ifindex);

	*ret_name = link ? link->name : "?";
	return !link || !link->mtu ? 0 : link->mtu < MTU_MAX ? link->mtu : MTU_MAX;
}

/* Has the kernel said that there is no way, or has it not been asked? Not to know is no reason to change a row. */
static bool is_answer(int err)
{
	return err != -EIO && err != -ENOMEM && err != -ENOBUFS && err != -EINTR && err != -EBADMSG && err != -EPERM;
}

/* Narrow `path` by the way to one remote. */
static void look_up(struct resolving *r, const struct spec_tunnel *t, uint32_t underlay,
		    const struct spec_prefix *remote, struct path *path)
{
	struct nl_route route = {};
	const char *device;
	char text[64];
	uint32_t mtu;
	int err;

	err = nl_route_get(r->nl, remote->family, remote->addr, underlay, t->mark, &route);
	if (!err && !path->ifindex)
		path->ifindex = route.ifindex;
	tunnel_address_text(remote, 1, text, sizeof(text));
	if (err && !is_answer(err)) {
		diag_errno(diag_error(r->diags, &t->loc, "tunnel %s: cannot ask for the route to %s: %s", t->name, text,
				      strerror(-err)),
			   err);
		r->err = r->err ? r->err : err;
		return;
	}
	if (route.local)
		diag_hint(diag_warning(r->diags, &t->loc, "tunnel %s: remote %s is an address of this host", t->name, text),
			  "are `local` and `remote` the wrong way round?");
	if (err) {
		mtu = underlay ? link_mtu(r, underlay, &device) : MTU_GUESS;
		diag_hint(
			diag_warning(r->diags, &t->loc,
				     "tunnel %s: no route to %s now (%s); an MTU of %u is assumed", t->name,
				     text, strerror(-err), mtu),
			"`mtu:` says it; packets are dropped and counted until there is a route, and `tcctl apply` looks "
			"again");
		if (!underlay)
			device = "the way to the remote";
	} else {
		mtu = link_mtu(r, route.ifindex, &device);
		if (route.mtu && (route.mtu < mtu || !mtu))
			mtu = route.mtu;
	}
	if (mtu && (!path->mtu || mtu < path->mtu))
		*path = (struct path){ mtu, device, path->ifindex };
}

/*
 * The source of what is sent: is it ours? Tunnels mostly share one, which is asked for once. Other tables may have it where a mark
 * or a device chooses them, those of VRFs have the addresses of the devices in these, and a link-local address is one of a device.
 */
static bool has_vrf(const struct nl_links *links)
{
	for (size_t i = 0; i < links->n; i++)
		if (!strcmp(links->items[i].kind, "vrf"))
			return true;
	return false;
}

static void check_local(struct resolving *r, const struct spec_tunnel *t)
{
	struct nl_route route = {};
	char text[64];
	int err;

	if (!t->has_local || t->mark || t->underlay || (r->local && !memcmp(r->local, &t->local, sizeof(t->local))) ||
	    (t->family == 6 && t->local.addr[0] == 0xfe && (t->local.addr[1] & 0xc0) == 0x80))
		return;
	r->local = &t->local;
	err = nl_route_get(r->nl, t->local.family, t->local.addr, 0, 0, &route);
	if ((err ? !is_answer(err) : route.local) || has_vrf(r->links))
		return;
	tunnel_address_text(&t->local, 1, text, sizeof(text));
	diag_hint(diag_warning(r->diags, &t->loc, "tunnel %s: local %s is no address of this host now", t->name, text),
		  "it is the source of what is sent, and where answers go");
}

static const char *over(const struct spec_tunnel *t)
{
	return t->family == 6 ? " over IPv6" : t->family == 4 ? " over IPv4" : "";
}

static void check_mtu(struct resolving *r, const struct spec_tunnel *t, const struct path *path)
{
	const unsigned int overhead = tunnel_overhead(t), least = tunnel_mtu_min(t);
	const unsigned int left = path->mtu > overhead ? path->mtu - overhead : 0;
	struct diag *g;

	if (t->mtu > left) {
		g = t->df == SPEC_DF_CLEAR ?
			    diag_warning(r->diags, &t->loc,
					 "tunnel %s: packets of mtu %u with the %u bytes that "
					 "%s%s adds are cut into fragments by %s, whose MTU "
					 "is %u",
					 t->name, t->mtu, overhead, tunnel_type_name(t->type), over(t),
					 path->device, path->mtu) :
			    diag_error(r->diags, &t->loc,
				       "tunnel %s: mtu %u does not fit: the MTU of %s is %u and %s%s adds %u",
				       t->name, t->mtu, path->device, path->mtu, tunnel_type_name(t->type),
				       over(t), overhead);
		diag_hint(g, "at most %u fits; without `mtu:` it is used", left);
		if (t->df == SPEC_DF_CLEAR)
			return;
	} else if (!t->mtu && left < least) {
		g = diag_error(
			r->diags, &t->loc,
			"tunnel %s: the MTU of %s, %u, leaves %u for what is inside, for %s%s adds %u; %s needs %u",
			t->name, path->device, path->mtu, left, tunnel_type_name(t->type), over(t), overhead,
			least == IPV6_MTU_MIN ? "IPv6" : "IPv4", least);
		if (least == IPV6_MTU_MIN && left >= IPV4_MTU_MIN)
			diag_hint(g, "raise that MTU, or say that no IPv6 is inside: `mtu: %u`", left);
		else
			diag_hint(g, "raise that MTU");
	} else {
		return;
	}
	diag_errno(diag_device(g, "%s", path->device), EMSGSIZE);
	r->err = r->err ? r->err : -EMSGSIZE;
}

/* Where no remote is known before it has been learned: what arrives where also leaves there. */
static void look_at_arrivals(struct resolving *r, size_t i, struct path *path)
{
	for (size_t k = 0; k < r->spec->n_interfaces; k++) {
		const struct spec_interface *iface = &r->spec->interfaces[k];
		const struct spec_hook *hook = &iface->hook[SPEC_INGRESS];
		const struct nl_link *link = nl_links_find(r->links, iface->key);

		for (size_t d = 0; link && hook->enabled && d < hook->n_decaps; d++)
			if (hook->decaps[d] == (int)i && (!path->mtu || link->mtu < path->mtu))
				*path = (struct path){ link_mtu(r, link->ifindex, &path->device), link->name,
						       link->ifindex };
	}
}

/* The kernel's device, whose MTU is that of what is inside, and often larger than what the way to the remote takes. */
static void resolve_metadata_mtu(struct resolving *r, const struct spec_tunnel *t, struct tunnel_resolved *res)
{
	struct path path = {};
	const char *own;
	uint32_t mtu;

	mtu = link_mtu(r, res->device, &own);
	if (mtu)
		path = (struct path){ mtu + tunnel_overhead(t), own, 0 };
	if (!(t->flags & TCCTL_TF_FDB))
		look_up(r, t, 0, &t->remotes[0], &path);
	res->mtu = (uint16_t)(path.mtu < MTU_MAX ? path.mtu : MTU_MAX);
	if (path.mtu && path.device != own)
		check_mtu(r, t, &path);
}

static void resolve_mtu(struct resolving *r, size_t i)
{
	const struct spec_tunnel *t = &r->spec->tunnels[i];
	struct tunnel_resolved *res = &r->w.tunnels[i];
	struct path path = {};

	if (!encapsulates(t))
		return;
	check_local(r, t);
	if (t->mode == SPEC_TUNNEL_METADATA) {
		resolve_metadata_mtu(r, t, res);
		return;
	}
	if (t->type == TCCTL_T_VLAN) {
		path.mtu = res->underlay ? link_mtu(r, res->underlay, &path.device) : 0;
	} else if (t->flags & TCCTL_TF_FDB) {
		for (size_t k = 0; k < t->n_flood; k++)
			look_up(r, t, res->underlay, &t->flood[k], &path);
		for (size_t k = 0; k < t->n_stations; k++) {
			bool same = k && !memcmp(&t->stations[k].remote, &t->stations[k - 1].remote,
						 sizeof(t->stations[k].remote));

			if (!same)
				look_up(r, t, res->underlay, &t->stations[k].remote, &path);
		}
		if (!path.ifindex && !res->underlay)
			look_at_arrivals(r, i, &path);
	} else {
		look_up(r, t, res->underlay, &t->remotes[0], &path);
	}
	res->way = res->underlay ? res->underlay : path.ifindex;
	if (!path.mtu)
		return;
	res->mtu = (uint16_t)path.mtu;
	check_mtu(r, t, &path);
}

/* Our devices take what fits into all of the tunnels that they belong to. */
static void size_device(struct resolving *r, size_t i)
{
	const struct spec_tunnel *t = &r->spec->tunnels[i];
	struct tunnel_resolved *res = &r->w.tunnels[i];
	const unsigned int overhead = tunnel_overhead(t);
	uint32_t mtu = t->mtu ? t->mtu : res->mtu > overhead ? res->mtu - overhead : 0;

	for (size_t k = 0; k < r->w.n_devices; k++) {
		struct model_device *d = &r->w.devices[k];

		if (d->ifindex != res->device)
			continue;
		if (mtu && mtu < d->mtu)
			d->mtu = mtu;
		res->end = d->gso ? 0 : d->peer;
	}
}

static void finish_devices(struct resolving *r)
{
	for (size_t k = 0; k < r->w.n_devices; k++) {
		struct model_device *d = &r->w.devices[k];

		if (d->mtu == MTU_MAX)
			d->mtu = MTU_GUESS;
		for (size_t i = 0; i < r->links->n; i++)
			if (d->make && r->links->items[i].ifindex == d->ifindex)
				r->links->items[i].mtu = d->mtu;
	}
}

static int resolve_underlay(struct resolving *r, size_t i)
{
	const struct spec_tunnel *t = &r->spec->tunnels[i];
	const struct nl_link *link = nl_links_find(r->links, t->underlay);

	if (!link) {
		diag_device(diag_errno(diag_error(r->diags, &t->loc,
						  "tunnel %s: no device '%s' in this network namespace "
						  "(underlay)",
						  t->name, t->underlay),
				       ENODEV),
			    "%s", t->underlay);
		return -ENODEV;
	}
	r->w.tunnels[i].underlay = link->ifindex;
	return 0;
}

/* A kernel that cannot be asked is taken for a newer one: without privileges nothing is loaded anyway. */
static void resolve_kernel(struct resolving *r)
{
	bool eth = false;

	for (size_t i = 0; i < r->spec->n_tunnels; i++)
		eth |= r->spec->tunnels[i].flags & TCCTL_TF_INNER_ETH;
	if (!eth || !r->w.tunnels || pipeline_knows_adjust_room(ENCAP_L2_ETH))
		return;
	for (size_t i = 0; i < r->spec->n_tunnels; i++)
		r->w.tunnels[i].no_l2_eth = true;
}

int tunnel_world_make(const struct spec *spec, struct nl *nl, struct nl_links *links,
		      struct tcctl_diags *diags, struct tunnel_world *ret)
{
	struct resolving r = { .spec = spec, .nl = nl, .links = links, .diags = diags };

	r.w.tunnels = calloc(spec->n_tunnels + 1, sizeof(*r.w.tunnels));
	r.w.devices = calloc(spec->n_tunnels + 1, sizeof(*r.w.devices));
	if (!r.w.tunnels || !r.w.devices)
		r.err = -ENOMEM;
	for (size_t i = 0; i < spec->n_tunnels && r.err != -ENOMEM; i++) {
		int err = spec->tunnels[i].underlay ? resolve_underlay(&r, i) : 0;

		if (!err && spec->tunnels[i].device)
			err = add_device(&r, i);
		r.err = r.err ? r.err : err;
	}
	if (!r.err)
		r.err = resolve_ends(&r);
	resolve_kernel(&r);
	for (size_t i = 0; i < spec->n_tunnels && r.err != -ENOMEM; i++) {
		resolve_mtu(&r, i);
		size_device(&r, i);
	}
	if (!r.err)
		finish_devices(&r);
	if (r.err)
		tunnel_world_done(&r.w);
	*ret = r.w;
	return r.err;
}

void tunnel_world_done(struct tunnel_world *w)
{
	free(w->tunnels);
	free(w->devices);
	*w = (struct tunnel_world){};
}
