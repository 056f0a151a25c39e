// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tunnel tables in the kernel. */
#include <bpf/bpf.h>
#include <errno.h>

#include "tunnel/half.h"
#include "tunnel/shapes.h"
#include "util.h"

#define BATCH 65536

int tunnel_entries_load(const struct tunnel_entries *e, enum tunnel_table table)
{
	const struct tunnel_shape *s = &tunnel_shapes[table];
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = s->flags);
	_cleanup_close_ int fd = -1;
	bool batches = true;

	fd = bpf_map_create(s->type, s->name, s->key_size, s->value_size, e->n ? e->n : 1, &opts);
	if (fd < 0)
		return fd;
	for (size_t first = 0; first < e->n; first += BATCH) {
		const uint32_t n = e->n - first < BATCH ? e->n - first : BATCH;
		const char *keys = (const char *)e->keys + first * s->key_size;
		const char *values = (const char *)e->values + first * s->value_size;
		uint32_t count = n;

		if (batches && !bpf_map_update_batch(fd, keys, values, &count, NULL))
			continue;
		batches = false; /* not for this kind of map on older kernels */
		for (uint32_t i = 0; i < n; i++)
			if (bpf_map_update_elem(fd, keys + (size_t)i * s->key_size,
						values + (size_t)i * s->value_size, BPF_ANY))
				return -errno;
	}
	return TAKE_FD(fd);
}
