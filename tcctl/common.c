// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "caps.h"
#include "cmd.h"
#include "diag.h"
#include "out.h"

int load_config(const struct options *options, struct tcctl_diags *diags, struct tcctl_config **ret_config)
{
	struct tcctl_config_options config_options = { .sz = sizeof(config_options), .base = options->base };
	size_t n = options->n_args ? options->n_args : 1;
	const char **paths;
	int err;

	if (!options->n_args && access(DEFAULT_CONFIG, F_OK)) {
		diag_hint(diag_errno(diag_error(diags, NULL, "no configuration: " DEFAULT_CONFIG " does not exist"),
				     ENOENT),
			  "name a file: `tcctl %s FILE`", options->command->name);
		return -ENOENT;
	}
	paths = calloc(n, sizeof(*paths));
	if (!paths)
		return -ENOMEM;
	paths[0] = DEFAULT_CONFIG;
	for (size_t i = 0; i < options->n_args; i++)
		paths[i] = strcmp(options->args[i], "-") ? options->args[i] : "/dev/stdin";
	err = tcctl_config_load(paths, n, &config_options, diags, ret_config);
	free(paths);
	return err;
}

static bool bpffs_missing(void)
{
	struct statfs fs;

	return statfs("/sys/fs/bpf", &fs) || (unsigned long)fs.f_type != BPF_FS_MAGIC;
}

int open_context(const struct options *options, struct tcctl_diags *diags, struct tcctl **ret_tcctl)
{
	struct tcctl_open_options open_options = {
		.sz = sizeof(open_options),
		.netns = options->netns,
		.bpffs = options->bpffs,
		.lock_ms = options->wait_ms,
		.prio = options->prio,
	};
	int err;

	err = tcctl_open(&open_options, diags, ret_tcctl);
	if (err)
		return err;
	/* Into another namespace we go again and again (TCX answers for the caller's own), `status` looks up the programs
	 * of others, and a bpffs that is missing is mounted when there is something to pin. */
	err = caps_drop(options->netns || options->command == &commands[CMD_STATUS] || bpffs_missing());
	if (err)
		diag_errno(diag_error(diags, NULL, "giving up capabilities failed: %s", strerror(-err)), err);
	return err;
}

static const char *step_sign(enum tcctl_step_kind kind)
{
	switch (kind) {
	case TCCTL_STEP_PIPELINE_ADD:
	case TCCTL_STEP_CLSACT_ADD:
	case TCCTL_STEP_DEVICE_ADD:
	case TCCTL_STEP_HOOK_ADD: return "+";
	case TCCTL_STEP_HOOK_REMOVE:
	case TCCTL_STEP_CLSACT_REMOVE:
	case TCCTL_STEP_DEVICE_REMOVE:
	case TCCTL_STEP_INTERFACE_REMOVE:
	case TCCTL_STEP_PIPELINE_REMOVE: return "-";
	default: return "~";
	}
}

void plan_print(const struct tcctl_plan *plan, bool verbose)
{
	static const bool right[] = { false, false, false };
	struct table order = { .right = right, .n_columns = 3 };
	struct tcctl_step step = { .sz = sizeof(step) };
	struct tcctl_order o = { .sz = sizeof(o) };
	size_t n = tcctl_plan_count(plan);
	char hook[300], pipeline[16];

	for (size_t i = 0; i < tcctl_plan_order_count(plan); i++) {
		if (tcctl_plan_order_get(plan, i, &o))
			continue;
		snprintf(hook, sizeof(hook), "%s %s", o.device, o.direction);
		snprintf(pipeline, sizeof(pipeline), "p%u", o.pipeline);
		table_row(&order, (const char *const[]){ hook, pipeline, o.text });
		table_colour(&order, 0, BOLD);
	}
	/* A router with a thousand interfaces: nobody reads them all. */
	if (order.n_rows > 40 && !verbose)
		printf("%zu hooks (-v lists them)\n", order.n_rows);
	else
		table_print(&order, "");
	if (order.n_rows && n)
		putchar('\n');
	table_done(&order);
	for (size_t i = 0; i < n; i++) {
		const char *sign;

		if (tcctl_plan_get(plan, i, &step))
			continue;
		if (i == 80 && n > 100 && !verbose) {
			printf("  … and %zu more (-v lists them)\n", n - i);
			break;
		}
		sign = step_sign(step.kind);
		printf("  %s%s%s ",
		       colour(stdout, *sign == '+' ? GREEN :
				      *sign == '-' ? RED :
						     YELLOW),
		       sign, colour(stdout, PLAIN));
		put_text(stdout, step.text);
		putchar('\n');
	}
}

void plan_json(const struct tcctl_plan *plan, struct json_object *to)
{
	struct json_object *steps = json_object_new_array(), *hooks = json_object_new_array(), *j;
	struct tcctl_step step = { .sz = sizeof(step) };
	struct tcctl_order o = { .sz = sizeof(o) };

	for (size_t i = 0; i < tcctl_plan_order_count(plan); i++) {
		if (tcctl_plan_order_get(plan, i, &o))
			continue;
		j = json_object_new_object();
		json_add_text(j, "device", o.device);
		json_add_text(j, "direction", o.direction);
		json_add_u64(j, "pipeline", o.pipeline);
		json_add_text(j, "order", o.text);
		json_object_array_add(hooks, j);
	}
	for (size_t i = 0; i < tcctl_plan_count(plan); i++) {
		if (tcctl_plan_get(plan, i, &step))
			continue;
		j = json_object_new_object();
		json_add_text(j, "kind", tcctl_step_kind_name(step.kind));
		json_add_text(j, "device", step.device);
		json_add_text(j, "direction", step.direction);
		if (step.pipeline)
			json_add_u64(j, "pipeline", step.pipeline);
		json_add_text(j, "text", step.text);
		json_object_array_add(steps, j);
	}
	json_add(to, "hooks", hooks);
	json_add(to, "steps", steps);
}

void result_json(const struct tcctl_result *result, struct json_object *to)
{
	struct json_object *hooks = json_object_new_object(), *pipelines = json_object_new_object(),
			   *seconds = json_object_new_object();

	json_add_bool(to, "changed", result->changed);
	json_add_u64(hooks, "attached", result->hooks);
	json_add_u64(hooks, "added", result->hooks_added);
	json_add_u64(hooks, "replaced", result->hooks_replaced);
	json_add_u64(hooks, "removed", result->hooks_removed);
	json_add(to, "hook_counts", hooks);
	json_add_u64(pipelines, "in_use", result->pipelines);
	json_add_u64(pipelines, "added", result->pipelines_added);
	json_add_u64(pipelines, "swapped", result->pipelines_swapped);
	json_add_u64(pipelines, "rules", result->pipelines_rules);
	json_add_u64(pipelines, "tunnels", result->pipelines_tunnels);
	json_add_u64(pipelines, "removed", result->pipelines_removed);
	json_add(to, "pipeline_counts", pipelines);
	json_add(seconds, "total", json_object_new_double(result->seconds));
	json_add(seconds, "load", json_object_new_double(result->load_seconds));
	json_add(seconds, "clsact", json_object_new_double(result->clsact_seconds));
	json_add(seconds, "filter", json_object_new_double(result->filter_seconds));
	json_add(to, "seconds", seconds);
}
