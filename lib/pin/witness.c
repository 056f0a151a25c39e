// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Does the namespace that a directory is for still live? Nothing can be asked about a namespace that has no name and no
 * process, so the directory has a witness: a DEVMAP whose one entry is the namespace's loopback device. The kernel takes a
 * device out of such maps when it is unregistered; that one lives and dies with its namespace, never moves, and the map
 * keeps neither of them. No packet ever goes through the map.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "netns.h"
#include "pin.h"
#include "util.h"

/* No owner's name is escaped to this. */
#define WITNESS "@lo"
#define LOOPBACK_IFINDEX 1U

static int put_loopback(void *arg)
{
	const uint32_t key = 0, ifindex = LOOPBACK_IFINDEX;

	return bpf_map_update_elem(*(int *)arg, &key, &ifindex, BPF_ANY) ? -errno : 0;
}

int pin_witness_make(int ns_fd, int netns_fd)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP, "tcctl_witness", 4, 4, 1, NULL);
	int err;

	if (fd < 0)
		return fd;
	err = netns_run(netns_fd, put_loopback, &fd);
	return err ? err : pin_replace(ns_fd, WITNESS, "~" WITNESS, fd);
}

enum pin_witness pin_witness_ask(int ns_fd)
{
	_cleanup_close_ int fd = pin_get(ns_fd, WITNESS);
	struct bpf_map_info info = {};
	const uint32_t key = 0;
	uint32_t ifindex, len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_MAP_TYPE_DEVMAP || info.max_entries != 1)
		return PIN_WITNESS_NONE;
	if (!bpf_map_lookup_elem(fd, &key, &ifindex))
		return PIN_WITNESS_ALIVE;
	return errno == ENOENT ? PIN_WITNESS_DEAD : PIN_WITNESS_NONE;
}

bool pin_witness_alone(int ns_fd)
{
	char **names;
	size_t n;
	bool alone;

	if (pin_list(ns_fd, &names, &n))
		return false;
	alone = n > 0;
	for (size_t i = 0; i < n && alone; i++)
		alone = !strcmp(names[i], WITNESS) || !strcmp(names[i], "~" WITNESS);
	pin_list_free(names, n);
	return alone;
}

int pin_clear(int ns_fd)
{
	char **names;
	size_t n;
	int err;

	err = pin_list(ns_fd, &names, &n);
	if (err)
		return err;
	/* the witness goes last: until then it says what the rest is */
	for (int last = 0; last < 2; last++)
		for (size_t i = 0; i < n && !err; i++)
			if ((strcmp(names[i], WITNESS) == 0) == (last == 1))
				err = pin_tree_remove(ns_fd, names[i]);
	pin_list_free(names, n);
	return err;
}
