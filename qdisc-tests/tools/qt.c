// SPDX-License-Identifier: GPL-2.0-only
/* qt: run packets through a tc program of your own in a throw-away network and check what comes out. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qt/qt.h"

enum source { SRC_TEXT, SRC_HEX, SRC_PCAP };

/* One packet (or all of a capture) and what is expected of it. */
struct step {
	enum source source;
	char *packet;
	struct qt_input in;
	struct strings expect;
	unsigned int line;
};

struct test {
	char *name;
	unsigned int line;
	struct qt_setup setup;
	struct step *steps;
	size_t n_steps;
};

struct output {
	bool details, json;
};

static const char *const mode_names[] = { [QT_PROG] = "prog", [QT_NET] = "net" };
static const char *const hook_names[] = { [QT_INGRESS] = "ingress", [QT_EGRESS] = "egress" };

static void usage(FILE *f)
{
	fputs("usage: qt run OBJECT|--config FILE [OPTION]... PACKET    one packet (or capture) through one program\n"
	      "       qt suite FILE...                                  a file of test cases, see below\n"
	      "       qt packet PACKET                                  show a packet's bytes\n"
	      "\n"
	      "Runs a SCHED_CLS or SCHED_ACT program from a BPF object, or the pipeline of a tcctl configuration, on packets that\n"
	      "you describe, and checks the verdict, the bytes and the skb fields that come out. Everything happens in a network,\n"
	      "a /run and a bpffs of its own that are gone afterwards.\n"
	      "\n"
	      "  -p, --program NAME     function or section name, when the object has several\n"
	      "  -m, --mode prog|net    prog: BPF_PROG_TEST_RUN (default); net: attached by stock tc to a clsact hook of a veth\n"
	      "                         device, the packet really sent (always with --config)\n"
	      "      --hook ingress|egress   side of the device, net mode (ingress)\n"
	      "      --dev NAME         name of the device, net mode (eth0)\n"
	      "      --slot MAP[INDEX]=PROGRAM    put a program of the object into a jump table first\n"
	      "      --map MAP[KEY]=VALUE         put a value into a map first; hex digits as in memory\n"
	      "      --setup COMMAND    shell command run in the namespace first, net mode; $DEV is the device\n"
	      "      --in FIELDS        skb fields going in: mark=N priority=N cb0=N … cb4=N\n"
	      "      --expect TEXT      what must come out, may be repeated; without it, what came out is shown\n"
	      "      --hex DIGITS, --pcap FILE    the packet, instead of a description; every packet of a capture is run\n"
	      "      --log              the verifier's whole log instead of its last lines\n"
	      "  -j, --json             one JSON object per packet\n"
	      "\n"
	      "Exit status: 0 everything was as expected, 1 something was not, 2 it could not be run (bad arguments, an object\n"
	      "that does not load, missing permissions).\n"
	      "\n"
	      "Expectations, separated by blanks; quote values that hold blanks with '…':\n",
	      f);
	expect_help(f);
	fputs("\nPackets: headers from the outside in, separated by /, for example\n"
	      "  eth/ip(src=10.0.0.1,dst=10.0.0.2)/udp(dport=53)/\"payload\"\n"
	      "Ethernet is added when it is left out. Headers, fields and their defaults (without: worked out):\n",
	      f);
	packet_help(f);
	fputs("\nTest files: one statement a line, # begins a comment. Before the first case: settings for all of them.\n"
	      "  object my.bpf.o        paths are relative to the test file; or: config tcctl.yaml\n"
	      "  program NAME           also: mode, hook, dev, slot, map, setup\n"
	      "  case NAME              begins a case, with a freshly loaded program; settings here hold for this case\n"
	      "    packet DESCRIPTION   also: hex DIGITS, pcap FILE; several packets of a case go through the same program\n"
	      "    in mark=1            fields of the packet above\n"
	      "    expect verdict=ok    what must come of the packet above, may be repeated\n",
	      f);
}

static int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("qt: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	return 2;
}

/* --- results ---------------------------------------------------------------------------------------------- */

static void show(const struct packet *in, const struct qt_outcome *o)
{
	bool same = in->len == o->packet.len && !o->cut && !memcmp(in->data, o->packet.data, in->len);

	printf("verdict        %s (%d)\n", verdict_name(o->verdict), o->verdict);
	if (o->has_fields) {
		printf("mark           0x%x\n", o->mark);
		printf("priority       0x%x (%x:%x)\n", o->priority, o->priority >> 16, o->priority & 0xffff);
	}
	if (o->has_all) {
		printf("tc_index       0x%x\nqueue_mapping  %u\n", o->tc_index, o->queue_mapping);
		if (o->vlan_proto)
			printf("vlan           %u (beside the packet)\n", o->vlan_tci & 0xfff);
	}
	if (o->has_classid)
		printf("classid        0x%x\n", o->classid);
	if (o->has_cb)
		printf("cb             0x%x 0x%x 0x%x 0x%x 0x%x\n", o->cb[0], o->cb[1], o->cb[2], o->cb[3], o->cb[4]);
	if (o->has_delivered)
		printf("delivered      %s\n", o->delivered ? "yes" : "no");
	if (!o->packet.data)
		return;
	printf("packet         %zu bytes, %s\n", o->len, same ? "unchanged" : "changed (* marks what differs)");
	packet_dump(stdout, "  ", o->packet.data, o->packet.len, same ? NULL : in);
}

static void show_json(const struct qt_outcome *o, const char *differs)
{
	printf("{\"verdict\":\"%s\",\"verdict_number\":%d,\"len\":%zu", verdict_name(o->verdict), o->verdict, o->len);
	if (o->has_fields)
		printf(",\"mark\":%u,\"priority\":%u", o->mark, o->priority);
	if (o->has_cb)
		printf(",\"cb\":[%u,%u,%u,%u,%u]", o->cb[0], o->cb[1], o->cb[2], o->cb[3], o->cb[4]);
	if (o->has_all)
		printf(",\"tc_index\":%u,\"queue_mapping\":%u", o->tc_index, o->queue_mapping);
	if (o->has_classid)
		printf(",\"classid\":%u", o->classid);
	if (o->has_delivered)
		printf(",\"delivered\":%s", o->delivered ? "true" : "false");
	printf(",\"packet\":\"");
	for (size_t i = 0; i < o->packet.len; i++)
		printf("%02x", o->packet.data[i]);
	printf("\",\"expected\":%s}\n", differs ? "false" : "true");
}

/* A message of several lines under a "not ok" line. */
static void print_lines(const char *text)
{
	while (*text) {
		int n = (int)strcspn(text, "\n");

		printf("#   %.*s\n", n, text);
		text += n + (text[n] == '\n');
	}
}

/* --- running ---------------------------------------------------------------------------------------------- */

static int step_packets(const struct step *s, struct packet **ret, size_t *ret_n, char *err, size_t err_len)
{
	int linktype, rc;

	if (s->source == SRC_PCAP) {
		rc = packet_read_pcap(s->packet, ret, ret_n, &linktype, err, err_len);
		if (rc)
			return rc;
		if (linktype != 1 /* DLT_EN10MB */ || !*ret_n) {
			snprintf(err, err_len, "%s: %s", s->packet,
				 *ret_n ? "not a capture of Ethernet frames" : "no packet in it");
			for (size_t i = 0; i < *ret_n; i++)
				packet_done(&(*ret)[i]);
			free(*ret);
			return -1;
		}
		return 0;
	}
	*ret = calloc(1, sizeof(**ret));
	*ret_n = 1;
	if (!*ret)
		return -1;
	rc = s->source == SRC_HEX ? packet_from_hex(s->packet, *ret, err, err_len) :
				    packet_parse(s->packet, PACKET_ADD_ETH, *ret, err, err_len);
	if (rc)
		free(*ret);
	return rc;
}

/* All packets of a step. Returns 0, 1 (not as expected) or -1; err says what, with the packet's number. */
static int step_run(const struct step *s, struct qt_runner *r, const struct output *out, char *err, size_t err_len)
{
	struct packet *list;
	struct qt_outcome o;
	size_t n;
	int rc = 0;

	if (step_packets(s, &list, &n, err, err_len))
		return -1;
	for (size_t i = 0; i < n && rc >= 0; i++) {
		char why[QT_ERR - 64];
		int one = runner_send(r, &list[i], &s->in, &o, why, sizeof(why));

		if (!one) {
			for (size_t k = 0; k < s->expect.n && !one; k++)
				one = expect_check(s->expect.items[k], &list[i], &o, r, why, sizeof(why));
			if (out->json)
				show_json(&o, one ? why : NULL);
			else if (out->details && one >= 0)
				show(&list[i], &o);
			packet_done(&o.packet);
		}
		if (one && !rc) {
			if (n > 1)
				snprintf(err, err_len, "packet %zu of %zu: %s", i + 1, n, why);
			else
				snprintf(err, err_len, "%s", why);
		}
		if (one < 0 || !rc)
			rc = one;
	}
	for (size_t i = 0; i < n; i++)
		packet_done(&list[i]);
	free(list);
	return rc;
}

/* In a process of its own, so that whatever happens to it the next case starts clean. */
static int test_run_here(const struct test *t, const struct output *out, unsigned int *ret_line, char *err,
			 size_t err_len)
{
	struct qt_setup setup = t->setup;
	struct qt_runner *r;
	int rc = sandbox_enter();

	*ret_line = t->line;
	if (rc && setup.mode == QT_NET) {
		snprintf(err, err_len, "cannot make a network of its own: %s; mode net needs root", strerror(-rc));
		return -1;
	}
	setup.no_pins = rc != 0;
	if (runner_open(&setup, &r, err, err_len))
		return -1;
	for (size_t i = 0; i < t->n_steps && !rc; i++) {
		*ret_line = t->steps[i].line;
		rc = step_run(&t->steps[i], r, out, err, err_len);
	}
	runner_close(r);
	return rc;
}

/* Returns 0 as expected, 1 not, 2 could not be run; says so in one "ok"/"not ok" line when file is set. */
static int test_run(const struct test *t, const char *file, const struct output *out)
{
	char err[QT_ERR] = "";
	unsigned int line;
	int status, rc;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return complain("fork: %s", strerror(errno));
	if (!pid) {
		rc = test_run_here(t, out, &line, err, sizeof(err));
		if (file && !rc) {
			printf("ok - %s\n", t->name);
		} else if (file) {
			printf("not ok - %s: %s:%u: %.*s\n", t->name, file, line, (int)strcspn(err, "\n"), err);
			print_lines(err + strcspn(err, "\n") + (strchr(err, '\n') != NULL));
		} else if (rc) {
			fflush(stdout);
			fprintf(stderr, rc > 0 ? "not as expected: %s\n" : "qt: %s\n", err);
		} else if (t->steps[0].expect.n && !out->json) {
			printf("as expected\n");
		}
		fflush(NULL);
		_exit(rc < 0 ? 2 : rc);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
		if (file)
			printf("not ok - %s: killed by signal %d\n", t->name, WTERMSIG(status));
		return complain("the run was killed by signal %d", WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}

/* --- settings ----------------------------------------------------------------------------------------------- */

static int choose_name(const char *const *names, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -1;
}

static int set_string(char **field, const char *text)
{
	free(*field);
	*field = strdup(text);
	return *field ? 0 : -1;
}

/* One setting by name, from the command line or a test file. 0, 1: no such setting, -1: bad value. */
static int setting(struct qt_setup *s, const char *key, const char *value, const char *path)
{
	int v;

	if (!strcmp(key, "object"))
		return set_string(&s->object, path);
	if (!strcmp(key, "config")) {
		s->mode = QT_NET;
		return set_string(&s->config, path);
	}
	if (!strcmp(key, "program"))
		return set_string(&s->program, value);
	if (!strcmp(key, "dev"))
		return strlen(value) > 15 || strchr(value, '\'') ? -1 : set_string(&s->device, value);
	if (!strcmp(key, "slot"))
		return strings_add(&s->slots, value);
	if (!strcmp(key, "map"))
		return strings_add(&s->maps, value);
	if (!strcmp(key, "setup"))
		return strings_add(&s->commands, value);
	if (!strcmp(key, "mode")) {
		v = choose_name(mode_names, QT_MODE_MAX, value);
		s->mode = v < 0 ? s->mode : (enum qt_mode)v;
		return v < 0 ? -1 : 0;
	}
	if (!strcmp(key, "hook")) {
		v = choose_name(hook_names, QT_HOOK_MAX, value);
		s->hook = v < 0 ? s->hook : (enum qt_hook)v;
		return v < 0 ? -1 : 0;
	}
	return 1;
}

static const char *setup_wrong(const struct qt_setup *s)
{
	if (!s->object == !s->config)
		return s->object ? "an object and a configuration: only one of them can be run" :
				   "no object (or config) to run";
	if (s->config && s->mode != QT_NET)
		return "a configuration runs in mode net only";
	if (s->config && (s->program || s->slots.n || s->maps.n))
		return "program, slot and map belong to an object, not to a configuration";
	if (s->commands.n && s->mode != QT_NET)
		return "setup commands belong to mode net";
	return NULL;
}

static int strings_copy(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (strings_add(to, from->items[i]))
			return -1;
	return 0;
}

static int setup_copy(struct qt_setup *to, const struct qt_setup *from)
{
	*to = *from;
	to->object = from->object ? strdup(from->object) : NULL;
	to->config = from->config ? strdup(from->config) : NULL;
	to->program = from->program ? strdup(from->program) : NULL;
	to->device = strdup(from->device);
	memset(&to->slots, 0, sizeof(to->slots));
	memset(&to->maps, 0, sizeof(to->maps));
	memset(&to->commands, 0, sizeof(to->commands));
	return strings_copy(&to->slots, &from->slots) || strings_copy(&to->maps, &from->maps) ||
	       strings_copy(&to->commands, &from->commands);
}

static void setup_done(struct qt_setup *s)
{
	free(s->object);
	free(s->config);
	free(s->program);
	free(s->device);
	strings_done(&s->slots);
	strings_done(&s->maps);
	strings_done(&s->commands);
}

static void test_done(struct test *t)
{
	for (size_t i = 0; i < t->n_steps; i++) {
		free(t->steps[i].packet);
		strings_done(&t->steps[i].expect);
	}
	free(t->steps);
	free(t->name);
	setup_done(&t->setup);
}

static struct step *step_add(struct test *t, enum source source, const char *packet, unsigned int line)
{
	struct step *more = realloc(t->steps, (t->n_steps + 1) * sizeof(*more));

	if (!more)
		return NULL;
	t->steps = more;
	more += t->n_steps++;
	memset(more, 0, sizeof(*more));
	more->source = source;
	more->packet = strdup(packet);
	more->line = line;
	return more;
}

/* --- qt suite ----------------------------------------------------------------------------------------------- */

struct suite {
	const char *file;
	struct qt_setup defaults;
	struct test *tests;
	size_t n;
	unsigned int errors;
};

static void bad_line(struct suite *s, unsigned int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void bad_line(struct suite *s, unsigned int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", s->file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	s->errors++;
}

static void suite_line(struct suite *s, char *text, unsigned int line)
{
	struct test *t = s->n ? &s->tests[s->n - 1] : NULL;
	struct step *step = t && t->n_steps ? &t->steps[t->n_steps - 1] : NULL;
	char *key, *value, *end, err[QT_ERR], path[8192];
	struct packet p = { 0 };
	const char *slash;
	int rc;

	key = text + strspn(text, " \t");
	end = key + strlen(key);
	while (end > key && strchr(" \t\r\n", end[-1]))
		*--end = 0;
	if (!*key || *key == '#')
		return;
	value = key + strcspn(key, " \t");
	if (*value) {
		*value++ = 0;
		value += strspn(value, " \t");
	}
	if (!*value) {
		bad_line(s, line, "'%s' without a value", key);
		return;
	}
	slash = strrchr(s->file, '/');
	if (*value == '/' || !slash)
		snprintf(path, sizeof(path), "%s", value);
	else
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - s->file), s->file, value);

	if (!strcmp(key, "case")) {
		struct test *more = realloc(s->tests, (s->n + 1) * sizeof(*more));

		if (!more)
			return;
		s->tests = more;
		t = &s->tests[s->n++];
		memset(t, 0, sizeof(*t));
		t->name = strdup(value);
		t->line = line;
		if (setup_copy(&t->setup, &s->defaults))
			bad_line(s, line, "out of memory");
		return;
	}
	if (!strcmp(key, "packet") || !strcmp(key, "hex") || !strcmp(key, "pcap")) {
		enum source source = key[1] == 'a' ? SRC_TEXT : key[1] == 'e' ? SRC_HEX : SRC_PCAP;

		if (!t) {
			bad_line(s, line, "'%s' before the first 'case'", key);
			return;
		}
		if (source == SRC_TEXT && packet_parse(value, PACKET_ADD_ETH, &p, err, sizeof(err)))
			bad_line(s, line, "%s", err);
		else if (source == SRC_HEX && packet_from_hex(value, &p, err, sizeof(err)))
			bad_line(s, line, "%s", err);
		packet_done(&p);
		step_add(t, source, source == SRC_PCAP ? path : value, line);
		return;
	}
	if (!strcmp(key, "in") || !strcmp(key, "expect")) {
		if (!step)
			bad_line(s, line, "'%s' without a packet above it", key);
		else if (key[0] == 'e')
			strings_add(&step->expect, value);
		else if (input_parse(value, &step->in, err, sizeof(err)))
			bad_line(s, line, "%s", err);
		return;
	}
	rc = setting(t ? &t->setup : &s->defaults, key, value, path);
	if (rc > 0)
		bad_line(s, line, "'%s' is not a statement (case, packet, hex, pcap, in, expect, object, config, program, mode, hook, dev, slot, map, setup)",
			 key);
	else if (rc < 0)
		bad_line(s, line, "%s: '%s' is not valid", key, value);
}

static int suite_load(struct suite *s)
{
	FILE *f = fopen(s->file, "re");
	char *text = NULL;
	size_t cap = 0;
	unsigned int line = 0;

	if (!f)
		return complain("%s: %s", s->file, strerror(errno));
	while (getline(&text, &cap, f) >= 0)
		suite_line(s, text, ++line);
	free(text);
	fclose(f);
	for (size_t i = 0; i < s->n; i++) {
		const char *wrong = setup_wrong(&s->tests[i].setup);
		bool expects = false;

		for (size_t k = 0; k < s->tests[i].n_steps; k++)
			expects |= s->tests[i].steps[k].expect.n > 0;
		if (!wrong && !expects)
			wrong = "nothing is expected: a case that cannot fail";
		if (wrong)
			bad_line(s, s->tests[i].line, "case '%s': %s", s->tests[i].name, wrong);
	}
	if (!s->n)
		bad_line(s, line, "no case in this file");
	return s->errors ? 2 : 0;
}

static int cmd_suite(int argc, char **argv)
{
	static const struct output quiet;
	unsigned int passed = 0, failed = 0;
	int worst = 0;

	if (argc < 1)
		return complain("suite: which file?");
	for (int i = 0; i < argc; i++) {
		struct suite s = { .file = argv[i], .defaults.device = strdup("eth0") };
		int rc = suite_load(&s);

		for (size_t k = 0; k < s.n && !rc; k++) {
			int one = test_run(&s.tests[k], s.file, &quiet);

			*(one ? &failed : &passed) += 1;
			worst = one > worst ? one : worst;
		}
		worst = rc > worst ? rc : worst;
		for (size_t k = 0; k < s.n; k++)
			test_done(&s.tests[k]);
		free(s.tests);
		setup_done(&s.defaults);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return worst;
}

/* --- qt run ------------------------------------------------------------------------------------------------- */

static int cmd_run(int argc, char **argv)
{
	enum { O_HOOK = 256, O_DEV, O_SLOT, O_MAP, O_SETUP, O_IN, O_EXPECT, O_HEX, O_PCAP, O_LOG, O_CONFIG, O_PACKET };
	static const struct option longs[] = {
		{ "program", required_argument, NULL, 'p' }, { "mode", required_argument, NULL, 'm' },
		{ "hook", required_argument, NULL, O_HOOK }, { "dev", required_argument, NULL, O_DEV },
		{ "slot", required_argument, NULL, O_SLOT }, { "map", required_argument, NULL, O_MAP },
		{ "setup", required_argument, NULL, O_SETUP }, { "in", required_argument, NULL, O_IN },
		{ "expect", required_argument, NULL, O_EXPECT }, { "hex", required_argument, NULL, O_HEX },
		{ "pcap", required_argument, NULL, O_PCAP }, { "packet", required_argument, NULL, O_PACKET },
		{ "config", required_argument, NULL, O_CONFIG }, { "log", no_argument, NULL, O_LOG },
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	struct test t = { .name = strdup("run"), .setup.device = strdup("eth0") };
	struct output out = { .details = true };
	const char *packet = NULL, *wrong;
	enum source source = SRC_TEXT;
	struct strings expect = { 0 };
	struct qt_input in = { 0 };
	char err[QT_ERR];
	struct step *step;
	int c, index = 0, rc = 0;

	while (!rc && (c = getopt_long(argc, argv, "p:m:jh", longs, &index)) != -1) {
		const char *name = c == 'p' ? "program" : c == 'm' ? "mode" : c >= 256 ? longs[index].name : "";

		switch (c) {
		case O_IN:
			if (input_parse(optarg, &in, err, sizeof(err)))
				rc = complain("--in: %s", err);
			break;
		case O_EXPECT: strings_add(&expect, optarg); break;
		case O_HEX:
		case O_PCAP:
		case O_PACKET:
			if (packet)
				rc = complain("more than one packet");
			packet = optarg;
			source = c == O_HEX ? SRC_HEX : c == O_PCAP ? SRC_PCAP : SRC_TEXT;
			break;
		case O_LOG: t.setup.whole_log = true; break;
		case 'j': out.json = true; break;
		case 'h': usage(stdout); goto out;
		case '?': rc = 2; break;
		default:
			if (setting(&t.setup, name, optarg, optarg))
				rc = complain("--%s: '%s' is not valid", name, optarg);
		}
	}
	for (; !rc && optind < argc; optind++) {
		if (!t.setup.object && !t.setup.config)
			setting(&t.setup, "object", argv[optind], argv[optind]);
		else if (packet)
			rc = complain("unexpected argument '%s'", argv[optind]);
		else
			packet = argv[optind];
	}
	if (rc)
		goto out;
	wrong = setup_wrong(&t.setup);
	if (wrong || !packet) {
		rc = complain("%s (see qt --help)", wrong ? wrong : "no packet");
		goto out;
	}
	step = step_add(&t, source, packet, 0);
	if (!step)
		goto out;
	step->in = in;
	step->expect = expect;
	memset(&expect, 0, sizeof(expect));
	rc = test_run(&t, NULL, &out);
out:
	strings_done(&expect);
	test_done(&t);
	return rc;
}

static int cmd_packet(int argc, char **argv)
{
	struct packet p = { 0 };
	char err[QT_ERR];

	if (argc != 1)
		return complain("packet: which one?");
	if (packet_parse(argv[0], 0, &p, err, sizeof(err)))
		return complain("%s", err);
	packet_dump(stdout, "", p.data, p.len, NULL);
	packet_done(&p);
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";

	if (!strcmp(cmd, "run"))
		return cmd_run(argc - 1, argv + 1);
	if (!strcmp(cmd, "suite"))
		return cmd_suite(argc - 2, argv + 2);
	if (!strcmp(cmd, "packet"))
		return cmd_packet(argc - 2, argv + 2);
	if (!strcmp(cmd, "--help") || !strcmp(cmd, "-h") || !strcmp(cmd, "help")) {
		usage(stdout);
		return 0;
	}
	usage(stderr);
	return 2;
}
