// SPDX-License-Identifier: GPL-2.0-only
/* Configurations that are accepted, and what they mean. */
#include "../lib/test.h"
#include "spec.h"
#include "tcctl/abi.h"

static struct tcctl_diags *diags;
static struct spec *spec;

static void done(void)
{
	spec_free(spec);
	diags_free(diags);
	spec = NULL;
	diags = NULL;
}

static bool parse(const char *text)
{
	if (diags)
		done();
	diags = diags_new();
	if (spec_parse(text, strlen(text), "x.yaml", NULL, diags, &spec) == 0)
		return true;
	for (size_t i = 0; i < diags->n; i++) {
		char *line = diag_format(&diags->items[i]);

		test_fail("%s", line);
		free(line);
	}
	return false;
}

/* One rule, as the first of rule set 0; the text is what stands between { and }. */
static const struct spec_rule *rule(const char *text)
{
	char yaml[1024];

	snprintf(
		yaml, sizeof(yaml),
		"tcctl: 1\n"
		"sets: { office: { items: [192.0.2.0/24, \"2001:db8::/32\"] }, lab: { items: [198.51.100.0/24] } }\n"
		"classes: { voice: {} }\n"
		"rules: { r: [ { %s, class: voice } ] }\n",
		text);
	return parse(yaml) ? &spec->rulesets[0].rules[0] : NULL;
}

static void range(const struct spec_ranges *r, size_t i, uint32_t lo, uint32_t hi)
{
	if (!test_ok(r->n > i))
		return;
	test_eq(r->items[i].lo, lo);
	test_eq(r->items[i].hi, hi);
}

static void test_quick_start(void)
{
	test_case("ten lines");
	if (!parse("tcctl: 1\n"
		   "sets: { office: { items: [192.0.2.0/24] } }\n"
		   "classes:\n"
		   "  voice: { dscp: EF }\n"
		   "  bulk:  { dscp: CS1 }\n"
		   "rules:\n"
		   "  wan:\n"
		   "    - { not: { dscp: CS0 }, class: keep }\n"
		   "    - { remote: office, class: voice }\n"
		   "    - { proto: udp, port: [3074, 3478-3497], class: voice }\n"
		   "    - { class: bulk }\n"
		   "interfaces:\n"
		   "  pppoe-wan: { rules: wan, optional: true }\n"))
		return;
	test_streq(spec->name, "default");
	test_eq(spec->n_classes, 4);
	test_streq(spec->classes[TCCTL_CLASS_KEEP].name, "keep");
	test_eq(spec->classes[TCCTL_CLASS_DROP].flags, TCCTL_C_DROP);
	test_eq(spec->classes[2].dscp, 46);
	test_eq(spec->rulesets[0].n_rules, 4);
	test_eq(spec->rulesets[0].rules[0].class, TCCTL_CLASS_KEEP);
	test_eq(spec->rulesets[0].rules[3].class, 3);
	test_eq(spec->rulesets[0].rules[1].loc.line, 9);
	test_eq(spec->rulesets[0].rules[1].loc.col, 7);
	test_streq(spec->rulesets[0].rules[1].loc.file, "x.yaml");
	test_ok(spec->interfaces[0].optional);
	for (int d = 0; d < SPEC_DIR_MAX; d++) {
		test_ok(spec->interfaces[0].hook[d].enabled);
		test_eq(spec->interfaces[0].hook[d].ruleset, 0);
	}
}

static void test_classes(void)
{
	const struct spec_class *c;

	test_case("class keys");
	if (!parse("tcctl: 1\nclasses:\n"
		   "  a: { dscp: af41, mark: 0x10/0xf0, priority: 0x10001, queue: 3, tc-index: 65535 }\n"
		   "  b: { dscp-if-unset: 46, mark: 7, classid: ffff:a }\n"
		   "  c: {}\n"))
		return;
	c = &spec->classes[2];
	test_eq(c->flags, TCCTL_C_DSCP | TCCTL_C_MARK | TCCTL_C_PRIORITY | TCCTL_C_QUEUE | TCCTL_C_TC_INDEX);
	test_eq(c->dscp, 34);
	test_eq(c->mark, 0x10);
	test_eq(c->mark_mask, 0xf0);
	test_eq(c->priority, 0x10001);
	test_ok(!c->is_classid);
	test_eq(c->queue, 3);
	test_eq(c->tc_index, 65535);
	c++;
	test_eq(c->flags, TCCTL_C_DSCP_IF_UNSET | TCCTL_C_MARK | TCCTL_C_PRIORITY);
	test_eq(c->mark_mask, UINT32_MAX);
	test_eq(c->priority, 0xffff000aU);
	test_ok(c->is_classid);
	test_eq(c[1].flags, 0);
}

static void test_addresses(void)
{
	const struct spec_rule *r;
	const struct spec_addrs *a;

	test_case("addresses and sets");
	r = rule(
		"remote: [lab, 10.0.0.1, office, 10.0.0.0/8, \"fe80::1\", 10.0.0.1, office], local: \"::/0\"");
	if (r) {
		a = &r->addr[SPEC_REMOTE];
		test_ok(a->set && !a->neg);
		test_eq(a->n_sets, 2);
		test_eq(a->sets[0], 0);
		test_eq(a->sets[1], 1);
		test_eq(a->n_prefixes, 3);
		test_eq(a->prefixes[0].family, 4);
		test_eq(a->prefixes[0].len, 8);
		test_eq(a->prefixes[1].len, 32);
		test_eq(a->prefixes[1].addr[3], 1);
		test_eq(a->prefixes[2].family, 6);
		test_eq(a->prefixes[2].len, 128);
		test_eq(a->prefixes[2].addr[15], 1);
		test_eq(r->addr[SPEC_LOCAL].prefixes[0].len, 0);
		test_eq(r->addr[SPEC_LOCAL].prefixes[0].family, 6);
		test_ok(!r->addr[SPEC_SRC].set);
		test_ok(spec->sets[0].used && spec->sets[1].used);
	}
	test_case("hexadecimal words with a colon are addresses");
	r = rule("src: [\"dead:beef::/32\", \"fe80::\"]");
	if (r)
		test_eq(r->addr[SPEC_SRC].n_prefixes, 2);
	test_case("not an address");
	r = rule("not: { remote: [office, 10.0.0.0/8] }");
	if (r) {
		test_ok(r->addr[SPEC_REMOTE].neg);
		test_eq(r->addr[SPEC_REMOTE].n_sets, 1);
		test_eq(r->addr[SPEC_REMOTE].n_prefixes, 1);
	}
	test_case("an address and an exception");
	r = rule(
		"remote: [10.0.0.0/8, office], not: { remote: [10.128.0.0/9, 10.0.0.0/10, \"2001:db8::/32\"] }");
	if (r) {
		a = &r->addr[SPEC_REMOTE];
		test_ok(a->set && !a->neg);
		test_eq(a->n_sets, 0);
		test_eq(a->n_prefixes, 2);
		test_eq(a->prefixes[0].addr[1], 64); /* 10.64.0.0/10 */
		test_eq(a->prefixes[0].len, 10);
		test_eq(a->prefixes[1].addr[0], 192);
		test_eq(a->prefixes[1].len, 24);
	}
	test_case("an exception inside an exception, overlapping prefixes");
	r = rule(
		"src: [10.0.0.0/8, 10.1.0.0/16, 10.0.0.0/30], not: { src: [10.0.0.0/9, 10.0.0.0/24, 10.128.0.0/10] }");
	if (r) {
		test_eq(r->addr[SPEC_SRC].n_prefixes, 1);
		test_eq(r->addr[SPEC_SRC].prefixes[0].addr[1], 192);
		test_eq(r->addr[SPEC_SRC].prefixes[0].len, 10);
	}
}

/* Membership, for comparing what is left with what was asked. */
static bool in_ranges(const struct spec_ranges *r, uint32_t v)
{
	for (size_t i = 0; i < r->n; i++)
		if (v >= r->items[i].lo && v <= r->items[i].hi)
			return true;
	return false;
}

static bool in_maskeds(const struct spec_maskeds *m, uint32_t v)
{
	for (size_t i = 0; i < m->n; i++)
		if ((v & m->items[i].mask) == m->items[i].value)
			return true;
	return false;
}

static bool in_prefixes(const struct spec_addrs *a, uint32_t v)
{
	for (size_t i = 0; i < a->n_prefixes; i++) {
		const uint8_t *b = a->prefixes[i].addr;
		uint32_t p = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
		uint32_t mask = a->prefixes[i].len ? UINT32_MAX << (32 - a->prefixes[i].len) : 0;

		if ((v & mask) == p)
			return true;
	}
	return false;
}

/* `key: [yes], not: { key: [no] }` against the difference of the two, over random values. */
static void test_exceptions(void)
{
	unsigned int seed = 7;

	test_case("what exceptions leave over, by comparison");
	for (int round = 0; round < 300; round++) {
		char text[2][400], both[900];
		struct spec_rule half[2];
		struct spec *keep[2];
		const struct spec_rule *r;

		for (int h = 0; h < 2; h++) {
			char *p = text[h];
			uint32_t lo = (uint32_t)rand_r(&seed) % 60000,
				 len = 16 + (uint32_t)rand_r(&seed) % 16;

			p += sprintf(p, "dport: [%u-%u, %u, %u-%u], ", lo,
				     lo + (uint32_t)rand_r(&seed) % 5000, (uint32_t)rand_r(&seed) % 65536,
				     lo / 2, lo / 2 + (uint32_t)rand_r(&seed) % 20000);
			p += sprintf(p, "mark: [0x%x/0xf0, 0x%x/0x33]", (uint32_t)rand_r(&seed) & 0xf0,
				     (uint32_t)rand_r(&seed) & 0x33);
			sprintf(p, ", src: [10.0.%u.0/24, 10.0.0.0/%u, 10.0.%u.%u]",
				     (uint32_t)rand_r(&seed) % 4, h ? len + 4 > 32 ? 32 : len + 4 : len,
				     (uint32_t)rand_r(&seed) % 4, (uint32_t)rand_r(&seed) % 256);
		}
		/* The halves alone, then both. */
		for (int h = 0; h < 2; h++) {
			r = rule(text[h]);
			if (!r)
				return;
			half[h] = *r;
			keep[h] = spec;
			spec = NULL;
		}
		snprintf(both, sizeof(both), "%s, not: { %s }", text[0], text[1]);
		diags_free(diags);
		diags = diags_new();
		r = NULL;
		{
			char yaml[1200];

			snprintf(yaml, sizeof(yaml), "tcctl: 1\nrules: { r: [ { %s, class: keep } ] }\n",
				 both);
			/* Nothing may be left: that is an error, and fine. */
			if (!spec_parse(yaml, strlen(yaml), "x.yaml", NULL, diags, &spec))
				r = &spec->rulesets[0].rules[0];
		}
		for (int i = 0; i < 2000; i++) {
			uint32_t v = (uint32_t)rand_r(&seed), addr = 10U << 24 | (v & 0x7ff);
			bool port = in_ranges(&half[0].port[SPEC_DPORT], v & 0xffff) &&
				    !in_ranges(&half[1].port[SPEC_DPORT], v & 0xffff);
			bool mark = in_maskeds(&half[0].mark, v & 0xff) &&
				    !in_maskeds(&half[1].mark, v & 0xff);
			bool src = in_prefixes(&half[0].addr[SPEC_SRC], addr) &&
				   !in_prefixes(&half[1].addr[SPEC_SRC], addr);

			if (r && (in_ranges(&r->port[SPEC_DPORT], v & 0xffff) != port ||
				  in_maskeds(&r->mark, v & 0xff) != mark ||
				  in_prefixes(&r->addr[SPEC_SRC], addr) != src)) {
				test_fail("%s: value 0x%x is wrong", both, v);
				break;
			}
		}
		spec_free(keep[0]);
		spec_free(keep[1]);
	}
}

static void test_ranges(void)
{
	const struct spec_rule *r;

	test_case("ranges are sorted and merged");
	r = rule("port: [443, 80-90, 91, 85-95, \"8080\", 0x1bb, 65000-, -10]");
	if (r) {
		test_eq(r->port[SPEC_PORT].n, 5);
		range(&r->port[SPEC_PORT], 0, 0, 10);
		range(&r->port[SPEC_PORT], 1, 80, 95);
		range(&r->port[SPEC_PORT], 2, 443, 443);
		range(&r->port[SPEC_PORT], 3, 8080, 8080);
		range(&r->port[SPEC_PORT], 4, 65000, 65535);
	}
	test_case("each range key");
	r = rule(
		"proto: [tcp, 17, gre], dscp: [EF, cs1, 10-12], vlan: [none, 10, 4094], length: 1000-, sport: 1, dport: 2");
	if (r) {
		range(&r->proto, 0, 6, 6);
		range(&r->proto, 1, 17, 17);
		range(&r->proto, 2, 47, 47);
		range(&r->dscp, 0, 8, 8);
		range(&r->dscp, 1, 10, 12);
		range(&r->dscp, 2, 46, 46);
		range(&r->vlan, 0, 10, 10);
		range(&r->vlan, 1, 4094, 4094);
		range(&r->vlan, 2, SPEC_VLAN_NONE, SPEC_VLAN_NONE);
		range(&r->length, 0, 1000, 65535);
		range(&r->port[SPEC_SPORT], 0, 1, 1);
		range(&r->port[SPEC_DPORT], 0, 2, 2);
	}
	test_case("negated ranges");
	r = rule("not: { port: 80, dscp: 0 }, dscp: 0-10");
	if (r) {
		test_ok(r->port[SPEC_PORT].neg);
		range(&r->port[SPEC_PORT], 0, 80, 80);
		test_ok(!r->dscp.neg);
		range(&r->dscp, 0, 1, 10);
	}
	r = rule("port: 5-8, not: { port: [6-7, 9] }");
	if (r) {
		test_eq(r->port[SPEC_PORT].n, 2);
		range(&r->port[SPEC_PORT], 0, 5, 5);
		range(&r->port[SPEC_PORT], 1, 8, 8);
	}
}

static void test_names(void)
{
	static const struct {
		const char *name;
		uint8_t number;
	} dscp[] = { { "DF", 0 },
		     { "BE", 0 },
		     { "LE", 1 },
		     { "EF", 46 },
		     { "VA", 44 } }, /* RFC 2474, 8622, 3246, 5865 */
		proto[] = { { "icmp", 1 },	{ "igmp", 2 },	 { "ipip", 4 },	   { "tcp", 6 },
			    { "udp", 17 },	{ "dccp", 33 },	 { "ipv6", 41 },   { "gre", 47 },
			    { "esp", 50 },	{ "ah", 51 },	 { "icmpv6", 58 }, { "ospf", 89 },
			    { "pim", 103 },	{ "vrrp", 112 }, { "l2tp", 115 },  { "sctp", 132 },
			    { "udplite", 136 }, { "mpls", 137 } };
	const struct spec_rule *r;
	char text[64];

	test_case("names of DSCPs");
	for (unsigned int i = 0; i < sizeof(dscp) / sizeof(dscp[0]); i++) {
		snprintf(text, sizeof(text), "dscp: %s", dscp[i].name);
		r = rule(text);
		if (r)
			range(&r->dscp, 0, dscp[i].number, dscp[i].number);
	}
	for (unsigned int x = 0; x < 8; x++) {
		snprintf(text, sizeof(text), "dscp: CS%u", x);
		r = rule(text);
		if (r)
			range(&r->dscp, 0, 8 * x, 8 * x);
		for (unsigned int y = 1; x >= 1 && x <= 4 && y <= 3; y++) { /* RFC 2597 */
			snprintf(text, sizeof(text), "dscp: AF%u%u", x, y);
			r = rule(text);
			if (r)
				range(&r->dscp, 0, 8 * x + 2 * y, 8 * x + 2 * y);
		}
	}
	test_case("names of protocols");
	for (unsigned int i = 0; i < sizeof(proto) / sizeof(proto[0]); i++) {
		snprintf(text, sizeof(text), "proto: %s", proto[i].name);
		r = rule(text);
		if (r)
			range(&r->proto, 0, proto[i].number, proto[i].number);
	}
}

static void test_flags(void)
{
	const struct spec_rule *r;

	test_case("TCP flags");
	r = rule("flags: [syn, SYN/syn+ack, none/fin+rst, fin+psh/fin+psh+urg]");
	if (r && test_eq(r->flags.n, 4)) {
		test_eq(r->flags.items[0].value, 0x02);
		test_eq(r->flags.items[0].mask, 0x02);
		test_eq(r->flags.items[1].value, 0x02);
		test_eq(r->flags.items[1].mask, 0x12);
		test_eq(r->flags.items[2].value, 0);
		test_eq(r->flags.items[2].mask, 0x05);
		test_eq(r->flags.items[3].value, 0x09);
		test_eq(r->flags.items[3].mask, 0x29);
	}
	test_case("fragments, marks, MACs");
	r = rule(
		"frag: [first, later], mark: [5, 0x10/0xff], mac: [\"02:00:00:00:00:0A\", 11:22:33:44:55:66]");
	if (r) {
		test_eq(r->frag, SPEC_FRAG_FIRST | SPEC_FRAG_LATER);
		test_ok(!r->frag_neg);
		test_eq(r->mark.items[0].mask, UINT32_MAX);
		test_eq(r->mark.items[1].mask, 0xff);
		test_eq(r->mac.n, 2);
		test_eq(r->mac.items[0].addr[5], 10);
		test_eq(r->mac.items[1].addr[0], 0x11);
	}
	test_case("negated fragments, MACs");
	r = rule("not: { frag: any, mac: \"02:00:00:00:00:01\" }");
	if (r) {
		test_eq(r->frag, SPEC_FRAG_FIRST | SPEC_FRAG_LATER);
		test_ok(r->frag_neg && r->mac.neg);
	}
	r = rule("frag: any, not: { frag: later }");
	if (r) {
		test_eq(r->frag, SPEC_FRAG_FIRST);
		test_ok(!r->frag_neg);
	}
}

static void test_icmp(void)
{
	const struct spec_rule *r;

	test_case("a name of both families");
	r = rule("icmp: echo-request");
	if (r) {
		test_ok(r->icmp.set && r->icmp6.set);
		range(&r->icmp, 0, 0x0800, 0x08ff);
		range(&r->icmp6, 0, 0x8000, 0x80ff);
	}
	test_case("a name of one family");
	r = rule("icmp: packet-too-big");
	if (r)
		test_ok(!r->icmp.set && r->icmp6.set);
	test_case("proto decides");
	r = rule("proto: icmp, icmp: [8, 3/4, 3/13-15, echo-reply]");
	if (r) {
		test_ok(r->icmp.set && !r->icmp6.set);
		test_eq(r->icmp.n, 4);
		range(&r->icmp, 0, 0x0000, 0x00ff);
		range(&r->icmp, 1, 0x0304, 0x0304);
		range(&r->icmp, 2, 0x030d, 0x030f);
		range(&r->icmp, 3, 0x0800, 0x08ff);
	}
	r = rule("not: { proto: icmp }, icmp: echo-request");
	if (r)
		test_ok(!r->icmp.set && r->icmp6.set);
	test_case("families by name");
	r = rule("icmp: [icmp/8/0, icmpv6/133-137]");
	if (r) {
		range(&r->icmp, 0, 0x0800, 0x0800);
		range(&r->icmp6, 0, 0x8500, 0x89ff);
	}
	test_case("not: what is left of both families");
	r = rule("not: { icmp: [icmp/8, source-quench] }");
	if (r) {
		test_ok(r->icmp.set && !r->icmp.neg && r->icmp6.set);
		test_eq(r->icmp.n, 3);
		range(&r->icmp, 0, 0x0000, 0x03ff);
		range(&r->icmp, 1, 0x0500, 0x07ff);
		range(&r->icmp, 2, 0x0900, 0xffff);
		range(&r->icmp6, 0, 0x0000, 0xffff);
	}
}

static void test_interfaces(void)
{
	const struct spec_interface *in;

	test_case("directions inherit and override");
	if (!parse("tcctl: 1\n"
		   "rules: { a: [], b: [] }\n"
		   "programs: { p: { object: /lib/p.o, program: main }, q: { object: q.o, program: q } }\n"
		   "interfaces:\n"
		   "  eth0: { rules: a, mode: observe, run: [ { program: p, at: arp } ],\n"
		   "          ingress: { rules: b, verdict: ok, run: [] }, egress: { mode: enforce } }\n"
		   "  \"eth*\": { rules: a, side: lan, egress: none }\n"
		   "  uplink-of-the-rack: { rules: a, match: { mac: \"02:00:00:00:00:01\", altname: a.long-name } }\n"
		   "  eth1: { ingress: { rules: b } }\n"))
		return;
	in = &spec->interfaces[0];
	test_eq(in->hook[SPEC_INGRESS].ruleset, 1);
	test_eq(in->hook[SPEC_INGRESS].mode, SPEC_MODE_OBSERVE);
	test_eq(in->hook[SPEC_INGRESS].verdict, SPEC_VERDICT_OK);
	test_eq(in->hook[SPEC_INGRESS].n_runs, 0);
	test_eq(in->hook[SPEC_EGRESS].ruleset, 0);
	test_eq(in->hook[SPEC_EGRESS].mode, SPEC_MODE_ENFORCE);
	test_eq(in->hook[SPEC_EGRESS].verdict, SPEC_VERDICT_CONTINUE);
	test_eq(in->hook[SPEC_EGRESS].n_runs, 1);
	in++;
	test_ok(in->is_glob && in->side == SPEC_SIDE_LAN);
	test_ok(in->hook[SPEC_INGRESS].enabled && !in->hook[SPEC_EGRESS].enabled);
	in++;
	test_ok(!in->is_glob && in->has_mac);
	test_eq(in->mac[5], 1);
	test_streq(in->altname, "a.long-name");
	in++;
	test_eq(in->hook[SPEC_INGRESS].ruleset, 1);
	test_eq(in->hook[SPEC_EGRESS].ruleset, SPEC_NONE);
	test_ok(in->hook[SPEC_EGRESS].enabled);
	test_streq(spec->programs[0].object, "/lib/p.o");
	test_ok(spec->programs[1].object[0] == '/');
}

static void test_run(void)
{
	static const struct {
		enum spec_run_at at;
		uint32_t slot;
	} want[] = {
		{ SPEC_AT_L3, TCCTL_L3_IPV4 },
		{ SPEC_AT_L3, TCCTL_L3_OTHER },
		{ SPEC_AT_L4, TCCTL_L4_GRE },
		{ SPEC_AT_L4, TCCTL_L4_UDP },
		{ SPEC_AT_L4, TCCTL_L4_OTHER },
		{ SPEC_AT_UDP_PORT, 2152 },
		{ SPEC_AFTER_STAGE, TCCTL_STAGE_CLASSIFY },
		{ SPEC_AFTER_STAGE, TCCTL_STAGE_SHAPE },
	};

	test_case("places to run");
	if (!parse("tcctl: 1\nprograms: { p: { object: /p.o, program: main } }\ninterfaces:\n  eth0:\n    run:\n"
		   "      - { program: p, at: ipv4 }\n      - { program: p, at: other }\n      - { program: p, at: proto/gre }\n"
		   "      - { program: p, at: proto/17 }\n      - { program: p, at: proto/other }\n"
		   "      - { program: p, at: udp/2152 }\n      - { program: p, after: classify }\n"
		   "      - { program: p, after: shape }\n"))
		return;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		test_eq(spec->interfaces[0].hook[0].runs[i].at, want[i].at);
		test_eq(spec->interfaces[0].hook[0].runs[i].slot, want[i].slot);
	}
	test_eq(spec->interfaces[0].hook[1].n_runs, sizeof(want) / sizeof(want[0]));
}

/* n entries of a `run` list that differ in a number. */
static int run_many(const char *format, int n)
{
	char yaml[2048], *p = yaml;
	int r;

	p += sprintf(p, "tcctl: 1\nprograms:\n");
	for (int i = 0; i < 4; i++)
		p += sprintf(p, "  p%d: { object: /p.o, program: main }\n", i);
	p += sprintf(p, "interfaces:\n  eth0:\n    run:\n");
	for (int i = 0; i < n; i++) {
		p += sprintf(p, "      - ");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		p += sprintf(p, format, i);
#pragma GCC diagnostic pop
		p += sprintf(p, "\n");
	}
	done();
	diags = diags_new();
	r = spec_parse(yaml, (size_t)(p - yaml), "x.yaml", NULL, diags, &spec);
	return r;
}

static void test_run_limits(void)
{
	test_case("three programs after a stage, eight UDP ports");
	test_eq(run_many("{ program: p%d, after: mark }", 3), 0);
	test_eq(run_many("{ program: p%d, after: mark }", 4), -22);
	test_streq(diags->items[0].message, "run: more than 3 programs after mark");
	test_eq(run_many("{ program: p1, at: udp/100%d }", 8), 0);
	test_eq(run_many("{ program: p1, at: udp/100%d }", 9), -22);
	test_streq(diags->items[0].message,
		   "run: more than 8 UDP ports besides the well-known ones of tunnels");
}

int main(void)
{
	test_quick_start();
	test_classes();
	test_addresses();
	test_ranges();
	test_exceptions();
	test_names();
	test_flags();
	test_icmp();
	test_interfaces();
	test_run();
	test_run_limits();
	done();
	return test_done();
}
