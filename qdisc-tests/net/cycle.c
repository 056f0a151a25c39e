// SPDX-License-Identifier: GPL-2.0-only
/*
 * cycle SECONDS CYCLES CHANGES A B C: in one process and with one context,
 * - CYCLES times, or as often as SECONDS allow (0: no limit): apply A, change to B, change to C, read the status, remove;
 * - then CHANGES times: change from A to B or back.
 *
 * All programs, maps and links that were there on the way (found by the pins, and from those by what they use) must be
 * gone at the end, by their numbers. Exits 0 if so, and if as many file descriptors are open and as much memory is held
 * as after the first tenth (at least 5 rounds) of each part.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tcctl.h"

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size, resident = -1;

	if (f && fscanf(f, "%ld %ld", &size, &resident) != 2)
		resident = -1;
	if (f)
		fclose(f);
	return resident;
}

static void fail(const char *what, struct tcctl_diags *diags)
{
	struct tcctl_diag d = { .sz = sizeof(d) };

	fprintf(stderr, "%s failed\n", what);
	for (size_t i = 0; !tcctl_diags_get(diags, i, &d); i++)
		fprintf(stderr, "  %s: %s\n", d.device ? d.device : "-", d.message);
	exit(1);
}

static void apply(struct tcctl *t, const char *path)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct tcctl_config *config;

	if (tcctl_config_load(&path, 1, NULL, diags, &config) || tcctl_apply(t, config, NULL, diags, NULL, NULL))
		fail(path, diags);
	tcctl_config_free(config);
	tcctl_diags_free(diags);
}

/* --- the kernel's objects ------------------------------------------------------------------------------------- */

enum kind { PROGRAM, MAP, LINK, KINDS };
static const char *const kind_names[] = { "program", "map", "link" };

static struct object {
	enum kind kind;
	uint32_t id;
	bool jump_table;
} *seen;
static size_t n_seen, n_live;

static bool note(enum kind kind, uint32_t id, bool jump_table)
{
	for (size_t i = n_live; i < n_seen; i++)
		if (seen[i].kind == kind && seen[i].id == id)
			return false;
	if (!(n_seen & (n_seen + 1)))
		seen = realloc(seen, (n_seen + 1) * 2 * sizeof(*seen));
	if (!seen)
		exit(1);
	seen[n_seen++] = (struct object){ kind, id, jump_table };
	return true;
}

static void note_fd(int fd);

static void note_program(uint32_t id)
{
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0)
		note_fd(fd);
}

static void note_map(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info), id;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	if (!note(MAP, info.id, info.type == BPF_MAP_TYPE_PROG_ARRAY) || info.type != BPF_MAP_TYPE_PROG_ARRAY)
		return;
	for (uint32_t k = 0; k < info.max_entries; k++)
		if (!bpf_map_lookup_elem(fd, &k, &id))
			note_program(id);
}

/* Notes what the descriptor refers to and everything that this uses, and closes it. */
static void note_fd(int fd)
{
	char path[64], to[64] = "";
	uint32_t maps[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, to, sizeof(to) - 1) < 0)
		exit(1);
	if (strstr(to, "bpf-map")) {
		note_map(fd);
	} else if (strstr(to, "bpf-prog")) {
		struct bpf_prog_info info = { .nr_map_ids = 64, .map_ids = (uintptr_t)maps };
		uint32_t len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && note(PROGRAM, info.id, false))
			for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++) {
				int map = bpf_map_get_fd_by_id(maps[i]);

				if (map >= 0)
					note_fd(map);
			}
	} else {
		struct bpf_link_info info = { 0 };
		uint32_t len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && note(LINK, info.id, false))
			note_program(info.prog_id);
	}
	close(fd);
}

static int note_pin(const char *path, const struct stat *st, int flag)
{
	int fd = flag == FTW_F ? bpf_obj_get(path) : -1;

	(void)st;
	if (fd >= 0)
		note_fd(fd);
	return 0;
}

/* How many objects there are now. */
static size_t look(void)
{
	n_live = n_seen;
	ftw("/sys/fs/bpf", note_pin, 10);
	return n_seen - n_live;
}

/*
 * Is it there? Without opening it: a jump table that is opened while the kernel empties it is lost, never freed. That is
 * what anybody's list of maps may have done to ours, so an empty one does not count.
 */
static bool there(const struct object *o)
{
	static int (*const next[KINDS])(uint32_t, uint32_t *) = { bpf_prog_get_next_id, bpf_map_get_next_id,
								  bpf_link_get_next_id };
	uint32_t id;

	return !next[o->kind](o->id - 1, &id) && id == o->id;
}

static bool empty_table(const struct object *o)
{
	uint32_t key, id;
	bool empty = true;
	int fd = o->jump_table ? bpf_map_get_fd_by_id(o->id) : -1;

	if (fd < 0)
		return !there(o);
	for (key = 0; key < 64 && empty; key++)
		empty = bpf_map_lookup_elem(fd, &key, &id) != 0;
	close(fd);
	return empty;
}

/* The kernel frees a little later. Of those before live, which are left? */
static size_t left_of(size_t live)
{
	size_t left = 0;

	for (int tries = 0; tries < 50; tries++) {
		left = 0;
		for (size_t i = 0; i < live; i++)
			left += there(&seen[i]);
		if (!left)
			return 0;
		usleep(100000);
	}
	left = 0;
	for (size_t i = 0; i < live; i++) {
		if (!there(&seen[i]) || empty_table(&seen[i]))
			continue;
		left++;
		fprintf(stderr, "%s %u is still there\n", kind_names[seen[i].kind], seen[i].id);
	}
	return left;
}

/* --- the two parts -------------------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int files;
static long pages;

static void measure(void)
{
	files = open_files();
	pages = resident_pages();
}

static bool grown(const char *what, int n)
{
	long held = resident_pages();
	int open = open_files();

	printf("%d %s: %zu objects seen; open files %d, then %d; pages %ld, then %ld\n", n, what, n_seen, files, open,
	       pages, held);
	/* an eighth of headroom: the allocator and libbpf keep some for themselves, and this program its list */
	return open != files || held > pages + pages / 8 + (long)(n_seen * sizeof(*seen) * 2 / 4096) + 1;
}

int main(int argc, char **argv)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct tcctl_status *status;
	double end;
	int cycles, changes, i;
	size_t objects = 0;
	bool bad = false;
	struct tcctl *t;

	if (argc != 7)
		return 2;
	end = atof(argv[1]) > 0 ? now() + atof(argv[1]) : 1e18;
	cycles = atoi(argv[2]);
	changes = atoi(argv[3]);
	if (tcctl_open(NULL, diags, &t))
		fail("open", diags);
	for (i = 0; i < cycles && (i < 7 || now() < end); i++) {
		for (int k = 4; k < argc; k++)
			apply(t, argv[k]);
		look();
		if (tcctl_status(t, NULL, diags, &status))
			fail("status", diags);
		tcctl_status_free(status);
		if (tcctl_remove(t, NULL, diags, NULL))
			fail("remove", diags);
		if (i + 1 == (cycles / 10 > 5 && end > 1e17 ? cycles / 10 : 5))
			measure();
	}
	bad |= grown("cycles", i);
	bad |= left_of(n_seen) > 0 || !n_seen;
	n_seen = 0;
	for (i = 0; i < changes; i++) {
		apply(t, argv[4 + i % 2]);
		if (!(i % 16) || i + 1 == changes) {
			size_t n = look();

			if (objects && n != objects) {
				fprintf(stderr, "%zu objects after %d changes, %zu before\n", n, i, objects);
				bad = true;
			}
			objects = n;
		}
		if (i + 1 == (changes / 10 > 5 ? changes / 10 : 5))
			measure();
	}
	bad |= grown("changes", i);
	if (tcctl_remove(t, NULL, diags, NULL))
		fail("remove", diags);
	bad |= left_of(n_seen) > 0;
	tcctl_close(t);
	tcctl_diags_free(diags);
	free(seen);
	return bad;
}
