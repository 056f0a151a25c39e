/* SPDX-License-Identifier: GPL-2.0-only */
/* One command, one file. Each takes its options and returns an exit code. */
#ifndef TCCTL_TOOL_CMD_H
#define TCCTL_TOOL_CMD_H

#include <json.h>

#include "options.h"
#include "tcctl.h"

int cmd_check(const struct options *options);
int cmd_plan(const struct options *options);
int cmd_apply(const struct options *options);
int cmd_status(const struct options *options);
int cmd_export(const struct options *options);
int cmd_remove(const struct options *options);
int cmd_doctor(const struct options *options);
int cmd_completion(const struct options *options);
int cmd_version(const struct options *options);

/* --- what several of them do (common.c) ----------------------------------------------------------------- */

/* Read the configuration that the arguments name, or the default one. */
int load_config(const struct options *options, struct tcctl_diags *diags, struct tcctl_config **ret_config);
/* Open the context of --netns and --bpffs, then give up the capabilities that only this needed. */
int open_context(const struct options *options, struct tcctl_diags *diags, struct tcctl **ret_tcctl);

/* Show the pipelines and steps of a plan; both forms. */
void plan_print(const struct tcctl_plan *plan, bool verbose);
void plan_json(const struct tcctl_plan *plan, struct json_object *to);
void result_json(const struct tcctl_result *result, struct json_object *to);

#endif
