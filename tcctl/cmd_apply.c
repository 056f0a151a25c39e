// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cmd.h"
#include "out.h"

static void print_summary(const struct tcctl_result *r)
{
	if (!r->changed) {
		printf("nothing to do: %zu hook%s as the configuration says\n", r->hooks, r->hooks == 1 ? " is" : "s are");
		return;
	}
	printf("done in %.0f ms: %zu hook%s", r->seconds * 1000, r->hooks, r->hooks == 1 ? "" : "s");
	if (r->hooks_added + r->hooks_replaced + r->hooks_removed)
		printf(" (%zu added, %zu replaced, %zu removed)", r->hooks_added, r->hooks_replaced, r->hooks_removed);
	printf(", %zu pipeline%s", r->pipelines, r->pipelines == 1 ? "" : "s");
	if (r->pipelines_added)
		printf(", %zu loaded", r->pipelines_added);
	if (r->pipelines_swapped)
		printf(", %zu reloaded", r->pipelines_swapped);
	if (r->pipelines_rules)
		printf(", %zu with new rules", r->pipelines_rules);
	if (r->pipelines_removed)
		printf(", %zu removed", r->pipelines_removed);
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
