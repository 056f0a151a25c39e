// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `programs:` objects of the user, and `run:` where they go in a pipeline. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

#define UDP_PORTS_MAX (TCCTL_UDP_MAX - TCCTL_UDP_USER)

static const struct loc *program_place(const struct spec *spec, int i)
{
	return &spec->programs[i].loc;
}

static void parse_object(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_program *program = dst;

	if (!spec_text(c, v, key->name, "the file name of a BPF object"))
		return;
	if (!v->n) {
		spec_error(c, v, "object: the file name is empty");
		return;
	}
	program->object = spec_path(c, v->text, true);
}

static void parse_function(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct spec_program *program = dst;
	size_t i = 0;

	if (!spec_text(c, v, key->name, "the name of a function in the object"))
		return;
	while (i < v->n && (v->text[i] == '_' ||
			    (i ? isalnum((unsigned char)v->text[i]) : isalpha((unsigned char)v->text[i]))))
		i++;
	if (i < v->n || !v->n || v->n > 127) {
		diag_hint(spec_expected(c, v, key->name, "the name of a function in the object"),
			  "not the section: `bpftool gen object` and `llvm-objdump -t` list the functions");
		return;
	}
	program->program = spec_strdup(c, v->text);
}

enum { KEY_OBJECT, KEY_FUNCTION };
static const struct spec_key program_keys[] = {
	[KEY_OBJECT] = { .name = "object", .parse = parse_object },
	[KEY_FUNCTION] = { .name = "program", .parse = parse_function },
};

void spec_parse_programs(struct spec_ctx *c, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		spec_expected(c, map, "programs", "a map of program names");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const struct yaml_pair *seen[ARRAY_SIZE(program_keys)] = { 0 };
		const struct yaml_node *key = map->pairs[i].key;
		struct spec_program *program;

		if (!spec_name_ok(c, key, "program"))
			continue;
		if (!spec_grow(c, &c->spec->programs, c->spec->n_programs, sizeof(*program)))
			return;
		program = &c->spec->programs[c->spec->n_programs];
		*program =
			(struct spec_program){ .name = spec_strdup(c, key->text), .loc = spec_loc(c, key) };
		c->spec->n_programs++;
		if (!program->name)
			return;
		spec_define(c, &c->programs, key, program->name, "program", c->spec->n_programs - 1,
			    program_place);
		if (!spec_map(c, map->pairs[i].value, "a program", program_keys, ARRAY_SIZE(program_keys),
			      program, seen))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(program_keys); k++)
			if (!seen[k])
				spec_error(c, key, "program \"%s\" lacks `%s`", program->name,
					   program_keys[k].name);
	}
}

/* --- run --------------------------------------------------------------------------------------------- */

static const char expected_at[] =
	"ipv4, ipv6, arp, mpls, pppoe, other, proto/NAME such as proto/gre, or udp/PORT";

static bool l4_slot(const char *text, uint32_t *ret)
{
	uint32_t number;

	if (spec_word_find(&spec_l4_words, text, ret))
		return true;
	/* By number, for those that have a slot of their own. */
	return !spec_number(text, strlen(text), &number) && number < 256 &&
	       spec_word_of(&spec_proto_words, number) &&
	       spec_word_find(&spec_l4_words, spec_word_of(&spec_proto_words, number), ret);
}

static void parse_at(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_run *run = dst;
	uint32_t value;
	struct diag *g;

	if (!spec_text(c, v, key->name, expected_at))
		return;
	if (spec_word_find(&spec_l3_words, v->text, &value)) {
		run->at = SPEC_AT_L3;
	} else if (!strncmp(v->text, "proto/", 6)) {
		run->at = SPEC_AT_L4;
		if (!l4_slot(v->text + 6, &value)) {
			spec_did_you_mean(spec_expected(c, v, key->name,
							"proto/ and one of tcp udp icmp icmpv6 sctp gre ipip "
							"ipv6 esp ah other"),
					  NULL);
			return;
		}
	} else if (!strncmp(v->text, "udp/", 4)) {
		const char *wrong = spec_number(v->text + 4, v->n - 4, &value);

		run->at = SPEC_AT_UDP_PORT;
		if (wrong || !value || value > 65535) {
			g = spec_expected(c, v, key->name, "udp/ and a port from 1 to 65535");
			if (wrong && *wrong)
				diag_hint(g, "%s", wrong);
			return;
		}
	} else {
		g = spec_expected(c, v, key->name, "%s", expected_at);
		if (spec_word_find(&spec_stage_words, v->text, &value))
			diag_hint(g, "stages are followed: after: %s", v->text);
		else if (spec_word_find(&spec_l4_words, v->text, &value))
			diag_hint(g, "write proto/%s", v->text);
		return;
	}
	run->slot = value;
}

static void parse_after(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_run *run = dst;

	run->at = SPEC_AFTER_STAGE;
	if (!spec_text(c, v, key->name, "a stage: decap, classify, police, mark, encap or shape"))
		return;
	if (!spec_word_find(&spec_stage_words, v->text, &run->slot))
		spec_did_you_mean(spec_expected(c, v, key->name,
						"decap, classify, police, mark, encap or shape"),
				  spec_word_nearest(&spec_stage_words, v->text));
}

static void parse_program_name(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			       const struct spec_key *key)
{
	struct spec_run *run = dst;

	run->program = spec_refer(c, &c->programs, v, key->name, "program");
}

enum { RUN_PROGRAM, RUN_AT, RUN_AFTER };
static const struct spec_key run_keys[] = {
	[RUN_PROGRAM] = { .name = "program", .parse = parse_program_name },
	[RUN_AT] = { .name = "at", .parse = parse_at },
	[RUN_AFTER] = { .name = "after", .parse = parse_after },
};

bool spec_udp_well_known(uint32_t port)
{
	return port == 4789 || port == 6081 || port == 2152 || port == 6635 || port == 5555 || port == 6080;
}

/* What the table of slots cannot hold. */
static void check_runs(struct spec_ctx *c, const struct yaml_node *list, const struct spec_run *runs,
		       size_t n)
{
	unsigned int after[TCCTL_STAGE_MAX] = { 0 }, ports = 0;

	for (size_t i = 0; i < n; i++) {
		const struct spec_run *r = &runs[i];

		for (size_t j = 0; j < i; j++) {
			if (runs[j].at != r->at || runs[j].slot != r->slot)
				continue;
			if (r->at != SPEC_AFTER_STAGE)
				spec_error(c, list->items[i],
					   "run: the slot is taken by the program at line %u",
					   runs[j].loc.line);
			else if (runs[j].program == r->program)
				spec_error(c, list->items[i],
					   "run: the same program follows the same stage at line %u already",
					   runs[j].loc.line);
			else
				continue;
			break;
		}
		if (r->at == SPEC_AFTER_STAGE && ++after[r->slot] == TCCTL_STAGE_USER + 1)
			spec_error(c, list->items[i], "run: more than %d programs after %s", TCCTL_STAGE_USER,
				   spec_word_of(&spec_stage_words, r->slot));
		if (r->at == SPEC_AT_UDP_PORT && !spec_udp_well_known(r->slot) && ++ports == UDP_PORTS_MAX + 1)
			spec_error(c, list->items[i],
				   "run: more than %d UDP ports besides the well-known ones of tunnels",
				   (int)UDP_PORTS_MAX);
	}
}

void spec_parse_runs(struct spec_ctx *c, const struct yaml_node *list, struct spec_run **ret_runs,
		     size_t *ret_n)
{
	struct spec_run *runs = NULL;
	bool ok = true;
	size_t n = 0;

	if (list->kind != YAML_LIST) {
		spec_expected(c, list, "run", "a list of { program, at } or { program, after }");
		return;
	}
	if (list->n > TCCTL_STAGE_MAX + TCCTL_L3_MAX + TCCTL_L4_MAX + TCCTL_UDP_MAX) {
		spec_error(c, list, "run: %u entries are more than a pipeline has room for", list->n);
		return;
	}
	for (uint32_t i = 0; i < list->n; i++) {
		const struct yaml_pair *seen[ARRAY_SIZE(run_keys)] = { 0 };
		const struct yaml_node *v = list->items[i];
		size_t errors = c->diags->n_errors;

		if (!spec_grow(c, &runs, n, sizeof(*runs)))
			break;
		runs[n] = (struct spec_run){ .loc = spec_loc(c, v), .program = SPEC_NONE };
		if (spec_map(c, v, "an entry of `run`", run_keys, ARRAY_SIZE(run_keys), &runs[n], seen)) {
			if (!seen[RUN_PROGRAM])
				spec_error(c, v, "run: the entry lacks `program`");
			if (!seen[RUN_AT] == !seen[RUN_AFTER])
				spec_error(c, v, "run: the entry needs one of `at` and `after`");
		}
		n++;
		ok = ok && errors == c->diags->n_errors;
	}
	if (ok)
		check_runs(c, list, runs, n);
	*ret_runs = runs;
	*ret_n = n;
}
