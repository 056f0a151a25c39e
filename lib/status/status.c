// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What runs and what it has counted. Reads only, and never waits for a writer. */
#include "status.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "counters.h"
#include "diag.h"
#include "filters.h"
#include "leftover.h"
#include "neighbours.h"
#include "observe.h"
#include "pin.h"
#include "pipeline.h"
#include "record.h"
#include "tx/recover.h"
#include "state.h"
#include "status/tunnels.h"
#include "util.h"

struct reason_text {
	const char *name, *text;
	bool drop;
};

static const struct reason_text reasons[] = {
	[TCCTL_R_NONE] = { "none", "", false },
	[TCCTL_R_RULE_DROP] = { "rule-drop", "the rule's class is drop", true },
	[TCCTL_R_TRUNC_L2] = { "trunc-l2", "Ethernet header cut short", false },
	[TCCTL_R_TRUNC_L3] = { "trunc-l3", "IP header cut short", false },
	[TCCTL_R_TRUNC_L4] = { "trunc-l4", "transport header cut short: classified without ports", false },
	[TCCTL_R_BAD_IPV4] = { "bad-ipv4", "IPv4 version or header length wrong", false },
	[TCCTL_R_BAD_IPV6] = { "bad-ipv6", "IPv6 version wrong", false },
	[TCCTL_R_EXT_DEPTH] = { "ext-depth", "too many IPv6 extension headers: classified without ports", false },
	[TCCTL_R_VLAN_DEPTH] = { "vlan-depth", "too many VLAN tags", false },
	[TCCTL_R_NON_IP] = { "non-ip", "neither IPv4 nor IPv6: nothing to classify", false },
	[TCCTL_R_NO_RULES] = { "no-rules", "no rule set loaded", false },
	[TCCTL_R_NO_MATCH] = { "no-match", "no rule matched: nothing is changed", false },
	[TCCTL_R_NO_ROOT] = { "no-root", "a program ran outside a pipeline", false },
	[TCCTL_R_TAG_FAILED] = { "tag-failed", "a header could not be written: went on without the tag", false },
	[TCCTL_R_ROOT_EMPTY] = { "root-empty", "no programs loaded behind the hook", false },
	[TCCTL_R_NO_WALK] = { "no-walk", "rules not asked: stage slot 'walk' empty, or too many programs in a row", false },
	[TCCTL_R_TUNNEL_UNKNOWN] = { "tunnel-unknown", "encapsulated by nobody we know: left to the stack", false },
	[TCCTL_R_TUNNEL_REFUSED] = { "tunnel-refused", "encapsulated by nobody we know, and `unknown: drop`", true },
	[TCCTL_R_TUNNEL_FRAGMENT] = { "tunnel-fragment", "a first fragment of an outer packet: left to the stack", false },
	[TCCTL_R_TUNNEL_BAD] = { "tunnel-bad", "tunnel header cut short or malformed: left to the stack", false },
	[TCCTL_R_TUNNEL_UNCUT] = { "tunnel-uncut", "UDP segments in one piece: this kernel cannot cut them any more, most are lost", false },
};
_Static_assert(ARRAY_SIZE(reasons) == TCCTL_R_MAX, "a text for each reason");

struct reading {
	struct tcctl *t;
	struct tcctl_status *st;
	struct tcctl_status_options o;
	struct tcctl_diags *diags;
	const char *owner;
	const struct state *state;
	int owner_fd;
	int err; /* sticky: no memory */
};

/* Copies that live as long as the status. */
static const char *keep_taken(struct reading *r, char *text)
{
	struct tcctl_status *st = r->st;

	if (text && st->n_strings == st->cap_strings) {
		size_t cap = st->cap_strings ? st->cap_strings * 2 : 64;
		char **strings = realloc(st->strings, cap * sizeof(*strings));

		if (strings) {
			st->strings = strings;
			st->cap_strings = cap;
		}
	}
	if (!text || st->n_strings == st->cap_strings) {
		free(text);
		r->err = -ENOMEM;
		return "";
	}
	return st->strings[st->n_strings++] = text;
}

static const char *keep_text(struct reading *r, const char *text)
{
	return keep_taken(r, strdup(text));
}

__attribute__((format(printf, 2, 3))) static const char *keep(struct reading *r, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return keep_taken(r, n < 0 ? NULL : s);
}

/* Room for one more record; the last one when there is no memory (and r->err says so). */
static void *grow(struct reading *r, void **list, size_t *n, size_t size)
{
	static char nowhere[512];
	void *items = *list;

	/* doubles at powers of two */
	if (!(*n & (*n - 1)) || !*n)
		items = realloc(*list, (*n ? *n * 2 : 1) * size);
	if (!items) {
		r->err = -ENOMEM;
		return nowhere;
	}
	*list = items;
	memset((char *)items + *n * size, 0, size);
	return (char *)items + (*n)++ * size;
}
#define GROW(r, list) grow(r, (void **)&(r)->st->list, &(r)->st->n_##list, sizeof(*(r)->st->list))

static struct tcctl_count to_count(const struct tcctl_counter *c)
{
	return (struct tcctl_count){ c->packets, c->segments, c->bytes };
}

static void add(struct tcctl_count *sum, const struct tcctl_counter *c)
{
	sum->packets += c->packets;
	sum->segments += c->segments;
	sum->bytes += c->bytes;
}

/* --- hooks -------------------------------------------------------------------------------------------------- */

struct hooks_reading {
	struct reading *r;
	size_t first; /* of the owner's in the status */
	const struct state_pipeline *p;
	char name[NL_BPF_NAME_MAX]; /* of p's filters */
};

static void judge(void *arg, size_t i, const struct nl_filter *f)
{
	struct hooks_reading *hr = arg;
	const struct state_hook *h = &hr->r->state->hooks[i];
	struct tcctl_status_hook *out = &hr->r->st->hooks[hr->first + i];

	if (out->state == TCCTL_HOOK_GONE)
		return;
	out->state = TCCTL_HOOK_MISSING;
	if (!f)
		return;
	if (!hr->p || hr->p->id != h->pipeline) {
		hr->p = state_pipeline_find(hr->r->state, h->pipeline);
		observe_filter_name(hr->name, hr->r->owner, h->pipeline);
	}
	out->program_id = f->prog_id;
	out->state = f->prog_id != hr->p->root_id || strcmp(f->name, hr->name) || f->classid != h->hook_id ?
			     TCCTL_HOOK_REPLACED :
			     TCCTL_HOOK_ATTACHED;
}

static int read_hooks(struct reading *r)
{
	const struct state *s = r->state;
	struct hooks_reading hr = { .r = r, .first = r->st->n_hooks };
	_cleanup_free_ struct nl_filter_key *keys = calloc(s->n_hooks + 1, sizeof(*keys));
	_cleanup_free_ const char **orders = calloc(s->n_pipelines + 1, sizeof(*orders));
	struct tcctl_status_hook *hooks = realloc(r->st->hooks, (hr.first + s->n_hooks + 1) * sizeof(*hooks));
	const struct state_hook *last = NULL;
	const char *device = "";
	bool gone = false;

	if (hooks)
		r->st->hooks = hooks;
	if (!keys || !orders || !hooks)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pipelines; i++)
		orders[i] = keep_text(r, s->pipelines[i].order);
	for (size_t i = 0; i < s->n_hooks && !r->err; i++) {
		const struct state_hook *h = &s->hooks[i];
		struct tcctl_status_hook *out = &hooks[r->st->n_hooks++];

		/* devices are renamed; hooks are sorted by device */
		if (!last || last->ifindex != h->ifindex) {
			char name[NL_NAME_MAX];
			int err = nl_link_name(r->t->nl, h->ifindex, name);

			gone = err == -ENODEV;
			device = keep_text(r, err ? h->device : name);
		}
		last = h;
		keys[i] = (struct nl_filter_key){ .ifindex = h->ifindex, .parent = nl_parent(h->dir), .prio = h->prio,
						  .handle = h->handle };
		*out = (struct tcctl_status_hook){
			.sz = sizeof(*out), .owner = r->owner, .device = device, .ifindex = h->ifindex,
			.direction = model_dir_name(h->dir), .pipeline = h->pipeline,
			.state = gone ? TCCTL_HOOK_GONE : TCCTL_HOOK_MISSING, .prio = h->prio, .handle = h->handle,
			.clsact_ours = state_clsact_find(s, h->ifindex),
			.order = orders[state_pipeline_find(s, h->pipeline) - s->pipelines],
		};
	}
	return r->err ? r->err : observe_filters(r->t->nl, keys, s->n_hooks, r->diags, judge, &hr);
}

/* --- counters ------------------------------------------------------------------------------------------------ */

static int read_hook_counters(struct reading *r, const struct state_pipeline *p, struct counters_reader *reader,
			      size_t first_hook)
{
	for (size_t i = 0; i < r->state->n_hooks; i++) {
		const struct state_hook *h = &r->state->hooks[i];
		struct tcctl_counter c;
		int err;

		if (h->pipeline != p->id)
			continue;
		err = counters_reader_get(reader, TCCTL_HOOK_COUNTER(h->hook_id >> TCCTL_HOOK_INDEX_SHIFT), &c);
		if (err)
			return err;
		r->st->hooks[first_hook + i].count = to_count(&c);
	}
	return 0;
}

static int compare_rules(const void *va, const void *vb)
{
	const struct tcctl_status_rule *a = va, *b = vb;

	return a->index < b->index ? -1 : a->index > b->index;
}

static int read_rules(struct reading *r, const struct state_pipeline *p, struct counters_reader *reader)
{
	_cleanup_free_ struct tcctl_count *sums = calloc(p->n_classes + 1, sizeof(*sums));
	_cleanup_free_ bool *used = calloc(p->n_classes + 1, sizeof(*used));
	_cleanup_free_ const char **names = calloc(p->n_classes + 1, sizeof(*names));
	const char *set = p->ruleset ? keep_text(r, p->ruleset) : NULL;
	const size_t first = r->st->n_rules;

	if (!sums || !used || !names)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_classes; i++) {
		add(&sums[i], &p->classes[i].retired);
		used[i] = p->classes[i].retired.packets > 0;
		names[i] = keep_text(r, p->classes[i].name);
	}
	for (size_t i = 0; i < p->n_counters && !r->err; i++) {
		const struct state_counter *k = &p->counters[i];
		struct tcctl_status_rule *out;
		struct tcctl_counter c;
		int err = counters_reader_get(reader, k->id, &c);

		if (err)
			return err;
		add(&sums[k->class], &c);
		if (k->rule != STATE_GONE)
			used[k->class] = true;
		else if (!c.packets)
			continue;
		used[k->class] = true;
		out = GROW(r, rules);
		*out = (struct tcctl_status_rule){
			.sz = sizeof(*out), .owner = r->owner, .pipeline = p->id, .ruleset = set ? set : "",
			.index = k->rule == STATE_GONE ? SIZE_MAX : k->rule,
			.name = k->name ? keep_text(r, k->name) : NULL, .class_name = names[k->class],
			.count = to_count(&c),
		};
	}
	if (!r->err && r->st->n_rules > first)
		qsort(r->st->rules + first, r->st->n_rules - first, sizeof(*r->st->rules), compare_rules);
	for (size_t i = 0; i < p->n_classes && !r->err; i++) {
		struct tcctl_status_class *out;

		if (!used[i])
			continue;
		out = GROW(r, classes);
		*out = (struct tcctl_status_class){ .sz = sizeof(*out), .owner = r->owner, .pipeline = p->id,
						    .name = names[i], .count = sums[i] };
	}
	return r->err;
}

static const struct {
	const char *map;
	uint32_t slots, handled, empty;
} tables[] = {
	[STATE_JT_L3] = { "jt_l3", TCCTL_L3_MAX, TCCTL_CNT_L3, TCCTL_CNT_EMPTY_L3 },
	[STATE_JT_L4] = { "jt_l4", TCCTL_L4_MAX, TCCTL_CNT_L4, TCCTL_CNT_EMPTY_L4 },
	[STATE_JT_UDP] = { "jt_udp", TCCTL_UDP_MAX, TCCTL_CNT_UDP, TCCTL_CNT_EMPTY_UDP },
	[STATE_JT_STAGE] = { "jt_stage", TCCTL_STAGE_MAX, TCCTL_CNT_STAGE, TCCTL_CNT_EMPTY_STAGE },
};
_Static_assert(ARRAY_SIZE(tables) == STATE_JT_MAX, "each table");

/* Name of a program that is not ours, found by id. */
static const char *program_name(struct reading *r, uint32_t id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || !info.name[0])
		return keep(r, "program %u", id);
	return keep_text(r, info.name);
}

static void read_table(struct reading *r, const struct state_pipeline *p, const struct pipeline *open,
		       enum state_table table, const struct tcctl_counter *fixed)
{
	_cleanup_close_ int fd = pin_get(open->globals_fd, tables[table].map);

	for (uint32_t slot = 0; slot < tables[table].slots && !r->err; slot++) {
		const struct tcctl_counter *handled = &fixed[tables[table].handled + slot];
		const struct tcctl_counter *empty = &fixed[tables[table].empty + slot];
		const struct state_slot *ours = NULL;
		struct tcctl_status_slot *out;
		char name[32];
		uint32_t id = 0;

		for (size_t i = 0; i < p->n_slots; i++)
			if (p->slots[i].table == table && p->slots[i].slot == slot)
				ours = &p->slots[i];
		if (fd < 0 || bpf_map_lookup_elem(fd, &slot, &id))
			id = 0;
		/* a stage slot without a stage of its own holds the next one's program: nothing to tell */
		if (!ours && !handled->packets && !empty->packets && (table == STATE_JT_STAGE || !id))
			continue;
		out = GROW(r, slots);
		*out = (struct tcctl_status_slot){
			.sz = sizeof(*out), .owner = r->owner, .pipeline = p->id, .table = state_table_name(table),
			.slot = ours && ours->port ? keep(r, "%u", ours->port) :
						     keep_text(r, pipeline_slot_name(table, slot, name)),
			.program = !id ? NULL : ours && ours->prog_id == id ? keep_text(r, ours->name) :
									     program_name(r, id),
			.count = to_count(handled), .empty = to_count(empty),
		};
	}
}

static int read_fixed(struct reading *r, const struct state_pipeline *p, const struct pipeline *open)
{
	_cleanup_free_ struct tcctl_counter *fixed = NULL;
	int err = counters_array_read(pipeline_map(open, "counters_fixed"), TCCTL_CNT_FIXED_MAX, &fixed);

	if (err)
		return err;
	for (enum state_table table = 0; table < STATE_JT_MAX; table++)
		read_table(r, p, open, table, fixed);
	for (unsigned int i = TCCTL_R_NONE + 1; i < TCCTL_R_MAX && !r->err; i++) {
		struct tcctl_status_reason *out = GROW(r, reasons);

		*out = (struct tcctl_status_reason){
			.sz = sizeof(*out), .owner = r->owner, .pipeline = p->id, .name = reasons[i].name,
			.text = reasons[i].text, .drop = reasons[i].drop,
			.count = to_count(&fixed[TCCTL_CNT_REASON + i]),
		};
	}
	return r->err;
}

static int put_tunnels(struct reading *r, const struct status_tunnel *tunnels)
{
	for (size_t i = 0; i < r->state->n_tunnels && !r->err; i++) {
		const struct state_tunnel *t = &r->state->tunnels[i];
		const struct tcctl_counter *counters = tunnels[i].counters;
		struct tcctl_status_tunnel *out;
		const char *name;

		if (t->gone)
			continue;
		name = keep_text(r, t->name);
		out = GROW(r, tunnels);
		*out = (struct tcctl_status_tunnel){
			.sz = sizeof(*out), .owner = r->owner, .name = name, .type = keep_text(r, t->type),
			.local = keep_text(r, t->local), .remote = keep_text(r, t->remote),
			.device = t->device[0] ? keep_text(r, t->device) : NULL, .stations = tunnels[i].stations,
			.rx = to_count(&counters[TCCTL_TUN_RX]), .tx = to_count(&counters[TCCTL_TUN_TX]),
		};
		for (uint32_t k = 0; k < TCCTL_TUN_MAX && !r->err; k++) {
			struct tcctl_status_tunnel_event *e;

			if (k == TCCTL_TUN_RX || k == TCCTL_TUN_TX || !counters[k].packets)
				continue;
			e = GROW(r, tunnel_events);
			*e = (struct tcctl_status_tunnel_event){
				.sz = sizeof(*e), .owner = r->owner, .tunnel = name, .name = status_tunnel_events[k].name,
				.text = status_tunnel_events[k].text, .drop = status_tunnel_events[k].drop,
				.count = to_count(&counters[k]),
			};
		}
	}
	return r->err;
}

static int read_counters(struct reading *r, size_t first_hook)
{
	_cleanup_free_ struct status_tunnel *tunnels = status_tunnels_new(r->state);
	int e;

	if (!tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < r->state->n_pipelines; i++) {
		const struct state_pipeline *p = &r->state->pipelines[i];
		struct pipeline open = PIPELINE_INIT;
		struct counters_reader reader = {};
		int err = pipeline_open(r->owner_fd, p->id, &open);

		if (err) {
			diag_errno(diag_object(diag_hint(diag_warning(r->diags, NULL, "pins of pipeline p%u are damaged: %s",
								      p->id, strerror(-err)),
							 "apply again"),
					       "p%u", p->id),
				   err);
			continue;
		}
		err = counters_reader_init(open.dir_fd, &reader);
		if (!err)
			err = read_hook_counters(r, p, &reader, first_hook);
		if (!err)
			err = read_rules(r, p, &reader);
		if (!err)
			err = status_tunnels_add(r->state, p, &reader, tunnels);
		if (!err)
			err = read_fixed(r, p, &open);
		counters_reader_done(&reader);
		pipeline_close(&open);
		if (err) {
			diag_errno(diag_object(diag_error(r->diags, NULL, "cannot read counters: %s", strerror(-err)), "p%u",
					       p->id),
				   err);
			return err;
		}
	}
	e = status_tunnels_stations(r->state, r->owner_fd, tunnels);
	if (e)
		diag_errno(diag_error(r->diags, NULL, "cannot read learned stations: %s", strerror(-e)), e);
	return e ? e : put_tunnels(r, tunnels);
}

/* --- neighbours ----------------------------------------------------------------------------------------------- */

static void add_neighbour(struct reading *r, struct tcctl_status_hook *hook, const char *kind, uint32_t prio,
			  const char *name, uint32_t id, bool ahead)
{
	struct tcctl_status_neighbour *out = GROW(r, neighbours);

	if (r->err)
		return;
	*out = (struct tcctl_status_neighbour){
		.sz = sizeof(*out), .device = hook->device, .direction = hook->direction, .kind = kind, .prio = prio,
		.name = name && *name ? keep_text(r, name) : NULL, .program_id = id, .ahead = ahead,
	};
	hook->ahead += ahead;
}

static void add_tcx(void *arg, size_t i, const struct nl_tcx *tcx)
{
	struct reading *r = arg;

	for (size_t k = 0; k < tcx->n; k++)
		add_neighbour(r, &r->st->hooks[i], "tcx", 0, tcx->items[k].name, tcx->items[k].prog_id, true);
}

/* Of every hook in the status. */
static int read_neighbours(struct reading *r, const struct filters *filters)
{
	const size_t n = r->st->n_hooks;
	_cleanup_free_ struct neighbours_hook *hooks = calloc(n + 1, sizeof(*hooks));

	if (!hooks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		hooks[i] = (struct neighbours_hook){ r->st->hooks[i].ifindex,
						     strcmp(r->st->hooks[i].direction, model_dir_name(SPEC_INGRESS)) ?
							     SPEC_EGRESS :
							     SPEC_INGRESS };
	neighbours_tcx(r->t->netns_fd, hooks, n, add_tcx, r);
	for (size_t i = 0; i < n && !r->err; i++) {
		struct tcctl_status_hook *hook = &r->st->hooks[i];
		const struct nl_filters *there = filters_at(filters, hook->ifindex, hooks[i].dir);
		bool ahead = true;

		for (size_t k = 0; there && k < there->n; k++) {
			const struct nl_filter *f = &there->items[k];

			if (f->chain) /* reached from elsewhere only */
				continue;
			if (f->key.prio == hook->prio && f->key.handle == hook->handle) {
				ahead = false;
				continue;
			}
			add_neighbour(r, hook, "filter", f->key.prio, f->name[0] ? f->name : f->kind, f->prog_id,
				      ahead && f->key.prio <= hook->prio);
		}
	}
	return r->err;
}

/* --- all ------------------------------------------------------------------------------------------------------ */

/* *ret_known: there is a state. */
static int read_owner(struct reading *r, const char *owner, bool *ret_known)
{
	struct state_record record = {};
	_cleanup_close_ int fd = -1;
	const size_t first_hook = r->st->n_hooks;
	struct state state = {};
	int err;

	err = context_owner_open(r->t, owner, r->diags, &fd);
	if (!err)
		err = state_read(fd, owner, r->diags, &record);
	if (err == -ENOENT) /* removed at this moment, or being made */
		return 0;
	if (err)
		return err;
	*ret_known = true;
	if (record.has_next)
		diag_hint(diag_add(r->diags, DIAG_NOTE, NULL, "a change of '%s' is under way or was cut short", owner),
			  "if no tcctl is running: apply again finishes it");
	err = recover_state(owner, fd, r->t->nl, &record, r->diags, &state);
	if (err)
		return err;
	r->owner = keep_text(r, owner);
	r->owner_fd = fd;
	r->state = &state;
	err = read_hooks(r);
	if (!err && !r->o.no_counters)
		err = read_counters(r, first_hook);
	r->state = NULL;
	state_done(&state);
	return err;
}

/* Filters of ours that no state knows. */
static int warn_of_leftovers(struct reading *r, const struct filters *filters, char **owners, const bool *has_state,
			     size_t n_owners)
{
	struct leftover *items = NULL;
	struct nl_links links = {};
	size_t n = 0;
	int err;

	err = nl_links_dump(r->t->nl, &links);
	if (err)
		diag_errno(diag_error(r->diags, NULL, "cannot list devices: %s", strerror(-err)), err);
	else
		err = leftovers_in(filters, &links, r->o.name, &items, &n);
	for (size_t i = 0; i < n; i++) {
		bool known = false;

		for (size_t k = 0; k < n_owners && !known; k++)
			known = has_state[k] && !strcmp(owners[k], items[i].owner);
		if (!known)
			diag_device(diag_hint(diag_warning(r->diags, NULL,
							   "filter %s at prio %u is left over: what was stored about it is gone",
							   items[i].name, items[i].key.prio),
					      "`tcctl remove --name %s` removes it, `tcctl apply` replaces it",
					      items[i].owner),
				    "%s %s", items[i].device,
				    items[i].key.parent == nl_parent(SPEC_INGRESS) ? "ingress" : "egress");
	}
	leftovers_done(items, n);
	nl_links_done(&links);
	return err;
}

/* Everybody's filters, read once: behind the state, so that what was attached meanwhile is known. */
static int read_others(struct reading *r, char **owners, const bool *has_state, size_t n_owners)
{
	struct filters filters = {};
	int err = filters_read_all(r->t->nl, &filters);

	if (err)
		diag_errno(diag_error(r->diags, NULL, "cannot read filters: %s", strerror(-err)), err);
	if (!err)
		err = read_neighbours(r, &filters);
	if (!err)
		err = warn_of_leftovers(r, &filters, owners, has_state, n_owners);
	filters_done(&filters);
	return err;
}

int tcctl_status(struct tcctl *t, const struct tcctl_status_options *options, struct tcctl_diags *diags,
		 struct tcctl_status **ret_status)
{
	struct reading r = { .t = t, .diags = diags };
	_cleanup_free_ bool *has_state = NULL;
	char **owners = NULL;
	size_t n = 0;
	int err;

	err = record_options(&r.o, sizeof(r.o), options);
	if (err)
		return err;
	r.st = calloc(1, sizeof(*r.st));
	if (!r.st)
		return -ENOMEM;
	err = tcctl_owners(t, diags, &owners, &n);
	has_state = calloc(n + 1, sizeof(*has_state));
	if (!err && !has_state)
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		if (!r.o.name || !strcmp(r.o.name, owners[i]))
			err = read_owner(&r, owners[i], &has_state[i]);
	if (!err && !r.o.no_neighbours)
		err = read_others(&r, owners, has_state, n);
	tcctl_owners_free(owners, n);
	if (err) {
		tcctl_status_free(r.st);
		return err;
	}
	*ret_status = r.st;
	return 0;
}
