// SPDX-License-Identifier: GPL-2.0-only
/*
 * From configured tunnels to the keys and values of the tables, in memory: what belongs to whom on arrival, looked up
 * as a program does it, most exact key first; routes, stations, remotes, settings. At the end the size that is promised:
 * a million routes, and eight thousand tunnels.
 */
#include <time.h>

#include "../lib/test.h"
#include "tunnel/half.h"

#define FIRST_ID 10 /* ids have nothing to do with the order in the configuration */

static struct spec *spec;
static struct tunnel_half half;
static uint16_t *ids;

static void done(void)
{
	tunnel_half_done(&half);
	spec_free(spec);
	free(ids);
	spec = NULL;
	ids = NULL;
}

/* The tables of the first interface in one direction. */
static bool make_text(const char *text, size_t len, enum spec_dir dir)
{
	struct tcctl_diags *d = diags_new();
	struct tunnel_half_want want = { 0 };
	struct model_tunnel *tunnels;
	struct tunnel_resolved *resolved;
	int err;

	done();
	test_eq(spec_parse(text, len, "x", NULL, d, &spec), 0);
	for (size_t i = 0; i < d->n; i++)
		test_fail("%s", d->items[i].message);
	diags_free(d);
	if (!spec)
		return false;
	tunnels = calloc(spec->n_tunnels, sizeof(*tunnels));
	resolved = calloc(spec->n_tunnels, sizeof(*resolved));
	ids = calloc(spec->n_tunnels, sizeof(*ids));
	for (size_t i = 0; i < spec->n_tunnels; i++) {
		tunnels[i] = (struct model_tunnel){ .name = spec->tunnels[i].name, .tunnel = (int)i };
		resolved[i].mtu = 1500;
		ids[i] = (uint16_t)(FIRST_ID + spec->n_tunnels - i);
	}
	want = (struct tunnel_half_want){ .spec = spec, .hook = &spec->interfaces[0].hook[dir], .tunnels = tunnels,
					  .n_tunnels = spec->n_tunnels, .ids = ids, .resolved = resolved };
	err = tunnel_half_make(&want, &half);
	test_eq(err, 0);
	free(tunnels);
	free(resolved);
	return !err;
}

static bool make(const char *tunnels, const char *interface, enum spec_dir dir)
{
	char text[4096];

	snprintf(text, sizeof(text), "tcctl: 1\nsets: { s: { items: [10.0.0.0/8, 192.0.2.64/26] } }\ntunnels: { %s }\n"
				     "interfaces: { eth0: { %s } }\n", tunnels, interface);
	return make_text(text, strlen(text), dir);
}

static int by_name(const char *name)
{
	for (size_t i = 0; i < spec->n_tunnels; i++)
		if (!strcmp(spec->tunnels[i].name, name))
			return ids[i];
	return -1;
}

static const void *find(enum tunnel_table table, const void *key, size_t key_size, size_t value_size)
{
	const struct tunnel_entries *e = &half.tables[table];

	for (size_t i = 0; i < e->n; i++)
		if (!memcmp((const char *)e->keys + i * key_size, key, key_size))
			return (const char *)e->values + i * value_size;
	return NULL;
}

static bool covers(const uint8_t *prefix, unsigned int bits, const uint8_t *addr)
{
	for (unsigned int i = 0; i < bits; i++)
		if ((prefix[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static int find_source(uint32_t group, const uint8_t addr[16])
{
	const struct tunnel_entries *e = &half.tables[TUNNEL_SOURCES];
	const struct tcctl_source_key *keys = e->keys;
	int best = -1;

	for (size_t i = 0; i < e->n; i++)
		if (keys[i].group == group && covers(keys[i].addr, keys[i].prefixlen - 32, addr) &&
		    (best < 0 || keys[i].prefixlen > keys[best].prefixlen))
			best = (int)i;
	return best < 0 ? 0 : (int)((const uint32_t *)e->values)[best];
}

static const struct tcctl_tunnel_settings *settings(void)
{
	return half.tables[TUNNEL_ROWS].values;
}

/* The tunnel of a packet, as a program finds it; 0: none. */
static int arrives(struct tcctl_decap_key key, const uint8_t local[16], const uint8_t remote[16])
{
	static const uint32_t order[] = { TCCTL_TS_BOTH, TCCTL_TS_LOCAL, TCCTL_TS_REMOTE, TCCTL_TS_ANY };

	for (size_t i = 0; i < 4; i++) {
		const uint32_t *v;
		int id;

		if (!(settings()->flags & order[i]))
			continue;
		memset(key.local, 0, 16);
		memset(key.remote, 0, 16);
		if (order[i] & (TCCTL_TS_BOTH | TCCTL_TS_LOCAL))
			memcpy(key.local, local, 16);
		if (order[i] & (TCCTL_TS_BOTH | TCCTL_TS_REMOTE))
			memcpy(key.remote, remote, 16);
		v = find(TUNNEL_DECAPS, &key, sizeof(key), sizeof(*v));
		if (!v)
			continue;
		id = *v & TCCTL_DECAP_GROUP ? find_source(*v & ~TCCTL_DECAP_GROUP, remote) : (int)*v;
		if (id)
			return id;
	}
	return 0;
}

#define ADDR(...) ((const uint8_t[16]){ __VA_ARGS__ })
#define LOCAL ADDR(192, 0, 2, 1)
#define REMOTE(x) ADDR(192, 0, 2, x)
#define VXLAN(vni) ((struct tcctl_decap_key){ .type = TCCTL_T_VXLAN, .family = 4, .port = 4789, .id = (vni) })

static void test_arrival(void)
{
	struct tcctl_decap_key key;

	test_case("the most exact tunnel gets the packet");
	if (!make("exact: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 1 }, "
		  "near: { type: vxlan, local: 192.0.2.1, remote: [192.0.2.0/24, 192.0.2.9], vni: 1 }, "
		  "nearer: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.128/25, vni: 1 }, "
		  "here: { type: vxlan, local: 192.0.2.1, vni: 1 }, "
		  "from: { type: vxlan, remote: 203.0.113.5, vni: 1 }, "
		  "any: { type: vxlan, vni: 1 }, other: { type: vxlan, vni: 2 }, set: { type: vxlan, remote: s, vni: 3 }",
		  "decap: [any, from, here, nearer, near, exact, other, set]", SPEC_INGRESS))
		return;
	test_eq(settings()->flags, TCCTL_TS_BOTH | TCCTL_TS_LOCAL | TCCTL_TS_REMOTE | TCCTL_TS_ANY);
	test_eq(arrives(VXLAN(1), LOCAL, REMOTE(2)), by_name("exact"));
	test_eq(arrives(VXLAN(1), LOCAL, REMOTE(9)), by_name("near"));
	test_eq(arrives(VXLAN(1), LOCAL, REMOTE(3)), by_name("near"));
	test_eq(arrives(VXLAN(1), LOCAL, REMOTE(200)), by_name("nearer"));
	test_eq(arrives(VXLAN(1), LOCAL, ADDR(198, 51, 100, 1)), by_name("here"));
	test_eq(arrives(VXLAN(1), REMOTE(1), ADDR(198, 51, 100, 1)), by_name("here"));
	test_eq(arrives(VXLAN(1), REMOTE(7), ADDR(203, 0, 113, 5)), by_name("from"));
	test_eq(arrives(VXLAN(1), REMOTE(7), REMOTE(2)), by_name("any"));
	test_eq(arrives(VXLAN(2), REMOTE(7), REMOTE(2)), by_name("other"));
	test_eq(arrives(VXLAN(3), LOCAL, ADDR(10, 9, 8, 7)), by_name("set"));
	test_eq(arrives(VXLAN(3), LOCAL, REMOTE(64)), by_name("set"));
	test_eq(arrives(VXLAN(3), LOCAL, REMOTE(63)), 0);
	test_eq(arrives(VXLAN(4), LOCAL, REMOTE(2)), 0);
	key = VXLAN(1);
	key.port = 4790;
	test_eq(arrives(key, LOCAL, REMOTE(2)), 0);
	key = VXLAN(1);
	key.type = TCCTL_T_GENEVE;
	test_eq(arrives(key, LOCAL, REMOTE(2)), 0);
	test_case("without any address: both families");
	key = VXLAN(1);
	key.family = 6;
	test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("any"));

	test_case("prefixes before the tunnel that takes the rest, and after it");
	for (int i = 0; i < 2; i++) {
		if (!make("p: { type: gre, local: 192.0.2.1, remote: 10.0.0.0/8 }, r: { type: gre, local: 192.0.2.1 }",
			  i ? "decap: [p, r]" : "decap: [r, p]", SPEC_INGRESS))
			return;
		key = (struct tcctl_decap_key){ .type = TCCTL_T_GRE, .family = 4 };
		test_eq(arrives(key, LOCAL, ADDR(10, 1, 1, 1)), by_name("p"));
		test_eq(arrives(key, LOCAL, ADDR(11, 1, 1, 1)), by_name("r"));
		test_eq(half.tables[TUNNEL_DECAPS].n, 1);
		test_eq(settings()->flags, TCCTL_TS_LOCAL);
	}

	test_case("a key of 0 is not no key");
	if (make("zero: { type: gre, key: 0 }, none: { type: gre }", "decap: [zero, none]", SPEC_INGRESS)) {
		key = (struct tcctl_decap_key){ .type = TCCTL_T_GRE, .family = 6 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("none"));
		key.has_id = 1;
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("zero"));
	}

	test_case("numbers differ by direction");
	if (make("t: { type: gtpu, local: 192.0.2.1, teid: { in: 1, out: 2 } }, m: { type: mpls-gre, labels: { in: 99, out: 100 } }",
		 "decap: [t, m]", SPEC_INGRESS)) {
		key = (struct tcctl_decap_key){ .type = TCCTL_T_GTPU, .family = 4, .port = 2152, .id = 1 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("t"));
		key.id = 2;
		test_eq(arrives(key, LOCAL, REMOTE(2)), 0);
		key = (struct tcctl_decap_key){ .type = TCCTL_T_MPLS_GRE, .family = 6, .id = 99 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("m"));
	}

	test_case("VLAN tags");
	if (make("one: { type: vlan, tags: 5 }, two: { type: vlan, tags: [5, 6] }", "decap: [one, two]", SPEC_INGRESS)) {
		key = (struct tcctl_decap_key){ .type = TCCTL_T_VLAN, .port = 0x8100, .id = 5 << 12, .has_id = 1 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("one"));
		key = (struct tcctl_decap_key){ .type = TCCTL_T_VLAN, .port = 0x88a8, .id = 5 << 12 | 6, .has_id = 2 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("two"));
		test_eq(settings()->flags, TCCTL_TS_ANY);
	}

	test_case("metadata");
	if (make("t: { type: gre, mode: metadata, device: gre0, remote: 192.0.2.2, key: 7 }", "decap: t", SPEC_INGRESS)) {
		key = (struct tcctl_decap_key){ .type = TCCTL_T_METADATA, .family = 4, .id = 7 };
		test_eq(arrives(key, LOCAL, REMOTE(2)), by_name("t"));
	}

	test_case("strangers are refused where that is said");
	if (make("t: { type: gre, remote: 192.0.2.2 }, v: { type: vxlan, vni: 1 }", "decap: { tunnels: [t, v], unknown: drop }",
		 SPEC_INGRESS))
		test_eq(settings()->unknown_types, 1U << TCCTL_T_GRE | 1U << TCCTL_T_VXLAN);
	if (make("t: { type: gre, remote: 192.0.2.2 }", "decap: t", SPEC_INGRESS))
		test_eq(settings()->unknown_types, 0);
}

static int route(uint32_t family, unsigned int len, const uint8_t *addr)
{
	struct tcctl_route_key key = { .prefixlen = 32 + len, .family = family };
	const uint32_t *v;

	memcpy(key.addr, addr, 16);
	v = find(TUNNEL_ROUTES, &key, sizeof(key), sizeof(*v));
	return v ? (int)*v : -1;
}

static void test_way_out(void)
{
	const struct tcctl_tunnel *rows;
	const struct tcctl_remote *remotes;
	const struct tcctl_station *s;
	struct tcctl_station_key key = { 0 };

	test_case("routes");
	if (!make("a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2 }, b: { type: gre, local: 192.0.2.1, remote: 192.0.2.3 }",
		  "encap: [ { dst: [10.0.0.0/8, \"2001:db8::/32\"], tunnel: b }, { dst: 10.1.0.0/16, tunnel: keep }, a ]", SPEC_EGRESS))
		return;
	test_eq(settings()->encap, by_name("a"));
	test_eq(settings()->flags, TCCTL_TS_ROUTES);
	test_eq(half.tables[TUNNEL_ROUTES].n, 3);
	test_eq(route(4, 8, ADDR(10)), by_name("b"));
	test_eq(route(6, 32, ADDR(0x20, 0x01, 0x0d, 0xb8)), by_name("b"));
	test_eq(route(4, 16, ADDR(10, 1)), 0);
	test_eq(half.tables[TUNNEL_DECAPS].n, 0);

	test_case("rows at their ids");
	rows = half.tables[TUNNEL_ROWS].values;
	test_eq(half.tables[TUNNEL_ROWS].n, FIRST_ID + 2 + 1);
	test_eq(rows[by_name("a")].remote[3], 2);
	test_eq(rows[by_name("b")].remote[3], 3);
	test_eq(rows[by_name("b")].mtu, 1500 - 24);
	test_eq(rows[by_name("b")].counters, tunnel_counters((uint32_t)by_name("b")));
	test_eq(rows[FIRST_ID].type, TCCTL_T_NONE);

	test_case("stations and remotes");
	if (!make("a: { type: vxlan, local: 192.0.2.1, vni: 1, fdb: { flood: [192.0.2.7, 192.0.2.8] } }, "
		  "b: { type: vxlan, local: 192.0.2.1, vni: 2, fdb: { flood: 192.0.2.9, stations: { "
		  "\"02:00:00:00:00:01\": { remote: 192.0.2.5, vni: 3, vlan: 10 } } } }", "encap: a", SPEC_EGRESS))
		return;
	rows = half.tables[TUNNEL_ROWS].values;
	remotes = half.tables[TUNNEL_REMOTES].values;
	test_eq(half.tables[TUNNEL_REMOTES].n, 3);
	test_eq(rows[by_name("a")].flood_n, 2);
	test_eq(rows[by_name("b")].flood_n, 1);
	test_eq(remotes[rows[by_name("a")].flood_first + 1].addr[3], 8);
	test_eq(remotes[rows[by_name("b")].flood_first].addr[3], 9);
	key.tunnel = (uint16_t)by_name("b");
	key.vlan = 10;
	memcpy(key.mac, "\2\0\0\0\0\1", 6);
	s = find(TUNNEL_STATIONS, &key, sizeof(key), sizeof(*s));
	if (test_ok(s != NULL)) {
		test_eq(s->addr[3], 5);
		test_eq(s->id, 3);
	}
}

/* --- digests, size ------------------------------------------------------------------------------------------- */

static uint64_t digest(enum tunnel_table table)
{
	return tunnel_entries_digest(&half.tables[table], table);
}

static void test_digests(void)
{
	uint64_t was[TUNNEL_TABLE_MAX];

	test_case("a digest for each table");
	if (!make("a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2 }", "encap: [ { dst: 10.0.0.0/8, tunnel: a } ]", SPEC_EGRESS))
		return;
	for (enum tunnel_table i = 0; i < TUNNEL_TABLE_MAX; i++)
		was[i] = digest(i);
	if (!make("a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, ttl: 9 }", "encap: [ { dst: 10.0.0.0/8, tunnel: a } ]",
		  SPEC_EGRESS))
		return;
	test_ok(digest(TUNNEL_ROWS) != was[TUNNEL_ROWS]);
	test_ok(digest(TUNNEL_ROUTES) == was[TUNNEL_ROUTES]);
	if (!make("a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2 }", "encap: [ { dst: 10.0.0.0/9, tunnel: a } ]", SPEC_EGRESS))
		return;
	test_ok(digest(TUNNEL_ROWS) == was[TUNNEL_ROWS]);
	test_ok(digest(TUNNEL_ROUTES) != was[TUNNEL_ROUTES]);
}

/* Seconds of work, however busy the machine is with other things. */
static double work(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_size(void)
{
	size_t len;
	double start;
	char *text;
	FILE *f;

	test_case("a million routes");
	f = open_memstream(&text, &len);
	fprintf(f, "tcctl: 1\nsets:\n  big:\n    items:\n");
	for (unsigned int i = 0; i < 1000000; i++)
		fprintf(f, "      - %u.%u.%u.%u/32\n", 1 + (i >> 16 & 0x7f), i >> 8 & 0xff, i & 0xff, i % 7);
	fprintf(f, "tunnels: { a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2 } }\n"
		   "interfaces: { eth0: { encap: [ { dst: big, tunnel: a } ] } }\n");
	fclose(f);
	start = work();
	if (make_text(text, len, SPEC_EGRESS))
		test_eq(half.tables[TUNNEL_ROUTES].n, 1000000);
	printf("# read and made in %.2f s\n", work() - start);
	test_ok(work() - start < 30);
	free(text);

	test_case("eight thousand tunnels, all open to anybody, on one interface");
	f = open_memstream(&text, &len);
	fprintf(f, "tcctl: 1\ntunnels:\n");
	for (unsigned int i = 1; i <= 8000; i++)
		fprintf(f, "  t%u: { type: vxlan, local: 192.0.2.1, vni: %u, remote: 10.0.0.0/8 }\n", i, i);
	fprintf(f, "interfaces: { eth0: { decap: [t1");
	for (unsigned int i = 2; i <= 8000; i++)
		fprintf(f, ", t%u", i);
	fprintf(f, "] } }\n");
	fclose(f);
	start = work();
	if (make_text(text, len, SPEC_INGRESS)) {
		test_eq(half.tables[TUNNEL_DECAPS].n, 8000);
		test_eq(half.tables[TUNNEL_SOURCES].n, 8000);
	}
	printf("# read and made in %.2f s\n", work() - start);
	test_ok(work() - start < 30);
	free(text);
}

int main(void)
{
	test_arrival();
	test_way_out();
	test_digests();
	test_size();
	done();
	return test_done();
}
