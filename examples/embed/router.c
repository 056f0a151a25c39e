// SPDX-License-Identifier: GPL-2.0-only
/*
 * A router's daemon, as small as it can be: it holds the configuration itself, applies it through libtcctl, prints
 * what changed and how many packets each class had, and takes everything away on SIGTERM.
 *
 *   cc -o router router.c $(pkg-config --cflags --libs libtcctl)
 *   ./router WAN-DEVICE [DSCP]
 *
 * There is no file, no other process and no global state: the library is the whole engine.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tcctl.h>

static void print_diags(const struct tcctl_diags *diags)
{
	static const char *const words[] = { "error", "warning", "note" };
	struct tcctl_diag d = { .sz = sizeof(d) };

	for (size_t i = 0; tcctl_diags_get(diags, i, &d) == 0; i++) {
		fprintf(stderr, "%s: %s%s%s\n", words[d.severity], d.device ? d.device : "", d.device ? ": " : "",
			d.message);
		if (d.hint)
			fprintf(stderr, "  %s\n", d.hint);
	}
}

static int apply(struct tcctl *t, const char *device, const char *dscp, struct tcctl_diags *diags)
{
	struct tcctl_result result = { .sz = sizeof(result) };
	struct tcctl_config *config;
	char text[512];
	int err;

	snprintf(text, sizeof(text),
		 "tcctl: 1\n"
		 "name: router\n"
		 "classes: { calls: { dscp: %s } }\n"
		 "rules:\n"
		 "  wan:\n"
		 "    - { proto: udp, port: 5060, class: calls }\n"
		 "interfaces:\n"
		 "  \"%s\": { rules: wan }\n",
		 dscp, device);
	err = tcctl_config_parse(text, strlen(text), "router", NULL, diags, &config);
	if (err)
		return err;
	err = tcctl_apply(t, config, NULL, diags, NULL, &result);
	if (!err)
		printf("applied: %s, %zu hooks\n", result.changed ? "changed" : "unchanged", result.hooks);
	tcctl_config_free(config);
	return err;
}

static int print_status(struct tcctl *t, struct tcctl_diags *diags)
{
	const struct tcctl_status_options options = { .sz = sizeof(options), .name = "router" };
	struct tcctl_status_class class = { .sz = sizeof(class) };
	struct tcctl_status *status;
	int err = tcctl_status(t, &options, diags, &status);

	if (err)
		return err;
	for (size_t i = 0; tcctl_status_class_get(status, i, &class) == 0; i++)
		printf("class %s: %" PRIu64 " packets, %" PRIu64 " bytes\n", class.name, class.count.packets,
		       class.count.bytes);
	tcctl_status_free(status);
	return 0;
}

int main(int argc, char **argv)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct tcctl *t = NULL;
	sigset_t signals;
	int err, sig = 0;

	if (argc < 2 || !diags) {
		fprintf(stderr, "usage: %s WAN-DEVICE [DSCP]\n", argv[0]);
		return 2;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);

	err = tcctl_open(NULL, diags, &t);
	if (!err)
		err = apply(t, argv[1], argc > 2 ? argv[2] : "EF", diags);
	/* SIGUSR1: show the numbers; SIGTERM: clear up */
	while (!err && sig != SIGTERM) {
		if (sigwait(&signals, &sig))
			break;
		err = print_status(t, diags);
	}
	if (!err)
		err = tcctl_remove(t, "router", diags, NULL);
	print_diags(diags);
	tcctl_close(t);
	tcctl_diags_free(diags);
	return err ? 1 : 0;
}
