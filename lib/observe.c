// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "observe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "leftover.h"
#include "object.h"
#include "pin.h"
#include "pipeline.h"
#include "util.h"

void observe_filter_name(char name[NL_BPF_NAME_MAX], const char *owner, unsigned int pipeline)
{
	snprintf(name, NL_BPF_NAME_MAX, "tcctl:%s/p%u", owner, pipeline);
}

struct reading {
	observe_filter_fn *fn;
	void *arg;
	size_t bad;
	int err;
};

static void take_filter(void *arg, size_t i, int err, const struct nl_filter *filter)
{
	struct reading *r = arg;

	/* no filter, no clsact; no device; a clsact with a shared block, which has no filters by device */
	if (!err || err == -ENOENT || err == -ENODEV || err == -EOPNOTSUPP) {
		r->fn(r->arg, i, filter);
	} else if (!r->err) {
		r->err = err;
		r->bad = i;
	}
}

int observe_filters(struct nl *nl, const struct nl_filter_key *keys, size_t n, struct tcctl_diags *diags,
		    observe_filter_fn *fn, void *arg)
{
	struct reading r = { .fn = fn, .arg = arg };
	int err = nl_filters_get(nl, keys, n, take_filter, &r);
	struct diag *g;

	if (!err && !r.err)
		return 0;
	g = diag_error(diags, NULL, "cannot read filters: %s", strerror(err ? -err : -r.err));
	diag_errno(g, err ? err : r.err);
	if (!err)
		diag_object(g, "device %u filter prio %u handle 0x%x", keys[r.bad].ifindex, keys[r.bad].prio,
			    keys[r.bad].handle);
	return err ? err : r.err;
}

/* --- pipelines -------------------------------------------------------------------------------------------- */

/* 1: all there, 0: not, -errno. */
static int tables_pinned(const struct pipeline *p)
{
	static const char *const names[] = { "jt_l3", "jt_l4", "jt_udp", "jt_stage" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_close_ int fd = pin_get(p->globals_fd, names[i]);

		if (fd < 0)
			return pipeline_damaged(fd) ? 0 : fd;
	}
	return 1;
}

/* Is it as it was recorded? What cannot be read is an error: taken for a difference it would make an apply that has
 * nothing to do load everything again. */
static int compare(const struct state_pipeline *s, struct tcctl_diags *diags, const struct pipeline *p,
		   struct model_pipeline *m)
{
	uint32_t generation = 0, entry = 0;
	uint64_t abi;
	int err, pinned;

	m->usable = p->root_id == s->root_id;
	/* loaded from another build: may that one's root and lasting maps stay? */
	if (m->usable && s->elf_digest != object_builtin_digest()) {
		err = pipeline_abi_digest(diags, &abi);
		if (err)
			return err;
		m->usable = abi == s->abi_digest;
	}
	err = pipeline_entry(p, &entry);
	pinned = err ? err : tables_pinned(p);
	if (pinned >= 0)
		err = pipeline_generation_get(p, &generation);
	if (err || pinned < 0)
		return err ? err : pinned;
	/* somebody wrote to our maps, or took pins away: load again */
	if (entry != s->entry_id || !pinned)
		m->code_digest = 0;
	if (generation != s->generation)
		m->data_digest = ~m->data_digest;
	return 0;
}

/* Names by id; tunnels of a pipeline are in the order of the state's. */
static int observe_tunnels(const struct state *state, const struct state_pipeline *s, struct model_pipeline *m)
{
	m->tunnels = calloc(s->n_tunnels + 1, sizeof(*m->tunnels));
	if (!m->tunnels)
		return -ENOMEM;
	for (size_t i = 0, k = 0; i < state->n_tunnels && k < s->n_tunnels; i++) {
		if (state->tunnels[i].id != s->tunnels[k].id)
			continue;
		m->tunnels[k] = (struct model_tunnel){ .name = strdup(state->tunnels[i].name), .tunnel = SPEC_NONE,
						       .digest = s->tunnels[k].digest };
		if (!m->tunnels[k].name)
			return -ENOMEM;
		m->n_tunnels = ++k;
	}
	return 0;
}

static int observe_pipeline(const struct observe_input *in, const struct state_pipeline *s, struct tcctl_diags *diags,
			    struct model_pipeline *ret)
{
	struct model_pipeline m = {
		.id = s->id, .link = s->link, .code_digest = s->code_digest, .data_digest = s->data_digest,
		.rules_digest = s->rules_digest,
		.ruleset = SPEC_NONE,
	};
	struct pipeline p = PIPELINE_INIT;
	int err;

	m.order = strdup(s->order);
	m.ruleset_name = s->ruleset ? strdup(s->ruleset) : NULL;
	if (!m.order || (s->ruleset && !m.ruleset_name) || observe_tunnels(in->state, s, &m)) {
		model_pipeline_done(&m);
		return -ENOMEM;
	}
	err = pipeline_open(in->owner_fd, s->id, &p);
	if (!err) {
		err = compare(s, diags, &p, &m);
		pipeline_close(&p);
	} else if (pipeline_damaged(err)) {
		err = 0; /* not usable */
	}
	if (err) {
		diag_errno(diag_object(diag_error(diags, NULL, "cannot read the pins of a pipeline: %s", strerror(-err)), "p%u",
				       s->id),
			   err);
		model_pipeline_done(&m);
		return err;
	}
	*ret = m;
	return 0;
}

/* --- hooks ------------------------------------------------------------------------------------------------ */

static int add_hooks(const struct observe_input *in, struct model *m)
{
	const size_t n_state = in->state ? in->state->n_hooks : 0, n_want = in->want ? in->want->n_hooks : 0;

	m->hooks = calloc(n_state + n_want + 1, sizeof(*m->hooks));
	if (!m->hooks)
		return -ENOMEM;
	for (size_t i = 0; i < n_state; i++) {
		const struct state_hook *s = &in->state->hooks[i];
		const struct nl_link *link = nl_links_by_index(in->links, s->ifindex);
		struct model_hook *h = &m->hooks[m->n_hooks++];

		*h = (struct model_hook){
			.ifindex = s->ifindex, .dir = s->dir, .pipeline = SPEC_NONE, .hook_id = s->hook_id,
			.prio = s->prio, .handle = s->handle, .interface = SPEC_NONE, .recorded = true,
		};
		/* devices are renamed */
		memcpy(h->device, s->device, sizeof(h->device));
		if (link)
			memcpy(h->device, link->name, sizeof(h->device));
		for (size_t p = 0; p < m->n_pipelines; p++)
			if (m->pipelines[p].id == s->pipeline)
				h->pipeline = p;
	}
	return 0;
}

struct key_ref {
	uint32_t ifindex, dir;
};

static int compare_keys(const void *va, const void *vb)
{
	const struct key_ref *a = va, *b = vb;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return a->dir < b->dir ? -1 : a->dir > b->dir;
}

static int add_wanted_hooks(const struct observe_input *in, struct model *m)
{
	const size_t n_recorded = m->n_hooks;
	_cleanup_free_ struct key_ref *known = calloc(n_recorded + 1, sizeof(*known));

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < n_recorded; i++)
		known[i] = (struct key_ref){ m->hooks[i].ifindex, m->hooks[i].dir };
	if (n_recorded)
		qsort(known, n_recorded, sizeof(*known), compare_keys);
	for (size_t i = 0; in->want && i < in->want->n_hooks; i++) {
		const struct model_hook *w = &in->want->hooks[i];
		const struct key_ref key = { w->ifindex, w->dir };

		if (n_recorded && bsearch(&key, known, n_recorded, sizeof(key), compare_keys))
			continue;
		m->hooks[m->n_hooks] = *w;
		m->hooks[m->n_hooks].pipeline = SPEC_NONE;
		m->n_hooks++;
	}
	return 0;
}

/* Nothing is stored: filters may still be there, on whatever device. */
static int add_leftovers(const struct observe_input *in, struct tcctl_diags *diags, struct model *m)
{
	const size_t n_wanted = m->n_hooks;
	struct leftover *items = NULL;
	struct model_hook *hooks;
	size_t n = 0;
	int err;

	if (in->state)
		return 0;
	err = leftovers_find(in->nl, in->links, in->owner, diags, &items, &n);
	if (err || !n)
		return err;
	hooks = realloc(m->hooks, (m->n_hooks + n) * sizeof(*hooks));
	if (!hooks) {
		leftovers_done(items, n);
		return -ENOMEM;
	}
	m->hooks = hooks;
	for (size_t i = 0; i < n; i++) {
		const struct leftover *l = &items[i];
		struct model_hook h = {
			.ifindex = l->key.ifindex, .prio = l->key.prio, .handle = l->key.handle,
			.dir = l->key.parent == nl_parent(SPEC_INGRESS) ? SPEC_INGRESS : SPEC_EGRESS,
			.hook_id = l->classid, .pipeline = SPEC_NONE, .interface = SPEC_NONE,
		};
		bool known = false;

		for (size_t k = 0; k < n_wanted && !known; k++)
			known = hooks[k].ifindex == h.ifindex && hooks[k].dir == h.dir && hooks[k].prio == h.prio &&
				hooks[k].handle == h.handle;
		memcpy(h.device, l->device, sizeof(h.device));
		if (!known)
			hooks[m->n_hooks++] = h;
	}
	leftovers_done(items, n);
	return 0;
}

struct judging {
	const struct observe_input *in;
	struct model *m;
	char prefix[NL_BPF_NAME_MAX]; /* of all our names */
	const struct state_pipeline *p;
	char name[NL_BPF_NAME_MAX]; /* of p's filters */
};

static bool is_ours(struct judging *j, const struct model_hook *h, const struct nl_filter *f)
{
	const unsigned int id = h->pipeline >= 0 ? j->m->pipelines[h->pipeline].id : 0;

	if (!id)
		return false;
	if (!j->p || j->p->id != id) {
		j->p = state_pipeline_find(j->in->state, id);
		observe_filter_name(j->name, j->in->owner, id);
	}
	return f->prog_id == j->p->root_id && f->classid == h->hook_id && !strcmp(f->name, j->name) &&
	       (f->flags & NL_BPF_DIRECT_ACTION);
}

static void judge(void *arg, size_t i, const struct nl_filter *f)
{
	struct judging *j = arg;
	struct model_hook *h = &j->m->hooks[i];

	if (!f) {
		h->found = MODEL_FOUND_NOTHING;
		return;
	}
	h->prog_id = f->prog_id;
	h->found = MODEL_FOUND_FOREIGN;
	if (!strcmp(f->kind, "bpf") && !strncmp(f->name, j->prefix, strlen(j->prefix)))
		h->found = is_ours(j, h, f) ? MODEL_FOUND_OURS : MODEL_FOUND_STALE;
	if (h->found != MODEL_FOUND_OURS)
		snprintf(h->what, sizeof(h->what), "%.*s", (int)sizeof(h->what) - 1, f->name[0] ? f->name : f->kind);
}

static int observe_hooks(const struct observe_input *in, struct tcctl_diags *diags, struct model *m)
{
	struct judging judging = { .in = in, .m = m };
	_cleanup_free_ struct nl_filter_key *keys = NULL;
	int err;

	err = add_hooks(in, m);
	if (!err)
		err = add_wanted_hooks(in, m);
	if (!err)
		err = add_leftovers(in, diags, m);
	if (err)
		return err;
	snprintf(judging.prefix, sizeof(judging.prefix), "tcctl:%s/", in->owner);
	keys = calloc(m->n_hooks + 1, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_hooks; i++)
		keys[i] = (struct nl_filter_key){
			.ifindex = m->hooks[i].ifindex, .parent = nl_parent(m->hooks[i].dir),
			.prio = m->hooks[i].prio, .handle = m->hooks[i].handle,
		};
	return observe_filters(in->nl, keys, m->n_hooks, diags, judge, &judging);
}

/* --- clsact ----------------------------------------------------------------------------------------------- */

struct device_ref {
	uint32_t ifindex;
	bool held;   /* a filter that we recorded is there, changed or not */
	bool sure;   /* a filter just as recorded is there: so is a clsact, and no shared block */
	bool unsure; /* another hook's is not */
};

static int compare_devices(const void *va, const void *vb)
{
	const struct device_ref *a = va, *b = vb;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

/* The devices of hooks and of our clsacts, each once, by ifindex. */
static struct device_ref *devices_make(const struct observe_input *in, const struct model *m, size_t *ret_n)
{
	const size_t n_state = in->state ? in->state->n_clsacts : 0, n = m->n_hooks + n_state;
	struct device_ref *devices = calloc(n + 1, sizeof(*devices));
	size_t k = 0;

	if (!devices)
		return NULL;
	for (size_t i = 0; i < m->n_hooks; i++) {
		const struct model_hook *h = &m->hooks[i];

		devices[i] = (struct device_ref){
			.ifindex = h->ifindex, .sure = h->found == MODEL_FOUND_OURS, .unsure = h->found != MODEL_FOUND_OURS,
			.held = h->recorded && (h->found == MODEL_FOUND_OURS || h->found == MODEL_FOUND_STALE),
		};
	}
	for (size_t i = 0; i < n_state; i++)
		devices[m->n_hooks + i].ifindex = in->state->clsacts[i].ifindex;
	if (n)
		qsort(devices, n, sizeof(*devices), compare_devices);
	for (size_t i = 0; i < n; i++) {
		if (!k || devices[k - 1].ifindex != devices[i].ifindex) {
			devices[k++] = devices[i];
			continue;
		}
		devices[k - 1].held |= devices[i].held;
		devices[k - 1].sure |= devices[i].sure;
		devices[k - 1].unsure |= devices[i].unsure;
	}
	*ret_n = k;
	return devices;
}

/* A dump of all qdiscs of the namespace is the dearest thing to ask; where our filters sit as recorded it says nothing
 * new. */
static int read_qdiscs(const struct observe_input *in, const struct device_ref *devices, size_t n,
		       struct tcctl_diags *diags, struct nl_qdiscs *ret)
{
	bool needed = false;
	int err;

	for (size_t i = 0; i < n && !needed; i++)
		needed = !devices[i].sure || devices[i].unsure;
	if (!needed)
		return 0;
	err = nl_qdiscs_dump(in->nl, n == 1 ? devices[0].ifindex : 0, ret);
	if (err == -ENODEV) /* the only device is gone */
		return 0;
	if (err)
		diag_errno(diag_error(diags, NULL, "cannot read qdiscs: %s", strerror(-err)), err);
	return err;
}

/*
 * A clsact looks the same whoever made it. It counts as ours if we recorded making it and one of our filters is still
 * in it; after somebody took our filters (or clsact and all) away it may be theirs, and it stays.
 */
static bool clsact_ours(const struct observe_input *in, const struct device_ref *d)
{
	return in->state && state_clsact_find(in->state, d->ifindex) && (in->interrupted || d->held);
}

static int observe_clsacts(const struct observe_input *in, struct tcctl_diags *diags, struct model *m)
{
	_cleanup_free_ struct device_ref *devices = NULL;
	struct nl_qdiscs qdiscs = {};
	size_t n = 0;
	int err;

	devices = devices_make(in, m, &n);
	m->clsacts = calloc(n + 1, sizeof(*m->clsacts));
	if (!devices || !m->clsacts)
		return -ENOMEM;
	err = read_qdiscs(in, devices, n, diags, &qdiscs);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		const struct device_ref *d = &devices[i];
		const struct nl_link *link = nl_links_by_index(in->links, d->ifindex);
		struct model_clsact *c = &m->clsacts[m->n_clsacts];
		const struct nl_qdisc *q = NULL;
		enum nl_clsact what = NL_CLSACT_CLSACT;

		if (!link)
			continue;
		*c = (struct model_clsact){ .ifindex = d->ifindex };
		memcpy(c->device, link->name, sizeof(c->device));
		if (!d->sure || d->unsure)
			what = nl_qdiscs_clsact(&qdiscs, d->ifindex, &q);
		switch (what) {
		case NL_CLSACT_CLSACT:
			c->kind = q && (q->ingress_block || q->egress_block) ? MODEL_CLSACT_BLOCK : MODEL_CLSACT_PRESENT;
			c->ours = clsact_ours(in, d);
			break;
		case NL_CLSACT_INGRESS:
			c->kind = MODEL_CLSACT_LEGACY;
			break;
		case NL_CLSACT_NONE:
		case NL_CLSACT_MAX:
			break;
		}
		m->n_clsacts++;
	}
	nl_qdiscs_done(&qdiscs);
	return 0;
}

/* --- left over -------------------------------------------------------------------------------------------- */

static int observe_orphans(const struct observe_input *in, struct model *m)
{
	char **names;
	size_t n;
	int err;

	if (in->owner_fd < 0)
		return 0;
	err = pin_list(in->owner_fd, &names, &n);
	if (err)
		return err;
	m->orphans = calloc(n + 1, sizeof(*m->orphans));
	for (size_t i = 0; m->orphans && i < n; i++) {
		unsigned int id;
		char end;

		if (sscanf(names[i], "p%u%c", &id, &end) == 1 && !(in->state && state_pipeline_find(in->state, id)))
			m->orphans[m->n_orphans++] = id;
	}
	pin_list_free(names, n);
	return m->orphans ? 0 : -ENOMEM;
}

/* One of another name, kind or MAC address is not the one that we made, whatever its number. */
static bool is_made(const struct state_device *s, const struct nl_link *link)
{
	return link && !strcmp(link->name, s->name) && (!strcmp(link->kind, "dummy") || !strcmp(link->kind, "veth")) &&
	       link->mac_len == sizeof(s->mac) && !memcmp(link->mac, s->mac, sizeof(s->mac));
}

/* Devices that we made. */
static int observe_devices(const struct observe_input *in, struct model *m)
{
	const size_t n = in->state ? in->state->n_devices : 0;

	m->devices = calloc(n + 1, sizeof(*m->devices));
	if (!m->devices)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct state_device *s = &in->state->devices[i];
		const struct nl_link *link = nl_links_by_index(in->links, s->ifindex);
		struct model_device *d = &m->devices[m->n_devices++];

		*d = (struct model_device){ .ifindex = s->ifindex };
		d->gone = !is_made(s, link);
		if (!d->gone)
			*d = (struct model_device){ .ifindex = s->ifindex, .mtu = link->mtu, .gso = link->gso_segs != 1 };
		memcpy(d->name, s->name, sizeof(d->name));
		memcpy(d->mac, s->mac, sizeof(d->mac));
	}
	return 0;
}

int observe_make(const struct observe_input *in, struct tcctl_diags *diags, struct model *ret)
{
	const size_t n_pipelines = in->state ? in->state->n_pipelines : 0;
	struct model m = { .interrupted = in->interrupted };
	int err = 0;

	m.pipelines = calloc(n_pipelines + 1, sizeof(*m.pipelines));
	if (!m.pipelines)
		return -ENOMEM;
	for (size_t i = 0; i < n_pipelines && !err; i++) {
		err = observe_pipeline(in, &in->state->pipelines[i], diags, &m.pipelines[i]);
		if (!err)
			m.n_pipelines++;
	}
	if (!err)
		err = observe_hooks(in, diags, &m);
	if (!err)
		err = observe_clsacts(in, diags, &m);
	if (!err)
		err = observe_devices(in, &m);
	if (!err)
		err = observe_orphans(in, &m);
	if (err) {
		model_done(&m);
		return err;
	}
	if (in->state && in->state->spec)
		m.spec_digest = digest_bytes(DIGEST_INIT, in->state->spec, in->state->spec_len);
	model_sort(&m);
	*ret = m;
	return 0;
}
