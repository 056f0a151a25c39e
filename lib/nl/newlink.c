// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Making and removing devices. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

#include "nl/internal.h"
#include "nl/route.h"

#define GSO_SEGS 65535	    /* as devices have it from the start */

static struct nlmsghdr *link_request(struct nl *nl, uint16_t type, uint16_t flags, uint32_t ifindex,
				     uint32_t up_flags, uint32_t change)
{
	struct nlmsghdr *nlh = nl_request(nl, nl->tx, type, NLM_F_ACK | flags);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	ifi->ifi_flags = up_flags;
	ifi->ifi_change = change;
	return nlh;
}

/*
 * RTM_NEWLINK
 *   struct ifinfomsg { ifi_index, ifi_flags IFF_UP [| IFF_NOARP] }
 *   IFLA_IFNAME: string
 *   IFLA_MTU: u32
 *   IFLA_ADDRESS: MAC
 *   IFLA_GSO_MAX_SEGS: u32 1        for !gso
 *   IFLA_LINKINFO
 *     IFLA_INFO_KIND: "dummy" | "veth"
 *     IFLA_INFO_DATA                veth
 *       VETH_INFO_PEER
 *         struct ifinfomsg { ifi_index }
 *         IFLA_IFNAME, IFLA_MTU
 */
static int make(struct nl *nl, const struct nl_link_want *w, bool veth)
{
	struct nlattr *info, *data, *peer;
	struct nlmsghdr *nlh;

	nlh = link_request(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, w->ifindex,
			   IFF_UP | (w->arp ? 0 : IFF_NOARP), IFF_UP | IFF_NOARP);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, w->name);
	mnl_attr_put_u32(nlh, IFLA_MTU, w->mtu);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(w->mac), w->mac);
	if (!w->gso)
		mnl_attr_put_u32(nlh, IFLA_GSO_MAX_SEGS, 1);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_str(nlh, IFLA_INFO_KIND, veth ? "veth" : "dummy");
	if (veth) {
		struct ifinfomsg *ifi;

		data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
		peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
		ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
		ifi->ifi_index = (int)w->peer;
		mnl_attr_put_strz(nlh, IFLA_IFNAME, w->peer_name);
		mnl_attr_put_u32(nlh, IFLA_MTU, w->mtu);
		mnl_attr_nest_end(nlh, peer);
		mnl_attr_nest_end(nlh, data);
	}
	mnl_attr_nest_end(nlh, info);
	return nl_ask(nl, nlh, NLMSG_ERROR, NULL, NULL);
}

/* The other end has to be up for the device to carry packets, and is to say nothing of itself. */
static int raise_peer(struct nl *nl, uint32_t ifindex)
{
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, 0, ifindex, 0, 0);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC),
		      *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, spec);
	(void)nl_ask(nl, nlh, NLMSG_ERROR, NULL, NULL); /* without IPv6 it has nothing to say anyway */
	nlh = link_request(nl, RTM_NEWLINK, 0, ifindex, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
	return nl_ask(nl, nlh, NLMSG_ERROR, NULL, NULL);
}

static int take_mac(void *arg, const struct nlmsghdr *nlh)
{
	struct nl_link link;
	int err = nl_link_decode(nlh, &link);

	if (err)
		return err;
	err = link.mac_len == 6 && !memcmp(link.mac, arg, 6) ? 0 : -ENODEV;
	nl_link_done(&link);
	return err;
}

/* Where the answer was lost: it may have been made. */
static int make_surely(struct nl *nl, const struct nl_link_want *want, bool veth)
{
	uint8_t mac[6];
	int err = make(nl, want, veth);

	if (err != -EIO)
		return err;
	memcpy(mac, want->mac, sizeof(mac));
	err = nl_ask(nl, link_request(nl, RTM_GETLINK, 0, want->ifindex, 0, 0), RTM_NEWLINK, take_mac, mac);
	return err == -ENODEV ? make(nl, want, veth) : err;
}

int nl_link_make(struct nl *nl, const struct nl_link_want *want)
{
	int err = want->gso ? make_surely(nl, want, false) : -EOPNOTSUPP;

	if (err != -EOPNOTSUPP)
		return err;
	err = make_surely(nl, want, true);
	if (err)
		return err;
	err = raise_peer(nl, want->peer);
	if (!err && !want->gso)
		err = nl_link_offload(nl, want->name, false);
	if (err)
		nl_link_delete(nl, want->ifindex);
	return err;
}

struct made {
	uint32_t group;
	uint32_t peer;
	bool elsewhere; /* the peer is in another network namespace, where the number means another device */
};

static int made_attr(const struct nlattr *attr, void *data)
{
	struct made *made = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_GROUP: return nl_attr_u32(attr, &made->group) ? MNL_CB_ERROR : MNL_CB_OK;
	case IFLA_LINK: return nl_attr_u32(attr, &made->peer) ? MNL_CB_ERROR : MNL_CB_OK;
	case IFLA_LINK_NETNSID: made->elsewhere = true; break;
	}
	return MNL_CB_OK;
}

/* A veth has its peer in IFLA_LINK; a dummy has none. */
static int take_made(void *arg, const struct nlmsghdr *nlh)
{
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct ifinfomsg))
		return -EBADMSG;
	return mnl_attr_parse(nlh, sizeof(struct ifinfomsg), made_attr, arg) < 0 ? -EBADMSG : 0;
}

int nl_link_finish(struct nl *nl, uint32_t ifindex, const char *name, bool gso)
{
	struct made made = {};
	int err = nl_ask(nl, link_request(nl, RTM_GETLINK, 0, ifindex, 0, 0), RTM_NEWLINK, take_made, &made);

	if (!err && (made.group & NL_LINK_GROUP_MASK) == NL_LINK_GROUP)
		err = nl_link_group_set(nl, ifindex, 0);
	if (err || !made.peer || made.elsewhere)
		return err;
	err = raise_peer(nl, made.peer);
	return err ? err : nl_link_offload(nl, name, gso);
}

int nl_link_change(struct nl *nl, uint32_t ifindex, uint32_t mtu, bool gso)
{
	struct nlmsghdr *nlh = link_request(nl, RTM_NEWLINK, 0, ifindex, 0, 0);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_GSO_MAX_SEGS, gso ? GSO_SEGS : 1);
	return nl_ask(nl, nlh, NLMSG_ERROR, NULL, NULL);
}

int nl_link_delete(struct nl *nl, uint32_t ifindex)
{
	return nl_ask(nl, link_request(nl, RTM_DELLINK, 0, ifindex, 0, 0), NLMSG_ERROR, NULL, NULL);
}
