// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The match keys of a rule, but for `icmp`. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "spec/rule.h"

/* Reads one of a key's alternatives, and adds it to dst. */
typedef void (*item_parser)(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst);

static void read_list(struct spec_ctx *c, const struct yaml_node *v, const char *key, size_t max,
		      item_parser item, void *dst)
{
	size_t n;
	const struct yaml_node *const *items = spec_list(c, &v, key, &n);

	if (n > max) {
		spec_error(c, v, "%s: a list of %zu values, at most %zu are possible", key, n, max);
		return;
	}
	for (size_t i = 0; i < n; i++)
		item(c, items[i], key, dst);
}

/* --- addresses ----------------------------------------------------------------------------------------- */

static void address(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst)
{
	struct spec_addrs *a = dst;
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

void rule_parse_address(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_addrs *a = &rule_half(dst)->rule.addr[key->arg];
	size_t kept = 0;

	a->set = true;
	read_list(c, v, key->name, SIZE_MAX, address, a);
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

bool rule_ranges_contain(const struct spec_ranges *r, uint32_t value)
{
	for (size_t i = 0; i < r->n; i++)
		if (value >= r->items[i].lo && value <= r->items[i].hi)
			return true;
	return false;
}

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

void rule_parse_ranges(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
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
	spec_ranges_parse(c, v, &kind, range_of(&rule_half(dst)->rule, key->arg));
}

/* --- masked values: TCP flags, marks ----------------------------------------------------------------------- */

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

static void masked_push(struct spec_ctx *c, struct spec_maskeds *f, struct spec_masked m)
{
	if (spec_grow(c, &f->items, f->n, sizeof(m)))
		f->items[f->n++] = m;
}

static void flag(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst)
{
	static const char expected[] = "flags such as syn, syn+ack, or value/mask such as syn/syn+ack";
	struct spec_masked m = { 0 };
	const char *slash;
	struct diag *g;

	if (!spec_text(c, v, key, expected))
		return;
	slash = strchr(v->text, '/');
	if (!flag_bits(v->text, slash ? (size_t)(slash - v->text) : v->n, &m.value) ||
	    (slash && !flag_bits(slash + 1, strlen(slash + 1), &m.mask))) {
		g = spec_expected(c, v, key, "%s", expected);
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
	masked_push(c, dst, m);
}

static void mark(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst)
{
	struct spec_masked m;

	if (spec_masked(c, v, key, &m))
		masked_push(c, dst, m);
}

/* Lists of masked values are compared pairwise: they have a limit. */
void rule_parse_flags(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_maskeds *f = &rule_half(dst)->rule.flags;

	f->set = true;
	read_list(c, v, key->name, SPEC_MASKEDS_MAX, flag, f);
}

void rule_parse_mark(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_maskeds *f = &rule_half(dst)->rule.mark;

	f->set = true;
	read_list(c, v, key->name, SPEC_MASKEDS_MAX, mark, f);
}

/* --- MAC addresses, fragments -------------------------------------------------------------------------------- */

static void mac(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst)
{
	struct spec_macs *f = dst;
	struct spec_mac m;

	if (spec_mac(c, v, key, m.addr) && spec_grow(c, &f->items, f->n, sizeof(m)))
		f->items[f->n++] = m;
}

void rule_parse_mac(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_macs *f = &rule_half(dst)->rule.mac;

	f->set = true;
	read_list(c, v, key->name, SIZE_MAX, mac, f);
	spec_macs_normalise(f);
}

static void frag(struct spec_ctx *c, const struct yaml_node *v, const char *key, void *dst)
{
	static const char *const words[] = { "any", "first", "later", "none" };
	static const uint32_t bits[] = { SPEC_FRAG_FIRST | SPEC_FRAG_LATER, SPEC_FRAG_FIRST, SPEC_FRAG_LATER,
					 SPEC_FRAG_WHOLE };
	unsigned int word;

	if (spec_enum(c, v, key, words, ARRAY_SIZE(words), &word))
		((struct spec_rule *)dst)->frag |= bits[word];
}

void rule_parse_frag(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	read_list(c, v, key->name, SIZE_MAX, frag, &rule_half(dst)->rule);
}
