// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dispatcher against a reference model in plain C: hand-written packets, each cut short at every length, then
 * mutated at random. Context, counters, verdict and bytes must agree, and nothing is ever dropped.
 *
 *   TCCTL_SEED=N  another seed (printed)     TCCTL_ROUNDS=N  another number of mutations
 */
#include <errno.h>
#include <inttypes.h>

#include "packet.h"
#include "pipe.h"
#include "refparse.h"
#include "test.h"

/* From here on kernel 6.18 refuses shorter input. */
#define SHORTEST 14
#define SEEDS_MAX 128

static struct pipe pipe_eth, pipe_l3;
static struct packet seeds[SEEDS_MAX];
static char seed_names[SEEDS_MAX][48];
static size_t n_seeds;
static uint64_t expected[TCCTL_CNT_FIXED_MAX];

static struct packet *seed(const char *name)
{
	struct packet *p = &seeds[n_seeds];

	if (n_seeds == SEEDS_MAX)
		abort();
	snprintf(seed_names[n_seeds++], sizeof(seed_names[0]), "%s", name);
	packet_init(p);
	return p;
}

static void seed_upper(struct packet *p, unsigned int what)
{
	static const uint16_t ports[] = { 53, 4789, 6081, 2152, 6635, 5555, 6080, 9999 };

	if (what < 8)
		packet_udp(p, 40000, ports[what]);
	else if (what == 8)
		packet_tcp(p, 443, 50000, 0x12);
	else
		packet_icmp(p, p->data[p->ip] >> 4 == 6 ? 58 : 1, 8, 0);
	packet_payload(p, 20);
	packet_finish(p);
}

static uint8_t upper_proto(unsigned int what, int v6)
{
	return what < 8 ? 17 : what == 8 ? 6 : v6 ? 58 : 1;
}

static void make_seeds(void)
{
	static const uint8_t protos[] = { 0, 1, 2, 4, 41, 47, 50, 51, 58, 59, 132, 136, 255 };
	struct packet *p;

	for (unsigned int what = 0; what < 10; what++) {
		p = seed("ipv4");
		packet_eth(p, 0x800);
		packet_ipv4(p, upper_proto(what, 0), 0, 0);
		seed_upper(p, what);
		p = seed("ipv6");
		packet_eth(p, 0x86dd);
		packet_ipv6(p, upper_proto(what, 1), 0);
		seed_upper(p, what);
	}
	for (size_t i = 0; i < sizeof(protos); i++) {
		p = seed("ipv4 protocol");
		packet_eth(p, 0x800);
		packet_ipv4(p, protos[i], 0xb8, 0);
		packet_payload(p, 48);
		packet_finish(p);
		if (protos[i] == 0)
			continue;
		p = seed("ipv6 next header");
		packet_eth(p, 0x86dd);
		packet_ipv6(p, protos[i], 0xb8);
		packet_payload(p, 48);
		packet_finish(p);
	}
	for (unsigned int tags = 1; tags <= 6; tags++) {
		static const uint16_t kinds[] = { 0x88a8, 0x8100, 0x9100 };

		p = seed("vlan");
		packet_eth(p, tags == 1 ? 0x8100 : 0x88a8);
		for (unsigned int i = 1; i <= tags; i++)
			packet_vlan(p, (uint16_t)(0x6000 | (100 + i)), i == tags ? 0x800 : kinds[i % 3]);
		packet_ipv4(p, 17, 0, 0);
		seed_upper(p, 0);
	}
	for (unsigned int options = 4; options <= 40; options += 12) {
		p = seed("ipv4 options");
		packet_eth(p, 0x800);
		packet_ipv4(p, 6, 0, options);
		seed_upper(p, 8);
	}
	for (unsigned int f = 0; f < 4; f++) {
		static const uint16_t words[] = { 0x4000, 0x2000, 0x2001, 0x00b9 };

		p = seed("ipv4 fragment");
		packet_eth(p, 0x800);
		packet_put16(packet_ipv4(p, 17, 0, 0) + 6, words[f]);
		seed_upper(p, 0);
		p = seed("ipv6 fragment");
		packet_eth(p, 0x86dd);
		packet_ipv6(p, 44, 0);
		packet_frag6(p, 17, f < 2 ? 0 : f * 10, f & 1);
		seed_upper(p, 0);
		p = seed("ipv6 fragment between others");
		packet_eth(p, 0x86dd);
		packet_ipv6(p, 0, 0);
		packet_ext(p, 44, 0);
		packet_frag6(p, 60, f < 2 ? 0 : f * 10, f & 1);
		packet_ext(p, 6, 2);
		seed_upper(p, 8);
	}
	for (unsigned int n = 1; n <= 10; n++) {
		static const uint8_t kinds[] = { 0, 43, 60, 51 };

		p = seed("ipv6 extension headers");
		packet_eth(p, 0x86dd);
		packet_ipv6(p, kinds[0], 0);
		for (unsigned int i = 1; i <= n; i++) {
			uint8_t next = i == n ? 17 : kinds[i % 4];

			if (kinds[(i - 1) % 4] == 51)
				packet_ah(p, next, 4);
			else
				packet_ext(p, next, i % 3);
		}
		seed_upper(p, 0);
	}
	p = seed("ipv6 long extension header");
	packet_eth(p, 0x86dd);
	packet_ipv6(p, 60, 0);
	packet_ext(p, 17, 100);
	seed_upper(p, 0);
	p = seed("ipv6 jumbogram");
	packet_eth(p, 0x86dd);
	packet_ipv6(p, 0, 0);
	packet_ext(p, 17, 0);
	seed_upper(p, 0);
	packet_put16(p->data + 14 + 4, 0);
	p = seed("ethernet padding");
	packet_eth(p, 0x800);
	packet_ipv4(p, 17, 0, 0);
	seed_upper(p, 0);
	packet_add(p, NULL, 16);
	p = seed("udp header cut by the ip length, padded");
	packet_eth(p, 0x800);
	packet_ipv4(p, 17, 0, 0);
	packet_payload(p, 4);
	packet_finish(p);
	packet_add(p, NULL, 22);
	p = seed("arp");
	packet_eth(p, 0x806);
	packet_payload(p, 28);
	p = seed("lldp");
	packet_eth(p, 0x88cc);
	packet_payload(p, 40);
	p = seed("802.3 length");
	packet_eth(p, 38);
	packet_payload(p, 38);
	for (unsigned int labels = 1; labels <= 17; labels += 4) {
		p = seed("mpls");
		packet_eth(p, labels & 4 ? 0x8847 : 0x8848);
		for (unsigned int i = 1; i <= labels; i++)
			packet_add(p, (uint8_t[]){ 0, 1, (uint8_t)(i == labels), 64 }, 4);
		packet_payload(p, 40);
	}
	for (unsigned int kind = 0; kind < 4; kind++) {
		static const uint16_t ppp[] = { 0x21, 0x57, 0xc021, 0x21 };
		uint8_t *h;

		p = seed("pppoe");
		packet_eth(p, 0x8864);
		h = packet_add(p, NULL, 8);
		h[0] = 0x11;
		h[1] = kind == 3;
		packet_put16(h + 6, ppp[kind]);
		if (kind == 1)
			packet_ipv6(p, 17, 0);
		else
			packet_ipv4(p, 17, 0, 0);
		seed_upper(p, 0);
	}
}

static void dump(const uint8_t *data, size_t len)
{
	printf("#   packet:");
	for (size_t i = 0; i < len && i < 160; i++)
		printf(" %02x", data[i]);
	printf("\n");
}

/* One packet through both; false when they disagree. */
static bool same(const struct pipe *pipe, bool l2, const uint8_t *data, size_t len)
{
	uint32_t guard = TCCTL_CB_MAGIC << 24;
	struct ref_result want;
	struct pipe_run r = { .in = data, .in_len = len };
	static uint8_t out[PACKET_MAX];
	int err;

	r.out = out;
	r.out_cap = sizeof(out);
	ref_parse(data, len, l2, packet_get16(data + 12), &want);
	err = pipe_test(pipe_prog(pipe, "root"), &r);
	if (err == -EINVAL && len < 54) /* newer kernels refuse some short IP input outright */
		return true;
	if (err) {
		test_fail("test run: %s", strerror(-err));
		return false;
	}
	for (int i = 0; i < TCCTL_CNT_HOOK; i++)
		expected[i] += want.counted[i];
	if (!want.staged) {
		want.cb[0] = 0;
		guard = 0;
	}
	want.cb[0] = guard;
	if (r.verdict != (want.staged ? PIPE_PROBED : -1) || memcmp(r.skb.cb, want.cb, sizeof(want.cb)) ||
	    r.out_len != len || memcmp(out, data, len)) {
		test_fail("verdict %d, expected %d; cb %08x %08x %08x %08x %08x, expected %08x %08x %08x %08x %08x",
			  r.verdict, want.staged ? PIPE_PROBED : -1, r.skb.cb[0], r.skb.cb[1], r.skb.cb[2],
			  r.skb.cb[3], r.skb.cb[4], want.cb[0], want.cb[1], want.cb[2], want.cb[3], want.cb[4]);
		dump(data, len);
		return false;
	}
	return true;
}

static void counters_agree(const struct pipe *pipe)
{
	static struct tcctl_counter got[TCCTL_CNT_FIXED_MAX];

	pipe_counters(pipe, got);
	for (int i = 0; i < TCCTL_CNT_HOOK; i++)
		if (got[i].packets != expected[i] || got[i].segments != expected[i])
			test_fail("fixed counter %d is %" PRIu64 ", expected %" PRIu64, i, (uint64_t)got[i].packets,
				  expected[i]);
	pipe_counters_zero(pipe);
	memset(expected, 0, sizeof(expected));
}

static void mutate(struct rng *rng, struct packet *p)
{
	unsigned int n = 1 + rng_below(rng, 4);

	while (n--) {
		/* mostly in the headers, where it matters */
		size_t at = rng_below(rng, (uint32_t)(rng_below(rng, 4) ? (p->len < 80 ? p->len : 80) : p->len));

		switch (rng_below(rng, 4)) {
		case 0:
			p->data[at] ^= (uint8_t)(1U << rng_below(rng, 8));
			break;
		case 1:
			p->data[at] = (uint8_t)rng_next(rng);
			break;
		case 2: { /* values that mean something */
			static const uint8_t magic[] = { 0, 1, 4, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 0x45, 0x46,
							 0x60, 0x81, 0x88, 0xff };

			p->data[at] = magic[rng_below(rng, sizeof(magic))];
			break;
		}
		default:
			if (p->len > SHORTEST)
				p->len -= rng_below(rng, (uint32_t)(p->len - SHORTEST) + 1);
		}
	}
}

int main(void)
{
	const char *s = getenv("TCCTL_SEED"), *r = getenv("TCCTL_ROUNDS");
	struct rng rng = { s ? strtoull(s, NULL, 0) : 20240601 };
	unsigned long rounds = r ? strtoul(r, NULL, 0) : 100000;
	static struct packet m;

	test_case("pipelines load");
	if (!test_eq(pipe_open(&pipe_eth, NULL, 0, "entry_eth"), 0) || !test_eq(pipe_open(&pipe_l3, NULL, 0, "entry_l3"), 0))
		return test_done();
	make_seeds();

	test_case("hand-written packets");
	for (size_t i = 0; i < n_seeds; i++)
		if (!same(&pipe_eth, true, seeds[i].data, seeds[i].len))
			printf("#   seed %zu: %s\n", i, seed_names[i]);
	counters_agree(&pipe_eth);

	test_case("each cut short at every length");
	for (size_t i = 0; i < n_seeds; i++)
		for (size_t len = SHORTEST; len < seeds[i].len; len++)
			if (!same(&pipe_eth, true, seeds[i].data, len))
				printf("#   seed %zu: %s, %zu of %zu bytes\n", i, seed_names[i], len, seeds[i].len);
	counters_agree(&pipe_eth);

	printf("# seed %" PRIu64 ", %lu mutations\n", rng.state, rounds);
	test_case("random mutations");
	for (unsigned long n = 0; n < rounds; n++) {
		m = seeds[rng_below(&rng, (uint32_t)n_seeds)];
		mutate(&rng, &m);
		if (!same(&pipe_eth, true, m.data, m.len)) {
			printf("#   mutation %lu\n", n);
			break;
		}
	}
	counters_agree(&pipe_eth);

	/* The kernel takes bytes 12 and 13 of the input for the EtherType; without an L2 header they are address bytes.
	 * Setting them to a known EtherType makes the stack say that type, over an L3 packet. */
	test_case("no L2 header: cut short and mutated");
	for (unsigned long n = 0; n < rounds / 4; n++) {
		struct packet *from = &seeds[rng_below(&rng, (uint32_t)n_seeds)];
		static const uint16_t types[] = { 0x800, 0x86dd, 0x806, 0x8847, 0x8864 };

		packet_init(&m);
		packet_add(&m, from->data + 14, from->len - 14);
		if (m.len < SHORTEST)
			continue;
		if (rng_below(&rng, 3) == 0)
			mutate(&rng, &m);
		if (rng_below(&rng, 4) == 0)
			packet_put16(m.data + 12, types[rng_below(&rng, 5)]);
		else
			packet_put16(m.data + 12, packet_get16(from->data + 12));
		if (!same(&pipe_l3, false, m.data, m.len)) {
			printf("#   mutation %lu\n", n);
			break;
		}
	}
	counters_agree(&pipe_l3);

	pipe_close(&pipe_eth);
	pipe_close(&pipe_l3);
	return test_done();
}
