// SPDX-License-Identifier: GPL-2.0-only
/*
 * There and back: what the encap stage puts into a tunnel the decapsulating handlers take out of it again, with the
 * same bytes. And what that costs.
 *
 *	root ▶ entry ▶ … ▶ fork ▶ encap ▶ encap_header ▶ entry ▶ … ▶ handler of the tunnel ▶ … ▶ fork ▶ (end)
 *
 * Both directions in one run: `fork`, in the first slot, sends to encap what was not in a tunnel yet.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <unistd.h>

#include "encapstage.h"
#include "packet.h"
#include "pipe.h"
#include "test.h"
#include "tunnels.h"

#define OUT_ID 5
#define IN_ID 6

static struct pipe p;
static struct tunnels tables;
static struct rng rng = { .state = 77 };
static uint8_t out[PACKET_MAX + 512];
static struct pipe_run run;

static const struct {
	uint8_t type;
	const char *name;
	uint16_t port;
	uint32_t slot;
	const char *program;
} types[] = {
	{ TCCTL_T_IPIP, "ipip", 0, 0, NULL },
	{ TCCTL_T_GRE, "gre", 0, 0, NULL },
	{ TCCTL_T_VXLAN, "vxlan", 4789, TCCTL_UDP_VXLAN, "vxlan" },
	{ TCCTL_T_GENEVE, "geneve", 6081, TCCTL_UDP_GENEVE, "geneve" },
	{ TCCTL_T_GTPU, "gtpu", 2152, TCCTL_UDP_GTPU, "gtpu" },
	{ TCCTL_T_FOU, "fou", 5555, TCCTL_UDP_FOU, "fou" },
	{ TCCTL_T_GUE, "gue", 6080, TCCTL_UDP_GUE, "gue" },
	{ TCCTL_T_MPLS_UDP, "mpls-udp", 6635, TCCTL_UDP_MPLS, "mpls_udp" },
	{ TCCTL_T_MPLS_GRE, "mpls-gre", 0, 0, NULL },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static bool setup(unsigned int type, bool v6, uint32_t flags, const struct spec_tunnel *extra)
{
	struct spec_tunnel t = extra ? *extra : encapstage_tunnel(types[type].type, v6), back;
	struct tcctl_tunnel_settings s = { .encap = OUT_ID, .flags = TCCTL_TS_BOTH };
	struct tcctl_decap_key key = { .type = types[type].type, .family = v6 ? 6 : 4, .port = types[type].port };
	struct spec_prefix from = t.local;
	struct tcctl_tunnel row;

	t.port = types[type].port;
	t.flags |= flags;
	if (t.type == TCCTL_T_MPLS_UDP || t.type == TCCTL_T_MPLS_GRE) {
		t.labels[0] = 100;
		t.labels[1] = 200;
		t.n_labels = 2;
		t.id = 100;
	}
	back = t;
	back.local = t.remotes[0];
	back.remotes = &from;
	if (t.type != TCCTL_T_IPIP && t.type != TCCTL_T_FOU && t.type != TCCTL_T_GUE &&
	    (t.type != TCCTL_T_GRE || t.has_id)) {
		key.id = t.id;
		key.has_id = t.type == TCCTL_T_GRE;
	}
	memcpy(key.local, back.local.addr, 16);
	memcpy(key.remote, from.addr, 16);
	return !tunnel_row_build(&t, &(struct tunnel_resolved){}, &row) && !tunnels_set(&tables, OUT_ID, &row) &&
	       !tunnel_row_build(&back, &(struct tunnel_resolved){}, &row) && !tunnels_set(&tables, IN_ID, &row) &&
	       !tunnels_decap(&tables, &key, IN_ID) && !tunnels_settings(&tables, &s);
}

static void packet_random(struct packet *k)
{
	bool v6 = rng_below(&rng, 2);
	uint8_t proto = rng_below(&rng, 2) ? 17 : 6, tos = (uint8_t)rng_next(&rng);

	packet_init(k);
	packet_eth(k, v6 ? 0x86dd : 0x0800);
	if (v6)
		packet_ipv6(k, proto, tos);
	else
		packet_ipv4(k, proto, tos, rng_below(&rng, 4) ? 0 : 8);
	if (proto == 17)
		packet_udp(k, (uint16_t)rng_next(&rng), (uint16_t)(20000 + rng_below(&rng, 1000)));
	else
		packet_tcp(k, (uint16_t)rng_next(&rng), (uint16_t)rng_next(&rng), 0x10);
	packet_payload(
		k, 18 + rng_below(&rng,
				  1200)); /* frames of at least 60 bytes: shorter ones may come out padded */
	packet_finish(k);
}

static int there_and_back(const struct packet *k, uint32_t repeat)
{
	memset(&run, 0, sizeof(run));
	run.in = k->data;
	run.in_len = k->len;
	run.out = out;
	run.out_cap = sizeof(out);
	run.repeat = repeat;
	return pipe_test(pipe_prog(&p, "root"), &run);
}

static void check(unsigned int type, bool v6, uint32_t flags, const struct spec_tunnel *extra)
{
	static struct packet k;
	bool eth = (extra ? extra->flags | flags : flags) & TCCTL_TF_INNER_ETH || types[type].type == TCCTL_T_VXLAN;
	size_t from = eth ? 0 : 12;

	if (!test_ok(setup(type, v6, flags, extra)))
		return;
	for (int i = 0; i < 300; i++) {
		packet_random(&k);
		if (!test_eq(there_and_back(&k, 1), 0))
			return;
		if (run.verdict != PIPE_PROBED || (run.skb.cb[4] >> 16 & TCCTL_TUNNEL_ID) != IN_ID ||
		    run.out_len != k.len || memcmp(out + from, k.data + from, k.len - from)) {
			test_fail("packet %d: verdict %d, tunnel %x, %zu bytes of %zu", i, run.verdict,
				  run.skb.cb[4] >> 16, run.out_len, k.len);
			printf("#");
			for (size_t b = 0; b < run.out_len && b < 128; b++)
				printf("%s%02x", b % 4 ? "" : " ", out[b]);
			printf("\n");
			for (unsigned int c = 0; c < TCCTL_TUN_MAX; c++)
				if (tunnels_counter(&tables, IN_ID, c).packets)
					printf("# counter %u: %llu\n", c,
					       (unsigned long long)tunnels_counter(&tables, IN_ID, c).packets);
			return;
		}
	}
}

static uint32_t best(const struct packet *k)
{
	uint32_t ns = ~0U;

	for (int i = 0; i < 7; i++)
		if (!there_and_back(k, 100000) && run.ns < ns)
			ns = run.ns;
	return ns;
}

static void cost(void)
{
	struct spec_tunnel gre = encapstage_tunnel(TCCTL_T_GRE, false);
	struct packet k;
	uint32_t base;

	packet_datagram(&k, false, 0, 2000, 58);
	tunnels_settings(&tables, &(struct tcctl_tunnel_settings){});
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_ENCAP + 1, p.probe);
	base = best(&k);
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_ENCAP + 1, pipe_prog(&p, "entry_eth"));
	printf("# %u ns: dispatch and an encap stage that chooses no tunnel\n", base);
	setup(2, false, 0, NULL);
	printf("# %u ns: VXLAN over IPv4 there and back, with two more dispatches\n", best(&k));
	setup(2, true, 0, NULL);
	printf("# %u ns: VXLAN over IPv6\n", best(&k));
	setup(2, false, TCCTL_TF_CSUM, NULL);
	printf("# %u ns: VXLAN over IPv4 with checksum\n", best(&k));
	setup(1, false, 0, &gre);
	printf("# %u ns: GRE over IPv4\n", best(&k));
	setup(0, false, 0, NULL);
	printf("# %u ns: IPv4 in IPv4\n", best(&k));
}

int main(void)
{
	static char titles[2 * N_TYPES][64];
	struct tcctl_cfg cfg = { .decap = ~0U, .encap = ~0U };
	struct spec_tunnel t;
	int fork;

	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, &cfg, 0, "entry_eth"), 0))
		return test_done();
	test_eq(encapstage_fill(&p), 0);
	fork = encapstage_fork(&p);
	test_eq(pipe_graft(&p, "jt_stage", 0, fork), 0);
	test_eq(pipe_graft(&p, "jt_stage", TCCTL_STAGE_ENCAP + 1, pipe_prog(&p, "entry_eth")), 0);
	test_eq(pipe_graft(&p, "jt_stage", TCCTL_STAGE_INNER_ETH, pipe_prog(&p, "entry_eth")), 0);
	for (unsigned int i = 0; i < N_TYPES; i++)
		if (types[i].program)
			test_eq(pipe_graft(&p, "jt_udp", types[i].slot, pipe_prog(&p, types[i].program)), 0);
	test_eq(tunnels_open(&tables, &p, 0), 0);

	for (unsigned int i = 0; i < 2 * N_TYPES; i++) {
		unsigned int type = i / 2;

		snprintf(titles[i], sizeof(titles[i]), "%s over IPv%u", types[type].name, i & 1 ? 6 : 4);
		test_case(titles[i]);
		check(type, i & 1, 0, NULL);
		if (types[type].type != TCCTL_T_IPIP)
			check(type, i & 1, TCCTL_TF_CSUM | TCCTL_TF_CSUM_IN, NULL);
	}
	test_case("gre with Ethernet, key, sequence number and checksum");
	t = encapstage_tunnel(TCCTL_T_GRE, true);
	t.has_id = true;
	t.flags = TCCTL_TF_INNER_ETH | TCCTL_TF_SEQ | TCCTL_TF_CSUM | TCCTL_TF_CSUM_IN;
	check(1, true, 0, &t);
	test_case("geneve with Ethernet");
	t = encapstage_tunnel(TCCTL_T_GENEVE, false);
	t.flags = TCCTL_TF_INNER_ETH;
	check(3, false, 0, &t);
	test_case("gtpu with a PDU session container");
	t = encapstage_tunnel(TCCTL_T_GTPU, false);
	t.pdu = SPEC_PDU_UPLINK;
	t.qfi = 9;
	check(4, false, 0, &t);
	cost();
	tunnels_close(&tables);
	close(fork);
	pipe_close(&p);
	return test_done();
}
