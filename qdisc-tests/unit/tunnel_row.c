// SPDX-License-Identifier: GPL-2.0-only
/* Outer headers of tunnels, byte by byte, against headers written down from the specifications. */
#include <arpa/inet.h>
#include <linux/bpf.h>

#include "../lib/test.h"
#include "tunnel.h"

#define IP4_INNER (TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6)
#define INHERIT (TCCTL_TF_TTL_INHERIT | TCCTL_TF_DSCP_INHERIT)

/* 192.0.2.1 to 192.0.2.2, and 2001:db8::1 to ::2, as they stand in a header */
#define V4 "c0000201 c0000202"
#define V6 "20010db8000000000000000000000001 20010db8000000000000000000000002"

struct row_case {
	const char *name;
	struct spec_tunnel t;
	const char *header;
	uint8_t l4_at;
	enum tcctl_payload_kind kind;
	uint8_t payload_at;
	uint64_t adjust;
};

#define FIXED BPF_F_ADJ_ROOM_FIXED_GSO
#define L3_4 (FIXED | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4)
#define L3_6 (FIXED | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
#define UDP BPF_F_ADJ_ROOM_ENCAP_L4_UDP
#define GRE BPF_F_ADJ_ROOM_ENCAP_L4_GRE
#define ETH ((14ULL << 56) | (1ULL << 6))

#define PORTS .sport_min = 49152, .sport_max = 65535

static const struct row_case cases[] = {
	{ "ipip, 4 in 4",
	  { .type = TCCTL_T_IPIP, .family = 4, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64 },
	  "45000000 00004000 40040000" V4, 20, TCCTL_PAYLOAD_NONE, 0, L3_4 },
	{ "ipip, 6 in 4, DSCP EF, DF clear",
	  { .type = TCCTL_T_IPIP, .family = 4, .flags = TCCTL_TF_INNER_IPV6, .ttl = 255, .dscp = 46, .df = SPEC_DF_CLEAR },
	  "45b80000 00000000 ff290000" V4, 20, TCCTL_PAYLOAD_NONE, 0, L3_4 },
	{ "ipip, both in 4, all inherited",
	  { .type = TCCTL_T_IPIP, .family = 4, .flags = IP4_INNER | INHERIT, .ttl = 9, .dscp = 9, .df = SPEC_DF_INHERIT },
	  "45000000 00000000 00000000" V4, 20, TCCTL_PAYLOAD_PROTO, 9, L3_4 },
	{ "ipip, 4 in 6, DSCP EF",
	  { .type = TCCTL_T_IPIP, .family = 6, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64, .dscp = 46 },
	  "6b800000 0000 04 40" V6, 40, TCCTL_PAYLOAD_NONE, 0, L3_6 },
	{ "ipip, both in 6",
	  { .type = TCCTL_T_IPIP, .family = 6, .flags = IP4_INNER, .ttl = 64 },
	  "60000000 0000 00 40" V6, 40, TCCTL_PAYLOAD_PROTO, 6, L3_6 },
	{ "gre, bare",
	  { .type = TCCTL_T_GRE, .family = 4, .flags = IP4_INNER, .ttl = 64 },
	  "45000000 00004000 402f0000" V4 "0000 0000", 20, TCCTL_PAYLOAD_ETHERTYPE, 22, L3_4 | GRE },
	{ "gre, key",
	  { .type = TCCTL_T_GRE, .family = 4, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64, .has_id = true, .id = 7, .id_out = 8 },
	  "45000000 00004000 402f0000" V4 "2000 0800 00000008", 20, TCCTL_PAYLOAD_NONE, 0, L3_4 | GRE },
	{ "gre, checksum, key, sequence, Ethernet",
	  { .type = TCCTL_T_GRE, .family = 6, .flags = TCCTL_TF_INNER_ETH | TCCTL_TF_CSUM | TCCTL_TF_SEQ, .ttl = 64,
	    .has_id = true, .id = 1, .id_out = 0x01020304 },
	  "60000000 0000 2f 40" V6 "b000 6558 00000000 01020304 00000000", 40, TCCTL_PAYLOAD_NONE, 0, L3_6 | GRE | ETH },
	{ "gre, sequence alone",
	  { .type = TCCTL_T_GRE, .family = 4, .flags = TCCTL_TF_INNER_IPV6 | TCCTL_TF_SEQ, .ttl = 64 },
	  "45000000 00004000 402f0000" V4 "1000 86dd 00000000", 20, TCCTL_PAYLOAD_NONE, 0, L3_4 | GRE },
	{ "vxlan over IPv4",
	  { .type = TCCTL_T_VXLAN, .family = 4, .flags = TCCTL_TF_INNER_ETH, .ttl = 64, .port = 4789, PORTS,
	    .has_id = true, .id = 42, .id_out = 42 },
	  "45000000 00004000 40110000" V4 "0000 12b5 0000 0000 08000000 00002a00", 20, TCCTL_PAYLOAD_NONE, 0,
	  L3_4 | UDP | ETH },
	{ "vxlan over IPv6 with checksum, one source port",
	  { .type = TCCTL_T_VXLAN, .family = 6, .flags = TCCTL_TF_INNER_ETH | TCCTL_TF_CSUM, .ttl = 64, .port = 8472,
	    .sport_min = 5000, .sport_max = 5000, .has_id = true, .id = 0xffffff, .id_out = 0xffffff },
	  "60000000 0000 11 40" V6 "1388 2118 0000 0000 08000000 ffffff00", 40, TCCTL_PAYLOAD_NONE, 0, L3_6 | UDP | ETH },
	{ "vxlan with group policy",
	  { .type = TCCTL_T_VXLAN, .family = 4, .flags = TCCTL_TF_INNER_ETH | TCCTL_TF_GBP, .ttl = 64, .port = 4789, PORTS,
	    .has_id = true, .id = 1, .id_out = 1 },
	  "45000000 00004000 40110000" V4 "0000 12b5 0000 0000 08000000 00000100", 20, TCCTL_PAYLOAD_NONE, 0,
	  L3_4 | UDP | ETH },
	{ "geneve, Ethernet, no options",
	  { .type = TCCTL_T_GENEVE, .family = 4, .flags = TCCTL_TF_INNER_ETH, .ttl = 64, .port = 6081, PORTS,
	    .has_id = true, .id = 7, .id_out = 7 },
	  "45000000 00004000 40110000" V4 "0000 17c1 0000 0000 00 00 6558 00000700", 20, TCCTL_PAYLOAD_NONE, 0,
	  L3_4 | UDP | ETH },
	{ "geneve, IP, an option",
	  { .type = TCCTL_T_GENEVE, .family = 6, .flags = IP4_INNER, .ttl = 64, .port = 6081, PORTS, .has_id = true, .id = 7,
	    .id_out = 7, .options = { 0x01, 0x02, 0x01, 0x01, 0x00, 0x11, 0x22, 0x33 }, .options_len = 8 },
	  "60000000 0000 11 40" V6 "0000 17c1 0000 0000 02 00 0000 00000700 01020101 00112233", 40,
	  TCCTL_PAYLOAD_ETHERTYPE, 50, L3_6 | UDP },
	{ "geneve, the second option critical",
	  { .type = TCCTL_T_GENEVE, .family = 4, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64, .port = 6081, PORTS,
	    .has_id = true, .id = 7, .id_out = 7, .options = { 0, 1, 1, 1, 0x80, 0x80, 0x80, 0x80, 0, 1, 0x81, 0 },
	    .options_len = 12 },
	  "45000000 00004000 40110000" V4 "0000 17c1 0000 0000 03 40 0800 00000700 00010101 80808080 00018100", 20,
	  TCCTL_PAYLOAD_NONE, 0, L3_4 | UDP },
	{ "gtpu",
	  { .type = TCCTL_T_GTPU, .family = 4, .flags = IP4_INNER, .ttl = 64, .port = 2152, .sport_min = 2152,
	    .sport_max = 2152, .has_id = true, .id = 1, .id_out = 0xdeadbeef },
	  "45000000 00004000 40110000" V4 "0868 0868 0000 0000 30 ff 0000 deadbeef", 20, TCCTL_PAYLOAD_NONE, 0,
	  L3_4 | UDP },
	{ "gtpu, uplink PDU session",
	  { .type = TCCTL_T_GTPU, .family = 4, .flags = IP4_INNER, .ttl = 64, .port = 2152, .sport_min = 2152,
	    .sport_max = 2152, .has_id = true, .id = 1, .id_out = 2, .pdu = SPEC_PDU_UPLINK, .qfi = 9 },
	  "45000000 00004000 40110000" V4 "0868 0868 0000 0000 34 ff 0000 00000002 0000 00 85 01 10 09 00", 20,
	  TCCTL_PAYLOAD_NONE, 0, L3_4 | UDP },
	{ "gtpu, downlink PDU session",
	  { .type = TCCTL_T_GTPU, .family = 6, .flags = IP4_INNER, .ttl = 64, .port = 2152, .sport_min = 2152,
	    .sport_max = 2152, .has_id = true, .id = 1, .id_out = 2, .pdu = SPEC_PDU_DOWNLINK, .qfi = 63 },
	  "60000000 0000 11 40" V6 "0868 0868 0000 0000 34 ff 0000 00000002 0000 00 85 01 00 3f 00", 40,
	  TCCTL_PAYLOAD_NONE, 0, L3_6 | UDP },
	{ "fou",
	  { .type = TCCTL_T_FOU, .family = 4, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64, .port = 5555, PORTS },
	  "45000000 00004000 40110000" V4 "0000 15b3 0000 0000", 20, TCCTL_PAYLOAD_NONE, 0, L3_4 | UDP },
	{ "gue, IPv6 inside",
	  { .type = TCCTL_T_GUE, .family = 4, .flags = TCCTL_TF_INNER_IPV6, .ttl = 64, .port = 6080, PORTS },
	  "45000000 00004000 40110000" V4 "0000 17c0 0000 0000 00 29 0000", 20, TCCTL_PAYLOAD_NONE, 0, L3_4 | UDP },
	{ "gue, both inside",
	  { .type = TCCTL_T_GUE, .family = 6, .flags = IP4_INNER, .ttl = 64, .port = 6080, PORTS },
	  "60000000 0000 11 40" V6 "0000 17c0 0000 0000 00 00 0000", 40, TCCTL_PAYLOAD_PROTO, 49, L3_6 | UDP },
	{ "mpls-udp, two labels",
	  { .type = TCCTL_T_MPLS_UDP, .family = 4, .flags = TCCTL_TF_INNER_IPV4, .ttl = 64, .port = 6635, PORTS,
	    .has_id = true, .id = 100, .labels = { 100, 0xfffff }, .n_labels = 2 },
	  "45000000 00004000 40110000" V4 "0000 19eb 0000 0000 00064040 fffff140", 20, TCCTL_PAYLOAD_NONE, 0, L3_4 | UDP },
	{ "mpls-gre, one label, checksum, TTL inherited",
	  { .type = TCCTL_T_MPLS_GRE, .family = 6, .flags = IP4_INNER | TCCTL_TF_CSUM | TCCTL_TF_TTL_INHERIT, .has_id = true,
	    .id = 16, .labels = { 16 }, .n_labels = 1 },
	  "60000000 0000 2f 00" V6 "8000 8847 00000000 00010140", 40, TCCTL_PAYLOAD_NONE, 0, L3_6 | GRE },
};

static struct spec_prefix host(uint8_t family, uint8_t last)
{
	struct spec_prefix p = { .family = family, .len = family == 4 ? 32 : 128 };

	if (family == 4)
		memcpy(p.addr, (uint8_t[]){ 192, 0, 2, last }, 4);
	else
		memcpy(p.addr, (uint8_t[16]){ 0x20, 0x01, 0x0d, 0xb8, [15] = last }, 16);
	return p;
}

static size_t from_hex(const char *text, uint8_t *out)
{
	size_t n = 0;

	for (; *text; text++)
		if (*text != ' ') {
			unsigned int v;

			sscanf(text++, "%2x", &v);
			out[n++] = (uint8_t)v;
		}
	return n;
}

static void check_case(const struct row_case *c)
{
	const struct tunnel_resolved r = { .counters = 512 * 1024, .mtu = 1500 };
	struct spec_prefix remote = host(c->t.family, 2);
	struct spec_tunnel t = c->t;
	struct tcctl_tunnel row;
	uint8_t want[TCCTL_TEMPLATE_MAX];
	size_t n = from_hex(c->header, want);

	test_case(c->name);
	t.has_local = true;
	t.local = host(t.family, 1);
	t.remotes = &remote;
	t.n_remotes = 1;
	if (!test_eq(tunnel_row_build(&t, &r, &row), 0))
		return;
	test_eq(row.header_len, n);
	for (size_t i = 0; i < n; i++)
		if (row.header[i] != want[i]) {
			test_fail("byte %zu of the header is %02x, expected %02x", i, row.header[i], want[i]);
			break;
		}
	test_eq(row.header_len % 4, 0);
	test_eq(row.type, t.type);
	test_eq(row.family, t.family);
	test_eq(row.l4_at, c->l4_at);
	test_eq(row.payload_kind, c->kind);
	test_eq(row.payload_at, c->payload_at);
	test_eq(row.adjust, c->adjust);
	test_eq(tunnel_overhead(&t), n + (t.flags & TCCTL_TF_INNER_ETH ? 14 : 0));
	test_eq(row.mtu, 1500 - tunnel_overhead(&t));
	test_ok(!memcmp(row.local, t.local.addr, 16) && !memcmp(row.remote, remote.addr, 16));
}

static struct tcctl_tunnel build(const struct spec_tunnel *t, const struct tunnel_resolved *r)
{
	struct tcctl_tunnel row = { 0 };

	test_eq(tunnel_row_build(t, r, &row), 0);
	return row;
}

static void test_fields(void)
{
	const struct tunnel_resolved r = {
		.device = 3, .underlay = 4, .counters = 99, .flags = TCCTL_TF_TERMINATES, .mtu = 1500, .flood_first = 5,
		.device_mac = { 2, 0, 0, 0, 0, 1 }, .no_l2_eth = true,
	};
	struct spec_prefix flood[2] = { host(4, 2), host(4, 3) }, remote = host(4, 2);
	struct spec_tunnel t = {
		.type = TCCTL_T_VXLAN, .family = 4, .flags = TCCTL_TF_INNER_ETH | TCCTL_TF_FDB | TCCTL_TF_LEARN, .ttl = 64,
		.port = 4789, .sport_min = 1000, .sport_max = 1500, .has_id = true, .id = 1, .id_out = 2, .has_local = true,
		.local = host(4, 1), .remotes = &remote, .n_remotes = 1, .flood = flood, .n_flood = 2, .ageing = 300, .mark = 7,
	};
	struct tcctl_tunnel row;

	test_case("policy");
	row = build(&t, &r);
	test_eq(row.device, 3);
	test_eq(row.underlay, 4);
	test_eq(row.counters, 99);
	test_eq(row.flags, TCCTL_TF_INNER_ETH | TCCTL_TF_FDB | TCCTL_TF_LEARN | TCCTL_TF_TERMINATES | TCCTL_TF_ENTROPY |
				   TCCTL_TF_DF);
	test_eq(row.flood_first, 5);
	test_eq(row.flood_n, 2);
	test_eq(row.ageing, 300);
	test_eq(row.mark, 7);
	test_eq(row.id, 1);
	test_eq(row.id_out, 2);
	test_eq(row.mac[5], 1);
	test_eq(row.adjust & 1U << 6, 0);

	test_case("a forwarding table leaves the remote open");
	test_eq(row.remote[0], 0);
	test_eq(row.header[16], 0);

	test_case("source ports: the largest power of two");
	test_eq(row.sport_base, 1000);
	test_eq(row.sport_mask, 255);
	t.sport_min = 0;
	t.sport_max = 65535;
	row = build(&t, &r);
	test_eq(row.sport_base, 0);
	test_eq(row.sport_mask, 65535);

	test_case("a configured MTU wins");
	t.mtu = 1400;
	test_eq(build(&t, &r).mtu, 1400);
	test_case("no MTU known: no limit");
	t.mtu = 0;
	test_eq(build(&t, &(struct tunnel_resolved){ 0 }).mtu, 0);
	test_case("an MTU that nothing fits");
	test_eq(build(&t, &(struct tunnel_resolved){ .mtu = 40 }).mtu, 1);
}

static void test_qfi(void)
{
	struct spec_qfi map[] = { { 1, 46 }, { 2, 34 }, { 2, 36 } };
	struct spec_tunnel t = {
		.type = TCCTL_T_GTPU, .family = 4, .flags = IP4_INNER, .ttl = 64, .port = 2152, .sport_min = 2152,
		.sport_max = 2152, .has_id = true, .pdu = SPEC_PDU_DOWNLINK, .qfi = 9, .qfis = map, .n_qfis = 3,
	};
	struct tcctl_tunnel row;

	test_case("QFI and DSCP");
	row = build(&t, &(struct tunnel_resolved){ 0 });
	test_ok(row.flags & TCCTL_TF_QFI && row.flags & TCCTL_TF_QFI_IN);
	test_eq(row.header[row.header_len - 2], 9);
	test_eq(row.qfi_of_dscp[0], 9);
	test_eq(row.qfi_of_dscp[46], 1);
	test_eq(row.qfi_of_dscp[34], 2);
	test_eq(row.qfi_of_dscp[36], 2);
	test_eq(row.dscp_of_qfi[1], 46);
	test_eq(row.dscp_of_qfi[2], 34);
	test_eq(row.dscp_of_qfi[9], 0xff);
	test_case("one QFI for all is in the template");
	t.n_qfis = 0;
	row = build(&t, &(struct tunnel_resolved){ 0 });
	test_ok(!(row.flags & (TCCTL_TF_QFI | TCCTL_TF_QFI_IN)));
	test_eq(row.header[row.header_len - 2], 9);
}

static void test_no_outer_header(void)
{
	struct spec_prefix remote = host(4, 2);
	struct spec_tunnel t = {
		.type = TCCTL_T_VLAN,
		.n_tags = 2,
		.tags = { { .id = 100, .proto = 0x88a8, .pcp = 3 }, { .id = 4094, .proto = 0x8100, .pcp = -1 } },
	};
	struct tcctl_tunnel row;

	test_case("VLAN tags");
	row = build(&t, &(struct tunnel_resolved){ .mtu = 1500 });
	test_eq(row.family, 0);
	test_eq(row.n_tags, 2);
	test_eq(row.tag_proto, 0x88a8);
	test_eq(row.tags[0], 0x6064);
	test_eq(row.tags[1], 0x1ffe);
	test_eq(row.header_len, 0);
	test_eq(row.mtu, 1496);
	t.n_tags = 1;
	test_eq(build(&t, &(struct tunnel_resolved){ .mtu = 1500 }).mtu, 1500);

	test_case("metadata");
	t = (struct spec_tunnel){ .type = TCCTL_T_GENEVE, .mode = SPEC_TUNNEL_METADATA, .family = 4,
				  .flags = TCCTL_TF_INNER_ETH, .ttl = 7, .dscp = 46, .has_id = true, .id = 5, .id_out = 5,
				  .has_local = true, .local = host(4, 1), .remotes = &remote, .n_remotes = 1,
				  .options = { 1, 2, 3, 0 }, .options_len = 4 };
	row = build(&t, &(struct tunnel_resolved){ .device = 8 });
	test_eq(row.type, TCCTL_T_METADATA);
	test_eq(row.kind, TCCTL_T_GENEVE);
	test_eq(row.family, 4);
	test_eq(row.ttl, 7);
	test_eq(row.tos, 0xb8);
	test_eq(row.device, 8);
	test_ok(row.flags & TCCTL_TF_DF);
	test_eq(row.header_len, 4);
	test_ok(!memcmp(row.header, t.options, 4));
	test_ok(!memcmp(row.remote, remote.addr, 16));

	test_case("no addresses at all: decapsulation only");
	t = (struct spec_tunnel){ .type = TCCTL_T_VXLAN, .flags = TCCTL_TF_INNER_ETH, .port = 4789, .has_id = true, .id = 5 };
	row = build(&t, &(struct tunnel_resolved){ 0 });
	test_eq(row.family, 0);
	test_eq(row.header_len, 0);

	test_case("types that are none");
	t.type = TCCTL_T_NONE;
	test_ok(tunnel_row_build(&t, &(struct tunnel_resolved){ 0 }, &row) < 0);
	t.type = TCCTL_T_METADATA;
	test_ok(tunnel_row_build(&t, &(struct tunnel_resolved){ 0 }, &row) < 0);
	t.type = TCCTL_T_MAX;
	test_ok(tunnel_row_build(&t, &(struct tunnel_resolved){ 0 }, &row) < 0);
}

/* What arrives through the kernel's external device has no UDP header any more. */
static void test_keys(void)
{
	struct spec_tunnel t = { .type = TCCTL_T_VXLAN, .family = 4, .port = 8472, .has_id = true, .id = 42 };
	struct tcctl_decap_key keys[2];

	test_case("key of a UDP tunnel");
	test_eq(tunnel_decap_keys(&t, keys), 1);
	test_eq(keys[0].type, TCCTL_T_VXLAN);
	test_eq(keys[0].port, 8472);
	test_case("key of tunnel metadata");
	t.mode = SPEC_TUNNEL_METADATA;
	test_eq(tunnel_decap_keys(&t, keys), 1);
	test_eq(keys[0].type, TCCTL_T_METADATA);
	test_eq(keys[0].port, 0);
	test_eq(keys[0].id, 42);
	test_eq(keys[0].has_id, 0);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
	test_fields();
	test_qfi();
	test_no_outer_header();
	test_keys();
	return test_done();
}
