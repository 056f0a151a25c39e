// SPDX-License-Identifier: GPL-2.0-only
/*
 * What dispatch costs: root, entry, IPv4, UDP and one stage with every counter on, against a classifier that does
 * nothing; and how that adds up hop by hop, by cutting the path short with a program that does nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "lib/drive.h"
#include "lib/measure.h"
#include "pipe.h"
#include "pipeline.skel.h"

enum variant { NOOP, ROOT, ENTRY, IPV4, UDP, FULL, VARIANTS };
/* Where each variant ends: a slot that gets the program which does nothing instead of its own. */
static const struct {
	const char *id, *what, *table;
	uint32_t slot;
	const char *own;
} variants[VARIANTS] = {
	[NOOP] = { "noop", "a classifier that does nothing", NULL, 0, NULL },
	[ROOT] = { "root", "root", "jt_root", TCCTL_ROOT_CURRENT, "entry_eth" },
	[ENTRY] = { "entry", "root, entry", "jt_l3", TCCTL_L3_IPV4, "ipv4" },
	[IPV4] = { "ipv4", "root, entry, ipv4", "jt_l4", TCCTL_L4_UDP, "udp" },
	[UDP] = { "udp", "root, entry, ipv4, udp", "jt_stage", 0, "end" },
	[FULL] = { "full", "root, entry, ipv4, udp, one stage", NULL, 0, NULL },
};

static const char *const path[] = { "root", "entry_eth", "ipv4", "udp", "end" };
#define PATH (sizeof(path) / sizeof(path[0]))

/* Helper calls in what the verifier made of a program: array look-ups and jumps are inlined and not counted. */
static int count_helpers(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	struct bpf_insn *insns;
	int n = 0;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) || !info.xlated_prog_len)
		return -1;
	insns = malloc(info.xlated_prog_len);
	len = info.xlated_prog_len;
	memset(&info, 0, sizeof(info));
	info.xlated_prog_insns = (uintptr_t)insns;
	info.xlated_prog_len = len;
	len = sizeof(info);
	if (!insns || bpf_obj_get_info_by_fd(fd, &info, &len)) {
		free(insns);
		return -1;
	}
	for (uint32_t i = 0; i < info.xlated_prog_len / sizeof(*insns); i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL))
			n++;
	free(insns);
	return n;
}

/* Map look-ups in a program's source form: the verifier inlines most of them. */
static int count_lookups(const struct bpf_program *prog)
{
	const struct bpf_insn *insns = bpf_program__insns(prog);
	int n = 0;

	for (size_t i = 0; i < bpf_program__insn_cnt(prog); i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg &&
		    insns[i].imm == BPF_FUNC_map_lookup_elem)
			n++;
	return n;
}

static void figure(const char *prog, const char *name, double value, const char *unit)
{
	bench_row(bench_text("figures.%s.%s", prog, name), bench_text("%s: %s", prog, name), value, unit,
		  value, value);
}

static void figures(const struct pipe *p)
{
	struct bpf_program *prog;
	struct bench_prog_info info;
	double jited = 0, insns = 0;

	bpf_object__for_each_program(prog, p->obj) {
		const char *name = bpf_program__name(prog);

		bench_prog_info(bpf_program__fd(prog), &info);
		figure(name, "jited", info.jited, "bytes");
		figure(name, "insns", info.insns_verified, "instructions");
		figure(name, "helpers", count_helpers(bpf_program__fd(prog)), "calls");
		figure(name, "lookups", count_lookups(prog), "look-ups");
		for (size_t i = 0; i < PATH; i++)
			if (!strcmp(path[i], name)) {
				jited += info.jited;
				insns += info.insns_verified;
			}
	}
	figure("dispatch path", "jited", jited, "bytes");
	figure("dispatch path", "insns", insns, "instructions");
}

/* One load of the pipeline, cut differently before each slice. */
struct cut {
	struct pipe *pipe;
	int noop, variant;
};

static void cut(void *arg)
{
	const struct cut *c = arg;

	for (int v = 0; v < VARIANTS; v++)
		if (variants[v].table)
			pipe_graft(c->pipe, variants[v].table, variants[v].slot,
				   v == c->variant ? c->noop : pipe_prog(c->pipe, variants[v].own));
}

static int measure(unsigned int rounds, double net[VARIANTS], double *ret_load_seconds)
{
	const struct drive_flow flow = { 4, 17, { 10, 0, 0, 1 }, { 10, 0, 0, 2 }, 40000, 53 };
	struct bench_prog progs[VARIANTS], unused;
	struct cut cuts[VARIANTS];
	struct drive_headers headers;
	struct drive_header header;
	struct drive drive; /* for its program that does nothing, and its frame */
	struct pipe pipe;
	double t0;
	int err, noop;

	drive_header_write(&flow, &header);
	err = drive_headers_load(&header, 1, &headers);
	if (err)
		return err;
	err = drive_open("noop", 4, &headers, -1, 0, &drive, &unused);
	if (err)
		goto close_headers;
	memcpy(drive.frame + 14, &header, sizeof(header));
	noop = bpf_program__fd(bpf_object__find_program_by_name(drive.obj, "noop"));
	t0 = bench_now();
	err = pipe_open(&pipe, NULL, PIPE_END, "entry_eth");
	if (err)
		goto close_drive;
	*ret_load_seconds = bench_now() - t0;
	for (int v = 0; v < VARIANTS; v++) {
		cuts[v] = (struct cut){ &pipe, noop, v };
		progs[v] = (struct bench_prog){ .name = variants[v].id,
						.packet = drive.frame,
						.len = DRIVE_FRAME,
						.fd = v == NOOP ? noop : pipe_prog(&pipe, "root"),
						.before = v == NOOP ? NULL : cut,
						.arg = &cuts[v] };
	}
	err = bench_interleave(progs, VARIANTS, rounds, 1.5);
	/* The path ran to its end: packets were counted by the last stage. */
	if (!err && !pipe_counter(&pipe, TCCTL_CNT_STAGE + TCCTL_STAGE_END).packets)
		err = -ENOLINK;
	for (int v = 0; v < VARIANTS; v++)
		net[v] = progs[v].min_ns - (v == NOOP ? 0 : progs[NOOP].min_ns);
	pipe_close(&pipe);
close_drive:
	drive_close(&drive);
close_headers:
	drive_headers_close(&headers);
	return err;
}

int main(void)
{
	bool quick = bench_init();
	struct pipe whole;
	unsigned int loads = quick ? 3 : 7;
	double net[VARIANTS][BENCH_LOADS_MAX], hop[VARIANTS][BENCH_LOADS_MAX], load_seconds[BENCH_LOADS_MAX];

	for (unsigned int load = 0; load < loads; load++) {
		double cost[VARIANTS];
		int err = measure(61, cost, &load_seconds[load]);

		if (err) {
			bench_skip("dispatch", "%s",
				   err == -ENOLINK ? "packets did not reach the last stage" : strerror(-err));
			return 0;
		}
		for (int v = 0; v < VARIANTS; v++) {
			net[v][load] = cost[v];
			hop[v][load] = v > ROOT ? cost[v] - cost[v - 1] : cost[v];
		}
	}
	for (int v = 0; v < VARIANTS; v++)
		bench_row_stat(bench_text("dispatch.%s", variants[v].id),
			       v == NOOP ? "a classifier that does nothing, in full" : variants[v].what,
			       net[v], loads, "ns");
	for (int v = ROOT; v < VARIANTS; v++)
		bench_row_stat(bench_text("dispatch.hop.%s", v == FULL ? "stage" : variants[v].id),
			       bench_text("of which %s", v == FULL ? "the stage" : variants[v].id), hop[v],
			       loads, "ns");
	if (!pipe_open(&whole, NULL, PIPE_CLASSIFY | PIPE_MARK | PIPE_END, "entry_eth")) {
		figures(&whole);
		pipe_close(&whole);
	}
	bench_row_stat("figures.load", "loading a pipeline without classification", load_seconds, loads, "s");
	return 0;
}
