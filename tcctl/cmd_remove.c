// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cmd.h"
#include "out.h"

int cmd_remove(const struct options *options)
{
	struct tcctl_result result = { .sz = sizeof(result) };
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl *tcctl = NULL;
	int err;

	err = open_context(options, diags, &tcctl);
	if (!err)
		err = tcctl_remove(tcctl, options->name, diags, &result);
	if (!err && json)
		result_json(&result, json);
	else if (!err && !options->quiet && result.changed)
		printf("removed %zu hook%s and %zu pipeline%s\n", result.hooks_removed,
		       result.hooks_removed == 1 ? "" : "s", result.pipelines_removed,
		       result.pipelines_removed == 1 ? "" : "s");
	else if (!err && !options->quiet)
		printf("nothing to remove\n");
	tcctl_close(tcctl);
	return finish(options, err, EXIT_OK, diags, json);
}
