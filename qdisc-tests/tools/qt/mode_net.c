// SPDX-License-Identifier: GPL-2.0-only
/* Mode net: real packets on a veth device, where stock tc or tcctl has attached the program. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "qt/runner.h"
#include "qt_observe.skel.h"

#define PEER "qtpeer"	/* the other end of the wire, and its namespace */
#define BRIDGE "qtbridge" /* above the device under test */
#define PORT "qtport"	/* the bridge's other port */

static const char *hook_name(enum qt_hook hook)
{
	return hook == QT_INGRESS ? "ingress" : "egress";
}

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

	return rc ? runner_fail(err, err_len, "'%s' failed (status %d): %s", line, rc, out) : 0;
}

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
		return runner_fail(err, err_len, "no BPF filter is attached to %s %s; tc shows: %s", s->device,
			    hook_name(s->hook), out);
	r->prog_fd = bpf_prog_get_fd_by_id((uint32_t)strtoul(p + 5, NULL, 10));
	return r->prog_fd < 0 ? runner_fail(err, err_len, "program of the filter: %s", strerror(errno)) : 0;
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
		return rc ? runner_fail(err, err_len, "tcctl apply %s failed (status %d):\n%s", s->config, rc, out) : 0;
	}
	rc = RUN(out, sizeof(out), "tc", "qdisc", "add", "dev", s->device, "clsact");
	if (rc)
		return runner_fail(err, err_len, "tc qdisc add dev %s clsact: %s", s->device, out);
	if (s->slots.n || s->maps.n) {
		/* Slots and maps have to be filled before the first packet: load it ourselves, hand tc the pin. */
		if (object_load(r, err, err_len) || object_fill(r, err, err_len))
			return -1;
		if (bpf_program__pin(p, "/sys/fs/bpf/qt_program"))
			return runner_fail(err, err_len, "pin of program %s: %s", bpf_program__name(p), strerror(errno));
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
	return rc ? runner_fail(err, err_len, "stock tc could not attach program %s of %s:\n%s", bpf_program__name(p), s->object,
			 s->whole_log ? out : log_tail(out, LOG_TAIL_LINES)) :
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
		return runner_fail(err, err_len, "the observing programs do not load: %s", r->observer_why);
	if (bpf_program__pin(r->observer->progs.see_next, "/sys/fs/bpf/qt_next") ||
	    bpf_program__pin(r->observer->progs.see_stack, "/sys/fs/bpf/qt_stack") ||
	    bpf_program__pin(r->observer->progs.see_out, "/sys/fs/bpf/qt_out"))
		return runner_fail(err, err_len, "pins of the observing programs: %s", strerror(errno));
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

int net_open(struct qt_runner *r, struct bpf_program *p, char *err, size_t err_len)
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
		return runner_fail(err, err_len, "packet socket on %s: %s", s->device, strerror(errno));
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

int net_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o,
		    char *err, size_t err_len)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = r->ifindex, .sll_halen = 6 };
	unsigned long long drops = clsact_drops(r->setup);
	const struct observed *v;
	double deadline;
	static uint8_t frame[PACKET_MAX];

	if (in->has_cb || (r->setup->hook == QT_INGRESS && (in->has_mark || in->has_priority)))
		return runner_fail(err, err_len, "mode net: cb cannot be set, and mark and priority only on egress; mode prog can");
	if (r->setup->hook == QT_EGRESS &&
	    (setsockopt(r->send_fd, SOL_SOCKET, SO_MARK, &in->mark, sizeof(in->mark)) ||
	     setsockopt(r->send_fd, SOL_SOCKET, SO_PRIORITY, &in->priority, sizeof(in->priority))))
		return runner_fail(err, err_len, "mark or priority: %s", strerror(errno));
	if (p->len >= 14)
		memcpy(&ll.sll_protocol, p->data + 12, 2);
	while (r->wire_fd >= 0 && recv(r->wire_fd, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
	if (sendto(r->send_fd, p->data, p->len, 0, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		/* The verdict of an egress program comes back as ENOBUFS when it drops. */
		if (errno != ENOBUFS)
			return runner_fail(err, err_len, "the packet of %zu bytes could not be sent on %s: %s", p->len,
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
