// SPDX-License-Identifier: GPL-2.0-only
/*
 * End to end: real frames through veth pairs, each with another classifier on its receiving end.
 *
 *   inject --id PREFIX --rules N --flows F NAME=TX:RX NAME=TX:RX …
 *
 * TX and RX are the two ends of a veth in this network namespace. The first two pairs must be set up alike: they
 * are the A/A pair that tells whether the machine was quiet enough. Frames are UDP; flow f belongs to rule
 * r = f * N / F, and has a source in 10.0.0.0 + 256 * r and destination port 1024 + r (what bench/run writes its
 * rules from). They carry a foreign MAC address, so the stack drops them right after classification.
 *
 * Per round: ten slices of about 2 ms for each pair in turn, of which the cheapest counts. The row has the median
 * over the rounds, and their extremes. The run is repeated when the A/A pair differs by more than 5 %, then given up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "lib/measure.h"

#define HEADER 64
#define FRAME (14 + HEADER)
#define PAIRS_MAX 16
#define SLICES 10
#define BATCH 64 /* the kernel makes and sends frames by that many */
#define ROUNDS_MAX 32
#define AA_LIMIT 0.05
#define TRIES 3

struct pair {
	char name[32], tx[IFNAMSIZ], rx[IFNAMSIZ];
	unsigned int tx_index, rx_index;
	uint32_t every; /* frames in a slice */
	double round[ROUNDS_MAX];
};

static struct pair pairs[PAIRS_MAX];
static size_t n_pairs;
static int inject_fd, bss_fd;

static void header_write(unsigned char h[HEADER], unsigned int rule, unsigned int flow)
{
	uint32_t sum = 0, src = htonl(0x0a000001 + 256 * rule + flow % 200), dst = htonl(0xc0a80101);
	uint16_t sport = htons((uint16_t)(40000 + flow / 200)), dport = htons((uint16_t)(1024 + rule)),
		 len = htons(HEADER - 20);

	memset(h, 0, HEADER);
	h[0] = 0x45;
	h[3] = HEADER;
	h[8] = 64;
	h[9] = 17;
	memcpy(h + 12, &src, 4);
	memcpy(h + 16, &dst, 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)h[i] << 8 | h[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	h[10] = (unsigned char)(sum >> 8);
	h[11] = (unsigned char)sum;
	memcpy(h + 20, &sport, 2);
	memcpy(h + 22, &dport, 2);
	memcpy(h + 24, &len, 2); /* UDP checksum 0: none */
}

/* Packets that a device received, from /proc/net/dev. */
static uint64_t received(const char *dev)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	char line[512];
	uint64_t n = 0;
	size_t len = strlen(dev);

	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strspn(line, " ");

		if (!strncmp(p, dev, len) && p[len] == ':') {
			sscanf(p + len + 1, "%*u %lu", &n);
			break;
		}
	}
	if (f)
		fclose(f);
	return n;
}

/* Of inject.bpf.c. */
#define STAMPS 32
struct state {
	uint32_t device, next, every, left, n_stamps, pad;
	uint64_t stamps[STAMPS];
};

/* `slices` slices of `every` frames each, in one go. *ret_ns is what a frame cost in the cheapest one. */
static int inject(const struct pair *p, unsigned int slices, uint32_t every, double *ret_ns)
{
	static unsigned char frame[FRAME] = { 2, 0, 0, 0, 0xee, 0xee, 2, 0, 0, 0, 0xee, 1, 8, 0 };
	struct xdp_md ctx = { .data_end = FRAME };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = (int)(slices * every + 1),
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	struct state state = { .device = p->tx_index, .every = every, .left = 1 };
	const uint32_t zero = 0;

	if (bpf_map_update_elem(bss_fd, &zero, &state, 0) || bpf_prog_test_run_opts(inject_fd, &opts) ||
	    bpf_map_lookup_elem(bss_fd, &zero, &state))
		return -errno;
	if (state.n_stamps != slices + 1)
		return -EIO;
	*ret_ns = 1e18;
	for (unsigned int s = 0; s < slices; s++)
		*ret_ns = fmin(*ret_ns, (double)(state.stamps[s + 1] - state.stamps[s]) / every);
	return 0;
}

/* Find out how many frames make a slice of about 2 ms; checks that they arrive. */
static int calibrate(struct pair *p)
{
	uint64_t before = received(p->rx), got;
	double ns = 1;
	int err;

	err = inject(p, SLICES, BATCH, &ns);
	if (err)
		return err;
	got = received(p->rx) - before;
	if (got < SLICES * BATCH) {
		fprintf(stderr, "inject: %s: %lu of %u frames arrived\n", p->name, got, SLICES * BATCH + 1);
		return -EIO;
	}
	p->every = (uint32_t)(2e6 / ns) / BATCH * BATCH;
	if (p->every < BATCH)
		p->every = BATCH;
	return 0;
}

static int run(unsigned int rounds)
{
	for (unsigned int r = 0; r < rounds; r++)
		for (size_t i = 0; i < n_pairs; i++) {
			int err = inject(&pairs[i], SLICES, pairs[i].every, &pairs[i].round[r]);

			if (err)
				return err;
		}
	return 0;
}

static struct bpf_object *load(unsigned int rules, unsigned int flows, int *ret_accept_fd)
{
	struct bpf_object *obj = bpf_object__open(bench_object("inject"));
	struct bpf_map *map, *headers, *ro = NULL, *bss = NULL;
	unsigned char h[HEADER];
	uint32_t n = 1;
	size_t size;

	if (!obj)
		return NULL;
	while (n < flows)
		n *= 2;
	headers = bpf_object__find_map_by_name(obj, "headers");
	bpf_map__set_max_entries(headers, n);
	bpf_object__for_each_map(map, obj) {
		if (strstr(bpf_map__name(map), ".rodata"))
			ro = map;
		if (strstr(bpf_map__name(map), ".bss"))
			bss = map;
	}
	if (!ro || !bss)
		return NULL;
	*(uint32_t *)bpf_map__initial_value(ro, &size) = n - 1;
	if (bpf_object__load(obj))
		return NULL;
	bss_fd = bpf_map__fd(bss);
	/* Neighbouring frames belong to rules far apart: 7919 is prime, so every flow has its turn. */
	for (uint32_t i = 0; i < n; i++) {
		uint64_t flow = (uint64_t)i * 7919 % flows;

		header_write(h, (unsigned int)(flow * rules / flows), (unsigned int)flow);
		if (bpf_map_update_elem(bpf_map__fd(headers), &i, h, 0))
			return NULL;
	}
	inject_fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "inject"));
	*ret_accept_fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "accept"));
	return obj;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "id", required_argument, NULL, 'i' },
		{ "rules", required_argument, NULL, 'r' },
		{ "flows", required_argument, NULL, 'f' },
		{},
	};
	unsigned int rules = 10, flows = 1000, rounds = bench_init() ? 3 : 9;
	const char *id = "e2e";
	double aa = 0, lo, hi;
	int c, err, accept_fd;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'i': id = optarg; break;
		case 'r': rules = (unsigned int)atoi(optarg); break;
		case 'f': flows = (unsigned int)atoi(optarg); break;
		default: return 2;
		}
	for (; optind < argc && n_pairs < PAIRS_MAX; optind++) {
		struct pair *p = &pairs[n_pairs++];

		if (sscanf(argv[optind], "%31[^=]=%15[^:]:%15s", p->name, p->tx, p->rx) != 3)
			return 2;
		p->tx_index = if_nametoindex(p->tx);
		p->rx_index = if_nametoindex(p->rx);
		if (!p->tx_index || !p->rx_index) {
			fprintf(stderr, "inject: no device %s or %s\n", p->tx, p->rx);
			return 1;
		}
	}
	if (n_pairs < 2 || !rules || !flows)
		return 2;
	if (!load(rules, flows, &accept_fd)) {
		fprintf(stderr, "inject: cannot load the packet source: %s\n", strerror(errno));
		return 1;
	}
	for (size_t i = 0; i < n_pairs; i++) {
		err = bpf_xdp_attach((int)pairs[i].rx_index, accept_fd, 0, NULL);
		if (!err)
			err = calibrate(&pairs[i]);
		if (err) {
			fprintf(stderr, "inject: %s: %s\n", pairs[i].name, strerror(-err));
			return 1;
		}
	}
	for (int try = 0; try < TRIES; try++) {
		err = run(rounds);
		if (err) {
			fprintf(stderr, "inject: %s\n", strerror(-err));
			return 1;
		}
		lo = bench_median(pairs[0].round, rounds);
		hi = bench_median(pairs[1].round, rounds);
		aa = fabs(lo - hi) / fmin(lo, hi);
		if (aa <= AA_LIMIT)
			break;
		fprintf(stderr, "inject: A/A pair differs by %.1f %%, try %d of %d\n", aa * 100, try + 1,
			TRIES);
	}
	if (aa > AA_LIMIT) {
		bench_skip(id,
			   "void: two equal set-ups differed by %.1f %% in %d tries, the machine is too busy",
			   aa * 100, TRIES);
		return 0;
	}
	bench_row(bench_text("%s.aa", id), "difference between two equal set-ups", aa * 100, "%", aa * 100,
		  aa * 100);
	for (size_t i = 0; i < n_pairs; i++)
		bench_row_stat(bench_text("%s.%s", id, pairs[i].name),
			       bench_text("%u rules, %u flows: %s", rules, flows, pairs[i].name),
			       pairs[i].round, rounds, "ns");
	return 0;
}
