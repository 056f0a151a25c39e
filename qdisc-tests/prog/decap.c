// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decapsulation against a reference model in plain C: bytes, context, verdict, tunnel counters and reasons. For every type, outer
 * and inner family: valid packets, each cut short at every length, then random ones with bytes changed, nested into each other.
 *
 *   TCCTL_SEED=N  another seed (printed)     TCCTL_ROUNDS=N  another number of random packets
 */
#include <errno.h>
#include <inttypes.h>

#include "packet.h"
#include "pipe.h"
#include "test.h"
#include "tunnelref.h"
#include "tunnels.h"

#define SHORTEST 14 /* kernel 6.18 refuses shorter input */

static struct pipe p;
static struct tunnels tables;
static struct tunnelref ref;
static struct rng rng;

static const struct kind {
	const char *name;
	uint8_t type;
	uint16_t port;
	bool eth, ip; /* payloads that there is a tunnel for */
} kinds[] = {
	{ "ipip", TCCTL_T_IPIP, 0, false, true },	{ "gre", TCCTL_T_GRE, 0, true, true },
	{ "vxlan", TCCTL_T_VXLAN, 4789, true, false },	{ "geneve", TCCTL_T_GENEVE, 6081, true, true },
	{ "gtpu", TCCTL_T_GTPU, 2152, false, true },	{ "fou", TCCTL_T_FOU, 5555, false, true },
	{ "gue", TCCTL_T_GUE, 6080, false, true },	{ "mpls-udp", TCCTL_T_MPLS_UDP, 6635, false, true },
	{ "mpls-gre", TCCTL_T_MPLS_GRE, 0, false, true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Which of a kind's tunnels a packet is for, by its id. */
enum which { PLAIN, STRICT, GROUPS, ANYBODY, WHICH_MAX };
#define ID(which) (100U + (which))

/* Ends of all outer headers, as packet_ipv4() and packet_ipv6() have them. */
static const uint8_t remote4[16] = { 192, 0, 2, 1 }, local4[16] = { 198, 51, 100, 2 };
static const uint8_t remote6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, local6[16] = { 0x20, 1, 0xd, 0xb8, [5] = 0xf, [15] = 2 };

/* --- tables, in the programs' maps and in the model alike --- */

static void add_tunnel(uint32_t id, const struct tcctl_tunnel *row)
{
	ref.rows[id] = *row;
	test_eq(tunnels_set(&tables, id, row), 0);
}

static void add_key(const struct tcctl_decap_key *key, uint32_t value)
{
	ref.keys[ref.n_keys] = *key;
	ref.values[ref.n_keys++] = value;
	test_eq(tunnels_decap(&tables, key, value), 0);
}

static void add_source(uint32_t group, const uint8_t *addr, uint32_t bits, uint32_t id)
{
	struct tunnelref_source *s = &ref.sources[ref.n_sources++];

	*s = (struct tunnelref_source){ .group = group, .bits = bits, .id = id };
	memcpy(s->addr, addr, 16);
	test_eq(tunnels_source(&tables, group, addr, bits, id), 0);
}

static void set_unknown(uint32_t types)
{
	struct tcctl_tunnel_settings s = {
		.flags = TCCTL_TS_BOTH | TCCTL_TS_LOCAL | TCCTL_TS_REMOTE | TCCTL_TS_ANY, .unknown_types = types,
	};

	ref.unknown_types = types;
	test_eq(tunnels_settings(&tables, &s), 0);
}

/* Types without an id have one tunnel for a family, which takes everything. */
static bool has_ids(uint8_t type)
{
	return type != TCCTL_T_IPIP && type != TCCTL_T_FOU && type != TCCTL_T_GUE;
}

static void fill_tables(void)
{
	const uint32_t ip = TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6, eth = TCCTL_TF_INNER_ETH;

	for (size_t k = 0; k < KINDS; k++) {
		for (unsigned int which = 0; which < WHICH_MAX; which++) {
			uint32_t id = (uint32_t)(1 + k * WHICH_MAX + which);
			struct tcctl_tunnel row = { .type = kinds[k].type, .flags = kinds[k].ip ? ip : eth, .l4_at = 20 };

			if (kinds[k].eth && kinds[k].ip && which == GROUPS)
				row.flags = eth;
			if (which == STRICT)
				row.flags |= TCCTL_TF_CSUM_IN | TCCTL_TF_GBP | TCCTL_TF_QFI_IN;
			if (which == ANYBODY)
				row.flags = (row.flags & ~TCCTL_TF_INNER_IPV4) | TCCTL_TF_ECN_OFF;
			memset(row.dscp_of_qfi, 0xff, sizeof(row.dscp_of_qfi));
			row.dscp_of_qfi[9] = 46;
			row.dscp_of_qfi[10] = 10;
			row.header_len = 20 + 16 + 8;
			memcpy(row.header + 36, "\x01\x02\x81\x01" "abcd", 8); /* a critical option of its own */
			add_tunnel(id, &row);
			for (unsigned int v6 = 0; v6 < 2; v6++) {
				struct tcctl_decap_key key = {
					.type = kinds[k].type, .family = v6 ? 6 : 4, .port = kinds[k].port,
					.id = has_ids(kinds[k].type) ? ID(which) : 0,
					.has_id = kinds[k].type == TCCTL_T_GRE,
				};
				static const uint8_t near4[16] = { 192, 0 }, near6[16] = { 0x20, 1 };

				if (!has_ids(kinds[k].type) && which != PLAIN)
					continue;
				if (which == PLAIN || which == GROUPS)
					memcpy(key.local, v6 ? local6 : local4, 16);
				if (which == PLAIN || which == STRICT)
					memcpy(key.remote, v6 ? remote6 : remote4, 16);
				if (which != GROUPS) {
					add_key(&key, id);
					continue;
				}
				add_key(&key, TCCTL_DECAP_GROUP | (2 * id + v6));
				/* the longest prefix wins; a group knows nothing of the others */
				add_source(2 * id + v6, v6 ? near6 : near4, 16, (uint32_t)(1 + k * WHICH_MAX + PLAIN));
				add_source(2 * id + v6, v6 ? remote6 : remote4, v6 ? 64 : 24, id);
			}
		}
	}
	set_unknown(0);
}

/* --- packets --- */

static void put32(uint8_t *at, uint32_t v)
{
	packet_put16(at, (uint16_t)(v >> 16));
	packet_put16(at + 2, (uint16_t)v);
}

struct shape {
	const struct kind *kind;
	bool v6, csum;
	uint8_t tos;
	char payload; /* '4', '6', 'e' */
	uint32_t id;
	unsigned int options; /* bits: what the header has beyond the least */
};

static void add_labels(struct packet *pk, uint32_t id, unsigned int more)
{
	for (unsigned int i = 0; i <= more; i++)
		put32(packet_add(pk, NULL, 4), (i ? 77U : id) << 12 | (i == more ? 0x100U : 0) | 64);
}

static void add_header(struct packet *pk, const struct shape *s)
{
	const uint16_t ethertype = s->payload == 'e' ? 0x6558 : s->payload == '4' ? 0x800 : 0x86dd;
	uint8_t *h;
	size_t at;

	switch (s->kind->type) {
	case TCCTL_T_GRE:
	case TCCTL_T_MPLS_GRE:
		h = packet_add(pk, NULL, 4);
		h[0] = (uint8_t)((s->csum ? 0x80 : 0) | (s->kind->type == TCCTL_T_GRE ? 0x20 : 0) | (s->options & 1 ? 0x10 : 0));
		packet_put16(h + 2, s->kind->type == TCCTL_T_GRE ? ethertype : 0x8847);
		if (s->csum)
			packet_add(pk, s->options & 32 ? "\0\0\0\0" : "\x12\x34\0\0", 4);
		if (s->kind->type == TCCTL_T_GRE)
			put32(packet_add(pk, NULL, 4), s->id);
		if (s->options & 1)
			put32(packet_add(pk, NULL, 4), 99);
		if (s->kind->type == TCCTL_T_MPLS_GRE)
			add_labels(pk, s->id, s->options >> 1 & 3);
		break;
	case TCCTL_T_VXLAN:
		h = packet_add(pk, NULL, 8);
		h[0] = (uint8_t)(s->id == ID(STRICT) && s->options & 1 ? 0x88 : 8);
		if (h[0] & 0x80)
			packet_put16(h + 2, 0xbeef);
		put32(h + 4, s->id << 8);
		break;
	case TCCTL_T_GENEVE:
		h = packet_add(pk, NULL, 8);
		at = pk->len;
		packet_put16(h + 2, ethertype);
		put32(h + 4, s->id << 8);
		if (s->options & 1) { /* critical, and the tunnel's own */
			packet_add(pk, "\x01\x02\x81\x01" "wxyz", 8);
			h[1] |= 0x40;
		}
		if (s->options & 2)
			packet_add(pk, "\x01\x03\x05\x02" "01234567", 12);
		if (s->options & 4) { /* critical, and unknown */
			packet_add(pk, "\xff\xff\xff\0", 4);
			h[1] |= 0x40;
		}
		h[0] = (uint8_t)((pk->len - at) / 4);
		break;
	case TCCTL_T_GTPU:
		h = packet_add(pk, NULL, 8);
		h[0] = (uint8_t)(0x30 | (s->options & 7));
		h[1] = 255;
		put32(h + 4, s->id);
		if (s->options & 7)
			packet_add(pk, s->options & 4 ? s->options & 8 ? "\0\1\2\x20" : "\0\1\2\x85" : "\0\1\2\0", 4);
		if (s->options & 4 && s->options & 8)
			packet_add(pk, "\1\0\0\x85", 4); /* a header that need not be understood comes first */
		if (s->options & 4)
			packet_add(pk, s->options & 16 ? "\1\x10\x4a\xc0\1\0\0\0" : "\1\x10\x49\0", s->options & 16 ? 8 : 4);
		break;
	case TCCTL_T_GUE:
		if (s->options & 1)
			break;
		h = packet_add(pk, NULL, 4);
		h[1] = s->payload == '4' ? 4 : 41;
		break;
	case TCCTL_T_MPLS_UDP:
		add_labels(pk, s->id, s->options & 3);
		break;
	default:
		break;
	}
}

/* The sum of a UDP packet's pseudo header: what is in place of a checksum that a device is to compute. */
static uint16_t pseudo_sum(const struct packet *pk, size_t ip, size_t l4, bool v6)
{
	const uint8_t more[4] = { 0, 17, (uint8_t)((pk->len - l4) >> 8), (uint8_t)(pk->len - l4) };
	uint32_t sum = packet_sum(more, 4, 0);

	return (uint16_t)packet_sum(pk->data + ip + (v6 ? 8 : 12), v6 ? 32 : 8, sum);
}

/* `pk` becomes `inner` in an encapsulation. */
static void encapsulate(struct packet *pk, const struct packet *inner, const struct shape *s)
{
	const size_t inner_at = s->payload == 'e' ? 0 : 14, inner_len = inner->len - inner_at;
	uint8_t proto = s->kind->port ? 17 : s->kind->type != TCCTL_T_IPIP ? 47 : s->payload == '4' ? 4 : 41;
	size_t ip, l4, header;

	packet_init(pk);
	packet_eth(pk, s->v6 ? 0x86dd : 0x800);
	ip = pk->len;
	if (s->v6)
		packet_ipv6(pk, proto, s->tos);
	else
		packet_ipv4(pk, proto, s->tos, s->options & 64 ? 8 : 0);
	l4 = pk->len;
	if (s->kind->port)
		packet_udp(pk, 50000, s->kind->port);
	header = pk->len;
	add_header(pk, s);
	packet_add(pk, inner->data + inner_at, inner_len);
	if (s->kind->type == TCCTL_T_GTPU)
		packet_put16(pk->data + header + 2, (uint16_t)(pk->len - header - 8));
	if (s->kind->port) {
		packet_put16(pk->data + l4 + 4, (uint16_t)(pk->len - l4));
		packet_put16(pk->data + l4 + 6, s->csum ? 0x4321 : 0); /* not verified: see gre.bpf.c */
		if (s->csum && s->options & 32)
			packet_put16(pk->data + l4 + 6, pseudo_sum(pk, ip, l4, s->v6));
	}
	if (s->v6) {
		packet_put16(pk->data + ip + 4, (uint16_t)(pk->len - ip - 40));
	} else {
		packet_put16(pk->data + ip + 2, (uint16_t)(pk->len - ip));
		packet_put16(pk->data + ip + 10, (uint16_t)~packet_sum(pk->data + ip, (size_t)(pk->data[ip] & 15) * 4, 0));
	}
}

static void make_inner(struct packet *pk, char payload, uint8_t tos, size_t len, bool tag)
{
	packet_init(pk);
	packet_eth(pk, tag ? 0x8100 : payload == '6' ? 0x86dd : payload == 'a' ? 0x806 : 0x800);
	if (tag)
		packet_vlan(pk, 0x6123, payload == '6' ? 0x86dd : 0x800);
	if (payload == '6')
		packet_ipv6(pk, 17, tos);
	else if (payload != 'a')
		packet_ipv4(pk, 6, tos, 0);
	if (payload == '6')
		packet_udp(pk, 1000, 53);
	else if (payload != 'a')
		packet_tcp(pk, 443, 1000, 0x10);
	packet_payload(pk, len);
	if (payload != 'a')
		packet_finish(pk);
}

/* --- one packet through both --- */

/* Counters are compared once in a while: reading them takes longer than running packets. */
static struct {
	uint64_t counted[TUNNELS_MAX][TCCTL_TUN_MAX], rx_bytes[TUNNELS_MAX], reasons[TCCTL_R_MAX];
	unsigned int packets;
} sums;

static void check_counters(void)
{
	for (uint32_t id = 1; id < 1 + KINDS * WHICH_MAX; id++)
		for (uint32_t c = 0; c < TCCTL_TUN_MAX; c++) {
			struct tcctl_counter got = tunnels_counter(&tables, id, c);

			test_checks++;
			if (got.packets != sums.counted[id][c])
				test_fail("tunnel %u counter %u: %" PRIu64 ", expected %" PRIu64, id, c, (uint64_t)got.packets,
					  sums.counted[id][c]);
			if (c == TCCTL_TUN_RX && got.bytes != sums.rx_bytes[id])
				test_fail("tunnel %u: %" PRIu64 " bytes, expected %" PRIu64, id, (uint64_t)got.bytes, sums.rx_bytes[id]);
		}
	for (uint32_t i = TCCTL_R_TUNNEL_UNKNOWN; i <= TCCTL_R_TUNNEL_BAD; i++)
		test_eq(pipe_counter(&p, TCCTL_CNT_REASON + i).packets, sums.reasons[i]);
	memset(&sums, 0, sizeof(sums));
	pipe_counters_zero(&p);
}

static void sum_up(const struct tunnelref_result *want)
{
	for (uint32_t id = 0; id < TUNNELS_MAX; id++) {
		for (uint32_t c = 0; c < TCCTL_TUN_MAX; c++)
			sums.counted[id][c] += want->counted[id][c];
		sums.rx_bytes[id] += want->rx_bytes[id];
	}
	for (uint32_t i = 0; i < TCCTL_R_MAX; i++)
		sums.reasons[i] += want->reasons[i];
	if (++sums.packets == 4096)
		check_counters();
}

/* Dropped; left alone; decapsulated once, twice, three times. */
static uint64_t outcomes[5];

static void check(const uint8_t *in, size_t len)
{
	static uint8_t out[TUNNELREF_MAX];
	static struct tunnelref_result want;
	struct pipe_run r = { .in = in, .in_len = len, .out = out, .out_cap = sizeof(out) };
	unsigned int failed = test_failed;
	int err;

	r.skb.mark = 0x12345678;
	tunnelref_decap(&ref, in, len, r.skb.mark, &want);
	err = pipe_test(pipe_prog(&p, "root"), &r);
	if (err == -EINVAL && len < 54) /* newer kernels refuse some short IP input outright */
		return;
	if (!test_eq(err, 0))
		return;
	outcomes[want.what == TUNNELREF_DROPPED ? 0 : 1 + (want.cb[4] >> 29)]++;
	sum_up(&want);
	if (test_eq(r.verdict, want.what == TUNNELREF_STAGED ? PIPE_PROBED : want.what == TUNNELREF_PASSED ? -1 : 2) &&
	    want.what != TUNNELREF_DROPPED) {
		test_eq(r.skb.mark, want.mark);
		if (test_eq(r.out_len, want.out_len) && memcmp(out, want.out, want.out_len)) {
			size_t i = 0;

			while (out[i] == want.out[i])
				i++;
			test_fail("byte %zu is %02x, expected %02x", i, out[i], want.out[i]);
		}
		for (int i = 1; i < 5; i++)
			test_eq(r.skb.cb[i], want.cb[i]);
	}
	if (test_failed != failed) {
		printf("# packet of %zu bytes:", len);
		for (size_t i = 0; i < len; i++)
			printf(" %02x", in[i]);
		printf("\n");
	}
}

static bool carries(const struct kind *k, char payload)
{
	return payload == 'e' ? k->eth : k->ip;
}

static uint32_t id_of(const struct kind *k, char payload)
{
	return ID(k->eth && k->ip && payload == 'e' ? GROUPS : PLAIN);
}

/* Every kind, outer and inner family; all ECN and checksums; then cut short, lengths of the packet left as they were or not. */
static void valid(void)
{
	static struct packet inner, pk;
	static char name[96];

	for (size_t k = 0; k < KINDS; k++) {
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			for (const char *payload = "46e"; *payload; payload++) {
				struct shape s = { &kinds[k], v6, false, 0, *payload, id_of(&kinds[k], *payload), 0 };

				if (!carries(&kinds[k], *payload))
					continue;
				snprintf(name, sizeof(name), "%s over IPv%d, %c inside", kinds[k].name, v6 ? 6 : 4, *payload);
				test_case(name);
				for (unsigned int ecn = 0; ecn < 16; ecn++) {
					s.tos = (uint8_t)(0xb8 | ecn / 4);
					s.csum = ecn & 1;
					s.options = ecn & 2 ? 32 : 0; /* to be computed later, as the kernel leaves it */
					make_inner(&inner, *payload, (uint8_t)(0x28 | ecn % 4), 30, false);
					encapsulate(&pk, &inner, &s);
					check(pk.data, pk.len);
				}
				{
					struct tunnelref_result *want = calloc(1, sizeof(*want));

					/* it would prove nothing if the model left everything alone */
					s.tos = 0;
					s.options = 0;
					encapsulate(&pk, &inner, &s);
					tunnelref_decap(&ref, pk.data, pk.len, 0, want);
					test_eq(want->cb[4] >> 29, 1);
					test_eq(want->out_len, inner.len);
					free(want);
				}
				for (size_t len = SHORTEST; len <= pk.len; len++)
					check(pk.data, len);
				for (size_t len = pk.len; len > 14 + (v6 ? 40U : 20U); len--) {
					/* cut short, and the outer IP header says so */
					packet_put16(pk.data + (v6 ? 18 : 16), (uint16_t)(len - (v6 ? 54 : 14)));
					check(pk.data, len);
					if (kinds[k].port && len > (v6 ? 62U : 42U)) {
						packet_put16(pk.data + (v6 ? 58 : 38), (uint16_t)(len - (v6 ? 54 : 34)));
						check(pk.data, len);
					}
				}
				check_counters();
			}
		}
	}
}

/* Every value of every byte of the headers, one at a time. */
static void one_byte(void)
{
	static struct packet inner, pk;
	static char name[64];

	for (size_t k = 0; k < KINDS; k++) {
		char payload = kinds[k].ip ? '4' : 'e';
		struct shape s = { &kinds[k], k & 1, true, 2, payload, ID(STRICT), 5 };
		size_t from = 14, to;

		if (!has_ids(kinds[k].type))
			s.id = ID(PLAIN);
		snprintf(name, sizeof(name), "%s: every value of every header byte", kinds[k].name);
		test_case(name);
		make_inner(&inner, '4', 1, 8, false);
		encapsulate(&pk, &inner, &s);
		to = pk.len - (payload == 'e' ? inner.len - 14 : inner.len - 14) + 2;
		for (size_t at = from; at < to; at++) {
			uint8_t old = pk.data[at];

			for (unsigned int v = 0; v < 256; v += at < (k & 1 ? 54U : 34U) ? 5 : 1) {
				pk.data[at] = (uint8_t)v;
				check(pk.data, pk.len);
			}
			pk.data[at] = old;
		}
		check_counters();
	}
}

static void random_shape(struct shape *s, char payload)
{
	do
		s->kind = &kinds[rng_below(&rng, KINDS)];
	while (!carries(s->kind, payload) && rng_below(&rng, 20));
	s->v6 = rng_below(&rng, 2);
	s->csum = rng_below(&rng, 2);
	s->tos = (uint8_t)rng_next(&rng);
	s->payload = payload;
	s->id = rng_below(&rng, 8) ? ID(rng_below(&rng, WHICH_MAX)) : rng_next(&rng) & 0xfffff;
	if (rng_below(&rng, 2))
		s->id = id_of(s->kind, payload);
	s->options = rng_next(&rng) & 127;
}

/* Nested up to five deep, from peers known and unknown, whole and damaged. */
static void random_packets(void)
{
	const char *rounds = getenv("TCCTL_ROUNDS"), *seed = getenv("TCCTL_SEED");
	const long n_packets = rounds ? strtol(rounds, NULL, 0) : 20000;
	static struct packet a, b;

	rng.state = seed ? strtoull(seed, NULL, 0) : 20261121;
	printf("# seed %" PRIu64 "\n", rng.state);
	memset(outcomes, 0, sizeof(outcomes));
	test_case("random packets, nested and damaged");
	for (long n = n_packets; n > 0 && test_failed < 20; n--) {
		char payload = "46a"[rng_below(&rng, 3)];
		unsigned int depth = 1 + rng_below(&rng, rng_below(&rng, 4) ? 2 : 5);

		make_inner(&a, payload, (uint8_t)rng_next(&rng), rng_below(&rng, 60), payload != 'a' && !rng_below(&rng, 5));
		if (a.data[12] == 0x81 || payload == 'a')
			payload = 'e';
		for (; depth; depth--) {
			struct shape s;

			random_shape(&s, rng_below(&rng, 3) ? payload : 'e');
			encapsulate(&b, &a, &s);
			if (!rng_below(&rng, 6)) { /* somebody else, or a neighbour in the group's smaller prefix */
				b.data[(s.v6 ? 22 : 26) + rng_below(&rng, s.v6 ? 16 : 4)] ^= (uint8_t)(1 << rng_below(&rng, 8));
				if (!s.v6) {
					packet_put16(b.data + 24, 0);
					packet_put16(b.data + 24, (uint16_t)~packet_sum(b.data + 14, (size_t)(b.data[14] & 15) * 4, 0));
				}
			}
			a = b;
			payload = s.v6 ? '6' : '4';
		}
		if (!rng_below(&rng, 4)) /* padding behind the IP packet */
			packet_add(&a, NULL, rng_below(&rng, 20));
		for (unsigned int i = rng_below(&rng, 2) ? rng_below(&rng, 4) : 0; i; i--)
			a.data[12 + rng_below(&rng, (uint32_t)a.len - 12)] = (uint8_t)rng_next(&rng);
		set_unknown(rng_below(&rng, 8) ? 0 : rng_next(&rng));
		check(a.data, rng_below(&rng, 6) ? a.len : SHORTEST + rng_below(&rng, (uint32_t)a.len - SHORTEST + 1));
	}
	check_counters();
	set_unknown(0);
	printf("# dropped %" PRIu64 ", left %" PRIu64 ", decapsulated once %" PRIu64 ", twice %" PRIu64 ", three times %" PRIu64 "\n",
	       outcomes[0], outcomes[1], outcomes[2], outcomes[3], outcomes[4]);
	for (size_t i = 0; i < 5; i++) /* or the generator makes too little of something */
		test_ok(outcomes[i] > (uint64_t)n_packets / 200);
}

/* A packet of one kind from a known or an unknown peer, made the first fragment of a longer one. */
static void first_fragment(struct packet *pk, const struct kind *k, bool v6, bool known)
{
	static struct packet inner;
	struct shape s = { k, v6, false, 0, k->ip ? '4' : 'e', ID(PLAIN), 0 };
	const char payload = s.payload;

	make_inner(&inner, '4', 0, 40, false);
	s.id = id_of(k, payload);
	encapsulate(pk, &inner, &s);
	if (!known)
		pk->data[v6 ? 14 + 8 : 14 + 12] ^= 0x40;
	if (!v6) {
		packet_put16(pk->data + 20, 0x2000);
		packet_put16(pk->data + 24, 0);
		packet_put16(pk->data + 24, (uint16_t)~packet_sum(pk->data + 14, 20, 0));
		return;
	}
	packet_add(pk, NULL, 8);
	memmove(pk->data + 62, pk->data + 54, pk->len - 62);
	memcpy(pk->data + 54, (uint8_t[8]){ pk->data[20], 0, 0, 1, 0, 0, 0, 7 }, 8);
	pk->data[20] = 44;
	packet_put16(pk->data + 18, (uint16_t)(pk->len - 54));
}

static bool is_gre(const struct kind *k)
{
	return k->type == TCCTL_T_GRE || k->type == TCCTL_T_MPLS_GRE;
}

/* One fragment, with strangers of some types dropped. What becomes of it is the model's, and that of the fixed cases here. */
static void fragment(const struct packet *pk, size_t len, uint32_t unknown, bool dropped)
{
	const uint64_t before = outcomes[0];

	set_unknown(unknown);
	check(pk->data, len);
	test_eq(outcomes[0] - before, dropped);
}

static void fragments(void)
{
	static struct packet pk;
	static char name[96];

	for (size_t k = 0; k < KINDS; k++)
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			const uint32_t type = 1U << kinds[k].type, gre = 1U << TCCTL_T_GRE | 1U << TCCTL_T_MPLS_GRE;
			const uint32_t other = ~(is_gre(&kinds[k]) ? gre : type);
			const size_t head = v6 ? 62 : 34;

			snprintf(name, sizeof(name), "%s over IPv%d: first fragments of known peers are left to the stack", kinds[k].name,
				 v6 ? 6 : 4);
			test_case(name);
			first_fragment(&pk, &kinds[k], v6, true);
			for (unsigned int i = 0; i < 3; i++) {
				const uint64_t before = sums.reasons[TCCTL_R_TUNNEL_FRAGMENT];

				fragment(&pk, pk.len, (uint32_t[]){ 0, type, ~0U }[i], false);
				test_eq(sums.reasons[TCCTL_R_TUNNEL_FRAGMENT], before + 1);
			}
			snprintf(name, sizeof(name), "%s over IPv%d: those of strangers where these are", kinds[k].name, v6 ? 6 : 4);
			test_case(name);
			first_fragment(&pk, &kinds[k], v6, false);
			fragment(&pk, pk.len, 0, false);
			fragment(&pk, pk.len, type, true);
			fragment(&pk, pk.len, other, false);
			/* no more than the stack takes for a fragment; padding is no part of it */
			packet_put16(pk.data + (v6 ? 18 : 16), (uint16_t)(v6 ? 16 : 28));
			fragment(&pk, head + 8, type, true);
			fragment(&pk, head + 40, type, true);
			fragment(&pk, head + 8, other, false);
			for (unsigned int known = 0; known < 2; known++)
				for (unsigned int unknown = 0; unknown < 2; unknown++) {
					first_fragment(&pk, &kinds[k], v6, known);
					set_unknown(unknown ? type : 0);
					for (size_t len = pk.len; len > head; len--) {
						packet_put16(pk.data + (v6 ? 18 : 16), (uint16_t)(len - (v6 ? 54 : 14)));
						check(pk.data, len);
						check(pk.data, pk.len);
					}
				}
			first_fragment(&pk, &kinds[k], v6, false);
			packet_put16(pk.data + (v6 ? 56 : 20), 0x0018); /* a later one */
			fragment(&pk, pk.len, ~0U, false);
		}
	set_unknown(0);
	check_counters();
}

/* So many extension headers that nobody looks behind them. */
static void hidden(void)
{
	static struct packet inner, pk;
	struct shape s = { &kinds[1], true, false, 0, '4', ID(PLAIN), 0 };

	test_case("IPv6 with more extension headers than are looked at, strangers dropped or not");
	make_inner(&inner, '4', 0, 40, false);
	for (unsigned int n = 0; n < 12; n++) {
		encapsulate(&pk, &inner, &s);
		packet_add(&pk, NULL, n * 8UL);
		memmove(pk.data + 54 + n * 8UL, pk.data + 54, pk.len - 54 - n * 8UL);
		for (unsigned int i = 0; i < n; i++)
			memcpy(pk.data + 54 + i * 8UL, (uint8_t[8]){ i + 1 < n ? 60 : pk.data[20], 0, 1, 4 }, 8);
		if (n)
			pk.data[20] = 60;
		packet_put16(pk.data + 18, (uint16_t)(pk.len - 54));
		fragment(&pk, pk.len, 0, false);
		fragment(&pk, pk.len, 1U << TCCTL_T_VXLAN, n > 8);
	}
	set_unknown(0);
	check_counters();
}

int main(void)
{
	struct tcctl_cfg cfg = { .decap = ~0U };

	test_case("pipeline with tunnels loads");
	if (!test_eq(pipe_open(&p, &cfg, PIPE_DECAP, "entry_eth"), 0) || !test_eq(tunnels_open(&tables, &p, 0), 0))
		return test_done();
	pipe_graft(&p, "jt_stage", TCCTL_STAGE_DECAP, p.probe);
	fill_tables();
	check_counters();
	valid();
	fragments();
	hidden();
	one_byte();
	random_packets();
	tunnels_close(&tables);
	pipe_close(&p);
	return test_done();
}
