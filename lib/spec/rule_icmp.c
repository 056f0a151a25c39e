// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `icmp`: it needs the rule's protocols, so it is read when the rest of the rule is through. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "spec/rule.h"

enum { ICMP_V4 = 1, ICMP_V6 = 2 };

void rule_parse_icmp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	rule_half(dst)->icmp = v;
}

static unsigned int icmp_families(const struct spec_rule *rule)
{
	const struct spec_ranges *p = &rule->proto;

	if (!p->set)
		return ICMP_V4 | ICMP_V6;
	return (rule_ranges_contain(p, PROTO_ICMP) != p->neg ? ICMP_V4 : 0U) |
	       (rule_ranges_contain(p, PROTO_ICMPV6) != p->neg ? ICMP_V6 : 0U);
}

static void push_type(struct spec_ctx *c, struct spec_ranges *r, uint32_t value)
{
	if (value & 0x10000U)
		spec_range_push(c, r, value & 0xff00U, (value & 0xff00U) | 0xff);
	else
		spec_range_push(c, r, value, value);
}

/* TYPE, TYPE-TYPE, TYPE/CODE or TYPE/CODE-CODE. */
static bool icmp_numbers(struct spec_ctx *c, const struct yaml_node *v, const char *text,
			 struct spec_range *ret)
{
	static const struct spec_range_kind kind = {
		.key = "icmp",
		.max = 255,
		.what = "a type such as echo-request, or TYPE, TYPE/CODE (0 to 255 each)",
	};
	const char *slash = strchr(text, '/');
	struct spec_range types, codes = { 0, 255 };
	char type[24];

	snprintf(type, sizeof(type), "%.*s", slash ? (int)(slash - text) : 23, text);
	if ((slash ? (size_t)(slash - text) : strlen(text)) >= sizeof(type)) {
		spec_expected(c, v, kind.key, "%s", kind.what);
		return false;
	}
	if (!spec_range_text(c, v, &kind, type, &types) ||
	    (slash && !spec_range_text(c, v, &kind, slash + 1, &codes)))
		return false;
	if (slash && types.lo != types.hi) {
		spec_error(c, v, "icmp: a code belongs to one type, not to the range \"%s\"", type);
		return false;
	}
	*ret = (struct spec_range){ types.lo << 8 | codes.lo, types.hi << 8 | codes.hi };
	return true;
}

static void icmp_item(struct spec_ctx *c, const struct yaml_node *v, unsigned int families,
		      struct spec_ranges *v4, struct spec_ranges *v6)
{
	unsigned int named = ICMP_V4 | ICMP_V6;
	const char *text = v->text, *nearest;
	uint32_t value4, value6;
	bool in4, in6;
	struct spec_range r;

	if (!spec_text(c, v, "icmp", "a type such as echo-request, or TYPE, TYPE/CODE"))
		return;
	if (!strncmp(text, "icmp/", 5)) {
		named = ICMP_V4;
		text += 5;
	} else if (!strncmp(text, "icmpv6/", 7)) {
		named = ICMP_V6;
		text += 7;
	}
	if (!(named & families)) {
		spec_error(c, v, "icmp: \"%s\" does not fit the rule's `proto`", v->text);
		return;
	}
	named &= families;
	in4 = spec_word_find(&spec_icmp_words, text, &value4);
	in6 = spec_word_find(&spec_icmp6_words, text, &value6);
	if (in4 || in6) {
		if (in4 && (named & ICMP_V4))
			push_type(c, v4, value4);
		if (in6 && (named & ICMP_V6))
			push_type(c, v6, value6);
		if (!(in4 && (named & ICMP_V4)) && !(in6 && (named & ICMP_V6)))
			spec_error(c, v, "icmp: \"%s\" exists in %s only, which the rule excludes", text,
				   in4 ? "ICMP (IPv4)" : "ICMPv6");
		return;
	}
	if (isalpha((unsigned char)text[0])) {
		nearest = spec_word_nearest(&spec_icmp_words, text);
		if (!nearest)
			nearest = spec_word_nearest(&spec_icmp6_words, text);
		spec_did_you_mean(spec_expected(c, v, "icmp",
						"a type such as echo-request, or TYPE, TYPE/CODE"),
				  nearest);
		return;
	}
	if (!icmp_numbers(c, v, text, &r))
		return;
	if (named == (ICMP_V4 | ICMP_V6)) {
		diag_hint(spec_error(c, v, "icmp: the number %s means different things in ICMP and in ICMPv6",
				     text),
			  "write icmp/%s or icmpv6/%s, or add `proto: icmp` or `proto: icmpv6`", text, text);
		return;
	}
	spec_range_push(c, named == ICMP_V4 ? v4 : v6, r.lo, r.hi);
}

static void icmp_list(struct spec_ctx *c, const struct yaml_node *node, unsigned int families,
		      struct spec_rule *rule)
{
	const struct yaml_node *const *items;
	size_t n;

	items = spec_list(c, &node, "icmp", &n);
	for (size_t i = 0; i < n; i++)
		icmp_item(c, items[i], families, &rule->icmp, &rule->icmp6);
	spec_ranges_normalise(&rule->icmp);
	spec_ranges_normalise(&rule->icmp6);
}

/* After proto is settled in half[0]. */
void rule_settle_icmp(struct spec_ctx *c, struct rule_reader *rr)
{
	const struct yaml_node *yes = rr->half[0].icmp, *no = rr->half[1].icmp, *place = yes ? yes : no;
	struct spec_rule *rule = &rr->half[0].rule, *no_rule = &rr->half[1].rule;
	unsigned int families = icmp_families(rule);
	size_t errors = c->diags->n_errors;

	if (!place)
		return;
	if (!families) {
		spec_error(c, place, "icmp: the rule's `proto` excludes ICMP and ICMPv6");
		return;
	}
	if (yes) {
		icmp_list(c, yes, families, rule);
	} else {
		if (families & ICMP_V4)
			spec_range_push(c, &rule->icmp, 0, 0xffff);
		if (families & ICMP_V6)
			spec_range_push(c, &rule->icmp6, 0, 0xffff);
	}
	if (no) {
		icmp_list(c, no, families, no_rule);
		spec_ranges_subtract(c, &rule->icmp, &no_rule->icmp);
		spec_ranges_subtract(c, &rule->icmp6, &no_rule->icmp6);
	}
	rule->icmp.set = rule->icmp.n > 0;
	rule->icmp6.set = rule->icmp6.n > 0;
	if (!rule->icmp.set && !rule->icmp6.set && errors == c->diags->n_errors && !c->oom)
		spec_error(c, place, "icmp: the rule matches nothing: `not` leaves no type over");
}
