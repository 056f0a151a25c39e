// SPDX-License-Identifier: GPL-2.0-only
/*
 * Classification: rule sets of 10 to 100,000 rules through the whole pipeline, against a hash table written by
 * hand that holds the very flows of the traffic: exact 16-byte keys, the same packet parsing, the same counters. No
 * hash table can hold rules with prefixes and ranges: it is the yardstick, not an alternative.
 *
 * Rule sets follow ClassBench's mixes, each in two orders: random, where a few wide rules hide most of what comes behind
 * them, and specific rules first (`-narrow`), where nearly all can be reached. Packets are made near the rules.
 *   local   1,000 live flows
 *   spread  65,536 flows, each seen once per round: no cache helps
 * All costs are net of a classifier that does nothing, behind the same packet driver.
 *
 * rules --only MIX N measures one of them; --emit MIX N prints it as a configuration for the device d0. MIX is acl, fw,
 * ipc, or one of these with `-narrow`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "lib/drive.h"
#include "lib/measure.h"
#include "lib/ruleset.h"
#include "rulegen.h"
#include "util.h"

#define LIVE 1000
#define LIVE_HEADERS 1024 /* a power of two; some flows come twice */
#define SPREAD 65536

struct flow_key { /* of peers.bpf.c */
	uint8_t src[4], dst[4];
	uint16_t sport, dport;
	uint8_t proto, pad[3];
};

struct traffic {
	const char *id;
	size_t n_flows;
	uint32_t n_headers;
	struct drive_headers headers;
	int hash; /* fd of the yardstick's table */
	double ours[BENCH_LOADS_MAX], hash_ns[BENCH_LOADS_MAX];
};

/* A mix in an order, and the name of both. */
struct kind {
	enum rulegen_mix mix;
	enum rulegen_order order;
	const char *name;
};

static const struct kind kinds[] = {
	{ RULEGEN_ACL, RULEGEN_RANDOM, "acl" }, { RULEGEN_ACL, RULEGEN_SPECIFIC_FIRST, "acl-narrow" },
	{ RULEGEN_FW, RULEGEN_RANDOM, "fw" },	{ RULEGEN_FW, RULEGEN_SPECIFIC_FIRST, "fw-narrow" },
	{ RULEGEN_IPC, RULEGEN_RANDOM, "ipc" }, { RULEGEN_IPC, RULEGEN_SPECIFIC_FIRST, "ipc-narrow" },
};

struct job {
	const struct kind *kind;
	size_t n;
	struct ruleset set;
	struct traffic traffic[2];
	double lines_max, lines_mean; /* table lines that random headers touch */
	double parse_seconds;
	bool failed;
};

/* Marks only: what classes write is not what is measured here. */
static struct spec *spec_make(const struct kind *kind, size_t n)
{
	struct rulegen_options options = { .mix = kind->mix,
					   .keys = RULEGEN_ABSOLUTE,
					   .order = kind->order,
					   .n_rules = n,
					   .catch_all = true,
					   .seed = 1 };
	struct spec *spec = rulegen_make(&options);

	for (size_t c = TCCTL_CLASS_FIRST; c < spec->n_classes; c++) {
		spec->classes[c].flags = TCCTL_C_MARK;
		spec->classes[c].mark = (uint32_t)c;
		spec->classes[c].mark_mask = ~0U;
	}
	for (size_t i = 0; i < spec->rulesets[0].n_rules; i++)
		if (spec->rulesets[0].rules[i].class < TCCTL_CLASS_FIRST)
			spec->rulesets[0].rules[i].class = TCCTL_CLASS_FIRST;
	return spec;
}

/* A TCP or UDP packet near the rules, as a flow and as rules see it on the wire. */
static void flow_make(uint64_t *state, const struct spec *spec, struct drive_flow *flow,
		      struct rules_packet *seen)
{
	struct rules_packet p;

	do {
		rulegen_packet_near(state, spec, &spec->rulesets[0], &p);
		rulegen_packet_tidy(&p);
	} while (p.family != 4 || (p.proto != 6 && p.proto != 17) || p.frag != SPEC_FRAG_WHOLE);
	*flow = (struct drive_flow){ .family = 4, .proto = p.proto, .sport = p.sport, .dport = p.dport };
	memcpy(flow->src, p.src, 4);
	memcpy(flow->dst, p.dst, 4);
	*seen = (struct rules_packet){ .family = 4,
				       .proto = p.proto,
				       .has_ports = true,
				       .sport = p.sport,
				       .dport = p.dport,
				       .has_flags = p.proto == 6,
				       .tcp_flags = 0x10,
				       .frag = SPEC_FRAG_WHOLE,
				       .vlan = SPEC_VLAN_NONE,
				       .length = DRIVE_HEADER,
				       .has_mac = true,
				       .mac = { 2, 0, 0, 0, 0, 2 } };
	memcpy(seen->src, p.src, 4);
	memcpy(seen->dst, p.dst, 4);
}

static int traffic_make(struct traffic *t, const struct spec *spec, size_t n_flows, uint32_t n_headers)
{
	struct drive_header *headers = calloc(n_headers, sizeof(*headers));
	uint64_t state = 0x5eed + n_flows;
	int err = 0;

	t->n_flows = n_flows;
	t->n_headers = n_headers;
	t->headers.fd = t->hash = -1;
	if (!headers)
		return -ENOMEM;
	t->hash = bpf_map_create(BPF_MAP_TYPE_HASH, "flows", 16, 8, (uint32_t)(n_flows * 2), NULL);
	if (t->hash < 0)
		err = t->hash;
	for (size_t i = 0; !err && i < n_flows; i++) {
		struct drive_flow flow;
		struct rules_packet seen;
		struct flow_key key = {};
		struct {
			uint32_t rule, mark;
		} value;
		int rule;

		flow_make(&state, spec, &flow, &seen);
		drive_header_write(&flow, &headers[i]);
		memcpy(key.src, flow.src, 4);
		memcpy(key.dst, flow.dst, 4);
		key.sport = htons(flow.sport);
		key.dport = htons(flow.dport);
		key.proto = flow.proto;
		/* Which rule it is matters where the counters are compared; finding it is linear in the rules. */
		rule = n_flows <= LIVE ? rules_match_linear(spec, &spec->rulesets[0], &seen) :
					 (int)(i % spec->rulesets[0].n_rules);
		value.rule = rule < 0 ? 0 : (uint32_t)rule;
		value.mark = rule < 0 ? 0 : (uint32_t)spec->rulesets[0].rules[rule].class;
		if (bpf_map_update_elem(t->hash, &key, &value, 0))
			err = -errno;
	}
	for (uint32_t i = (uint32_t)n_flows; i < n_headers; i++)
		headers[i] = headers[i - n_flows];
	if (!err)
		err = drive_headers_load(headers, n_headers, &t->headers);
	free(headers);
	return err;
}

/* Distinct lines that uniformly random headers touch, counted in the lookup's user-space twin. */
static void lines_count(struct job *job)
{
	uint64_t state = 0x11e5;
	double sum = 0;
	const int n = 100000;

	for (int i = 0; i < n; i++) {
		struct rules_packet p;
		unsigned int lines;

		rulegen_packet_uniform(&state, &p);
		rulegen_packet_tidy(&p);
		rules_match_arena(&job->set.arena, &p, &lines);
		sum += lines;
		if (lines > job->lines_max)
			job->lines_max = lines;
	}
	job->lines_mean = sum / n;
}

static int job_prepare(struct job *job)
{
	struct spec *spec = spec_make(job->kind, job->n);
	int err = ruleset_compile(spec, &job->set);

	if (!err)
		err = traffic_make(&job->traffic[0], spec, LIVE, LIVE_HEADERS);
	if (!err)
		err = traffic_make(&job->traffic[1], spec, SPREAD, SPREAD);
	job->traffic[0].id = "local";
	job->traffic[1].id = "spread";
	if (!err)
		lines_count(job);
	rulegen_free(spec);
	return err;
}

static struct bpf_object *peers_load(const struct traffic *t, size_t n_rules)
{
	struct bpf_object *obj = bpf_object__open(bench_object("peers"));
	struct bpf_map *flows;

	if (!obj)
		return NULL;
	flows = bpf_object__find_map_by_name(obj, "flows");
	bpf_map__set_max_entries(flows, (uint32_t)(t->n_flows * 2));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, "rules"), (uint32_t)n_rules);
	if (bpf_map__reuse_fd(flows, t->hash) || bpf_object__load(obj)) {
		bpf_object__close(obj);
		return NULL;
	}
	return obj;
}

/* Packets counted under rule `i` by the yardstick. */
static uint64_t peer_count(const struct bpf_object *obj, uint32_t i)
{
	struct tcctl_counter cpus[256] = {};
	uint64_t n = 0;

	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(obj, "rules"), &i, cpus);
	for (int c = 0; c < libbpf_num_possible_cpus() && c < 256; c++)
		n += cpus[c].packets;
	return n;
}

static int pass(const struct bench_prog *p, uint32_t n)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->packet, .data_size_in = p->len, .repeat = (int)n);

	return bpf_prog_test_run_opts(p->fd, &opts) ? -errno : 0;
}

/* Both classify every flow alike: each header once, then the counters of every rule. */
static int compare(const struct job *job, const struct traffic *t, const struct pipe *pipe,
		   const struct bpf_object *peers, const struct bench_prog *ours,
		   const struct bench_prog *hash)
{
	size_t n = job->set.n_rules;
	int64_t *diff = calloc(n, sizeof(*diff));
	size_t wrong = 0;
	int err;

	if (!diff)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		diff[i] = (int64_t)(peer_count(peers, (uint32_t)i) -
				    pipe_counter(pipe, ruleset_counter(i)).packets);
	err = pass(ours, t->n_headers);
	if (!err)
		err = pass(hash, t->n_headers);
	for (size_t i = 0; i < n; i++)
		if (diff[i] != (int64_t)(peer_count(peers, (uint32_t)i) -
					 pipe_counter(pipe, ruleset_counter(i)).packets))
			wrong++;
	free(diff);
	if (!err && wrong) {
		fprintf(stderr, "rules: %s %zu: %zu rules counted differently\n", job->kind->name, job->n,
			wrong);
		err = -EBADMSG;
	}
	return err;
}

static int traffic_measure(const struct job *job, struct traffic *t, struct pipe *pipe, unsigned int rounds,
			   unsigned int load)
{
	enum { NOOP, HASH, OURS, VARIANTS };
	struct bpf_object *peers = peers_load(t, job->set.n_rules);
	struct bench_prog progs[VARIANTS];
	struct drive drives[VARIANTS];
	int n = 0, err = 0, targets[VARIANTS];

	if (!peers)
		return -errno;
	targets[NOOP] = -1;
	targets[HASH] = bpf_program__fd(bpf_object__find_program_by_name(peers, "hash"));
	targets[OURS] = pipe_prog(pipe, "root");
	for (; n < VARIANTS; n++) {
		err = drive_open("drive", 4, &t->headers, targets[n], 0, &drives[n], &progs[n]);
		if (err)
			goto out;
	}
	err = bench_interleave(progs, VARIANTS, rounds, t->n_flows > LIVE ? 4 : 2);
	if (err)
		goto out;
	t->ours[load] = progs[OURS].min_ns - progs[NOOP].min_ns;
	t->hash_ns[load] = progs[HASH].min_ns - progs[NOOP].min_ns;
	if (t->n_flows == LIVE && !load)
		err = compare(job, t, pipe, peers, &progs[OURS], &progs[HASH]);
out:
	while (n--)
		drive_close(&drives[n]);
	bpf_object__close(peers);
	return err;
}

/* What does not need a pipeline. */
static void job_report_tables(const struct job *job)
{
	const char *mix = job->kind->name;
	double seconds = job->set.compile_seconds + job->set.load_seconds, mb = (double)job->set.bytes / 1e6;
	size_t n = job->n;

	bench_row(bench_text("rules.%s.%zu.compile", mix, n),
		  bench_text("%s, %zu rules: compile and load, CPU", mix, n), seconds, "s", seconds, seconds);
	bench_row(bench_text("rules.%s.%zu.bytes", mix, n), bench_text("%s, %zu rules: compiled", mix, n), mb,
		  "MB", mb, mb);
	bench_row(bench_text("rules.%s.%zu.lines", mix, n),
		  bench_text("%s, %zu rules: table lines that a random header touches (mean, most)", mix, n),
		  job->lines_mean, "lines", job->lines_mean, job->lines_max);
	bench_row(bench_text("rules.%s.%zu.lines_max", mix, n),
		  bench_text("%s, %zu rules: most table lines of 100,000 random headers", mix, n),
		  job->lines_max, "lines", job->lines_max, job->lines_max);
}

static void job_report(const struct job *job, unsigned int loads)
{
	const char *mix = job->kind->name;
	size_t n = job->n;

	for (int i = 0; i < 2; i++) {
		const struct traffic *t = &job->traffic[i];
		double ratio[BENCH_LOADS_MAX];

		for (unsigned int l = 0; l < loads; l++)
			ratio[l] = t->ours[l] / t->hash_ns[l];
		bench_row_stat(bench_text("rules.%s.%zu.%s.ours", mix, n, t->id),
			       bench_text("%s, %zu rules, %zu flows: tcctl", mix, n, t->n_flows), t->ours,
			       loads, "ns");
		bench_row_stat(bench_text("rules.%s.%zu.%s.hash", mix, n, t->id),
			       bench_text("%s, %zu rules, %zu flows: hash of the flows", mix, n, t->n_flows),
			       t->hash_ns, loads, "ns");
		bench_row_stat(bench_text("rules.%s.%zu.%s.ratio", mix, n, t->id),
			       bench_text("%s, %zu rules, %zu flows: tcctl / hash", mix, n, t->n_flows),
			       ratio, loads, "×");
	}
}

static int emit(const char *mix, size_t n)
{
	struct spec *spec;
	unsigned int k = 0;
	char *text;
	size_t len;
	int err;

	while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k].name, mix))
		k++;
	if (k == ARRAY_SIZE(kinds))
		return 2;
	spec = spec_make(&kinds[k], n);
	err = spec_emit(spec, &text, &len);
	if (!err) {
		fwrite(text, 1, len, stdout);
		printf("interfaces:\n  d0: { rules: %s }\n", spec->rulesets[0].name);
		free(text);
	}
	rulegen_free(spec);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 1000, 10000, 100000 };
	static struct job jobs[ARRAY_SIZE(kinds) * ARRAY_SIZE(sizes)];
	bool quick = bench_init();
	unsigned int loads = quick ? 3 : 5, rounds = quick ? 15 : 61, n_jobs = 0;
	const bool only = argc == 4 && !strcmp(argv[1], "--only");
	int err;

	if (argc == 4 && !strcmp(argv[1], "--emit"))
		return emit(argv[2], (size_t)atol(argv[3]));
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++)
		for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++) {
			struct job *job = &jobs[n_jobs];

			if (quick && sizes[s] > 10000 && strcmp(kinds[k].name, "acl"))
				continue;
			if (only && (strcmp(argv[2], kinds[k].name) || sizes[s] != (size_t)atol(argv[3])))
				continue;
			job->kind = &kinds[k];
			job->n = sizes[s];
			err = job_prepare(job);
			if (err)
				bench_skip(bench_text("rules.%s.%zu", kinds[k].name, sizes[s]),
					   "cannot be set up: %s",
					   *ruleset_error() ? ruleset_error() : strerror(-err));
			else
				job_report_tables(&jobs[n_jobs++]);
		}
	for (unsigned int load = 0; load < loads; load++) {
		struct pipe pipe;

		err = pipe_open(&pipe, NULL, PIPE_CLASSIFY | PIPE_MARK | PIPE_END, "entry_eth");
		if (err) {
			bench_skip("rules", "the pipeline does not load: %s", strerror(-err));
			return 0;
		}
		for (unsigned int i = 0; i < n_jobs; i++) {
			struct job *job = &jobs[i];

			if (job->failed)
				continue;
			err = ruleset_use(&job->set, &pipe, 0);
			if (!err)
				err = pipe_set_generation(&pipe, 0);
			for (int t = 0; !err && t < 2; t++)
				err = traffic_measure(job, &job->traffic[t], &pipe, rounds, load);
			job->failed = err;
			if (err)
				bench_skip(bench_text("rules.%s.%zu", job->kind->name, job->n), "%s",
					   err == -EBADMSG ? "the two do not agree on the rules that match" :
							     strerror(-err));
		}
		pipe_close(&pipe);
	}
	for (unsigned int i = 0; i < n_jobs; i++)
		if (!jobs[i].failed)
			job_report(&jobs[i], loads);
	return 0;
}
