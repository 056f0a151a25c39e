// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void model_pipeline_done(struct model_pipeline *p)
{
	for (size_t i = 0; i < p->n_tunnels; i++)
		free(p->tunnels[i].name);
	free(p->tunnels);
	free(p->ruleset_name);
	free(p->order);
	memset(p, 0, sizeof(*p));
}

void model_done(struct model *m)
{
	for (size_t i = 0; i < m->n_pipelines; i++)
		model_pipeline_done(&m->pipelines[i]);
	/* what a copy points to is the spec's */
	for (size_t i = 0; i < m->n_hook_copies; i++)
		free(m->hook_copies[i]);
	free(m->hook_copies);
	free(m->by_device);
	free(m->devices);
	free(m->pipelines);
	free(m->hooks);
	free(m->clsacts);
	free(m->orphans);
	memset(m, 0, sizeof(*m));
}

static int compare_hooks(const void *va, const void *vb)
{
	const struct model_hook *a = va, *b = vb;
	int c = strcmp(a->device, b->device);

	if (c)
		return c;
	return a->dir < b->dir ? -1 : a->dir > b->dir;
}

static int compare_clsacts(const void *va, const void *vb)
{
	const struct model_clsact *a = va, *b = vb;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

void model_sort(struct model *m)
{
	if (m->n_hooks)
		qsort(m->hooks, m->n_hooks, sizeof(*m->hooks), compare_hooks);
	if (m->n_clsacts)
		qsort(m->clsacts, m->n_clsacts, sizeof(*m->clsacts), compare_clsacts);
}

const struct model_clsact *model_clsact_find(const struct model *m, uint32_t ifindex)
{
	const struct model_clsact key = { .ifindex = ifindex };

	if (!m->n_clsacts)
		return NULL;
	return bsearch(&key, m->clsacts, m->n_clsacts, sizeof(key), compare_clsacts);
}

static const char *const dir_names[] = {
	[SPEC_INGRESS] = "ingress",
	[SPEC_EGRESS] = "egress",
};
_Static_assert(ARRAY_SIZE(dir_names) == SPEC_DIR_MAX, "a name for each direction");

const char *model_dir_name(enum spec_dir dir)
{
	return dir < SPEC_DIR_MAX ? dir_names[dir] : "?";
}
