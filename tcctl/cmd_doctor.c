// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "out.h"

static enum colour state_colour(enum tcctl_finding_state state)
{
	switch (state) {
	case TCCTL_FINDING_OK: return GREEN;
	case TCCTL_FINDING_LIMITED:
	case TCCTL_FINDING_NO: return YELLOW;
	case TCCTL_FINDING_FATAL: return RED;
	default: return PLAIN;
	}
}

static void doctor_print(const struct tcctl_doctor *doctor)
{
	struct tcctl_finding f = { .sz = sizeof(f) };
	const char *group = "";
	size_t width = 0;

	for (size_t i = 0; i < tcctl_doctor_count(doctor); i++)
		if (!tcctl_doctor_get(doctor, i, &f) && strlen(f.name) > width)
			width = strlen(f.name);
	for (size_t i = 0; i < tcctl_doctor_count(doctor); i++) {
		if (tcctl_doctor_get(doctor, i, &f))
			continue;
		if (strcmp(group, f.group)) {
			printf("%s%s%s%s\n", group[0] ? "\n" : "", colour(stdout, BOLD), f.group,
			       colour(stdout, PLAIN));
			group = f.group;
		}
		printf("  %s%-7s%s  %-*s  ", colour(stdout, state_colour(f.state)),
		       tcctl_finding_state_name(f.state), colour(stdout, PLAIN), (int)width, f.name);
		put_text(stdout, f.found);
		putchar('\n');
		if (f.hint) {
			printf("  %*s→ ", (int)width + 11, "");
			put_text(stdout, f.hint);
			putchar('\n');
		}
	}
}

static struct json_object *doctor_json(const struct tcctl_doctor *doctor)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_finding f = { .sz = sizeof(f) };

	for (size_t i = 0; i < tcctl_doctor_count(doctor); i++) {
		struct json_object *o;

		if (tcctl_doctor_get(doctor, i, &f))
			continue;
		o = json_object_new_object();
		json_add_text(o, "group", f.group);
		json_add_text(o, "name", f.name);
		json_add_text(o, "state", tcctl_finding_state_name(f.state));
		json_add_text(o, "found", f.found);
		json_add_text(o, "hint", f.hint);
		json_object_array_add(list, o);
	}
	return list;
}

int cmd_doctor(const struct options *options)
{
	struct tcctl_open_options open_options = { .sz = sizeof(open_options),
						   .netns = options->netns,
						   .bpffs = options->bpffs };
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl_finding f = { .sz = sizeof(f) };
	struct tcctl_doctor *doctor = NULL;
	size_t fatal = 0;
	int err;

	err = tcctl_doctor(&open_options, diags, &doctor);
	if (!err) {
		for (size_t i = 0; i < tcctl_doctor_count(doctor); i++)
			fatal += !tcctl_doctor_get(doctor, i, &f) && f.state == TCCTL_FINDING_FATAL;
		if (json)
			json_add(json, "findings", doctor_json(doctor));
		else
			doctor_print(doctor);
		if (!json && fatal)
			printf("\ntcctl cannot work here as it is: see what is marked `%s`\n",
			       tcctl_finding_state_name(TCCTL_FINDING_FATAL));
	}
	tcctl_doctor_free(doctor);
	return finish(options, err, fatal ? EXIT_ERROR : EXIT_OK, diags, json);
}
