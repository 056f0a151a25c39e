/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What classification costs per packet, net of a stage that does nothing.
 *
 *	classify [rounds [rules | sets | million]]
 *
 * One row per case: `classify CASE KEY=VALUE …`, times in ns: the least over the rounds, which are interleaved
 * between the cases of a group. Packets are given by a driver program, another one each run. `local` is 1,000 flows
 * round and round, `spread` 200,000 of them, `uniform` random headers; lines are counted in the user-space twin.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "classifier.h"
#include "diag.h"
#include "rulegen.h"
#include "tcctl/abi.h"

#define SPREAD 200000
#define IDS (TCCTL_CHUNK_RULES * TCCTL_CHUNK)

struct bench {
	struct bpf_object *obj;
	int driver, under_test, packets, bss_next;
	int stage, counters;
};

static void die(const char *what, int err)
{
	fprintf(stderr, "classify: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The comparison programs share the classifier's counters and jump table. */
static struct bpf_object *bench_open(const struct classifier *c, size_t n_packets)
{
	struct bpf_object *obj = bpf_object__open_file(classifier_object("../tests/bench/classify_bench.bpf.o"), NULL);
	struct bpf_map *map;
	int err;

	if (!obj)
		die("classify_bench.bpf.o", errno);
	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);

		bpf_map__set_pin_path(map, NULL);
		if (!strcmp(name, "packets"))
			bpf_map__set_max_entries(map, (uint32_t)n_packets);
		else if (!strcmp(name, "counters"))
			bpf_map__reuse_fd(map, c->counters);
		else if (!strcmp(name, "jt_stage"))
			bpf_map__reuse_fd(map, c->stage);
		else if (!strcmp(name, "counters_fixed"))
			bpf_map__reuse_fd(map, c->fixed);
	}
	err = bpf_object__load(obj);
	if (err)
		die("loading classify_bench.bpf.o", err);
	return obj;
}

static int prog_of(struct bpf_object *obj, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(obj, name));
}

static int map_of(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

/* Give the driver `n` packets. */
static void packets_set(struct bpf_object *obj, const struct rules_packet *p, size_t n)
{
	struct bpf_map *bss = bpf_object__find_map_by_name(obj, ".data");
	uint8_t *values = calloc(n, 64);
	uint32_t *keys = malloc(n * sizeof(*keys)), count = (uint32_t)n, zero = 0, data[16] = {};

	for (size_t i = 0; i < n; i++) {
		struct classifier_packet b;

		keys[i] = (uint32_t)i;
		classifier_packet_make(&p[i], 0, 0, false, &b);
		memcpy(values + 64 * i, b.data + 14, 40);
		memcpy(values + 64 * i + 40, b.cb, 20);
	}
	if (bpf_map_update_batch(map_of(obj, "packets"), keys, values, &count, NULL))
		die("packets", errno);
	/* .data: n_packets; .bss: next */
	if (!bss || bpf_map__value_size(bss) > sizeof(data))
		die(".data", EINVAL);
	data[0] = (uint32_t)n;
	if (bpf_map_update_elem(bpf_map__fd(bss), &zero, data, 0))
		die("n_packets", errno);
	bss = bpf_object__find_map_by_name(obj, ".bss");
	data[0] = 0;
	if (bss)
		bpf_map_update_elem(bpf_map__fd(bss), &zero, data, 0);
	free(values);
	free(keys);
}

static double run(struct bpf_object *obj, int prog, uint32_t repeat)
{
	uint8_t data[74] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = sizeof(data), .repeat = (int)repeat);
	uint32_t zero = 0;

	data[12] = 8;
	if (bpf_map_update_elem(map_of(obj, "under_test"), &zero, &prog, 0) ||
	    bpf_prog_test_run_opts(prog_of(obj, "driver"), &opts))
		die("test run", errno);
	return opts.duration;
}

/* Least of `rounds`, programs taking turns; net of the first. */
static void measure(struct bpf_object *obj, const int *progs, size_t n, unsigned int rounds, uint32_t repeat, double *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[i] = 1e9;
		run(obj, progs[i], repeat);
	}
	for (unsigned int r = 0; r < rounds; r++)
		for (size_t i = 0; i < n; i++) {
			double t = run(obj, progs[i], repeat);

			if (t < ret[i])
				ret[i] = t;
		}
	for (size_t i = n; i-- > 0;)
		ret[i] -= ret[0];
}

static void make_packets(const struct spec *spec, bool uniform, struct rules_packet *p, size_t n, uint64_t seed)
{
	uint64_t state = seed;

	for (size_t i = 0; i < n; i++) {
		do {
			if (uniform)
				rulegen_packet_uniform(&state, &p[i]);
			else
				rulegen_packet_near(&state, spec, &spec->rulesets[0], &p[i]);
			p[i].family = 4;
			p[i].frag = SPEC_FRAG_WHOLE;
			rulegen_packet_tidy(&p[i]);
		} while (!p[i].has_ports);
	}
}

static int cmp_uint(const void *a, const void *b)
{
	return (int)(*(const unsigned int *)a - *(const unsigned int *)b);
}

static void bench_rules(struct classifier *c, struct bpf_object *obj, enum rulegen_mix mix, size_t n_rules, unsigned int rounds)
{
	struct rulegen_options o = { .mix = mix, .n_rules = n_rules, .seed = 1, .catch_all = true };
	struct spec *spec = rulegen_make(&o);
	uint32_t *ids = calloc(n_rules, sizeof(*ids));
	struct rules_packet *p = calloc(SPREAD, sizeof(*p));
	unsigned int *lines = calloc(SPREAD, sizeof(*lines));
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	struct rules_stats stats = {};
	int progs[] = { prog_of(obj, "noop"), c->prog, prog_of(obj, "hash") };
	double t[3], load, mean = 0;
	int err;

	for (size_t i = 0; i < n_rules; i++) {
		ids[i] = IDS + (uint32_t)i;
		if (spec->rulesets[0].rules[i].class == TCCTL_CLASS_DROP)
			spec->rulesets[0].rules[i].class = 2;
	}
	err = rules_compile(spec, &spec->rulesets[0], ids, NULL, d, &arena, &stats);
	if (err) {
		printf("classify rules mix=%s n=%zu refused=%d\n", rulegen_mix_names[mix], n_rules, err);
		goto out;
	}
	load = now();
	err = classifier_set(c, 0, &arena);
	load = now() - load;
	if (err)
		die("arena", err);
	err = classifier_counters(c, IDS + (uint32_t)n_rules);
	if (err)
		die("counters", err);
	make_packets(spec, false, p, 1000, 7);
	packets_set(obj, p, 1000);
	for (size_t i = 0; i < 1000; i++) {
		struct {
			uint32_t src, dst, ports, proto;
		} key = { .ports = (uint32_t)p[i].sport << 16 | p[i].dport, .proto = p[i].proto };
		uint32_t value[2] = { IDS, 2 };
		int rule = rules_match_arena(&arena, &p[i], NULL);

		memcpy(&key.src, p[i].src, 4);
		memcpy(&key.dst, p[i].dst, 4);
		value[0] += (uint32_t)(rule < 0 ? 0 : rule);
		bpf_map_update_elem(map_of(obj, "by_hash"), &key, value, 0);
	}
	measure(obj, progs, 3, rounds, 10000, t);
	printf("classify rules mix=%s n=%zu traffic=local ns=%.0f hash_ns=%.0f ratio=%.2f\n", rulegen_mix_names[mix],
	       n_rules, t[1], t[2], t[1] / t[2]);
	for (unsigned int uniform = 0; uniform < 2; uniform++) {
		make_packets(spec, uniform, p, SPREAD, 9);
		packets_set(obj, p, SPREAD);
		measure(obj, progs, 2, rounds / 4 + 2, SPREAD, t);
		mean = 0;
		for (size_t i = 0; i < SPREAD; i++) {
			rules_match_arena(&arena, &p[i], &lines[i]);
			mean += lines[i];
		}
		qsort(lines, SPREAD, sizeof(*lines), cmp_uint);
		printf("classify rules mix=%s n=%zu traffic=%s ns=%.0f lines_mean=%.2f lines_p99=%u lines_max=%u\n",
		       rulegen_mix_names[mix], n_rules, uniform ? "uniform" : "spread", t[1], mean / SPREAD,
		       lines[SPREAD * 99 / 100], lines[SPREAD - 1]);
	}
	printf("classify memory mix=%s n=%zu arena_kib=%zu counters_kib_per_cpu=%zu compile_s=%.2f load_s=%.2f\n",
	       rulegen_mix_names[mix], n_rules, stats.bytes >> 10, n_rules * sizeof(struct tcctl_counter) >> 10,
	       stats.compile_seconds, load);
out:
	fflush(stdout);
	for (size_t i = 0; i < 1000; i++) {
		struct {
			uint32_t src, dst, ports, proto;
		} key;

		while (!bpf_map_get_next_key(map_of(obj, "by_hash"), NULL, &key))
			bpf_map_delete_elem(map_of(obj, "by_hash"), &key);
	}
	rules_arena_done(&arena);
	diags_free(d);
	free(lines);
	free(p);
	free(ids);
	rulegen_free(spec);
}

static void bench_set(struct classifier *c, struct bpf_object *obj, unsigned int family, size_t n, unsigned int longer,
		      unsigned int rounds)
{
	uint64_t state = n + family + longer;
	struct spec_set set = { .name = (char *)"set" };
	struct spec_class classes[3] = { { .name = (char *)"keep" }, { .name = (char *)"drop" }, { .name = (char *)"a" } };
	struct spec_rule rule = { .class = 2 };
	struct spec_ruleset ruleset = { .name = (char *)"set", .rules = &rule, .n_rules = 1 };
	struct spec spec = { .sets = &set, .n_sets = 1, .classes = classes, .n_classes = 3, .rulesets = &ruleset,
			     .n_rulesets = 1 };
	int zero = 0, progs[] = { prog_of(obj, "noop"), c->prog, prog_of(obj, "lpm") };
	struct rules_packet *p = calloc(SPREAD, sizeof(*p));
	struct tcctl_diags *d = diags_new();
	struct rules_arena arena = {};
	struct rules_stats stats = {};
	uint32_t ids[1] = { IDS }, value[2] = { IDS, 2 };
	double t[3];
	int lpm = map_of(obj, "by_lpm");

	set.items = rulegen_prefixes(&state, family, n, longer);
	set.n_items = n;
	rule.addr[SPEC_REMOTE] = (struct spec_addrs){ .set = true, .sets = &zero, .n_sets = 1 };
	if (rules_compile(&spec, &ruleset, ids, NULL, d, &arena, &stats) || classifier_set(c, 0, &arena) ||
	    classifier_counters(c, IDS + 1))
		die("set", EINVAL);
	for (size_t i = 0; i < n; i++) {
		struct {
			uint32_t len;
			uint8_t addr[16];
		} key = { .len = set.items[i].len };

		memcpy(key.addr, set.items[i].addr, 16);
		if (bpf_map_update_elem(lpm, &key, value, 0))
			die("lpm", errno);
	}
	for (size_t i = 0; i < SPREAD; i++) {
		const struct spec_prefix *x = &set.items[rulegen_below(&state, (uint32_t)n)];

		/* half of the addresses are random, half are inside a random prefix of the set */
		rulegen_packet_uniform(&state, &p[i]);
		p[i].family = (uint8_t)family;
		p[i].proto = 17;
		p[i].src_local = false;
		p[i].frag = SPEC_FRAG_WHOLE;
		for (unsigned int b = 0; b < 16; b++)
			p[i].src[b] = (uint8_t)rulegen_random(&state);
		if (family == 6)
			p[i].src[0] = 0x20 | (p[i].src[0] & 0x1f);
		for (unsigned int b = 0; i & 1 && b < x->len; b++) {
			uint8_t bit = (uint8_t)(0x80 >> b % 8);

			p[i].src[b / 8] = (uint8_t)((p[i].src[b / 8] & ~bit) | (x->addr[b / 8] & bit));
		}
		rulegen_packet_tidy(&p[i]);
	}
	packets_set(obj, p, SPREAD);
	measure(obj, progs, 3, rounds / 4 + 2, SPREAD, t);
	printf("classify set family=%u n=%zu longer_percent=%u ns=%.0f lpm_ns=%.0f ratio=%.3f arena_kib=%zu lines=%zu compile_s=%.2f\n",
	       family, n, longer, t[1], t[2], t[1] / t[2], stats.bytes >> 10, stats.depth_max, stats.compile_seconds);
	fflush(stdout);
	for (size_t i = 0; i < n; i++) {
		struct {
			uint32_t len;
			uint8_t addr[16];
		} key = { .len = set.items[i].len };

		memcpy(key.addr, set.items[i].addr, 16);
		bpf_map_delete_elem(lpm, &key);
	}
	rules_arena_done(&arena);
	diags_free(d);
	free(set.items);
	free(p);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 61;
	static const size_t rules[] = { 10, 1000, 10000, 100000 }, sets[] = { 1000, 100000, 1000000 };
	const char *only = argc > 2 ? argv[2] : "";
	struct classifier c;
	struct bpf_object *obj;
	cpu_set_t cpu;
	int err = classifier_open(classifier_object("classify.bpf.o"), &c);

	if (err)
		die("classify.bpf.o", err);
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	obj = bench_open(&c, SPREAD);
	for (enum rulegen_mix mix = RULEGEN_ACL; mix <= RULEGEN_IPC; mix++)
		for (unsigned int i = 0; i < 4 && strcmp(only, "sets") && strcmp(only, "million"); i++)
			bench_rules(&c, obj, mix, rules[i], rounds);
	for (unsigned int i = strcmp(only, "million") ? 0 : 2; i < 3 && strcmp(only, "rules"); i++) {
		bench_set(&c, obj, 4, sets[i], 0, rounds);
		bench_set(&c, obj, 4, sets[i], 20, rounds);
		bench_set(&c, obj, 6, sets[i], 0, rounds);
	}
	bpf_object__close(obj);
	classifier_close(&c);
	return 0;
}
