// SPDX-License-Identifier: GPL-2.0-only
/* The table of commands, and the way into one. */
#include <signal.h>

#include "cmd.h"
#include "options.h"
#include "out.h"

const struct command commands[CMD_MAX] = {
	[CMD_CHECK] = { "check", ARGS_CONFIG, "read a configuration and say what is wrong or doubtful in it",
			"Needs no privileges and no devices. Reports every error at once, then rules that can never match,\n"
			"tags that the kernel would lose, and the memory that the rule sets take.",
			cmd_check },
	[CMD_PLAN] = { "plan", ARGS_CONFIG, "show what apply would change",
		       "Exit status: 0 nothing to do, 2 there are changes, 1 error. Changes nothing.",
		       cmd_plan },
	[CMD_APPLY] = { "apply", ARGS_CONFIG, "make the kernel match a configuration",
			"All interfaces change, or none. Packets are not lost meanwhile. What is applied already stays as it\n"
			"is; what an earlier version of the same `name` made and this one does not want goes.",
			cmd_apply },
	[CMD_STATUS] = { "status", ARGS_NONE, "show what is attached and what it has counted",
			 "Hooks, classes, rules; handlers and reasons that counted something; filters and TCX programs of\n"
			 "others on the same interfaces.",
			 cmd_status },
	[CMD_EXPORT] = { "export", ARGS_NONE, "print the configuration that is applied, as YAML",
			 "`tcctl apply` accepts what this prints. Lists from files are written out.",
			 cmd_export },
	[CMD_REMOVE] = { "remove", ARGS_NONE, "take away everything that apply made",
			 "Only what tcctl made: filters and qdiscs of others stay, and with them a clsact that they use.\n"
			 "Without --name, everything in the network namespace that tcctl made.",
			 cmd_remove },
	[CMD_DOCTOR] = { "doctor", ARGS_NONE, "say what this host can do, and why not",
			 "Tries things out in a throw-away network namespace. Exit status: 1 if tcctl cannot work here.",
			 cmd_doctor },
	[CMD_COMPLETION] = { "completion", ARGS_SHELL, "print a completion script for a shell (bash)",
			     "Put the output into /usr/share/bash-completion/completions/tcctl, or: eval \"$(tcctl completion "
			     "bash)\"",
			     cmd_completion },
	[CMD_VERSION] = { "version", ARGS_NONE, "print the version", "", cmd_version },
};

int main(int argc, char **argv)
{
	struct options options;
	int rc;

	/* A library or parent may have set it to be ignored. */
	signal(SIGPIPE, SIG_DFL);
	rc = options_parse(argc, argv, &options);
	if (rc >= 0)
		return rc;
	if (options.help && options.command) {
		help_print_command(options.command);
		return EXIT_OK;
	}
	if (!options.command && options.json)
		return usage_error("`tcctl --help` lists the commands", "no command given");
	if (!options.command) {
		help_print_all();
		return options.help ? EXIT_OK : EXIT_ERROR;
	}
	return options.command->run(&options);
}
