// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Filters: reading. Changes are in nl/run.c. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nl/internal.h"
#include "util.h"

_Static_assert(NL_PARENT_INGRESS == TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "ingress parent");
_Static_assert(NL_PARENT_EGRESS == TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), "egress parent");

/* Under churn 3 of 10 dumps miss a filter that is always there (seen on 6.18), and none of them says so. */
#define FILTER_TRIES 8

struct filter_ctx {
	struct nl_filter *filter;
	bool has_options;
	int err;
};

static int bpf_attr(const struct nlattr *attr, void *data)
{
	struct filter_ctx *ctx = data;
	struct nl_filter *f = ctx->filter;
	uint32_t v = 0;

	switch (mnl_attr_get_type(attr)) {
	case TCA_BPF_NAME: ctx->err = nl_attr_str(attr, f->name, sizeof(f->name)); break;
	case TCA_BPF_ID: ctx->err = nl_attr_u32(attr, &f->prog_id); break;
	case TCA_BPF_CLASSID: ctx->err = nl_attr_u32(attr, &f->classid); break;
	case TCA_BPF_TAG:
		if (mnl_attr_get_payload_len(attr) != sizeof(f->tag))
			ctx->err = -EBADMSG;
		else
			memcpy(f->tag, mnl_attr_get_payload(attr), sizeof(f->tag));
		break;
	case TCA_BPF_FLAGS:
		ctx->err = nl_attr_u32(attr, &v);
		f->flags |= v & TCA_BPF_FLAG_ACT_DIRECT ? NL_BPF_DIRECT_ACTION : 0;
		break;
	case TCA_BPF_FLAGS_GEN:
		ctx->err = nl_attr_u32(attr, &v);
		f->flags |= (v & TCA_CLS_FLAGS_SKIP_HW ? NL_BPF_SKIP_HW : 0) |
			    (v & TCA_CLS_FLAGS_SKIP_SW ? NL_BPF_SKIP_SW : 0) |
			    (v & TCA_CLS_FLAGS_IN_HW ? NL_BPF_IN_HW : 0) |
			    (v & TCA_CLS_FLAGS_NOT_IN_HW ? NL_BPF_NOT_IN_HW : 0);
		break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

static int filter_kind_attr(const struct nlattr *attr, void *data)
{
	struct filter_ctx *ctx = data;

	switch (mnl_attr_get_type(attr)) {
	case TCA_KIND: ctx->err = nl_attr_str(attr, ctx->filter->kind, sizeof(ctx->filter->kind)); break;
	case TCA_CHAIN: ctx->err = nl_attr_u32(attr, &ctx->filter->chain); break;
	}
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

static int filter_options_attr(const struct nlattr *attr, void *data)
{
	struct filter_ctx *ctx = data;

	if (mnl_attr_get_type(attr) == TCA_OPTIONS && mnl_attr_parse_nested(attr, bpf_attr, ctx) < 0 &&
	    !ctx->err)
		ctx->err = -EBADMSG;
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * RTM_NEWTFILTER
 *   struct tcmsg { tcm_ifindex, tcm_parent, tcm_handle, tcm_info: prio << 16 | protocol (network order) }
 *   TCA_KIND: string
 *   TCA_CHAIN: u32
 *   TCA_OPTIONS               kind "bpf"; others' are not read
 *     TCA_BPF_NAME: string
 *     TCA_BPF_ID, TCA_BPF_CLASSID, TCA_BPF_FLAGS, TCA_BPF_FLAGS_GEN: u32
 *     TCA_BPF_TAG: 8 bytes
 *
 * On a shared block tcm_ifindex is 0xffffffff and tcm_parent the block; a request for a device's own parent gets
 * these back, and the caller knows whom it asked.
 */
int nl_filter_decode(const struct nlmsghdr *nlh, struct nl_filter *ret_filter)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct nl_filter filter = { 0 };
	struct filter_ctx ctx = { .filter = &filter };

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*tcm))
		return -EBADMSG;
	filter.key.ifindex = (uint32_t)tcm->tcm_ifindex;
	filter.key.parent = tcm->tcm_parent;
	filter.key.handle = tcm->tcm_handle;
	filter.key.prio = tcm->tcm_info >> 16;
	filter.protocol = ntohs((uint16_t)(tcm->tcm_info & 0xffff));
	if (mnl_attr_parse(nlh, sizeof(*tcm), filter_kind_attr, &ctx) < 0 || !filter.kind[0])
		return -EBADMSG;
	if (!strcmp(filter.kind, "bpf") && mnl_attr_parse(nlh, sizeof(*tcm), filter_options_attr, &ctx) < 0)
		return -EBADMSG;
	*ret_filter = filter;
	return 0;
}

struct filters_ctx {
	struct nl_filters filters;
	uint32_t ifindex, parent;
};

static int filters_push(struct nl_filters *filters, const struct nl_filter *f)
{
	struct nl_filter *items;

	if (!(filters->n & (filters->n - 1))) {
		items = realloc(filters->items, (filters->n ? filters->n * 2 : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		filters->items = items;
	}
	filters->items[filters->n++] = *f;
	return 0;
}

static int filters_add(void *out, const struct nlmsghdr *nlh)
{
	struct filters_ctx *ctx = out;
	struct nl_filter f;
	int err;

	err = nl_filter_decode(nlh, &f);
	if (err)
		return err;
	f.key.ifindex = ctx->ifindex;
	f.key.parent = ctx->parent;
	return filters_push(&ctx->filters, &f);
}

static void filters_reset(void *out)
{
	nl_filters_done(&((struct filters_ctx *)out)->filters);
}

void nl_filters_done(struct nl_filters *filters)
{
	free(filters->items);
	filters->items = NULL;
	filters->n = 0;
}

/* A filter and its place in the dump. */
struct place {
	const struct nl_filter *filter;
	size_t ordinal;
};

/* By where they run: chain, then prio. One prio has one protocol, except across a change. */
static int run_cmp(const struct nl_filter *x, const struct nl_filter *y)
{
	if (x->chain != y->chain)
		return x->chain < y->chain ? -1 : 1;
	if (x->key.prio != y->key.prio)
		return x->key.prio < y->key.prio ? -1 : 1;
	return 0;
}

static int ordinal_cmp(const struct place *p, const struct place *q)
{
	return (p->ordinal > q->ordinal) - (p->ordinal < q->ordinal);
}

static int place_run_cmp(const void *a, const void *b)
{
	const struct place *p = a, *q = b;
	int c = run_cmp(p->filter, q->filter);

	return c ? c : ordinal_cmp(p, q);
}

/* Does this line stand for no filter? Each prio is introduced by one with handle 0, and u32 lists its hash tables. */
static bool is_introduction(const struct nl_filter *f)
{
	return !f->key.handle || (!strcmp(f->kind, "u32") && !(f->key.handle & 0xfff));
}

static int identity_cmp(const struct nl_filter *x, const struct nl_filter *y)
{
	int c = run_cmp(x, y);

	if (c)
		return c;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	/* Introductions last, after the filters that they introduce. */
	if (is_introduction(x) != is_introduction(y))
		return is_introduction(x) ? 1 : -1;
	if (x->key.handle != y->key.handle)
		return x->key.handle < y->key.handle ? -1 : 1;
	return 0;
}

static int place_identity_cmp(const void *a, const void *b)
{
	const struct place *p = a, *q = b;
	int c = identity_cmp(p->filter, q->filter);

	return c ? c : ordinal_cmp(p, q);
}

int nl_filters_canonical(struct nl_filters *filters)
{
	_cleanup_free_ struct place *places = NULL;
	struct nl_filter *items;
	size_t n = 0;

	if (!filters->n)
		return 0;
	places = malloc(filters->n * sizeof(*places));
	items = malloc(filters->n * sizeof(*items));
	if (!places || !items) {
		free(items);
		return -ENOMEM;
	}
	for (size_t i = 0; i < filters->n; i++)
		places[i] = (struct place){ &filters->items[i], i };

	/* An inconsistent dump repeats filters. An introduction stays only where it comes alone, as the one sign of a
	 * filter without a handle (`fw` in its classic form). */
	qsort(places, filters->n, sizeof(*places), place_identity_cmp);
	for (size_t i = 0; i < filters->n; i++) {
		const struct nl_filter *f = places[i].filter, *last = n ? places[n - 1].filter : NULL;

		if (last && !run_cmp(last, f) && last->protocol == f->protocol &&
		    (is_introduction(f) || last->key.handle == f->key.handle))
			continue;
		places[n++] = places[i];
	}
	qsort(places, n, sizeof(*places), place_run_cmp);
	for (size_t i = 0; i < n; i++)
		items[i] = *places[i].filter;
	free(filters->items);
	filters->items = items;
	filters->n = n;
	return 0;
}

static int filters_read(struct nl *nl, uint32_t ifindex, uint32_t parent, struct nl_filters *ret_filters)
{
	static const struct nl_collector collector = { RTM_NEWTFILTER, filters_reset, filters_add };
	struct filters_ctx ctx = { .ifindex = ifindex, .parent = parent };
	struct nlmsghdr *nlh;
	struct tcmsg *tcm;
	int err;

	nlh = nl_request(nl, nl->tx, RTM_GETTFILTER, 0);
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = parent;
	err = nl_dump(nl, nlh, &collector, &ctx);
	if (err)
		return err;
	err = nl_filters_canonical(&ctx.filters);
	if (err)
		nl_filters_done(&ctx.filters);
	else
		*ret_filters = ctx.filters;
	return err;
}

static bool filters_equal(const struct nl_filters *a, const struct nl_filters *b)
{
	return a->n == b->n && (!a->n || !memcmp(a->items, b->items, a->n * sizeof(*a->items)));
}

int nl_filters_dump(struct nl *nl, uint32_t ifindex, uint32_t parent, struct nl_filters *ret_filters)
{
	struct nl_filters all = { 0 }, before = { 0 }, now = { 0 };
	int err = 0;

	for (int try = 0; try < FILTER_TRIES; try++) {
		nl_filters_done(&before);
		before = now;
		now = (struct nl_filters){ 0 };
		err = filters_read(nl, ifindex, parent, &now);
		if (err)
			break;
		if (try && filters_equal(&before, &now)) {
			now.stable = true;
			break;
		}
		if (try)
			nl->stats.dump_retries++;
		for (size_t i = 0; i < now.n && !err; i++)
			err = filters_push(&all, &now.items[i]);
		if (err)
			break;
	}
	nl_filters_done(&before);
	if (!err && !now.stable)
		err = nl_filters_canonical(&all);
	if (err || !now.stable)
		nl_filters_done(&now);
	if (err || now.stable)
		nl_filters_done(&all);
	if (!err)
		*ret_filters = now.stable ? now : all;
	return err;
}
