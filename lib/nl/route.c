// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Which way a packet would go. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "nl/internal.h"
#include "nl/route.h"

struct route_ctx {
	struct nl_route *route;
	int err;
};

static int metric_attr(const struct nlattr *attr, void *data)
{
	struct route_ctx *ctx = data;

	if (mnl_attr_get_type(attr) == RTAX_MTU)
		ctx->err = nl_attr_u32(attr, &ctx->route->mtu);
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

static int route_attr(const struct nlattr *attr, void *data)
{
	struct route_ctx *ctx = data;

	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF: ctx->err = nl_attr_u32(attr, &ctx->route->ifindex); break;
	case RTA_METRICS:
		if (mnl_attr_parse_nested(attr, metric_attr, ctx) < 0 && !ctx->err)
			ctx->err = -EBADMSG;
		break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * RTM_NEWROUTE
 *   struct rtmsg
 *   RTA_OIF: u32
 *   RTA_METRICS
 *     RTAX_MTU: u32
 */
static int take_route(void *arg, const struct nlmsghdr *nlh)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct nl_route route = {};
	struct route_ctx ctx = { .route = &route };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return -EBADMSG;
	route.local = rtm->rtm_type == RTN_LOCAL;
	if (mnl_attr_parse(nlh, sizeof(*rtm), route_attr, &ctx) < 0)
		return ctx.err ? ctx.err : -EBADMSG;
	*(struct nl_route *)arg = route;
	return 0;
}

int nl_route_get(struct nl *nl, uint8_t family, const uint8_t *to, uint32_t ifindex, uint32_t mark,
		 struct nl_route *ret)
{
	struct nlmsghdr *nlh = nl_request(nl, nl->tx, RTM_GETROUTE, 0);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	const size_t len = family == 4 ? 4 : 16;

	rtm->rtm_family = family == 4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = (uint8_t)(len * 8);
	mnl_attr_put(nlh, RTA_DST, len, to);
	if (ifindex)
		mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	if (mark)
		mnl_attr_put_u32(nlh, RTA_MARK, mark);
	return nl_ask(nl, nlh, RTM_NEWROUTE, take_route, ret);
}
