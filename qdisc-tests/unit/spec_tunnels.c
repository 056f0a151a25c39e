// SPDX-License-Identifier: GPL-2.0-only
/* What tunnels and the keys that name them mean: text in, fields out. */
#include "../lib/test.h"
#include "spec.h"
#include "tcctl/abi.h"
#include "tcctl/tunnel.h"
#include "tunnel.h"

#define IP (TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6)
#define DEFAULTS (TCCTL_TF_DSCP_INHERIT | TCCTL_TF_ANSWER)

static struct spec *spec;
static char text[8192];

static void done(void)
{
	spec_free(spec);
	spec = NULL;
}

static bool parse(const char *tunnels, const char *rest)
{
	struct tcctl_diags *d = diags_new();

	done();
	snprintf(text, sizeof(text), "tcctl: 1\nsets: { mixed: { items: [10.0.0.0/8, \"2001:db8::/32\", 192.0.2.77] } }\n"
				     "tunnels: { %s }\n%s\n", tunnels, rest);
	test_eq(spec_parse(text, strlen(text), "x", NULL, d, &spec), 0);
	for (size_t i = 0; i < d->n; i++)
		test_fail("%s", d->items[i].message);
	diags_free(d);
	return spec != NULL;
}

/* The tunnel that `text` describes. */
static const struct spec_tunnel *tunnel(const char *settings)
{
	char t[1024];

	snprintf(t, sizeof(t), "t: { %s }", settings);
	return parse(t, "") ? &spec->tunnels[0] : NULL;
}

#define ENDS "local: 192.0.2.1, remote: 192.0.2.2"
#define ENDS6 "local: \"2001:db8::1\", remote: \"2001:db8::2\""

static const struct {
	const char *settings;
	uint8_t type, family;
	uint16_t port;
	bool has_id;
	uint32_t id, id_out, flags;
	unsigned int overhead;
} types[] = {
	{ "type: vxlan, " ENDS ", vni: 42", TCCTL_T_VXLAN, 4, 4789, true, 42, 42, TCCTL_TF_INNER_ETH, 50 },
	{ "type: vxlan, " ENDS6 ", vni: 0, port: 8472", TCCTL_T_VXLAN, 6, 8472, true, 0, 0, TCCTL_TF_INNER_ETH, 70 },
	{ "type: geneve, " ENDS ", vni: { in: 1, out: 2 }", TCCTL_T_GENEVE, 4, 6081, true, 1, 2, TCCTL_TF_INNER_ETH, 50 },
	{ "type: geneve, " ENDS ", vni: 1, inner: ip", TCCTL_T_GENEVE, 4, 6081, true, 1, 1, IP, 36 },
	{ "type: gre, " ENDS, TCCTL_T_GRE, 4, 0, false, 0, 0, IP, 24 },
	{ "type: gre, " ENDS ", key: 0", TCCTL_T_GRE, 4, 0, true, 0, 0, IP, 28 },
	{ "type: gre, " ENDS ", key: 0xffffffff, csum: true, seq: true, inner: eth", TCCTL_T_GRE, 4, 0, true, UINT32_MAX,
	  UINT32_MAX, TCCTL_TF_INNER_ETH | TCCTL_TF_CSUM | TCCTL_TF_SEQ, 20 + 16 + 14 },
	{ "type: ipip, " ENDS, TCCTL_T_IPIP, 4, 0, false, 0, 0, IP, 20 },
	{ "type: ipip, " ENDS6 ", inner: ipv4", TCCTL_T_IPIP, 6, 0, false, 0, 0, TCCTL_TF_INNER_IPV4, 40 },
	{ "type: gtpu, " ENDS ", teid: { in: 1, out: 2 }", TCCTL_T_GTPU, 4, 2152, true, 1, 2, IP, 36 },
	{ "type: gtpu, " ENDS ", teid: 1, pdu: uplink", TCCTL_T_GTPU, 4, 2152, true, 1, 1, IP, 44 },
	{ "type: fou, " ENDS, TCCTL_T_FOU, 4, 5555, false, 0, 0, IP, 28 },
	{ "type: gue, " ENDS ", csum: { in: true, out: false }", TCCTL_T_GUE, 4, 6080, false, 0, 0, IP | TCCTL_TF_CSUM_IN, 32 },
	{ "type: mpls-udp, " ENDS ", labels: [16, 17]", TCCTL_T_MPLS_UDP, 4, 6635, true, 16, 16, IP, 36 },
	{ "type: mpls-gre, " ENDS ", labels: { in: 99, out: 17 }", TCCTL_T_MPLS_GRE, 4, 0, true, 99, 17, IP, 28 },
	{ "type: vlan, tags: 5", TCCTL_T_VLAN, 0, 0, false, 0, 0, TCCTL_TF_INNER_ETH, 0 },
	{ "type: vlan, tags: [5, 6]", TCCTL_T_VLAN, 0, 0, false, 0, 0, TCCTL_TF_INNER_ETH, 4 },
	{ "type: vxlan, vni: 5", TCCTL_T_VXLAN, 0, 4789, true, 5, 5, TCCTL_TF_INNER_ETH, 50 },
};

static void test_types(void)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct spec_tunnel *t;

		test_case(types[i].settings);
		t = tunnel(types[i].settings);
		if (!t)
			continue;
		test_eq(t->type, types[i].type);
		test_eq(t->family, types[i].family);
		test_eq(t->port, types[i].port);
		test_eq(t->sport_min, t->port ? 49152 : 0);
		test_eq(t->sport_max, t->port ? 65535 : 0);
		test_eq(t->has_id, types[i].has_id);
		test_eq(t->id, types[i].id);
		test_eq(t->id_out, types[i].id_out);
		test_eq(t->flags, types[i].flags | DEFAULTS);
		test_eq(tunnel_overhead(t), types[i].overhead);
		test_eq(t->ttl, 64);
		test_eq(t->df, SPEC_DF_SET);
	}
}

static void test_policy(void)
{
	const struct spec_tunnel *t;

	test_case("policy of the outer header");
	t = tunnel("type: fou, " ENDS ", ttl: inherit, dscp: AF41, df: clear, ecn: false, mtu: 1400, clamp-mss: true, mark: 0x10, "
		   "device: d0, underlay: u0, sport: 1000-2000");
	if (t) {
		test_eq(t->flags, IP | TCCTL_TF_ANSWER | TCCTL_TF_TTL_INHERIT | TCCTL_TF_ECN_OFF | TCCTL_TF_MSS);
		test_eq(t->dscp, 34);
		test_eq(t->df, SPEC_DF_CLEAR);
		test_eq(t->mtu, 1400);
		test_eq(t->mark, 16);
		test_streq(t->device, "d0");
		test_streq(t->underlay, "u0");
		test_eq(t->sport_min, 1000);
		test_eq(t->sport_max, 2000);
	}
	t = tunnel("type: fou, " ENDS ", ttl: 255, dscp: inherit, df: inherit, ecn: true, clamp-mss: false, sport: 7");
	if (t) {
		test_eq(t->flags, IP | DEFAULTS);
		test_eq(t->ttl, 255);
		test_eq(t->df, SPEC_DF_INHERIT);
		test_eq(t->sport_min, 7);
		test_eq(t->sport_max, 7);
	}
	test_case("tags");
	t = tunnel("type: vlan, tags: [{ id: 100, pcp: 3 }, { id: 200, pcp: inherit }]");
	if (t) {
		test_eq(t->n_tags, 2);
		test_eq(t->tags[0].id, 100);
		test_eq(t->tags[0].proto, 0x88a8);
		test_eq(t->tags[0].pcp, 3);
		test_eq(t->tags[1].id, 200);
		test_eq(t->tags[1].proto, 0x8100);
		test_eq(t->tags[1].pcp, -1);
	}
	t = tunnel("type: vlan, tags: { id: 1, proto: 802.1ad }");
	if (t) {
		test_eq(t->n_tags, 1);
		test_eq(t->tags[0].proto, 0x88a8);
		test_eq(t->tags[0].pcp, 0);
	}
	test_case("labels");
	t = tunnel("type: mpls-udp, " ENDS ", labels: { in: 99, out: [100, 200] }");
	if (t) {
		test_eq(t->n_labels, 2);
		test_eq(t->labels[0], 100);
		test_eq(t->labels[1], 200);
		test_eq(t->id, 99);
	}
	test_case("options as on the wire");
	t = tunnel("type: geneve, " ENDS ", vni: 1, options: [{ class: 0x0102, type: 3, data: \"0a0B0c0D\" }, { class: 1, type: 0x84 }]");
	if (t) {
		test_eq(t->options_len, 12);
		test_ok(!memcmp(t->options, "\1\2\3\1\x0a\x0b\x0c\x0d\0\1\x84\0", 12));
	}
	test_case("QFI");
	t = tunnel("type: gtpu, " ENDS ", teid: 1, pdu: downlink, qfi: 5, qfi-map: { EF: 1, 10: 63 }");
	if (t) {
		test_eq(t->pdu, SPEC_PDU_DOWNLINK);
		test_eq(t->qfi, 5);
		test_eq(t->n_qfis, 2);
		test_eq(t->qfis[0].dscp, 46);
		test_eq(t->qfis[0].qfi, 1);
		test_eq(t->qfis[1].dscp, 10);
		test_eq(t->qfis[1].qfi, 63);
	}
	test_case("metadata");
	t = tunnel("type: vxlan, mode: metadata, device: vxlan0, remote: 192.0.2.2, vni: 3, gbp: true");
	if (t) {
		test_eq(t->mode, SPEC_TUNNEL_METADATA);
		test_eq(t->type, TCCTL_T_VXLAN);
		test_eq(t->family, 4);
		test_eq(t->port, 0);
		test_eq(t->sport_max, 0);
		test_ok(t->flags & TCCTL_TF_GBP);
		test_ok(!spec_tunnel_cannot_send(t));
	}
}

static void test_remotes(void)
{
	const struct spec_tunnel *t;

	test_case("remotes: lists, prefixes, and of sets those of the family");
	t = tunnel("type: gre, local: 192.0.2.1, remote: [mixed, 198.51.100.0/24]");
	if (t) {
		test_eq(t->n_remotes, 3);
		test_eq(t->remotes[0].addr[0], 10);
		test_eq(t->remotes[1].addr[3], 77);
		test_eq(t->remotes[2].len, 24);
		test_ok(spec->sets[0].used);
		test_ok(spec_tunnel_cannot_send(t) != NULL);
	}
	t = tunnel("type: gre, local: \"2001:db8::1\", remote: mixed");
	if (t) {
		test_eq(t->n_remotes, 1);
		test_eq(t->remotes[0].family, 6);
		test_eq(t->family, 6);
	}
	test_case("what can send");
	t = tunnel("type: gre, " ENDS);
	test_ok(t && !spec_tunnel_cannot_send(t));
	t = tunnel("type: gre, local: 192.0.2.1");
	test_ok(t && spec_tunnel_cannot_send(t));
	t = tunnel("type: gre, remote: 192.0.2.1");
	test_ok(t && spec_tunnel_cannot_send(t));
	t = tunnel("type: gre, local: 192.0.2.1, remote: 192.0.2.0/24");
	test_ok(t && spec_tunnel_cannot_send(t));
	t = tunnel("type: gre, inner: eth, local: 192.0.2.1, fdb: { flood: 192.0.2.2 }");
	test_ok(t && !spec_tunnel_cannot_send(t));
	t = tunnel("type: vlan, tags: 1");
	test_ok(t && !spec_tunnel_cannot_send(t));
}

static void test_fdb(void)
{
	const struct spec_tunnel *t;

	test_case("a forwarding table");
	t = tunnel("type: vxlan, local: 192.0.2.1, vni: 1, fdb: { ageing: 2m, flood: [192.0.2.9, 192.0.2.3], stations: { "
		   "\"02:00:00:00:00:02\": { remote: 192.0.2.3, vni: 44, vlan: 10 }, \"02:00:00:00:00:01\": 192.0.2.2 } }");
	if (t) {
		test_eq(t->flags, TCCTL_TF_INNER_ETH | TCCTL_TF_FDB | TCCTL_TF_LEARN | DEFAULTS);
		test_eq(t->ageing, 120);
		test_eq(t->n_flood, 2);
		test_eq(t->flood[0].addr[3], 9);
		test_eq(t->n_stations, 2);
		test_eq(t->stations[0].mac[5], 1);
		test_eq(t->stations[0].remote.addr[3], 2);
		test_eq(t->stations[0].id, 0);
		test_eq(t->stations[0].vlan, 0);
		test_eq(t->stations[1].mac[5], 2);
		test_eq(t->stations[1].id, 44);
		test_eq(t->stations[1].vlan, 10);
	}
	t = tunnel("type: vxlan, local: 192.0.2.1, vni: 1, fdb: { learn: false, flood: 192.0.2.9, ageing: 7 }");
	test_ok(t && !(t->flags & TCCTL_TF_LEARN) && t->ageing == 7);
}

/* --- where packets go in and out ---------------------------------------------------------------------------- */

#define TWO "a: { type: gre, " ENDS " }, b: { type: vlan, tags: 7 }"
#define HOOK(i, dir) (&spec->interfaces[i].hook[dir])

static void test_hooks(void)
{
	const struct spec_hook *h;

	test_case("decap at ingress, encap on the way out");
	if (parse(TWO, "interfaces: { w: { decap: [a, b], encap: a }, l: { side: lan, decap: a, encap: b } }")) {
		h = HOOK(0, SPEC_INGRESS);
		test_eq(h->n_decaps, 2);
		test_eq(h->decaps[0], 0);
		test_eq(h->decaps[1], 1);
		test_eq(h->encap, SPEC_NONE);
		test_ok(!h->refuse_unknown);
		h = HOOK(0, SPEC_EGRESS);
		test_eq(h->n_decaps, 0);
		test_eq(h->encap, 0);
		h = HOOK(1, SPEC_INGRESS);
		test_eq(h->n_decaps, 1);
		test_eq(h->encap, 1);
		test_eq(HOOK(1, SPEC_EGRESS)->encap, SPEC_NONE);
		test_ok(spec->tunnels[0].used && spec->tunnels[1].used);
	}
	test_case("a direction wins");
	if (parse(TWO, "interfaces: { w: { decap: a, encap: a, ingress: { encap: b, decap: { tunnels: b, unknown: drop } }, "
		       "egress: { decap: a } } }")) {
		h = HOOK(0, SPEC_INGRESS);
		test_eq(h->n_decaps, 1);
		test_eq(h->decaps[0], 1);
		test_ok(h->refuse_unknown);
		test_eq(h->encap, 1);
		h = HOOK(0, SPEC_EGRESS);
		test_eq(h->decaps[0], 0);
		test_ok(!h->refuse_unknown);
		test_eq(h->encap, 0);
	}
}

static void test_routes(void)
{
	const struct spec_hook *h;

	test_case("routes and a default");
	if (!parse(TWO, "interfaces: { w: { encap: [ { dst: mixed, tunnel: a }, { dst: 10.1.0.0/16, tunnel: keep }, { tunnel: b } ] } }"))
		return;
	h = HOOK(0, SPEC_EGRESS);
	test_eq(h->encap, 1);
	test_eq(h->n_routes, 2);
	test_eq(h->routes[0].tunnel, 0);
	test_eq(h->routes[0].n_prefixes, 3);
	test_eq(h->routes[1].tunnel, SPEC_NONE);
	test_eq(h->routes[1].n_prefixes, 1);
	test_eq(h->routes[1].prefixes[0].len, 16);
}

static void test_classes(void)
{
	static const char rest[] = "classes: { x: { tunnel: a }, y: { tunnel: keep }, z: {} }\n"
				   "rules: { r: [ { port: 1, class: x }, { port: 2, class: y } ], q: [ { port: 1, class: z } ] }\n"
				   "interfaces: { w: { rules: r }, l: { rules: r, side: lan }, n: { rules: q } }";

	test_case("classes");
	if (!parse(TWO, rest))
		return;
	test_eq(spec->classes[TCCTL_CLASS_FIRST].flags, TCCTL_C_TUNNEL);
	test_eq(spec->classes[TCCTL_CLASS_FIRST].tunnel, 0);
	test_eq(spec->classes[TCCTL_CLASS_FIRST + 1].flags, TCCTL_C_TUNNEL);
	test_eq(spec->classes[TCCTL_CLASS_FIRST + 1].tunnel, SPEC_NONE);
	test_eq(spec->classes[TCCTL_CLASS_FIRST + 2].flags, 0);
	test_eq(spec->classes[TCCTL_CLASS_KEEP].tunnel, SPEC_NONE);
	test_ok(!HOOK(0, SPEC_INGRESS)->class_tunnels && HOOK(0, SPEC_EGRESS)->class_tunnels);
	test_ok(HOOK(1, SPEC_INGRESS)->class_tunnels && !HOOK(1, SPEC_EGRESS)->class_tunnels);
	test_ok(!HOOK(2, SPEC_INGRESS)->class_tunnels && !HOOK(2, SPEC_EGRESS)->class_tunnels);
}

/* --- every setting counts -------------------------------------------------------------------------------------- */

#define VX "type: vxlan, " ENDS ", vni: 1"
#define FDB "type: vxlan, local: 192.0.2.1, vni: 1, fdb: "
#define ST "stations: { \"02:00:00:00:00:01\": { remote: "
static const char *const pairs[][2] = {
	{ VX, "type: geneve, " ENDS ", vni: 1" },
	{ VX, "type: vxlan, local: 192.0.2.3, remote: 192.0.2.2, vni: 1" },
	{ VX, "type: vxlan, local: 192.0.2.1, remote: 192.0.2.3, vni: 1" },
	{ VX, "type: vxlan, remote: 192.0.2.2, vni: 1" },
	{ VX, "type: vxlan, local: 192.0.2.1, vni: 1" },
	{ VX, "type: vxlan, " ENDS ", vni: 2" },
	{ VX, "type: vxlan, " ENDS ", vni: { in: 1, out: 2 }" },
	{ VX, VX ", port: 4790" },
	{ VX, VX ", sport: 49152-65534" },
	{ VX, VX ", sport: 49153-65535" },
	{ VX, VX ", ttl: 63" },
	{ VX, VX ", ttl: inherit" },
	{ VX, VX ", dscp: CS0" },
	{ VX ", dscp: CS0", VX ", dscp: CS1" },
	{ VX, VX ", df: clear" },
	{ VX, VX ", ecn: false" },
	{ VX, VX ", csum: true" },
	{ VX ", csum: true", VX ", csum: { in: true, out: true }" },
	{ VX, VX ", mtu: 1400" },
	{ VX, VX ", clamp-mss: true" },
	{ VX, VX ", device: x" },
	{ VX ", device: y", VX ", device: x" },
	{ VX, VX ", underlay: x" },
	{ VX, VX ", mark: 1" },
	{ VX, VX ", gbp: true" },
	{ VX, VX ", fdb: {}" },
	{ FDB "{}", FDB "{ ageing: 1 }" },
	{ FDB "{ flood: 192.0.2.2 }", FDB "{ flood: 192.0.2.3 }" },
	{ FDB "{ flood: 192.0.2.2 }", FDB "{ flood: 192.0.2.2, learn: false }" },
	{ FDB "{ flood: 192.0.2.2 }", FDB "{ flood: [192.0.2.2, 192.0.2.3] }" },
	{ FDB "{ " ST "192.0.2.2 } } }", FDB "{ " ST "192.0.2.3 } } }" },
	{ FDB "{ " ST "192.0.2.2 } } }", FDB "{ " ST "192.0.2.2, vni: 5 } } }" },
	{ FDB "{ " ST "192.0.2.2 } } }", FDB "{ " ST "192.0.2.2, vlan: 5 } } }" },
	{ FDB "{ " ST "192.0.2.2 } } }", FDB "{ stations: { \"02:00:00:00:00:02\": 192.0.2.2 } }" },
	{ VX ", device: x", "type: vxlan, mode: metadata, device: x, " ENDS ", vni: 1" },
	{ "type: gre, " ENDS, "type: gre, " ENDS ", key: 0" },
	{ "type: gre, " ENDS, "type: gre, " ENDS ", seq: true" },
	{ "type: gre, " ENDS, "type: gre, " ENDS ", inner: eth" },
	{ "type: gre, " ENDS, "type: gre, " ENDS ", inner: ipv4" },
	{ "type: mpls-udp, " ENDS ", labels: 16", "type: mpls-udp, " ENDS ", labels: [16, 17]" },
	{ "type: mpls-udp, " ENDS ", labels: 16", "type: mpls-udp, " ENDS ", labels: { in: 17, out: 16 }" },
	{ "type: vlan, tags: 1", "type: vlan, tags: 2" },
	{ "type: vlan, tags: 1", "type: vlan, tags: [1, 1]" },
	{ "type: vlan, tags: 1", "type: vlan, tags: { id: 1, proto: 802.1ad }" },
	{ "type: vlan, tags: 1", "type: vlan, tags: { id: 1, pcp: inherit }" },
	{ "type: geneve, " ENDS ", vni: 1", "type: geneve, " ENDS ", vni: 1, options: [{ class: 0, type: 0 }]" },
	{ "type: gtpu, " ENDS ", teid: 1", "type: gtpu, " ENDS ", teid: 1, pdu: uplink" },
	{ "type: gtpu, " ENDS ", teid: 1, pdu: uplink", "type: gtpu, " ENDS ", teid: 1, pdu: downlink" },
	{ "type: gtpu, " ENDS ", teid: 1, pdu: uplink", "type: gtpu, " ENDS ", teid: 1, pdu: uplink, qfi: 1" },
	{ "type: gtpu, " ENDS ", teid: 1, pdu: uplink", "type: gtpu, " ENDS ", teid: 1, pdu: uplink, qfi-map: { EF: 1 }" },
};

/* Written out and read again, and different from the other one. */
static void test_equal(void)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct spec *both[2] = { NULL };

		test_case(pairs[i][1]);
		for (int k = 0; k < 2; k++) {
			struct tcctl_diags *d = diags_new();
			struct spec *again = NULL;
			char *out = NULL;
			size_t len;

			if (!tunnel(pairs[i][k]))
				break;
			test_eq(spec_emit(spec, &out, &len), 0);
			test_eq(spec_parse(out, len, "emitted", NULL, d, &again), 0);
			if (again)
				test_ok(spec_equal(spec, again));
			diags_free(d);
			spec_free(again);
			free(out);
			both[k] = spec;
			spec = NULL;
		}
		if (both[0] && both[1])
			test_ok(!spec_equal(both[0], both[1]));
		spec_free(both[0]);
		spec_free(both[1]);
	}
}

int main(void)
{
	test_types();
	test_policy();
	test_remotes();
	test_fdb();
	test_hooks();
	test_routes();
	test_classes();
	test_equal();
	done();
	return test_done();
}
