// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One rule: the table of its keys, and how what must match and what `not:` excludes become one. */
#include <stdlib.h>
#include <string.h>

#include "spec/rule.h"

void spec_rule_done(struct spec_rule *r)
{
	struct spec_ranges *const ranges[] = {
		&r->proto, &r->dscp, &r->vlan, &r->length, &r->icmp, &r->icmp6
	};

	free(r->name);
	for (int i = 0; i < SPEC_ADDR_MAX; i++) {
		free(r->addr[i].prefixes);
		free(r->addr[i].sets);
	}
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		free(r->port[i].items);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		free(ranges[i]->items);
	free(r->flags.items);
	free(r->mark.items);
	free(r->mac.items);
}

static void parse_not(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);

static void parse_rule_name(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			    const struct spec_key *key)
{
	struct rule_reader *rr = dst;

	if (spec_text(c, v, key->name, "a name") && spec_name_ok(c, v, "rule") && !rr->name)
		rr->name = spec_strdup(c, v->text);
}

static void parse_rule_class(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			     const struct spec_key *key)
{
	struct rule_reader *rr = dst;
	struct diag *g;

	if (v->kind == YAML_MAP) {
		g = spec_expected(c, v, key->name, "the name of a class");
		diag_hint(g, "classes are written under the top-level key `classes` and named here");
		return;
	}
	rr->class = spec_refer(c, &c->classes, v, key->name, "class");
}

/* The match keys come first: they are the table of `not:` too. */
/* clang-format off */
#define MATCH_KEYS                                                                                  \
	{ .name = "remote", .parse = rule_parse_address, .arg = SPEC_REMOTE },                           \
	{ .name = "local", .parse = rule_parse_address, .arg = SPEC_LOCAL },                             \
	{ .name = "port", .parse = rule_parse_ranges, .arg = SPEC_PORT },                                \
	{ .name = "local-port", .parse = rule_parse_ranges, .arg = SPEC_LOCAL_PORT },                    \
	{ .name = "src", .parse = rule_parse_address, .arg = SPEC_SRC },                                 \
	{ .name = "dst", .parse = rule_parse_address, .arg = SPEC_DST },                                 \
	{ .name = "sport", .parse = rule_parse_ranges, .arg = SPEC_SPORT },                              \
	{ .name = "dport", .parse = rule_parse_ranges, .arg = SPEC_DPORT },                              \
	{ .name = "proto", .parse = rule_parse_ranges, .arg = RANGE_PROTO },                             \
	{ .name = "dscp", .parse = rule_parse_ranges, .arg = RANGE_DSCP },                               \
	{ .name = "flags", .parse = rule_parse_flags },                                                  \
	{ .name = "icmp", .parse = rule_parse_icmp },                                                    \
	{ .name = "vlan", .parse = rule_parse_ranges, .arg = RANGE_VLAN },                               \
	{ .name = "mac", .parse = rule_parse_mac },                                                      \
	{ .name = "length", .parse = rule_parse_ranges, .arg = RANGE_LENGTH },                           \
	{ .name = "frag", .parse = rule_parse_frag },                                                    \
	{ .name = "mark", .parse = rule_parse_mark },                                                    \
	{ .name = "cgroup", .later = "the control group of the sender" },                           \
	{ .name = "flow", .later = "properties of the flow" }
/* clang-format on */

/* Rows of the table. */
enum { MATCH_RELATIVE_END = 4, MATCH_ABSOLUTE_END = 8, MATCH_FLAGS = 10, MATCH_KEYS_N = 19 };

static unsigned int addr_row(unsigned int i)
{
	return i < SPEC_SRC ? i : i + 2;
}

static unsigned int port_row(unsigned int i)
{
	return i < SPEC_SPORT ? i + 2 : i + 4;
}

static const char beside_not[] = "it stands beside `not`";
static const struct spec_key not_keys[] = {
	MATCH_KEYS,
	{ .name = "not", .misplaced = "negation is not nested" },
	{ .name = "name", .misplaced = beside_not },
	{ .name = "class", .misplaced = beside_not },
};
static const struct spec_key rule_keys[] = {
	MATCH_KEYS,
	{ .name = "not", .parse = parse_not },
	{ .name = "name", .parse = parse_rule_name },
	{ .name = "class", .parse = parse_rule_class },
};
enum { KEY_NOT = MATCH_KEYS_N, KEY_NAME, KEY_CLASS, RULE_KEYS_N };
_Static_assert(ARRAY_SIZE(not_keys) == RULE_KEYS_N, "count of match keys");
_Static_assert(ARRAY_SIZE(rule_keys) == RULE_KEYS_N, "count of rule keys");

/* Note which match keys a half has. */
static void note_keys(struct rule_half *h, const struct yaml_pair *const *seen)
{
	for (int k = 0; k < MATCH_KEYS_N; k++) {
		const struct yaml_node *key = seen[k] ? seen[k]->key : NULL;
		int group = k < MATCH_RELATIVE_END ? GROUP_RELATIVE :
			    k < MATCH_ABSOLUTE_END ? GROUP_ABSOLUTE :
						     0;

		if (!key)
			continue;
		if (!h->first)
			h->first = key;
		if (!h->group[group])
			h->group[group] = key;
	}
}

static void parse_not(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	const struct yaml_pair *seen[ARRAY_SIZE(not_keys)] = { 0 };
	struct rule_reader *rr = dst;

	rr->in_not = true;
	if (spec_map(c, v, "`not`", not_keys, ARRAY_SIZE(not_keys), dst, seen) && !v->n)
		spec_error(c, v, "not: the map is empty, expected match keys");
	rr->in_not = false;
	note_keys(&rr->half[1], seen);
}

/* One key of both halves into half[0]; `left` tells what the pair leaves: 0 nothing. */
static void nothing_left(struct spec_ctx *c, const struct rule_reader *rr, const char *key)
{
	if (!c->oom)
		spec_error(c, rr->excluded, "%s: the rule matches nothing: `not` leaves no value over", key);
}

#define MOVE_NEGATED(yes, no)                 \
	do {                                  \
		*(yes) = *(no);               \
		(yes)->neg = true;            \
		memset(no, 0, sizeof(*(no))); \
	} while (0)

/* Where only `not:` has values of a key, they become the key's own, negated. True: both have, subtract. */
#define BOTH_GIVEN(yes, no)                             \
	({                                              \
		bool _both = false;                     \
		if ((no)->set && (no)->n) {             \
			_both = (yes)->set && (yes)->n; \
			if (!(yes)->set)                \
				MOVE_NEGATED(yes, no);  \
		}                                       \
		_both;                                  \
	})

static void settle_ranges(struct spec_ctx *c, const struct rule_reader *rr, const char *key,
			  struct spec_ranges *yes, struct spec_ranges *no)
{
	if (!BOTH_GIVEN(yes, no))
		return;
	spec_ranges_subtract(c, yes, no);
	if (!yes->n)
		nothing_left(c, rr, key);
}

static void settle_maskeds(struct spec_ctx *c, const struct rule_reader *rr, const char *key,
			   struct spec_maskeds *yes, struct spec_maskeds *no)
{
	if (!BOTH_GIVEN(yes, no))
		return;
	if (!spec_maskeds_subtract(c, yes, no))
		spec_error(c, rr->excluded, "%s: more than %d values are left after the exceptions", key,
			   SPEC_MASKEDS_MAX);
	else if (!yes->n)
		nothing_left(c, rr, key);
}

static void settle(struct spec_ctx *c, struct rule_reader *rr)
{
	struct spec_rule *yes = &rr->half[0].rule, *no = &rr->half[1].rule;

	for (unsigned int i = 0; i < SPEC_ADDR_MAX; i++) {
		struct spec_addrs *a = &yes->addr[i], *b = &no->addr[i];

		if (!b->set || (!b->n_prefixes && !b->n_sets))
			continue;
		if (!a->set)
			MOVE_NEGATED(a, b);
		else if ((a->n_prefixes || a->n_sets) && spec_addrs_subtract(c, rr->excluded, a, b) &&
			 !a->n_prefixes)
			nothing_left(c, rr, rule_keys[addr_row(i)].name);
	}
	for (unsigned int i = 0; i < SPEC_PORT_MAX; i++)
		settle_ranges(c, rr, rule_keys[port_row(i)].name, &yes->port[i], &no->port[i]);
	settle_ranges(c, rr, "proto", &yes->proto, &no->proto);
	settle_ranges(c, rr, "dscp", &yes->dscp, &no->dscp);
	settle_ranges(c, rr, "vlan", &yes->vlan, &no->vlan);
	settle_ranges(c, rr, "length", &yes->length, &no->length);
	settle_maskeds(c, rr, "flags", &yes->flags, &no->flags);
	settle_maskeds(c, rr, "mark", &yes->mark, &no->mark);
	if (BOTH_GIVEN(&yes->mac, &no->mac)) {
		spec_macs_subtract(&yes->mac, &no->mac);
		if (!yes->mac.n)
			nothing_left(c, rr, "mac");
	}
	if (no->frag && !yes->frag) {
		yes->frag = no->frag;
		yes->frag_neg = true;
	} else if (no->frag) {
		yes->frag &= ~no->frag;
		if (!yes->frag)
			nothing_left(c, rr, "frag");
	}
	rule_settle_icmp(c, rr);
}

/* Does any protocol from `ports` remain possible? */
static bool proto_possible(const struct spec_ranges *proto, const uint8_t *wanted, size_t n)
{
	if (!proto->set || !proto->n)
		return true;
	for (size_t i = 0; i < n; i++)
		if (rule_ranges_contain(proto, wanted[i]) != proto->neg)
			return true;
	return false;
}

/* Keys that cannot go together. */
static void check_together(struct spec_ctx *c, const struct rule_reader *rr,
			   const struct yaml_pair *const *seen)
{
	static const uint8_t with_ports[] = { PROTO_TCP, 17, 132 }, tcp[] = { PROTO_TCP };
	const struct spec_rule *rule = &rr->half[0].rule;
	const struct yaml_node *relative = NULL, *absolute = NULL;

	for (int h = 1; h >= 0; h--) {
		if (rr->half[h].group[GROUP_RELATIVE])
			relative = rr->half[h].group[GROUP_RELATIVE];
		if (rr->half[h].group[GROUP_ABSOLUTE])
			absolute = rr->half[h].group[GROUP_ABSOLUTE];
	}
	if (relative && absolute)
		diag_hint(
			spec_error(
				c, absolute,
				"`%s` and `%s` cannot be in one rule: one turns round with the direction, the other does not",
				relative->text, absolute->text),
			"use remote, local, port, local-port, or src, dst, sport, dport");
	for (unsigned int i = 0; i < SPEC_PORT_MAX; i++)
		if (rule->port[i].set && !proto_possible(&rule->proto, with_ports, sizeof(with_ports))) {
			const struct yaml_pair *p = seen[port_row(i)];

			spec_error(c, p ? p->key : rr->excluded,
				   "the rule's `proto` has no ports: only tcp, udp and sctp do");
			break;
		}
	if (rule->flags.set && !proto_possible(&rule->proto, tcp, sizeof(tcp)))
		spec_error(c, seen[MATCH_FLAGS] ? seen[MATCH_FLAGS]->key : rr->excluded,
			   "flags: the rule's `proto` excludes tcp");
	if ((rule->icmp.set || rule->icmp6.set) && rule->flags.set)
		spec_error(c, seen[MATCH_FLAGS] ? seen[MATCH_FLAGS]->key : rr->excluded,
			   "`flags` are of TCP and `icmp` is not: the rule matches nothing");
}

const struct yaml_node *rule_read(struct spec_ctx *c, const struct yaml_node *v, struct spec_rule *ret)
{
	const struct yaml_pair *seen[RULE_KEYS_N] = { 0 };
	struct rule_reader rr = { .class = SPEC_NONE };
	size_t errors = c->diags->n_errors;
	const struct yaml_node *first;
	char found[YAML_DESCRIBE_MAX];

	*ret = (struct spec_rule){ .loc = spec_loc(c, v), .class = TCCTL_CLASS_KEEP };
	if (v->kind != YAML_MAP) {
		spec_error(c, v, "a rule is %s, expected a map such as { proto: udp, port: 53, class: NAME }",
			   yaml_node_describe(v, found));
		return v;
	}
	spec_map(c, v, "a rule", rule_keys, ARRAY_SIZE(rule_keys), &rr, seen);
	note_keys(&rr.half[0], seen);
	rr.excluded = seen[KEY_NOT] ? seen[KEY_NOT]->key : NULL;
	if (!seen[KEY_CLASS])
		diag_hint(spec_error(c, v, "the rule lacks `class`"),
			  "class: keep changes nothing, class: drop drops");
	settle(c, &rr);
	if (errors == c->diags->n_errors)
		check_together(c, &rr, seen);
	first = rr.half[0].first ? rr.half[0].first : rr.excluded;
	/* Something wrong may have been meant as a match key. */
	if (!first && errors != c->diags->n_errors)
		first = v;
	rr.half[0].rule.loc = ret->loc;
	rr.half[0].rule.class = rr.class == SPEC_NONE ? TCCTL_CLASS_KEEP : rr.class;
	rr.half[0].rule.name = rr.name;
	*ret = rr.half[0].rule;
	spec_rule_done(&rr.half[1].rule);
	return first;
}
