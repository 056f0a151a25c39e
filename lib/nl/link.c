// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Devices. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "nl/internal.h"
#include "util.h"

_Static_assert(NL_NAME_MAX == IFNAMSIZ, "device names");

struct link_ctx {
	struct nl_link *link;
	int err;
};

void nl_link_done(struct nl_link *link)
{
	for (size_t i = 0; i < link->n_altnames; i++)
		free(link->altnames[i]);
	free(link->altnames);
	link->altnames = NULL;
	link->n_altnames = 0;
}

static int altname_add(struct nl_link *link, const struct nlattr *attr)
{
	char name[ALTIFNAMSIZ], **names, *copy;

	if (nl_attr_str(attr, name, sizeof(name)))
		return -EBADMSG;
	names = realloc(link->altnames, (link->n_altnames + 1) * sizeof(*names));
	if (!names)
		return -ENOMEM;
	link->altnames = names;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	names[link->n_altnames++] = copy;
	return 0;
}

static int prop_attr(const struct nlattr *attr, void *data)
{
	struct link_ctx *ctx = data;

	if (mnl_attr_get_type(attr) == IFLA_ALT_IFNAME)
		ctx->err = altname_add(ctx->link, attr);
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/* The attribute of each kind that says that a device was made with `external`: there, and not 0 where it is a number. */
static const struct {
	const char *kind;
	uint16_t attr;
} external_attrs[] = {
	{ "vxlan", IFLA_VXLAN_COLLECT_METADATA }, { "geneve", IFLA_GENEVE_COLLECT_METADATA },
	{ "gre", IFLA_GRE_COLLECT_METADATA },	  { "gretap", IFLA_GRE_COLLECT_METADATA },
	{ "ip6gre", IFLA_GRE_COLLECT_METADATA },  { "ip6gretap", IFLA_GRE_COLLECT_METADATA },
	{ "ipip", IFLA_IPTUN_COLLECT_METADATA },  { "ip6tnl", IFLA_IPTUN_COLLECT_METADATA },
};

static int data_attr(const struct nlattr *attr, void *data)
{
	struct nl_link *link = data;
	uint8_t value = 1;

	for (size_t i = 0; i < ARRAY_SIZE(external_attrs); i++)
		if (mnl_attr_get_type(attr) == external_attrs[i].attr &&
		    !strcmp(link->kind, external_attrs[i].kind))
			link->external = nl_attr_u8(attr, &value) || value;
	return MNL_CB_OK;
}

static int info_attr(const struct nlattr *attr, void *data)
{
	struct link_ctx *ctx = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_INFO_KIND: ctx->err = nl_attr_str(attr, ctx->link->kind, sizeof(ctx->link->kind)); break;
	case IFLA_INFO_DATA: mnl_attr_parse_nested(attr, data_attr, ctx->link); break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

static int link_attr(const struct nlattr *attr, void *data)
{
	struct link_ctx *ctx = data;
	struct nl_link *link = ctx->link;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME: ctx->err = nl_attr_str(attr, link->name, sizeof(link->name)); break;
	case IFLA_MTU: ctx->err = nl_attr_u32(attr, &link->mtu); break;
	case IFLA_LINK: ctx->err = nl_attr_u32(attr, &link->lower); break;
	case IFLA_LINK_NETNSID: link->lower_elsewhere = true; break;
	case IFLA_MASTER: ctx->err = nl_attr_u32(attr, &link->master); break;
	case IFLA_GROUP: ctx->err = nl_attr_u32(attr, &link->group); break;
	case IFLA_GSO_MAX_SEGS: ctx->err = nl_attr_u32(attr, &link->gso_segs); break;
	case IFLA_OPERSTATE: ctx->err = nl_attr_u8(attr, &link->operstate); break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) > sizeof(link->mac)) {
			ctx->err = -EBADMSG;
			break;
		}
		link->mac_len = (uint8_t)mnl_attr_get_payload_len(attr);
		memcpy(link->mac, mnl_attr_get_payload(attr), link->mac_len);
		break;
	case IFLA_LINKINFO:
		if (mnl_attr_parse_nested(attr, info_attr, ctx) < 0 && !ctx->err)
			ctx->err = -EBADMSG;
		break;
	case IFLA_PROP_LIST:
		if (mnl_attr_parse_nested(attr, prop_attr, ctx) < 0 && !ctx->err)
			ctx->err = -EBADMSG;
		break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * RTM_NEWLINK
 *   struct ifinfomsg { ifi_type, ifi_index, ifi_flags }
 *   IFLA_IFNAME: string
 *   IFLA_ADDRESS: bytes
 *   IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_GROUP, IFLA_GSO_MAX_SEGS: u32
 *   IFLA_LINK_NETNSID: s32
 *   IFLA_OPERSTATE: u8
 *   IFLA_LINKINFO
 *     IFLA_INFO_KIND: string
 *     IFLA_INFO_DATA
 *       IFLA_*_COLLECT_METADATA: u8 or nothing
 *   IFLA_PROP_LIST
 *     IFLA_ALT_IFNAME: string
 *     …
 */
int nl_link_decode(const struct nlmsghdr *nlh, struct nl_link *ret_link)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct nl_link link = { 0 };
	struct link_ctx ctx = { .link = &link };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_index <= 0)
		return -EBADMSG;
	link.ifindex = (uint32_t)ifi->ifi_index;
	link.type = ifi->ifi_type;
	link.flags = ifi->ifi_flags;
	if (mnl_attr_parse(nlh, sizeof(*ifi), link_attr, &ctx) < 0 || !link.name[0]) {
		nl_link_done(&link);
		return ctx.err ? ctx.err : -EBADMSG;
	}
	*ret_link = link;
	return 0;
}

static int links_add(void *out, const struct nlmsghdr *nlh)
{
	struct nl_links *links = out;
	struct nl_link *items;
	int err;

	/* Grow by powers of two. */
	if (!(links->n & (links->n - 1))) {
		items = realloc(links->items, (links->n ? links->n * 2 : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		links->items = items;
	}
	err = nl_link_decode(nlh, &links->items[links->n]);
	if (!err)
		links->n++;
	return err;
}

static void links_reset(void *out)
{
	nl_links_done(out);
}

void nl_links_done(struct nl_links *links)
{
	for (size_t i = 0; i < links->n; i++)
		nl_link_done(&links->items[i]);
	free(links->items);
	links->items = NULL;
	links->n = 0;
}

static int link_cmp(const void *a, const void *b)
{
	uint32_t x = ((const struct nl_link *)a)->ifindex, y = ((const struct nl_link *)b)->ifindex;

	return (x > y) - (x < y);
}

int nl_links_dump(struct nl *nl, struct nl_links *ret_links)
{
	static const struct nl_collector collector = { RTM_NEWLINK, links_reset, links_add };
	struct nl_links links = { 0 };
	struct nlmsghdr *nlh;
	int err;

	nlh = nl_request(nl, nl->tx, RTM_GETLINK, 0);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	/* Statistics are two thirds of a reply and not ours to read. */
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = nl_dump(nl, nlh, &collector, &links);
	if (err)
		return err;
	qsort(links.items, links.n, sizeof(*links.items), link_cmp);
	*ret_links = links;
	return 0;
}

const struct nl_link *nl_links_find(const struct nl_links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (!strcmp(links->items[i].name, name))
			return &links->items[i];
	for (size_t i = 0; i < links->n; i++)
		for (size_t j = 0; j < links->items[i].n_altnames; j++)
			if (!strcmp(links->items[i].altnames[j], name))
				return &links->items[i];
	return NULL;
}

int nl_link_name(struct nl *nl, uint32_t ifindex, char ret_name[NL_NAME_MAX])
{
	struct ifreq ifr = { .ifr_ifindex = (int)ifindex };

	/* A twentieth of what RTM_GETLINK costs. */
	if (ioctl(mnl_socket_get_fd(nl->sock), SIOCGIFNAME, &ifr) < 0)
		return -errno;
	memcpy(ret_name, ifr.ifr_name, NL_NAME_MAX);
	return 0;
}

const struct nl_link *nl_links_by_index(const struct nl_links *links, uint32_t ifindex)
{
	struct nl_link key = { .ifindex = ifindex };

	return links->n ? bsearch(&key, links->items, links->n, sizeof(key), link_cmp) : NULL;
}
