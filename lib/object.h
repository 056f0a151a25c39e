/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* BPF objects in memory: the built-in pipeline and users' own files. */
#ifndef TCCTL_LIB_OBJECT_H
#define TCCTL_LIB_OBJECT_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

/* The built-in pipeline object; it lives as long as the library. */
const void *object_builtin(size_t *ret_len);
uint64_t object_builtin_digest(void);

/*
 * Read a user's object file once; it is loaded from this memory, so what was checked is what runs. The file and
 * every folder above it must belong to root (or the caller) and not be writable by others, sticky folders such as
 * /tmp excepted. -EPERM and the like with a diagnostic at `loc`. *ret_data is malloc()ed.
 */
int object_read(const char *path, const struct loc *loc, struct tcctl_diags *diags, void **ret_data,
		size_t *ret_len);

/* Open from memory with libbpf's messages in the diagnostic; all programs off, no pin paths. `what` is for messages. */
int object_open(const void *data, size_t len, const char *what, const struct loc *loc, struct tcctl_diags *diags,
		struct bpf_object **ret_obj);
/* Load; -EACCES and friends with the end of the verifier log. */
int object_load(struct bpf_object *obj, const char *what, const struct loc *loc, struct tcctl_diags *diags);

/* Set a variable in .rodata before the load. -ENOENT: the object has none of that name; -EMSGSIZE: another size. */
int object_rodata_set(struct bpf_object *obj, const char *var, const void *value, size_t size);

/* Does an open map fit what the object declares? */
bool object_map_fits(const struct bpf_map *map, int fd);

/* Id of a program or map by its file descriptor; 0: could not be asked. */
uint32_t object_prog_id(int fd);

#endif
