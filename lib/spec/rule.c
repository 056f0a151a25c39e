// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * `rules:` ordered rule sets. A rule is read as two halves by the same table, what must match and what
 * `not:` excludes, which are then settled into one value per key.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

#define PROTO_TCP 6
#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

/* Kinds of keys that exclude each other in one rule. */
enum { GROUP_RELATIVE = 1, GROUP_ABSOLUTE = 2 };

struct half {
	struct spec_rule rule; /* match keys only */
	const struct yaml_node *icmp;
	const struct yaml_node *first;	  /* of the match keys, in the order of the file */
	const struct yaml_node *group[3]; /* first key of GROUP_* */
};

struct rule_reader {
	struct half half[2]; /* [1] is `not:` */
	bool in_not;
	const struct yaml_node *excluded; /* the key `not` */
	char *name;
	int class;
};

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

static struct half *this_half(void *dst)
{
	struct rule_reader *rr = dst;

	return &rr->half[rr->in_not];
}

/* --- addresses ----------------------------------------------------------------------------------------- */

static void address(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_addrs *a)
{
	char hint[SPEC_HINT_MAX] = "";
	struct spec_prefix prefix;
	const char *wrong;
	struct diag *g;
	int set;

	if (!spec_text(c, v, key, "an address, a prefix or the name of a set"))
		return;
	if (isalpha((unsigned char)v->text[0]) && !strchr(v->text, ':')) {
		set = spec_refer(c, &c->sets, v, key, "set");
		if (set == SPEC_NONE)
			return;
		c->spec->sets[set].used = true;
		if (spec_grow(c, &a->sets, a->n_sets, sizeof(*a->sets)))
			a->sets[a->n_sets++] = set;
		return;
	}
	wrong = spec_prefix(v->text, v->n, &prefix, hint);
	if (wrong) {
		g = spec_expected(c, v, key, "%s, or the name of a set", wrong);
		if (*hint)
			diag_hint(g, "%s", hint);
		return;
	}
	if (spec_grow(c, &a->prefixes, a->n_prefixes, sizeof(*a->prefixes)))
		a->prefixes[a->n_prefixes++] = prefix;
}

static int by_index(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void parse_address(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			  const struct spec_key *key)
{
	struct spec_addrs *a = &this_half(dst)->rule.addr[key->arg];
	const struct yaml_node *const *items;
	size_t n, kept = 0;

	a->set = true;
	items = spec_list(c, &v, key->name, &n);
	for (size_t i = 0; i < n; i++)
		address(c, items[i], key->name, a);
	a->n_prefixes = spec_prefixes_sort(a->prefixes, a->n_prefixes);
	if (a->n_sets > 1)
		qsort(a->sets, a->n_sets, sizeof(*a->sets), by_index);
	for (size_t i = 0; i < a->n_sets; i++)
		if (!kept || a->sets[kept - 1] != a->sets[i])
			a->sets[kept++] = a->sets[i];
	a->n_sets = kept;
}

/* --- ranges -------------------------------------------------------------------------------------------- */

static const struct spec_word vlan_word_items[] = { { "none", SPEC_VLAN_NONE } };
static const struct spec_words vlan_words = { vlan_word_items, ARRAY_SIZE(vlan_word_items) };

enum { RANGE_PORT, RANGE_PROTO = SPEC_PORT_MAX, RANGE_DSCP, RANGE_VLAN, RANGE_LENGTH };

static struct spec_ranges *range_of(struct spec_rule *rule, unsigned int which)
{
	switch (which) {
	case RANGE_PROTO: return &rule->proto;
	case RANGE_DSCP: return &rule->dscp;
	case RANGE_VLAN: return &rule->vlan;
	case RANGE_LENGTH: return &rule->length;
	default: return &rule->port[which];
	}
}

static void parse_ranges(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	static const struct spec_range_kind port = {
		.what = "a port (0 to 65535) or a range such as 8000-8999", .max = 65535
	};
	static const struct spec_range_kind kinds[] = {
		[RANGE_PROTO] = { .what = "a protocol such as tcp, udp, icmp, or its number (0 to 255)",
				  .max = 255,
				  .words = &spec_proto_words },
		[RANGE_DSCP] = { .what = "a DSCP: 0 to 63, a range, or a name such as EF, CS1, AF41",
				 .max = 63,
				 .words = &spec_dscp_words },
		[RANGE_VLAN] = { .what = "a VLAN id (0 to 4094), a range, or none",
				 .max = 4094,
				 .words = &vlan_words },
		[RANGE_LENGTH] = { .what = "a length in bytes (0 to 65535) or a range such as 1000- or -100",
				   .max = 65535 },
	};
	struct spec_range_kind kind = key->arg < SPEC_PORT_MAX ? port : kinds[key->arg];

	kind.key = key->name;
	spec_ranges_parse(c, v, &kind, range_of(&this_half(dst)->rule, key->arg));
}

/* --- TCP flags ------------------------------------------------------------------------------------------- */

/* "syn+ack" → bits; "none" is 0. */
static bool flag_bits(const char *text, size_t len, uint32_t *ret)
{
	const char *end = text + len;

	*ret = 0;
	if (len == 4 && !strncasecmp(text, "none", 4))
		return true;
	while (text < end) {
		const char *plus = memchr(text, '+', (size_t)(end - text)), *stop = plus ? plus : end;
		char word[8];
		uint32_t bit;

		if (stop == text || stop - text >= (long)sizeof(word))
			return false;
		memcpy(word, text, (size_t)(stop - text));
		word[stop - text] = 0;
		if (!spec_word_find(&spec_flag_words, word, &bit))
			return false;
		*ret |= bit;
		if (!plus)
			return true;
		text = plus + 1;
	}
	return false;
}

static void flag(struct spec_ctx *c, const struct yaml_node *v, struct spec_maskeds *f)
{
	static const char expected[] = "flags such as syn, syn+ack, or value/mask such as syn/syn+ack";
	struct spec_masked m = { 0 };
	const char *slash;
	struct diag *g;

	if (!spec_text(c, v, "flags", expected))
		return;
	slash = strchr(v->text, '/');
	if (!flag_bits(v->text, slash ? (size_t)(slash - v->text) : v->n, &m.value) ||
	    (slash && !flag_bits(slash + 1, strlen(slash + 1), &m.mask))) {
		g = spec_expected(c, v, "flags", "%s", expected);
		if (strpbrk(v->text, ",| "))
			diag_hint(g, "join flags of one packet with +; list items are alternatives");
		else
			spec_did_you_mean(g, spec_word_nearest(&spec_flag_words, v->text));
		return;
	}
	if (!slash)
		m.mask = m.value;
	if (!m.mask) {
		diag_hint(spec_error(c, v, "flags: \"%s\" asks for no flag", v->text),
			  "to ask that flags are clear, write them after a slash: none/syn+ack");
		return;
	}
	if (m.value & ~m.mask) {
		diag_hint(spec_error(c, v,
				     "flags: \"%s\" wants a flag that is not among those after the slash",
				     v->text),
			  "the order is value/mask: syn/syn+ack is syn set and ack clear");
		return;
	}
	if (spec_grow(c, &f->items, f->n, sizeof(*f->items)))
		f->items[f->n++] = m;
}

/* Lists of masked values are compared pairwise. */
static bool too_many(struct spec_ctx *c, const struct yaml_node *v, const char *key, size_t n)
{
	if (n > SPEC_MASKEDS_MAX)
		spec_error(c, v, "%s: a list of %zu values, at most %d are possible", key, n,
			   SPEC_MASKEDS_MAX);
	return n > SPEC_MASKEDS_MAX;
}

static void parse_flags(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_maskeds *f = &this_half(dst)->rule.flags;
	const struct yaml_node *const *items;
	size_t n;

	f->set = true;
	items = spec_list(c, &v, key->name, &n);
	if (too_many(c, v, key->name, n))
		return;
	for (size_t i = 0; i < n; i++)
		flag(c, items[i], f);
}

static void parse_mark(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_maskeds *f = &this_half(dst)->rule.mark;
	const struct yaml_node *const *items;
	struct spec_masked m;
	size_t n;

	f->set = true;
	items = spec_list(c, &v, key->name, &n);
	if (too_many(c, v, key->name, n))
		return;
	for (size_t i = 0; i < n; i++)
		if (spec_masked(c, items[i], key->name, &m) && spec_grow(c, &f->items, f->n, sizeof(m)))
			f->items[f->n++] = m;
}

static void parse_mac(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_macs *f = &this_half(dst)->rule.mac;
	const struct yaml_node *const *items;
	struct spec_mac m;
	size_t n;

	f->set = true;
	items = spec_list(c, &v, key->name, &n);
	for (size_t i = 0; i < n; i++)
		if (spec_mac(c, items[i], key->name, m.addr) && spec_grow(c, &f->items, f->n, sizeof(m)))
			f->items[f->n++] = m;
	spec_macs_normalise(f);
}

static void parse_frag(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	static const char *const words[] = { "any", "first", "later", "none" };
	static const uint32_t bits[] = { SPEC_FRAG_FIRST | SPEC_FRAG_LATER, SPEC_FRAG_FIRST, SPEC_FRAG_LATER,
					 SPEC_FRAG_WHOLE };
	const struct yaml_node *const *items;
	unsigned int word;
	size_t n;

	items = spec_list(c, &v, key->name, &n);
	for (size_t i = 0; i < n; i++)
		if (spec_enum(c, items[i], key->name, words, ARRAY_SIZE(words), &word))
			this_half(dst)->rule.frag |= bits[word];
}

/* --- ICMP: needs the rule's protocols, so it is read when the table is through ---------------------------- */

enum { ICMP_V4 = 1, ICMP_V6 = 2 };

static void parse_icmp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	this_half(dst)->icmp = v;
}

static bool ranges_contain(const struct spec_ranges *r, uint32_t value)
{
	for (size_t i = 0; i < r->n; i++)
		if (value >= r->items[i].lo && value <= r->items[i].hi)
			return true;
	return false;
}

static unsigned int icmp_families(const struct spec_rule *rule)
{
	const struct spec_ranges *p = &rule->proto;

	if (!p->set)
		return ICMP_V4 | ICMP_V6;
	return (ranges_contain(p, PROTO_ICMP) != p->neg ? ICMP_V4 : 0U) |
	       (ranges_contain(p, PROTO_ICMPV6) != p->neg ? ICMP_V6 : 0U);
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
static void settle_icmp(struct spec_ctx *c, struct rule_reader *rr)
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

/* --- the rule ----------------------------------------------------------------------------------------- */

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
	{ .name = "remote", .parse = parse_address, .arg = SPEC_REMOTE },                           \
	{ .name = "local", .parse = parse_address, .arg = SPEC_LOCAL },                             \
	{ .name = "port", .parse = parse_ranges, .arg = SPEC_PORT },                                \
	{ .name = "local-port", .parse = parse_ranges, .arg = SPEC_LOCAL_PORT },                    \
	{ .name = "src", .parse = parse_address, .arg = SPEC_SRC },                                 \
	{ .name = "dst", .parse = parse_address, .arg = SPEC_DST },                                 \
	{ .name = "sport", .parse = parse_ranges, .arg = SPEC_SPORT },                              \
	{ .name = "dport", .parse = parse_ranges, .arg = SPEC_DPORT },                              \
	{ .name = "proto", .parse = parse_ranges, .arg = RANGE_PROTO },                             \
	{ .name = "dscp", .parse = parse_ranges, .arg = RANGE_DSCP },                               \
	{ .name = "flags", .parse = parse_flags },                                                  \
	{ .name = "icmp", .parse = parse_icmp },                                                    \
	{ .name = "vlan", .parse = parse_ranges, .arg = RANGE_VLAN },                               \
	{ .name = "mac", .parse = parse_mac },                                                      \
	{ .name = "length", .parse = parse_ranges, .arg = RANGE_LENGTH },                           \
	{ .name = "frag", .parse = parse_frag },                                                    \
	{ .name = "mark", .parse = parse_mark },                                                    \
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
static void note_keys(struct half *h, const struct yaml_pair *const *seen)
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
	settle_icmp(c, rr);
}

/* Does any protocol from `ports` remain possible? */
static bool proto_possible(const struct spec_ranges *proto, const uint8_t *wanted, size_t n)
{
	if (!proto->set || !proto->n)
		return true;
	for (size_t i = 0; i < n; i++)
		if (ranges_contain(proto, wanted[i]) != proto->neg)
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

/* Read one rule. Returns its first match key, or NULL for a catch-all. */
static const struct yaml_node *read_rule(struct spec_ctx *c, const struct yaml_node *v, struct spec_rule *ret)
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

/* --- rule sets --------------------------------------------------------------------------------------- */

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
		if (!read_rule(c, v->items[i], &rs->rules[rs->n_rules]) && !catch_all)
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
