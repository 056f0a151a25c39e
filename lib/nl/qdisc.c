// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Qdiscs: what sits where. Changes are in nl/run.c. */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nl/internal.h"
#include "util.h"

_Static_assert(NL_HANDLE_CLSACT == TC_H_MAKE(TC_H_CLSACT, 0), "clsact handle");

/* A qdisc dump carries no sign of having been interrupted: two must agree. */
#define QDISC_TRIES 8

struct qdisc_ctx {
	struct nl_qdisc *qdisc;
	int err;
};

static int qdisc_attr(const struct nlattr *attr, void *data)
{
	struct qdisc_ctx *ctx = data;

	switch (mnl_attr_get_type(attr)) {
	case TCA_KIND: ctx->err = nl_attr_str(attr, ctx->qdisc->kind, sizeof(ctx->qdisc->kind)); break;
	case TCA_INGRESS_BLOCK: ctx->err = nl_attr_u32(attr, &ctx->qdisc->ingress_block); break;
	case TCA_EGRESS_BLOCK: ctx->err = nl_attr_u32(attr, &ctx->qdisc->egress_block); break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * RTM_NEWQDISC
 *   struct tcmsg { tcm_ifindex, tcm_handle, tcm_parent, tcm_info: reference count }
 *   TCA_KIND: string
 *   TCA_INGRESS_BLOCK, TCA_EGRESS_BLOCK: u32
 */
int nl_qdisc_decode(const struct nlmsghdr *nlh, struct nl_qdisc *ret_qdisc)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct nl_qdisc qdisc = { 0 };
	struct qdisc_ctx ctx = { .qdisc = &qdisc };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm) || tcm->tcm_ifindex <= 0)
		return -EBADMSG;
	qdisc.ifindex = (uint32_t)tcm->tcm_ifindex;
	qdisc.parent = tcm->tcm_parent;
	qdisc.handle = tcm->tcm_handle;
	if (mnl_attr_parse(nlh, sizeof(*tcm), qdisc_attr, &ctx) < 0 || !qdisc.kind[0])
		return -EBADMSG;
	*ret_qdisc = qdisc;
	return 0;
}

struct qdiscs_ctx {
	struct nl_qdiscs qdiscs;
	uint32_t ifindex;
};

static int qdiscs_add(void *out, const struct nlmsghdr *nlh)
{
	struct qdiscs_ctx *ctx = out;
	struct nl_qdiscs *qdiscs = &ctx->qdiscs;
	struct nl_qdisc qdisc, *items;
	int err;

	err = nl_qdisc_decode(nlh, &qdisc);
	if (err || (ctx->ifindex && qdisc.ifindex != ctx->ifindex))
		return err;
	if (!(qdiscs->n & (qdiscs->n - 1))) {
		items = realloc(qdiscs->items, (qdiscs->n ? qdiscs->n * 2 : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		qdiscs->items = items;
	}
	qdiscs->items[qdiscs->n++] = qdisc;
	return 0;
}

static void qdiscs_reset(void *out)
{
	nl_qdiscs_done(&((struct qdiscs_ctx *)out)->qdiscs);
}

void nl_qdiscs_done(struct nl_qdiscs *qdiscs)
{
	free(qdiscs->items);
	qdiscs->items = NULL;
	qdiscs->n = 0;
}

static int qdisc_cmp(const void *a, const void *b)
{
	const struct nl_qdisc *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return (x->handle > y->handle) - (x->handle < y->handle);
}

static int qdiscs_read(struct nl *nl, uint32_t ifindex, struct nl_qdiscs *ret_qdiscs)
{
	static const struct nl_collector collector = { RTM_NEWQDISC, qdiscs_reset, qdiscs_add };
	struct qdiscs_ctx ctx = { .ifindex = ifindex };
	struct nlmsghdr *nlh;
	struct tcmsg *tcm;
	int err;

	nlh = nl_request(nl, nl->tx, RTM_GETQDISC, 0);
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_ifindex = (int)ifindex; /* the kernel lists all devices whatever this says */
	err = nl_dump(nl, nlh, &collector, &ctx);
	if (err)
		return err;
	if (ctx.qdiscs.n)
		qsort(ctx.qdiscs.items, ctx.qdiscs.n, sizeof(*ctx.qdiscs.items), qdisc_cmp);
	*ret_qdiscs = ctx.qdiscs;
	return 0;
}

int nl_qdiscs_dump(struct nl *nl, uint32_t ifindex, struct nl_qdiscs *ret_qdiscs)
{
	struct nl_qdiscs before = { 0 }, now = { 0 };
	int err = 0;

	for (int try = 0; try < QDISC_TRIES; try++) {
		nl_qdiscs_done(&before);
		before = now;
		now = (struct nl_qdiscs){ 0 };
		err = qdiscs_read(nl, ifindex, &now);
		if (err)
			break;
		if (try && before.n == now.n &&
		    (!now.n || !memcmp(before.items, now.items, now.n * sizeof(*now.items))))
			break;
		if (try)
			nl->stats.dump_retries++;
	}
	nl_qdiscs_done(&before);
	if (err)
		return err;
	/* Where qdiscs keep coming and going the last read is as good as any: every one in it was there. */
	*ret_qdiscs = now;
	return 0;
}

enum nl_clsact nl_qdiscs_clsact(const struct nl_qdiscs *qdiscs, uint32_t ifindex,
				const struct nl_qdisc **ret_qdisc)
{
	size_t lo = 0, hi = qdiscs->n;

	/* First one of the device. */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (qdiscs->items[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < qdiscs->n && qdiscs->items[lo].ifindex == ifindex; lo++) {
		const struct nl_qdisc *q = &qdiscs->items[lo];

		if (q->parent != TC_H_INGRESS)
			continue;
		if (ret_qdisc)
			*ret_qdisc = q;
		return !strcmp(q->kind, "clsact") ? NL_CLSACT_CLSACT : NL_CLSACT_INGRESS;
	}
	return NL_CLSACT_NONE;
}

int nl_clsact_get(struct nl *nl, uint32_t ifindex, enum nl_clsact *ret_what)
{
	struct nl_qdiscs qdiscs;
	int err;

	/* Not by RTM_GETQDISC of the one: older kernels answer that with an event to every listener. */
	err = nl_qdiscs_dump(nl, ifindex, &qdiscs);
	if (err)
		return err;
	*ret_what = nl_qdiscs_clsact(&qdiscs, ifindex, NULL);
	nl_qdiscs_done(&qdiscs);
	return 0;
}
