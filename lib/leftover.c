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

int leftovers_in(const struct filters *filters, const struct nl_links *links, const char *owner,
		 struct leftover **ret_items, size_t *ret_n)
{
	struct search s = { .owner = owner };
	int err = 0;

	for (size_t i = 0; i < filters->n && !err; i++) {
		const struct filters_device *d = &filters->devices[i];
		const struct nl_link *link = nl_links_by_index(links, d->ifindex);

		for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX && link && !err; dir++)
			for (size_t k = 0; k < d->of[dir].n && !err; k++)
				err = search_filter(&s, link, &d->of[dir].items[k]);
	}
	if (err) {
		leftovers_done(s.items, s.n);
		return err;
	}
	*ret_items = s.items;
	*ret_n = s.n;
	return 0;
}

int leftovers_find(struct nl *nl, const struct nl_links *links, const char *owner, struct tcctl_diags *diags,
		   struct leftover **ret_items, size_t *ret_n)
{
	struct filters filters = {};
	int err;

	err = filters_read_all(nl, &filters);
	if (!err)
		err = leftovers_in(&filters, links, owner, ret_items, ret_n);
	filters_done(&filters);
	if (err)
		diag_errno(diag_error(diags, NULL, "cannot look for filters without pins: %s", strerror(-err)), err);
	return err;
}

void leftovers_done(struct leftover *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].owner);
	free(items);
}
