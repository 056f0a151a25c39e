// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "cmd.h"
#include "out.h"

int cmd_plan(const struct options *options)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl_config *config = NULL;
	struct tcctl_plan *plan = NULL;
	struct tcctl *tcctl = NULL;
	size_t n = 0;
	int err;

	err = load_config(options, diags, &config);
	if (!err)
		err = open_context(options, diags, &tcctl);
	if (!err)
		err = tcctl_plan(tcctl, config, diags, &plan);
	if (!err) {
		n = tcctl_plan_count(plan);
		json_add_bool(json, "changed", n > 0);
		if (json) {
			plan_json(plan, json);
		} else if (!options->quiet) {
			plan_print(plan, options->verbose);
			if (n)
				printf("\n%zu change%s; nothing was done yet: `tcctl apply` does it\n", n,
				       n == 1 ? "" : "s");
			else
				printf("nothing to do: the kernel is as the configuration says\n");
		}
	}
	tcctl_plan_free(plan);
	tcctl_config_free(config);
	tcctl_close(tcctl);
	return finish(options, err, n ? EXIT_DIFFER : EXIT_OK, diags, json);
}
