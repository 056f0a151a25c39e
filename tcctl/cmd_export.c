// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "out.h"

int cmd_export(const struct options *options)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl *tcctl = NULL;
	char *text = NULL;
	size_t len = 0;
	int err;

	err = open_context(options, diags, &tcctl);
	if (!err)
		err = tcctl_export(tcctl, options->name, diags, &text, &len);
	if (!err && json)
		json_add_text(json, "yaml", text);
	else if (!err)
		fwrite(text, 1, len, stdout);
	free(text);
	tcctl_close(tcctl);
	return finish(options, err, EXIT_OK, diags, json);
}
