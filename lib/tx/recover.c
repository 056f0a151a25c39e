// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tx/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diag.h"
#include "observe.h"
#include "pin.h"
#include "pipeline.h"
#include "util.h"

static const struct state_hook *find_hook(const struct state *s, uint32_t ifindex, uint32_t dir)
{
	for (size_t i = 0; i < s->n_hooks; i++)
		if (s->hooks[i].ifindex == ifindex && s->hooks[i].dir == dir)
			return &s->hooks[i];
	return NULL;
}

/* The parts that a code swap changes. */
static int take_code(struct state_pipeline *to, struct state_pipeline *from)
{
	struct state_slot *slots = to->slots;
	size_t n = to->n_slots;
	char *order = to->order;

	to->slots = from->slots;
	to->n_slots = from->n_slots;
	from->slots = slots;
	from->n_slots = n;
	to->order = from->order;
	from->order = order;
	to->code_digest = from->code_digest;
	to->elf_digest = from->elf_digest;
	to->abi_digest = from->abi_digest;
	to->entry_id = from->entry_id;
	to->odd = from->odd;
	return 0;
}

/* Merge one pipeline that is in both states. */
static int merge_pipeline(int owner_fd, struct state_pipeline *now, struct state_pipeline *next,
			  struct state_pipeline *ret)
{
	struct pipeline p = PIPELINE_INIT;
	uint32_t generation = now->generation, entry = 0;
	bool code = false, data = false;
	int err;

	err = pipeline_open(owner_fd, now->id, &p);
	if (!err) {
		err = pipeline_entry(&p, &entry);
		if (!err)
			err = pipeline_generation_get(&p, &generation);
		code = next->entry_id != now->entry_id && entry == next->entry_id;
		data = next->generation != now->generation && generation == next->generation;
		/* what changed with the programs, or is not there */
		if (next->odd != now->odd || next->generation == now->generation)
			data = code;
		pipeline_close(&p);
	}
	if (err && !pipeline_damaged(err))
		return err;
	err = state_pipeline_copy(data ? next : now, ret);
	if (!err && code != data) {
		struct state_pipeline copy = {};

		err = state_pipeline_copy(code ? next : now, &copy);
		if (!err)
			take_code(ret, &copy);
		state_pipeline_done(&copy);
	}
	/* chunks are made before the intent is written, so those of both are there */
	if (ret->hook_chunks < next->hook_chunks)
		ret->hook_chunks = next->hook_chunks;
	if (ret->rule_chunks < next->rule_chunks)
		ret->rule_chunks = next->rule_chunks;
	if (ret->tunnel_chunks < next->tunnel_chunks)
		ret->tunnel_chunks = next->tunnel_chunks;
	return err;
}

/* 1 yes, 0 no, -errno. */
static int pipeline_there(int owner_fd, uint32_t id)
{
	struct pipeline p = PIPELINE_INIT;
	int err = pipeline_open(owner_fd, id, &p);

	if (err)
		return pipeline_damaged(err) ? 0 : err;
	pipeline_close(&p);
	return 1;
}

static int merge_pipelines(int owner_fd, struct state_record *r, struct state *s)
{
	s->pipelines = calloc(r->now.n_pipelines + r->next.n_pipelines + 1, sizeof(*s->pipelines));
	if (!s->pipelines)
		return -ENOMEM;
	for (size_t i = 0; i < r->now.n_pipelines; i++) {
		struct state_pipeline *now = &r->now.pipelines[i], *next = state_pipeline_find(&r->next, now->id);
		int err = next ? 1 : pipeline_there(owner_fd, now->id);

		/* one that was to go: gone, or still whole */
		if (!err)
			continue;
		if (err < 0)
			return err;
		err = next ? merge_pipeline(owner_fd, now, next, &s->pipelines[s->n_pipelines]) :
			     state_pipeline_copy(now, &s->pipelines[s->n_pipelines]);
		if (err)
			return err;
		s->n_pipelines++;
	}
	for (size_t i = 0; i < r->next.n_pipelines; i++) {
		struct state_pipeline *next = &r->next.pipelines[i];
		int err = state_pipeline_find(&r->now, next->id) ? 0 : pipeline_there(owner_fd, next->id);

		if (!err)
			continue;
		if (err < 0)
			return err;
		err = state_pipeline_copy(next, &s->pipelines[s->n_pipelines]);
		if (err)
			return err;
		s->n_pipelines++;
	}
	return 0;
}

static bool is_there(const char *owner, const struct state *s, const struct state_hook *h, const struct nl_filter *f)
{
	const struct state_pipeline *p = h ? state_pipeline_find(s, h->pipeline) : NULL;
	char name[NL_BPF_NAME_MAX];

	if (!p || !f->key.handle)
		return false;
	observe_filter_name(name, owner, p->id);
	return f->prog_id == p->root_id && f->classid == h->hook_id && !strcmp(f->name, name);
}

static void take_filter(void *arg, size_t i, const struct nl_filter *filter)
{
	if (filter)
		((struct nl_filter *)arg)[i] = *filter;
}

static int merge_hooks(const char *owner, struct nl *nl, struct tcctl_diags *diags, const struct state_record *r,
		       struct state *s)
{
	const size_t max = r->now.n_hooks + r->next.n_hooks;
	_cleanup_free_ struct nl_filter_key *keys = calloc(max + 1, sizeof(*keys));
	_cleanup_free_ struct nl_filter *found = calloc(max + 1, sizeof(*found));
	size_t n = 0;
	int err;

	s->hooks = calloc(max + 1, sizeof(*s->hooks));
	if (!keys || !found || !s->hooks)
		return -ENOMEM;
	for (int side = 0; side < 2; side++) {
		const struct state *from = side ? &r->next : &r->now;

		for (size_t i = 0; i < from->n_hooks; i++) {
			const struct state_hook *h = &from->hooks[i];

			if (side && find_hook(&r->now, h->ifindex, h->dir))
				continue;
			keys[n++] = (struct nl_filter_key){ .ifindex = h->ifindex, .parent = nl_parent(h->dir),
							    .prio = h->prio, .handle = h->handle };
		}
	}
	err = observe_filters(nl, keys, n, diags, take_filter, found);
	for (size_t i = 0; i < n && !err; i++) {
		const uint32_t dir = keys[i].parent == nl_parent(SPEC_INGRESS) ? SPEC_INGRESS : SPEC_EGRESS;
		const struct state_hook *now = find_hook(&r->now, keys[i].ifindex, dir);
		const struct state_hook *next = find_hook(&r->next, keys[i].ifindex, dir);
		const struct state_hook *take = NULL;

		if (is_there(owner, s, next, &found[i]))
			take = next;
		else if (is_there(owner, s, now, &found[i]))
			take = now;
		else if (now && state_pipeline_find(s, now->pipeline) && (next || found[i].key.handle))
			take = now; /* should be there: the plan repairs it */
		if (take)
			s->hooks[s->n_hooks++] = *take;
	}
	return err;
}

/* New pipelines that no hook came to use are left to be removed as orphans. */
static void drop_unused(const struct state_record *r, struct state *s)
{
	for (size_t i = 0; i < s->n_pipelines;) {
		bool used = state_pipeline_find(&r->now, s->pipelines[i].id);

		for (size_t h = 0; h < s->n_hooks && !used; h++)
			used = s->hooks[h].pipeline == s->pipelines[i].id;
		if (used) {
			i++;
			continue;
		}
		state_pipeline_done(&s->pipelines[i]);
		s->pipelines[i] = s->pipelines[--s->n_pipelines];
		memset(&s->pipelines[s->n_pipelines], 0, sizeof(*s->pipelines));
	}
}

static int merge_clsacts(const struct state_record *r, struct state *s)
{
	s->clsacts = calloc(r->now.n_clsacts + r->next.n_clsacts + 1, sizeof(*s->clsacts));
	if (!s->clsacts)
		return -ENOMEM;
	for (size_t i = 0; i < r->now.n_clsacts; i++)
		s->clsacts[s->n_clsacts++] = r->now.clsacts[i];
	for (size_t i = 0; i < r->next.n_clsacts; i++)
		if (!state_clsact_find(&r->now, r->next.clsacts[i].ifindex))
			s->clsacts[s->n_clsacts++] = r->next.clsacts[i];
	state_clsacts_sort(s);
	return 0;
}

/* An id that either of the two states knows is taken. */
static int merge_tunnels(const struct state_record *r, struct state *s)
{
	struct state added = {};
	struct state_tunnel *tunnels;
	int err;

	err = state_tunnels_copy(&r->now, s);
	if (!err)
		err = state_tunnels_copy(&r->next, &added);
	tunnels = err ? NULL : realloc(s->tunnels, (s->n_tunnels + added.n_tunnels + 1) * sizeof(*tunnels));
	if (!tunnels) {
		state_done(&added);
		return err ? err : -ENOMEM;
	}
	s->tunnels = tunnels;
	for (size_t i = 0; i < added.n_tunnels; i++) {
		struct state_tunnel *t = &added.tunnels[i];
		const struct state_tunnel *was = state_tunnel_find(&r->now, t->name);

		if (was) {
			s->tunnels[was - r->now.tunnels].gone &= t->gone;
			continue;
		}
		s->tunnels[s->n_tunnels++] = *t;
		*t = (struct state_tunnel){};
	}
	state_done(&added);
	state_tunnels_sort(s);
	return 0;
}

/* Those that were to be made may be there, those that were to go, too: looking at them tells. */
static int merge_devices(const struct state_record *r, struct state *s)
{
	s->devices = calloc(r->now.n_devices + r->next.n_devices + 1, sizeof(*s->devices));
	if (!s->devices)
		return -ENOMEM;
	for (size_t i = 0; i < r->now.n_devices; i++)
		s->devices[s->n_devices++] = r->now.devices[i];
	for (size_t i = 0; i < r->next.n_devices; i++)
		if (!state_device_find(&r->now, r->next.devices[i].ifindex, r->next.devices[i].mac))
			s->devices[s->n_devices++] = r->next.devices[i];
	return 0;
}

int recover_state(const char *owner, int owner_fd, struct nl *nl, struct state_record *record,
		  struct tcctl_diags *diags, struct state *ret)
{
	const size_t errors = diags->n_errors;
	struct state s = {};
	int err;

	if (!record->has_next) {
		*ret = record->now;
		memset(&record->now, 0, sizeof(record->now));
		return 0;
	}
	err = merge_pipelines(owner_fd, record, &s);
	if (!err)
		err = merge_hooks(owner, nl, diags, record, &s);
	if (!err)
		err = merge_clsacts(record, &s);
	if (!err)
		err = merge_tunnels(record, &s);
	if (!err)
		err = merge_devices(record, &s);
	if (!err) {
		drop_unused(record, &s);
		s.spec = TAKE_PTR(record->now.spec);
		s.spec_len = record->now.spec_len;
		*ret = s;
	} else {
		state_done(&s);
		if (diags->n_errors == errors)
			diag_errno(diag_error(diags, NULL, "cannot tell how far the interrupted change of '%s' came: %s", owner,
					      strerror(-err)),
				   err);
	}
	state_record_done(record);
	return err;
}

/* Put the tables that wait beside the running ones in place if theirs is the generation that runs, else drop them. */
static int settle(int owner_fd, unsigned int id, const struct state_pipeline *now, const struct state_pipeline *next)
{
	struct pipeline p = PIPELINE_INIT;
	uint32_t entry = 0;
	int err;

	err = pipeline_open(owner_fd, id, &p);
	if (err)
		return pipeline_damaged(err) ? 0 : err; /* the plan replaces a damaged one */
	err = pipeline_entry(&p, &entry);
	if (err) {
		/* nothing is known: nothing is touched */
	} else if (next && (!now || next->entry_id != now->entry_id) && entry == next->entry_id) {
		pipeline_wait();
		err = generation_pin_commit(&p);
	} else {
		generation_pin_drop(&p);
	}
	pipeline_close(&p);
	return err;
}

int recover_pins(int owner_fd, const struct state_record *record)
{
	char **names;
	size_t n;
	int err;

	err = pin_list(owner_fd, &names, &n);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		const struct state_pipeline *now = NULL, *next = NULL;
		unsigned int id;
		char end;

		if (names[i][0] == '~') {
			err = pin_remove(owner_fd, names[i]);
			continue;
		}
		/* Without a record (somebody removed it) filters may run any of them: they go when the hooks have been moved,
		 * as orphans of the plan. */
		if (sscanf(names[i], "p%u%c", &id, &end) != 1 || !record)
			continue;
		now = state_pipeline_find(&record->now, id);
		next = record->has_next ? state_pipeline_find(&record->next, id) : NULL;
		/* one that no record knows cannot be attached: the record is written before the first filter is */
		err = now || next ? settle(owner_fd, id, now, next) : pin_tree_remove(owner_fd, names[i]);
	}
	pin_list_free(names, n);
	return err;
}
