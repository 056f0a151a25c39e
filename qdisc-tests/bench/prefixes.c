// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prefix sets: is the source address in a set of N prefixes? A rule set of one rule that names the set, against the
 * kernel's longest-prefix-match trie in a program written by hand for it.
 *
 * Prefix lengths follow the global routing tables (mixes below); queries are 65,536 different addresses: nine of ten
 * a random host inside a random prefix of the set, one of ten any address. Both count the packets that
 * matched, and must agree.
 *
 *   total   the whole path, net of a classifier that does nothing
 *   look-up the same less the path without the set: a rule that matches everything, a program without a trie
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

#define QUERIES 65536

struct prefix {
	uint8_t addr[16], len;
};

struct mix {
	const char *id, *text;
	uint8_t family;
	struct {
		uint8_t len, percent;
	} lens[12];
};

/* clang-format off */
static const struct mix mixes[] = {
	{ "v4", "IPv4", 4,
	  { { 24, 60 }, { 23, 10 }, { 22, 12 }, { 21, 5 }, { 20, 5 }, { 19, 3 }, { 18, 2 }, { 17, 1 }, { 16, 2 } } },
	{ "v4long", "IPv4, a tenth longer than /24", 4,
	  { { 24, 54 }, { 23, 9 }, { 22, 11 }, { 21, 5 }, { 20, 5 }, { 19, 3 }, { 18, 2 }, { 16, 1 },
	    { 32, 5 }, { 30, 2 }, { 28, 2 }, { 25, 1 } } },
	{ "v6", "IPv6", 6,
	  { { 48, 45 }, { 32, 15 }, { 44, 10 }, { 40, 8 }, { 36, 6 }, { 29, 4 }, { 46, 4 }, { 64, 4 }, { 47, 2 },
	    { 56, 2 } } },
};
/* clang-format on */
#define MIXES (sizeof(mixes) / sizeof(mixes[0]))

static int prefix_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

/* Unicast IPv4; IPv6 from 2000::/3 below 50,000 allocations of 32 bits, as registries hand them out. */
static void address_random(struct bench_rng *rng, uint8_t family, uint8_t addr[16])
{
	static const uint8_t v6_top[][2] = { { 0x20, 0x01 }, { 0x24, 0x00 }, { 0x26, 0x00 },
					     { 0x28, 0x00 }, { 0x2a, 0x00 }, { 0x2c, 0x00 } };
	uint64_t r = bench_rand(rng);

	memset(addr, 0, 16);
	if (family == 4) {
		uint32_t a = htonl(0x01000000U + (uint32_t)(r % 0xdf000000U));

		memcpy(addr, &a, 4);
	} else {
		struct bench_rng block = { 0x9e3779b97f4a7c15ULL * (1 + (r >> 16) % 50000) };
		uint64_t alloc = bench_rand(&block), low = bench_rand(rng);

		memcpy(addr, &alloc, 4);
		addr[0] = v6_top[alloc % 6][0];
		addr[1] = (uint8_t)(v6_top[alloc % 6][1] | (addr[0] == 0x20 ? 0 : addr[1] & 0x0f));
		memcpy(addr + 4, &low, 8);
		low = bench_rand(rng);
		memcpy(addr + 12, &low, 4);
	}
}

static void address_mask(uint8_t addr[16], unsigned int len)
{
	for (unsigned int i = 0; i < 16; i++)
		if (len < 8 * (i + 1))
			addr[i] &= (uint8_t)(len <= 8 * i ? 0 : 0xff << (8 - (len - 8 * i)));
}

/* `n` different prefixes in random order. */
static struct prefix *prefixes_make(const struct mix *mix, size_t n)
{
	struct prefix *p = malloc(2 * n * sizeof(*p)), tmp;
	struct bench_rng rng = { 0x1234567 + n + mix->family };
	size_t have = 0, kept;

	if (!p)
		return NULL;
	while (have < n) {
		for (size_t want = have + (n - have) * 5 / 4 + 1 < 2 * n ? have + (n - have) * 5 / 4 + 1 :
									   2 * n;
		     have < want; have++) {
			unsigned int x = (unsigned int)(bench_rand(&rng) % 100), k = 0;

			while (x >= mix->lens[k].percent)
				x -= mix->lens[k++].percent;
			address_random(&rng, mix->family, p[have].addr);
			p[have].len = mix->lens[k].len;
			address_mask(p[have].addr, p[have].len);
		}
		qsort(p, have, sizeof(*p), prefix_cmp);
		kept = 1;
		for (size_t i = 1; i < have; i++)
			if (prefix_cmp(&p[i], &p[kept - 1]))
				p[kept++] = p[i];
		have = kept;
	}
	for (size_t i = have - 1; i; i--) {
		size_t j = bench_rand(&rng) % (i + 1);

		tmp = p[i];
		p[i] = p[j];
		p[j] = tmp;
	}
	return p;
}

static struct drive_header *queries_make(const struct mix *mix, const struct prefix *p, size_t n)
{
	struct drive_header *h = malloc(QUERIES * sizeof(*h));
	struct bench_rng rng = { 0xabcdef + n };

	for (size_t i = 0; h && i < QUERIES; i++) {
		struct drive_flow flow = { .family = mix->family,
					   .proto = 17,
					   .dst = { 192, 168, 1, 1 },
					   .sport = 40000,
					   .dport = 53 };

		address_random(&rng, mix->family, flow.src);
		if (i % 10) {
			const struct prefix *in = &p[bench_rand(&rng) % n];
			uint8_t net[16];

			memcpy(net, flow.src, 16);
			address_mask(net, in->len);
			for (int k = 0; k < 16; k++)
				flow.src[k] = (uint8_t)((flow.src[k] ^ net[k]) | in->addr[k]);
		}
		drive_header_write(&flow, &h[i]);
	}
	return h;
}

static int prefixes_write(const char *path, const struct mix *mix, const struct prefix *p, size_t n)
{
	FILE *f = fopen(path, "we");
	char text[INET6_ADDRSTRLEN];

	if (!f)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		inet_ntop(mix->family == 4 ? AF_INET : AF_INET6, p[i].addr, text, sizeof(text));
		fprintf(f, "%s/%u\n", text, p[i].len);
	}
	return fclose(f) ? -errno : 0;
}

/* --- what is compared ---------------------------------------------------------------------------------- */

struct job {
	const struct mix *mix;
	size_t n;
	struct drive_headers headers;
	struct ruleset set;
	int trie; /* fd */
	double total[2][BENCH_LOADS_MAX], lookup[2][BENCH_LOADS_MAX], ratio[BENCH_LOADS_MAX];
	double trie_seconds;
	bool failed;
};
enum { OURS, TRIE };

static int trie_load(struct job *job, const struct prefix *p)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	size_t addr_len = job->mix->family == 4 ? 4 : 16;
	uint64_t value = 1ULL << 32; /* rule 0, mark 1 */
	double t0 = bench_cpu();
	struct {
		uint32_t len;
		uint8_t addr[16];
	} key;

	job->trie = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "trie", (uint32_t)(4 + addr_len), 8,
				   (uint32_t)job->n, &opts);
	if (job->trie < 0)
		return job->trie;
	for (size_t i = 0; i < job->n; i++) {
		key.len = p[i].len;
		memcpy(key.addr, p[i].addr, 16);
		if (bpf_map_update_elem(job->trie, &key, &value, 0))
			return -errno;
	}
	job->trie_seconds = bench_cpu() - t0;
	return 0;
}

static int job_prepare(struct job *job)
{
	static const char yaml[] = "tcctl: 1\nclasses:\n  hit: { mark: 1 }\nsets:\n  s: { file: prefixes }\n"
				   "rules:\n  all:\n    - { src: s, class: hit }\n";
	struct prefix *p = prefixes_make(job->mix, job->n);
	struct drive_header *h = p ? queries_make(job->mix, p, job->n) : NULL;
	char dir[] = "/tmp/tcctl-bench-XXXXXX";
	const char *file;
	int err;

	if (!h || !mkdtemp(dir))
		return -ENOMEM;
	file = bench_text("%s/prefixes", dir);
	err = prefixes_write(file, job->mix, p, job->n);
	if (!err)
		err = ruleset_load(yaml, strlen(yaml), dir, &job->set);
	unlink(file);
	rmdir(dir);
	if (!err)
		err = trie_load(job, p);
	if (!err)
		err = drive_headers_load(h, QUERIES, &job->headers);
	free(h);
	free(p);
	return err;
}

static struct bpf_object *peers_load(const struct job *job)
{
	struct bpf_object *obj = bpf_object__open(bench_object("peers"));
	const char *name = job->mix->family == 4 ? "trie4" : "trie6";

	if (!obj)
		return NULL;
	bpf_map__set_max_entries(bpf_object__find_map_by_name(obj, name), (uint32_t)job->n);
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(obj, name), job->trie) || bpf_object__load(obj)) {
		bpf_object__close(obj);
		return NULL;
	}
	return obj;
}

static uint64_t peer_matches(const struct bpf_object *obj)
{
	struct tcctl_counter cpus[256] = {};
	const uint32_t zero = 0;
	uint64_t n = 0;

	bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(obj, "rules"), &zero, cpus);
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 256; i++)
		n += cpus[i].packets;
	return n;
}

/* Every query once. */
static int pass(const struct bench_prog *p)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->packet, .data_size_in = p->len, .repeat = QUERIES);

	return bpf_prog_test_run_opts(p->fd, &opts) ? -errno : 0;
}

struct switch_to {
	struct pipe *pipe;
	uint32_t generation;
};

static void generation(void *arg)
{
	const struct switch_to *s = arg;

	pipe_set_generation(s->pipe, s->generation);
}

static int job_measure(struct job *job, struct pipe *pipe, const struct ruleset *catch_all,
		       unsigned int rounds, unsigned int load)
{
	enum { NOOP, PLAIN, PEER, BASE, FULL, VARIANTS };
	struct switch_to base = { pipe, 2 }, full = { pipe, 3 };
	struct bench_prog progs[VARIANTS];
	struct drive drives[VARIANTS];
	struct bpf_object *peers;
	uint64_t ours, theirs;
	bool v4 = job->mix->family == 4;
	int err, n = 0, targets[VARIANTS];

	peers = peers_load(job);
	if (!peers)
		return -errno;
	err = ruleset_use(catch_all, pipe, 0);
	if (!err)
		err = ruleset_use(&job->set, pipe, 1);
	targets[NOOP] = -1;
	targets[PLAIN] =
		bpf_program__fd(bpf_object__find_program_by_name(peers, v4 ? "plain_v4" : "plain_v6"));
	targets[PEER] = bpf_program__fd(bpf_object__find_program_by_name(peers, v4 ? "lpm_v4" : "lpm_v6"));
	targets[BASE] = targets[FULL] = pipe_prog(pipe, "root");
	for (; !err && n < VARIANTS; n++) {
		err = drive_open("drive", job->mix->family, &job->headers, targets[n], 0, &drives[n],
				 &progs[n]);
		if (err)
			break;
	}
	if (err)
		goto out;
	progs[BASE].before = progs[FULL].before = generation;
	progs[BASE].arg = &base;
	progs[FULL].arg = &full;
	err = bench_interleave(progs, VARIANTS, rounds, 2);
	if (err)
		goto out;
	ours = pipe_counter(pipe, ruleset_counter(0)).packets;
	theirs = peer_matches(peers);
	err = pass(&progs[FULL]);
	if (!err)
		err = pass(&progs[PEER]);
	ours = pipe_counter(pipe, ruleset_counter(0)).packets - ours;
	theirs = peer_matches(peers) - theirs;
	if (!err && (ours != theirs || ours < QUERIES / 2)) {
		fprintf(stderr, "prefixes: %s %zu: %lu packets matched, the trie says %lu\n", job->mix->id,
			job->n, ours, theirs);
		err = -EBADMSG;
	}
	job->total[OURS][load] = progs[FULL].min_ns - progs[NOOP].min_ns;
	job->total[TRIE][load] = progs[PEER].min_ns - progs[NOOP].min_ns;
	job->lookup[OURS][load] = progs[FULL].min_ns - progs[BASE].min_ns;
	job->lookup[TRIE][load] = progs[PEER].min_ns - progs[PLAIN].min_ns;
	job->ratio[load] = job->lookup[OURS][load] / job->lookup[TRIE][load];
out:
	while (n--)
		drive_close(&drives[n]);
	bpf_object__close(peers);
	return err;
}

static void job_report(const struct job *job, unsigned int loads)
{
	const char *m = job->mix->id, *t = job->mix->text;
	double mb = (double)job->set.bytes / 1e6, seconds = job->set.compile_seconds + job->set.load_seconds;

	bench_row_stat(bench_text("prefix.%s.%zu.ours.total", m, job->n),
		       bench_text("%s, %zu prefixes: tcctl, total", t, job->n), job->total[OURS], loads,
		       "ns");
	bench_row_stat(bench_text("prefix.%s.%zu.lpm.total", m, job->n),
		       bench_text("%s, %zu prefixes: LPM trie, total", t, job->n), job->total[TRIE], loads,
		       "ns");
	bench_row_stat(bench_text("prefix.%s.%zu.ours.lookup", m, job->n),
		       bench_text("%s, %zu prefixes: tcctl, look-up", t, job->n), job->lookup[OURS], loads,
		       "ns");
	bench_row_stat(bench_text("prefix.%s.%zu.lpm.lookup", m, job->n),
		       bench_text("%s, %zu prefixes: LPM trie, look-up", t, job->n), job->lookup[TRIE], loads,
		       "ns");
	bench_row_stat(bench_text("prefix.%s.%zu.ratio", m, job->n),
		       bench_text("%s, %zu prefixes: tcctl / LPM, look-up", t, job->n), job->ratio, loads,
		       "×");
	bench_row(bench_text("prefix.%s.%zu.bytes", m, job->n),
		  bench_text("%s, %zu prefixes: compiled", t, job->n), mb, "MB", mb, mb);
	bench_row(bench_text("prefix.%s.%zu.compile", m, job->n),
		  bench_text("%s, %zu prefixes: compile and load", t, job->n), seconds, "s", seconds,
		  seconds);
	bench_row(bench_text("prefix.%s.%zu.lpm.load", m, job->n),
		  bench_text("%s, %zu prefixes: filling the trie", t, job->n), job->trie_seconds, "s",
		  job->trie_seconds, job->trie_seconds);
}

int main(void)
{
	static const char catch_all_yaml[] =
		"tcctl: 1\nclasses:\n  hit: { mark: 1 }\nrules:\n  all:\n    - { class: hit }\n";
	static const size_t sizes[] = { 1000, 100000, 1000000 };
	static struct job jobs[MIXES * 3];
	bool quick = bench_init();
	unsigned int loads = quick ? 3 : 5, rounds = quick ? 15 : 61, n_jobs = 0;
	struct ruleset catch_all;
	int err = ruleset_load(catch_all_yaml, strlen(catch_all_yaml), NULL, &catch_all);

	if (err) {
		bench_skip("prefix", "the rule compiler failed: %s", strerror(-err));
		return 0;
	}
	for (size_t m = 0; m < MIXES; m++)
		for (size_t s = 0; s < 3; s++) {
			struct job *job = &jobs[n_jobs];

			if (!strcmp(mixes[m].id, "v4long") && (quick || sizes[s] < 1000000))
				continue;
			if (quick && sizes[s] == 100000)
				continue;
			job->mix = &mixes[m];
			job->n = sizes[s];
			err = job_prepare(job);
			if (err)
				bench_skip(bench_text("prefix.%s.%zu", mixes[m].id, sizes[s]),
					   "cannot be set up: %s",
					   *ruleset_error() ? ruleset_error() : strerror(-err));
			else
				n_jobs++;
		}
	for (unsigned int load = 0; load < loads; load++) {
		struct pipe pipe;

		err = pipe_open(&pipe, NULL, PIPE_CLASSIFY | PIPE_MARK | PIPE_END, "entry_eth");
		if (err) {
			bench_skip("prefix", "the pipeline does not load: %s", strerror(-err));
			return 0;
		}
		for (unsigned int i = 0; i < n_jobs; i++) {
			if (jobs[i].failed)
				continue;
			err = job_measure(&jobs[i], &pipe, &catch_all, rounds, load);
			jobs[i].failed = err;
			if (err)
				bench_skip(bench_text("prefix.%s.%zu", jobs[i].mix->id, jobs[i].n), "%s",
					   err == -EBADMSG ?
						   "the two do not agree on the packets that match" :
						   strerror(-err));
		}
		pipe_close(&pipe);
	}
	for (unsigned int i = 0; i < n_jobs; i++)
		if (!jobs[i].failed)
			job_report(&jobs[i], loads);
	return 0;
}
