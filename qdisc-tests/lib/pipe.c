// SPDX-License-Identifier: GPL-2.0-only
#include "pipe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alone.skel.h"
#include "pipeline.skel.h"
#include "pipeline/head.h"

/* Slots and the functions that fill them; NULL: the probe or the next stage. */
static const char *const l3_progs[TCCTL_L3_MAX] = { "ipv4", "ipv6", "arp", "mpls", "pppoe", "other_l3" };
static const char *const l4_progs[TCCTL_L4_MAX] = { "tcp",  "udp",   "icmp", "icmpv6", "sctp",    "gre",
						    "ipip", "ip6ip", "esp",  "ah",     "other_l4" };

/* Programs that a pipeline has another one for. */
static const char *const stand_ins[][2] = { { "esp", "other_l4" }, { "ah", "other_l4" }, { "icmpv6", "icmp" } };

static const char *const udp_progs[TCCTL_UDP_USER] = { "vxlan", "geneve", "gtpu", "mpls_udp", "fou", "gue" };

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_WARN)
		return 0;
	return vfprintf(stderr, fmt, ap);
}

/* r0 = PIPE_PROBED; exit */
static int probe_load(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = PIPE_PROBED },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "probe", "GPL", insns, 2, NULL);
}

int pipe_prog(const struct pipe *p, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, name);

	for (size_t i = 0; !prog && i < sizeof(stand_ins) / sizeof(stand_ins[0]); i++)
		if (!strcmp(name, stand_ins[i][0]))
			prog = bpf_object__find_program_by_name(p->obj, stand_ins[i][1]);
	return prog ? bpf_program__fd(prog) : -1;
}

int pipe_map(const struct pipe *p, const char *name)
{
	return bpf_object__find_map_fd_by_name(p->obj, name);
}

int pipe_graft(const struct pipe *p, const char *table, uint32_t slot, int prog_fd)
{
	int fd = pipe_map(p, table);

	if (fd < 0)
		return fd;
	if (prog_fd < 0)
		return bpf_map_delete_elem(fd, &slot);
	return bpf_map_update_elem(fd, &slot, &prog_fd, BPF_ANY);
}

static int fill(struct pipe *p, unsigned int stages, const char *entry)
{
	int err, next = p->probe;

	for (uint32_t i = 0; i < TCCTL_L3_MAX; i++) {
		err = pipe_graft(p, "jt_l3", i, pipe_prog(p, l3_progs[i]));
		if (err)
			return err;
	}
	for (uint32_t i = 0; i < TCCTL_L4_MAX; i++) {
		err = pipe_graft(p, "jt_l4", i, pipe_prog(p, l4_progs[i]));
		if (err)
			return err;
	}
	err = pipe_graft(p, "jt_stage", TCCTL_STAGE_COUNT, pipe_prog(p, "count"));
	if (err)
		return err;
	if (stages & PIPE_CLASSIFY) {
		err = pipe_graft(p, "jt_stage", TCCTL_STAGE_WALK, pipe_prog(p, "walk"));
		if (err)
			return err;
	}
	if (stages & PIPE_DECAP) {
		for (uint32_t i = 0; i < TCCTL_UDP_USER; i++) {
			err = pipe_graft(p, "jt_udp", i, pipe_prog(p, udp_progs[i]));
			if (err)
				return err;
		}
		err = pipe_graft(p, "jt_stage", TCCTL_STAGE_INNER_ETH, pipe_prog(p, "entry_eth"));
		if (err)
			return err;
	}
	for (int i = TCCTL_STAGE_END; i >= 0; i--) {
		if (i == TCCTL_STAGE_END && stages & PIPE_DELIVER)
			next = pipe_prog(p, "deliver");
		if (i == TCCTL_STAGE_DECAP && stages & PIPE_DECAP)
			next = pipe_prog(p, "decap");
		if (i == TCCTL_STAGE_END && stages & PIPE_END)
			next = pipe_prog(p, "end");
		if (i == TCCTL_STAGE_MARK && stages & PIPE_MARK)
			next = pipe_prog(p, "mark");
		if (i == TCCTL_STAGE_CLASSIFY && stages & PIPE_CLASSIFY)
			next = pipe_prog(p, "classify");
		err = pipe_graft(p, "jt_stage", (uint32_t)i, next);
		if (err)
			return err;
	}
	return pipe_graft(p, "jt_root", TCCTL_ROOT_CURRENT, pipe_prog(p, entry));
}

int pipe_open(struct pipe *p, const struct tcctl_cfg *cfg, unsigned int stages, const char *entry)
{
	struct bpf_map *map;
	const void *elf;
	size_t len;
	int err;

	memset(p, 0, sizeof(*p));
	for (int i = 0; i < TCCTL_CHUNKS_MAX; i++)
		p->chunk[i] = -1;
	p->arena[0] = p->arena[1] = p->probe = -1;
	p->ncpus = libbpf_num_possible_cpus();
	libbpf_set_print(silent);
	elf = stages & PIPE_ALONE ? alone__elf_bytes(&len) : pipeline__elf_bytes(&len);
	p->obj = bpf_object__open_mem(elf, len, NULL);
	if (!p->obj)
		return -errno;
	bpf_object__for_each_map(map, p->obj) {
		bpf_map__set_pin_path(map, NULL);
		/* `cfg` is the only constant of the pipeline */
		if (cfg && strstr(bpf_map__name(map), ".rodata")) {
			void *constants = (void *)bpf_map__initial_value(map, &len);

			memcpy(constants, cfg, len < sizeof(*cfg) ? len : sizeof(*cfg));
		}
	}
	if (!(stages & PIPE_CLASSIFY)) { /* by far the longest to verify */
		struct bpf_program *prog;

		bpf_object__for_each_program(prog, p->obj)
			if (!strcmp(bpf_program__name(prog), "classify") || !strcmp(bpf_program__name(prog), "walk"))
				bpf_program__set_autoload(prog, false);
	}
	err = bpf_object__load(p->obj);
	if (!err) {
		p->probe = probe_load();
		err = p->probe < 0 ? p->probe : 0;
	}
	if (!err)
		err = fill(p, stages, entry);
	if (!err)
		err = pipe_add_chunk(p, TCCTL_CHUNK_HOOKS);
	if (err) {
		fprintf(stderr, "pipe_open: %s\n", strerror(-err));
		pipe_close(p);
	}
	return err;
}

void pipe_close(struct pipe *p)
{
	if (p->probe > 0)
		close(p->probe);
	for (int i = 0; i < TCCTL_CHUNKS_MAX; i++)
		if (p->chunk[i] >= 0)
			close(p->chunk[i]);
	for (int i = 0; i < 2; i++)
		if (p->arena[i] >= 0)
			close(p->arena[i]);
	bpf_object__close(p->obj);
	p->obj = NULL;
}

int pipe_add_chunk(struct pipe *p, uint32_t chunk)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "chunk", 4, sizeof(struct tcctl_counter), TCCTL_CHUNK, NULL);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(pipe_map(p, "counters"), &chunk, &fd, BPF_ANY);
	if (err) {
		close(fd);
		return err;
	}
	p->chunk[chunk] = fd;
	return 0;
}

int pipe_put_arena(struct pipe *p, uint32_t half, int fd)
{
	struct tcctl_head head;
	int err;

	if (bpf_map_update_elem(pipe_map(p, "arenas"), &half, &fd, BPF_ANY))
		return -errno;
	err = head_read(fd, &head);
	if (err)
		return err;
	return bpf_map_update_elem(pipe_map(p, "heads"), &half, &head, BPF_ANY) ? -errno : 0;
}

int pipe_set_arena(struct pipe *p, uint32_t half, const void *lines, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	int err, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arena", 4, 64, n, &opts);

	if (fd < 0)
		return fd;
	for (uint32_t i = 0; i < n; i++)
		bpf_map_update_elem(fd, &i, (const char *)lines + 64 * i, BPF_ANY);
	err = pipe_put_arena(p, half, fd);
	if (p->arena[half] >= 0)
		close(p->arena[half]);
	p->arena[half] = fd;
	return err;
}

int pipe_set_generation(struct pipe *p, uint32_t generation)
{
	struct tcctl_ctl c = { .generation = generation };
	uint32_t key = 0;

	return bpf_map_update_elem(pipe_map(p, "ctl"), &key, &c, BPF_ANY);
}

struct tcctl_counter pipe_counter(const struct pipe *p, uint32_t id)
{
	struct tcctl_counter sum = {}, *cpus = calloc((size_t)p->ncpus, sizeof(*cpus));
	uint32_t chunk = id / TCCTL_CHUNK, index = id % TCCTL_CHUNK;
	int fd = chunk ? p->chunk[chunk] : pipe_map(p, "counters_fixed");

	if (cpus && fd >= 0 && !bpf_map_lookup_elem(fd, &index, cpus)) {
		for (int i = 0; i < p->ncpus; i++) {
			sum.packets += cpus[i].packets;
			sum.segments += cpus[i].segments;
			sum.bytes += cpus[i].bytes;
		}
	}
	free(cpus);
	return sum;
}

void pipe_counters(const struct pipe *p, struct tcctl_counter *ret)
{
	for (uint32_t i = 0; i < TCCTL_CNT_FIXED_MAX; i++)
		ret[i] = pipe_counter(p, i);
}

void pipe_counters_zero(const struct pipe *p)
{
	struct tcctl_counter *zero = calloc((size_t)p->ncpus, sizeof(*zero));
	int fd = pipe_map(p, "counters_fixed");

	for (uint32_t i = 0; zero && i < TCCTL_CNT_FIXED_MAX; i++)
		bpf_map_update_elem(fd, &i, zero, BPF_ANY);
	for (uint32_t c = 0; zero && c < TCCTL_CHUNKS_MAX; c++)
		for (uint32_t i = 0; p->chunk[c] >= 0 && i < TCCTL_CHUNK; i++)
			bpf_map_update_elem(p->chunk[c], &i, zero, BPF_ANY);
	free(zero);
}

int pipe_test(int prog_fd, struct pipe_run *r)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = r->in, .data_size_in = (uint32_t)r->in_len,
		    .data_out = r->out, .data_size_out = r->out ? (uint32_t)r->out_cap : 0, .ctx_in = &r->skb,
		    .ctx_size_in = sizeof(r->skb), .ctx_out = &r->skb, .ctx_size_out = sizeof(r->skb),
		    .flags = r->flags, .repeat = r->repeat ? (int)r->repeat : 1);
	int err = bpf_prog_test_run_opts(prog_fd, &opts);

	if (err)
		return err;
	r->verdict = (int)opts.retval;
	r->ns = opts.duration;
	r->out_len = opts.data_size_out;
	return 0;
}
