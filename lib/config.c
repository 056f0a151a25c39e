// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A configuration as the public header shows it. */
#include <errno.h>
#include <string.h>

#include "context.h"
#include "diag.h"
#include "record.h"
#include "rules.h"
#include "util.h"

static int config_wrap(struct spec *spec, struct tcctl_config **ret)
{
	struct tcctl_config *config = calloc(1, sizeof(*config));

	if (!config) {
		spec_free(spec);
		return -ENOMEM;
	}
	config->spec = spec;
	*ret = config;
	return 0;
}

/* From files, or from text when there is one. */
static int config_read(const char *const *paths, size_t n_paths, const char *text, size_t len,
		       const char *file, const struct tcctl_config_options *options,
		       struct tcctl_diags *diags, struct tcctl_config **ret)
{
	struct tcctl_config_options o;
	struct spec_options so;
	struct spec *spec;
	int err;

	err = record_options(&o, sizeof(o), options);
	if (err)
		return err;
	so = (struct spec_options){ .base = o.base };
	err = text ? spec_parse(text, len, file, &so, diags, &spec) :
		     spec_load(paths, n_paths, &so, diags, &spec);
	return err ? err : config_wrap(spec, ret);
}

int tcctl_config_load(const char *const *paths, size_t n_paths, const struct tcctl_config_options *options,
		      struct tcctl_diags *diags, struct tcctl_config **ret_config)
{
	return config_read(paths, n_paths, NULL, 0, NULL, options, diags, ret_config);
}

int tcctl_config_parse(const char *text, size_t len, const char *file,
		       const struct tcctl_config_options *options, struct tcctl_diags *diags,
		       struct tcctl_config **ret_config)
{
	return config_read(NULL, 0, text ? text : "", text ? len : 0, file, options, diags, ret_config);
}

void tcctl_config_free(struct tcctl_config *config)
{
	if (!config)
		return;
	spec_free(config->spec);
	free(config->stats);
	free(config);
}

const char *tcctl_config_name(const struct tcctl_config *config)
{
	return config->spec->name;
}

int tcctl_config_emit(const struct tcctl_config *config, char **ret_text, size_t *ret_len)
{
	return spec_emit(config->spec, ret_text, ret_len);
}

int tcctl_config_check(struct tcctl_config *config, struct tcctl_diags *diags)
{
	const struct spec *spec = config->spec;
	struct rules_stats *stats = calloc(spec->n_rulesets + 1, sizeof(*stats));
	int err = 0;

	if (!stats)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_rulesets; i++) {
		const struct spec_ruleset *set = &spec->rulesets[i];
		uint32_t *ids = calloc(set->n_rules + 1, sizeof(*ids));
		struct rules_arena arena;
		int e;

		if (!ids) {
			err = -ENOMEM;
			break;
		}
		e = rules_check(spec, set, diags);
		if (!e)
			e = rules_compile(spec, set, ids, NULL, diags, &arena, &stats[i]);
		if (!e)
			rules_arena_done(&arena);
		else
			err = e;
		free(ids);
	}
	if (!err)
		err = spec_check(spec, diags);
	if (diags_lost(diags, DIAG_WARNING))
		diag_add(diags, DIAG_NOTE, NULL, "%zu more warnings are not shown",
			 diags_lost(diags, DIAG_WARNING));
	free(config->stats);
	config->stats = stats;
	return err;
}

size_t tcctl_config_ruleset_count(const struct tcctl_config *config)
{
	return config->spec->n_rulesets;
}

int tcctl_config_ruleset_get(const struct tcctl_config *config, size_t i, struct tcctl_ruleset *ret)
{
	struct tcctl_ruleset r = { .sz = sizeof(r) };

	if (i >= config->spec->n_rulesets)
		return -ENOENT;
	r.name = config->spec->rulesets[i].name;
	r.rules = config->spec->rulesets[i].n_rules;
	if (config->stats) {
		r.bytes = config->stats[i].bytes;
		r.counters = config->stats[i].counters;
		r.depth_max = config->stats[i].depth_max;
		r.compile_seconds = config->stats[i].compile_seconds;
	}
	return record_put(ret, &r, sizeof(r));
}
