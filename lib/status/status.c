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
#include "leftover.h"
#include "neighbours.h"
#include "observe.h"
#include "pin.h"
#include "pipeline.h"
#include "record.h"
#include "tx/recover.h"
#include "state.h"
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
};
_Static_assert(ARRAY_SIZE(reasons) == TCCTL_R_MAX, "a text for each reason");

struct reading {
	struct tcctl *t;
	struct tcctl_status *st;
	struct tcctl_status_options o;
	struct tcctl_diags *diags;
	struct nl_links links;
	const char *owner;
	const struct state *state;
	int owner_fd;
	int err; /* sticky: no memory */
};

/* A copy that lives as long as the status. */
__attribute__((format(printf, 2, 3))) static const char *keep(struct reading *r, const char *fmt, ...)
{
	struct tcctl_status *st = r->st;
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		goto fail;
	if (st->n_strings == st->cap_strings) {
		size_t cap = st->cap_strings ? st->cap_strings * 2 : 64;
		char **strings = realloc(st->strings, cap * sizeof(*strings));

		if (!strings) {
			free(s);
			goto fail;
		}
		st->strings = strings;
		st->cap_strings = cap;
	}
	return st->strings[st->n_strings++] = s;
fail:
	r->err = -ENOMEM;
	return "";
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

static enum tcctl_hook_state judge(const struct reading *r, const struct state_hook *h, const struct nl_op *op)
{
	const struct state_pipeline *p = state_pipeline_find(r->state, h->pipeline);
	char name[NL_BPF_NAME_MAX];

	if (op->err == -ENODEV || !nl_links_by_index(&r->links, h->ifindex))
		return TCCTL_HOOK_GONE;
	if (op->err)
		return TCCTL_HOOK_MISSING;
	observe_filter_name(name, r->owner, h->pipeline);
	if (op->found->prog_id != p->root_id || strcmp(op->found->name, name) || op->found->classid != h->hook_id)
		return TCCTL_HOOK_REPLACED;
	return TCCTL_HOOK_ATTACHED;
}

static int read_hooks(struct reading *r)
{
	const struct state *s = r->state;
	_cleanup_free_ struct nl_op *ops = calloc(s->n_hooks + 1, sizeof(*ops));
	_cleanup_free_ struct nl_filter *found = calloc(s->n_hooks + 1, sizeof(*found));
	int err;

	if (!ops || !found)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_hooks; i++) {
		const struct state_hook *h = &s->hooks[i];

		ops[i] = (struct nl_op){ .type = NL_OP_FILTER_GET,
					 .key = { .ifindex = h->ifindex, .parent = nl_parent(h->dir), .prio = h->prio,
						  .handle = h->handle },
					 .found = &found[i] };
	}
	err = s->n_hooks ? nl_run(r->t->nl, ops, s->n_hooks) : 0;
	if (err) {
		diag_errno(diag_error(r->diags, NULL, "cannot read filters: %s", strerror(-err)), err);
		return err;
	}
	for (size_t i = 0; i < s->n_hooks; i++) {
		const struct state_hook *h = &s->hooks[i];
		const struct nl_link *link = nl_links_by_index(&r->links, h->ifindex);
		struct tcctl_status_hook *out = GROW(r, hooks);

		if (r->err)
			break;
		*out = (struct tcctl_status_hook){
			.sz = sizeof(*out), .owner = r->owner, .device = keep(r, "%s", link ? link->name : h->device),
			.ifindex = h->ifindex, .direction = model_dir_name(h->dir), .pipeline = h->pipeline,
			.state = judge(r, h, &ops[i]), .prio = h->prio, .handle = h->handle,
			.program_id = ops[i].err ? 0 : found[i].prog_id,
			.clsact_ours = state_clsact_find(s, h->ifindex),
			.order = keep(r, "%s", state_pipeline_find(s, h->pipeline)->order),
		};
	}
	return r->err;
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
		err = counters_reader_get(reader,
					  TCCTL_CHUNK_HOOKS * TCCTL_CHUNK + (h->hook_id >> TCCTL_HOOK_INDEX_SHIFT), &c);
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
	const char *set = p->ruleset ? keep(r, "%s", p->ruleset) : NULL;
	const size_t first = r->st->n_rules;

	if (!sums || !used || !names)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_classes; i++) {
		add(&sums[i], &p->classes[i].retired);
		used[i] = p->classes[i].retired.packets > 0;
		names[i] = keep(r, "%s", p->classes[i].name);
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
			.name = k->name ? keep(r, "%s", k->name) : NULL, .class_name = names[k->class],
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
	return keep(r, "%s", info.name);
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
						     keep(r, "%s", pipeline_slot_name(table, slot, name)),
			.program = !id ? NULL : ours && ours->prog_id == id ? keep(r, "%s", ours->name) :
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

static int read_counters(struct reading *r, size_t first_hook)
{
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
	return 0;
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
		.name = name && *name ? keep(r, "%s", name) : NULL, .program_id = id, .ahead = ahead,
	};
	hook->ahead += ahead;
}

static int read_neighbours(struct reading *r, size_t first_hook)
{
	const size_t n = r->state->n_hooks;
	struct neighbours_hook *hooks = calloc(n + 1, sizeof(*hooks));

	if (!hooks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct state_hook *h = &r->state->hooks[i];

		hooks[i] = (struct neighbours_hook){ .ifindex = h->ifindex, .dir = h->dir, .prio = h->prio,
						     .handle = h->handle };
	}
	neighbours_tcx(r->t->netns_fd, hooks, n);
	neighbours_filters(r->t->nl, hooks, n);
	for (size_t i = 0; i < n && !r->err; i++) {
		struct tcctl_status_hook *hook = &r->st->hooks[first_hook + i];
		bool ahead = true;

		for (size_t k = 0; k < hooks[i].tcx.n; k++)
			add_neighbour(r, hook, "tcx", 0, hooks[i].tcx.items[k].name, hooks[i].tcx.items[k].prog_id, true);
		for (size_t k = 0; k < hooks[i].filters.n; k++) {
			const struct nl_filter *f = &hooks[i].filters.items[k];

			if (f->chain) /* reached from elsewhere only */
				continue;
			if (f->key.prio == hooks[i].prio && f->key.handle == hooks[i].handle) {
				ahead = false;
				continue;
			}
			add_neighbour(r, hook, "filter", f->key.prio, f->name[0] ? f->name : f->kind, f->prog_id,
				      ahead && f->key.prio <= hooks[i].prio);
		}
	}
	neighbours_done(hooks, n);
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
	r->owner = keep(r, "%s", owner);
	r->owner_fd = fd;
	r->state = &state;
	err = read_hooks(r);
	if (!err && !r->o.no_counters)
		err = read_counters(r, first_hook);
	if (!err && !r->o.no_neighbours)
		err = read_neighbours(r, first_hook);
	r->state = NULL;
	state_done(&state);
	return err;
}

/* Filters of ours that no state knows. */
static int warn_of_leftovers(struct reading *r, char **owners, const bool *has_state, size_t n_owners)
{
	struct leftover *items = NULL;
	size_t n = 0;
	int err;

	err = leftovers_find(r->t->nl, &r->links, r->o.name, r->diags, &items, &n);
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
	err = nl_links_dump(t->nl, &r.links);
	if (err)
		diag_errno(diag_error(diags, NULL, "cannot list devices: %s", strerror(-err)), err);
	if (!err)
		err = tcctl_owners(t, diags, &owners, &n);
	has_state = calloc(n + 1, sizeof(*has_state));
	if (!err && !has_state)
		err = -ENOMEM;
	for (size_t i = 0; i < n && !err; i++)
		if (!r.o.name || !strcmp(r.o.name, owners[i]))
			err = read_owner(&r, owners[i], &has_state[i]);
	if (!err && !r.o.no_neighbours)
		err = warn_of_leftovers(&r, owners, has_state, n);
	tcctl_owners_free(owners, n);
	nl_links_done(&r.links);
	if (err) {
		tcctl_status_free(r.st);
		return err;
	}
	*ret_status = r.st;
	return 0;
}
