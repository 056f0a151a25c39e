// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encapsulation under real traffic, with the kernel's own vxlan device at the other end: what test runs cannot show, above
 * all that segmentation offload is told right.
 *
 *	this namespace                                    namespace far
 *	t0 ── t1 [ingress: our pipeline] ─ ─ ─ ┐
 *	      │ br0                            a0 ───── b0
 *	      └─── vx0 (kernel, only receives) ┘         └ vx0 (kernel)
 *	10.9.0.1                                          10.9.0.2
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "encapstage.h"
#include "pipe.h"
#include "test.h"
#include "tunnel.h"
#include "tunnels.h"

#define ID 1
#define BULK (64U << 20)

static struct pipe p;
static struct tunnels tables;

static bool sh(const char *cmd)
{
	char line[512];

	snprintf(line, sizeof(line), "{ %s; } >/dev/null 2>&1", cmd);
	return !system(line);
}

/* --- traffic ---------------------------------------------------------------------------------------------- */

static bool enter_far(void)
{
	int fd = open("/run/netns/far", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !setns(fd, CLONE_NEWNET);

	if (fd >= 0)
		close(fd);
	return ok;
}

static uint64_t mix(uint64_t h, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h;
}

static int socket_at(int type, const char *addr, uint16_t port, bool listening)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, addr, &a.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) || (type == SOCK_STREAM && listen(fd, 1)) :
			connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

struct received {
	uint64_t bytes, hash, packets, mss;
};

/* Forks a receiver in the far namespace; what it got comes back through a pipe. Ready when this returns. */
static pid_t receiver(int type, uint16_t port, int *ret_fd)
{
	static uint8_t buf[1 << 16];
	struct received r = { .hash = 14695981039346656037ULL };
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int pipes[2], fd, conn;
	char ready = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	pid = fork();
	if (pid) {
		close(pipes[1]);
		*ret_fd = pipes[0];
		if (read(pipes[0], &ready, 1) != 1)
			ready = 0;
		return pid;
	}
	if (!enter_far())
		_exit(1);
	fd = socket_at(type, "10.9.0.2", port, true);
	if (fd < 0 || write(pipes[1], "r", 1) != 1)
		_exit(1);
	conn = type == SOCK_STREAM ? accept(fd, NULL, NULL) : fd;
	if (type == SOCK_STREAM && !getsockopt(conn, IPPROTO_TCP, TCP_INFO, &info, &len))
		r.mss = info.tcpi_snd_mss;
	while ((n = recv(conn, buf, sizeof(buf), 0)) > 0) {
		if (type == SOCK_DGRAM && n == 1)
			break;
		r.bytes += (uint64_t)n;
		r.packets++;
		r.hash = mix(r.hash, buf, (size_t)n);
	}
	if (write(pipes[1], &r, sizeof(r)) != sizeof(r))
		_exit(1);
	_exit(0);
}

static bool result(pid_t pid, int fd, struct received *ret)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	bool ok = poll(&ready, 1, 20000) == 1 && read(fd, ret, sizeof(*ret)) == sizeof(*ret);

	if (!ok)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
	return ok;
}

static void fill(uint8_t *b, size_t n, uint32_t *seed)
{
	for (size_t i = 0; i < n; i++) {
		*seed = *seed * 1664525 + 1013904223;
		b[i] = (uint8_t)(*seed >> 24);
	}
}

/* Returns the largest segment that the far end would send. */
static uint64_t tcp_bulk(uint16_t port, uint64_t bytes)
{
	static uint8_t buf[1 << 18];
	size_t chunk = bytes < sizeof(buf) ? bytes : sizeof(buf);
	uint64_t hash = 14695981039346656037ULL, sent = 0;
	struct received r = {};
	struct timespec t0, t1;
	uint32_t seed = 1;
	int fd, from = -1;
	pid_t pid = receiver(SOCK_STREAM, port, &from);

	fd = socket_at(SOCK_STREAM, "10.9.0.2", port, false);
	if (!test_ok(fd >= 0)) {
		kill(pid, SIGKILL);
		result(pid, from, &r);
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &t0);
	while (sent < bytes) {
		ssize_t n;

		fill(buf, chunk, &seed);
		hash = mix(hash, buf, chunk);
		for (size_t at = 0; at < chunk; at += (size_t)n) {
			n = send(fd, buf + at, chunk - at, 0);
			if (n <= 0) {
				test_fail("send after %llu bytes: %s", (unsigned long long)(sent + at),
					  strerror(errno));
				sent = bytes;
				break;
			}
		}
		sent += chunk;
	}
	close(fd);
	test_ok(result(pid, from, &r));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	test_eq(r.bytes, bytes);
	test_ok(r.hash == hash);
	printf("# %lld ms\n", (long long)(t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000);
	return r.mss;
}

/* Datagrams in one piece (UDP_SEGMENT): each of them arrives, whole. */
static void udp_segments(uint16_t port)
{
	static uint8_t buf[40000];
	uint64_t hash = 14695981039346656037ULL;
	struct received r = {};
	uint32_t seed = 7;
	int fd, from = -1, size = 1000;
	pid_t pid = receiver(SOCK_DGRAM, port, &from);

	fd = socket_at(SOCK_DGRAM, "10.9.0.2", port, false);
	test_eq(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	fill(buf, sizeof(buf), &seed);
	hash = mix(hash, buf, sizeof(buf));
	test_eq(send(fd, buf, sizeof(buf), 0), (ssize_t)sizeof(buf));
	size = 0;
	setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
	test_eq(send(fd, buf, 1, 0), 1);
	close(fd);
	test_ok(result(pid, from, &r));
	test_eq(r.bytes, sizeof(buf));
	test_eq(r.packets, sizeof(buf) / 1000);
	test_ok(r.hash == hash);
}

/* --- setting up ------------------------------------------------------------------------------------------- */

static bool topology(void)
{
	return sh("ip netns add far && ip link add a0 type veth peer name b0 netns far && ip link add t0 type veth peer name t1") &&
	       sh("ip link add br0 type bridge && ip link set br0 up && ip link set t1 master br0") &&
	       sh("ip addr add 192.0.2.1/24 dev a0 && ip addr add 2001:db8::1/64 dev a0 nodad && ip link set a0 up") &&
	       sh("ip -n far addr add 192.0.2.2/24 dev b0 && ip -n far addr add 2001:db8::2/64 dev b0 nodad && "
		  "ip -n far link set b0 up") &&
	       sh("ip link set t0 mtu 1430 up && ip link set t1 up && ip addr add 10.9.0.1/24 dev t0") &&
	       sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
}

/* The kernel's devices, here and there. */
static bool far_end(bool v6, bool external)
{
	const char *near = v6 ? "2001:db8::1" : "192.0.2.1", *far = v6 ? "2001:db8::2" : "192.0.2.2";
	const char *c = v6 ? "udp6zerocsumtx udp6zerocsumrx" : "udpcsum";
	char cmd[400];

	sh("ip link del vx0");
	sh("ip -n far link del vx0");
	if (external)
		snprintf(cmd, sizeof(cmd),
			 "ip link add vx0 type vxlan external dstport 4789 && ip link set vx0 master br0 up");
	else
		snprintf(cmd, sizeof(cmd),
			 "ip link add vx0 type vxlan id 42 local %s remote %s dstport 4789 nolearning %s && "
			 "ip link set vx0 master br0 up",
			 near, far, c);
	if (!sh(cmd))
		return false;
	snprintf(
		cmd, sizeof(cmd),
		"ip -n far link add vx0 address 02:00:00:00:00:99 type vxlan id 42 local %s remote %s dstport 4789 %s && ip -n far link set vx0 mtu 1430 up",
		far, near, c);
	return sh(cmd) && sh("ip -n far addr add 10.9.0.2/24 dev vx0");
}

static bool pipeline(void)
{
	if (pipe_open(&p, NULL, 0, "entry_eth"))
		return false;
	if (encapstage_fill(&p))
		return false;
	for (uint32_t i = TCCTL_STAGE_ENCAP + 1; i <= TCCTL_STAGE_END; i++)
		pipe_graft(&p, "jt_stage", i, pipe_prog(&p, "deliver"));
	return !tunnels_open(&tables, &p, 0);
}

static bool attach(const char *device)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(device), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .prog_fd = pipe_prog(&p, "root"));
	int err = bpf_tc_hook_create(&hook);

	return (!err || err == -EEXIST) && !bpf_tc_attach(&hook, &opts);
}

/* From the way in of t1 to the way out of t0. libbpf cannot give a filter the class that says which hook it is. */
static bool move_to_egress(void)
{
	return !bpf_obj_pin(pipe_prog(&p, "root"), "/sys/fs/bpf/root") && sh("tc qdisc del dev t1 clsact") &&
	       sh("tc qdisc add dev t0 clsact && "
		  "tc filter add dev t0 egress bpf direct-action object-pinned /sys/fs/bpf/root classid 0:1");
}

enum kind { PLAIN, EXTERNAL, FLOODING };

static bool tunnel(bool v6, uint32_t flags, uint16_t mtu, enum kind kind)
{
	struct spec_prefix remote = { .family = v6 ? 6 : 4, .len = v6 ? 128 : 32 };
	struct spec_tunnel t = {
		.type = TCCTL_T_VXLAN, .family = remote.family, .has_local = true, .remotes = &remote, .n_remotes = 1,
		.id = 42, .id_out = 42, .port = 4789, .sport_min = 49152, .sport_max = 65535, .ttl = 64,
		.flags = TCCTL_TF_INNER_ETH | TCCTL_TF_DSCP_INHERIT | flags,
	};
	struct tcctl_tunnel_settings s = { .encap = ID };
	struct tunnel_resolved r = { .mtu = mtu, .way = if_nametoindex("a0") };
	struct spec_prefix flood[2] = {};
	struct tcctl_tunnel row;

	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? "2001:db8::2" : "192.0.2.2", remote.addr);
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? "2001:db8::1" : "192.0.2.1", t.local.addr);
	if (kind == EXTERNAL) {
		t.mode = SPEC_TUNNEL_METADATA;
		r.device = if_nametoindex("vx0");
	} else if (kind == FLOODING) {
		t.flags |= TCCTL_TF_FDB;
		t.n_remotes = 0;
		t.flood = flood;
		t.n_flood = 2;
		tunnels_remote(&tables, 0, &(struct tcctl_remote){ .addr = { 192, 0, 2, 2 } });
		tunnels_remote(&tables, 1, &(struct tcctl_remote){ .addr = { 192, 0, 2, 3 } });
	}
	return !tunnel_row_build(&t, &r, &row) && !tunnels_set(&tables, ID, &row) && !tunnels_settings(&tables, &s);
}

static long far_snmp(const char *name)
{
	char cmd[128];
	long value = -1;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ip netns exec far nstat -asz %s | awk '$1 == \"%s\" { print $2 }'", name, name);
	f = popen(cmd, "r");
	if (!f || fscanf(f, "%ld", &value) != 1)
		value = -1;
	if (f)
		pclose(f);
	return value;
}

static void report(void)
{
	static const char *const names[TCCTL_TUN_MAX] = {
		[TCCTL_TUN_TX] = "tx",
		[TCCTL_TUN_TX_MTU] = "mtu",
		[TCCTL_TUN_TX_ROUTE] = "route",
		[TCCTL_TUN_TX_FAILED] = "failed",
		[TCCTL_TUN_TX_PAYLOAD] = "payload",
		[TCCTL_TUN_TX_LOOP] = "loop",
		[TCCTL_TUN_TX_FLOODED] = "flooded",
	};

	for (uint32_t i = 0; i < TCCTL_TUN_MAX; i++) {
		struct tcctl_counter c = tunnels_counter(&tables, ID, i);

		if (names[i] && c.packets)
			printf("# %s: %llu packets, %llu segments, %llu bytes\n", names[i],
			       (unsigned long long)c.packets, (unsigned long long)c.segments,
			       (unsigned long long)c.bytes);
	}
}

static void traffic(const char *over, uint16_t port, bool v6, uint32_t flags, bool external)
{
	static char titles[16][96];
	static unsigned int n;
	char *title = titles[n++];
	struct tcctl_counter c;

	snprintf(title, sizeof(titles[0]), "VXLAN %s: what goes to the far end gets there", over);
	test_case(title);
	if (!test_ok(far_end(v6, external)) || !test_ok(tunnel(v6, flags, 1500, external ? EXTERNAL : PLAIN)))
		return;
	pipe_counters_zero(&p);
	test_ok(sh("ping -c 2 -i 0.2 -W 3 10.9.0.2"));
	tcp_bulk(port, BULK);
	udp_segments(port);
	report();
	c = tunnels_counter(&tables, ID, TCCTL_TUN_TX);
	test_ok(c.bytes > BULK);
	test_ok(c.segments > 2 * c.packets); /* offloaded: or this test shows little */
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_FAILED).packets, 0);
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_ROUTE).packets, 0);
	test_eq(far_snmp("UdpInCsumErrors"), 0);
	test_eq(far_snmp("TcpInCsumErrors"), 0);
}

static void flooded(void)
{
	test_case("frames for nobody known go to all remotes");
	if (!test_ok(sh("ip -n far addr add 192.0.2.3/24 dev b0")) || !test_ok(far_end(false, false)) ||
	    !test_ok(tunnel(false, 0, 1500, FLOODING)))
		return;
	pipe_counters_zero(&p);
	/* Next hops that have to be found first, one with each frame; then every request arrives twice. Ping does not
	 * wait for the last answer's double. */
	sh("ip neigh flush dev a0; ip neigh flush dev t0");
	sh("ping -c 4 -i 0.3 -W 3 10.9.0.2");
	test_ok(sh("ping -c 3 -i 0.2 -W 3 10.9.0.2 | grep -q '3 received, +[23] duplicates, 0% packet loss'"));
	test_ok(tunnels_counter(&tables, ID, TCCTL_TUN_TX_FLOODED).packets >= 3);
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_FAILED).packets, 0);
	report();
	test_case("where nothing is forwarded they do, too, by a second pass");
	test_ok(sh("sysctl -qw net.ipv4.ip_forward=0"));
	pipe_counters_zero(&p);
	test_ok(sh("ping -c 3 -i 0.2 -W 3 10.9.0.2 | grep -q '3 received, +[23] duplicates, 0% packet loss'"));
	test_ok(tunnels_counter(&tables, ID, TCCTL_TUN_TX_FLOODED).packets >= 3);
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_ROUTE).packets, 0);
	sh("sysctl -qw net.ipv4.ip_forward=1");
	tcp_bulk(5011, 1U << 20); /* with segments in one piece, too */
	sh("ip -n far addr del 192.0.2.3/24 dev b0");
}

static void too_big(void)
{
	static uint16_t port = 5030;
	struct tcctl_counter c;

	test_case("what is too big is answered, and the sender goes by it");
	if (!test_ok(far_end(false, false)) || !test_ok(tunnel(false, TCCTL_TF_ANSWER, 1350, PLAIN)))
		return;
	pipe_counters_zero(&p);
	test_ok(!sh("ping -c 1 -W 1 -M do -s 1300 10.9.0.2"));
	test_ok(sh("ip route get 10.9.0.2 | grep -q 'mtu 1300'"));
	test_ok(sh("ping -c 1 -W 2 -M do -s 1272 10.9.0.2"));
	c = tunnels_counter(&tables, ID, TCCTL_TUN_TX_ANSWERED);
	test_eq(c.packets, 1);
	sh("ip route flush cache");
	tcp_bulk(port++, BULK); /* has to find out */
	report();
	test_ok(tunnels_counter(&tables, ID, TCCTL_TUN_TX_ANSWERED).packets > 1);
	test_ok(tunnels_counter(&tables, ID, TCCTL_TUN_TX_MTU).packets < 100);

	test_case("without an answer it is a black hole, but a counted one");
	sh("ip route flush cache");
	test_ok(tunnel(false, 0, 1350, PLAIN));
	pipe_counters_zero(&p);
	test_ok(!sh("ping -c 1 -W 1 -M do -s 1300 10.9.0.2"));
	test_ok(!sh("ip route get 10.9.0.2 | grep -q mtu"));
	test_ok(tunnels_counter(&tables, ID, TCCTL_TUN_TX_MTU).packets >= 1);
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_ANSWERED).packets, 0);
}

static void clamped(void)
{
	uint64_t mss;

	test_case("the MSS of a SYN is clamped to what fits");
	sh("ip route flush cache");
	if (!test_ok(tunnel(false, 0, 1350, PLAIN)))
		return;
	mss = tcp_bulk(5006, 1000);
	if (mss <= 1260)
		test_fail("MSS %llu without clamping, expected more than 1260", (unsigned long long)mss);
	if (!test_ok(tunnel(false, TCCTL_TF_MSS, 1350, PLAIN)))
		return;
	mss = tcp_bulk(5007, 1000);
	if (mss > 1260 || mss < 1200)
		test_fail("MSS %llu, expected 1260 less options", (unsigned long long)mss);
}

int main(void)
{
	test_case("devices");
	if (!getenv("QT_ISOLATED")) {
		test_skip("to be run by qdisc-tests/run, in namespaces of its own");
		return test_done();
	}
	if (!sh("ip link add probe0 type vxlan id 1 dstport 4789 && ip link del probe0")) {
		test_skip("this kernel has no vxlan device");
		return test_done();
	}
	if (!test_ok(topology()))
		return test_done();
	test_case("pipeline loads");
	if (!test_ok(pipeline()) || !test_ok(attach("t1")))
		return test_done();
	traffic("over IPv4", 5001, false, 0, false);
	traffic("over IPv4, with checksum", 5002, false, TCCTL_TF_CSUM, false);
	traffic("over IPv6", 5003, true, 0, false);
	traffic("over IPv6, with checksum", 5004, true, TCCTL_TF_CSUM, false);
	traffic("by the kernel's external device", 5010, false, 0, true);
	flooded();
	too_big();
	clamped();
	test_case("the same on the way out");
	if (test_ok(move_to_egress())) {
		traffic("over IPv4 from an egress", 5020, false, 0, false);
		traffic("over IPv6 with checksum from an egress", 5021, true, TCCTL_TF_CSUM, false);
		too_big();
	}
	tunnels_close(&tables);
	pipe_close(&p);
	return test_done();
}
