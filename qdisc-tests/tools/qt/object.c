// SPDX-License-Identifier: GPL-2.0-only
/* The object under test: which program is meant, loading it, filling its slots and maps. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qt/runner.h"

#define VERIFIER_LOG (8U << 20)

static char libbpf_said[8192];

static int libbpf_note(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t used = strlen(libbpf_said);

	if (level != LIBBPF_WARN || used + 1 >= sizeof(libbpf_said))
		return 0;
	/* Each message begins with "libbpf: ". */
	return vsnprintf(libbpf_said + used, sizeof(libbpf_said) - used, fmt, ap);
}

const char *log_tail(char *text, unsigned int lines)
{
	char *p = text + strlen(text), *processed;

	processed = strstr(text, "\nprocessed ");
	if (processed && !strstr(processed + 1, "\nR"))
		p = processed;
	*p = 0;
	while (p > text && lines) {
		p--;
		if (*p == '\n' && p[1] && !--lines)
			return p + 1;
	}
	return p;
}

void libbpf_listen(void)
{
	libbpf_said[0] = 0;
	libbpf_set_print(libbpf_note);
}

const char *libbpf_heard(void)
{
	return libbpf_said;
}

static bool is_ours(const struct bpf_program *p)
{
	return bpf_program__type(p) == BPF_PROG_TYPE_SCHED_CLS || bpf_program__type(p) == BPF_PROG_TYPE_SCHED_ACT;
}

/* The program that is meant, by function or section name, or the only one. */
static struct bpf_program *choose(struct bpf_object *obj, const char *object, const char *name, char *err,
				  size_t err_len)
{
	struct bpf_program *p, *found = NULL;
	char list[1024] = "";
	int n = 0, count = 0, by_section = 0;

	bpf_object__for_each_program(p, obj) {
		if (!is_ours(p))
			continue;
		count++;
		if (n < (int)sizeof(list) - 100)
			n += snprintf(list + n, sizeof(list) - (size_t)n, "\n  %s (section \"%s\")", bpf_program__name(p),
				      bpf_program__section_name(p));
		if (name && !strcmp(name, bpf_program__name(p)))
			return p;
		if (!name || !strcmp(name, bpf_program__section_name(p))) {
			by_section++;
			found = p;
		}
	}
	if (!count) {
		runner_fail(err, err_len, "%s has no program for tc (type SCHED_CLS or SCHED_ACT, e.g. SEC(\"tc\"))", object);
		return NULL;
	}
	if (by_section == 1)
		return found;
	if (name && !by_section)
		runner_fail(err, err_len, "%s has no program '%s'; it has%s", object, name, list);
	else
		runner_fail(err, err_len, "%s has %d programs%s; say which with --program NAME:%s", object, count,
		     name ? " in that section" : "", list);
	return NULL;
}

int object_open(struct qt_runner *r, struct bpf_program **ret, char *err, size_t err_len)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = "/sys/fs/bpf");
	struct bpf_program *p;
	struct bpf_map *m;

	if (access(r->setup->object, R_OK))
		return runner_fail(err, err_len, "%s: %s", r->setup->object, strerror(errno));
	libbpf_listen();
	r->obj = bpf_object__open_file(r->setup->object, &opts);
	if (!r->obj) {
		int e = errno;

		return runner_fail(err, err_len, "%s is not a BPF object that libbpf can open (%s)\n%s", r->setup->object,
			    strerror(e), libbpf_said);
	}
	r->log = calloc(1, VERIFIER_LOG);
	if (!r->log)
		return runner_fail(err, err_len, "out of memory");
	bpf_object__for_each_program(p, r->obj) {
		/* Sections that libbpf does not know by name ("classifier/x", "tc/ingress"): what stock tc makes of them. */
		if (bpf_program__type(p) == BPF_PROG_TYPE_UNSPEC)
			bpf_program__set_type(p, BPF_PROG_TYPE_SCHED_CLS);
		bpf_program__set_log_buf(p, r->log, VERIFIER_LOG);
	}
	if (r->setup->no_pins)
		bpf_object__for_each_map(m, r->obj)
			bpf_map__set_pin_path(m, NULL);
	*ret = choose(r->obj, r->setup->object, r->setup->program, err, err_len);
	return *ret ? 0 : -1;
}

int object_load(struct qt_runner *r, char *err, size_t err_len)
{
	int rc;

	libbpf_listen();
	rc = bpf_object__load(r->obj);
	if (!rc)
		return 0;
	if (r->log && r->log[0])
		return runner_fail(err, err_len, "%s does not load: the verifier refused a program (%s)\n%s--- end of the verifier's log:\n%s",
			    r->setup->object, strerror(-rc), libbpf_said,
			    r->setup->whole_log ? r->log : log_tail(r->log, LOG_TAIL_LINES));
	return runner_fail(err, err_len, "%s does not load (%s)\n%s", r->setup->object, strerror(-rc), libbpf_said);
}

/* "MAP[INDEX]=VALUE" */
static int split(const char *text, char *map, size_t map_len, char *index, size_t index_len, const char **ret_value)
{
	const char *open = strchr(text, '['), *end = open ? strchr(open, ']') : NULL;

	if (!end || end[1] != '=' || !end[2] || (size_t)(open - text) >= map_len || (size_t)(end - open) > index_len)
		return -1;
	memcpy(map, text, (size_t)(open - text));
	map[open - text] = 0;
	memcpy(index, open + 1, (size_t)(end - open - 1));
	index[end - open - 1] = 0;
	*ret_value = end + 2;
	return 0;
}

static struct bpf_map *find_map(struct qt_runner *r, const char *name, char *err, size_t err_len)
{
	struct bpf_map *m = bpf_object__find_map_by_name(r->obj, name), *other;
	char list[1024] = "";
	int n = 0;

	if (m)
		return m;
	bpf_object__for_each_map(other, r->obj)
		if (n < (int)sizeof(list) - 100)
			n += snprintf(list + n, sizeof(list) - (size_t)n, " %s", bpf_map__name(other));
	runner_fail(err, err_len, "%s has no map '%s'; it has%s", r->setup->object, name, *list ? list : " none");
	return NULL;
}

int object_fill(struct qt_runner *r, char *err, size_t err_len)
{
	char map[64], index[2048], why[256], *end;
	const char *value;

	for (size_t i = 0; i < r->setup->slots.n; i++) {
		const char *text = r->setup->slots.items[i];
		struct bpf_program *p;
		struct bpf_map *m;
		uint32_t key;
		int fd;

		if (split(text, map, sizeof(map), index, sizeof(index), &value))
			return runner_fail(err, err_len, "slot '%s': expected MAP[INDEX]=PROGRAM", text);
		key = (uint32_t)strtoul(index, &end, 0);
		m = find_map(r, map, err, err_len);
		if (!m)
			return -1;
		if (*end || !*index)
			return runner_fail(err, err_len, "slot '%s': '%s' is not a number", text, index);
		p = choose(r->obj, r->setup->object, value, err, err_len);
		if (!p)
			return -1;
		fd = bpf_program__fd(p);
		if (bpf_map_update_elem(bpf_map__fd(m), &key, &fd, 0))
			return runner_fail(err, err_len, "slot '%s': %s", text, strerror(errno));
	}
	for (size_t i = 0; i < r->setup->maps.n; i++) {
		const char *text = r->setup->maps.items[i];
		struct packet key = { 0 }, val = { 0 };
		struct bpf_map *m;
		int rc = 0;

		if (split(text, map, sizeof(map), index, sizeof(index), &value))
			return runner_fail(err, err_len, "map '%s': expected MAP[KEY]=VALUE, both in hex digits", text);
		m = find_map(r, map, err, err_len);
		if (!m)
			return -1;
		if (packet_from_hex(index, &key, why, sizeof(why)) || packet_from_hex(value, &val, why, sizeof(why)))
			rc = runner_fail(err, err_len, "map '%s': %s", text, why);
		else if (key.len != bpf_map__key_size(m) || val.len != bpf_map__value_size(m))
			rc = runner_fail(err, err_len, "map '%s': key has %zu bytes and value %zu, the map wants %u and %u", text,
				  key.len, val.len, bpf_map__key_size(m), bpf_map__value_size(m));
		else if (bpf_map_update_elem(bpf_map__fd(m), key.data, val.data, 0))
			rc = runner_fail(err, err_len, "map '%s': %s", text, strerror(errno));
		packet_done(&key);
		packet_done(&val);
		if (rc)
			return rc;
	}
	return 0;
}
