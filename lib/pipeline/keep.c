// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Tables that did not change are put into the other half as they are. A map inside a map of maps can be opened by id with
 * CAP_SYS_ADMIN only, so big ones are pinned, under a digest of all that they were made from: p<N>/<kind>-<digest>.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pin.h"
#include "pipeline.h"
#include "util.h"

static void keep_name(char name[40], const char *kind, uint64_t digest)
{
	snprintf(name, 40, "%.16s-%016" PRIx64, kind, digest);
}

int pipeline_keep(const struct pipeline *p, const char *kind, uint64_t digest, int fd)
{
	char name[40];

	keep_name(name, kind, digest);
	return pin_replace(p->dir_fd, name, "~kept", fd);
}

int pipeline_kept(const struct pipeline *p, const char *kind, uint64_t digest)
{
	char name[40];

	keep_name(name, kind, digest);
	return pin_get(p->dir_fd, name);
}

void pipeline_keep_not(const struct pipeline *p, const char *kind, uint64_t digest)
{
	char name[40];

	keep_name(name, kind, digest);
	pin_remove(p->dir_fd, name);
}

void pipeline_keep_only(const struct pipeline *p, const char *kind, uint64_t digest)
{
	const size_t len = strlen(kind);
	char **names = NULL, name[40];
	size_t n = 0;

	keep_name(name, kind, digest);
	if (pin_list(p->dir_fd, &names, &n))
		return;
	for (size_t i = 0; i < n; i++)
		if (!strncmp(names[i], kind, len) && names[i][len] == '-' && strcmp(names[i], name))
			pin_remove(p->dir_fd, names[i]);
	pin_list_free(names, n);
}

int pipeline_inner_put(const struct pipeline *p, const char *map, uint32_t slot, int fd)
{
	return bpf_map_update_elem(pipeline_map(p, map), &slot, &fd, BPF_ANY) ? -errno : 0;
}

void pipeline_inner_drop(const struct pipeline *p, const char *map, uint32_t slot)
{
	const int fd = pipeline_map(p, map);
	uint32_t id;

	/* each change waits for an RCU grace period: not for nothing */
	if (fd >= 0 && !bpf_map_lookup_elem(fd, &slot, &id))
		bpf_map_delete_elem(fd, &slot);
}
