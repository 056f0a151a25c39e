// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "nl/route.h"
#include "tx/tunnels.h"
#include "util.h"

/* Not of one that is removed. */
static const struct model_device *wanted(const struct tx *tx, const struct plan_device *pd)
{
	return &tx->s->want.devices[pd->want];
}

static struct nl_link_gone to_go(const struct tx *tx, const struct model_device *d)
{
	const struct nl_link *link = nl_links_by_index(&tx->s->links, d->ifindex);
	struct nl_link_gone gone = { .ifindex = d->ifindex, .group = link ? link->group : 0 };

	memcpy(gone.mac, d->mac, sizeof(gone.mac));
	return gone;
}

/* All that were made. */
static int undo_make(void *ctx, size_t arg)
{
	const struct tx *tx = ctx;
	_cleanup_free_ struct nl_link_gone *gone = calloc(tx->devices_done + 1, sizeof(*gone));
	size_t n = 0;

	if (!gone)
		return -ENOMEM;
	for (size_t k = 0; k < tx->devices_done; k++)
		if (tx->s->plan->devices[k].op == PLAN_ADD)
			gone[n++] = to_go(tx, wanted(tx, &tx->s->plan->devices[k]));
	return nl_links_delete(tx->s->t->nl, gone, n);
}

static int change(const struct tx *tx, const struct model_device *from, const struct model_device *to)
{
	int err = nl_link_change(tx->s->t->nl, to->ifindex, to->mtu, to->gso);

	if (!err && from->gso != to->gso)
		err = nl_link_offload(tx->s->t->nl, to->name, to->gso);
	return err;
}

static int undo_change(void *ctx, size_t k)
{
	const struct tx *tx = ctx;
	const struct model_device *had = &tx->s->have.devices[tx->s->plan->devices[k].have];
	int err = change(tx, wanted(tx, &tx->s->plan->devices[k]), had);

	return err == -ENODEV ? 0 : err;
}

static void failed(struct tx *tx, const struct model_device *d, const char *what, int err)
{
	const struct spec_tunnel *t = &tx->s->spec->tunnels[d->tunnel];
	struct diag *g = diag_error(tx->s->diags, &t->loc, "tunnel %s: cannot %s device %s: %s", t->name,
				    what, d->name, strerror(-err));

	if (err == -EBUSY || err == -EEXIST)
		diag_hint(g, "another device was made in the same moment; try again");
	else if (err == -EOPNOTSUPP)
		diag_hint(
			g,
			d->gso ? "this kernel has neither dummy nor veth devices; make one yourself and name it in "
				 "`device:`" :
				 "this kernel has no veth devices, which it takes to cut aggregates");
	if (nl_extack(tx->s->t->nl)[0])
		diag_detail(g, nl_extack(tx->s->t->nl));
	diag_errno(diag_device(g, "%s", d->name), err);
}

int tx_devices_commit(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	bool made = false;
	int err = 0;

	for (size_t k = 0; k < plan->n_devices && !err; k++) {
		const struct model_device *d;

		if (plan->devices[k].op == PLAN_REMOVE)
			continue;
		d = wanted(tx, &plan->devices[k]);
		if (plan->devices[k].op != PLAN_ADD && tx->s->interrupted) {
			err = nl_link_finish(tx->s->t->nl, d->ifindex, d->name, d->gso);
			if (err) {
				failed(tx, d, "set up", err);
				break;
			}
		}
		if (plan->devices[k].op == PLAN_ADD) {
			const struct nl_link_want want = { .name = d->name,
							   .ifindex = d->ifindex,
							   .peer = d->peer,
							   .peer_name = d->peer_name,
							   .mtu = d->mtu,
							   .arp = d->arp,
							   .gso = d->gso,
							   .mac = { d->mac[0], d->mac[1], d->mac[2],
								    d->mac[3], d->mac[4], d->mac[5] } };

			err = nl_link_make(tx->s->t->nl, &want);
			if (err)
				failed(tx, d, "create", err);
			else if (!made)
				undo_push(&tx->undo, undo_make, 0);
			made |= !err;
		} else if (plan->devices[k].op == PLAN_REPLACE) {
			err = change(tx, &tx->s->have.devices[plan->devices[k].have], d);
			if (err)
				failed(tx, d, "change", err);
			else
				undo_push(&tx->undo, undo_change, k);
		}
		if (!err)
			tx->devices_done = k + 1;
	}
	return err;
}

int tx_devices_settle(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	_cleanup_free_ struct nl_link_gone *gone = calloc(plan->n_devices + 1, sizeof(*gone));
	_cleanup_free_ const struct model_device **which = calloc(plan->n_devices + 1, sizeof(*which));
	bool named = false;
	size_t n = 0;
	int err;

	if (!gone || !which)
		return -ENOMEM;
	for (size_t k = 0; k < plan->n_devices; k++)
		if (plan->devices[k].op == PLAN_REMOVE) {
			which[n] = &tx->s->have.devices[plan->devices[k].have];
			gone[n] = to_go(tx, which[n]);
			n++;
		}
	err = nl_links_delete(tx->s->t->nl, gone, n);
	for (size_t i = 0; i < n && err; i++)
		if (gone[i].err) {
			diag_errno(diag_device(diag_error(tx->s->diags, NULL, "cannot remove device %s: %s",
							  which[i]->name, strerror(-gone[i].err)),
					       "%s", which[i]->name),
				   gone[i].err);
			named = true;
		}
	if (err && !named)
		diag_errno(diag_error(tx->s->diags, NULL, "cannot remove the devices of tunnels: %s", strerror(-err)),
			   err);
	return err;
}

int tx_devices_next(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;

	tx->next.devices = calloc(plan->n_devices + 1, sizeof(*tx->next.devices));
	if (!tx->next.devices)
		return -ENOMEM;
	for (size_t k = 0; k < plan->n_devices; k++) {
		struct state_device *s = &tx->next.devices[tx->next.n_devices];
		const struct model_device *d;

		if (plan->devices[k].op == PLAN_REMOVE)
			continue;
		d = wanted(tx, &plan->devices[k]);
		s->ifindex = d->ifindex;
		memcpy(s->name, d->name, sizeof(s->name));
		memcpy(s->mac, d->mac, sizeof(s->mac));
		tx->next.n_devices++;
	}
	return 0;
}
