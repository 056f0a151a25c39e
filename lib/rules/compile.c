/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Laying an arena out: header, roots, classes, trees, set tries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "../util.h"
#include "box.h"

/* Boxes are what memory and time follow: so many for each budgeted entry, copies included. */
#define BYTES_PER_BOX 48
#define FLOW_CACHE (2048 * 64) /* `flows` of tcctl/maps.h */

struct compile {
	const struct spec *spec;
	const struct spec_ruleset *set;
	struct tcctl_diags *diags;
	size_t max_bytes;
	const uint16_t *tunnel_ids;
	struct box_mode mode;
	struct box_sets sets;
	struct boxes boxes[ARENA_VIEWS];
	struct tree_rule *rules;
	struct arena_buf a;
	struct tree_stats stats;
	size_t set_depth;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void class_row(const struct spec_class *c, const uint16_t *tunnel_ids, struct tcctl_class_row *row)
{
	*row = (struct tcctl_class_row){
		.flags = c->flags,
		.mark = c->mark & c->mark_mask,
		.mark_mask = c->mark_mask,
		.priority = c->priority,
		.queue = (uint16_t)(c->queue + 1), /* the kernel counts from 1 here, 0 is "not set" */
		.tc_index = c->tc_index,
		.dscp = c->dscp,
	};
	if (!tunnel_ids)
		row->flags &= ~TCCTL_C_TUNNEL;
	else if (c->flags & TCCTL_C_TUNNEL && c->tunnel != SPEC_NONE)
		row->tunnel = tunnel_ids[c->tunnel];
}

static int expand(struct compile *c)
{
	size_t max = c->max_bytes / BYTES_PER_BOX, rule = 0;

	for (unsigned int v = 0; v < ARENA_VIEWS; v++) {
		bool src_local = v & 2;
		int err;

		if (src_local && !c->mode.views)
			continue;
		err = boxes_expand(c->spec, c->set, &c->mode, v & 1 ? 6 : 4, src_local, max, &c->sets, &c->boxes[v],
				   &rule);
		if (err == -E2BIG)
			diag_hint(diag_error(c->diags, &c->set->rules[rule].loc,
					     "rule %zu of rule set %s takes the set beyond %zu elementary matches, "
					     "which is what its budget of %zu MiB holds",
					     rule + 1, c->set->name, max, c->max_bytes >> 20),
				  "split the rule, or make its lists of ports and addresses shorter");
		if (err)
			return err;
	}
	return 0;
}

/* Line 0, line 1, class table. */
static int begin(struct compile *c, uint32_t *ret_classes)
{
	uint32_t base;
	int err = arena_buf_grow(&c->a, 2, &base);

	if (!err)
		err = arena_buf_grow(&c->a, (c->spec->n_classes + ARENA_ROWS - 1) / ARENA_ROWS, ret_classes);
	if (err)
		return err;
	for (size_t i = 0; i < c->spec->n_classes; i++)
		class_row(&c->spec->classes[i], c->tunnel_ids, (struct tcctl_class_row *)(c->a.lines + *ret_classes) + i);
	return 0;
}

static int build(struct compile *c, struct arena_roots *roots)
{
	int err = 0;

	for (unsigned int v = 0; v < ARENA_VIEWS && !err; v++) {
		if (v & 2 && !c->mode.views) {
			roots->view[v] = roots->view[v & 1];
			continue;
		}
		err = trees_build(&c->boxes[v], v & 1 ? 6 : 4, c->rules, &c->a, &roots->view[v].first,
				  &roots->view[v].end, &c->stats);
	}
	for (unsigned int side = 0; side < 2 && !err; side++)
		for (unsigned int six = 0; six < 2 && !err; six++) {
			size_t depth = 0;

			err = set_trie_build(&c->sets, side, six ? 6 : 4, &c->a, &roots->set[side][six], &depth);
			if (depth > c->set_depth)
				c->set_depth = depth;
		}
	return err;
}

static int fresh(void *p, size_t len)
{
	return getrandom(p, len, 0) == (ssize_t)len ? 0 : -EIO;
}

static int finish(struct compile *c, const struct arena_roots *roots, uint32_t classes)
{
	struct arena_header h = {
		.magic = ARENA_MAGIC,
		.n_lines = (uint32_t)c->a.n,
		.used = c->mode.used,
		.class_base = classes,
		.n_classes = (uint32_t)c->spec->n_classes,
		.n_rules = (uint32_t)c->set->n_rules,
	};
	int err;

	if (c->sets.n[0] || c->sets.n[1])
		h.used |= ARENA_USE_SETS;
	/* A set and little else is found in a few lines, and its traffic is often without locality: then a miss in
	 * the flow cache, and the write that follows, cost more than its hits save. */
	if (h.used & ARENA_USE_SETS && c->stats.depth <= 4)
		h.used |= ARENA_NO_CACHE;
	err = fresh(&h.stamp, sizeof(h.stamp));
	if (!err)
		err = fresh(&h.seed, sizeof(h.seed));
	if (err)
		return err;
	if (!h.stamp)
		h.stamp = 1;
	memcpy(&c->a.lines[0], &h, sizeof(h));
	memcpy(&c->a.lines[1], roots, sizeof(*roots));
	return 0;
}

static void compile_done(struct compile *c)
{
	box_sets_done(&c->sets);
	for (unsigned int v = 0; v < ARENA_VIEWS; v++)
		boxes_done(&c->boxes[v]);
	free(c->rules);
	free(c->a.lines);
}

static int compile(struct compile *c, const uint32_t *counter_ids, struct rules_arena *ret_arena)
{
	struct arena_roots roots = {};
	uint32_t classes = 0;
	size_t n_boxes = 0;
	int err;

	if (c->set->n_rules >= ARENA_NO_RULE) {
		diag_error(c->diags, &c->set->loc, "rule set %s has %zu rules, at most %u are possible", c->set->name,
			   c->set->n_rules, ARENA_NO_RULE - 1);
		return -E2BIG;
	}
	c->rules = calloc(c->set->n_rules + 1, sizeof(*c->rules));
	if (!c->rules)
		return -ENOMEM;
	for (size_t i = 0; i < c->set->n_rules; i++) {
		uint32_t class = (uint32_t)c->set->rules[i].class;

		if (c->spec->classes[class].flags & TCCTL_C_DROP)
			c->rules[i].class = ARENA_E_DROP;
		c->rules[i].class |= class;
		c->rules[i].counter = counter_ids[i];
	}
	box_mode_of(c->set, &c->mode);
	err = expand(c);
	if (err)
		return err;
	err = begin(c, &classes);
	if (!err)
		err = build(c, &roots);
	for (unsigned int v = 0; v < ARENA_VIEWS; v++)
		n_boxes += c->boxes[v].n;
	if (err == -E2BIG) {
		diag_hint(diag_error(c->diags, &c->set->loc,
				     "rule set %s (%zu rules, %zu elementary matches) needs more than its budget of "
				     "%zu MiB",
				     c->set->name, c->set->n_rules, n_boxes, c->max_bytes >> 20),
			  "fewer rules that overlap in several fields at once, or a bigger budget");
	} else if (err == -EOVERFLOW && !c->stats.depth) {
		err = -E2BIG;
		diag_hint(diag_error(c->diags, &c->set->loc,
				     "rule set %s (%zu rules, %zu elementary matches) takes more work to compile than is allowed: "
				     "%.1f thousand million comparisons did not do",
				     c->set->name, c->set->n_rules, n_boxes, c->stats.work / 1e9),
			  "too many rules overlap in several ranges at once; make them more specific");
	} else if (err == -EOVERFLOW) {
		err = -E2BIG;
		diag_hint(diag_error(c->diags, &c->set->loc,
				     "rule set %s (%zu rules, %zu elementary matches) would make a packet walk %zu table "
				     "lines, at most %d are allowed, and take %zu MiB",
				     c->set->name, c->set->n_rules, n_boxes, c->stats.depth, ARENA_STEPS - 1,
				     c->stats.lines * ARENA_LINE >> 20),
			  "too many rules overlap in several ranges at once; make them more specific");
	}
	if (!err)
		err = finish(c, &roots, classes);
	if (err)
		return err;
	*ret_arena = (struct rules_arena){ .lines = TAKE_PTR(c->a.lines), .n_lines = c->a.n };
	return 0;
}

int rules_compile(const struct spec *spec, const struct spec_ruleset *set, const uint32_t *counter_ids,
		  const struct rules_options *options, struct tcctl_diags *diags, struct rules_arena *ret_arena,
		  struct rules_stats *ret_stats)
{
	struct compile c = { .spec = spec, .set = set, .diags = diags, .max_bytes = RULES_BUDGET_DEFAULT };
	double t0 = now();
	int err;

	if (options && options->max_bytes)
		c.max_bytes = options->max_bytes;
	if (options)
		c.tunnel_ids = options->tunnel_ids;
	c.a.max = c.max_bytes / ARENA_LINE < ARENA_LINES_MAX ? c.max_bytes / ARENA_LINE : ARENA_LINES_MAX;
	err = compile(&c, counter_ids, ret_arena);
	if (!err && ret_stats)
		*ret_stats = (struct rules_stats){
			.bytes = ret_arena->n_lines * ARENA_LINE,
			.counters = set->n_rules,
			.bytes_per_cpu = (set->n_rules + TCCTL_CHUNK - 1) / TCCTL_CHUNK * TCCTL_CHUNK *
						 sizeof(struct tcctl_counter) + FLOW_CACHE,
			.depth_max = c.stats.depth + c.set_depth,
			.compile_seconds = now() - t0,
			.work = c.stats.work,
		};
	compile_done(&c);
	return err;
}

void rules_arena_done(struct rules_arena *arena)
{
	free(arena->lines);
	*arena = (struct rules_arena){};
}
