// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory ID DIRECTORY: kernel memory of everything that is pinned below DIRECTORY, and of what hangs on it: programs
 * in jump tables, maps inside maps, maps of programs. As the kernel accounts it (memlock in fdinfo, size of the machine code),
 * which leaves out what it keeps of BTF and line information.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "lib/measure.h"
#include "tcctl/abi.h"

#define SEEN_MAX 65536

static struct {
	uint32_t id;
	bool prog;
} seen[SEEN_MAX];
static size_t n_seen;
static double map_bytes, counter_bytes, prog_bytes, insns;
static unsigned int n_maps, n_progs;

static bool seen_before(uint32_t id, bool prog)
{
	for (size_t i = 0; i < n_seen; i++)
		if (seen[i].id == id && seen[i].prog == prog)
			return true;
	if (n_seen < SEEN_MAX) {
		seen[n_seen].id = id;
		seen[n_seen++].prog = prog;
	}
	return false;
}

static double memlock(int fd)
{
	double bytes = 0;
	char line[256];
	FILE *f = fopen(bench_text("/proc/self/fdinfo/%d", fd), "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %lf", &bytes) == 1)
			break;
	if (f)
		fclose(f);
	return bytes;
}

static void map_add(int fd, const struct bpf_map_info *info);

/* The maps that a program uses: its constants are reached in no other way. */
static void prog_maps_add(int fd, uint32_t n)
{
	uint32_t ids[64] = {}, len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = { .nr_map_ids = n < 64 ? n : 64, .map_ids = (uintptr_t)ids };

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++) {
		int in = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = {};

		len = sizeof(map);
		if (in >= 0 && !bpf_obj_get_info_by_fd(in, &map, &len))
			map_add(in, &map);
		if (in >= 0)
			close(in);
	}
}

static void prog_add(int fd, const struct bpf_prog_info *info)
{
	if (seen_before(info->id, true))
		return;
	n_progs++;
	prog_bytes += memlock(fd) + info->jited_prog_len;
	insns += info->verified_insns;
	prog_maps_add(fd, info->nr_map_ids);
}

static void map_add(int fd, const struct bpf_map_info *info)
{
	if (seen_before(info->id, false))
		return;
	n_maps++;
	map_bytes += memlock(fd);
	if (info->type == BPF_MAP_TYPE_PERCPU_ARRAY && info->max_entries == TCCTL_CHUNK)
		counter_bytes += memlock(fd);
	for (uint32_t key = 0, id; key < info->max_entries && info->key_size == 4; key++) {
		struct bpf_map_info map = {};
		struct bpf_prog_info prog = {};
		uint32_t len;
		int in;

		if (info->type != BPF_MAP_TYPE_ARRAY_OF_MAPS && info->type != BPF_MAP_TYPE_PROG_ARRAY)
			break;
		if (bpf_map_lookup_elem(fd, &key, &id) || !id)
			continue;
		if (info->type == BPF_MAP_TYPE_PROG_ARRAY) {
			in = bpf_prog_get_fd_by_id(id);
			len = sizeof(prog);
			if (in >= 0 && !bpf_obj_get_info_by_fd(in, &prog, &len))
				prog_add(in, &prog);
		} else {
			in = bpf_map_get_fd_by_id(id);
			len = sizeof(map);
			if (in >= 0 && !bpf_obj_get_info_by_fd(in, &map, &len))
				map_add(in, &map);
		}
		if (in >= 0)
			close(in);
	}
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct bpf_prog_info prog = {};
	struct bpf_map_info map = {};
	uint32_t len = sizeof(map);
	char link[256] = "";
	int fd;

	if (type != FTW_F)
		return 0;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (readlink(bench_text("/proc/self/fd/%d", fd), link, sizeof(link) - 1) > 0) {
		if (strstr(link, "bpf-map") && !bpf_obj_get_info_by_fd(fd, &map, &len))
			map_add(fd, &map);
		len = sizeof(prog);
		if (strstr(link, "bpf-prog") && !bpf_obj_get_info_by_fd(fd, &prog, &len))
			prog_add(fd, &prog);
	}
	close(fd);
	return 0;
}

static void row(const char *id, const char *name, const char *what, double v, const char *unit)
{
	bench_row(bench_text("memory.%s.%s", id, name), bench_text("%s: %s", id, what), v, unit, v, v);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	bench_init();
	if (nftw(argv[2], visit, 16, FTW_PHYS)) {
		perror(argv[2]);
		return 1;
	}
	if (!n_maps) {
		bench_skip(bench_text("memory.%s", argv[1]), "nothing is pinned below %s", argv[2]);
		return 0;
	}
	row(argv[1], "maps", "maps, counters included", map_bytes / 1024, "KiB");
	row(argv[1], "counters", "of which per-CPU counters of hooks and rules", counter_bytes / 1024, "KiB");
	row(argv[1], "programs", "programs", prog_bytes / 1024, "KiB");
	row(argv[1], "total", "all of a pipeline", (map_bytes + prog_bytes) / 1024, "KiB");
	row(argv[1], "n_maps", "maps", n_maps, "maps");
	row(argv[1], "n_programs", "programs", n_progs, "programs");
	row(argv[1], "insns", "instructions verified, all programs", insns, "instructions");
	return 0;
}
