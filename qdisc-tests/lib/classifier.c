/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "classifier.h"
#include "tcctl/arena.h"
#include "tcctl/abi.h"

__attribute__((format(printf, 2, 0))) static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && getenv("V"))
		return vfprintf(stderr, fmt, args);
	return 0;
}

static int map_fd(struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

/* The other part of the stage, from the object beside `path`, with the same maps, in its slot. */
static int walk_open(struct classifier *c, const char *path)
{
	const char *slash = strrchr(path, '/');
	uint32_t slot = TCCTL_STAGE_WALK;
	struct bpf_map *map;
	char beside[600];
	int err = 0;

	snprintf(beside, sizeof(beside), "%.*swalk.bpf.o", slash ? (int)(slash + 1 - path) : 0, path);
	c->obj_walk = bpf_object__open_file(beside, NULL);
	if (!c->obj_walk)
		return -errno;
	bpf_object__for_each_map(map, c->obj_walk) {
		int fd = map_fd(c->obj, bpf_map__name(map));

		bpf_map__set_pin_path(map, NULL);
		if (!bpf_map__is_internal(map) && !err)
			err = fd < 0 ? -ENOENT : bpf_map__reuse_fd(map, fd);
	}
	if (!err)
		err = bpf_object__load(c->obj_walk);
	if (err)
		return err;
	c->walk = bpf_program__fd(bpf_object__find_program_by_name(c->obj_walk, "walk"));
	return bpf_map_update_elem(c->stage, &slot, &c->walk, 0) ? -errno : 0;
}

int classifier_open(const char *path, struct classifier *ret)
{
	struct bpf_insn stop[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	struct classifier c = { .stop = -1, .arena = { -1, -1 } };
	struct bpf_program *prog;
	struct bpf_map *map;
	uint32_t slot = TCCTL_STAGE_CLASSIFY + 1;
	int err;

	libbpf_set_print(quiet);
	c.obj = bpf_object__open_file(path, NULL);
	if (!c.obj)
		return -errno;
	/* private maps: nothing of a test is pinned */
	bpf_object__for_each_map(map, c.obj)
		bpf_map__set_pin_path(map, NULL);
	err = bpf_object__load(c.obj);
	if (err)
		goto fail;
	prog = bpf_object__find_program_by_name(c.obj, "classify");
	if (!prog) {
		err = -ENOENT;
		goto fail;
	}
	c.prog = bpf_program__fd(prog);
	c.arenas = map_fd(c.obj, "arenas");
	c.heads = map_fd(c.obj, "heads");
	c.counters = map_fd(c.obj, "counters");
	c.stage = map_fd(c.obj, "jt_stage");
	c.fixed = map_fd(c.obj, "counters_fixed");
	c.stop = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "stop", "GPL", stop, 2, NULL);
	if (c.stop < 0 || bpf_map_update_elem(c.stage, &slot, &c.stop, 0)) {
		err = -errno;
		goto fail;
	}
	err = walk_open(&c, path);
	if (err)
		goto fail;
	*ret = c;
	return 0;
fail:
	classifier_close(&c);
	return err;
}

void classifier_close(struct classifier *c)
{
	for (unsigned int i = 0; i < 2; i++)
		if (c->arena[i] >= 0)
			close(c->arena[i]);
	if (c->stop >= 0)
		close(c->stop);
	if (c->obj_walk)
		bpf_object__close(c->obj_walk);
	if (c->obj)
		bpf_object__close(c->obj);
}

int classifier_set(struct classifier *c, unsigned int generation, const struct rules_arena *arena)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	uint32_t n = (uint32_t)arena->n_lines, half = generation & 1, *keys = malloc(n * sizeof(*keys));
	struct tcctl_head head;
	int fd, err = 0;

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	arena_head((const struct arena_header *)arena->lines, &head);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arena", 4, 64, n, &opts);
	if (fd < 0 || bpf_map_update_batch(fd, keys, arena->lines, &n, NULL) ||
	    bpf_map_update_elem(c->arenas, &half, &fd, 0) ||
	    (c->heads >= 0 && bpf_map_update_elem(c->heads, &half, &head, 0)))
		err = -errno;
	free(keys);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	if (c->arena[half] >= 0)
		close(c->arena[half]);
	c->arena[half] = fd;
	return 0;
}

int classifier_counters(struct classifier *c, uint32_t n)
{
	for (uint32_t chunk = TCCTL_CHUNK_RULES; chunk * TCCTL_CHUNK < n; chunk++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "chunk", 4, sizeof(struct tcctl_counter), TCCTL_CHUNK,
					NULL);
		int err = fd < 0 || bpf_map_update_elem(c->counters, &chunk, &fd, 0) ? -errno : 0;

		if (fd >= 0)
			close(fd);
		if (err)
			return err;
	}
	return 0;
}

static long long counter_read(int fd, uint32_t index)
{
	int cpus = libbpf_num_possible_cpus();
	struct tcctl_counter *v = calloc((size_t)cpus, sizeof(*v));
	long long sum = 0;

	if (!v || bpf_map_lookup_elem(fd, &index, v))
		sum = -1;
	for (int i = 0; i < cpus && sum >= 0; i++)
		sum += (long long)v[i].packets;
	free(v);
	return sum;
}

long long classifier_counter(const struct classifier *c, uint32_t id)
{
	uint32_t chunk = id / TCCTL_CHUNK, map_id;
	long long n;
	int fd;

	if (bpf_map_lookup_elem(c->counters, &chunk, &map_id))
		return -1;
	fd = bpf_map_get_fd_by_id(map_id);
	if (fd < 0)
		return -1;
	n = counter_read(fd, id % TCCTL_CHUNK);
	close(fd);
	return n;
}

long long classifier_fixed(const struct classifier *c, uint32_t id)
{
	return counter_read(c->fixed, id);
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void classifier_packet_make(const struct rules_packet *p, uint32_t id, unsigned int generation, bool egress,
			    struct classifier_packet *ret)
{
	uint8_t *d = ret->data, *l3, *l4;
	uint32_t flags = p->family == 4 ? TCCTL_F_IPV4 : TCCTL_F_IPV6, hook = 0x40, ports = 0, off;
	bool later = p->frag & SPEC_FRAG_LATER, fragment = later || p->frag & SPEC_FRAG_FIRST;

	memset(ret, 0, sizeof(*ret));
	memcpy(egress ? d : d + 6, p->mac, 6);
	put16(d + 12, p->family == 4 ? 0x0800 : 0x86dd);
	l3 = d + 14;
	if (p->family == 4) {
		l3[0] = 0x45;
		l3[1] = (uint8_t)(p->dscp << 2 | 1);
		put16(l3 + 2, p->length);
		put16(l3 + 4, id);
		put16(l3 + 6, later ? 0x2000 | 100 : fragment ? 0x2000 : 0);
		l3[8] = 64;
		l3[9] = p->proto;
		memcpy(l3 + 12, p->src, 4);
		memcpy(l3 + 16, p->dst, 4);
		l4 = l3 + 20;
	} else {
		l3[0] = (uint8_t)(0x60 | p->dscp >> 2);
		l3[1] = (uint8_t)(p->dscp << 6 | 1 << 4);
		put16(l3 + 4, p->length - 40);
		l3[6] = fragment ? 44 : p->proto;
		l3[7] = 64;
		memcpy(l3 + 8, p->src, 16);
		memcpy(l3 + 24, p->dst, 16);
		l4 = l3 + 40;
		if (fragment) {
			l4[0] = p->proto;
			put16(l4 + 2, later ? 100 << 3 | 1 : 1);
			put16(l4 + 4, id >> 16);
			put16(l4 + 6, id);
			l4 += 8;
		}
	}
	if (p->has_ports) {
		put16(l4, p->sport);
		put16(l4 + 2, p->dport);
		ports = (uint32_t)p->sport << 16 | p->dport;
		flags |= TCCTL_F_PORTS;
	}
	if (p->has_flags) {
		l4[12] = 0x50;
		l4[13] = p->tcp_flags;
	}
	if (p->has_icmp) {
		l4[0] = p->icmp_type;
		l4[1] = p->icmp_code;
		ports = (uint32_t)p->icmp_type << 8 | p->icmp_code;
		flags |= TCCTL_F_ICMP;
	}
	if (fragment)
		flags |= TCCTL_F_FRAG;
	if (later)
		flags |= TCCTL_F_LATER;
	if (p->vlan != SPEC_VLAN_NONE)
		flags |= TCCTL_F_VLAN;
	if (p->has_mac)
		flags |= TCCTL_F_L2;
	if (egress)
		hook |= TCCTL_HOOK_EGRESS;
	if (p->src_local)
		hook |= TCCTL_HOOK_SRC_LOCAL;
	off = (uint32_t)(l4 - d);
	ret->len = off + 20;
	ret->cb[TCCTL_CB_GUARD] = TCCTL_CB_MAGIC << 24 | (generation & 0xff) << 16 | hook;
	ret->cb[TCCTL_CB_OFFSETS] = (later ? 0 : off) << 16 | 14;
	/* a priority in the tag's upper bits must not matter */
	ret->cb[TCCTL_CB_PROTO] = (p->vlan & 0xfff) << 16 | (flags & TCCTL_F_VLAN ? 0x60000000U : 0) | flags << 8 | p->proto;
	ret->cb[TCCTL_CB_PORTS] = ports;
	ret->mark = p->mark;
}

int classifier_run(const struct classifier *c, const struct classifier_packet *p, uint32_t repeat, int *ret_class,
		   uint32_t *ret_ns)
{
	struct __sk_buff in = { .mark = p->mark }, out = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->len, .ctx_in = &in,
		    .ctx_size_in = sizeof(in), .ctx_out = &out, .ctx_size_out = sizeof(out),
		    .repeat = (int)(repeat ? repeat : 1));

	memcpy(in.cb, p->cb, sizeof(in.cb));
	if (bpf_prog_test_run_opts(c->prog, &opts))
		return -errno;
	if (ret_class)
		*ret_class = (int)opts.retval == TC_ACT_SHOT ? -1 : (int)(out.cb[TCCTL_CB_CLASS] & 0xffff);
	if (ret_ns)
		*ret_ns = opts.duration;
	return 0;
}

const char *classifier_object(const char *name)
{
	static char path[512];
	static const char *const where[] = { "", "../bpf/", "../../bpf/", "../../../bpf/" };
	char dir[400];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	if (n < 0)
		return name;
	dir[n] = 0;
	*strrchr(dir, '/') = 0;
	for (unsigned int i = 0; i < sizeof(where) / sizeof(*where); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", dir, where[i], name);
		if (!access(path, R_OK))
			return path;
	}
	return name;
}
