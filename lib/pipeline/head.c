// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "pipeline/head.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "tcctl/arena.h"

int head_read(int arena_fd, struct tcctl_head *ret)
{
	struct tcctl_class_row rows[ARENA_ROWS];
	struct arena_header header;
	uint32_t line = 0;

	if (bpf_map_lookup_elem(arena_fd, &line, &header))
		return -errno;
	arena_head(&header, ret);
	if (!ret->stamp)
		return 0;
	for (uint32_t i = 0; i < TCCTL_HEAD_ROWS && i < header.n_classes; i++) {
		line = header.class_base + i / ARENA_ROWS;
		if (i % ARENA_ROWS == 0 && bpf_map_lookup_elem(arena_fd, &line, rows))
			return -errno;
		ret->rows[i] = rows[i % ARENA_ROWS];
	}
	return 0;
}
