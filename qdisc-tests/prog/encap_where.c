// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which tunnel a packet goes into and to which remote: class, route, default; what is left alone; forwarding tables, learned
 * entries, flooding; what is too big and the answer to it; tags pushed. The header itself is the matter of encap.c.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "encapstage.h"
#include "packet.h"
#include "pipe.h"
#include "tcctl/arena.h"
#include "test.h"
#include "tunnels.h"

static struct pipe p;
static struct tunnels tables;
static uint8_t out[PACKET_MAX + 512];
static struct pipe_run run;
static struct packet k;

static bool setup_with(uint32_t id, const struct spec_tunnel *t, const struct tunnel_resolved *r)
{
	struct tcctl_tunnel row;

	return !tunnel_row_build(t, r, &row) && !tunnels_set(&tables, id, &row);
}

static bool setup(uint32_t id, const struct spec_tunnel *t)
{
	return setup_with(id, t, &(struct tunnel_resolved){});
}

static void settings(uint32_t encap, uint32_t flags)
{
	tunnels_settings(&tables, &(struct tcctl_tunnel_settings){ .encap = encap, .flags = flags });
}

static void udp(bool v6, const uint8_t *dst, size_t payload)
{
	packet_init(&k);
	packet_eth(&k, v6 ? 0x86dd : 0x0800);
	if (v6)
		memcpy(packet_ipv6(&k, 17, 0) + 24, dst, 16);
	else
		memcpy(packet_ipv4(&k, 17, 0, 0) + 16, dst, 4);
	packet_udp(&k, 1000, 2000);
	packet_payload(&k, payload);
	packet_finish(&k);
}

static void icmp(bool v6, uint8_t type, uint8_t code)
{
	packet_init(&k);
	packet_eth(&k, v6 ? 0x86dd : 0x0800);
	if (v6)
		packet_ipv6(&k, 58, 0);
	else
		packet_ipv4(&k, 1, 0, 0);
	packet_icmp(&k, v6 ? 58 : 1, type, code);
	packet_payload(&k, 1400);
	packet_finish(&k);
}

static void udp4(const char *dst)
{
	uint8_t a[4];

	sscanf(dst, "%hhu.%hhu.%hhu.%hhu", a, a + 1, a + 2, a + 3);
	udp(false, a, 20);
}

/* Runs k by `prog`; the id of the tunnel that it was put into. */
static uint32_t sent_by(int prog)
{
	memset(&run, 0, sizeof(run));
	run.in = k.data;
	run.in_len = k.len;
	run.out = out;
	run.out_cap = sizeof(out);
	if (!test_eq(pipe_test(prog, &run), 0))
		return ~0U;
	return run.verdict == PIPE_PROBED && run.skb.cb[4] >> 16 & TCCTL_TUNNEL_OUT ?
		       run.skb.cb[4] >> 16 & TCCTL_TUNNEL_ID :
		       0;
}

static uint32_t sent(void)
{
	return sent_by(pipe_prog(&p, "root"));
}

/* The same from the encap stage on, with a context as if the packet had come that far. */
static uint32_t sent_from(uint32_t hook, uint32_t class, uint32_t tunnel)
{
	memset(&run, 0, sizeof(run));
	run.in = k.data;
	run.in_len = k.len;
	run.out = out;
	run.out_cap = sizeof(out);
	run.skb.cb[0] = TCCTL_CB_MAGIC << 24 | hook;
	run.skb.cb[1] = 34 << 16 | 14;
	run.skb.cb[2] = (TCCTL_F_L2 | TCCTL_F_IPV4 | TCCTL_F_PORTS) << 8 | 17;
	run.skb.cb[3] = 1000 << 16 | 2000;
	run.skb.cb[4] = tunnel << 16 | class;
	if (!test_eq(pipe_test(pipe_prog(&p, "encap"), &run), 0))
		return ~0U;
	return run.verdict == PIPE_PROBED && run.skb.cb[4] >> 16 & TCCTL_TUNNEL_OUT ?
		       run.skb.cb[4] >> 16 & TCCTL_TUNNEL_ID :
		       0;
}

static uint64_t counted(uint32_t id, uint32_t which)
{
	return tunnels_counter(&tables, id, which).packets;
}

/* --- which tunnel ----------------------------------------------------------------------------------------- */

static void by_default_and_route(void)
{
	const uint8_t net10[16] = { 10 }, net10_1[16] = { 10, 1 }, net10_1_2[16] = { 10, 1, 2 },
		      v6[16] = { 0x20, 1, 0xd, 0xb8, 9 };
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_IPIP, false);

	test_case("no tunnel: packets go on");
	udp4("10.0.0.1");
	settings(0, 0);
	test_eq(sent(), 0);
	test_eq(run.verdict, PIPE_PROBED);
	test_ok(run.out_len == k.len && !memcmp(out, k.data, k.len));
	test_case("a tunnel that is not there: packets go on");
	settings(7, 0);
	test_eq(sent(), 0);
	settings(60000, 0);
	test_eq(sent(), 0);

	test_case("the interface's tunnel");
	for (uint32_t id = 1; id <= 4; id++)
		test_ok(setup(id, &t));
	settings(1, 0);
	test_eq(sent(), 1);

	test_case("the longest matching route wins over it");
	settings(1, TCCTL_TS_ROUTES);
	tunnels_route(&tables, 4, net10, 8, 2);
	tunnels_route(&tables, 4, net10_1, 16, 3);
	tunnels_route(&tables, 4, net10_1_2, 24, 0); /* keep */
	tunnels_route(&tables, 6, v6, 40, 4);
	udp4("11.0.0.1");
	test_eq(sent(), 1);
	udp4("10.0.0.1");
	test_eq(sent(), 2);
	udp4("10.1.0.1");
	test_eq(sent(), 3);
	udp4("10.1.2.1");
	test_eq(sent(), 0);
	udp(true, v6, 20);
	test_eq(sent(), 4);
	test_case("the families' routes are apart");
	udp(true, net10, 20);
	test_eq(sent(), 1);
	test_case("without the flag routes are not asked");
	settings(1, 0);
	udp4("10.1.0.1");
	test_eq(sent(), 1);

	test_case("the device's tunnel wins over the interface's, not over a route");
	tunnels_device(&tables, 77, 3);
	settings(1, TCCTL_TS_DEVICE);
	test_eq(sent(), 1);
	tunnels_device(&tables, 1, 2); /* test runs come from lo */
	test_eq(sent(), 2);
	settings(1, TCCTL_TS_DEVICE | TCCTL_TS_ROUTES);
	test_eq(sent(), 3);
	udp4("11.1.0.1");
	test_eq(sent(), 2);
	test_case("without the flag devices are not asked");
	settings(1, 0);
	test_eq(sent(), 1);
}

static void by_class(void)
{
	static struct arena_line lines[3];
	struct arena_header *h = (struct arena_header *)lines;
	struct tcctl_class_row *rows = (struct tcctl_class_row *)(lines + 1);

	test_case("a class's tunnel wins over both");
	h->magic = ARENA_MAGIC;
	h->n_lines = 3;
	h->stamp = 1;
	h->class_base = 1;
	h->n_classes = 4;
	rows[2] = (struct tcctl_class_row){ .flags = TCCTL_C_TUNNEL, .tunnel = 4 };
	rows[3] = (struct tcctl_class_row){ .flags = TCCTL_C_TUNNEL };
	test_eq(pipe_set_arena(&p, 0, lines, 3), 0);
	settings(1, TCCTL_TS_ROUTES);
	udp4("10.1.0.1");
	test_eq(sent_from(0, 2, 0), 4);
	test_case("a class may say that a packet is left alone");
	test_eq(sent_from(0, 3, 0), 0);
	test_case("a class that says nothing of tunnels");
	test_eq(sent_from(0, 1, 0), 3);
	test_eq(sent_from(0, 0, 0), 3);
	test_case("the class stays in the context");
	test_eq(sent_from(0, 2, 0), 4);
	test_eq(run.skb.cb[4] & 0xffff, 2);
	test_case("the number of decapsulations stays in the context");
	test_eq(sent_from(0, 2, 2 << TCCTL_TUNNEL_DEPTH_SHIFT | 1), 4);
	test_eq(run.skb.cb[4] >> 16, TCCTL_TUNNEL_OUT | 2 << TCCTL_TUNNEL_DEPTH_SHIFT | 4);
}

static void left_alone(void)
{
	static const uint8_t types[] = { TCCTL_T_IPIP, TCCTL_T_GRE,  TCCTL_T_VXLAN, TCCTL_T_GENEVE,
					 TCCTL_T_GTPU, TCCTL_T_FOU, TCCTL_T_GUE };
	struct spec_tunnel t;

	for (unsigned int i = 0; i < 2 * sizeof(types); i++) {
		test_case(i & 1 ? "a packet of the tunnel is not put into it again, IPv6" :
				  "a packet of the tunnel is not put into it again, IPv4");
		t = encapstage_tunnel(types[i / 2], i & 1);
		test_ok(setup(1, &t));
		settings(1, 0);
		pipe_counters_zero(&p);
		udp4("10.1.0.1");
		test_eq(sent(), 1);
		/* what came out goes in again */
		memcpy(k.data, out, run.out_len);
		k.len = run.out_len;
		test_eq(sent(), 0);
		test_eq(run.verdict, PIPE_PROBED);
		test_ok(run.out_len == k.len && !memcmp(out, k.data, k.len));
		test_eq(counted(1, TCCTL_TUN_TX), 1);
		test_eq(counted(1, TCCTL_TUN_TX_LOOP), 1);
		/* to another remote it is not one of ours */
		if (i & 1) {
			k.data[14 + 39] ^= 1;
		} else {
			k.data[14 + 19] ^= 1;
			k.data[14 + 11] ^= 1; /* nobody checks it here */
		}
		test_eq(sent(), 1);
	}

	test_case("a payload that the tunnel does not carry");
	t = encapstage_tunnel(TCCTL_T_IPIP, false);
	t.flags &= ~TCCTL_TF_INNER_IPV6;
	test_ok(setup(1, &t));
	pipe_counters_zero(&p);
	udp(true, (const uint8_t[16]){ 0x20, 1 }, 20);
	test_eq(sent(), 0);
	test_eq(run.verdict, PIPE_PROBED);
	test_eq(counted(1, TCCTL_TUN_TX_PAYLOAD), 1);

	test_case("what came out of a tunnel does not go back into it, but into another");
	udp4("10.1.0.1");
	test_eq(sent_from(0, 0, 1 << TCCTL_TUNNEL_DEPTH_SHIFT | 1), 0);
	test_eq(counted(1, TCCTL_TUN_TX_LOOP), 1);
	test_eq(sent_from(0, 0, 1 << TCCTL_TUNNEL_DEPTH_SHIFT | 2), 1);

	test_case("a TTL that would end is left to the stack");
	test_ok(setup_with(1, &t, &(struct tunnel_resolved){ .flags = TCCTL_TF_TERMINATES }));
	udp4("10.1.0.1");
	k.data[14 + 8] = 1;
	packet_finish(&k);
	test_eq(sent(), 0);
	test_eq(run.verdict, PIPE_PROBED);
	test_case("on the way out it was decremented already");
	test_eq(sent_from(TCCTL_HOOK_EGRESS, 0, 0), 1);
	test_eq(out[14 + 20 + 8], 1);
}

/* What must not leave its link is no business of a tunnel that is no link itself. */
static void of_the_link(void)
{
	static const struct {
		const char *name;
		bool v6;
		uint8_t icmp; /* ICMPv6 type; 0: UDP */
		uint8_t src[16], dst[16];
		bool alone;
	} cases[] = {
		{ "224.0.0.0/24", false, 0, { 10 }, { 224, 0, 0, 5 }, true },
		{ "other groups", false, 0, { 10 }, { 224, 0, 1, 5 }, false },
		{ "255.255.255.255", false, 0, { 10 }, { 255, 255, 255, 255 }, true },
		{ "a group of the link", true, 0, { 0x20 }, { 0xff, 2, [15] = 1 }, true },
		{ "a solicited-node group", true, 135, { 0x20 }, { 0xff, 2, [11] = 1, 0xff, 1, 2, 3 }, true },
		{ "a group of the site", true, 0, { 0x20 }, { 0xff, 5, [15] = 1 }, false },
		{ "to a link-local address", true, 0, { 0x20 }, { 0xfe, 0x80, [15] = 1 }, true },
		{ "from a link-local address", true, 0, { 0xfe, 0xbf, [15] = 1 }, { 0x20 }, true },
		{ "next to link-local", true, 0, { 0x20 }, { 0xfe, 0xc0, [15] = 1 }, false },
		{ "router solicitation", true, 133, { 0x20 }, { 0x20, 1 }, true },
		{ "neighbour advertisement to one host", true, 136, { 0x20 }, { 0x20, 1 }, true },
		{ "redirect", true, 137, { 0x20 }, { 0x20, 1 }, true },
		{ "echo request", true, 128, { 0x20 }, { 0x20, 1 }, false },
		{ "multicast listener report", true, 132, { 0x20 }, { 0x20, 1 }, false },
		{ "router renumbering", true, 138, { 0x20 }, { 0x20, 1 }, false },
	};
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_GRE, true);

	settings(1, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_case(cases[i].name);
		packet_init(&k);
		packet_eth(&k, cases[i].v6 ? 0x86dd : 0x0800);
		if (cases[i].v6) {
			uint8_t *ip = packet_ipv6(&k, cases[i].icmp ? 58 : 17, 0);

			memcpy(ip + 8, cases[i].src, 16);
			memcpy(ip + 24, cases[i].dst, 16);
		} else {
			uint8_t *ip = packet_ipv4(&k, 17, 0, 0);

			memcpy(ip + 12, cases[i].src, 4);
			memcpy(ip + 16, cases[i].dst, 4);
		}
		if (cases[i].icmp)
			packet_add(&k, (const uint8_t[8]){ cases[i].icmp }, 8);
		else
			packet_udp(&k, 1000, 2000);
		packet_payload(&k, 24);
		packet_finish(&k);

		test_ok(setup(1, &t));
		pipe_counters_zero(&p);
		test_eq(sent(), cases[i].alone ? 0 : 1);
		test_eq(run.verdict, PIPE_PROBED);
		test_eq(counted(1, TCCTL_TUN_TX_PAYLOAD), cases[i].alone);
		if (cases[i].alone)
			test_ok(run.out_len == k.len && !memcmp(out, k.data, k.len));

		/* test runs are on the loopback device: the tunnel's own is a link */
		test_ok(setup_with(1, &t, &(struct tunnel_resolved){ .device = 1 }));
		test_eq(sent(), 1);
	}
	test_case("frames go whoever they are for");
	t = encapstage_tunnel(TCCTL_T_VXLAN, false);
	test_ok(setup(1, &t));
	udp4("224.0.0.5");
	test_eq(sent(), 1);
}

/* --- which remote ----------------------------------------------------------------------------------------- */

static uint32_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint32_t)ts.tv_sec;
}

static void forwarding(bool v6)
{
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_VXLAN, v6);
	struct tcctl_station_key key = { .tunnel = 2, .mac = { 2, 0, 0, 0, 0, 2 } };
	struct tcctl_station station = { .addr = { 198, 51, 100, 77 }, .id = 0 };
	const unsigned int ip = v6 ? 14 + 24 : 14 + 16, vni = v6 ? 14 + 40 + 12 : 14 + 20 + 12;
	int learned = pipe_map(&p, "learned"), tagger;
	struct spec_prefix flood[2] = {};

	t.flags |= TCCTL_TF_FDB | TCCTL_TF_LEARN;
	t.ageing = 100;
	t.n_remotes = 0;
	test_case(v6 ? "a frame for nobody known is dropped, IPv6" : "a frame for nobody known is dropped, IPv4");
	test_ok(setup(2, &t));
	settings(2, 0);
	pipe_counters_zero(&p);
	udp4("10.0.0.1");
	test_eq(sent(), 0);
	test_eq(run.verdict, 2);
	test_eq(counted(2, TCCTL_TUN_TX_UNKNOWN), 1);

	test_case("learned stations");
	station.seen = now() - 50;
	bpf_map_update_elem(learned, &key, &station, BPF_ANY);
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 77);
	test_eq(out[vni + 2], 42);
	test_case("learned stations grow old");
	station.seen = now() - 101;
	bpf_map_update_elem(learned, &key, &station, BPF_ANY);
	test_eq(sent(), 0);
	test_eq(counted(2, TCCTL_TUN_TX_UNKNOWN), 2);

	test_case("static stations come first");
	station.seen = now();
	bpf_map_update_elem(learned, &key, &station, BPF_ANY);
	station.addr[3] = 78;
	station.id = 0x123456;
	test_eq(tunnels_station(&tables, &key, &station), 0);
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 78);
	test_ok(out[vni] == 0x12 && out[vni + 1] == 0x34 && out[vni + 2] == 0x56);
	tunnels_forget(&tables, &key);

	test_case("a station is one of its VLAN");
	tagger = encapstage_tagger(&p, 0x8100, 100);
	test_eq(sent_by(tagger), 0);
	key.vlan = 100;
	station.addr[3] = 79;
	test_eq(tunnels_station(&tables, &key, &station), 0);
	test_eq(sent_by(tagger), 2);
	test_eq(out[ip + 3], 79);
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 78);
	close(tagger);

	test_case("a station with IPv4's checksum");
	if (!v6)
		test_eq(packet_sum(out + 14, 20, 0), 0xffff);

	test_case("one remote for what is not known, and for groups");
	t.flood = flood;
	t.n_flood = 1;
	test_ok(setup_with(2, &t, &(struct tunnel_resolved){ .flood_first = 3 }));
	tunnels_remote(&tables, 3, &(struct tcctl_remote){ .addr = { 198, 51, 100, 80 } });
	k.data[5] = 99;
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 80);
	memset(k.data, 0xff, 6);
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 80);
	test_case("a known station is not flooded to");
	udp4("10.0.0.1");
	test_eq(sent(), 2);
	test_eq(out[ip + 3], 78);
	test_eq(counted(2, TCCTL_TUN_TX_FLOODED), 0);
}

/* --- size -------------------------------------------------------------------------------------------------- */

static void big(bool v6)
{
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_GRE, false);
	static uint8_t dst[16] = { 0x20, 1, 0xd, 0xb8, [15] = 7 };
	unsigned int ip_len = v6 ? 40 : 20;
	uint8_t *ip = out + 14;
	size_t quote;

	if (!v6)
		memcpy(dst, (uint8_t[]){ 10, 0, 0, 7 }, 4);
	t.mtu = 1300;
	t.flags |= TCCTL_TF_ANSWER;
	settings(1, 0);
	test_ok(setup(1, &t));
	pipe_counters_zero(&p);

	test_case(v6 ? "what just fits, IPv6" : "what just fits, IPv4");
	udp(v6, dst, 1300 - ip_len - 8);
	test_eq(sent(), 1);
	test_case(v6 ? "one byte more is answered with 2/0" : "one byte more is answered with 3/4");
	udp(v6, dst, 1300 - ip_len - 8 + 1);
	test_eq(sent(), 0);
	test_eq(run.verdict, 7); /* TC_ACT_REDIRECT */
	test_eq(counted(1, TCCTL_TUN_TX_MTU), 1);
	test_eq(counted(1, TCCTL_TUN_TX_ANSWERED), 1);
	quote = v6 ? 1232 : 548;
	test_eq(run.out_len, 14 + ip_len + 8 + quote);
	test_ok(!memcmp(out, k.data + 6, 6) && !memcmp(out + 6, k.data, 6));
	if (v6) {
		uint32_t sum = packet_sum(ip + 8, 32, (uint32_t)(58 + 8 + quote));

		test_eq(ip[0] >> 4, 6);
		test_eq(packet_get16(ip + 4), 8 + quote);
		test_ok(!memcmp(ip + 8, dst, 16) && !memcmp(ip + 24, k.data + 14 + 8, 16));
		test_ok(ip[6] == 58 && ip[40] == 2 && ip[41] == 0);
		test_eq(packet_sum(ip + 40, 8 + quote, sum), 0xffff);
	} else {
		test_eq(packet_sum(ip, 20, 0), 0xffff);
		test_eq(packet_get16(ip + 2), 28 + quote);
		test_ok(!memcmp(ip + 12, dst, 4) && !memcmp(ip + 16, k.data + 14 + 12, 4));
		test_ok(ip[9] == 1 && ip[20] == 3 && ip[21] == 4);
		test_eq(packet_sum(ip + 20, 8 + quote, 0), 0xffff);
	}
	test_eq(packet_get16(ip + ip_len + 6), 1300);
	test_ok(!memcmp(ip + ip_len + 8, k.data + 14, quote));

	test_case("the checksum to be filled in by the device is foreseen");
	/* as if CHECKSUM_PARTIAL: the sum of the pseudo header is in its place */
	{
		uint8_t *l4 = k.data + 14 + ip_len, *quoted = ip + ip_len + 8 + ip_len;
		uint16_t pseudo = packet_sum(k.data + 14 + (v6 ? 8 : 12), v6 ? 32 : 8,
					     (uint32_t)(17 + k.len - 14 - ip_len));
		uint32_t sum = v6 ? 0 : 0;

		packet_put16(l4 + 6, pseudo);
		test_eq(sent(), 0);
		test_eq(packet_get16(quoted + 6), pseudo);
		packet_put16(quoted + 6, (uint16_t)~packet_sum(quoted, quote - ip_len, 0)); /* what the device does */
		if (v6)
			sum = packet_sum(ip + 8, 32, (uint32_t)(58 + 8 + quote));
		test_eq(packet_sum(ip + ip_len, 8 + quote, sum), 0xffff);
	}

	test_case("groups, errors and later fragments are not answered");
	pipe_counters_zero(&p);
	udp(v6, v6 ? (const uint8_t[16]){ 0xff, 0xe, [15] = 1 } : (const uint8_t[16]){ 239, 0, 0, 1 }, 1400);
	test_eq(sent(), 0);
	test_eq(run.verdict, 2);
	icmp(v6, v6 ? 1 : 3, 1);
	test_eq(sent(), 0);
	test_eq(run.verdict, 2);
	packet_init(&k);
	packet_eth(&k, v6 ? 0x86dd : 0x800);
	if (v6) {
		packet_ipv6(&k, 44, 0);
		packet_frag6(&k, 17, 10, 1);
	} else {
		packet_put16(packet_ipv4(&k, 17, 0, 0) + 6, 0x2010);
	}
	packet_payload(&k, 1400);
	packet_finish(&k);
	test_eq(sent(), 0);
	test_eq(run.verdict, 2);
	test_eq(counted(1, TCCTL_TUN_TX_MTU), 3);
	test_eq(counted(1, TCCTL_TUN_TX_ANSWERED), 0);
	test_case("an echo request is answered");
	icmp(v6, v6 ? 128 : 8, 0);
	test_eq(sent(), 0);
	test_eq(run.verdict, 7);
	test_case("not more than 100 answers a second and CPU");
	udp(v6, dst, 1400);
	pipe_counters_zero(&p);
	for (int i = 0; i < 1000; i++)
		sent();
	test_eq(counted(1, TCCTL_TUN_TX_MTU), 1000);
	test_ok(counted(1, TCCTL_TUN_TX_ANSWERED) <= 100 * (uint64_t)(p.ncpus + 1));
	test_case("without the flag it is only dropped");
	t.flags &= ~TCCTL_TF_ANSWER;
	test_ok(setup(1, &t));
	test_eq(sent(), 0);
	test_eq(run.verdict, 2);
	sleep(1); /* answers for the next */
}

/* --- tags -------------------------------------------------------------------------------------------------- */

/* A program that tells one field of the skb. */
static int reader_load(int offset)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 0, .src_reg = 1, .off = (int16_t)offset },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "reader", "GPL", insns, 2, NULL);
}

static uint32_t field_after(int offset)
{
	int reader = reader_load(offset);

	pipe_graft(&p, "jt_stage", TCCTL_STAGE_ENCAP + 1, reader);
	sent();
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_ENCAP + 1, p.probe);
	close(reader);
	return (uint32_t)run.verdict;
}

static void tags(void)
{
	struct spec_tunnel t = { .type = TCCTL_T_VLAN,
				 .n_tags = 1,
				 .tags = { { .id = 100, .proto = 0x8100, .pcp = 3 } } };
	int tagger;

	test_case("one tag, into skb metadata");
	test_ok(setup(1, &t));
	settings(1, 0);
	udp4("10.0.0.1");
	test_eq(sent(), 1);
	test_ok(run.out_len == k.len && !memcmp(out, k.data, k.len));
	test_eq(run.skb.cb[2] >> 16, 3 << 13 | 100);
	test_ok(run.skb.cb[2] >> 8 & TCCTL_F_VLAN);
	test_eq(field_after(offsetof(struct __sk_buff, vlan_tci)), 3 << 13 | 100);
	test_eq(field_after(offsetof(struct __sk_buff, vlan_present)), 1);

	test_case("two tags, the inner one into the frame");
	t = (struct spec_tunnel){ .type = TCCTL_T_VLAN,
				  .n_tags = 2,
				  .tags = { { .id = 100, .proto = 0x88a8, .pcp = 3 },
					    { .id = 200, .proto = 0x8100, .pcp = -1 } } };
	test_ok(setup(1, &t));
	k.data[15] = 46 << 2;
	test_eq(sent(), 1);
	test_eq(run.out_len, k.len + 4);
	test_eq(packet_get16(out + 12), 0x8100);
	test_eq(packet_get16(out + 14), 5 << 13 | 200); /* EF is of class selector 5 */
	test_eq(packet_get16(out + 16), 0x0800);
	test_eq(run.skb.cb[1], 38 << 16 | 18);
	test_eq(field_after(offsetof(struct __sk_buff, vlan_tci)), 3 << 13 | 100);
	test_eq(field_after(offsetof(struct __sk_buff, vlan_proto)), __builtin_bswap16(0x88a8));

	test_case("a packet with the tag does not get it again");
	tagger = encapstage_tagger(&p, 0x88a8, 100);
	test_eq(sent_by(tagger), 0);
	test_eq(counted(1, TCCTL_TUN_TX_LOOP), 1);
	close(tagger);
	test_case("one with another does");
	tagger = encapstage_tagger(&p, 0x8100, 7);
	test_eq(sent_by(tagger), 1);
	test_eq(run.out_len, k.len + 8);
	test_eq(packet_get16(out + 14), 5 << 13 | 200);
	test_eq(packet_get16(out + 18), 7);
	test_eq(run.skb.cb[1], 42 << 16 | 22);
	close(tagger);
}

int main(void)
{
	struct tcctl_cfg observe = { .flags = TCCTL_CFG_OBSERVE };
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_IPIP, false);

	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, NULL, 0, "entry_eth"), 0))
		return test_done();
	test_eq(encapstage_fill(&p), 0);
	test_case("no tables: packets go on");
	udp4("10.0.0.1");
	test_eq(sent(), 0);
	test_eq(run.verdict, PIPE_PROBED);
	test_eq(tunnels_open(&tables, &p, 0), 0);
	by_default_and_route();
	by_class();
	left_alone();
	of_the_link();
	forwarding(false);
	tunnels_close(&tables);
	test_eq(tunnels_open(&tables, &p, 0), 0);
	forwarding(true);
	big(false);
	big(true);
	pipe_counters_zero(&p);
	tags();

	test_case("the generation picks the half of the tables");
	settings(1, 0);
	test_ok(setup(1, &t));
	test_eq(pipe_set_generation(&p, 1), 0);
	test_eq(sent(), 0);
	test_eq(pipe_set_generation(&p, 2), 0);
	test_eq(sent(), 1);
	tunnels_close(&tables);
	pipe_close(&p);

	test_case("observe mode changes nothing");
	if (test_eq(pipe_open(&p, &observe, 0, "entry_eth"), 0)) {
		test_eq(encapstage_fill(&p), 0);
		test_eq(tunnels_open(&tables, &p, 0), 0);
		test_ok(setup(1, &t));
		settings(1, 0);
		test_eq(sent(), 0);
		test_eq(run.verdict, PIPE_PROBED);
		tunnels_close(&tables);
		pipe_close(&p);
	}
	return test_done();
}
