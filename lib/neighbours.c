// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "neighbours.h"

#include <errno.h>

#include "netns.h"

struct query {
	struct neighbours_hook *hooks;
	size_t n;
};

static int query_all(void *arg)
{
	struct query *q = arg;

	for (size_t i = 0; i < q->n; i++) {
		int err = nl_tcx_query(q->hooks[i].ifindex, q->hooks[i].dir, &q->hooks[i].tcx);

		if (err)
			q->hooks[i].tcx.n = 0;
		if (err == -EOPNOTSUPP || err == -EPERM)
			break; /* the same for all */
	}
	return 0;
}

void neighbours_tcx(int netns_fd, struct neighbours_hook *hooks, size_t n)
{
	struct query q = { hooks, n };

	for (size_t i = 0; i < n; i++)
		hooks[i].tcx.n = 0;
	if (n)
		netns_run(netns_fd, query_all, &q);
}
