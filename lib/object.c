// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bpflog.h"
#include "caps.h"
#include "digest.h"
#include "tcctl/abi.h"
#include "util.h"

#include "pipeline.skel.h"

#define OBJECT_SIZE_MAX (32UL << 20)
#define LOG_LINES 12

const void *object_builtin(size_t *ret_len)
{
	return pipeline__elf_bytes(ret_len);
}

uint64_t object_builtin_digest(void)
{
	size_t len;
	const void *data = object_builtin(&len);

	return digest_bytes(DIGEST_INIT, data, len);
}

static bool trusted(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & 022) || (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX));
}

static int refuse(struct tcctl_diags *diags, const struct loc *loc, const char *path, const char *part, int err)
{
	struct diag *g;

	if (err == EPERM && part) {
		g = diag_error(diags, loc, "object %s is not used: others can change %s", path, part);
		diag_hint(g, "it must belong to root and be writable by nobody else (chown root, chmod go-w), and so must "
			     "every folder above it");
	} else {
		g = diag_error(diags, loc, "cannot read object %s: %s", path, strerror(err));
	}
	diag_errno(g, err);
	return -err;
}

int object_read(const char *path, const struct loc *loc, struct tcctl_diags *diags, void **ret_data,
		size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *data = NULL;
	char real[PATH_MAX], link[32];
	struct stat st;
	ssize_t n;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st))
		return refuse(diags, loc, path, NULL, errno);
	if (!S_ISREG(st.st_mode))
		return refuse(diags, loc, path, NULL, S_ISDIR(st.st_mode) ? EISDIR : EINVAL);
	if (st.st_size > (off_t)OBJECT_SIZE_MAX)
		return refuse(diags, loc, path, NULL, EFBIG);
	if (!trusted(&st))
		return refuse(diags, loc, path, "the file", EPERM);
	/* where the open file really is, links resolved */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real) - 1);
	if (n < 0)
		return refuse(diags, loc, path, NULL, errno);
	real[n] = 0;
	for (char *slash = strrchr(real, '/'); slash; slash = strrchr(real, '/')) {
		*slash = 0;
		if (stat(*real ? real : "/", &st))
			return refuse(diags, loc, path, NULL, errno);
		if (!trusted(&st))
			return refuse(diags, loc, path, *real ? real : "/", EPERM);
	}
	if (fstat(fd, &st))
		return refuse(diags, loc, path, NULL, errno);
	data = malloc(st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		n = read(fd, data + len, st.st_size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return refuse(diags, loc, path, NULL, n < 0 ? errno : EIO);
		len += n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_len = len;
	return 0;
}

int object_open(const void *data, size_t len, const char *what, const struct loc *loc, struct tcctl_diags *diags,
		struct bpf_object **ret_obj)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "tcctl");
	struct bpf_program *prog;
	struct bpf_object *obj;
	struct bpf_map *map;
	struct bpflog log;
	int err = 0;

	bpflog_begin(&log);
	obj = bpf_object__open_mem(data, len, &opts);
	if (!obj)
		err = -errno;
	bpflog_end(&log);
	if (err) {
		_cleanup_free_ char *tail = bpflog_tail(&log, LOG_LINES);

		diag_errno(diag_detail(diag_error(diags, loc, "%s is not a BPF object that can be used: %s", what,
						  strerror(-err)),
				       tail),
			   err);
		bpflog_done(&log);
		return err;
	}
	bpflog_done(&log);
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, false);
	bpf_object__for_each_map(map, obj)
		bpf_map__set_pin_path(map, NULL); /* pinning by name is for stock tc */
	*ret_obj = obj;
	return 0;
}

/* The program that libbpf complained about: "prog 'NAME': BPF program load failed". */
static bool failed_program(const struct bpflog *log, char name[64])
{
	const char *at = log->text ? strstr(log->text, "prog '") : NULL;

	return at && sscanf(at, "prog '%63[^']'", name) == 1;
}

int object_load(struct bpf_object *obj, const char *what, const struct loc *loc, struct tcctl_diags *diags)
{
	struct bpflog log;
	int err;

	bpflog_begin(&log);
	err = bpf_object__load(obj);
	bpflog_end(&log);
	if (err) {
		_cleanup_free_ char *tail = bpflog_tail(&log, LOG_LINES);
		const bool verifier = log.text && strstr(log.text, "-- BEGIN PROG LOAD LOG --");

		if ((err == -EPERM || err == -EACCES) && !verifier && caps_require(CAPS_LOAD, diags)) {
			/* said what is missing */
		} else {
			struct diag *g = diag_error(diags, loc,
						    verifier ? "the kernel's verifier rejects %s: %s" :
							       "%s cannot be loaded: %s",
						    what, strerror(-err));
			char program[64];

			if (failed_program(&log, program))
				diag_object(g, "program %s", program);
			if (verifier && !caps_have(CAPS_PERFMON))
				diag_hint(g, "the verifier asks more of programs that load without CAP_PERFMON; add it, or use "
					     "a newer kernel");
			diag_errno(diag_detail(g, tail), err);
		}
	}
	bpflog_done(&log);
	return err;
}

int object_rodata_set(struct bpf_object *obj, const char *var, const void *value, size_t size)
{
	struct btf *btf = bpf_object__btf(obj);
	const struct btf_var_secinfo *info;
	const struct btf_type *sec;
	struct bpf_map *map;
	size_t area_size;
	int id;

	id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	sec = btf__type_by_id(btf, id);
	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);
		size_t len = strlen(name);
		char *area;

		if (!bpf_map__is_internal(map) || len < 7 || strcmp(name + len - 7, ".rodata"))
			continue;
		/* const in libbpf 1.1, but it is the very memory that becomes the map */
		area = (char *)(uintptr_t)bpf_map__initial_value(map, &area_size);
		if (!area)
			return -ENOENT;
		info = btf_var_secinfos(sec);
		for (int i = 0; i < btf_vlen(sec); i++, info++) {
			const struct btf_type *t = btf__type_by_id(btf, info->type);

			if (strcmp(btf__name_by_offset(btf, t->name_off), var))
				continue;
			if (info->size != size || info->offset + size > area_size)
				return -EMSGSIZE;
			memcpy(area + info->offset, value, size);
			return 0;
		}
	}
	return -ENOENT;
}

bool object_map_fits(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return false;
	return info.type == (uint32_t)bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) && info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

uint32_t object_prog_id(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}
