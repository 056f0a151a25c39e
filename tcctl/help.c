// SPDX-License-Identifier: GPL-2.0-only
/* --help and shell completion, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "options.h"
#include "out.h"

static const char *args_text(const struct command *c)
{
	switch (c->args) {
	case ARGS_CONFIG: return " [FILE|FOLDER]...";
	case ARGS_SHELL: return " bash";
	default: return "";
	}
}

static void print_option(const struct option_row *row)
{
	char left[40], letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name, row->value ? " " : "",
		 row->value ? row->value : "");
	printf("  %-22s %s\n", left, row->help);
}

void help_print_all(void)
{
	printf("usage: tcctl COMMAND [OPTION]... [FILE|FOLDER]...\n"
	       "\n"
	       "Traffic control with eBPF, from one YAML file.\n"
	       "\n");
	for (size_t i = 0; i < CMD_MAX; i++)
		printf("  %-12s %s\n", commands[i].name, commands[i].summary);
	printf("\nWithout a file: " DEFAULT_CONFIG "/*.yaml. Options of a command: tcctl COMMAND --help.\n"
	       "Exit status: 0 done, 1 error, 2 `plan` found differences.\n"
	       "Manual: tcctl(8), tcctl.yaml(5).\n");
}

void help_print_command(const struct command *c)
{
	printf("usage: tcctl %s [OPTION]...%s\n\n", c->name, args_text(c));
	printf("%c%s.\n", c->summary[0] - 'a' + 'A', c->summary + 1);
	if (c->text[0])
		printf("%s\n", c->text);
	if (c->args == ARGS_CONFIG)
		printf("Folders stand for their *.yaml, in name order; without a FILE: " DEFAULT_CONFIG
		       ".\n");
	printf("\n");
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].commands & FOR(c - commands))
			print_option(&option_rows[i]);
}

static void print_options_of(unsigned int command)
{
	for (size_t i = 0; i < n_option_rows; i++) {
		if (!(option_rows[i].commands & command))
			continue;
		printf(" --%s", option_rows[i].name);
		if (option_rows[i].letter)
			printf(" -%c", option_rows[i].letter);
	}
}

/* Cases of `case $prev in` for options with values of one kind. */
static void print_value_case(enum complete complete, const char *body)
{
	bool any = false;

	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		if (!row->value || row->complete != complete)
			continue;
		printf("%s--%s", any ? " | " : "\t", row->name);
		if (row->letter)
			printf(" | -%c", row->letter);
		any = true;
	}
	if (any)
		printf(")\n\t\t%s\n\t\treturn ;;\n", body);
}

void completion_print_bash(void)
{
	printf("# bash completion for tcctl; made by `tcctl completion bash`\n"
	       "_tcctl() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i\n"
	       "\tCOMPREPLY=()\n"
	       "\tcase $prev in\n");
	print_value_case(COMPLETE_DIR, "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")");
	print_value_case(COMPLETE_NETNS,
			 "mapfile -t COMPREPLY < <(compgen -W \"$(ls /run/netns 2>/dev/null)\" -- \"$cur\")");
	print_value_case(COMPLETE_NONE, ":");
	printf("\tesac\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n"
	       "\t\t");
	for (size_t i = 0; i < CMD_MAX; i++)
		printf("%s%s", i ? " | " : "", commands[i].name);
	printf(")\n\t\t\tcmd=${COMP_WORDS[i]}\n\t\t\tbreak ;;\n\t\tesac\n\tdone\n"
	       "\tlocal words=\n"
	       "\tcase $cmd in\n"
	       "\t\"\") words=\"");
	for (size_t i = 0; i < CMD_MAX; i++)
		printf("%s%s", i ? " " : "", commands[i].name);
	printf("\" ;;\n");
	for (size_t i = 0; i < CMD_MAX; i++) {
		printf("\t%s) words=\"%s", commands[i].name, commands[i].args == ARGS_SHELL ? "bash" : "");
		print_options_of(FOR(i));
		printf("\" ;;\n");
	}
	printf("\tesac\n"
	       "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "\tcase $cmd in\n\t");
	for (size_t i = 0, any = 0; i < CMD_MAX; i++)
		if (commands[i].args == ARGS_CONFIG)
			printf("%s%s", any++ ? " | " : "", commands[i].name);
	printf(")\n"
	       "\t\t[[ $cur = -* ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	       "\t\tcompopt -o filenames 2>/dev/null ;;\n"
	       "\tesac\n"
	       "}\n"
	       "complete -F _tcctl tcctl\n");
}

int cmd_completion(const struct options *options)
{
	if (options->n_args != 1 || strcmp(options->args[0], "bash"))
		return usage_error("tcctl completion bash",
				   "`tcctl completion` takes the name of a shell: bash");
	completion_print_bash();
	return finish(options, 0, EXIT_OK, tcctl_diags_new(), NULL);
}
