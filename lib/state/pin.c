// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The state blob in a pinned, memory-mapped ARRAY. */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "pin.h"
#include "state.h"
#include "util.h"

#define VALUE_SIZE 4096 /* a page, so that values lie next to each other in the mapping */
#define STATE_PIN_NEW "~state"

int state_write(int dir_fd, const char *owner, const struct state *now, const struct state *next,
		struct tcctl_diags *diags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	_cleanup_close_ int fd = -1;
	_cleanup_free_ void *blob = NULL;
	const char *doing = "encode";
	size_t len, size;
	void *area;
	int err;

	err = state_encode(now, next, &blob, &len);
	if (err)
		goto fail;
	size = (len + VALUE_SIZE - 1) / VALUE_SIZE * VALUE_SIZE;
	doing = "create the map for";
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcctl_state", 4, VALUE_SIZE, size / VALUE_SIZE, &opts);
	if (fd < 0) {
		err = fd;
		goto fail;
	}
	doing = "write";
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED) {
		err = -errno;
		goto fail;
	}
	memcpy(area, blob, len);
	munmap(area, size);
	doing = "pin";
	err = pin_replace(dir_fd, STATE_PIN, STATE_PIN_NEW, fd);
	if (!err)
		return 0;
fail:
	diag_errno(diag_object(diag_error(diags, NULL, "cannot %s the stored configuration of '%s': %s", doing, owner,
					  strerror(-err)),
			       "map %s", STATE_PIN),
		   err);
	return err;
}

/* For messages: the pin's path, as far as it is known. */
static const char *state_path(int dir_fd, char path[PATH_MAX])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	n = readlink(link, path, PATH_MAX - sizeof("/" STATE_PIN));
	if (n <= 0)
		return STATE_PIN;
	strcpy(path + n, "/" STATE_PIN);
	return path;
}

int state_read(int dir_fd, const char *owner, struct tcctl_diags *diags, struct state_record *ret)
{
	_cleanup_close_ int fd = -1;
	struct bpf_map_info info = {};
	uint32_t info_len = sizeof(info), schema = 0;
	char path[PATH_MAX];
	struct diag *g;
	size_t size;
	void *area;
	int err;

	fd = pin_get(dir_fd, STATE_PIN);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0) {
		g = diag_error(diags, NULL, "cannot open the stored configuration of '%s': %s", owner, strerror(-fd));
		diag_errno(diag_object(g, "map %s", STATE_PIN), fd);
		if (fd == -EPERM || fd == -EACCES)
			diag_hint(g, "this needs CAP_BPF and the right to read below the bpf filesystem (usually root)");
		return fd;
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &info_len))
		err = -errno;
	else if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != VALUE_SIZE ||
		 !(info.map_flags & BPF_F_MMAPABLE))
		err = -EBADMSG;
	else
		err = 0;
	if (!err) {
		size = (size_t)info.max_entries * VALUE_SIZE;
		area = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (area == MAP_FAILED) {
			err = -errno;
		} else {
			err = state_decode(area, size, ret, &schema);
			munmap(area, size);
		}
	}
	if (!err)
		return 0;
	if (err == -EPROTONOSUPPORT)
		g = diag_hint(diag_error(diags, NULL,
					 "the stored configuration of '%s' has schema %u, this version knows %u", owner,
					 schema, STATE_SCHEMA),
			      "use the tcctl that applied it, or a newer one");
	else if (err == -EBADMSG)
		g = diag_hint(diag_error(diags, NULL, "the stored configuration of '%s' is damaged", owner),
			      "it was not written by tcctl or was overwritten; when it is removed (rm %s), `tcctl remove` "
			      "and `tcctl apply` start anew",
			      state_path(dir_fd, path));
	else
		g = diag_error(diags, NULL, "cannot read the stored configuration of '%s': %s", owner, strerror(-err));
	diag_errno(diag_object(g, "map %s", STATE_PIN), err);
	return err;
}
