/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The classify program in the kernel against the linear model: made packets through BPF_PROG_TEST_RUN, every one
 * twice, so that the flow cache answers the second time.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "classifier.h"
#include "diag.h"
#include "rulegen.h"
#include "tcctl/abi.h"
#include "test.h"

static struct classifier c;

static uint32_t *ids_make(size_t n)
{
	uint32_t *ids = calloc(n + 1, sizeof(*ids));

	for (size_t i = 0; ids && i < n; i++)
		ids[i] = TCCTL_CHUNK_RULES * TCCTL_CHUNK + (uint32_t)i;
	return ids;
}

/* Compile and put into half `generation`. */
static bool load(const struct spec *spec, unsigned int generation)
{
	struct tcctl_diags *d = diags_new();
	uint32_t *ids = ids_make(spec->rulesets[0].n_rules);
	struct rules_arena arena = {};
	bool ok = test_eq(rules_compile(spec, &spec->rulesets[0], ids, NULL, d, &arena, NULL), 0) &&
		  test_eq(classifier_set(&c, generation, &arena), 0) &&
		  test_eq(classifier_counters(&c, TCCTL_CHUNK_RULES * TCCTL_CHUNK + (uint32_t)spec->rulesets[0].n_rules), 0);

	for (size_t i = 0; i < d->n; i++)
		printf("# %s\n", d->items[i].message);
	rules_arena_done(&arena);
	free(ids);
	diags_free(d);
	return ok;
}

/* The class the program should leave, -1: dropped. */
static int expected(const struct spec *spec, const struct rules_packet *p)
{
	int rule = rules_match_linear(spec, &spec->rulesets[0], p), class;

	if (rule < 0)
		return TCCTL_CLASS_KEEP;
	class = spec->rulesets[0].rules[rule].class;
	return class == TCCTL_CLASS_DROP ? -1 : class;
}

static bool check(const struct spec *spec, const struct rules_packet *p, uint32_t id, unsigned int generation,
		  const char *what)
{
	struct classifier_packet bytes;
	int got = -2, want = expected(spec, p);
	char buf[400];

	classifier_packet_make(p, id, generation, id & 1, &bytes);
	for (unsigned int time = 0; time < 2; time++) {
		if (!test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0))
			return false;
		test_checks++;
		if (got == want)
			continue;
		rulegen_packet_print(p, buf, sizeof(buf));
		test_fail("%s, time %u: class %d, expected %d: %s", what, time, got, want, buf);
		return false;
	}
	return true;
}

static void differential(enum rulegen_mix mix, enum rulegen_keys keys, size_t n_rules, size_t n_packets, uint64_t seed)
{
	struct rulegen_options o = { .mix = mix, .keys = keys, .n_rules = n_rules, .v6_percent = 30, .seed = seed };
	struct spec *spec = rulegen_make(&o);
	uint64_t state = seed + 1000;
	static char name[100];
	char what[40];

	test_end();
	snprintf(name, sizeof(name), "%s mix, %zu rules, keys %d, %zu packets, seed %llu", rulegen_mix_names[mix], n_rules,
		 keys, n_packets, (unsigned long long)seed);
	test_case(name);
	if (load(spec, 0)) {
		for (size_t i = 0; i < n_packets; i++) {
			struct rules_packet p;

			if (i % 4)
				rulegen_packet_near(&state, spec, &spec->rulesets[0], &p);
			else
				rulegen_packet_uniform(&state, &p);
			snprintf(what, sizeof(what), "packet %zu", i);
			if (!check(spec, &p, (uint32_t)i, 0, what))
				break;
		}
	}
	rulegen_free(spec);
}

/* Two arenas in turn, as an update switches them: each packet is judged by the one its generation names. */
static void test_swap(void)
{
	struct rulegen_options a = { .mix = RULEGEN_ACL, .n_rules = 200, .seed = 5 }, b = a;
	struct spec *one, *two;
	uint64_t state = 77;

	test_case("arenas swapped under way: no answer of the other one, flow cache or not");
	b.seed = 6;
	one = rulegen_make(&a);
	two = rulegen_make(&b);
	for (unsigned int g = 0; g < 20; g++) {
		if (!load(g & 1 ? two : one, g))
			break;
		for (unsigned int i = 0; g && i < 200; i++) {
			struct rules_packet p;

			rulegen_packet_near(&state, i & 1 ? one : two, i & 1 ? one->rulesets : two->rulesets, &p);
			/* the same flow under both generations in turn */
			if (!check(g & 1 ? two : one, &p, i, g, "new") || !check(g & 1 ? one : two, &p, i, g - 1, "old"))
				break;
		}
	}
	rulegen_free(one);
	rulegen_free(two);
}

static void test_fragments(void)
{
	struct rulegen_options o = { .mix = RULEGEN_ACL, .n_rules = 1, .seed = 1, .catch_all = true };
	struct spec *spec = rulegen_make(&o);
	struct spec_rule *rules = calloc(2, sizeof(*rules));
	struct spec_range *port = malloc(sizeof(*port));
	struct classifier_packet bytes;
	int got;

	test_case("later fragments take the first one's class, both families");
	*port = (struct spec_range){ 4321, 4321 };
	rules[0].port[SPEC_DPORT] = (struct spec_ranges){ .set = true, .items = port, .n = 1 };
	rules[0].class = 5;
	free(spec->rulesets[0].rules);
	spec->rulesets[0].rules = rules;
	spec->rulesets[0].n_rules = 1;
	if (load(spec, 0)) {
		for (unsigned int family = 4; family <= 6; family += 2) {
			struct rules_packet p = { .family = (uint8_t)family, .proto = 17, .has_ports = true, .sport = 9,
						  .dport = 4321, .frag = SPEC_FRAG_FIRST, .vlan = SPEC_VLAN_NONE,
						  .length = 1500, .src = { 10, 9, 8, 7 }, .dst = { 10, 1, 1, 1 } };
			struct rules_packet later = p;

			later.frag = SPEC_FRAG_LATER;
			later.has_ports = false;
			classifier_packet_make(&later, 500, 0, false, &bytes);
			test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
			test_eq(got, TCCTL_CLASS_KEEP); /* the first was not seen */
			classifier_packet_make(&p, 500, 0, false, &bytes);
			test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
			test_eq(got, 5);
			classifier_packet_make(&later, 500, 0, false, &bytes);
			test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
			test_eq(got, 5);
			classifier_packet_make(&later, 501, 0, false, &bytes);
			test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
			test_eq(got, TCCTL_CLASS_KEEP); /* another datagram */
		}
	}
	rulegen_free(spec);
}

static void test_counters(void)
{
	struct rulegen_options o = { .mix = RULEGEN_ACL, .n_rules = 3, .seed = 9, .catch_all = true };
	struct spec *spec = rulegen_make(&o);
	uint32_t id = TCCTL_CHUNK_RULES * TCCTL_CHUNK + 2;
	struct classifier_packet bytes;
	struct rules_packet p;
	uint64_t state = 5;
	long long before, reason;
	int got;

	test_case("one rule is counted per packet, cached or not; other outcomes have reasons");
	spec->rulesets[0].rules[2].class = 4;
	if (load(spec, 0)) {
		rulegen_packet_uniform(&state, &p);
		while (rules_match_linear(spec, &spec->rulesets[0], &p) != 2)
			rulegen_packet_uniform(&state, &p);
		classifier_packet_make(&p, 1, 0, false, &bytes);
		before = classifier_counter(&c, id);
		for (unsigned int i = 0; i < 10; i++)
			test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
		test_eq(classifier_counter(&c, id), before + 10);
		bytes.cb[TCCTL_CB_PROTO] &= ~((TCCTL_F_IPV4 | TCCTL_F_IPV6) << 8);
		reason = classifier_fixed(&c, TCCTL_CNT_REASON + TCCTL_R_NON_IP);
		test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
		test_eq(classifier_fixed(&c, TCCTL_CNT_REASON + TCCTL_R_NON_IP), reason + 1);
	}
	rulegen_free(spec);
}

/*
 * Without a head (stock tc, or while an arena is exchanged) the arena itself is asked; the flow cache answers all the same.
 * `walk` shows which packets it knew nothing of.
 */
static void test_headless(void)
{
	struct rulegen_options o = { .mix = RULEGEN_FW, .n_rules = 1000, .seed = 3 };
	const uint32_t runs = TCCTL_CNT_STAGE + TCCTL_STAGE_WALK, half = 0;
	const struct tcctl_head none = {};
	struct spec *spec = rulegen_make(&o);
	struct classifier_packet bytes;
	struct rules_packet p;
	struct tcctl_head head;
	uint64_t state = 12;
	unsigned int found = 0, walked = 0;
	long long before;
	int got;

	test_case("TCP and UDP with and without a head: one class, from the rules first, then from the cache");
	if (load(spec, 0) && test_eq(bpf_map_lookup_elem(c.heads, &half, &head), 0)) {
		test_ok(head.stamp);
		for (unsigned int i = 0; i < 20000 && found < 200; i++) {
			rulegen_packet_near(&state, spec, spec->rulesets, &p);
			if ((p.proto != 6 && p.proto != 17) || !p.has_ports || p.frag != SPEC_FRAG_WHOLE)
				continue;
			found++;
			classifier_packet_make(&p, i, 0, false, &bytes);
			for (unsigned int time = 0; time < 3; time++) {
				bool without = (found + time) & 1;

				test_eq(bpf_map_update_elem(c.heads, &half, without ? &none : &head, BPF_ANY), 0);
				before = classifier_fixed(&c, runs);
				if (!test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0) || !test_eq(got, expected(spec, &p)))
					break;
				if (time)
					test_eq(classifier_fixed(&c, runs), before);
				else
					walked += classifier_fixed(&c, runs) > before;
			}
		}
		test_eq(found, 200);
		test_ok(walked > 100); /* the others were flows of earlier packets */
	}
	rulegen_free(spec);
}

/* A packet near the rules whose look-up reads at least `lines` lines and finds a class. */
static bool find_long(const struct spec *spec, unsigned int lines, struct rules_packet *p)
{
	struct tcctl_diags *d = diags_new();
	uint32_t *ids = ids_make(spec->rulesets[0].n_rules);
	struct rules_arena arena = {};
	uint64_t state = 11;
	bool found = false;

	if (test_eq(rules_compile(spec, &spec->rulesets[0], ids, NULL, d, &arena, NULL), 0))
		for (unsigned int i = 0; i < 200000 && !found; i++) {
			unsigned int n = 0;

			rulegen_packet_near(&state, spec, &spec->rulesets[0], p);
			rules_match_arena(&arena, p, &n);
			found = n >= lines && p->frag == SPEC_FRAG_WHOLE && expected(spec, p) >= TCCTL_CLASS_FIRST;
		}
	rules_arena_done(&arena);
	free(ids);
	diags_free(d);
	return found;
}

/* The walk is a program of its own, which jumps to itself when a look-up is long. */
static void test_walk(void)
{
	struct rulegen_options o = { .mix = RULEGEN_FW, .n_rules = 1000, .seed = 1 };
	struct spec *spec = rulegen_make(&o);
	const uint32_t runs = TCCTL_CNT_STAGE + TCCTL_STAGE_WALK, reason = TCCTL_CNT_REASON + TCCTL_R_NO_WALK;
	const uint32_t slot = TCCTL_STAGE_WALK;
	struct classifier_packet bytes;
	struct classifier alone = c;
	struct rules_packet p;
	long long before;
	int got;

	test_case("a long look-up takes several runs of walk, and then the flow cache knows it");
	if (!load(spec, 0) || !test_eq(find_long(spec, 25, &p), true)) {
		rulegen_free(spec);
		return;
	}
	classifier_packet_make(&p, 1, 0, false, &bytes);
	before = classifier_fixed(&c, runs);
	test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
	test_eq(got, expected(spec, &p));
	test_ok(classifier_fixed(&c, runs) >= before + 3);
	before = classifier_fixed(&c, runs);
	test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
	test_eq(got, expected(spec, &p));
	test_eq(classifier_fixed(&c, runs), before);

	test_case("without walk in its slot packets keep their class, which is counted and not remembered");
	test_eq(load(spec, 1), true); /* another stamp: nothing of it is cached */
	classifier_packet_make(&p, 1, 1, false, &bytes);
	test_eq(bpf_map_delete_elem(c.stage, &slot), 0);
	before = classifier_fixed(&c, reason);
	test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
	test_eq(got, TCCTL_CLASS_KEEP);
	test_eq(classifier_fixed(&c, reason), before + 1);
	test_eq(bpf_map_update_elem(c.stage, &slot, &c.walk, 0), 0);

	test_case("walk takes up nothing that was not begun");
	alone.prog = c.walk;
	before = classifier_fixed(&c, reason);
	test_eq(classifier_run(&alone, &bytes, 1, &got, NULL), 0); /* after the packet above, which never got there */
	test_eq(got, TCCTL_CLASS_KEEP);
	test_eq(classifier_run(&c, &bytes, 1, &got, NULL), 0);
	test_eq(got, expected(spec, &p));
	test_eq(classifier_run(&alone, &bytes, 1, &got, NULL), 0); /* after one that did */
	test_eq(got, TCCTL_CLASS_KEEP);
	test_eq(classifier_fixed(&c, reason), before + 2);
	rulegen_free(spec);
}

/* The flow cache is per CPU: what one run leaves there the next one has to find. */
static void stay(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	test_eq(sched_setaffinity(0, sizeof(one), &one), 0);
}

int main(void)
{
	int err = classifier_open(classifier_object("classify.bpf.o"), &c);

	if (err == -EPERM || err == -EACCES) {
		test_case("classify");
		test_skip("CAP_BPF and CAP_NET_ADMIN");
		return test_done();
	}
	test_case("the program loads");
	if (!test_eq(err, 0))
		return test_done();
	stay();
	test_counters();
	test_fragments();
	test_swap();
	test_walk();
	test_headless();
	for (enum rulegen_mix mix = RULEGEN_ACL; mix <= RULEGEN_IPC; mix++) {
		differential(mix, RULEGEN_ABSOLUTE, 10, 20000, 1);
		differential(mix, RULEGEN_RELATIVE, 1000, 10000, 2);
		differential(mix, RULEGEN_BOTH, 10000, 2000, 3);
	}
	for (uint64_t seed = 20; seed < 40; seed++)
		differential(RULEGEN_ANY, (enum rulegen_keys)(seed % 3), 1 + seed % 20, 3000, seed);
	test_end();
	classifier_close(&c);
	return test_done();
}
