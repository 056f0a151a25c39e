// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `rules:` ordered rule sets. */
#include "spec/rule.h"

static const struct loc *ruleset_place(const struct spec *spec, int i)
{
	return &spec->rulesets[i].loc;
}

static void check_rule_name(struct spec_ctx *c, struct names *names, const struct spec_ruleset *rs,
			    const struct yaml_node *v)
{
	size_t i = rs->n_rules - 1;
	int old, r;

	if (!rs->rules[i].name)
		return;
	r = names_add(names, rs->rules[i].name, (int)i, &old);
	if (r < 0)
		c->oom = true;
	if (r == 1)
		spec_error(c, yaml_map_get(v, "name"), "rule name \"%s\" is given twice: first at line %u",
			   rs->rules[i].name, rs->rules[old].loc.line);
}

static void parse_ruleset(struct spec_ctx *c, const struct yaml_node *key, const struct yaml_node *v)
{
	const struct yaml_node *catch_all = NULL;
	struct names names = { 0 };
	struct spec_ruleset *rs;
	bool told = false;

	if (!spec_name_ok(c, key, "rule set"))
		return;
	if (!spec_grow(c, &c->spec->rulesets, c->spec->n_rulesets, sizeof(*rs)))
		return;
	rs = &c->spec->rulesets[c->spec->n_rulesets];
	*rs = (struct spec_ruleset){ .name = spec_strdup(c, key->text), .loc = spec_loc(c, key) };
	c->spec->n_rulesets++;
	if (!rs->name)
		return;
	spec_define(c, &c->rulesets, key, rs->name, "rule set", c->spec->n_rulesets - 1, ruleset_place);
	if (v->kind != YAML_LIST) {
		struct diag *g = spec_expected(c, v, "rules", "a list of rules");

		if (v->kind == YAML_MAP)
			diag_hint(g, "start each rule with a dash: - { ... , class: NAME }");
		return;
	}
	for (uint32_t i = 0; i < v->n && !c->oom; i++) {
		if (!spec_grow(c, &rs->rules, rs->n_rules, sizeof(*rs->rules)))
			break;
		if (catch_all && !told) {
			spec_error(
				c, v->items[i],
				"this rule is never reached: the rule at line %u has no match keys and takes "
				"everything",
				catch_all->line);
			told = true;
		}
		if (!rule_read(c, v->items[i], &rs->rules[rs->n_rules]) && !catch_all)
			catch_all = v->items[i];
		/* Read on for the number of errors, but hopeless input shall not fill the memory. */
		if (diags_full(c->diags, DIAG_ERROR)) {
			spec_rule_done(&rs->rules[rs->n_rules]);
			continue;
		}
		rs->n_rules++;
		check_rule_name(c, &names, rs, v->items[i]);
	}
	names_done(&names);
}

void spec_parse_rulesets(struct spec_ctx *c, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		struct diag *g = spec_expected(c, map, "rules", "a map of rule sets");

		if (map->kind == YAML_LIST)
			diag_hint(g, "give the list a name: rules: { NAME: [ ... ] }");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++)
		parse_ruleset(c, map->pairs[i].key, map->pairs[i].value);
}
