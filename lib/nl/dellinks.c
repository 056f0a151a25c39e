// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Removing many devices at once. The kernel lets go of a device only after several RCU grace periods, some 20 ms for each
 * request, and one request can name many by their group: they are put into one that nobody uses, and looked at there.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "nl/internal.h"
#include "nl/route.h"
#include "util.h"

/* Fewer are removed one by one. */
#define GROUP_LEAST 3
#define GROUP_TRIES 4

enum place {
	PLACE_UNKNOWN, /* there, as far as we know */
	PLACE_GROUP,   /* seen in the group */
	PLACE_GONE,    /* or the number is another device's now */
};

/*
 * RTM_SETLINK, RTM_DELLINK
 *   struct ifinfomsg { ifi_index, 0: all of the group }
 *   IFLA_GROUP: u32
 */
static struct nlmsghdr *put_group(struct nl *nl, void *at, uint16_t type, uint16_t flags, uint32_t ifindex,
				  uint32_t group)
{
	struct nlmsghdr *nlh = nl_request(nl, at, type, flags);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	mnl_attr_put_u32(nlh, IFLA_GROUP, group);
	return nlh;
}

int nl_link_group_set(struct nl *nl, uint32_t ifindex, uint32_t group)
{
	return nl_ask(nl, put_group(nl, nl->tx, RTM_SETLINK, NLM_F_ACK, ifindex, group), NLMSG_ERROR, NULL,
		      NULL);
}

/* No answer is waited for: what became of it is looked at afterwards. */
static int join(struct nl *nl, const struct nl_link_gone *links, const enum place *places, size_t n,
		uint32_t group)
{
	size_t len = 0;
	int err = 0;

	for (size_t i = 0; i <= n && !err; i++) {
		if (i < n && places[i] != PLACE_GONE)
			len += MNL_ALIGN(put_group(nl, nl->tx + len, RTM_SETLINK, 0, links[i].ifindex, group)
						 ->nlmsg_len);
		if (len && (i == n || sizeof(nl->tx) - len < NL_REQUEST_MAX)) {
			err = nl_send(nl, nl->tx, len);
			len = 0;
		}
	}
	return err;
}

/* Who is in the group? -EEXIST: one that is not ours. */
static int look(struct nl *nl, const struct nl_link_gone *links, enum place *places, size_t n, uint32_t group)
{
	struct nl_links all;
	size_t members = 0;
	int err = nl_links_dump(nl, &all);

	if (err)
		return err;
	for (size_t i = 0; i < all.n; i++)
		members += all.items[i].group == group;
	for (size_t i = 0; i < n; i++) {
		const struct nl_link *link = nl_links_by_index(&all, links[i].ifindex);
		const bool joined = link && link->group == group;

		if (link && link->mac_len == sizeof(links[i].mac) &&
		    !memcmp(link->mac, links[i].mac, link->mac_len)) {
			places[i] = joined ? PLACE_GROUP : PLACE_UNKNOWN;
			members -= joined;
			continue;
		}
		/* somebody made it in this moment: it goes where new devices are */
		if (joined && places[i] != PLACE_GONE)
			(void)nl_link_group_set(nl, links[i].ifindex, 0);
		places[i] = PLACE_GONE;
	}
	nl_links_done(&all);
	return members ? -EEXIST : 0;
}

static void delete_group(struct nl *nl, const struct nl_link_gone *links, enum place *places, size_t n)
{
	int err = -EEXIST;

	for (int try = 0; try < GROUP_TRIES && err == -EEXIST; try++) {
		uint32_t group = NL_LINK_GROUP;
		uint16_t any;

		if (getrandom(&any, sizeof(any), 0) != sizeof(any))
			return;
		group |= any;
		err = join(nl, links, places, n, group);
		if (!err)
			err = look(nl, links, places, n, group);
		if (!err)
			err = nl_ask(nl, put_group(nl, nl->tx, RTM_DELLINK, NLM_F_ACK, 0, group), NLMSG_ERROR,
				     NULL, NULL);
	}
	/* -ENODEV: nobody is in it (any more: the answer before was lost) */
	for (size_t i = 0; i < n && (!err || err == -ENODEV); i++)
		if (places[i] == PLACE_GROUP)
			places[i] = PLACE_GONE;
}

int nl_links_delete(struct nl *nl, struct nl_link_gone *links, size_t n)
{
	_cleanup_free_ enum place *places = calloc(n + 1, sizeof(*places));
	int err = 0;

	if (!places)
		return -ENOMEM;
	if (n >= GROUP_LEAST)
		delete_group(nl, links, places, n);
	for (size_t i = 0; i < n; i++) {
		links[i].err = places[i] == PLACE_GONE ? 0 : nl_link_delete(nl, links[i].ifindex);
		if (links[i].err == -ENODEV)
			links[i].err = 0;
		if (!links[i].err)
			continue;
		err = err ? err : links[i].err;
		if (n >= GROUP_LEAST)
			(void)nl_link_group_set(nl, links[i].ifindex, links[i].group);
	}
	return err;
}
