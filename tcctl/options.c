// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

static int parse_flag(const char *value, void *dest)
{
	(void)value;
	*(bool *)dest = true;
	return 0;
}

static int parse_text(const char *value, void *dest)
{
	if (!value[0])
		return -1;
	*(const char **)dest = value;
	return 0;
}

/* Seconds, with a fraction, to milliseconds. 0 would be the library's word for its default: one millisecond is as
 * good as not waiting. */
static int parse_seconds(const char *value, void *dest)
{
	char *end;
	double s;

	errno = 0;
	s = strtod(value, &end);
	if (errno || end == value || *end || !(s >= 0) || s > 86400)
		return -1;
	*(unsigned int *)dest = s < 0.001 ? 1 : (unsigned int)(s * 1000);
	return 0;
}

static int parse_prio(const char *value, void *dest)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(value, &end, 10);
	if (errno || end == value || *end || value[0] == '-' || v < 1 || v > 65535)
		return -1;
	*(unsigned int *)dest = (unsigned int)v;
	return 0;
}

#define CONFIG_CMDS (FOR(CMD_CHECK) | FOR(CMD_PLAN) | FOR(CMD_APPLY))
#define KERNEL_CMDS                                                                             \
	(FOR(CMD_PLAN) | FOR(CMD_APPLY) | FOR(CMD_STATUS) | FOR(CMD_EXPORT) | FOR(CMD_REMOVE) | \
	 FOR(CMD_DOCTOR))
#define ALL_CMDS (FOR(CMD_MAX) - 1)

const struct option_row option_rows[] = {
	{
		.name = "base",
		.value = "DIR",
		.help = "folder for relative file names in the configuration, instead of the file's own",
		.commands = CONFIG_CMDS,
		.parse = parse_text,
		.expected = "a folder",
		.offset = offsetof(struct options, base),
		.complete = COMPLETE_DIR,
	},
	{
		.name = "name",
		.value = "NAME",
		.help = "only what was applied under this name",
		.commands = FOR(CMD_STATUS) | FOR(CMD_EXPORT) | FOR(CMD_REMOVE),
		.parse = parse_text,
		.expected = "a name",
		.offset = offsetof(struct options, name),
	},
	{
		.name = "netns",
		.letter = 'n',
		.value = "NAME",
		.help = "work in this network namespace: a name of ip-netns(8) or a path",
		.commands = KERNEL_CMDS,
		.parse = parse_text,
		.expected = "a name or a path",
		.offset = offsetof(struct options, netns),
		.complete = COMPLETE_NETNS,
	},
	{
		.name = "bpffs",
		.value = "DIR",
		.help = "keep pins below this bpffs instead of /sys/fs/bpf",
		.commands = KERNEL_CMDS,
		.parse = parse_text,
		.expected = "a folder",
		.offset = offsetof(struct options, bpffs),
		.complete = COMPLETE_DIR,
	},
	{
		.name = "prio",
		.value = "N",
		.help = "preference of new filters among those of others, 1 runs first (default: 31744)",
		.commands = FOR(CMD_PLAN) | FOR(CMD_APPLY),
		.parse = parse_prio,
		.expected = "a number, 1 to 65535",
		.offset = offsetof(struct options, prio),
	},
	{
		.name = "wait",
		.value = "SECONDS",
		.help = "wait this long for another tcctl to finish (default: 5)",
		.commands = FOR(CMD_APPLY) | FOR(CMD_REMOVE),
		.parse = parse_seconds,
		.expected = "seconds, 0 to 86400",
		.offset = offsetof(struct options, wait_ms),
	},
	{
		.name = "json",
		.letter = 'j',
		.help = "one JSON object on standard output, diagnostics included",
		.commands = ALL_CMDS & ~FOR(CMD_COMPLETION),
		.parse = parse_flag,
		.offset = offsetof(struct options, json),
	},
	{
		.name = "quiet",
		.letter = 'q',
		.help = "print only warnings and errors",
		.commands = CONFIG_CMDS | FOR(CMD_REMOVE),
		.parse = parse_flag,
		.offset = offsetof(struct options, quiet),
	},
	{
		.name = "ours",
		.help = "leave out what others have on the same interfaces; faster with many of them",
		.commands = FOR(CMD_STATUS),
		.parse = parse_flag,
		.offset = offsetof(struct options, ours),
	},
	{
		.name = "verbose",
		.letter = 'v',
		.help = "print everything: all of the verifier's log, rows of zeroes",
		.commands = KERNEL_CMDS | CONFIG_CMDS,
		.parse = parse_flag,
		.offset = offsetof(struct options, verbose),
	},
	{
		.name = "help",
		.letter = 'h',
		.help = "print this help",
		.commands = ALL_CMDS,
		.parse = parse_flag,
		.offset = offsetof(struct options, help),
	},
};
const size_t n_option_rows = sizeof(option_rows) / sizeof(option_rows[0]);

static const char *nearest_option(const char *word)
{
	const char *names[sizeof(option_rows) / sizeof(option_rows[0])];

	for (size_t i = 0; i < n_option_rows; i++)
		names[i] = option_rows[i].name;
	return nearest(word, names, n_option_rows);
}

static const char *nearest_command(const char *word)
{
	const char *names[CMD_MAX];

	for (size_t i = 0; i < CMD_MAX; i++)
		names[i] = commands[i].name;
	return nearest(word, names, CMD_MAX);
}

static const struct option_row *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < n_option_rows; i++)
		if (strlen(option_rows[i].name) == len && !memcmp(option_rows[i].name, name, len))
			return &option_rows[i];
	return NULL;
}

static const struct option_row *find_letter(char letter)
{
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].letter == letter)
			return &option_rows[i];
	return NULL;
}

struct parser {
	struct options *options;
	char **argv;
	int argc, i;
	unsigned int given[sizeof(option_rows) / sizeof(option_rows[0])];
};

/* Set one option; `attached` is the value after '=' or behind the letter, or NULL. */
static int take(struct parser *p, const struct option_row *row, const char *spelled, const char *attached)
{
	const char *value = attached;

	if (!row->value && attached)
		return usage_error(NULL, "%s takes no value", spelled);
	if (row->value && !value) {
		if (p->i + 1 >= p->argc)
			return usage_error(NULL, "%s needs a value: %s", spelled, row->expected);
		value = p->argv[++p->i];
	}
	if (row->parse(value, (char *)p->options + row->offset))
		return usage_error(NULL, "%s: '%s' is not valid, expected %s", spelled, value, row->expected);
	p->given[row - option_rows] = 1;
	return -1;
}

static int take_long(struct parser *p, char *arg)
{
	char spelled[64];
	char hint[96] = "`tcctl --help` lists the options";
	const char *eq = strchr(arg + 2, '='), *near;
	size_t len = eq ? (size_t)(eq - arg - 2) : strlen(arg + 2);
	const struct option_row *row = find_long(arg + 2, len);

	snprintf(spelled, sizeof(spelled), "--%.*s", (int)(len > 60 ? 60 : len), arg + 2);
	if (row)
		return take(p, row, spelled, eq ? eq + 1 : NULL);
	near = nearest_option(spelled + 2);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean --%s?", near);
	return usage_error(hint, "unknown option %s", spelled);
}

static int take_letters(struct parser *p, char *arg)
{
	int err;

	for (char *c = arg + 1; *c; c++) {
		const struct option_row *row = find_letter(*c);
		char spelled[3] = { '-', *c, 0 };

		if (!row)
			return usage_error("`tcctl --help` lists the options", "unknown option %s", spelled);
		if (row->value)
			return take(p, row, spelled, c[1] ? c + 1 : NULL);
		err = take(p, row, spelled, NULL);
		if (err >= 0)
			return err;
	}
	return -1;
}

static int take_command(struct parser *p, const char *word)
{
	char hint[96] = "`tcctl --help` lists the commands";
	const char *near;

	for (size_t i = 0; i < CMD_MAX; i++)
		if (!strcmp(commands[i].name, word)) {
			p->options->command = &commands[i];
			return -1;
		}
	near = nearest_command(word);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean `tcctl %s`?", near);
	return usage_error(hint, "unknown command '%s'", word);
}

/* Do the options belong to the command? All of them are known only now: they may stand before it. */
static int check_given(const struct parser *p)
{
	const struct command *c = p->options->command;
	char hint[96];

	snprintf(hint, sizeof(hint), "`tcctl %s --help` lists its options", c->name);
	for (size_t i = 0; i < n_option_rows; i++)
		if (p->given[i] && !(option_rows[i].commands & FOR(c - commands)))
			return usage_error(hint, "`tcctl %s` takes no option --%s", c->name,
					   option_rows[i].name);
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = { 0 };
	struct parser p = { .options = &options, .argv = argv, .argc = argc };
	bool only_args = false;
	int n_args = 0, rc;

	/* So that a usage error comes as JSON wherever -j stands. */
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "-j") || !strcmp(argv[i], "--json"))
			out_json_errors(true);
	for (p.i = 1; p.i < argc; p.i++) {
		char *arg = argv[p.i];

		if (!only_args && !strcmp(arg, "--")) {
			only_args = true;
			continue;
		}
		if (!only_args && !strcmp(arg, "--version"))
			rc = take_command(&p, "version");
		else if (!only_args && arg[0] == '-' && arg[1] == '-')
			rc = take_long(&p, arg);
		else if (!only_args && arg[0] == '-' && arg[1])
			rc = take_letters(&p, arg);
		else if (!options.command && !strcmp(arg, "help")) {
			options.help = true;
			continue;
		} else if (!options.command)
			rc = take_command(&p, arg);
		else {
			argv[1 + n_args++] = arg; /* never behind the place we read from */
			continue;
		}
		if (rc >= 0)
			return rc;
	}
	options.args = (const char *const *)argv + 1;
	options.n_args = (size_t)n_args;
	if (options.help || !options.command) {
		*ret_options = options;
		return -1;
	}
	rc = check_given(&p);
	if (rc >= 0)
		return rc;
	if (options.command->args == ARGS_NONE && n_args)
		return usage_error(NULL, "`tcctl %s` takes no argument, but got '%s'", options.command->name,
				   options.args[0]);
	*ret_options = options;
	return -1;
}
