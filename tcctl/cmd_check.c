// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <stdio.h>

#include "cmd.h"
#include "out.h"

#define COUNTER_BYTES 24 /* struct tcctl_counter, on each CPU */

static void print_rulesets(const struct tcctl_config *config, unsigned int cpus, bool verbose)
{
	static const char *const titles[] = { "RULE SET", "RULES",  "COMPILED",
					      "COUNTERS", "MEMORY", "LINES A PACKET" };
	static const bool right[] = { false, true, true, true, true, true };
	struct table t = { .titles = titles, .right = right, .n_columns = 6 };
	struct tcctl_ruleset r = { .sz = sizeof(r) };

	for (size_t i = 0; i < tcctl_config_ruleset_count(config); i++) {
		char rules[24], bytes[32], counters[24], memory[32], lines[24];

		if (tcctl_config_ruleset_get(config, i, &r))
			continue;
		snprintf(rules, sizeof(rules), "%zu", r.rules);
		snprintf(counters, sizeof(counters), "%zu", r.counters);
		snprintf(lines, sizeof(lines), "≤ %zu", r.depth_max);
		table_row(&t, (const char *const[]){
				      r.name, rules, bytes_text(r.bytes, bytes), counters,
				      bytes_text(2 * r.bytes + (uint64_t)COUNTER_BYTES * cpus * r.counters,
						 memory),
				      lines });
	}
	if (!t.n_rows)
		return;
	table_print(&t, "");
	table_done(&t);
	printf("memory of a pipeline with one of these = 2 × compiled + %d bytes × %u CPUs × counters\n",
	       COUNTER_BYTES, cpus);
	if (!verbose)
		return;
	for (size_t i = 0; i < tcctl_config_ruleset_count(config); i++)
		if (!tcctl_config_ruleset_get(config, i, &r))
			printf("%s: compiled in %.3f s\n", r.name, r.compile_seconds);
}

static struct json_object *rulesets_json(const struct tcctl_config *config, unsigned int cpus)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_ruleset r = { .sz = sizeof(r) };

	for (size_t i = 0; i < tcctl_config_ruleset_count(config); i++) {
		struct json_object *o = json_object_new_object();

		if (tcctl_config_ruleset_get(config, i, &r)) {
			json_object_put(o);
			continue;
		}
		json_add_text(o, "name", r.name);
		json_add_u64(o, "rules", r.rules);
		json_add_u64(o, "compiled_bytes", r.bytes);
		json_add_u64(o, "counters", r.counters);
		json_add_u64(o, "memory_bytes", 2 * r.bytes + (uint64_t)COUNTER_BYTES * cpus * r.counters);
		json_add_u64(o, "lines_max", r.depth_max);
		json_add(o, "compile_seconds", json_object_new_double(r.compile_seconds));
		json_object_array_add(list, o);
	}
	return list;
}

int cmd_check(const struct options *options)
{
	struct tcctl_diags *diags = tcctl_diags_new();
	struct json_object *json = json_begin(options);
	struct tcctl_config *config = NULL;
	int err, cpus = libbpf_num_possible_cpus();

	if (cpus < 1)
		cpus = 1;
	err = load_config(options, diags, &config);
	if (!err)
		err = tcctl_config_check(config, diags);
	if (!err && json) {
		json_add_text(json, "name", tcctl_config_name(config));
		json_add_u64(json, "cpus", (uint64_t)cpus);
		json_add(json, "rule_sets", rulesets_json(config, (unsigned int)cpus));
	} else if (!err && !options->quiet) {
		print_rulesets(config, (unsigned int)cpus, options->verbose);
		printf("configuration of '%s' is valid%s\n", tcctl_config_name(config),
		       tcctl_diags_count(diags) ? ", with the following remarks" : "");
	}
	tcctl_config_free(config);
	return finish(options, err, EXIT_OK, diags, json);
}
