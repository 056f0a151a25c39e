// SPDX-License-Identifier: GPL-2.0-only
/* Loads a program and runs packets through it, in either mode. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qt/runner.h"
#include "qt_observe.skel.h"

int runner_fail(char *err, size_t err_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return -1;
}

int strings_add(struct strings *s, const char *text)
{
	char **more = realloc(s->items, (s->n + 1) * sizeof(*more));

	if (!more)
		return -1;
	s->items = more;
	s->items[s->n] = strdup(text);
	return s->items[s->n] ? (s->n++, 0) : -1;
}

void strings_done(struct strings *s)
{
	while (s->n)
		free(s->items[--s->n]);
	free(s->items);
	s->items = NULL;
}

int runner_open(const struct qt_setup *setup, struct qt_runner **ret, char *err, size_t err_len)
{
	struct qt_runner *r = calloc(1, sizeof(*r));
	struct bpf_program *p = NULL;

	if (!r)
		return runner_fail(err, err_len, "out of memory");
	r->setup = setup;
	r->prog_fd = r->send_fd = r->wire_fd = -1;
	if (!setup->config && object_open(r, &p, err, err_len))
		goto fail;
	if (setup->mode == QT_NET) {
		if (net_open(r, p, err, err_len))
			goto fail;
	} else {
		if (object_load(r, err, err_len) || object_fill(r, err, err_len))
			goto fail;
		r->prog_fd = fcntl(bpf_program__fd(p), F_DUPFD_CLOEXEC, 3);
		observers_open(r);
	}
	*ret = r;
	return 0;
fail:
	runner_close(r);
	return -1;
}

int runner_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *ret,
		char *err, size_t err_len)
{
	memset(ret, 0, sizeof(*ret));
	return r->setup->mode == QT_NET ? net_send(r, p, in, ret, err, err_len) : prog_send(r, p, in, ret, err, err_len);
}

/* A map of the program, by name; the kernel keeps 15 characters of it. */
static int map_of_program(struct qt_runner *r, const char *name)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info), ids[64];

	info.nr_map_ids = 64;
	info.map_ids = (uintptr_t)ids;
	if (bpf_obj_get_info_by_fd(r->prog_fd, &info, &len))
		return -1;
	for (uint32_t i = 0; i < info.nr_map_ids && i < 64; i++) {
		struct bpf_map_info mi = { 0 };
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(mi);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &mi, &len) && !strncmp(mi.name, name, sizeof(mi.name) - 1))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static bool is_percpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

int runner_map(struct qt_runner *r, const char *map, const char *key_hex, char **ret, char *err, size_t err_len)
{
	struct bpf_map_info mi = { 0 };
	uint32_t len = sizeof(mi);
	struct packet key = { 0 };
	int fd = map_of_program(r, map), rc = -1, cpus;
	uint8_t *value = NULL;
	size_t stride;
	char why[128];

	if (fd < 0)
		return runner_fail(err, err_len, "the program has no map '%s'", map);
	if (bpf_obj_get_info_by_fd(fd, &mi, &len) || packet_from_hex(key_hex, &key, why, sizeof(why))) {
		runner_fail(err, err_len, "map %s: key '%s' is not hex digits", map, key_hex);
		goto out;
	}
	if (key.len != mi.key_size) {
		runner_fail(err, err_len, "map %s: key '%s' has %zu bytes, the map wants %u", map, key_hex, key.len, mi.key_size);
		goto out;
	}
	stride = (mi.value_size + 7UL) & ~7UL;
	cpus = is_percpu(mi.type) ? libbpf_num_possible_cpus() : 1;
	value = calloc((size_t)cpus, stride);
	*ret = value ? calloc(1, mi.value_size * 2UL + 1) : NULL;
	if (!*ret) {
		runner_fail(err, err_len, "out of memory");
		goto out;
	}
	if (bpf_map_lookup_elem(fd, key.data, value)) {
		runner_fail(err, err_len, "map %s[%s]: %s", map, key_hex, errno == ENOENT ? "no such entry" : strerror(errno));
		free(*ret);
		goto out;
	}
	for (int c = 1; c < cpus; c++)
		for (size_t w = 0; w < stride / 8; w++)
			((uint64_t *)value)[w] += ((uint64_t *)(value + (size_t)c * stride))[w];
	for (uint32_t i = 0; i < mi.value_size; i++)
		snprintf(*ret + 2 * (size_t)i, 3, "%02x", value[i]);
	rc = 0;
out:
	free(value);
	packet_done(&key);
	close(fd);
	return rc;
}

void runner_close(struct qt_runner *r)
{
	if (!r)
		return;
	qt_observe__destroy(r->observer);
	if (r->prog_fd >= 0)
		close(r->prog_fd);
	if (r->send_fd >= 0)
		close(r->send_fd);
	if (r->wire_fd >= 0)
		close(r->wire_fd);
	bpf_object__close(r->obj);
	free(r->log);
	free(r);
}
