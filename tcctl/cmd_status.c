// SPDX-License-Identifier: GPL-2.0-only
/* The table; the JSON is in status_json.c. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "out.h"
#include "status.h"

#define RULES_SHOWN 60 /* with more of them, only those that counted something */

static const char *const count_titles[] = { "", "PACKETS", "SEGMENTS", "BYTES", "" };
static const bool count_right[] = { false, true, true, true, false };

struct cells {
	char packets[24], segments[24], bytes[32];
};

static void count_cells(const struct tcctl_count *c, struct cells *cells)
{
	snprintf(cells->packets, sizeof(cells->packets), "%" PRIu64, c->packets);
	snprintf(cells->segments, sizeof(cells->segments), "%" PRIu64, c->segments);
	bytes_text(c->bytes, cells->bytes);
}

static void count_row(struct table *t, const char *name, const struct tcctl_count *c, const char *remark)
{
	struct cells cells;

	count_cells(c, &cells);
	table_row(t, (const char *const[]){ name, cells.packets, cells.segments, cells.bytes, remark });
}

/* Tables of counters, one below the other, share their look; each prints its title and is emptied. */
static void count_table(struct table *t, const char *title)
{
	const char *titles[5];

	if (!t->n_rows)
		return;
	memcpy(titles, count_titles, sizeof(titles));
	titles[0] = title;
	t->titles = titles;
	putchar('\n');
	table_print(t, "");
	table_done(t);
}

static bool same_pipeline(const char *owner, unsigned int pipeline, const char *other_owner,
			  unsigned int other)
{
	return pipeline == other && !strcmp(owner, other_owner);
}

/* Behind each other, so that the screen reads: what runs, what it did, what stood out. */
static void print_pipeline(const struct tcctl_status *status, const char *owner, unsigned int pipeline,
			   const char *order, bool verbose)
{
	struct table t = { .right = count_right, .n_columns = 5 };
	struct tcctl_status_class class = { .sz = sizeof(class) };
	struct tcctl_status_rule rule = { .sz = sizeof(rule) };
	struct tcctl_status_slot slot = { .sz = sizeof(slot) };
	struct tcctl_status_reason reason = { .sz = sizeof(reason) };
	size_t n_rules = 0, hidden = 0;
	char name[300], remark[300];

	printf("\n%s%s p%u%s: ", colour(stdout, BOLD), owner, pipeline, colour(stdout, PLAIN));
	put_text(stdout, order ? order : "?");
	putchar('\n');

	for (size_t i = 0; i < tcctl_status_class_count(status); i++)
		if (!tcctl_status_class_get(status, i, &class) &&
		    same_pipeline(owner, pipeline, class.owner, class.pipeline))
			count_row(&t, class.name, &class.count, NULL);
	count_table(&t, "CLASS");

	for (size_t i = 0; i < tcctl_status_rule_count(status); i++)
		n_rules += !tcctl_status_rule_get(status, i, &rule) &&
			   same_pipeline(owner, pipeline, rule.owner, rule.pipeline);
	for (size_t i = 0; i < tcctl_status_rule_count(status); i++) {
		if (tcctl_status_rule_get(status, i, &rule) ||
		    !same_pipeline(owner, pipeline, rule.owner, rule.pipeline))
			continue;
		if (!rule.count.packets && n_rules > RULES_SHOWN && !verbose) {
			hidden++;
			continue;
		}
		if (rule.index == SIZE_MAX)
			snprintf(name, sizeof(name), "%s, a rule that is gone", rule.ruleset);
		else if (rule.name)
			snprintf(name, sizeof(name), "%s %zu, %s", rule.ruleset, rule.index + 1, rule.name);
		else
			snprintf(name, sizeof(name), "%s %zu", rule.ruleset, rule.index + 1);
		snprintf(remark, sizeof(remark), "→ %s", rule.class_name);
		count_row(&t, name, &rule.count, remark);
	}
	count_table(&t, "RULE");
	if (hidden)
		printf("%zu more rules have matched nothing (-v lists them)\n", hidden);

	for (size_t i = 0; i < tcctl_status_slot_count(status); i++) {
		if (tcctl_status_slot_get(status, i, &slot) ||
		    !same_pipeline(owner, pipeline, slot.owner, slot.pipeline))
			continue;
		snprintf(name, sizeof(name), "%s/%s", slot.table, slot.slot);
		if (slot.count.packets || (verbose && slot.program)) {
			/* Only what is not plain from the slot's name: a program of the user's. */
			count_row(&t, name, &slot.count,
				  slot.program && strcmp(slot.program, slot.slot) ? slot.program : NULL);
		}
		if (slot.empty.packets)
			count_row(&t, name, &slot.empty, "empty slot: these went on untouched");
	}
	count_table(&t, "HANDLED BY");

	for (size_t i = 0; i < tcctl_status_reason_count(status); i++) {
		if (tcctl_status_reason_get(status, i, &reason) ||
		    !same_pipeline(owner, pipeline, reason.owner, reason.pipeline) ||
		    (!reason.count.packets && !verbose))
			continue;
		snprintf(remark, sizeof(remark), "%s%s", reason.drop ? "DROPPED: " : "", reason.text);
		count_row(&t, reason.name, &reason.count, remark);
		if (reason.drop && reason.count.packets)
			table_colour(&t, 4, RED);
	}
	count_table(&t, "NOTED");
}

static void print_hooks(const struct tcctl_status *status)
{
	static const char *const titles[] = { "HOOK", "PIPELINE", "PACKETS", "SEGMENTS", "BYTES", "" };
	static const bool right[] = { false, false, true, true, true, false };
	struct table t = { .titles = titles, .right = right, .n_columns = 6 };
	struct tcctl_status_hook h = { .sz = sizeof(h) };

	for (size_t i = 0; i < tcctl_status_hook_count(status); i++) {
		char name[300], pipeline[300], remark[300] = "";
		struct cells cells;
		enum colour c = PLAIN;

		if (tcctl_status_hook_get(status, i, &h))
			continue;
		snprintf(name, sizeof(name), "%s %s", h.device, h.direction);
		snprintf(pipeline, sizeof(pipeline), "%s p%u", h.owner, h.pipeline);
		count_cells(&h.count, &cells);
		if (h.state != TCCTL_HOOK_ATTACHED) {
			static const char *const what[TCCTL_HOOK_STATE_MAX] = {
				[TCCTL_HOOK_MISSING] = "NOT ATTACHED: `tcctl apply` attaches it again",
				[TCCTL_HOOK_REPLACED] = "NOT OURS: another program is at our prio and handle",
				[TCCTL_HOOK_GONE] = "the device does not exist any more",
			};

			snprintf(remark, sizeof(remark), "%s",
				 (unsigned int)h.state < TCCTL_HOOK_STATE_MAX ? what[h.state] : "?");
			c = RED;
		} else if (h.ahead && !h.count.packets) {
			snprintf(remark, sizeof(remark),
				 "no packet seen; %zu program%s of others run%s first", h.ahead,
				 h.ahead == 1 ? "" : "s", h.ahead == 1 ? "s" : "");
			c = YELLOW;
		} else if (!h.count.packets) {
			snprintf(remark, sizeof(remark), "no packet seen");
			c = YELLOW;
		} else if (h.ahead) {
			snprintf(remark, sizeof(remark), "%zu program%s of others run%s first", h.ahead,
				 h.ahead == 1 ? "" : "s", h.ahead == 1 ? "s" : "");
		}
		table_row(&t, (const char *const[]){ name, pipeline, cells.packets, cells.segments,
						     cells.bytes, remark });
		table_colour(&t, 0, BOLD);
		table_colour(&t, 5, c);
	}
	table_print(&t, "");
	table_done(&t);
}

static void print_neighbours(const struct tcctl_status *status)
{
	static const char *const titles[] = { "OTHERS' PROGRAMS", "WHERE", "PROGRAM", "" };
	struct table t = { .titles = titles, .n_columns = 4 };
	struct tcctl_status_neighbour b = { .sz = sizeof(b) };

	for (size_t i = 0; i < tcctl_status_neighbour_count(status); i++) {
		char hook[300], where[40], program[300];

		if (tcctl_status_neighbour_get(status, i, &b))
			continue;
		snprintf(hook, sizeof(hook), "%s %s", b.device, b.direction);
		if (!strcmp(b.kind, "filter"))
			snprintf(where, sizeof(where), "filter, prio %u", b.prio);
		else
			snprintf(where, sizeof(where), "%s", b.kind);
		if (b.program_id)
			snprintf(program, sizeof(program), "%s (id %u)", b.name ? b.name : "?", b.program_id);
		else
			snprintf(program, sizeof(program), "%s", b.name ? b.name : "?");
		table_row(&t, (const char *const[]){ hook, where, program,
						     b.ahead ? "before us: can keep packets from us" :
							       "after us" });
		table_colour(&t, 3, b.ahead ? YELLOW : PLAIN);
	}
	if (t.n_rows)
		putchar('\n');
	table_print(&t, "");
	table_done(&t);
}

static void status_print(const struct tcctl_status *status, bool verbose)
{
	struct tcctl_status_hook h = { .sz = sizeof(h) }, seen = { .sz = sizeof(seen) };
	size_t n = tcctl_status_hook_count(status);

	if (!n) {
		printf("nothing is applied here\n");
		return;
	}
	print_hooks(status);
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		if (tcctl_status_hook_get(status, i, &h))
			continue;
		for (size_t j = 0; j < i && !again; j++)
			again = !tcctl_status_hook_get(status, j, &seen) &&
				same_pipeline(h.owner, h.pipeline, seen.owner, seen.pipeline);
		if (!again)
			print_pipeline(status, h.owner, h.pipeline, h.order, verbose);
	}
	status_print_tunnels(status);
	print_neighbours(status);
}

int cmd_status(const struct options *options)
{
	struct tcctl_status_options status_options = { .sz = sizeof(status_options),
							.name = options->name,
							.no_neighbours = options->ours };
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl_status *status = NULL;
	struct tcctl *tcctl = NULL;
	int err;

	err = open_context(options, diags, &tcctl);
	if (!err)
		err = tcctl_status(tcctl, &status_options, diags, &status);
	if (!err && json)
		status_json(status, json);
	else if (!err)
		status_print(status, options->verbose);
	err = finish(options, err, EXIT_OK, diags, json); /* prints the JSON, which reads the status */
	tcctl_status_free(status);
	tcctl_close(tcctl);
	return err;
}
