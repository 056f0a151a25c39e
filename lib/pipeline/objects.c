// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Objects that generations are loaded from: what the built-in one fixes for good, and users' own. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "object.h"
#include "pipeline.h"
#include "pipeline/internal.h"

int pipeline_abi_digest(struct tcctl_diags *diags, uint64_t *ret)
{
	struct bpf_program *root;
	struct bpf_object *obj;
	uint64_t h = DIGEST_INIT;
	struct bpf_map *map;
	const void *data;
	size_t len;
	int err;

	data = object_builtin(&len);
	err = object_open(data, len, "the built-in pipeline", NULL, diags, &obj);
	if (err)
		return err;
	root = bpf_object__find_program_by_name(obj, "root");
	if (root)
		h = digest_bytes(h, bpf_program__insns(root), bpf_program__insn_cnt(root) * sizeof(struct bpf_insn));
	bpf_object__for_each_map(map, obj) {
		if (bpf_map__is_internal(map) || pipeline_table(bpf_map__name(map)) >= 0)
			continue;
		h = digest_str(h, bpf_map__name(map));
		h = digest_u64(h, bpf_map__type(map));
		h = digest_u64(h, bpf_map__key_size(map));
		h = digest_u64(h, bpf_map__value_size(map));
		h = digest_u64(h, bpf_map__max_entries(map));
		h = digest_u64(h, bpf_map__map_flags(map));
	}
	bpf_object__close(obj);
	*ret = h;
	return 0;
}

int pipeline_objects_read(const struct spec *spec, struct tcctl_diags *diags, struct pipeline_object **ret)
{
	struct pipeline_object *objects = calloc(spec->n_programs + 1, sizeof(*objects));
	int err = 0, e;

	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_programs; i++) {
		const struct spec_program *p = &spec->programs[i];
		size_t same;

		for (same = 0; same < i; same++)
			if (objects[same].data && !strcmp(spec->programs[same].object, p->object))
				break;
		if (same < i) {
			objects[i] = objects[same];
			objects[i].data = malloc(objects[same].len);
			if (!objects[i].data) {
				err = -ENOMEM;
				break;
			}
			memcpy(objects[i].data, objects[same].data, objects[i].len);
			continue;
		}
		e = object_read(p->object, &p->loc, diags, &objects[i].data, &objects[i].len);
		if (e)
			err = e;
		else
			objects[i].digest = digest_bytes(DIGEST_INIT, objects[i].data, objects[i].len);
	}
	if (err) {
		pipeline_objects_free(objects, spec->n_programs);
		return err;
	}
	*ret = objects;
	return 0;
}

void pipeline_objects_free(struct pipeline_object *objects, size_t n)
{
	for (size_t i = 0; objects && i < n; i++)
		free(objects[i].data);
	free(objects);
}
