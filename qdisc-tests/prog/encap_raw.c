// SPDX-License-Identifier: GPL-2.0-only
/*
 * Encapsulation on a device without Ethernet header: what is written into a tun device comes out of an Ethernet one, in a
 * tunnel, with the bytes of the model; what is too big comes back out of the tun device as an ICMP error.
 *
 *	tun0 [ingress: our pipeline] ─ ─ a0 ───── b0 (namespace far; a packet socket looks)
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "encapstage.h"
#include "packet.h"
#include "pipe.h"
#include "test.h"
#include "tunnelref_encap.h"
#include "tunnels.h"

#define ID 1

static struct pipe p;
static struct tunnels tables;
static int tun = -1, far = -1;

static bool sh(const char *cmd)
{
	char line[512];

	snprintf(line, sizeof(line), "{ %s; } >/dev/null 2>&1", cmd);
	return !system(line);
}

static bool tun_open(void)
{
	struct ifreq r = { .ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI };

	tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return tun >= 0 && !ioctl(tun, TUNSETIFF, &r);
}

/* A packet socket on b0. */
static bool far_open(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
	    there = open("/run/netns/far", O_RDONLY | O_CLOEXEC);

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET))
		return false;
	far = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	a.sll_ifindex = (int)if_nametoindex("b0");
	if (bind(far, (struct sockaddr *)&a, sizeof(a)) || setns(here, CLONE_NEWNET))
		return false;
	close(here);
	close(there);
	return true;
}

static bool attach(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("tun0"), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .prog_fd = pipe_prog(&p, "root"));

	return !bpf_tc_hook_create(&hook) && !bpf_tc_attach(&hook, &opts);
}

static bool setup(const struct spec_tunnel *t)
{
	struct tcctl_tunnel_settings s = { .encap = ID };
	struct tcctl_tunnel row;

	return !tunnel_row_build(t, &(struct tunnel_resolved){}, &row) && !tunnels_set(&tables, ID, &row) &&
	       !tunnels_settings(&tables, &s);
}

/* The next packet with this IP protocol; its length, 0 after two seconds. */
static size_t next_packet(int fd, size_t l3, unsigned int family, uint8_t proto, uint8_t *buf, size_t cap)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (poll(&ready, 1, 2000) == 1) {
		n = read(fd, buf, cap);
		if (n > (ssize_t)(l3 + 20) && buf[l3] >> 4 == family && buf[l3 + (family == 6 ? 6 : 9)] == proto)
			return (size_t)n;
	}
	return 0;
}

static void goes_through(uint8_t type, const char *name, bool v6, bool inner6, uint32_t flags)
{
	static char titles[64][80];
	static unsigned int n;
	static uint8_t got[4096], want[4096];
	static struct packet k;
	struct tunnelref_frame f;
	struct tunnelref_free free = {};
	struct tunnelref_out ref = { .data = want };
	struct spec_tunnel t = encapstage_tunnel(type, v6);
	size_t len;

	snprintf(titles[n], sizeof(titles[n]), "IPv%d in %s%s over IPv%d", inner6 ? 6 : 4, name,
		 flags ? " with checksum" : "", v6 ? 6 : 4);
	test_case(titles[n++]);
	t.flags |= flags;
	if (!test_ok(setup(&t)))
		return;
	packet_datagram(&k, inner6, 0x2e, 2000, 100);
	f = (struct tunnelref_frame){ .data = k.data, .len = k.len };
	tunnelref_encap(&t, &f, NULL, &ref);
	test_eq(write(tun, k.data + 14, k.len - 14), (ssize_t)k.len - 14);
	len = next_packet(far, 14, v6 ? 6 : 4, ref.proto, got, sizeof(got));
	if (!len) {
		test_fail("nothing came");
		for (uint32_t i = 0; i < TCCTL_TUN_MAX; i++)
			if (tunnels_counter(&tables, ID, i).packets)
				printf("# counter %u: %llu\n", i,
				       (unsigned long long)tunnels_counter(&tables, ID, i).packets);
		return;
	}
	if (!v6)
		free.ip_id = packet_get16(got + 14 + 4);
	else
		free.flow_label = (uint32_t)((got[15] & 15) << 16 | packet_get16(got + 16));
	free.sport = packet_get16(got + 14 + ref.l4_at);
	tunnelref_encap(&t, &f, &free, &ref);
	test_eq(len, 14 + ref.len);
	test_ok(!memcmp(got + 14, want, ref.len));
	test_eq(packet_get16(got + 12), ref.ethertype);
}

static void too_big(bool v6)
{
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_GRE, false);
	static uint8_t got[4096];
	static struct packet k;
	size_t len;

	test_case(v6 ? "too big, IPv6" : "too big, IPv4");
	t.mtu = 1300;
	t.flags |= TCCTL_TF_ANSWER;
	test_ok(setup(&t));
	packet_datagram(&k, v6, 0x2e, 2000, 1400);
	test_eq(write(tun, k.data + 14, k.len - 14), (ssize_t)k.len - 14);
	len = next_packet(tun, 0, v6 ? 6 : 4, v6 ? 58 : 1, got, sizeof(got));
	test_eq(len, v6 ? 48 + 1232 : 28 + 548);
	test_eq(packet_get16(got + (v6 ? 46 : 26)), 1300);
	test_ok(!memcmp(got + (v6 ? 48 : 28), k.data + 14, v6 ? 1232 : 548));
	if (v6)
		test_eq(packet_sum(got + 40, len - 40, packet_sum(got + 8, 32, (uint32_t)(58 + len - 40))), 0xffff);
	else
		test_eq(packet_sum(got + 20, len - 20, 0), 0xffff);
}

int main(void)
{
	static const struct {
		uint8_t type;
		const char *name;
		uint32_t flags;
	} types[] = {
		{ TCCTL_T_IPIP, "ipip", 0 },
		{ TCCTL_T_GRE, "gre", 0 },
		{ TCCTL_T_GRE, "gre", TCCTL_TF_CSUM },
		{ TCCTL_T_GENEVE, "geneve", 0 },
		{ TCCTL_T_GTPU, "gtpu", 0 },
		{ TCCTL_T_GUE, "gue", TCCTL_TF_CSUM },
	};
	struct tcctl_cfg cfg = { .flags = TCCTL_CFG_RAW };
	struct spec_tunnel vxlan = encapstage_tunnel(TCCTL_T_VXLAN, false);
	static struct packet k;

	test_case("devices");
	if (!getenv("QT_ISOLATED")) {
		test_skip("to be run by qdisc-tests/run, in namespaces of its own");
		return test_done();
	}
	if (!tun_open()) {
		test_skip("tun devices (%s)", strerror(errno));
		return test_done();
	}
	test_ok(sh(
		"ip netns add far && ip link add a0 type veth peer name b0 netns far && ip link set a0 up && ip link set tun0 up && "
		"ip -n far link set b0 up"));
	test_ok(sh("ip addr add 203.0.113.1/24 dev a0 && ip addr add 2001:db8:ff::1/64 dev a0 nodad && "
		   "ip -n far addr add 203.0.113.9/24 dev b0 && ip -n far addr add 2001:db8:ff::9/64 dev b0 nodad"));
	test_ok(sh(
		"ip addr add 10.8.0.1/24 dev tun0 && sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"));
	if (!test_ok(far_open()))
		return test_done();
	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, &cfg, 0, "entry_l3"), 0))
		return test_done();
	test_eq(encapstage_fill(&p), 0);
	for (uint32_t i = TCCTL_STAGE_ENCAP + 1; i <= TCCTL_STAGE_END; i++)
		test_eq(pipe_graft(&p, "jt_stage", i, pipe_prog(&p, "deliver")), 0);
	test_eq(tunnels_open(&tables, &p, 0), 0);
	test_ok(attach());
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (unsigned int families = 0; families < 4; families++)
			goes_through(types[i].type, types[i].name, families & 2, families & 1, types[i].flags);
	too_big(false);
	too_big(true);
	test_case("there is no frame to carry");
	test_ok(setup(&vxlan));
	pipe_counters_zero(&p);
	packet_datagram(&k, false, 0x2e, 2000, 100);
	test_eq(write(tun, k.data + 14, k.len - 14), (ssize_t)k.len - 14);
	test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_PAYLOAD).packets, 1);
	tunnels_close(&tables);
	pipe_close(&p);
	return test_done();
}
