// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tunnel tables in the kernel: each fits the map of maps that programs have it from, holds what it was made of, and a
 * million routes take seconds.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tcctl/abi.h"
#include "pipeline.skel.h"
#include "test.h"
#include "tunnel/half.h"
#include "tunnel/shapes.h"

#define ROUTES 1000000U
#define SECONDS 60 /* on a busy emulated machine; a real one takes less than three */

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Entries whose keys and values are told by their number. */
static struct tunnel_entries entries(enum tunnel_table table, uint32_t n)
{
	const struct tunnel_shape *s = &tunnel_shapes[table];
	struct tunnel_entries e = { .keys = calloc(n, s->key_size), .values = calloc(n, s->value_size), .n = n, .cap = n };

	for (uint32_t i = 0; i < n; i++) {
		unsigned char *key = (unsigned char *)e.keys + (size_t)i * s->key_size;
		const uint32_t value = i * 7 + 1;

		if (s->type == BPF_MAP_TYPE_LPM_TRIE) {
			struct tcctl_route_key r = { .prefixlen = 32 + 32, .family = 4 };

			r.addr[0] = 10;
			r.addr[1] = (uint8_t)(i >> 16);
			r.addr[2] = (uint8_t)(i >> 8);
			r.addr[3] = (uint8_t)i;
			memcpy(key, &r, sizeof(r));
		} else {
			memcpy(key, &i, sizeof(i));
		}
		memcpy((char *)e.values + (size_t)i * s->value_size, &value, sizeof(value));
	}
	return e;
}

static void entries_done(struct tunnel_entries *e)
{
	free(e->keys);
	free(e->values);
}

/* All of it, or every so many-th. */
static void check_content(int fd, const struct tunnel_entries *e, const struct tunnel_shape *s, size_t step)
{
	char value[512];

	for (size_t i = 0; i < e->n; i += step) {
		memset(value, 0, sizeof(value));
		if (bpf_map_lookup_elem(fd, (const char *)e->keys + i * s->key_size, value)) {
			test_fail("entry %zu is not there: %s", i, strerror(errno));
			return;
		}
		if (memcmp(value, (const char *)e->values + i * s->value_size, s->value_size)) {
			test_fail("entry %zu is another", i);
			return;
		}
	}
}

static void test_tables(void)
{
	struct pipeline *skel = pipeline__open();
	struct bpf_program *prog;
	struct bpf_map *map;

	test_case("the pipeline's maps");
	if (!test_ok(skel != NULL))
		return;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, false);
	bpf_object__for_each_map(map, skel->obj)
		bpf_map__set_pin_path(map, NULL);
	test_eq(pipeline__load(skel), 0);
	for (enum tunnel_table i = 0; i < TUNNEL_TABLE_MAX; i++) {
		static const uint32_t sizes[] = { 1, 3, 5000 };

		test_case(tunnel_table_name(i));
		map = bpf_object__find_map_by_name(skel->obj, tunnel_table_name(i));
		if (!test_ok(map != NULL))
			continue;
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			struct tunnel_entries e = entries(i, sizes[k]);
			const int fd = tunnel_entries_load(&e, i);
			const uint32_t slot = k & 1;

			if (test_ok(fd >= 0)) {
				check_content(fd, &e, &tunnel_shapes[i], 1);
				if (bpf_map_update_elem(bpf_map__fd(map), &slot, &fd, BPF_ANY))
					test_fail("%u entries do not fit half %u: %s", sizes[k], slot, strerror(errno));
				close(fd);
			}
			entries_done(&e);
		}
	}
	pipeline__destroy(skel);
}

static void test_million(void)
{
	struct tunnel_entries e = entries(TUNNEL_ROUTES, ROUTES);
	const double start = now();
	int fd;

	test_case("a million routes");
	fd = tunnel_entries_load(&e, TUNNEL_ROUTES);
	printf("# loaded in %.2f s\n", now() - start);
	if (test_ok(fd >= 0)) {
		test_ok(now() - start < SECONDS);
		check_content(fd, &e, &tunnel_shapes[TUNNEL_ROUTES], 997);
		close(fd);
	}
	entries_done(&e);
}

int main(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(silent);
	test_tables();
	test_million();
	return test_done();
}
