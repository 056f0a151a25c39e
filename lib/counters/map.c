// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Counter chunks in the kernel. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "pin.h"
#include "util.h"

/* Update many elements; one by one where the kernel has no batches for this kind of map (EINVAL or ENOTSUPP, 524). */
static int update_all(int fd, const void *keys, const void *values, uint32_t n, size_t key_size, size_t value_size)
{
	uint32_t done = n;

	if (n > 1 && !bpf_map_update_batch(fd, keys, values, &done, NULL))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(fd, (const char *)keys + i * key_size, (const char *)values + i * value_size,
					BPF_ANY))
			return -errno;
	return 0;
}

/* Fixed counters have ids as if they were chunk 0. */
static int fixed_open(int dir_fd)
{
	_cleanup_close_ int tc_fd = -1, globals_fd = -1;
	int err = pin_dir_open(dir_fd, "tc", false, NULL, &tc_fd);

	if (!err)
		err = pin_dir_open(tc_fd, "globals", false, NULL, &globals_fd);
	return err ? err : pin_get(globals_fd, "counters_fixed");
}

static int chunk_open(int dir_fd, uint32_t chunk)
{
	char name[16];

	if (!chunk)
		return fixed_open(dir_fd);
	snprintf(name, sizeof(name), "c%u", chunk);
	return pin_get(dir_fd, name);
}

static int chunk_make(int dir_fd, uint32_t chunk)
{
	_cleanup_close_ int fd = -1;
	char name[16];
	int err;

	fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "tcctl_chunk", 4, sizeof(struct tcctl_counter), TCCTL_CHUNK,
			    NULL);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "c%u", chunk);
	err = pin_replace(dir_fd, name, "~chunk", fd);
	return err ? err : TAKE_FD(fd);
}

int counters_chunks_make(int dir_fd, int counters_fd, const uint32_t *chunks, uint32_t n)
{
	_cleanup_free_ int *fds = malloc((n + 1) * sizeof(*fds));
	uint32_t made = 0;
	int err = 0;

	if (!fds)
		return -ENOMEM;
	for (; made < n; made++) {
		fds[made] = chunk_make(dir_fd, chunks[made]);
		if (fds[made] < 0) {
			err = fds[made];
			break;
		}
	}
	if (!err && n)
		err = update_all(counters_fd, chunks, fds, n, sizeof(*chunks), sizeof(*fds));
	for (uint32_t i = 0; i < made; i++)
		close(fds[i]);
	return err;
}

static void sum(const struct tcctl_counter *values, unsigned int cpus, struct tcctl_counter *ret)
{
	*ret = (struct tcctl_counter){};
	for (unsigned int c = 0; c < cpus; c++) {
		ret->packets += values[c].packets;
		ret->segments += values[c].segments;
		ret->bytes += values[c].bytes;
	}
}

/* Elements first … first + n - 1, or as many of them as there are: the others stay 0. */
static int range_read(int fd, uint32_t first, uint32_t n, struct tcctl_counter *sums)
{
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tcctl_counter *values = NULL;
	_cleanup_free_ uint32_t *keys = NULL;
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), before = first - 1, count, out = 0;
	int err;

	if (cpus < 0)
		return cpus;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	if (first >= info.max_entries)
		return 0;
	if (n > info.max_entries - first)
		n = info.max_entries - first; /* made by another build, which counted less */
	count = n;
	keys = malloc(n * sizeof(*keys));
	values = malloc((size_t)n * cpus * sizeof(*values));
	if (!values || !keys)
		return -ENOMEM;
	/* The end of an array is reported as ENOENT with everything read (batches: 5.13 for per-CPU arrays). */
	err = bpf_map_lookup_batch(fd, first ? &before : NULL, &out, keys, values, &count, NULL);
	if (!err || (err == -ENOENT && count == n)) {
		for (uint32_t i = 0; i < count; i++)
			if (keys[i] - first < n)
				sum(values + (size_t)i * cpus, cpus, &sums[keys[i] - first]);
	} else {
		for (uint32_t i = 0; i < n; i++) {
			const uint32_t key = first + i;

			err = bpf_map_lookup_elem(fd, &key, values);
			if (err)
				return err;
			sum(values, cpus, &sums[i]);
		}
	}
	return 0;
}

int counters_array_read(int fd, uint32_t n, struct tcctl_counter **ret)
{
	_cleanup_free_ struct tcctl_counter *sums = calloc(n + 1, sizeof(*sums));
	int err = sums ? range_read(fd, 0, n, sums) : -ENOMEM;

	if (!err)
		*ret = TAKE_PTR(sums);
	return err;
}

/* A part of a chunk that is read at once: a few rules must not cost a thousand counters. */
#define PAGE 128U

struct counters_chunk {
	uint32_t pages; /* read so far, a bit each */
	struct tcctl_counter values[TCCTL_CHUNK];
};
_Static_assert(TCCTL_CHUNK / PAGE <= 32 && TCCTL_CNT_FIXED_MAX <= TCCTL_CHUNK, "pages of a chunk");

int counters_reader_init(int dir_fd, struct counters_reader *ret)
{
	*ret = (struct counters_reader){ .dir_fd = dir_fd, .fd = -1 };
	ret->chunks = calloc(TCCTL_CHUNKS_MAX, sizeof(struct counters_chunk *));
	return ret->chunks ? 0 : -ENOMEM;
}

void counters_reader_done(struct counters_reader *r)
{
	if (!r->chunks)
		return;
	for (unsigned int i = 0; i < TCCTL_CHUNKS_MAX; i++)
		free(r->chunks[i]);
	free(r->chunks);
	r->chunks = NULL;
	if (r->fd >= 0)
		close(r->fd);
}

/* Most look-ups follow each other in one chunk. -ENOENT: it is not there. */
static int reader_open(struct counters_reader *r, uint32_t chunk)
{
	int fd;

	if (r->fd >= 0 && r->open == chunk)
		return 0;
	fd = chunk_open(r->dir_fd, chunk);
	if (fd < 0)
		return fd;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->open = chunk;
	return 0;
}

int counters_reader_get(void *reader, uint32_t id, struct tcctl_counter *ret)
{
	const uint32_t chunk = id / TCCTL_CHUNK, index = id % TCCTL_CHUNK, page = index / PAGE;
	struct counters_reader *r = reader;
	struct counters_chunk *c;
	int err;

	*ret = (struct tcctl_counter){};
	if (chunk >= TCCTL_CHUNKS_MAX || (!chunk && id >= TCCTL_CNT_FIXED_MAX))
		return -EINVAL;
	c = r->chunks[chunk];
	if (!c || !(c->pages >> page & 1)) {
		err = reader_open(r, chunk);
		if (err)
			return err == -ENOENT ? 0 : err;
		if (!c)
			c = r->chunks[chunk] = calloc(1, sizeof(*c));
		err = c ? range_read(r->fd, page * PAGE, PAGE, c->values + page * PAGE) : -ENOMEM;
		if (err)
			return err;
		c->pages |= 1U << page;
	}
	*ret = c->values[index];
	return 0;
}

int counters_zero(int dir_fd, const uint32_t *ids, size_t n)
{
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tcctl_counter *zero = NULL;
	_cleanup_close_ int fd = -1;
	uint32_t open_chunk = UINT32_MAX;

	if (cpus < 0)
		return cpus;
	zero = calloc(cpus, sizeof(*zero));
	if (!zero)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const uint32_t chunk = ids[i] / TCCTL_CHUNK, index = ids[i] % TCCTL_CHUNK;

		if (chunk != open_chunk) {
			if (fd >= 0)
				close(TAKE_FD(fd));
			fd = chunk_open(dir_fd, chunk);
			if (fd < 0 && fd != -ENOENT)
				return fd;
			open_chunk = chunk;
		}
		if (fd >= 0 && bpf_map_update_elem(fd, &index, zero, BPF_ANY))
			return -errno;
	}
	return 0;
}
