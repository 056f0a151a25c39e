// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "neighbours.h"

#include <errno.h>

#include "netns.h"

struct query {
	const struct neighbours_hook *hooks;
	size_t n;
	neighbours_fn *fn;
	void *arg;
};

static int query_all(void *arg)
{
	const struct query *q = arg;
	struct nl_tcx tcx;

	for (size_t i = 0; i < q->n; i++) {
		int err = nl_tcx_query(q->hooks[i].ifindex, q->hooks[i].dir, &tcx);

		if (err == -EOPNOTSUPP || err == -EPERM)
			break; /* the same for all */
		if (!err && tcx.n)
			q->fn(q->arg, i, &tcx);
	}
	return 0;
}

void neighbours_tcx(int netns_fd, const struct neighbours_hook *hooks, size_t n, neighbours_fn *fn, void *arg)
{
	struct query q = { hooks, n, fn, arg };

	if (n)
		netns_run(netns_fd, query_all, &q);
}
