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

int counters_array_read(int fd, uint32_t n, struct tcctl_counter **ret)
{
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct tcctl_counter *values = NULL, *sums = calloc(n + 1, sizeof(*sums));
	_cleanup_free_ uint32_t *keys = calloc(n + 1, sizeof(*keys));
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), count, out = 0;
	int err;

	if (cpus < 0)
		return cpus;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	if (n > info.max_entries)
		n = info.max_entries; /* made by another build, which counted less: the rest of the sums stays 0 */
	count = n;
	values = calloc((size_t)n * cpus + 1, sizeof(*values));
	if (!values || !sums || !keys)
		return -ENOMEM;
	/* The end of an array is reported as ENOENT with everything read (batches: 5.13 for per-CPU arrays). */
	err = bpf_map_lookup_batch(fd, NULL, &out, keys, values, &count, NULL);
	if (!err || (err == -ENOENT && count == n)) {
		for (uint32_t i = 0; i < count; i++)
			if (keys[i] < n)
				sum(values + (size_t)i * cpus, cpus, &sums[keys[i]]);
	} else {
		for (uint32_t i = 0; i < n; i++) {
			err = bpf_map_lookup_elem(fd, &i, values);
			if (err)
				return err;
			sum(values, cpus, &sums[i]);
		}
	}
	*ret = TAKE_PTR(sums);
	return 0;
}

int counters_reader_init(int dir_fd, struct counters_reader *ret)
{
	ret->dir_fd = dir_fd;
	ret->chunks = calloc(TCCTL_CHUNKS_MAX, sizeof(*ret->chunks));
	return ret->chunks ? 0 : -ENOMEM;
}

void counters_reader_done(struct counters_reader *r)
{
	for (unsigned int i = 0; r->chunks && i < TCCTL_CHUNKS_MAX; i++)
		free(r->chunks[i]);
	free(r->chunks);
	r->chunks = NULL;
}

int counters_reader_get(void *reader, uint32_t id, struct tcctl_counter *ret)
{
	const uint32_t chunk = id / TCCTL_CHUNK;
	struct counters_reader *r = reader;

	*ret = (struct tcctl_counter){};
	if (chunk >= TCCTL_CHUNKS_MAX || (!chunk && id >= TCCTL_CNT_FIXED_MAX))
		return -EINVAL;
	if (!r->chunks[chunk]) {
		_cleanup_close_ int fd = chunk_open(r->dir_fd, chunk);
		int err;

		if (fd == -ENOENT)
			return 0;
		if (fd < 0)
			return fd;
		err = counters_array_read(fd, chunk ? TCCTL_CHUNK : TCCTL_CNT_FIXED_MAX, &r->chunks[chunk]);
		if (err)
			return err;
	}
	*ret = r->chunks[chunk][id % TCCTL_CHUNK];
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
