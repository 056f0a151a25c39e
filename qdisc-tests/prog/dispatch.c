// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root, jump tables and counters: what happens in full tables, in empty ones, and when a program runs alone.
 */
#include <errno.h>
#include <unistd.h>

#include "packet.h"
#include "pipe.h"
#include "test.h"

#define JUNK 0xdeadbeef

static struct pipe p;

static struct packet *make(uint16_t type, uint8_t proto, uint16_t port)
{
	static struct packet pk;

	packet_init(&pk);
	packet_eth(&pk, type);
	if (type == 0x800)
		packet_ipv4(&pk, proto, 0, 0);
	else if (type == 0x86dd)
		packet_ipv6(&pk, proto, 0);
	if (proto == 17)
		packet_udp(&pk, 1234, port);
	else if (proto == 6)
		packet_tcp(&pk, 1234, port, 2);
	else if (proto == 1 || proto == 58)
		packet_icmp(&pk, proto, 8, 0);
	packet_payload(&pk, 64);
	packet_finish(&pk);
	if (type == 0x8847)
		pk.data[16] |= 1; /* bottom of stack */
	return &pk;
}

/* Run a program with junk in cb, as it may be left by others. */
static struct pipe_run run(const char *prog, const struct packet *pk)
{
	struct pipe_run r = { .in = pk->data, .in_len = pk->len };

	for (int i = 0; i < 5; i++)
		r.skb.cb[i] = JUNK;
	test_eq(pipe_test(pipe_prog(&p, prog), &r), 0);
	return r;
}

static bool cleared(const struct pipe_run *r)
{
	return !r->skb.cb[0] && !r->skb.cb[1] && !r->skb.cb[2] && !r->skb.cb[3] && !r->skb.cb[4];
}

static uint64_t fixed(unsigned int id)
{
	return pipe_counter(&p, id).packets;
}

static const struct {
	uint16_t type;
	uint8_t proto;
} l3_kinds[TCCTL_L3_MAX] = { { 0x800, 17 }, { 0x86dd, 17 }, { 0x806, 0 }, { 0x8847, 0 }, { 0x8864, 0 }, { 0x88cc, 0 } };

static const uint8_t l4_protos[TCCTL_L4_MAX] = { 6, 17, 1, 58, 132, 47, 4, 41, 50, 51, 200 };

static void root_cases(void)
{
	const struct packet *pk = make(0x800, 17, 53);
	struct pipe_run r;

	test_case("root writes every word of the context and counts the hook");
	r = run("root", pk);
	test_eq(r.verdict, PIPE_PROBED);
	test_eq(r.skb.cb[0], (uint32_t)TCCTL_CB_MAGIC << 24);
	test_eq(r.skb.cb[4], 0);
	test_eq(r.skb.tc_classid, 0);
	test_eq(pipe_counter(&p, TCCTL_HOOK_COUNTER(0)).packets, 1);
	test_eq(pipe_counter(&p, TCCTL_HOOK_COUNTER(0)).bytes, pk->len);

	test_case("the generation is read once and carried along");
	test_eq(pipe_set_generation(&p, 0x1a7), 0);
	r = run("root", pk);
	test_eq(r.skb.cb[0], (uint32_t)TCCTL_CB_MAGIC << 24 | 0xa7 << 16);
	pipe_set_generation(&p, 0);

	test_case("an empty root slot passes on, is counted and leaves nothing in cb");
	pipe_graft(&p, "jt_root", TCCTL_ROOT_CURRENT, -1);
	r = run("root", pk);
	test_eq(r.verdict, -1);
	test_ok(cleared(&r));
	test_eq(fixed(TCCTL_CNT_REASON + TCCTL_R_ROOT_EMPTY), 1);
	pipe_graft(&p, "jt_root", TCCTL_ROOT_CURRENT, pipe_prog(&p, "entry_eth"));
}

static void empty_slots(void)
{
	static const char *const l3[] = { "ipv4", "ipv6", "arp", "mpls", "pppoe", "other_l3" };
	static const char *const l4[] = { "tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "ipip", "ip6ip", "esp", "ah", "other_l4" };
	struct pipe_run r;

	for (unsigned int i = 0; i < TCCTL_L3_MAX; i++) {
		const struct packet *pk = make(l3_kinds[i].type, l3_kinds[i].proto, 53);
		char name[64];

		snprintf(name, sizeof(name), "slot of %s, full and empty", l3[i]);
		test_case(name);
		pipe_counters_zero(&p);
		r = run("root", pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(fixed(TCCTL_CNT_L3 + i), 1);
		test_eq(fixed(TCCTL_CNT_EMPTY_L3 + i), 0);
		pipe_graft(&p, "jt_l3", i, -1);
		r = run("root", pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(fixed(TCCTL_CNT_L3 + i), 1);
		test_eq(fixed(TCCTL_CNT_EMPTY_L3 + i), 1);
		pipe_graft(&p, "jt_l3", i, pipe_prog(&p, l3[i]));
	}
	for (unsigned int i = 0; i < TCCTL_L4_MAX; i++) {
		const struct packet *pk = make(0x800, l4_protos[i], 53);
		char name[64];

		snprintf(name, sizeof(name), "slot of %s, full and empty", l4[i]);
		test_case(name);
		pipe_counters_zero(&p);
		r = run("root", pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(fixed(TCCTL_CNT_L4 + i), 1);
		pipe_graft(&p, "jt_l4", i, -1);
		r = run("root", pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(fixed(TCCTL_CNT_L4 + i), 1);
		test_eq(fixed(TCCTL_CNT_EMPTY_L4 + i), 1);
		test_eq(r.skb.cb[1], 34 << 16 | 14); /* the L3 handler's part is there all the same */
		pipe_graft(&p, "jt_l4", i, pipe_prog(&p, l4[i]));
	}

	test_case("an empty first stage passes on, is counted and leaves nothing in cb");
	pipe_counters_zero(&p);
	pipe_graft(&p, "jt_stage", 0, -1);
	r = run("root", make(0x800, 6, 80));
	test_eq(r.verdict, -1);
	test_ok(cleared(&r));
	test_eq(fixed(TCCTL_CNT_EMPTY_STAGE), 1);
	pipe_graft(&p, "jt_stage", 0, p.probe);
}

/* A handler attached alone works out what a root and the handlers before it would have. */
static void alone(void)
{
	static const struct {
		const char *prog;
		uint16_t type;
		uint8_t proto;
	} cases[] = {
		{ "entry_eth", 0x800, 17 }, { "ipv4", 0x800, 17 },    { "ipv6", 0x86dd, 6 },   { "arp", 0x806, 0 },
		{ "mpls", 0x8847, 0 },	    { "pppoe", 0x8864, 0 },   { "other_l3", 0x88cc, 0 }, { "tcp", 0x800, 6 },
		{ "tcp", 0x86dd, 6 },	    { "udp", 0x86dd, 17 },    { "icmp", 0x800, 1 },    { "icmpv6", 0x86dd, 58 },
		{ "sctp", 0x800, 132 },	    { "gre", 0x800, 47 },     { "ipip", 0x800, 4 },    { "ip6ip", 0x800, 41 },
		{ "esp", 0x86dd, 50 },	    { "ah", 0x800, 51 },      { "other_l4", 0x800, 200 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct packet *pk = make(cases[i].type, cases[i].proto, 53);
		struct pipe_run r, whole;
		char name[64];

		snprintf(name, sizeof(name), "%s alone, EtherType %04x", cases[i].prog, cases[i].type);
		test_case(name);
		pipe_counters_zero(&p);
		whole = run("root", pk);
		r = run(cases[i].prog, pk);
		test_eq(r.verdict, PIPE_PROBED);
		test_ok(!memcmp(r.skb.cb, whole.skb.cb, sizeof(r.skb.cb)));
		test_eq(fixed(TCCTL_CNT_REASON + TCCTL_R_NO_ROOT), 1);

		/* the kind of packet it is not for, and cut short: no crash, passed on */
		pk = make(cases[i].type == 0x800 ? 0x86dd : 0x800, 17, 53);
		r = run(cases[i].prog, pk);
		test_ok(r.verdict == PIPE_PROBED || (r.verdict == -1 && cleared(&r)));
	}

	test_case("stages alone pass on and leave nothing in cb");
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_MARK + 1, -1);
	for (int i = 0; i < 2; i++) {
		struct pipe_run r = run(i ? "mark" : "end", make(0x800, 6, 80));

		test_eq(r.verdict, -1);
		test_ok(cleared(&r));
	}
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_MARK + 1, p.probe);

	test_case("handlers alone with empty tables pass on");
	for (uint32_t i = 0; i < TCCTL_STAGE_MAX; i++)
		pipe_graft(&p, "jt_stage", i, -1);
	for (uint32_t i = 0; i < TCCTL_L3_MAX; i++)
		pipe_graft(&p, "jt_l3", i, -1);
	for (uint32_t i = 0; i < TCCTL_L4_MAX; i++)
		pipe_graft(&p, "jt_l4", i, -1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pipe_run r = run(cases[i].prog, make(cases[i].type, cases[i].proto, 53));

		test_eq(r.verdict, -1);
		test_ok(cleared(&r));
	}
}

/* Counters of GSO packets: segments, and bytes with the headers of each. */
static void gso(void)
{
	static const struct {
		uint16_t type;
		uint8_t proto;
		uint32_t headers;
	} kinds[] = { { 0x800, 6, 54 }, { 0x86dd, 6, 74 }, { 0x800, 17, 42 }, { 0x86dd, 17, 62 } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct packet *pk = make(kinds[i].type, kinds[i].proto, 53);
		struct pipe_run r;
		struct tcctl_counter c;
		uint32_t payload;

		packet_payload(pk, 1234);
		packet_finish(pk);
		payload = (uint32_t)pk->len - kinds[i].headers;
		for (uint32_t mss = 100; mss <= 700; mss += 200) {
			uint32_t segs = (payload + mss - 1) / mss;

			for (int told = 0; told < 2; told++) { /* taps may not say gso_segs */
				char name[80];

				snprintf(name, sizeof(name), "GSO EtherType %04x protocol %u, %u bytes in %u%s",
					 kinds[i].type, kinds[i].proto, payload, mss, told ? "" : ", segments not told");
				test_case(name);
				pipe_counters_zero(&p);
				r = (struct pipe_run){ .in = pk->data, .in_len = pk->len };
				r.skb.gso_size = mss;
				r.skb.gso_segs = told ? segs : 0;
				test_eq(pipe_test(pipe_prog(&p, "root"), &r), 0);
				c = pipe_counter(&p, TCCTL_HOOK_COUNTER(0));
				test_eq(c.packets, 1);
				test_eq(c.segments, segs);
				test_eq(c.bytes, pk->len + (segs - 1) * kinds[i].headers);
				c = pipe_counter(&p, TCCTL_CNT_L4 + (kinds[i].proto == 6 ? TCCTL_L4_TCP : TCCTL_L4_UDP));
				test_eq(c.segments, segs);
			}
		}
	}
}

static void udp_ports(void)
{
	struct tcctl_cfg cfg = { .udp_used = 0x81, .udp_port = { [0] = 2152, [7] = 65535, [1] = 53 } };
	static const uint16_t ports[] = { 2152, 65535, 53, 4789 };
	static const uint32_t slots[] = { TCCTL_UDP_USER, TCCTL_UDP_USER + 7, TCCTL_UDP_MAX, TCCTL_UDP_VXLAN };

	test_case("UDP ports of the configuration and well-known ones");
	if (!test_eq(pipe_open(&p, &cfg, 0, "entry_eth"), 0))
		return;
	for (size_t i = 0; i < 4; i++) {
		struct pipe_run r = run("root", make(0x800, 17, ports[i]));
		uint64_t empty = 0;

		test_eq(r.verdict, PIPE_PROBED);
		for (uint32_t s = 0; s < TCCTL_UDP_MAX; s++)
			empty += fixed(TCCTL_CNT_EMPTY_UDP + s) * (s == slots[i] ? 1 : 100);
		test_eq(empty, slots[i] < TCCTL_UDP_MAX);
		pipe_counters_zero(&p);
		if (slots[i] == TCCTL_UDP_MAX)
			continue;
		pipe_graft(&p, "jt_udp", slots[i], p.probe);
		pipe_graft(&p, "jt_stage", 0, -1); /* reached only past the port's handler */
		r = run("root", make(0x86dd, 17, ports[i]));
		test_eq(r.verdict, PIPE_PROBED);
		pipe_graft(&p, "jt_stage", 0, p.probe);
		pipe_graft(&p, "jt_udp", slots[i], -1);
		pipe_counters_zero(&p);
	}
	pipe_close(&p);
}

static void whole(void)
{
	struct tcctl_cfg ok = { .flags = TCCTL_CFG_VERDICT_OK };

	for (int i = 0; i < 2; i++) {
		struct pipe_run r;
		struct packet *pk;

		test_case(i ? "whole pipeline, verdict OK" : "whole pipeline, verdict continue");
		if (!test_eq(pipe_open(&p, i ? &ok : NULL, PIPE_MARK | PIPE_END, "entry_eth"), 0))
			return;
		r = run("root", make(0x800, 6, 443));
		test_eq(r.verdict, i ? 0 : -1);
		test_ok(cleared(&r));
		test_eq(fixed(TCCTL_CNT_STAGE + TCCTL_STAGE_MARK), 1);
		test_eq(fixed(TCCTL_CNT_STAGE + TCCTL_STAGE_END), 1);
		pk = make(0x800, 6, 443);
		pk->data[14] = 0x44; /* malformed: straight out, same verdict */
		r = run("root", pk);
		test_eq(r.verdict, i ? 0 : -1);
		test_ok(cleared(&r));
		test_eq(fixed(TCCTL_CNT_STAGE + TCCTL_STAGE_END), 1);
		test_eq(fixed(TCCTL_CNT_REASON + TCCTL_R_BAD_IPV4), 1);
		pipe_close(&p);
	}
}

int main(void)
{
	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, NULL, PIPE_MARK | PIPE_ALONE, "entry_eth"), 0))
		return test_done();
	for (uint32_t i = 0; i < TCCTL_STAGE_MARK; i++) /* the handlers' end is the probe */
		pipe_graft(&p, "jt_stage", i, p.probe);
	root_cases();
	gso();
	empty_slots();
	alone();
	pipe_close(&p);
	udp_ports();
	whole();
	return test_done();
}
