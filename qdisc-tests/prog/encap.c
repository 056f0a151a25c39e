// SPDX-License-Identifier: GPL-2.0-only
/*
 * The encap stage: packets in, bytes and context out, against a plain-C model (lib/tunnelref_encap.h). Every type over
 * IPv4 and IPv6, with every kind of payload and policy; random ones, hostile ones.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <unistd.h>

#include "encapstage.h"
#include "packet.h"
#include "pipe.h"
#include "test.h"
#include "tunnel.h"
#include "tunnelref_encap.h"
#include "tunnels.h"

#define ID 5
#define ROUNDS 20000

static struct pipe p;
static struct tunnels tables;
static struct rng rng = { .state = 20261121 };

/* --- configurations ------------------------------------------------------------------------------------- */

static const struct {
	uint8_t type;
	const char *name;
	bool eth, ip; /* what may be inside */
	bool one;     /* a header that does not tell the kind: one kind of IP only */
} types[] = {
	{ TCCTL_T_IPIP, "ipip", false, true, false },	     { TCCTL_T_GRE, "gre", true, true, false },
	{ TCCTL_T_VXLAN, "vxlan", true, false, false },	     { TCCTL_T_GENEVE, "geneve", true, true, false },
	{ TCCTL_T_GTPU, "gtpu", false, true, false },	     { TCCTL_T_FOU, "fou", false, true, true },
	{ TCCTL_T_GUE, "gue", false, true, false },	     { TCCTL_T_MPLS_UDP, "mpls-udp", false, true, false },
	{ TCCTL_T_MPLS_GRE, "mpls-gre", false, true, false },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static bool coin(void)
{
	return rng_below(&rng, 2);
}

static void spec_base(struct spec_tunnel *t, unsigned int type, bool v6)
{
	*t = encapstage_tunnel(types[type].type, v6);
	if (types[type].one)
		t->flags &= ~TCCTL_TF_INNER_IPV6;
	if (t->type == TCCTL_T_MPLS_UDP || t->type == TCCTL_T_MPLS_GRE) {
		t->labels[0] = 100;
		t->labels[1] = 0xfffff;
		t->n_labels = 2;
	}
}

static void spec_random(struct spec_tunnel *t, unsigned int type)
{
	static struct spec_qfi qfis[] = { { 1, 46 }, { 2, 34 }, { 63, 0 }, { 7, 63 } };
	uint32_t inner;

	spec_base(t, type, coin());
	inner = types[type].eth && (!types[type].ip || coin()) ? TCCTL_TF_INNER_ETH :
		types[type].one ? (coin() ? TCCTL_TF_INNER_IPV4 : TCCTL_TF_INNER_IPV6) :
		rng_below(&rng, 4) ? TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6 :
				     (coin() ? TCCTL_TF_INNER_IPV4 : TCCTL_TF_INNER_IPV6);
	t->flags = inner | (coin() ? TCCTL_TF_TTL_INHERIT : 0) | (coin() ? TCCTL_TF_DSCP_INHERIT : 0) |
		   (coin() ? TCCTL_TF_ECN_OFF : 0);
	t->ttl = (uint8_t)(1 + rng_below(&rng, 255));
	t->dscp = (uint8_t)rng_below(&rng, 64);
	t->df = rng_below(&rng, SPEC_DF_MAX);
	t->id = rng_next(&rng);
	t->id_out = t->type == TCCTL_T_VXLAN || t->type == TCCTL_T_GENEVE ? rng_below(&rng, 1 << 24) : rng_next(&rng);
	t->port = (uint16_t)(1 + rng_below(&rng, 65535));
	if (coin()) {
		t->sport_min = (uint16_t)rng_below(&rng, 65536);
		t->sport_max = (uint16_t)(t->sport_min + rng_below(&rng, 65536U - t->sport_min));
	}
	if (t->type != TCCTL_T_IPIP && coin())
		t->flags |= TCCTL_TF_CSUM;
	if (t->type == TCCTL_T_GRE) {
		t->has_id = coin();
		t->flags |= coin() ? TCCTL_TF_SEQ : 0;
	}
	if (t->type == TCCTL_T_VXLAN && coin())
		t->flags |= TCCTL_TF_GBP;
	if (t->n_labels) {
		t->n_labels = 1 + rng_below(&rng, SPEC_LABELS_MAX);
		for (size_t i = 0; i < t->n_labels; i++)
			t->labels[i] = rng_below(&rng, 1 << 20);
	}
	if (t->type == TCCTL_T_GENEVE) {
		for (unsigned int n = rng_below(&rng, 4); n--;) {
			uint8_t *o = t->options + t->options_len;
			unsigned int words = rng_below(&rng, 4);

			packet_put16(o, (uint16_t)rng_next(&rng));
			o[2] = (uint8_t)rng_next(&rng);
			o[3] = (uint8_t)words;
			for (unsigned int i = 0; i < 4 * words; i++)
				o[4 + i] = (uint8_t)rng_next(&rng);
			t->options_len += 4 + 4 * words;
		}
	}
	if (t->type == TCCTL_T_GTPU && coin()) {
		t->pdu = coin() ? SPEC_PDU_UPLINK : SPEC_PDU_DOWNLINK;
		t->qfi = (uint8_t)rng_below(&rng, 64);
		if (coin()) {
			t->qfis = qfis;
			t->n_qfis = sizeof(qfis) / sizeof(qfis[0]);
		}
	}
}

/* --- packets ---------------------------------------------------------------------------------------------- */

static void packet_random(struct packet *k, bool plain)
{
	unsigned int kind = rng_below(&rng, 16), tags = !plain && rng_below(&rng, 8) == 0 ? 1 + rng_below(&rng, 2) : 0;
	bool v6 = kind & 1;
	uint16_t type = kind == 15 ? 0x0806 : v6 ? 0x86dd : 0x0800;
	uint8_t tos = (uint8_t)rng_next(&rng), proto, *ip = NULL;

	packet_init(k);
	packet_eth(k, tags ? 0x8100 : type);
	for (unsigned int i = tags; i--;)
		packet_vlan(k, (uint16_t)(0x2000 | (100 + i)), i ? 0x8100 : type);
	if (kind == 15) { /* ARP, or what looks like it */
		packet_payload(k, 28 + rng_below(&rng, 19));
		return;
	}
	proto = kind < 6 ? 6 : kind < 11 ? 17 : kind < 13 ? (v6 ? 58 : 1) : kind < 14 ? 132 : 6;
	if (v6) {
		bool ext = rng_below(&rng, 6) == 0;

		packet_ipv6(k, ext ? 60 : proto, tos);
		ip = k->data + k->ip;
		if (ext)
			packet_ext(k, proto, rng_below(&rng, 3));
	} else {
		packet_ipv4(k, proto, tos, rng_below(&rng, 6) ? 0 : 4 * rng_below(&rng, 11));
		ip = k->data + k->ip;
		ip[6] = coin() ? 0x40 : 0;
	}
	ip[v6 ? 7 : 8] = (uint8_t)(2 + rng_below(&rng, 254));
	for (int i = 0; i < 4; i++)
		ip[(v6 ? 36 : 16) + i] = (uint8_t)rng_next(&rng);
	if (proto == 6)
		packet_tcp(k, (uint16_t)rng_next(&rng), (uint16_t)rng_next(&rng), 0x10);
	else if (proto == 17)
		packet_udp(k, (uint16_t)rng_next(&rng), (uint16_t)rng_next(&rng));
	else if (proto == 132)
		packet_payload(k, 12);
	else
		packet_icmp(k, proto, v6 ? 128 : 8, 0);
	packet_payload(k, rng_below(&rng, 8) ? rng_below(&rng, 100) : rng_below(&rng, 1400));
	packet_finish(k);
	if (proto == 17 && rng_below(&rng, 3) == 0) /* without checksum */
		packet_put16(k->data + k->l4 + 6, 0);
	if (kind == 14) { /* a fragment; not whole, so its L4 checksum is that of something else */
		if (!v6) {
			packet_put16(ip + 6, (uint16_t)(0x2000 | (coin() ? 185 : 0)));
			packet_put16(ip + 10, 0);
			packet_put16(ip + 10, (uint16_t)~packet_sum(ip, (size_t)(ip[0] & 15) * 4, 0));
		}
		k->data[k->len - 1] ^= 0x55;
	}
	if (!plain && rng_below(&rng, 6) == 0)
		packet_payload(k, 1 + rng_below(&rng, 20)); /* padding */
}

/* --- running ---------------------------------------------------------------------------------------------- */

static uint8_t out[PACKET_MAX + 512];
static struct pipe_run run;

/* Through `prog`, a way into the pipeline. */
static int packet_run(int prog, const struct packet *k, uint32_t mark, uint32_t flags)
{
	memset(&run, 0, sizeof(run));
	run.in = k->data;
	run.in_len = k->len;
	run.out = out;
	run.out_cap = sizeof(out);
	run.flags = flags;
	run.skb.mark = mark;
	return pipe_test(prog, &run);
}

static int setup_row(const struct spec_tunnel *t, const struct tunnel_resolved *r)
{
	struct tcctl_tunnel row;
	int err = tunnel_row_build(t, r, &row);

	return err ? err : tunnels_set(&tables, ID, &row);
}

static int setup(const struct spec_tunnel *t)
{
	struct tunnel_resolved r = {};

	return setup_row(t, &r);
}

static int encap_with(uint32_t id)
{
	struct tcctl_tunnel_settings s = { .encap = id };

	return tunnels_settings(&tables, &s);
}

static void dump(const char *what, const uint8_t *b, size_t n)
{
	printf("# %-8s%4zu", what, n);
	for (size_t i = 0; i < n && i < 160; i++)
		printf("%s%02x", i % 4 ? "" : " ", b[i]);
	printf("\n");
}

/* The result of a run against the model; false after a failure was reported. */
static bool compare(const char *what, const struct spec_tunnel *t, const struct packet *k,
		    const struct tunnelref_frame *frame, uint32_t *sequence)
{
	static uint8_t want[PACKET_MAX + 512];
	struct tunnelref_frame f = *frame;
	struct tunnelref_out ref = { .data = want };
	struct tunnelref_free free = {};
	uint32_t cb[5], sport_mask;

	if (run.verdict != PIPE_PROBED) {
		test_fail("%s: verdict %d, expected the probe's", what, run.verdict);
		dump("in", k->data, k->len);
		return false;
	}
	memcpy(cb, run.skb.cb, sizeof(cb));
	f.data = k->data;
	f.len = k->len;
	if (tunnelref_encap(t, &f, NULL, &ref) == TUNNELREF_NOT_CARRIED) {
		if (run.out_len == k->len && !memcmp(out, k->data, k->len) && !(cb[4] >> 16))
			return true;
		test_fail("%s: changed, though the tunnel does not carry it (tunnel %x)", what, cb[4] >> 16);
		return false;
	}
	if (cb[4] >> 16 != (TCCTL_TUNNEL_OUT | ID)) {
		test_fail("%s: tunnel in the context is %x; out_len %zu of %zu", what, cb[4] >> 16,
			  run.out_len, k->len);
		return false;
	}
	if (t->family == 4)
		free.ip_id = packet_get16(out + 14 + 4);
	else
		free.flow_label = (uint32_t)((out[15] & 15) << 16 | packet_get16(out + 16));
	free.sport = packet_get16(out + 14 + ref.l4_at);
	free.sequence = sequence ? (*sequence)++ : 0;
	tunnelref_encap(t, &f, &free, &ref);
	if (run.out_len != 14 + ref.len || memcmp(out + 14, want, ref.len) || packet_get16(out + 12) != ref.ethertype) {
		size_t at = 0;

		while (at < ref.len && at + 14 < run.out_len && out[14 + at] == want[at])
			at++;
		test_fail("%s: %zu bytes, expected %zu, first difference at %zu (state %llx)", what,
			  run.out_len, 14 + ref.len, at, (unsigned long long)rng.state);
		dump("in", k->data, k->len);
		dump("want", want, ref.len);
		dump("got", out + 14, run.out_len - 14);
		return false;
	}
	if (ref.udp && (free.sport < t->sport_min || free.sport > t->sport_max)) {
		test_fail("%s: source port %u, expected %u..%u", what, free.sport, t->sport_min, t->sport_max);
		return false;
	}
	sport_mask = ref.udp ? TCCTL_F_PORTS : 0;
	if (cb[1] != ((14 + ref.l4_at) << 16 | 14) ||
	    cb[2] != ((uint32_t)(TCCTL_F_L2 | (t->family == 4 ? TCCTL_F_IPV4 : TCCTL_F_IPV6) | sport_mask)
			      << 8 |
		      ref.proto) ||
	    (ref.udp && cb[3] != ((uint32_t)free.sport << 16 | t->port))) {
		test_fail("%s: context %08x %08x %08x", what, cb[1], cb[2], cb[3]);
		return false;
	}
	return true;
}

static void sequence_reset(void)
{
	struct {
		uint32_t lock, next;
	} zero = {};
	uint32_t id = ID;

	bpf_map_update_elem(pipe_map(&p, "sequences"), &id, &zero, BPF_ANY);
}

static void check_random(unsigned int type, unsigned int rounds, uint32_t flags, bool tagged, bool hop)
{
	static struct packet k;
	struct tunnel_resolved r = { .flags = hop ? TCCTL_TF_TERMINATES : 0 };
	struct tunnelref_frame f = { .tagged = tagged, .tag_proto = 0x88a8, .tag_tci = 0x6123, .hop = hop };
	struct spec_tunnel t;
	uint32_t sequence = 0;
	int prog = tagged ? encapstage_tagger(&p, f.tag_proto, f.tag_tci) : pipe_prog(&p, "root");

	if (!test_ok(prog >= 0))
		return;
	for (unsigned int i = 0; i < rounds; i++) {
		char what[64];
		int err;

		if (i % 16 == 0) {
			spec_random(&t, type);
			f.hop = hop && !(t.flags & TCCTL_TF_INNER_ETH);
			if (!test_eq(setup_row(&t, &r), 0))
				break;
			sequence = 0;
			sequence_reset();
		}
		f.mark = rng_below(&rng, 3) ? rng_next(&rng) : 0;
		/* The kernel corrects the sum for a tag taken out of a frame on a real ingress only, and gives it up for
		 * a packet that is cut, which the test run does not know. */
		packet_random(&k, flags);
		snprintf(what, sizeof(what), "%s over IPv%u, round %u", types[type].name, t.family, i);
		err = packet_run(prog, &k, f.mark, flags);
		if (err) {
			test_fail("%s: %s", what, strerror(-err));
			dump("in", k.data, k.len);
			break;
		}
		if (!compare(what, &t, &k, &f, run.skb.cb[4] >> 16 ? &sequence : NULL))
			break;
	}
	if (tagged)
		close(prog);
}

/* Whatever comes, a packet is either put into the tunnel as the model says or left as it is. */
static void check_hostile(void)
{
	static struct packet whole, k;
	struct tunnelref_frame f = {};
	struct spec_tunnel t;
	char what[64];

	for (unsigned int type = 0; type < N_TYPES; type++) {
		spec_base(&t, type, type & 1);
		t.flags |= t.type != TCCTL_T_IPIP && type % 3 == 0 ? TCCTL_TF_CSUM : 0;
		if (!test_eq(setup(&t), 0))
			return;
		for (unsigned int i = 0; i < 40; i++) {
			packet_random(&whole, false);
			/* cut at every length, then with bytes changed */
			for (unsigned int n = 14; n < 14 + 2 * 80; n++) {
				/* a wrong TCP or UDP checksum inside makes a wrong one outside: those are not tried */
				if (n >= 14 + 80 && t.flags & TCCTL_TF_CSUM)
					break;
				k = whole;
				if (n < 14 + 80) {
					k.len = n < whole.len ? n : whole.len;
				} else {
					for (unsigned int b = rng_below(&rng, 4); b < 4; b++)
						k.data[12 + rng_below(&rng, k.len - 12 < 60 ?
										    (uint32_t)k.len - 12 :
										    60)] =
							(uint8_t)rng_next(&rng);
				}
				snprintf(what, sizeof(what), "%s, packet %u, %u", types[type].name, i, n);
				if (packet_run(pipe_prog(&p, "root"), &k, 0, 0))
					continue; /* the kernel wants more than that */
				if (run.verdict == 0xff || run.verdict == -1)
					continue; /* not for us: the entry passed it on */
				if (!compare(what, &t, &k, &f, NULL))
					return;
			}
		}
	}
}

int main(void)
{
	static char titles[N_TYPES][64]; /* a case may end after its round */

	struct tcctl_counter before, after;

	printf("# seed %llu\n", (unsigned long long)rng.state);
	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, NULL, 0, "entry_eth"), 0))
		return test_done();
	test_eq(encapstage_fill(&p), 0);
	test_eq(tunnels_open(&tables, &p, 0), 0);
	test_eq(encap_with(ID), 0);

	for (unsigned int i = 0; i < N_TYPES; i++) {
		snprintf(titles[i], sizeof(titles[i]), "%s: random packets and policies", types[i].name);
		test_case(titles[i]);
		before = tunnels_counter(&tables, ID, TCCTL_TUN_TX);
		check_random(i, ROUNDS / N_TYPES, 0, false, false);
		after = tunnels_counter(&tables, ID, TCCTL_TUN_TX);
		test_ok(after.packets - before.packets > ROUNDS / N_TYPES / 3);
		test_eq(tunnels_counter(&tables, ID, TCCTL_TUN_TX_FAILED).packets, 0);
	}
	test_case("a tag in skb metadata moves into a frame, and is left behind by IP");
	for (unsigned int i = 0; i < N_TYPES; i++)
		check_random(i, ROUNDS / N_TYPES / 4, 0, true, false);
	test_case("a hop decrements the inner TTL");
	for (unsigned int i = 0; i < N_TYPES; i++)
		check_random(i, ROUNDS / N_TYPES / 4, 0, false, true);
	test_case("a CHECKSUM_COMPLETE sum stays right");
	if (packet_run(pipe_prog(&p, "root"), &(struct packet){ .len = 64 }, 0,
		       BPF_F_TEST_SKB_CHECKSUM_COMPLETE) == -EINVAL)
		test_skip("this kernel has no BPF_F_TEST_SKB_CHECKSUM_COMPLETE");
	else
		for (unsigned int i = 0; i < N_TYPES; i++) {
			check_random(i, ROUNDS / N_TYPES / 4, BPF_F_TEST_SKB_CHECKSUM_COMPLETE, false, false);
			check_random(i, ROUNDS / N_TYPES / 4, BPF_F_TEST_SKB_CHECKSUM_COMPLETE, true, true);
		}
	test_case("packets cut short and with wrong bytes");
	check_hostile();
	tunnels_close(&tables);
	pipe_close(&p);
	return test_done();
}
