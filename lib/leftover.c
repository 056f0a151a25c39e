// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "leftover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"
#include "util.h"

#define NAME_PREFIX "tcctl:"

struct search {
	const char *owner;
	struct leftover *items;
	size_t n;
};

/* The owner in "tcctl:<owner>/p<N>", or NULL. */
static char *name_owner(const char *name)
{
	const char *slash = strrchr(name, '/');
	unsigned int id;
	char end;

	if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) || !slash || slash <= name + strlen(NAME_PREFIX) ||
	    sscanf(slash, "/p%u%c", &id, &end) != 1)
		return NULL;
	return strndup(name + strlen(NAME_PREFIX), slash - name - strlen(NAME_PREFIX));
}

static int search_filter(struct search *s, const struct nl_link *link, const struct nl_filter *f)
{
	_cleanup_free_ char *owner = strcmp(f->kind, "bpf") || f->chain ? NULL : name_owner(f->name);
	struct leftover *items;

	if (!owner || (s->owner && strcmp(owner, s->owner)))
		return 0;
	items = realloc(s->items, (s->n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	s->items = items;
	items += s->n++;
	*items = (struct leftover){ .key = f->key, .owner = TAKE_PTR(owner), .prog_id = f->prog_id,
				    .classid = f->classid };
	snprintf(items->device, sizeof(items->device), "%s", link->name);
	snprintf(items->name, sizeof(items->name), "%s", f->name);
	return 0;
}

static int search_device(struct search *s, struct nl *nl, const struct nl_link *link)
{
	int err = 0;

	for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX && !err; dir++) {
		struct nl_filters filters = {};

		err = nl_filters_dump(nl, link->ifindex, nl_parent(dir), &filters);
		if (err == -ENODEV) /* gone at this moment */
			return 0;
		for (size_t i = 0; i < filters.n && !err; i++)
			err = search_filter(s, link, &filters.items[i]);
		nl_filters_done(&filters);
	}
	return err;
}

int leftovers_find(struct nl *nl, const struct nl_links *links, const char *owner, struct tcctl_diags *diags,
		   struct leftover **ret_items, size_t *ret_n)
{
	struct search s = { .owner = owner };
	struct nl_qdiscs qdiscs = {};
	int err;

	err = nl_qdiscs_dump(nl, 0, &qdiscs);
	for (size_t i = 0; i < links->n && !err; i++) {
		const struct nl_qdisc *q = NULL;

		if (nl_qdiscs_clsact(&qdiscs, links->items[i].ifindex, &q) == NL_CLSACT_CLSACT && !q->ingress_block &&
		    !q->egress_block)
			err = search_device(&s, nl, &links->items[i]);
	}
	nl_qdiscs_done(&qdiscs);
	if (err) {
		diag_errno(diag_error(diags, NULL, "cannot look for filters without pins: %s", strerror(-err)), err);
		leftovers_done(s.items, s.n);
		return err;
	}
	*ret_items = s.items;
	*ret_n = s.n;
	return 0;
}

void leftovers_done(struct leftover *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].owner);
	free(items);
}
