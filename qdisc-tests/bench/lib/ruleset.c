// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "diag.h"
#include "measure.h"
#include "ruleset.h"

#define LINE 64

uint32_t ruleset_counter(size_t i)
{
	return (uint32_t)(TCCTL_CHUNK_RULES * TCCTL_CHUNK + i);
}

static char last_error[512];

const char *ruleset_error(void)
{
	return last_error;
}

static void explain(const struct tcctl_diags *diags)
{
	for (size_t i = 0; i < diags->n && i < 5; i++) {
		fprintf(stderr, "bench: %s\n", diags->items[i].message);
		if (!i)
			snprintf(last_error, sizeof(last_error), "%s", diags->items[i].message);
	}
}

static int arena_load(const struct rules_arena *arena)
{
	LIBBPF_OPTS(bpf_map_create_opts, create, .map_flags = BPF_F_INNER_MAP);
	LIBBPF_OPTS(bpf_map_batch_opts, batch);
	uint32_t n = (uint32_t)arena->n_lines, *keys = malloc(n * sizeof(*keys));
	int err = 0, fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "arena", 4, LINE, n, &create);

	if (fd < 0 || !keys) {
		err = fd < 0 ? fd : -ENOMEM;
		goto out;
	}
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	for (uint32_t i = 0, some; i < n && !err; i += some) {
		some = n - i < 65536 ? n - i : 65536;
		err = bpf_map_update_batch(fd, keys + i, (const char *)arena->lines + (size_t)i * LINE, &some,
					   &batch);
	}
out:
	free(keys);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int ruleset_compile(const struct spec *spec, struct ruleset *ret)
{
	struct rules_options unlimited = { .max_bytes = (size_t)1 << 30 };
	const struct spec_ruleset *set = &spec->rulesets[0];
	struct tcctl_diags *diags = diags_new();
	uint32_t *ids = malloc(set->n_rules * sizeof(*ids));
	struct rules_stats stats = {};
	double t0 = bench_cpu();
	int err;

	memset(ret, 0, sizeof(*ret));
	ret->fd = -1;
	ret->n_rules = set->n_rules;
	if (!ids || !diags) {
		err = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < ret->n_rules; i++)
		ids[i] = ruleset_counter(i);
	err = rules_compile(spec, set, ids, &unlimited, diags, &ret->arena, &stats);
	if (err) {
		explain(diags);
		goto out;
	}
	ret->compile_seconds = bench_cpu() - t0;
	ret->bytes = stats.bytes;
	ret->depth_max = stats.depth_max;
	t0 = bench_cpu();
	ret->fd = arena_load(&ret->arena);
	if (ret->fd < 0) {
		err = ret->fd;
		rules_arena_done(&ret->arena);
	}
	ret->load_seconds = bench_cpu() - t0;
out:
	free(ids);
	diags_free(diags);
	return err;
}

int ruleset_load(const char *yaml, size_t len, const char *base, struct ruleset *ret)
{
	struct spec_options options = { .base = base };
	struct tcctl_diags *diags = diags_new();
	struct spec *spec = NULL;
	double t0 = bench_cpu(), parse_seconds;
	int err = spec_parse(yaml, len, "bench.yaml", &options, diags, &spec);

	if (err)
		explain(diags);
	parse_seconds = bench_cpu() - t0;
	if (!err)
		err = ruleset_compile(spec, ret);
	if (!err)
		ret->parse_seconds = parse_seconds;
	spec_free(spec);
	diags_free(diags);
	return err;
}

void ruleset_close(struct ruleset *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	rules_arena_done(&r->arena);
}

int ruleset_use(const struct ruleset *r, struct pipe *pipe, uint32_t half)
{
	uint32_t last = ruleset_counter(r->n_rules ? r->n_rules - 1 : 0) / TCCTL_CHUNK;
	int err;

	for (uint32_t c = TCCTL_CHUNK_RULES; c <= last; c++)
		if (c >= TCCTL_CHUNKS_MAX || (pipe->chunk[c] < 0 && (err = pipe_add_chunk(pipe, c))))
			return c >= TCCTL_CHUNKS_MAX ? -E2BIG : err;
	return pipe_put_arena(pipe, half, r->fd);
}
