/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rule compiler against the linear model, through the user-space twin of the BPF look-up: rule sets by hand.
 * timeout: 240
 */
#include <errno.h>
#include <unistd.h>

#include "diag.h"
#include "rulecheck.h"
#include "rules/tree.h"
#include "test.h"
#include "tcctl/lookup.h"
#include "util.h"

/* --- small rule sets by hand ---------------------------------------------------------------------------- */

struct fixture {
	struct spec spec;
	struct spec_class classes[4];
	struct spec_ruleset set;
	struct spec_rule rules[64];
};

static void fixture_init(struct fixture *f, size_t n_rules)
{
	static const char *const names[] = { "keep", "drop", "a", "b" };

	memset(f, 0, sizeof(*f));
	for (unsigned int i = 0; i < 4; i++)
		f->classes[i].name = (char *)names[i];
	f->classes[1].flags = TCCTL_C_DROP;
	f->set.name = (char *)"hand";
	f->set.rules = f->rules;
	f->set.n_rules = n_rules;
	f->spec.classes = f->classes;
	f->spec.n_classes = 4;
	f->spec.rulesets = &f->set;
	f->spec.n_rulesets = 1;
	for (size_t i = 0; i < 64; i++) {
		f->rules[i].loc.file = "hand";
		f->rules[i].loc.line = (unsigned int)i + 1;
		f->rules[i].class = 2;
	}
}

static struct spec_ranges range_of(struct spec_range *r)
{
	return (struct spec_ranges){ .set = true, .items = r, .n = 1 };
}

static struct spec_addrs addr_of(struct spec_prefix *p)
{
	return (struct spec_addrs){ .set = true, .prefixes = p, .n_prefixes = 1 };
}

static int match(struct fixture *f, const struct rules_packet *p)
{
	uint32_t ids[64] = {};
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	int r = -2;

	if (!rules_compile(&f->spec, &f->set, ids, NULL, d, &arena, NULL))
		r = rules_match_arena(&arena, p, NULL);
	test_eq(r, rules_match_linear(&f->spec, &f->set, p));
	rules_arena_done(&arena);
	diags_free(d);
	return r;
}

static void test_semantics(void)
{
	struct spec_range web = { 443, 443 }, tcp = { 6, 6 };
	struct spec_prefix ten = { 4, 8, { 10 } };
	struct rules_packet p = { .family = 4, .proto = 6, .has_ports = true, .has_flags = true, .sport = 443,
				  .dport = 5000, .src = { 10, 1, 2, 3 }, .dst = { 192, 0, 2, 1 },
				  .frag = SPEC_FRAG_WHOLE, .vlan = SPEC_VLAN_NONE, .length = 1500 };
	struct fixture f;

	test_case("no rules match nothing");
	fixture_init(&f, 0);
	test_eq(match(&f, &p), -1);

	test_case("a rule without keys is a catch-all");
	fixture_init(&f, 1);
	test_eq(match(&f, &p), 0);

	test_case("relative keys turn round with the hook, absolute ones do not");
	fixture_init(&f, 1);
	f.rules[0].addr[SPEC_REMOTE] = addr_of(&ten);
	f.rules[0].port[SPEC_PORT] = range_of(&web);
	test_eq(match(&f, &p), 0);
	p.src_local = true;
	test_eq(match(&f, &p), -1);
	fixture_init(&f, 2);
	f.rules[0].addr[SPEC_REMOTE] = addr_of(&ten);
	f.rules[1].addr[SPEC_SRC] = addr_of(&ten);
	test_eq(match(&f, &p), 1);
	p.src_local = false;
	test_eq(match(&f, &p), 0);

	test_case("a negated port never matches a packet without ports");
	fixture_init(&f, 1);
	f.rules[0].port[SPEC_DPORT] = range_of(&web);
	f.rules[0].port[SPEC_DPORT].neg = true;
	test_eq(match(&f, &p), 0);
	p.dport = 443;
	test_eq(match(&f, &p), -1);
	p.has_ports = false;
	p.dport = p.sport = 0;
	test_eq(match(&f, &p), -1);
	p.has_ports = true;
	p.proto = 47;
	test_eq(match(&f, &p), -1);

	test_case("a negated address matches the other family");
	fixture_init(&f, 1);
	f.rules[0].addr[SPEC_SRC] = addr_of(&ten);
	f.rules[0].addr[SPEC_SRC].neg = true;
	f.rules[0].proto = range_of(&tcp);
	p.proto = 6;
	test_eq(match(&f, &p), -1);
	p.family = 6;
	test_eq(match(&f, &p), 0);
}

/* More negated networks than there are bits for sets. */
static void test_negated(void)
{
	struct rules_packet p = { .family = 4, .proto = 17, .has_ports = true, .src = { 10, 0, 5, 1 },
				  .frag = SPEC_FRAG_WHOLE, .vlan = SPEC_VLAN_NONE };
	struct spec_prefix nets[40];
	struct spec_range ports[40];
	struct fixture f;

	test_case("forty rules, each for all but one network");
	fixture_init(&f, 40);
	for (unsigned int i = 0; i < 40; i++) {
		nets[i] = (struct spec_prefix){ 4, 24, { 10, 0, (uint8_t)i } };
		ports[i] = (struct spec_range){ 1000 + i, 1000 + i };
		f.rules[i].addr[SPEC_SRC] = addr_of(&nets[i]);
		f.rules[i].addr[SPEC_SRC].neg = true;
		f.rules[i].port[SPEC_DPORT] = range_of(&ports[i]);
	}
	p.dport = 1005;
	test_eq(match(&f, &p), -1);
	p.dport = 1039;
	test_eq(match(&f, &p), 39);
	p.src[2] = 39;
	test_eq(match(&f, &p), -1);
	p.family = 6;
	test_eq(match(&f, &p), 39);
}

/* Every class id comes back as it went in, those that are too high for brief entries, too. */
static void test_classes(void)
{
	static const uint32_t ids[] = { 0, 1, 4095, 4096, 8191, 8192, 20000, 65535 };
	static struct spec_class classes[65536];
	struct spec_range ports[ARRAY_SIZE(ids)];
	uint32_t counters[ARRAY_SIZE(ids)];
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	struct fixture f;

	test_case("class and counter of every rule");
	fixture_init(&f, ARRAY_SIZE(ids));
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		classes[i] = f.classes[0];
	f.spec.classes = classes;
	f.spec.n_classes = ARRAY_SIZE(classes);
	classes[4096].flags = classes[8192].flags = TCCTL_C_DROP;
	for (unsigned int v = 0; v < 2; v++) {
		/* all rules in one leaf: with the first of them only, brief entries */
		size_t n = v ? ARRAY_SIZE(ids) : 5;

		f.set.n_rules = n;
		for (uint32_t i = 0; i < n; i++) {
			ports[i] = (struct spec_range){ 100 + i, 100 + i };
			f.rules[i].port[SPEC_DPORT] = range_of(&ports[i]);
			f.rules[i].class = (int)ids[i];
			counters[i] = 0xfffff - i * 0x11111;
		}
		if (!test_eq(rules_compile(&f.spec, &f.set, counters, NULL, d, &arena, NULL), 0))
			break;
		for (uint32_t i = 0; i < n; i++) {
			struct arena_view view = { .lines = arena.lines, .n_lines = (uint32_t)arena.n_lines };
			const struct arena_roots *roots = arena_line(&view, 1);
			struct arena_key key = {};
			struct arena_result res;

			key.w[ARENA_W_PORTS] = 100 + i;
			key.w[ARENA_W_SMALL] = 17 | (uint32_t)ARENA_M_PORTS << 24;
			arena_lookup(&view, &key, roots->view[0].first, roots->view[0].end, 0, &res);
			test_eq(res.rule, i);
			test_eq(res.counter, counters[i]);
			test_eq(res.class & 0xffff, ids[i]);
			test_eq(!!(res.class & ARENA_E_DROP), ids[i] == 4096 || ids[i] == 8192);
		}
		rules_arena_done(&arena);
	}
	rulecheck_print_diags(d);
	diags_free(d);
}

/* --- nodes that are shared ------------------------------------------------------------------------------- */

/* What is left of an IPv6 network below cuts that have settled a whole word of its address, on one side. */
static void test_rest(enum box_field side, unsigned int len)
{
	unsigned int word = len / 32;
	struct boxes x = {};
	struct box b = {};
	struct build t = { .x = &x, .family = 6 };
	struct region r = {};
	uint32_t id = 0;
	size_t n = 1;

	for (enum box_field f = 0; f < BOX_FIELDS; f++)
		b.hi[f] = f >= BOX_MASKED ? 0 : box_field_max(f);
	for (unsigned int i = 0; i <= word; i++) {
		uint32_t wild = i == word ? UINT32_MAX >> len % 32 : 0;

		b.lo[side + i] = 0x2a51c693U & ~wild;
		b.hi[side + i] = b.lo[side + i] | wild;
		t.active[t.n_active++] = side + i;
	}
	for (unsigned int i = 0; i < word; i++) {
		r.mask[side + i] = UINT32_MAX;
		r.value[side + i] = b.lo[side + i];
	}
	if (test_eq(boxes_add(&x, &b), 0) && test_eq(share_new(&t, &x, &t.share), 0)) {
		test_eq(share_boxes(&t, &id, &n, &r), 0);
		test_eq(n, 1);
		test_eq(box_prefix_len(t.x, side, id), len);
		/* nothing of it once the last word is settled, too */
		r.mask[side + word] = ~(UINT32_MAX >> len % 32);
		r.value[side + word] = b.lo[side + word];
		test_eq(share_boxes(&t, &id, &n, &r), 0);
		test_eq(box_prefix_len(t.x, side, id), 0);
	}
	share_free(t.share);
	boxes_done(&x);
}

/* --- big sets ------------------------------------------------------------------------------------------- */

static void test_set(size_t n, unsigned int family, unsigned int long_percent, size_t n_packets)
{
	struct spec_set set = { .name = (char *)"big" };
	uint64_t state = n * 2 + family + 1;
	struct spec_prefix *v = rulegen_prefixes(&state, family, n, long_percent);
	uint32_t ids[2] = { 1, 2 };
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	struct rules_stats stats = {};
	struct fixture f;
	int zero = 0;
	static char name[100]; /* outlives the case, which prints it at its end */

	snprintf(name, sizeof(name), "set of %zu IPv%u prefixes, %u%% long", n, family, long_percent);
	test_case(name);
	fixture_init(&f, 1);
	set.items = v;
	set.n_items = n;
	f.spec.sets = &set;
	f.spec.n_sets = 1;
	f.rules[0].addr[SPEC_REMOTE] = (struct spec_addrs){ .set = true, .sets = &zero, .n_sets = 1 };
	if (test_eq(rules_compile(&f.spec, &f.set, ids, NULL, d, &arena, &stats), 0)) {
		size_t hits = 0;

		printf("# %zu KiB, %.2f s, at most %zu lines\n", stats.bytes >> 10, stats.compile_seconds, stats.depth_max);
		for (size_t i = 0; i < n_packets; i++) {
			struct rules_packet p;
			int want, got;

			if (i % 4)
				rulegen_packet_near(&state, &f.spec, &f.set, &p);
			else
				rulegen_packet_uniform(&state, &p);
			want = rules_match_linear(&f.spec, &f.set, &p);
			got = rules_match_arena(&arena, &p, NULL);
			hits += want >= 0;
			if (got != want) {
				char buf[400];

				rulegen_packet_print(&p, buf, sizeof(buf));
				test_fail("packet %zu: rule %d, expected %d: %s", i, got, want, buf);
				break;
			}
		}
		test_ok(hits > n_packets / 4);
	}
	rulecheck_print_diags(d);
	rules_arena_done(&arena);
	diags_free(d);
	free(v);
}

/* --- refusals ------------------------------------------------------------------------------------------- */

/* Rectangles of ports that all overlap in the middle: nothing can tell them apart. */
static void test_overlap(size_t n, bool may_refuse)
{
	struct spec_rule *rules = calloc(n, sizeof(*rules));
	struct spec_range *r = calloc(2 * n, sizeof(*r));
	uint32_t *ids = rulecheck_ids(n);
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	struct rules_stats stats;
	uint64_t state = 42;
	struct fixture f;
	static char name[100]; /* outlives the case, which prints it at its end */
	char start[40];
	int err;

	snprintf(name, sizeof(name), "%zu rules that all overlap in two ranges %s", n,
		 may_refuse ? "are refused with figures, or work" : "work");
	snprintf(start, sizeof(start), "rule set hand (%zu rules", n);
	test_case(name);
	fixture_init(&f, 0);
	for (size_t i = 0; i < n; i++) {
		for (unsigned int k = 0; k < 2; k++) {
			r[2 * i + k].lo = rulegen_below(&state, 32000);
			r[2 * i + k].hi = 33000 + rulegen_below(&state, 32000);
		}
		rules[i].port[SPEC_SPORT] = range_of(&r[2 * i]);
		rules[i].port[SPEC_DPORT] = range_of(&r[2 * i + 1]);
		rules[i].class = 2;
		rules[i].loc = f.rules[0].loc;
	}
	f.set.rules = rules;
	f.set.n_rules = n;
	err = rules_compile(&f.spec, &f.set, ids, NULL, d, &arena, &stats);
	if (err) {
		test_ok(may_refuse);
		test_eq(err, -E2BIG);
		test_ok(d->n == 1 && strstr(d->items[0].message, start));
	} else {
		for (unsigned int i = 0; i < 2000; i++) {
			struct rules_packet p = { .family = 4, .proto = 17, .has_ports = true, .frag = SPEC_FRAG_WHOLE,
						  .sport = (uint16_t)rulegen_below(&state, 65536),
						  .dport = (uint16_t)rulegen_below(&state, 65536) };

			test_eq(rules_match_arena(&arena, &p, NULL), rules_match_linear(&f.spec, &f.set, &p));
		}
	}
	rulecheck_print_diags(d);
	rules_arena_done(&arena);
	diags_free(d);
	free(ids);
	free(r);
	free(rules);
}

static void test_budget(void)
{
	struct rulegen_options o = { .mix = RULEGEN_ACL, .n_rules = 1000, .seed = 3 };
	struct spec *spec = rulegen_make(&o);
	struct rules_options budget = { .max_bytes = 16384 };
	struct tcctl_diags *d = diags_new();
	uint32_t *ids = rulecheck_ids(1000);
	struct rules_arena arena = {};

	test_case("a rule set over its budget is refused with figures");
	test_eq(rules_compile(spec, &spec->rulesets[0], ids, &budget, d, &arena, NULL), -E2BIG);
	test_ok(d->n_errors == 1 && !arena.lines);
	rules_arena_done(&arena);
	diags_free(d);
	free(ids);
	rulegen_free(spec);
}

int main(void)
{
	test_semantics();
	test_negated();
	test_classes();
	test_case("shared nodes: a prefix stays whole while a word of it is not settled");
	for (unsigned int len = 48; len < 128; len += 32) {
		test_rest(BOX_SRC0, len);
		test_rest(BOX_DST0, len);
	}
	test_set(1000, 4, 0, 20000);
	test_set(1000, 6, 20, 20000);
	test_set(100000, 4, 30, 1000);
	test_set(100000, 6, 30, 1000);
	test_overlap(250, false);
	test_overlap(1000, true);
	test_overlap(20000, true);
	test_budget();
	return test_done();
}
