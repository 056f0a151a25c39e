/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Commands and options: two tables (main.c, options.c) from which parsing, --help and shell completion come.
 */
#ifndef TCCTL_TOOL_OPTIONS_H
#define TCCTL_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Frozen. */
#define EXIT_OK 0     /* done; plan: nothing to do */
#define EXIT_ERROR 1  /* said on stderr, or with -j on stdout */
#define EXIT_DIFFER 2 /* plan: apply would change something */

#define DEFAULT_CONFIG "/etc/tcctl"

enum command_id {
	CMD_CHECK,
	CMD_PLAN,
	CMD_APPLY,
	CMD_STATUS,
	CMD_EXPORT,
	CMD_REMOVE,
	CMD_DOCTOR,
	CMD_COMPLETION,
	CMD_VERSION,
	CMD_MAX,
};
#define FOR(id) (1U << (id))

struct options {
	const struct command *command;
	bool help, json, quiet, verbose, ours;
	const char *base, *netns, *bpffs, *name;
	unsigned int wait_ms, prio;
	const char *const *args; /* positional */
	size_t n_args;
};

enum args_kind { ARGS_NONE, ARGS_CONFIG, ARGS_SHELL };

struct command {
	const char *name;
	enum args_kind args;
	const char *summary;			   /* one line */
	const char *text;			   /* for `tcctl COMMAND --help` */
	int (*run)(const struct options *options); /* returns an exit code */
};

extern const struct command commands[CMD_MAX];

/* What completes an option's value. */
enum complete { COMPLETE_NONE, COMPLETE_DIR, COMPLETE_NETNS };

struct option_row {
	const char *name;  /* without the dashes */
	char letter;	   /* 0: none */
	const char *value; /* what the value is called in help; NULL: takes none */
	const char *help;
	unsigned int commands;			     /* FOR(…) | … */
	int (*parse)(const char *value, void *dest); /* 0 or -1 */
	const char *expected;			     /* for the message when parse() says no */
	size_t offset;				     /* of dest in struct options */
	enum complete complete;
};

extern const struct option_row option_rows[];
extern const size_t n_option_rows;

/*
 * Read the command line. Returns -1 to go on with *ret_options, or an exit code: usage errors have been
 * printed then. ret_options->args points into argv, which is reordered.
 */
int options_parse(int argc, char **argv, struct options *ret_options);

void help_print_all(void);
void help_print_command(const struct command *command);
void completion_print_bash(void);

#endif
