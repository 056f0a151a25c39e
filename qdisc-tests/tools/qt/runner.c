// SPDX-License-Identifier: GPL-2.0-only
/* Loads a program and runs packets through it: by BPF_PROG_TEST_RUN, or on a veth device with stock tc. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "qt/qt.h"
#include "qt_observe.skel.h"

#define PEER "qtpeer"	/* the other end of the wire, and its namespace */
#define BRIDGE "qtbridge" /* above the device under test */
#define PORT "qtport"	/* the bridge's other port */
#define VERIFIER_LOG (8U << 20)
#define LOG_TAIL_LINES 20

struct qt_runner {
	const struct qt_setup *setup;
	struct bpf_object *obj;
	char *log; /* verifier's */
	int prog_fd;
	struct qt_observe *observer; /* NULL: none, observer_why says why */
	char observer_why[4100];
	uint64_t seen[OBSERVE_MAX];
	/* net */
	int send_fd, wire_fd; /* wire_fd: the other end, on egress */
	int ifindex;
};

static int fail(char *err, size_t err_len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(char *err, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return -1;
}

int strings_add(struct strings *s, const char *text)
{
	char **more = realloc(s->items, (s->n + 1) * sizeof(*more));

	if (!more)
		return -1;
	s->items = more;
	s->items[s->n] = strdup(text);
	return s->items[s->n] ? (s->n++, 0) : -1;
}

void strings_done(struct strings *s)
{
	while (s->n)
		free(s->items[--s->n]);
	free(s->items);
	s->items = NULL;
}

/* --- libbpf's messages: kept, shown only with an error ---------------------------------------------------- */

static char libbpf_said[8192];

static int libbpf_note(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t used = strlen(libbpf_said);

	if (level != LIBBPF_WARN || used + 1 >= sizeof(libbpf_said))
		return 0;
	/* Each message begins with "libbpf: ". */
	return vsnprintf(libbpf_said + used, sizeof(libbpf_said) - used, fmt, ap);
}

/* The last lines of a text, without those at the end that only count instructions. */
static const char *tail(char *text, unsigned int lines)
{
	char *p = text + strlen(text), *processed;

	processed = strstr(text, "\nprocessed ");
	if (processed && !strstr(processed + 1, "\nR"))
		p = processed;
	*p = 0;
	while (p > text && lines) {
		p--;
		if (*p == '\n' && p[1] && !--lines)
			return p + 1;
	}
	return p;
}

static const char *hook_name(enum qt_hook hook)
{
	return hook == QT_INGRESS ? "ingress" : "egress";
}

/* --- commands ---------------------------------------------------------------------------------------------- */

/* Run a command; both outputs into `out`. Returns its exit status, or -1. */
static int command(char *out, size_t out_len, const char *const argv[])
{
	int pipes[2], status;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid < 0) {
		close(pipes[0]);
		close(pipes[1]);
		return -1;
	}
	if (!pid) {
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		execvp(argv[0], (char *const *)argv);
		dprintf(2, "%s: %s", argv[0], strerror(errno));
		_exit(127);
	}
	close(pipes[1]);
	for (;;) {
		char waste[512];
		bool room = used + 1 < out_len;

		n = read(pipes[0], room ? out + used : waste, room ? out_len - 1 - used : sizeof(waste));
		if (n <= 0)
			break;
		used += room ? (size_t)n : 0;
	}
	close(pipes[0]);
	while (used && out[used - 1] == '\n')
		used--;
	out[used] = 0;
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define RUN(out, out_len, ...) command(out, out_len, (const char *const[]){ __VA_ARGS__, NULL })

static int must(char *err, size_t err_len, const char *line)
{
	char out[4096];
	int rc = RUN(out, sizeof(out), "sh", "-c", line);

	return rc ? fail(err, err_len, "'%s' failed (status %d): %s", line, rc, out) : 0;
}

/* --- the object ---------------------------------------------------------------------------------------------- */

static bool is_ours(const struct bpf_program *p)
{
	return bpf_program__type(p) == BPF_PROG_TYPE_SCHED_CLS || bpf_program__type(p) == BPF_PROG_TYPE_SCHED_ACT;
}

/* The program that is meant, by function or section name, or the only one. */
static struct bpf_program *choose(struct bpf_object *obj, const char *object, const char *name, char *err,
				  size_t err_len)
{
	struct bpf_program *p, *found = NULL;
	char list[1024] = "";
	int n = 0, count = 0, by_section = 0;

	bpf_object__for_each_program(p, obj) {
		if (!is_ours(p))
			continue;
		count++;
		if (n < (int)sizeof(list) - 100)
			n += snprintf(list + n, sizeof(list) - (size_t)n, "\n  %s (section \"%s\")", bpf_program__name(p),
				      bpf_program__section_name(p));
		if (name && !strcmp(name, bpf_program__name(p)))
			return p;
		if (!name || !strcmp(name, bpf_program__section_name(p))) {
			by_section++;
			found = p;
		}
	}
	if (!count) {
		fail(err, err_len, "%s has no program for tc (type SCHED_CLS or SCHED_ACT, e.g. SEC(\"tc\"))", object);
		return NULL;
	}
	if (by_section == 1)
		return found;
	if (name && !by_section)
		fail(err, err_len, "%s has no program '%s'; it has%s", object, name, list);
	else
		fail(err, err_len, "%s has %d programs%s; say which with --program NAME:%s", object, count,
		     name ? " in that section" : "", list);
	return NULL;
}

static int object_open(struct qt_runner *r, struct bpf_program **ret, char *err, size_t err_len)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = "/sys/fs/bpf");
	struct bpf_program *p;
	struct bpf_map *m;

	if (access(r->setup->object, R_OK))
		return fail(err, err_len, "%s: %s", r->setup->object, strerror(errno));
	libbpf_said[0] = 0;
	r->obj = bpf_object__open_file(r->setup->object, &opts);
	if (!r->obj) {
		int e = errno;

		return fail(err, err_len, "%s is not a BPF object that libbpf can open (%s)\n%s", r->setup->object,
			    strerror(e), libbpf_said);
	}
	r->log = calloc(1, VERIFIER_LOG);
	if (!r->log)
		return fail(err, err_len, "out of memory");
	bpf_object__for_each_program(p, r->obj) {
		/* Sections that libbpf does not know by name ("classifier/x", "tc/ingress"): what stock tc makes of them. */
		if (bpf_program__type(p) == BPF_PROG_TYPE_UNSPEC)
			bpf_program__set_type(p, BPF_PROG_TYPE_SCHED_CLS);
		bpf_program__set_log_buf(p, r->log, VERIFIER_LOG);
	}
	if (r->setup->no_pins)
		bpf_object__for_each_map(m, r->obj)
			bpf_map__set_pin_path(m, NULL);
	*ret = choose(r->obj, r->setup->object, r->setup->program, err, err_len);
	return *ret ? 0 : -1;
}

static int object_load(struct qt_runner *r, char *err, size_t err_len)
{
	int rc;

	libbpf_said[0] = 0;
	rc = bpf_object__load(r->obj);
	if (!rc)
		return 0;
	if (r->log && r->log[0])
		return fail(err, err_len, "%s does not load: the verifier refused a program (%s)\n%s--- end of the verifier's log:\n%s",
			    r->setup->object, strerror(-rc), libbpf_said,
			    r->setup->whole_log ? r->log : tail(r->log, LOG_TAIL_LINES));
	return fail(err, err_len, "%s does not load (%s)\n%s", r->setup->object, strerror(-rc), libbpf_said);
}

/* "MAP[INDEX]=VALUE" */
static int split(const char *text, char *map, size_t map_len, char *index, size_t index_len, const char **ret_value)
{
	const char *open = strchr(text, '['), *end = open ? strchr(open, ']') : NULL;

	if (!end || end[1] != '=' || !end[2] || (size_t)(open - text) >= map_len || (size_t)(end - open) > index_len)
		return -1;
	memcpy(map, text, (size_t)(open - text));
	map[open - text] = 0;
	memcpy(index, open + 1, (size_t)(end - open - 1));
	index[end - open - 1] = 0;
	*ret_value = end + 2;
	return 0;
}

static struct bpf_map *find_map(struct qt_runner *r, const char *name, char *err, size_t err_len)
{
	struct bpf_map *m = bpf_object__find_map_by_name(r->obj, name), *other;
	char list[1024] = "";
	int n = 0;

	if (m)
		return m;
	bpf_object__for_each_map(other, r->obj)
		if (n < (int)sizeof(list) - 100)
			n += snprintf(list + n, sizeof(list) - (size_t)n, " %s", bpf_map__name(other));
	fail(err, err_len, "%s has no map '%s'; it has%s", r->setup->object, name, *list ? list : " none");
	return NULL;
}

static int object_fill(struct qt_runner *r, char *err, size_t err_len)
{
	char map[64], index[2048], why[256], *end;
	const char *value;

	for (size_t i = 0; i < r->setup->slots.n; i++) {
		const char *text = r->setup->slots.items[i];
		struct bpf_program *p;
		struct bpf_map *m;
		uint32_t key;
		int fd;

		if (split(text, map, sizeof(map), index, sizeof(index), &value))
			return fail(err, err_len, "slot '%s': expected MAP[INDEX]=PROGRAM", text);
		key = (uint32_t)strtoul(index, &end, 0);
		m = find_map(r, map, err, err_len);
		if (!m)
			return -1;
		if (*end || !*index)
			return fail(err, err_len, "slot '%s': '%s' is not a number", text, index);
		p = choose(r->obj, r->setup->object, value, err, err_len);
		if (!p)
			return -1;
		fd = bpf_program__fd(p);
		if (bpf_map_update_elem(bpf_map__fd(m), &key, &fd, 0))
			return fail(err, err_len, "slot '%s': %s", text, strerror(errno));
	}
	for (size_t i = 0; i < r->setup->maps.n; i++) {
		const char *text = r->setup->maps.items[i];
		struct packet key = { 0 }, val = { 0 };
		struct bpf_map *m;
		int rc = 0;

		if (split(text, map, sizeof(map), index, sizeof(index), &value))
			return fail(err, err_len, "map '%s': expected MAP[KEY]=VALUE, both in hex digits", text);
		m = find_map(r, map, err, err_len);
		if (!m)
			return -1;
		if (packet_from_hex(index, &key, why, sizeof(why)) || packet_from_hex(value, &val, why, sizeof(why)))
			rc = fail(err, err_len, "map '%s': %s", text, why);
		else if (key.len != bpf_map__key_size(m) || val.len != bpf_map__value_size(m))
			rc = fail(err, err_len, "map '%s': key has %zu bytes and value %zu, the map wants %u and %u", text,
				  key.len, val.len, bpf_map__key_size(m), bpf_map__value_size(m));
		else if (bpf_map_update_elem(bpf_map__fd(m), key.data, val.data, 0))
			rc = fail(err, err_len, "map '%s': %s", text, strerror(errno));
		packet_done(&key);
		packet_done(&val);
		if (rc)
			return rc;
	}
	return 0;
}

/* --- the observers ----------------------------------------------------------------------------------------- */

/* Load the observers of one mode. Returns 0, or -1 with observer_why. */
static int observers_open(struct qt_runner *r)
{
	struct stat ns;
	struct bpf_program *p;

	libbpf_said[0] = 0;
	r->observer = qt_observe__open();
	if (!r->observer || stat("/proc/self/ns/pid", &ns))
		goto fail;
	r->observer->rodata->pidns_dev = ns.st_dev;
	r->observer->rodata->pidns_ino = ns.st_ino;
	r->observer->rodata->pid = (uint32_t)getpid();
	bpf_object__for_each_program(p, r->observer->obj) {
		bool traces = p == r->observer->progs.see_freed;

		bpf_program__set_autoload(p, traces == (r->setup->mode == QT_PROG));
	}
	if (qt_observe__load(r->observer))
		goto fail;
	if (r->setup->mode == QT_PROG) {
		r->observer->links.see_freed = bpf_program__attach(r->observer->progs.see_freed);
		if (!r->observer->links.see_freed)
			goto fail;
	}
	return 0;
fail:
	snprintf(r->observer_why, sizeof(r->observer_why), "%s\n%.4000s", strerror(errno), libbpf_said);
	qt_observe__destroy(r->observer);
	r->observer = NULL;
	return -1;
}

/* What was seen at a place since the last call; NULL: nothing. Valid until the next call. */
static const struct observed *observer_read(struct qt_runner *r, enum observe_place place)
{
	static struct observed v;
	uint32_t key = place;

	if (!r->observer || bpf_map_lookup_elem(bpf_map__fd(r->observer->maps.observed), &key, &v) ||
	    v.count == r->seen[place])
		return NULL;
	r->seen[place] = v.count;
	return &v;
}

static void outcome_fields(struct qt_outcome *o, const struct observed *v)
{
	o->has_fields = o->has_all = true;
	o->mark = v->mark;
	o->priority = v->priority;
	o->tstamp = v->tstamp;
	o->tc_index = v->tc_index;
	o->queue_mapping = v->queue_mapping;
	o->vlan_tci = v->vlan_tci;
	o->vlan_proto = v->vlan_proto;
}

/* --- mode prog ---------------------------------------------------------------------------------------------- */

static int prog_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o,
		     char *err, size_t err_len)
{
	const struct observed *v;
	struct __sk_buff skb = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = (uint32_t)p->len, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .ctx_out = &skb, .ctx_size_out = sizeof(skb));

	if (p->len < 14)
		return fail(err, err_len, "the packet has %zu bytes; mode prog takes Ethernet frames of 14 or more", p->len);
	opts.data_size_out = PACKET_MAX + 1024;
	opts.data_out = malloc(opts.data_size_out);
	if (!opts.data_out)
		return fail(err, err_len, "out of memory");
	skb.mark = in->mark;
	skb.priority = in->priority;
	memcpy(skb.cb, in->cb, sizeof(skb.cb));
	if (bpf_prog_test_run_opts(r->prog_fd, &opts)) {
		int e = errno;

		free(opts.data_out);
		return fail(err, err_len, "the kernel refused to run the packet (BPF_PROG_TEST_RUN): %s%s", strerror(e),
			    p->len > 1500 ? "; packets of more than a page may be too big for it" : "");
	}
	o->verdict = (int)opts.retval;
	o->packet.data = opts.data_out;
	o->packet.len = o->len = opts.data_size_out;
	o->has_fields = o->has_cb = true;
	o->mark = skb.mark;
	o->priority = skb.priority;
	memcpy(o->cb, skb.cb, sizeof(o->cb));
	o->tstamp = skb.tstamp;
	v = observer_read(r, OBSERVE_FREED);
	if (v) {
		outcome_fields(o, v);
		o->has_classid = true;
		o->classid = v->tc_classid;
	}
	return 0;
}

/* --- mode net ----------------------------------------------------------------------------------------------- */

static int raw_socket(const char *netns, const char *device, int protocol, int *ret_ifindex)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol) };
	int home = -1, there = -1, fd = -1;

	if (netns) {
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		there = open(netns, O_RDONLY | O_CLOEXEC);
		if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
			goto out;
	}
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol ? htons((uint16_t)protocol) : 0);
	ll.sll_ifindex = (int)if_nametoindex(device);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&ll, sizeof(ll))) {
		close(fd);
		fd = -1;
	}
	*ret_ifindex = ll.sll_ifindex;
	if (netns && setns(home, CLONE_NEWNET)) {
		close(fd);
		fd = -1;
	}
out:
	if (home >= 0)
		close(home);
	if (there >= 0)
		close(there);
	return fd;
}

/* The program behind the (only) filter of our hook, from tc's own listing. */
static int attached_program(struct qt_runner *r, char *err, size_t err_len)
{
	const struct qt_setup *s = r->setup;
	static char out[65536];
	char *p;
	int rc;

	rc = RUN(out, sizeof(out), "tc", "-j", "filter", "show", "dev", s->device,
		 hook_name(s->hook));
	p = rc ? NULL : strstr(out, "\"prog\":{");
	p = p ? strstr(p, "\"id\":") : NULL;
	if (!p)
		return fail(err, err_len, "no BPF filter is attached to %s %s; tc shows: %s", s->device,
			    hook_name(s->hook), out);
	r->prog_fd = bpf_prog_get_fd_by_id((uint32_t)strtoul(p + 5, NULL, 10));
	return r->prog_fd < 0 ? fail(err, err_len, "program of the filter: %s", strerror(errno)) : 0;
}

static const char *tcctl_path(char *buf, size_t len)
{
	const char *t = getenv("TCCTL"), *b = getenv("TCCTL_BUILD");
	ssize_t n;
	char *slash;

	if (t)
		return t;
	if (b) {
		snprintf(buf, len, "%s/tcctl", b);
		if (!access(buf, X_OK))
			return buf;
	}
	/* Built beside us: …/tests/tools/qt and …/tcctl. */
	n = readlink("/proc/self/exe", buf, len - 16);
	if (n > 0) {
		buf[n] = 0;
		for (int i = 0; i < 3 && (slash = strrchr(buf, '/')); i++)
			*slash = 0;
		strcat(buf, "/tcctl");
		if (!access(buf, X_OK))
			return buf;
	}
	return "tcctl";
}

static int attach(struct qt_runner *r, struct bpf_program *p, char *err, size_t err_len)
{
	const struct qt_setup *s = r->setup;
	const char *dir = hook_name(s->hook);
	char out[65536], path[4096];
	int rc;

	if (s->config) {
		rc = RUN(out, sizeof(out), tcctl_path(path, sizeof(path)), "apply", s->config);
		return rc ? fail(err, err_len, "tcctl apply %s failed (status %d):\n%s", s->config, rc, out) : 0;
	}
	rc = RUN(out, sizeof(out), "tc", "qdisc", "add", "dev", s->device, "clsact");
	if (rc)
		return fail(err, err_len, "tc qdisc add dev %s clsact: %s", s->device, out);
	if (s->slots.n || s->maps.n) {
		/* Slots and maps have to be filled before the first packet: load it ourselves, hand tc the pin. */
		if (object_load(r, err, err_len) || object_fill(r, err, err_len))
			return -1;
		if (bpf_program__pin(p, "/sys/fs/bpf/qt_program"))
			return fail(err, err_len, "pin of program %s: %s", bpf_program__name(p), strerror(errno));
		if (bpf_program__type(p) == BPF_PROG_TYPE_SCHED_ACT)
			rc = RUN(out, sizeof(out), "tc", "filter", "add", "dev", s->device, dir, "prio", "1", "protocol", "all",
				 "u32", "match", "u32", "0", "0", "action", "bpf", "object-pinned", "/sys/fs/bpf/qt_program");
		else
			rc = RUN(out, sizeof(out), "tc", "filter", "add", "dev", s->device, dir, "prio", "1", "handle", "1",
				 "bpf", "da", "object-pinned", "/sys/fs/bpf/qt_program");
	} else if (bpf_program__type(p) == BPF_PROG_TYPE_SCHED_ACT) {
		rc = RUN(out, sizeof(out), "tc", "filter", "add", "dev", s->device, dir, "prio", "1", "protocol", "all", "u32",
			 "match", "u32", "0", "0", "action", "bpf", "obj", s->object, "sec", bpf_program__section_name(p));
	} else {
		rc = RUN(out, sizeof(out), "tc", "filter", "add", "dev", s->device, dir, "prio", "1", "handle", "1", "bpf",
			 "da", "obj", s->object, "program", bpf_program__name(p));
	}
	return rc ? fail(err, err_len, "stock tc could not attach program %s of %s:\n%s", bpf_program__name(p), s->object,
			 s->whole_log ? out : tail(out, LOG_TAIL_LINES)) :
		    0;
}

/*
 * Observers behind the program. Ingress: the next filter of the hook sees packets whose verdict was "unspec". With
 * "ok" the stack has them: the device is a port of a bridge, and the packet comes out of the bridge itself (when
 * its destination is the device) or of the other port. Egress: the next filter, and a filter of the root qdisc.
 */
static int observe_hook(struct qt_runner *r, char *err, size_t err_len)
{
	const struct qt_setup *s = r->setup;
	char line[1024];

	if (observers_open(r))
		return fail(err, err_len, "the observing programs do not load: %s", r->observer_why);
	if (bpf_program__pin(r->observer->progs.see_next, "/sys/fs/bpf/qt_next") ||
	    bpf_program__pin(r->observer->progs.see_stack, "/sys/fs/bpf/qt_stack") ||
	    bpf_program__pin(r->observer->progs.see_out, "/sys/fs/bpf/qt_out"))
		return fail(err, err_len, "pins of the observing programs: %s", strerror(errno));
	snprintf(line, sizeof(line), "tc filter add dev '%s' %s prio 65000 bpf da object-pinned /sys/fs/bpf/qt_next", s->device,
		 hook_name(s->hook));
	if (must(err, err_len, line))
		return -1;
	if (s->hook == QT_INGRESS)
		snprintf(line, sizeof(line),
			 "tc qdisc add dev " BRIDGE " clsact && tc filter add dev " BRIDGE " ingress bpf da object-pinned /sys/fs/bpf/qt_stack && "
			 "tc qdisc add dev " PORT " clsact && tc filter add dev " PORT " egress bpf da object-pinned /sys/fs/bpf/qt_out");
	else
		/* A root qdisc of the user's (--setup) stays, and gets our filter where it takes one. */
		snprintf(line, sizeof(line),
			 "tc qdisc add dev '%s' root handle fffe: htb 2>/dev/null; "
			 "h=$(tc qdisc show dev '%s' root | sed -nE '1s/^qdisc [^ ]+ ([0-9a-f]+:).*/\\1/p'); "
			 "tc filter add dev '%s' parent $h prio 65000 bpf da object-pinned /sys/fs/bpf/qt_stack 2>/dev/null || :",
			 s->device, s->device, s->device);
	return must(err, err_len, line);
}

/* Drops that the clsact qdisc has counted. */
static unsigned long long clsact_drops(const struct qt_setup *s)
{
	static char out[16384];
	char *p;

	if (RUN(out, sizeof(out), "tc", "-s", "qdisc", "show", "dev", s->device, "clsact"))
		return 0;
	p = strstr(out, "(dropped ");
	return p ? strtoull(p + 9, NULL, 10) : 0;
}

static int net_open(struct qt_runner *r, struct bpf_program *p, char *err, size_t err_len)
{
	const struct qt_setup *s = r->setup;
	char line[512];
	int dummy;

	/* The device under test here, the other end of its wire in a namespace of its own; nobody speaks on it. */
	snprintf(line, sizeof(line),
		 "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip netns add " PEER " && "
		 "nsenter --net=/run/netns/" PEER " sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'; "
		 "ip link add '%s' address 02:00:00:00:00:0%d type veth peer name " PEER " address 02:00:00:00:00:0%d netns " PEER " && "
		 "ip link set lo up && ip link set '%s' up && nsenter --net=/run/netns/" PEER " ip link set " PEER " up",
		 s->device, s->hook == QT_INGRESS ? 2 : 1, s->hook == QT_INGRESS ? 1 : 2, s->device);
	if (must(err, err_len, line))
		return -1;
	if (s->hook == QT_INGRESS) {
		snprintf(line, sizeof(line),
			 "ip link add " BRIDGE " type bridge mcast_snooping 0 && ip link add " PORT " type veth peer name qtsink && "
			 "ip link set qtsink up && ip link set " PORT " up master " BRIDGE " && ip link set '%s' master " BRIDGE " && "
			 "ip link set " BRIDGE " up && bridge link set dev " PORT " state 3 && bridge link set dev '%s' state 3",
			 s->device, s->device);
		if (must(err, err_len, line))
			return -1;
	}
	setenv("DEV", s->device, 1);
	for (size_t i = 0; i < s->commands.n; i++)
		if (must(err, err_len, s->commands.items[i]))
			return -1;
	if (s->hook == QT_INGRESS) {
		r->send_fd = raw_socket("/run/netns/" PEER, PEER, 0, &r->ifindex);
	} else {
		r->wire_fd = raw_socket("/run/netns/" PEER, PEER, ETH_P_ALL, &dummy);
		r->send_fd = raw_socket(NULL, s->device, 0, &r->ifindex);
	}
	if (r->send_fd < 0 || (s->hook == QT_EGRESS && r->wire_fd < 0))
		return fail(err, err_len, "packet socket on %s: %s", s->device, strerror(errno));
	if (attach(r, p, err, err_len) || attached_program(r, err, err_len))
		return -1;
	return observe_hook(r, err, err_len);
}

static void outcome_packet(struct qt_outcome *o, const struct observed *v)
{
	o->packet.data = malloc(v->known ? v->known : 1);
	if (!o->packet.data)
		return;
	memcpy(o->packet.data, v->data, v->known);
	o->packet.len = v->known;
	o->len = v->len;
	o->cut = v->known != v->len;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int net_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o,
		    char *err, size_t err_len)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = r->ifindex, .sll_halen = 6 };
	unsigned long long drops = clsact_drops(r->setup);
	const struct observed *v;
	double deadline;
	static uint8_t frame[PACKET_MAX];

	if (in->has_cb || (r->setup->hook == QT_INGRESS && (in->has_mark || in->has_priority)))
		return fail(err, err_len, "mode net: cb cannot be set, and mark and priority only on egress; mode prog can");
	if (r->setup->hook == QT_EGRESS &&
	    (setsockopt(r->send_fd, SOL_SOCKET, SO_MARK, &in->mark, sizeof(in->mark)) ||
	     setsockopt(r->send_fd, SOL_SOCKET, SO_PRIORITY, &in->priority, sizeof(in->priority))))
		return fail(err, err_len, "mark or priority: %s", strerror(errno));
	if (p->len >= 14)
		memcpy(&ll.sll_protocol, p->data + 12, 2);
	while (r->wire_fd >= 0 && recv(r->wire_fd, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
	if (sendto(r->send_fd, p->data, p->len, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		/* The verdict of an egress program comes back as ENOBUFS when it drops. */
		if (errno != ENOBUFS)
			return fail(err, err_len, "the packet of %zu bytes could not be sent on %s: %s", p->len,
				    r->setup->device, strerror(errno));
	o->verdict = QT_TAKEN;
	/* veth hands a packet over at once, but by soft interrupt; a qdisc of the user's may hold it. */
	for (deadline = now() + 0.3; now() < deadline && !o->packet.data;) {
		static struct observed later;

		/* A packet that goes on is seen at several places; the next filter is the first of them. */
		v = observer_read(r, OBSERVE_STACK);
		v = v ? v : observer_read(r, OBSERVE_OUT);
		if (v) {
			later = *v;
			o->verdict = TC_ACT_OK;
		}
		v = observer_read(r, OBSERVE_NEXT);
		if (v)
			o->verdict = TC_ACT_UNSPEC;
		else if (o->verdict == TC_ACT_OK)
			v = &later;
		if (!v && clsact_drops(r->setup) != drops) {
			o->verdict = TC_ACT_SHOT;
			break;
		}
		if (!v) {
			poll(NULL, 0, 2);
			continue;
		}
		/* The bridge keeps things of its own in cb. */
		o->has_cb = o->verdict == TC_ACT_UNSPEC || r->setup->hook == QT_EGRESS;
		memcpy(o->cb, v->cb, sizeof(o->cb));
		outcome_fields(o, v);
		outcome_packet(o, v);
	}
	o->has_delivered = true;
	o->delivered = o->verdict == TC_ACT_UNSPEC || o->verdict == TC_ACT_OK;
	if (r->wire_fd >= 0) {
		struct pollfd pfd = { .fd = r->wire_fd, .events = POLLIN };
		ssize_t n;

		o->delivered = poll(&pfd, 1, o->delivered ? 2000 : 50) > 0;
		n = o->delivered ? recv(r->wire_fd, frame, sizeof(frame), MSG_TRUNC) : -1;
		/* Nobody behind the hook saw it (a root qdisc without filters), but it came out: it went on. */
		if (n >= 0 && o->verdict == QT_TAKEN) {
			o->verdict = TC_ACT_OK;
			o->len = (size_t)n;
			o->packet.len = (size_t)n < sizeof(frame) ? (size_t)n : sizeof(frame);
			o->cut = o->packet.len != o->len;
			o->packet.data = malloc(o->packet.len + 1);
			if (o->packet.data)
				memcpy(o->packet.data, frame, o->packet.len);
		}
	}
	/* Observers further on saw it, too: not news for the next packet. */
	for (int i = 0; i < OBSERVE_MAX; i++)
		observer_read(r, (enum observe_place)i);
	return 0;
}

/* --- both ----------------------------------------------------------------------------------------------------- */

int runner_open(const struct qt_setup *setup, struct qt_runner **ret, char *err, size_t err_len)
{
	struct qt_runner *r = calloc(1, sizeof(*r));
	struct bpf_program *p = NULL;

	if (!r)
		return fail(err, err_len, "out of memory");
	r->setup = setup;
	r->prog_fd = r->send_fd = r->wire_fd = -1;
	libbpf_set_print(libbpf_note);
	if (!setup->config && object_open(r, &p, err, err_len))
		goto fail;
	if (setup->mode == QT_NET) {
		if (net_open(r, p, err, err_len))
			goto fail;
	} else {
		if (object_load(r, err, err_len) || object_fill(r, err, err_len))
			goto fail;
		r->prog_fd = fcntl(bpf_program__fd(p), F_DUPFD_CLOEXEC, 3);
		observers_open(r);
	}
	*ret = r;
	return 0;
fail:
	runner_close(r);
	return -1;
}

int runner_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *ret,
		char *err, size_t err_len)
{
	memset(ret, 0, sizeof(*ret));
	return r->setup->mode == QT_NET ? net_send(r, p, in, ret, err, err_len) : prog_send(r, p, in, ret, err, err_len);
}

/* A map of the program, by name; the kernel keeps 15 characters of it. */
static int map_of_program(struct qt_runner *r, const char *name)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info), ids[64];

	info.nr_map_ids = 64;
	info.map_ids = (uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(r->prog_fd, &info, &len))
		return -1;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++) {
		struct bpf_map_info mi = { 0 };
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(mi);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &mi, &len) && !strncmp(mi.name, name, sizeof(mi.name) - 1))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static bool is_percpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

int runner_map(struct qt_runner *r, const char *map, const char *key_hex, char **ret, char *err, size_t err_len)
{
	struct bpf_map_info mi = { 0 };
	uint32_t len = sizeof(mi);
	struct packet key = { 0 };
	int fd = map_of_program(r, map), rc = -1, cpus;
	uint8_t *value = NULL;
	size_t stride;
	char why[128];

	if (fd < 0)
		return fail(err, err_len, "the program has no map '%s'", map);
	if (bpf_obj_get_info_by_fd(fd, &mi, &len) || packet_from_hex(key_hex, &key, why, sizeof(why))) {
		fail(err, err_len, "map %s: key '%s' is not hex digits", map, key_hex);
		goto out;
	}
	if (key.len != mi.key_size) {
		fail(err, err_len, "map %s: key '%s' has %zu bytes, the map wants %u", map, key_hex, key.len, mi.key_size);
		goto out;
	}
	stride = (mi.value_size + 7UL) & ~7UL;
	cpus = is_percpu(mi.type) ? libbpf_num_possible_cpus() : 1;
	value = calloc((size_t)cpus, stride);
	*ret = value ? calloc(1, mi.value_size * 2UL + 1) : NULL;
	if (!*ret) {
		fail(err, err_len, "out of memory");
		goto out;
	}
	if (bpf_map_lookup_elem(fd, key.data, value)) {
		fail(err, err_len, "map %s[%s]: %s", map, key_hex, errno == ENOENT ? "no such entry" : strerror(errno));
		free(*ret);
		goto out;
	}
	for (int c = 1; c < cpus; c++)
		for (size_t w = 0; w < stride / 8; w++)
			((uint64_t *)value)[w] += ((uint64_t *)(value + (size_t)c * stride))[w];
	for (uint32_t i = 0; i < mi.value_size; i++)
		snprintf(*ret + 2 * (size_t)i, 3, "%02x", value[i]);
	rc = 0;
out:
	free(value);
	packet_done(&key);
	close(fd);
	return rc;
}

void runner_close(struct qt_runner *r)
{
	if (!r)
		return;
	qt_observe__destroy(r->observer);
	if (r->prog_fd >= 0)
		close(r->prog_fd);
	if (r->send_fd >= 0)
		close(r->send_fd);
	if (r->wire_fd >= 0)
		close(r->wire_fd);
	bpf_object__close(r->obj);
	free(r->log);
	free(r);
}
