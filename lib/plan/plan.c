// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "plan/internal.h"
#include "tcctl/abi.h"
#include "util.h"

/* Hooks of a model, sorted by key. */
struct hook_ref {
	uint32_t ifindex;
	uint32_t dir;
	int index;
};

struct planning {
	const char *owner;
	const struct model *want, *have;
	struct tcctl_diags *diags;
	struct tcctl_plan *plan;
	struct hook_ref *want_refs; /* sorted */
	int *have_of; /* per wanted hook: index of the observed one, -1 */
	int *want_of; /* the reverse */
	int err;
};

__attribute__((format(printf, 6, 7))) static void step(struct planning *p, enum tcctl_step_kind kind,
							const char *device, int dir, unsigned int pipeline,
							const char *fmt, ...)
{
	struct tcctl_plan *plan = p->plan;
	const size_t n = plan->n_steps;
	struct plan_step *s = plan->steps;
	va_list ap;

	/* grows by powers of two: there may be thousands */
	if (!(n & (n - 1)))
		s = realloc(s, (n ? n * 2 : 1) * sizeof(*s));
	if (!s) {
		p->err = -ENOMEM;
		return;
	}
	plan->steps = s;
	s += plan->n_steps;
	*s = (struct plan_step){ .kind = kind, .dir = dir, .pipeline = pipeline };
	if (device)
		snprintf(s->device, sizeof(s->device), "%s", device);
	va_start(ap, fmt);
	if (vasprintf(&s->text, fmt, ap) < 0)
		p->err = -ENOMEM;
	else
		plan->n_steps++;
	va_end(ap);
}

/* --- hooks of one model in the other ---------------------------------------------------------------------- */

static int compare_refs(const void *va, const void *vb)
{
	const struct hook_ref *a = va, *b = vb;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return a->dir < b->dir ? -1 : a->dir > b->dir;
}

static struct hook_ref *refs_make(const struct model *m)
{
	struct hook_ref *refs = calloc(m->n_hooks + 1, sizeof(*refs));

	for (size_t i = 0; refs && i < m->n_hooks; i++)
		refs[i] = (struct hook_ref){ m->hooks[i].ifindex, m->hooks[i].dir, i };
	if (refs && m->n_hooks)
		qsort(refs, m->n_hooks, sizeof(*refs), compare_refs);
	return refs;
}

static int pair_hooks(struct planning *p)
{
	_cleanup_free_ struct hook_ref *have = refs_make(p->have);
	struct hook_ref *want = p->want_refs = refs_make(p->want);
	size_t w = 0, h = 0;

	p->have_of = malloc((p->want->n_hooks + 1) * sizeof(int));
	p->want_of = malloc((p->have->n_hooks + 1) * sizeof(int));
	if (!want || !have || !p->have_of || !p->want_of)
		return -ENOMEM;
	for (size_t i = 0; i < p->want->n_hooks; i++)
		p->have_of[i] = -1;
	for (size_t i = 0; i < p->have->n_hooks; i++)
		p->want_of[i] = -1;
	while (w < p->want->n_hooks && h < p->have->n_hooks) {
		int c = compare_refs(&want[w], &have[h]);

		if (c == 0) {
			p->have_of[want[w].index] = have[h].index;
			p->want_of[have[h].index] = want[w].index;
		}
		w += c <= 0;
		h += c >= 0;
	}
	return 0;
}

/* --- pipelines -------------------------------------------------------------------------------------------- */

/* A wanted and an observed pipeline that share hooks. */
struct overlap {
	int want, have;
	unsigned int hooks;
	unsigned int same; /* how much of the content is equal */
};

static int compare_pairs(const void *va, const void *vb)
{
	const struct overlap *a = va, *b = vb;

	if (a->want != b->want)
		return a->want < b->want ? -1 : 1;
	return a->have < b->have ? -1 : a->have > b->have;
}

static int compare_overlaps(const void *va, const void *vb)
{
	const struct overlap *a = va, *b = vb;

	if (a->hooks != b->hooks)
		return a->hooks > b->hooks ? -1 : 1;
	if (a->same != b->same)
		return a->same > b->same ? -1 : 1;
	return compare_pairs(a, b);
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static unsigned int sameness(const struct model_pipeline *a, const struct model_pipeline *b)
{
	return (same_name(a->ruleset_name, b->ruleset_name) ? 4 : 0) + (a->data_digest == b->data_digest ? 2 : 0) +
	       (a->code_digest == b->code_digest ? 1 : 0);
}

static bool may_become(const struct model_pipeline *have, const struct model_pipeline *want)
{
	return have->usable && have->link == want->link;
}

static bool id_taken(const struct planning *p, unsigned int id)
{
	for (size_t i = 0; i < p->have->n_pipelines; i++)
		if (p->have->pipelines[i].id == id)
			return true;
	for (size_t i = 0; i < p->have->n_orphans; i++)
		if (p->have->orphans[i] == id)
			return true;
	return false;
}

static int match_pipelines(struct planning *p, int *have_of, int *want_of)
{
	const struct model *want = p->want, *have = p->have;
	_cleanup_free_ struct overlap *pairs = calloc(want->n_hooks + 1, sizeof(*pairs));
	size_t n = 0, m = 0;

	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < want->n_hooks; i++) {
		const struct model_hook *h = p->have_of[i] >= 0 ? &have->hooks[p->have_of[i]] : NULL;

		if (h && h->recorded && h->pipeline >= 0 &&
		    may_become(&have->pipelines[h->pipeline], &want->pipelines[want->hooks[i].pipeline]))
			pairs[n++] = (struct overlap){ .want = want->hooks[i].pipeline, .have = h->pipeline, .hooks = 1 };
	}
	if (n)
		qsort(pairs, n, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < n; i++) {
		if (m && !compare_pairs(&pairs[m - 1], &pairs[i])) {
			pairs[m - 1].hooks++;
			continue;
		}
		pairs[m] = pairs[i];
		pairs[m].same = sameness(&want->pipelines[pairs[i].want], &have->pipelines[pairs[i].have]);
		m++;
	}
	if (m)
		qsort(pairs, m, sizeof(*pairs), compare_overlaps);
	for (size_t i = 0; i < m; i++)
		if (have_of[pairs[i].want] < 0 && want_of[pairs[i].have] < 0) {
			have_of[pairs[i].want] = pairs[i].have;
			want_of[pairs[i].have] = pairs[i].want;
		}
	/* All hooks moved to other devices: equal content is worth keeping, with its counters. */
	for (size_t w = 0; w < want->n_pipelines; w++)
		for (size_t h = 0; h < have->n_pipelines && have_of[w] < 0; h++)
			if (want_of[h] < 0 && may_become(&have->pipelines[h], &want->pipelines[w]) &&
			    sameness(&want->pipelines[w], &have->pipelines[h]) == 7) {
				have_of[w] = h;
				want_of[h] = w;
			}
	return 0;
}

/* Rules and tunnels are switched by the same write; which of them is new? */
static void plan_data(struct planning *p, struct plan_pipeline *pp, const struct model_pipeline *w,
		      const struct model_pipeline *h)
{
	const bool rules = w->rules_digest != h->rules_digest || !same_name(w->ruleset_name, h->ruleset_name);
	const bool tunnels = !plan_tunnels_same(w, h);
	_cleanup_free_ char *what = plan_tunnels_text(w, h);

	if (!what) {
		p->err = -ENOMEM;
		return;
	}
	if (tunnels)
		step(p, TCCTL_STEP_PIPELINE_TUNNELS, NULL, -1, pp->id, "switch pipeline p%u to new tunnels: %s", pp->id, what);
	pp->rules = rules || (!tunnels && !w->n_tunnels);
	if (pp->rules)
		step(p, TCCTL_STEP_PIPELINE_RULES, NULL, -1, pp->id, "switch pipeline p%u to new rules: %s", pp->id, w->order);
	else if (!tunnels)
		step(p, TCCTL_STEP_PIPELINE_TUNNELS, NULL, -1, pp->id,
		     "switch pipeline p%u to new ways into the same tunnels: %s", pp->id, w->order);
}

static int plan_pipelines(struct planning *p)
{
	const struct model *want = p->want, *have = p->have;
	_cleanup_free_ int *have_of = malloc((want->n_pipelines + 1) * sizeof(int));
	_cleanup_free_ int *want_of = calloc(have->n_pipelines + 1, sizeof(int));
	struct tcctl_plan *plan = p->plan;
	unsigned int next_id = 1;
	int err;

	plan->pipelines = calloc(want->n_pipelines + have->n_pipelines + 1, sizeof(*plan->pipelines));
	if (!have_of || !want_of || !plan->pipelines)
		return -ENOMEM;
	for (size_t i = 0; i < want->n_pipelines; i++)
		have_of[i] = -1;
	for (size_t i = 0; i < have->n_pipelines; i++)
		want_of[i] = -1;
	err = match_pipelines(p, have_of, want_of);
	if (err)
		return err;
	for (size_t i = 0; i < want->n_pipelines; i++) {
		const struct model_pipeline *w = &want->pipelines[i];
		struct plan_pipeline *pp = &plan->pipelines[plan->n_pipelines++];

		*pp = (struct plan_pipeline){ .want = i, .have = have_of[i] };
		if (pp->have >= 0) {
			const struct model_pipeline *h = &have->pipelines[pp->have];

			pp->id = h->id;
			pp->swap = w->code_digest != h->code_digest;
			pp->data = w->data_digest != h->data_digest || !same_name(w->ruleset_name, h->ruleset_name);
			if (pp->swap)
				step(p, TCCTL_STEP_PIPELINE_SWAP, NULL, -1, pp->id,
				     strcmp(w->order, h->order) ? "switch pipeline p%u to new programs: %s (was: %s)" :
								  "switch pipeline p%u to new programs: %s",
				     pp->id, w->order, h->order);
			if (pp->data)
				plan_data(p, pp, w, h);
			continue;
		}
		pp->op = PLAN_ADD;
		while (id_taken(p, next_id))
			next_id++;
		pp->id = next_id++;
		step(p, TCCTL_STEP_PIPELINE_ADD, NULL, -1, pp->id, "load pipeline p%u: %s", pp->id, w->order);
	}
	for (size_t i = 0; i < have->n_pipelines; i++)
		if (want_of[i] < 0)
			plan->pipelines[plan->n_pipelines++] = (struct plan_pipeline){
				.op = PLAN_REMOVE, .id = have->pipelines[i].id, .want = -1, .have = i
			};
	return p->err;
}

/* --- hooks ------------------------------------------------------------------------------------------------ */

static void in_the_way(struct planning *p, const struct model_hook *w, const struct model_hook *h)
{
	struct diag *g;

	g = diag_error(p->diags, NULL, "a filter that is not ours (%s) sits at prio %u handle 0x%x, where ours goes",
		       h->what[0] ? h->what : "unknown", h->prio, h->handle);
	diag_device(g, "%s %s", w->device, model_dir_name(w->dir));
	if (!strncmp(h->what, "tcctl:", 6))
		diag_hint(g, "it belongs to another tcctl configuration (`name:`): one hook has one owner; remove that one "
			     "first, or take the interface out of one of the two");
	else
		diag_hint(g, "remove it, or choose another prio for ours (--prio)");
	diag_errno(g, EEXIST);
	p->err = -EEXIST;
}

/* Who runs before or after does not matter here, only whether a filter can be put there at all. */
static void check_clsact(struct planning *p, const struct model_hook *w)
{
	const struct model_clsact *c = model_clsact_find(p->have, w->ifindex);
	struct diag *g;

	if (!c || c->kind == MODEL_CLSACT_NONE || c->kind == MODEL_CLSACT_PRESENT)
		return;
	if (c->kind == MODEL_CLSACT_LEGACY) {
		g = diag_error(p->diags, NULL, "a legacy 'ingress' qdisc is in the way: it and clsact exclude each other");
		diag_hint(g, "move its filters to clsact and delete it: tc qdisc del dev %s ingress", w->device);
	} else {
		g = diag_error(p->diags, NULL, "its clsact uses a shared filter block, which takes no filters by device");
		diag_hint(g, "delete and add the clsact of %s without ingress_block and egress_block", w->device);
	}
	diag_errno(diag_device(g, "%s", w->device), EEXIST);
	p->err = -EEXIST;
}

struct indices {
	uint64_t used[TCCTL_HOOK_INDEX_MAX / 64];
};

/* The lowest index that no hook of the pipeline has or had until now; 0 stays free, so that a filter of ours always
 * has a classid. */
static int index_take(struct indices *x)
{
	for (unsigned int i = 1; i < TCCTL_HOOK_INDEX_MAX; i++)
		if (!(x->used[i / 64] >> (i % 64) & 1)) {
			x->used[i / 64] |= 1ULL << (i % 64);
			return i;
		}
	return -1;
}

static void plan_wanted_hook(struct planning *p, size_t i, struct indices *indices)
{
	const struct model_hook *w = &p->want->hooks[i];
	const struct model_hook *h = p->have_of[i] >= 0 ? &p->have->hooks[p->have_of[i]] : NULL;
	const struct plan_pipeline *pp = &p->plan->pipelines[w->pipeline];
	struct plan_hook *ph = &p->plan->hooks[p->plan->n_hooks++];
	const unsigned int had = h && h->pipeline >= 0 ? p->have->pipelines[h->pipeline].id : 0;
	const uint16_t flags = w->hook_id & ((1U << TCCTL_HOOK_INDEX_SHIFT) - 1);
	const char *dir = model_dir_name(w->dir);
	int index;

	*ph = (struct plan_hook){
		.op = PLAN_ADD, .want = i, .have = p->have_of[i], .pipeline = pp->id,
		.prio = h ? h->prio : w->prio, .handle = h ? h->handle : w->handle,
	};
	if (h && had == pp->id && h->recorded)
		index = h->hook_id >> TCCTL_HOOK_INDEX_SHIFT;
	else
		index = index_take(&indices[w->pipeline]);
	if (index < 0) {
		diag_errno(diag_device(diag_error(p->diags, NULL, "more than %d hooks in one pipeline",
						  TCCTL_HOOK_INDEX_MAX - 1),
				       "%s %s", w->device, dir),
			   E2BIG);
		p->err = -E2BIG;
		return;
	}
	ph->hook_id = index << TCCTL_HOOK_INDEX_SHIFT | flags;

	switch (h ? h->found : MODEL_FOUND_NOTHING) {
	case MODEL_FOUND_OURS:
		if (had == pp->id && h->hook_id == ph->hook_id) {
			ph->op = PLAN_KEEP;
			return;
		}
		ph->op = PLAN_REPLACE;
		step(p, TCCTL_STEP_HOOK_REPLACE, w->device, w->dir, pp->id,
		     had == pp->id ? "attach %s %s to pipeline p%u the other way round (side)" :
				     "move %s %s to pipeline p%u",
		     w->device, dir, pp->id);
		return;
	case MODEL_FOUND_STALE:
		ph->op = PLAN_REPLACE;
		step(p, TCCTL_STEP_HOOK_REPLACE, w->device, w->dir, pp->id,
		     "attach %s %s to pipeline p%u in place of %s, left over", w->device, dir, pp->id, h->what);
		return;
	case MODEL_FOUND_FOREIGN:
		if (!h->recorded) {
			in_the_way(p, w, h);
			return;
		}
		ph->op = PLAN_REPLACE;
		step(p, TCCTL_STEP_HOOK_REPLACE, w->device, w->dir, pp->id,
		     "put pipeline p%u back on %s %s: its filter was replaced by %s", pp->id, w->device, dir, h->what);
		return;
	case MODEL_FOUND_NOTHING:
	case MODEL_FOUND_MAX:
		break;
	}
	step(p, TCCTL_STEP_HOOK_ADD, w->device, w->dir, pp->id,
	     h && h->recorded ? "attach %s %s to pipeline p%u again: its filter is gone" : "attach %s %s to pipeline p%u",
	     w->device, dir, pp->id);
}

static void plan_clsact(struct planning *p, enum plan_op op, uint32_t ifindex, const char *device)
{
	struct tcctl_plan *plan = p->plan;
	struct plan_clsact *c = &plan->clsacts[plan->n_clsacts++];

	*c = (struct plan_clsact){ .op = op, .ifindex = ifindex };
	snprintf(c->device, sizeof(c->device), "%s", device);
	if (op == PLAN_ADD)
		step(p, TCCTL_STEP_CLSACT_ADD, device, -1, 0, "create clsact on %s", device);
	else
		step(p, TCCTL_STEP_CLSACT_REMOVE, device, -1, 0,
		     "remove clsact from %s: we made it (it stays if somebody else uses it)", device);
}

static int indices_init(struct planning *p, struct indices *indices)
{
	for (size_t i = 0; i < p->want->n_pipelines; i++)
		for (size_t h = 0; h < p->have->n_hooks; h++) {
			const struct model_hook *hook = &p->have->hooks[h];
			unsigned int index = hook->hook_id >> TCCTL_HOOK_INDEX_SHIFT;

			if (hook->recorded && hook->pipeline >= 0 &&
			    p->have->pipelines[hook->pipeline].id == p->plan->pipelines[i].id)
				indices[i].used[index / 64] |= 1ULL << (index % 64);
		}
	return 0;
}

static int plan_hooks(struct planning *p)
{
	const struct model *want = p->want, *have = p->have;
	_cleanup_free_ struct indices *indices = calloc(want->n_pipelines + 1, sizeof(*indices));
	struct tcctl_plan *plan = p->plan;

	plan->hooks = calloc(want->n_hooks + have->n_hooks + 1, sizeof(*plan->hooks));
	plan->clsacts = calloc(want->n_hooks + have->n_clsacts + 1, sizeof(*plan->clsacts));
	plan->orders = calloc(want->n_hooks + 1, sizeof(*plan->orders));
	if (!indices || !plan->hooks || !plan->clsacts || !plan->orders)
		return -ENOMEM;
	indices_init(p, indices);
	for (size_t i = 0; i < want->n_hooks; i++) {
		const struct model_hook *w = &want->hooks[i];
		const struct model_clsact *c = model_clsact_find(have, w->ifindex);
		struct plan_order *o = &plan->orders[plan->n_orders];

		/* hooks are sorted by device: once per device */
		if (!i || want->hooks[i - 1].ifindex != w->ifindex) {
			check_clsact(p, w);
			if (!c || c->kind == MODEL_CLSACT_NONE)
				plan_clsact(p, PLAN_ADD, w->ifindex, w->device);
		}
		plan_wanted_hook(p, i, indices);
		*o = (struct plan_order){ .dir = w->dir, .pipeline = plan->pipelines[w->pipeline].id,
					  .text = strdup(want->pipelines[w->pipeline].order) };
		memcpy(o->device, w->device, sizeof(o->device));
		if (!o->text)
			return -ENOMEM;
		plan->n_orders++;
	}
	return p->err;
}

static bool device_wanted(const struct planning *p, uint32_t ifindex)
{
	size_t lo = 0, hi = p->want->n_hooks;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (p->want_refs[mid].ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->want->n_hooks && p->want_refs[lo].ifindex == ifindex;
}

static void plan_gone_hooks(struct planning *p)
{
	const struct model *want = p->want, *have = p->have;
	struct tcctl_plan *plan = p->plan;
	uint32_t announced = 0;

	for (size_t i = 0; i < have->n_hooks; i++) {
		const struct model_hook *h = &have->hooks[i];
		/* every device that hooks need or sit on is looked at: one without an entry is gone */
		const bool gone = !model_clsact_find(have, h->ifindex);
		struct plan_hook *ph;

		if (p->want_of[i] >= 0 || (!h->recorded && h->found != MODEL_FOUND_STALE))
			continue;
		ph = &plan->hooks[plan->n_hooks++];
		*ph = (struct plan_hook){ .op = PLAN_FORGET, .want = -1, .have = i, .hook_id = h->hook_id,
					  .prio = h->prio, .handle = h->handle };
		if (want->n_hooks && h->recorded && !gone && h->ifindex != announced && !device_wanted(p, h->ifindex)) {
			step(p, TCCTL_STEP_INTERFACE_REMOVE, h->device, -1, 0,
			     "%s is not in the configuration any more: all of ours leaves it", h->device);
			announced = h->ifindex;
		}
		if (h->found == MODEL_FOUND_OURS || h->found == MODEL_FOUND_STALE) {
			ph->op = PLAN_REMOVE;
			step(p, TCCTL_STEP_HOOK_REMOVE, h->device, h->dir, 0,
			     h->recorded ? "detach from %s %s" : "detach from %s %s: %s, left over without pins", h->device,
			     model_dir_name(h->dir), h->what);
		} else {
			step(p, TCCTL_STEP_CLEANUP, h->device, h->dir, 0,
			     gone ? "forget %s %s: the device does not exist any more" :
				    "forget %s %s: nothing of ours is there any more",
			     h->device, model_dir_name(h->dir));
		}
	}
	for (size_t i = 0; i < have->n_clsacts; i++) {
		const struct model_clsact *c = &have->clsacts[i];

		if (c->ours && c->kind == MODEL_CLSACT_PRESENT && !device_wanted(p, c->ifindex))
			plan_clsact(p, PLAN_REMOVE, c->ifindex, c->device);
	}
}

/* --- devices ---------------------------------------------------------------------------------------------- */

static int plan_devices(struct planning *p)
{
	const struct model *want = p->want, *have = p->have;
	struct tcctl_plan *plan = p->plan;

	plan->devices = calloc(want->n_devices + have->n_devices + 1, sizeof(*plan->devices));
	if (!plan->devices)
		return -ENOMEM;
	for (size_t i = 0; i < want->n_devices; i++) {
		const struct model_device *w = &want->devices[i], *h = NULL;
		struct plan_device *pd = &plan->devices[plan->n_devices];

		*pd = (struct plan_device){ .op = PLAN_KEEP, .want = i, .have = -1 };
		for (size_t k = 0; k < have->n_devices && !h; k++)
			if (have->devices[k].ifindex == w->ifindex && !have->devices[k].gone) {
				h = &have->devices[k];
				pd->have = k;
			}
		if (w->make) {
			pd->op = PLAN_ADD;
			step(p, TCCTL_STEP_DEVICE_ADD, w->name, -1, 0, "create device %s, mtu %u%s", w->name, w->mtu,
			     w->gso ? "" : ", segmentation offload off");
		} else if (!h) { /* somebody else's */
			continue;
		} else if (h->mtu != w->mtu || h->gso != w->gso) {
			pd->op = PLAN_REPLACE;
			step(p, TCCTL_STEP_DEVICE_CHANGE, w->name, -1, 0,
			     "change device %s: mtu %u, segmentation offload %s (was: mtu %u, %s)", w->name, w->mtu,
			     w->gso ? "on" : "off", h->mtu, h->gso ? "on" : "off");
		}
		plan->n_devices++;
	}
	for (size_t i = 0; i < have->n_devices; i++) {
		bool wanted = have->devices[i].gone;

		for (size_t k = 0; k < plan->n_devices && !wanted; k++)
			wanted = plan->devices[k].have == (int)i;
		if (!wanted)
			plan->devices[plan->n_devices++] = (struct plan_device){ .op = PLAN_REMOVE, .want = -1, .have = i };
	}
	return p->err;
}

/* Listed behind the hooks that leave them. */
static void plan_gone_devices(struct planning *p)
{
	for (size_t i = 0; i < p->plan->n_devices; i++) {
		const struct plan_device *pd = &p->plan->devices[i];
		const char *name = pd->have >= 0 ? p->have->devices[pd->have].name : "";

		if (pd->op == PLAN_REMOVE)
			step(p, TCCTL_STEP_DEVICE_REMOVE, name, -1, 0, "remove device %s: we made it", name);
	}
}

int plan_make(const char *owner, const struct model *want, const struct model *have, uint64_t spec_digest,
	      struct tcctl_diags *diags, struct tcctl_plan **ret)
{
	struct planning p = { .owner = owner, .want = want, .have = have, .diags = diags };
	int err;

	p.plan = calloc(1, sizeof(*p.plan));
	if (!p.plan)
		return -ENOMEM;
	if (have->interrupted)
		step(&p, TCCTL_STEP_CLEANUP, NULL, -1, 0, "finish or undo what an interrupted run left");
	for (size_t i = 0; i < have->n_orphans; i++)
		step(&p, TCCTL_STEP_CLEANUP, NULL, -1, have->orphans[i],
		     "remove pins of pipeline p%u, left over", have->orphans[i]);
	err = p.err ? p.err : pair_hooks(&p);
	if (!err)
		err = plan_devices(&p);
	if (!err)
		err = plan_pipelines(&p);
	if (!err)
		err = plan_hooks(&p);
	if (!err) {
		plan_gone_hooks(&p);
		plan_gone_devices(&p);
		for (size_t i = 0; i < p.plan->n_pipelines; i++)
			if (p.plan->pipelines[i].op == PLAN_REMOVE)
				step(&p, TCCTL_STEP_PIPELINE_REMOVE, NULL, -1, p.plan->pipelines[i].id,
				     "unload pipeline p%u: %s", p.plan->pipelines[i].id,
				     have->pipelines[p.plan->pipelines[i].have].order);
		if (!p.plan->n_steps && spec_digest != have->spec_digest)
			step(&p, TCCTL_STEP_STATE, NULL, -1, 0,
			     spec_digest ? "store the new configuration; nothing that runs changes" :
					   "remove the stored configuration");
		err = p.err;
	}
	free(p.want_refs);
	free(p.have_of);
	free(p.want_of);
	if (err) {
		tcctl_plan_free(p.plan);
		return err;
	}
	*ret = p.plan;
	return 0;
}
