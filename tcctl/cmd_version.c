// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "out.h"

int cmd_version(const struct options *options)
{
	struct json_object *json = json_begin(options);
	struct utsname u = { 0 };

	uname(&u);
	if (json) {
		json_add_text(json, "libbpf", libbpf_version_string());
		json_add_text(json, "kernel", u.release);
	} else {
		printf("tcctl %s, libbpf %s, kernel %s\n", tcctl_version(), libbpf_version_string(),
		       u.release);
	}
	return finish(options, 0, EXIT_OK, tcctl_diags_new(), json);
}
