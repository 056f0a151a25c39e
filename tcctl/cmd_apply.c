// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cmd.h"
#include "out.h"

struct count {
	size_t n;
	const char *what;
};

/* " (2 added, 1 removed)", without those that are 0. */
static void print_counts(const struct count *counts)
{
	const char *before = " (";

	for (; counts->what; counts++)
		if (counts->n) {
			printf("%s%zu %s", before, counts->n, counts->what);
			before = ", ";
		}
	if (before[0] == ',')
		putchar(')');
}

static void print_summary(const struct tcctl_result *r)
{
	if (!r->changed) {
		printf("nothing to do: %zu hook%s as the configuration says\n", r->hooks,
		       r->hooks == 1 ? " is" : "s are");
		return;
	}
	printf("done in %.0f ms: %zu hook%s", r->seconds * 1000, r->hooks, r->hooks == 1 ? "" : "s");
	print_counts((const struct count[]){ { r->hooks_added, "added" },
					     { r->hooks_replaced, "replaced" },
					     { r->hooks_removed, "removed" },
					     { 0, NULL } });
	printf(", %zu pipeline%s", r->pipelines, r->pipelines == 1 ? "" : "s");
	print_counts((const struct count[]){ { r->pipelines_added, "loaded" },
					     { r->pipelines_swapped, "reloaded" },
					     { r->pipelines_rules, "with new rules" },
					     { r->pipelines_tunnels, "with new tunnels" },
					     { r->pipelines_removed, "removed" },
					     { 0, NULL } });
	putchar('\n');
}

int cmd_apply(const struct options *options)
{
	struct tcctl_apply_options apply_options = { .sz = sizeof(apply_options) };
	struct tcctl_result result = { .sz = sizeof(result) };
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl_config *config = NULL;
	struct tcctl_plan *plan = NULL;
	struct tcctl *tcctl = NULL;
	int err;

	err = load_config(options, diags, &config);
	if (!err)
		err = open_context(options, diags, &tcctl);
	if (!err)
		err = tcctl_apply(tcctl, config, &apply_options, diags, &plan, &result);
	if (!err && json) {
		plan_json(plan, json);
		result_json(&result, json);
	} else if (!err && !options->quiet) {
		if (result.changed)
			plan_print(plan, options->verbose);
		print_summary(&result);
	} else if (err) {
		json_add_bool(json, "changed", false);
	}
	tcctl_plan_free(plan);
	tcctl_config_free(config);
	tcctl_close(tcctl);
	return finish(options, err, EXIT_OK, diags, json);
}
