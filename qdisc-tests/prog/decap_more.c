// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decapsulation beyond headers: VLAN tags, learning, TCP's MSS, where packets go at the end, programs attached alone.
 */
#include <time.h>

#include "packet.h"
#include "pipe.h"
#include "test.h"
#include "tunnels.h"

#define REDIRECT 7
#define VNI 42

static struct pipe p;
static struct tunnels t;
static uint8_t out[PACKET_MAX];

static const struct tcctl_decap_key vxlan_key = {
	.type = TCCTL_T_VXLAN, .family = 4, .port = 4789, .id = VNI, .local = { 198, 51, 100, 2 }, .remote = { 192, 0, 2, 1 },
};
static const struct tcctl_decap_key ipip_key = {
	.type = TCCTL_T_IPIP, .family = 4, .local = { 198, 51, 100, 2 }, .remote = { 192, 0, 2, 1 },
};

static bool open_all(unsigned int stages)
{
	const struct tcctl_cfg cfg = { .decap = ~0U };
	const struct tcctl_tunnel_settings s = { .flags = TCCTL_TS_BOTH };

	return test_eq(pipe_open(&p, &cfg, stages, "entry_eth"), 0) && test_eq(tunnels_open(&t, &p, 0), 0) &&
	       test_eq(tunnels_settings(&t, &s), 0) && test_eq(tunnels_decap(&t, &vxlan_key, 1), 0) &&
	       test_eq(tunnels_decap(&t, &ipip_key, 2), 0);
}

static void close_all(void)
{
	tunnels_close(&t);
	pipe_close(&p);
}

static struct pipe_run run(const char *prog, const struct packet *pk)
{
	struct pipe_run r = { .in = pk->data, .in_len = pk->len, .out = out, .out_cap = sizeof(out) };

	test_eq(pipe_test(pipe_prog(&p, prog), &r), 0);
	return r;
}

/* Ethernet in VXLAN, or IP in IP. */
static void wrap(struct packet *pk, const struct packet *inner, bool vxlan, unsigned int gbp)
{
	packet_init(pk);
	packet_eth(pk, 0x800);
	packet_ipv4(pk, vxlan ? 17 : inner->data[12] == 0x86 ? 41 : 4, 0, 0);
	if (vxlan) {
		uint8_t *h;

		packet_udp(pk, 50000, 4789);
		h = packet_add(pk, "\x08\0\0\0\0\0\x2a\0", 8);
		h[0] |= (uint8_t)(gbp >> 8);
		h[1] = (uint8_t)gbp;
		packet_add(pk, inner->data, inner->len);
	} else {
		packet_add(pk, inner->data + 14, inner->len - 14);
	}
	packet_finish(pk);
}

static void vlan(void)
{
	const struct tcctl_tunnel row = { .type = TCCTL_T_VLAN, .flags = TCCTL_TF_INNER_ETH };
	const struct tcctl_decap_key one = { .type = TCCTL_T_VLAN, .port = 0x8100, .id = 100 << 12, .has_id = 1 };
	const struct tcctl_decap_key two = { .type = TCCTL_T_VLAN, .port = 0x88a8, .id = 100 << 12 | 200, .has_id = 2 };
	static const struct {
		const char *name;
		uint16_t outer, id, inner; /* EtherType and id of the outer tag, id of the inner one */
		uint32_t tunnel;
		size_t gone; /* bytes of tags taken away */
		uint32_t proto;
	} cases[] = {
		{ "one tag", 0x8100, 100, 0, 3, 4, 0 },
		{ "another id", 0x8100, 101, 0, 0, 0, 101U << 16 | TCCTL_F_VLAN << 8 },
		{ "another EtherType", 0x88a8, 100, 0, 0, 0, 100U << 16 | TCCTL_F_VLAN << 8 },
		{ "two tags", 0x88a8, 100, 200, 4, 8, 0 },
		{ "two tags, another inner id", 0x88a8, 100, 201, 0, 0, 100U << 16 | TCCTL_F_VLAN << 8 },
	};
	struct tcctl_tunnel_settings refuse = { .flags = TCCTL_TS_ANY, .unknown_types = 1U << TCCTL_T_VLAN };
	struct packet pk;
	struct pipe_run r;

	test_case("VLAN tables");
	if (!open_all(PIPE_DECAP))
		return;
	test_eq(tunnels_set(&t, 3, &row), 0);
	test_eq(tunnels_set(&t, 4, &row), 0);
	test_eq(tunnels_decap(&t, &one, 3), 0);
	test_eq(tunnels_decap(&t, &two, 4), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t tags = cases[i].inner ? 8 : 4;

		test_case(cases[i].name);
		packet_init(&pk);
		packet_eth(&pk, cases[i].outer);
		packet_vlan(&pk, cases[i].id, cases[i].inner ? 0x8100 : 0x800);
		if (cases[i].inner)
			packet_vlan(&pk, cases[i].inner, 0x800);
		packet_ipv4(&pk, 17, 0, 0);
		packet_udp(&pk, 1000, 53);
		packet_payload(&pk, 50);
		packet_finish(&pk);
		pipe_counters_zero(&p);
		r = run("root", &pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(r.skb.cb[TCCTL_CB_CLASS], cases[i].tunnel ? (1U << 13 | cases[i].tunnel) << 16 : 0);
		test_eq(r.skb.cb[TCCTL_CB_OFFSETS], (34 + tags - cases[i].gone) << 16 | (14 + tags - cases[i].gone));
		test_eq(r.skb.cb[TCCTL_CB_PROTO] & 0xffff4000, cases[i].proto);
		if (cases[i].tunnel) {
			test_eq(tunnels_counter(&t, cases[i].tunnel, TCCTL_TUN_RX).packets, 1);
			test_eq(r.out_len, pk.len - cases[i].gone);
			test_eq(packet_get16(out + 12), 0x800);
			test_ok(!memcmp(out + 14, pk.data + 14 + tags, pk.len - 14 - tags));
			test_ok(!memcmp(out, pk.data, 12));
		} else {
			test_ok(r.out_len == pk.len && !memcmp(out, pk.data, pk.len));
		}
	}
	test_case("tags of nobody are refused where that is asked for");
	test_eq(tunnels_settings(&t, &refuse), 0);
	r = run("root", &pk);
	test_eq(r.verdict, 2);
	test_eq(pipe_counter(&p, TCCTL_CNT_REASON + TCCTL_R_TUNNEL_REFUSED).packets, 1);
	close_all();
}

static void learning(void)
{
	const struct tcctl_tunnel row = { .type = TCCTL_T_VXLAN, .flags = TCCTL_TF_INNER_ETH | TCCTL_TF_LEARN | TCCTL_TF_GBP };
	struct tcctl_station_key key = { .tunnel = 1, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct tcctl_station station = { .addr = { 9 } };
	struct packet inner, pk;
	struct timespec now;

	test_case("the sender of an inner frame is learned");
	if (!open_all(PIPE_DECAP))
		return;
	test_eq(tunnels_set(&t, 1, &row), 0);
	packet_datagram(&inner, true, 0, 53, 50);
	wrap(&pk, &inner, true, 0);
	run("root", &pk);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (test_eq(tunnels_learned(&t, &key, &station), 0)) {
		static const uint8_t remote[16] = { 192, 0, 2, 1 };

		test_ok(!memcmp(station.addr, remote, 16));
		test_eq(station.id, 0);
		test_ok((uint32_t)now.tv_sec - station.seen <= 2);
	}
	test_case("a station that moved is learned anew");
	station.addr[0] = 9;
	station.seen = 1;
	test_eq(tunnels_station(&t, &key, &station), 0); /* static entries are not touched */
	run("root", &pk);
	test_eq(tunnels_learned(&t, &key, &station), 0);
	test_eq(station.addr[0], 192);
	tunnels_forget(&t, &key);
	test_case("not learned: group addresses, and what its sender forbids");
	wrap(&pk, &inner, true, 0x8040);
	run("root", &pk);
	test_ok(tunnels_learned(&t, &key, &station) < 0);
	inner.data[6] |= 1;
	key.mac[0] |= 1;
	wrap(&pk, &inner, true, 0);
	run("root", &pk);
	test_ok(tunnels_learned(&t, &key, &station) < 0);
	close_all();
}

static void mss(void)
{
	struct tcctl_tunnel row = { .type = TCCTL_T_IPIP, .mtu = 1400,
				    .flags = TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6 | TCCTL_TF_MSS };
	static const char options[][9] = { "\2\4\5\xb4\1\1\1\0", "\1\2\4\5\xb4\1\1\0", "\1\3\3\7\2\4\5\xb4", "\2\4\2\0\1\1\1\0" };
	static const uint8_t at[] = { 2, 3, 6, 2 };
	struct packet inner, pk;

	test_case("MSS tables");
	if (!open_all(PIPE_DECAP))
		return;
	test_eq(tunnels_set(&t, 2, &row), 0);
	for (unsigned int i = 0; i < 16; i++) {
		bool v6 = i & 1, syn = i & 2;
		unsigned int o = i / 4, want = o == 3 ? 512 : !syn ? 1460 : v6 ? 1340 : 1360;
		char name[80];
		const uint8_t *tcp;

		snprintf(name, sizeof(name), "IPv%d %s, MSS at %u", v6 ? 6 : 4, syn ? "SYN" : "ACK", at[o]);
		test_case(name);
		packet_init(&inner);
		packet_eth(&inner, v6 ? 0x86dd : 0x800);
		if (v6)
			packet_ipv6(&inner, 6, 0);
		else
			packet_ipv4(&inner, 6, 0, 0);
		packet_tcp(&inner, 1000, 80, syn ? 2 : 0x10);
		inner.data[inner.l4 + 12] = 7 << 4;
		packet_add(&inner, options[o], 8);
		packet_finish(&inner);
		wrap(&pk, &inner, false, 0);
		run("root", &pk);
		tcp = out + (v6 ? 54 : 34);
		test_eq(packet_get16(tcp + 20 + at[o]), want);
		test_eq(packet_sum(tcp, 28, packet_sum(v6 ? tcp - 32 : tcp - 8, v6 ? 32 : 8, 6 + 28)), 0xffff);
	}
	close_all();
}

static void delivery(void)
{
	struct tcctl_tunnel eth = { .type = TCCTL_T_VXLAN, .flags = TCCTL_TF_INNER_ETH };
	struct tcctl_tunnel ip = { .type = TCCTL_T_IPIP, .flags = TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6 };
	struct packet inner, in_vxlan, in_ip;
	struct pipe_run r;

	test_case("deliver loads");
	if (!open_all(PIPE_DECAP | PIPE_DELIVER))
		return;
	packet_datagram(&inner, false, 0, 53, 50);
	wrap(&in_vxlan, &inner, true, 0);
	wrap(&in_ip, &inner, false, 0);
	for (int device = 0; device < 2; device++) {
		eth.device = ip.device = device ? 1 : 0;
		memcpy(ip.mac, device ? "\2\7\7\7\7\7" : "\0\0\0\0\0\0", 6);
		tunnels_set(&t, 1, &eth);
		tunnels_set(&t, 2, &ip);
		test_case(device ? "a frame goes into its tunnel's device" : "a frame without a device comes in once more");
		r = run("root", &in_vxlan);
		test_eq(r.verdict, REDIRECT);
		test_ok(!r.skb.cb[0] && !r.skb.cb[4]);
		test_ok(r.out_len == inner.len && !memcmp(out, inner.data, inner.len));
		test_case(device ? "IP goes into its tunnel's device, to that one's address" : "IP without a device goes on");
		r = run("root", &in_ip);
		test_eq(r.verdict, device ? REDIRECT : -1);
		test_ok(!r.skb.cb[0] && !r.skb.cb[4]);
		test_ok(!memcmp(out, device ? "\2\7\7\7\7\7" : (const char *)in_ip.data, 6));
	}
	/* The test run's device is the loopback, of address 0: what is for that is for this host. */
	eth.device = 0;
	tunnels_set(&t, 1, &eth);
	test_case("a frame without a device goes on when it and the outer one are for this host");
	for (int own = 0; own < 4; own++) {
		memset(in_vxlan.data, 0, 6);
		memset(in_vxlan.data + 50, 0, 6);
		in_vxlan.data[5] = own & 1 ? 0 : 7;
		in_vxlan.data[55] = own & 2 ? 0 : 7;
		r = run("root", &in_vxlan);
		test_eq(r.verdict, own == 3 ? -1 : REDIRECT);
		test_ok(r.out_len == inner.len && !memcmp(out, in_vxlan.data + 50, inner.len));
	}
	test_case("what came through no tunnel goes on");
	r = run("root", &inner);
	test_eq(r.verdict, -1);
	close_all();
}

static void alone(void)
{
	const struct tcctl_tunnel eth = { .type = TCCTL_T_VXLAN, .flags = TCCTL_TF_INNER_ETH };
	struct packet inner, pk;
	struct pipe_run r;

	test_case("attached alone, with filled tables: decapsulates");
	if (!open_all(PIPE_DECAP | PIPE_ALONE))
		return;
	tunnels_set(&t, 1, &eth);
	packet_datagram(&inner, false, 0, 53, 50);
	wrap(&pk, &inner, true, 0);
	r = run("vxlan", &pk);
	test_eq(r.verdict, PIPE_PROBED);
	test_ok(r.out_len == inner.len && !memcmp(out, inner.data, inner.len));
	test_case("attached alone: leaves everything else");
	r = run("vxlan", &inner);
	test_eq(r.verdict, PIPE_PROBED);
	test_ok(r.out_len == inner.len && !memcmp(out, inner.data, inner.len));
	close_all();
}

static void not_wanted(void)
{
	const struct tcctl_cfg none = {}, observe = { .flags = TCCTL_CFG_OBSERVE, .decap = ~0U };

	for (int i = 0; i < 2; i++) {
		const struct tcctl_tunnel ip = { .type = TCCTL_T_IPIP, .flags = TCCTL_TF_INNER_IPV4 };
		const struct tcctl_tunnel_settings s = { .flags = TCCTL_TS_BOTH };
		struct packet inner, pk;
		struct pipe_run r;

		test_case(i ? "observe mode changes nothing" : "a pipeline without tunnels leaves all alone");
		if (!test_eq(pipe_open(&p, i ? &observe : &none, PIPE_DECAP, "entry_eth"), 0) || !test_eq(tunnels_open(&t, &p, 0), 0))
			return;
		tunnels_set(&t, 2, &ip);
		tunnels_settings(&t, &s);
		tunnels_decap(&t, &ipip_key, 2);
		packet_datagram(&inner, false, 0, 53, 50);
		wrap(&pk, &inner, false, 0);
		r = run("root", &pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(r.skb.cb[4], 0);
		test_ok(r.out_len == pk.len && !memcmp(out, pk.data, pk.len));
		close_all();
	}
}

int main(void)
{
	vlan();
	learning();
	mss();
	delivery();
	alone();
	not_wanted();
	return test_done();
}
