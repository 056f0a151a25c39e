// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "filters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static void device_done(struct filters_device *d)
{
	for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX; dir++)
		nl_filters_done(&d->of[dir]);
}

static int device_read(struct nl *nl, const struct nl_qdisc *clsact, struct filters_device *ret)
{
	struct filters_device d = { .ifindex = clsact->ifindex };
	int err = 0;

	for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX && !err; dir++)
		if (!(dir == SPEC_INGRESS ? clsact->ingress_block : clsact->egress_block))
			err = nl_filters_dump(nl, d.ifindex, nl_parent(dir), &d.of[dir]);
	if (err)
		device_done(&d);
	else
		*ret = d;
	return err;
}

int filters_read_all(struct nl *nl, struct filters *ret)
{
	struct nl_qdiscs qdiscs = {};
	struct filters f = {};
	int err;

	err = nl_qdiscs_dump(nl, 0, &qdiscs);
	if (!err)
		f.devices = calloc(qdiscs.n + 1, sizeof(*f.devices));
	if (!err && !f.devices)
		err = -ENOMEM;
	for (size_t i = 0; i < qdiscs.n && !err; i++) {
		const struct nl_qdisc *q = NULL;

		if ((i && qdiscs.items[i - 1].ifindex == qdiscs.items[i].ifindex) ||
		    nl_qdiscs_clsact(&qdiscs, qdiscs.items[i].ifindex, &q) != NL_CLSACT_CLSACT)
			continue;
		err = device_read(nl, q, &f.devices[f.n]);
		if (!err)
			f.n++;
		else if (err == -ENODEV) /* gone at this moment */
			err = 0;
	}
	nl_qdiscs_done(&qdiscs);
	if (err)
		filters_done(&f);
	else
		*ret = f;
	return err;
}

void filters_done(struct filters *f)
{
	for (size_t i = 0; i < f->n; i++)
		device_done(&f->devices[i]);
	free(f->devices);
	*f = (struct filters){};
}

static int compare(const void *va, const void *vb)
{
	const struct filters_device *a = va, *b = vb;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

const struct nl_filters *filters_at(const struct filters *f, uint32_t ifindex, enum spec_dir dir)
{
	const struct filters_device key = { .ifindex = ifindex };
	const struct filters_device *d = f->n ? bsearch(&key, f->devices, f->n, sizeof(key), compare) : NULL;

	return d ? &d->of[dir] : NULL;
}
