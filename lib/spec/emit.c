// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A spec as YAML again. Numbers, the grammar's own words and plain names are bare; everything that any YAML
 * reader could take for something else (addresses, ranges, MACs, `1:10`, `no`) is in double quotes.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

struct out {
	char *text;
	size_t n, cap;
	bool oom;
	bool first; /* nothing was written into the innermost { or [ yet */
};

static bool out_room(struct out *o, size_t more)
{
	size_t cap = o->cap ? o->cap : 4096;
	char *bigger;

	if (o->n + more <= o->cap)
		return true;
	while (cap < o->n + more)
		cap *= 2;
	bigger = o->oom ? NULL : realloc(o->text, cap);
	if (!bigger) {
		o->oom = true;
		return false;
	}
	o->text = bigger;
	o->cap = cap;
	return true;
}

static void put_bytes(struct out *o, const char *text, size_t n)
{
	if (!out_room(o, n))
		return;
	memcpy(o->text + o->n, text, n);
	o->n += n;
}

static void put(struct out *o, const char *text)
{
	put_bytes(o, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) putf(struct out *o, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		put_bytes(o, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* --- text ------------------------------------------------------------------------------------------------ */

/* May a name be written without quotes? */
static bool is_plain(const char *text)
{
	/* What YAML 1.1 readers take for true, false or nothing. */
	static const char *const special[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null" };
	const char *p = text;

	if ((*p | 0x20) < 'a' || (*p | 0x20) > 'z')
		return false;
	for (; *p; p++)
		if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || *p == '_' ||
		      *p == '-'))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcasecmp(text, special[i]))
			return false;
	return true;
}

/* Code point at p (valid UTF-8, not ASCII) and its length. */
static uint32_t code_point(const unsigned char *p, size_t *ret_len)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = p[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*ret_len = n;
	return c;
}

static void put_quoted(struct out *o, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	put(o, "\"");
	while (*p) {
		size_t n = 1;
		uint32_t c = *p;

		if (c >= 0x80)
			c = code_point(p, &n);
		if (c == '"' || c == '\\')
			putf(o, "\\%c", (int)c);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			putf(o, "\\x%02x", c);
		/* Line separators, byte order mark, and what is no character. */
		else if (c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff)
			putf(o, "\\u%04x", c);
		else
			put_bytes(o, (const char *)p, n);
		p += n;
	}
	put(o, "\"");
}

static void put_name(struct out *o, const char *text)
{
	if (is_plain(text))
		put(o, text);
	else
		put_quoted(o, text);
}

/* --- flow maps and lists ------------------------------------------------------------------------------------ */

static void map_begin(struct out *o)
{
	put(o, "{");
	o->first = true;
}

static void map_key(struct out *o, const char *key)
{
	put(o, o->first ? " " : ", ");
	o->first = false;
	put(o, key);
	put(o, ": ");
}

static void map_end(struct out *o)
{
	put(o, o->first ? "}" : " }");
	o->first = false;
}

/* A list of one is written as the value alone. */
static void list_begin(struct out *o, size_t n)
{
	if (n != 1)
		put(o, "[");
}

static void list_comma(struct out *o, size_t i)
{
	if (i)
		put(o, ", ");
}

static void list_end(struct out *o, size_t n)
{
	if (n != 1)
		put(o, "]");
}

/* --- values ---------------------------------------------------------------------------------------------------- */

static void put_number(struct out *o, uint32_t value, const struct spec_words *words)
{
	const char *word = words ? spec_word_of(words, value) : NULL;

	if (word)
		put(o, word);
	else
		putf(o, "%u", value);
}

static void put_prefix(struct out *o, const struct spec_prefix *p)
{
	char text[SPEC_PREFIX_TEXT];
	size_t n = spec_prefix_text(p, text);

	put(o, "\"");
	put_bytes(o, text, n);
	put(o, "\"");
}

static void put_addrs(struct out *o, const struct spec *s, const char *key, const struct spec_addrs *a,
		      bool neg)
{
	size_t n = a->n_prefixes + a->n_sets;

	if (!a->set || a->neg != neg)
		return;
	map_key(o, key);
	list_begin(o, n);
	for (size_t i = 0; i < a->n_sets; i++) {
		list_comma(o, i);
		put_name(o, s->sets[a->sets[i]].name);
	}
	for (size_t i = 0; i < a->n_prefixes; i++) {
		list_comma(o, a->n_sets + i);
		put_prefix(o, &a->prefixes[i]);
	}
	list_end(o, n);
}

static void put_ranges(struct out *o, const char *key, const struct spec_ranges *r,
		       const struct spec_words *words, bool neg)
{
	if (!r->set || r->neg != neg)
		return;
	map_key(o, key);
	list_begin(o, r->n);
	for (size_t i = 0; i < r->n; i++) {
		list_comma(o, i);
		if (r->items[i].lo == r->items[i].hi)
			put_number(o, r->items[i].lo, words);
		else
			putf(o, "\"%u-%u\"", r->items[i].lo, r->items[i].hi);
	}
	list_end(o, r->n);
}

static void put_vlan(struct out *o, const struct spec_ranges *r, bool neg)
{
	static const struct spec_word none[] = { { "none", SPEC_VLAN_NONE } };
	static const struct spec_words words = { none, 1 };

	put_ranges(o, "vlan", r, &words, neg);
}

/* lo..hi of type << 8 | code, as the fewest entries of "family/type", "family/type-type", "family/type/codes". */
static void put_icmp_range(struct out *o, const char *family, uint32_t lo, uint32_t hi, size_t *count)
{
	while (lo <= hi) {
		uint32_t type = lo >> 8, code = lo & 0xff, last;

		list_comma(o, (*count)++);
		if (!code && hi >= (lo | 0xff)) { /* whole types */
			last = ((hi + 1) >> 8) - 1;
			if (last > type)
				putf(o, "\"%s/%u-%u\"", family, type, last);
			else
				putf(o, "\"%s/%u\"", family, type);
			lo = (last + 1) << 8;
			continue;
		}
		last = hi >> 8 > type ? 0xff : hi & 0xff;
		if (last > code)
			putf(o, "\"%s/%u/%u-%u\"", family, type, code, last);
		else
			putf(o, "\"%s/%u/%u\"", family, type, code);
		lo = (type << 8 | last) + 1;
	}
}

static void put_icmp(struct out *o, const struct spec_rule *r)
{
	size_t count = 0;

	if (!r->icmp.set && !r->icmp6.set)
		return;
	map_key(o, "icmp");
	put(o, "[");
	for (size_t i = 0; i < r->icmp.n; i++)
		put_icmp_range(o, "icmp", r->icmp.items[i].lo, r->icmp.items[i].hi, &count);
	for (size_t i = 0; i < r->icmp6.n; i++)
		put_icmp_range(o, "icmpv6", r->icmp6.items[i].lo, r->icmp6.items[i].hi, &count);
	put(o, "]");
}

static void put_flag_bits(struct out *o, uint32_t bits)
{
	bool first = true;

	if (!bits)
		put(o, "none");
	for (size_t i = 0; i < spec_flag_words.n; i++)
		if (bits & spec_flag_words.items[i].value) {
			put(o, first ? "" : "+");
			put(o, spec_flag_words.items[i].name);
			first = false;
		}
}

static void put_flags(struct out *o, const struct spec_maskeds *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	map_key(o, "flags");
	list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		list_comma(o, i);
		put_flag_bits(o, f->items[i].value);
		if (f->items[i].mask != f->items[i].value) {
			put(o, "/");
			put_flag_bits(o, f->items[i].mask);
		}
	}
	list_end(o, f->n);
}

static void put_masked(struct out *o, uint32_t value, uint32_t mask)
{
	if (mask == UINT32_MAX)
		putf(o, "%u", value);
	else
		putf(o, "\"0x%x/0x%x\"", value, mask);
}

static void put_marks(struct out *o, const struct spec_maskeds *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	map_key(o, "mark");
	list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		list_comma(o, i);
		put_masked(o, f->items[i].value, f->items[i].mask);
	}
	list_end(o, f->n);
}

static void put_mac(struct out *o, const uint8_t m[6])
{
	putf(o, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void put_macs(struct out *o, const struct spec_macs *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	map_key(o, "mac");
	list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		list_comma(o, i);
		put_mac(o, f->items[i].addr);
	}
	list_end(o, f->n);
}

static void put_frag(struct out *o, const struct spec_rule *r, bool neg)
{
	static const char *const words[] = { "none", "first", "later" };
	size_t n = (size_t)__builtin_popcount(r->frag), count = 0;

	if (!r->frag || r->frag_neg != neg)
		return;
	map_key(o, "frag");
	list_begin(o, n);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (r->frag & 1U << i) {
			list_comma(o, count++);
			put(o, words[i]);
		}
	list_end(o, n);
}

/* --- rules ------------------------------------------------------------------------------------------------------ */

static bool has_not(const struct spec_rule *r)
{
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		if (r->addr[i].neg)
			return true;
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		if (r->port[i].neg)
			return true;
	return r->proto.neg || r->dscp.neg || r->vlan.neg || r->length.neg || r->flags.neg || r->mark.neg ||
	       r->mac.neg || r->frag_neg;
}

static void put_match(struct out *o, const struct spec *s, const struct spec_rule *r, bool neg)
{
	static const char *const addr[] = {
		[SPEC_REMOTE] = "remote", [SPEC_LOCAL] = "local", [SPEC_SRC] = "src", [SPEC_DST] = "dst"
	};
	static const char *const port[] = { [SPEC_PORT] = "port",
					    [SPEC_LOCAL_PORT] = "local-port",
					    [SPEC_SPORT] = "sport",
					    [SPEC_DPORT] = "dport" };

	_Static_assert(ARRAY_SIZE(addr) == SPEC_ADDR_MAX && ARRAY_SIZE(port) == SPEC_PORT_MAX,
		       "a word for each");
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		put_addrs(o, s, addr[i], &r->addr[i], neg);
	put_ranges(o, "proto", &r->proto, &spec_proto_words, neg);
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		put_ranges(o, port[i], &r->port[i], NULL, neg);
	put_ranges(o, "dscp", &r->dscp, &spec_dscp_words, neg);
	put_flags(o, &r->flags, neg);
	if (!neg)
		put_icmp(o, r);
	put_vlan(o, &r->vlan, neg);
	put_macs(o, &r->mac, neg);
	put_ranges(o, "length", &r->length, NULL, neg);
	put_frag(o, r, neg);
	put_marks(o, &r->mark, neg);
}

static void put_rule(struct out *o, const struct spec *s, const struct spec_rule *r)
{
	put(o, "    - ");
	map_begin(o);
	if (r->name) {
		map_key(o, "name");
		put_name(o, r->name);
	}
	put_match(o, s, r, false);
	if (has_not(r)) {
		map_key(o, "not");
		map_begin(o);
		put_match(o, s, r, true);
		map_end(o);
	}
	map_key(o, "class");
	put_name(o, s->classes[r->class].name);
	map_end(o);
	put(o, "\n");
}

/* --- sections ------------------------------------------------------------------------------------------------------ */

static void put_entry(struct out *o, const char *name)
{
	put(o, "  ");
	put_name(o, name);
	put(o, ":");
}

static void put_sets(struct out *o, const struct spec *s)
{
	if (s->n_sets)
		put(o, "sets:\n");
	for (size_t i = 0; i < s->n_sets; i++) {
		put_entry(o, s->sets[i].name);
		put(o, s->sets[i].n_items ? "\n    items:\n" : " { items: [] }\n");
		for (size_t k = 0; k < s->sets[i].n_items; k++) {
			put(o, "      - ");
			put_prefix(o, &s->sets[i].items[k]);
			put(o, "\n");
		}
	}
}

static void put_classes(struct out *o, const struct spec *s)
{
	if (s->n_classes > TCCTL_CLASS_FIRST)
		put(o, "classes:\n");
	for (size_t i = TCCTL_CLASS_FIRST; i < s->n_classes; i++) {
		const struct spec_class *c = &s->classes[i];

		put_entry(o, c->name);
		put(o, " ");
		map_begin(o);
		if (c->flags & (TCCTL_C_DSCP | TCCTL_C_DSCP_IF_UNSET)) {
			map_key(o, c->flags & TCCTL_C_DSCP ? "dscp" : "dscp-if-unset");
			put_number(o, c->dscp, &spec_dscp_words);
		}
		if (c->flags & TCCTL_C_MARK) {
			map_key(o, "mark");
			put_masked(o, c->mark, c->mark_mask);
		}
		if (c->flags & TCCTL_C_PRIORITY) {
			map_key(o, c->is_classid ? "classid" : "priority");
			if (c->is_classid)
				putf(o, "\"%x:%x\"", c->priority >> 16, c->priority & 0xffff);
			else
				putf(o, "%u", c->priority);
		}
		if (c->flags & TCCTL_C_QUEUE) {
			map_key(o, "queue");
			putf(o, "%u", c->queue);
		}
		if (c->flags & TCCTL_C_TC_INDEX) {
			map_key(o, "tc-index");
			putf(o, "%u", c->tc_index);
		}
		map_end(o);
		put(o, "\n");
	}
}

static void put_programs(struct out *o, const struct spec *s)
{
	if (s->n_programs)
		put(o, "programs:\n");
	for (size_t i = 0; i < s->n_programs; i++) {
		put_entry(o, s->programs[i].name);
		put(o, " ");
		map_begin(o);
		map_key(o, "object");
		put_quoted(o, s->programs[i].object);
		map_key(o, "program");
		put_name(o, s->programs[i].program);
		map_end(o);
		put(o, "\n");
	}
}

static void put_rulesets(struct out *o, const struct spec *s)
{
	if (s->n_rulesets)
		put(o, "rules:\n");
	for (size_t i = 0; i < s->n_rulesets; i++) {
		put_entry(o, s->rulesets[i].name);
		put(o, s->rulesets[i].n_rules ? "\n" : " []\n");
		for (size_t k = 0; k < s->rulesets[i].n_rules; k++)
			put_rule(o, s, &s->rulesets[i].rules[k]);
	}
}

static void put_run(struct out *o, const struct spec *s, const struct spec_run *r)
{
	map_begin(o);
	map_key(o, "program");
	put_name(o, s->programs[r->program].name);
	map_key(o, r->at == SPEC_AFTER_STAGE ? "after" : "at");
	switch (r->at) {
	case SPEC_AT_L3: put(o, spec_word_of(&spec_l3_words, r->slot)); break;
	case SPEC_AT_L4: putf(o, "\"proto/%s\"", spec_word_of(&spec_l4_words, r->slot)); break;
	case SPEC_AT_UDP_PORT: putf(o, "\"udp/%u\"", r->slot); break;
	default: put(o, spec_word_of(&spec_stage_words, r->slot));
	}
	map_end(o);
}

static void put_hook_settings(struct out *o, const struct spec *s, const struct spec_hook *h)
{
	if (h->ruleset != SPEC_NONE) {
		map_key(o, "rules");
		put_name(o, s->rulesets[h->ruleset].name);
	}
	if (h->mode == SPEC_MODE_OBSERVE) {
		map_key(o, "mode");
		put(o, "observe");
	}
	if (h->verdict == SPEC_VERDICT_OK) {
		map_key(o, "verdict");
		put(o, "ok");
	}
	if (!h->n_runs)
		return;
	map_key(o, "run");
	put(o, "[");
	for (size_t i = 0; i < h->n_runs; i++) {
		list_comma(o, i);
		put_run(o, s, &h->runs[i]);
	}
	put(o, "]");
	o->first = false;
}

static void put_interface(struct out *o, const struct spec *s, const struct spec_interface *in)
{
	static const char *const words[] = { [SPEC_INGRESS] = "ingress", [SPEC_EGRESS] = "egress" };

	_Static_assert(ARRAY_SIZE(words) == SPEC_DIR_MAX, "a word for each direction");
	put_entry(o, in->key);
	put(o, " ");
	map_begin(o);
	if (in->has_mac || in->altname) {
		map_key(o, "match");
		map_begin(o);
		if (in->has_mac) {
			map_key(o, "mac");
			put_mac(o, in->mac);
		}
		if (in->altname) {
			map_key(o, "altname");
			put_quoted(o, in->altname);
		}
		map_end(o);
	}
	if (in->optional) {
		map_key(o, "optional");
		put(o, "true");
	}
	if (in->side == SPEC_SIDE_LAN) {
		map_key(o, "side");
		put(o, "lan");
	}
	if (spec_hook_equal(&in->hook[SPEC_INGRESS], &in->hook[SPEC_EGRESS])) {
		put_hook_settings(o, s, &in->hook[SPEC_INGRESS]);
	} else {
		for (int d = 0; d < SPEC_DIR_MAX; d++) {
			map_key(o, words[d]);
			if (!in->hook[d].enabled) {
				put(o, "false");
				continue;
			}
			map_begin(o);
			put_hook_settings(o, s, &in->hook[d]);
			map_end(o);
		}
	}
	map_end(o);
	put(o, "\n");
}

int spec_emit(const struct spec *s, char **ret_text, size_t *ret_len)
{
	struct out o = { 0 };

	putf(&o, "tcctl: %d\nname: ", SPEC_VERSION);
	put_name(&o, s->name);
	put(&o, "\n");
	put_sets(&o, s);
	put_classes(&o, s);
	put_programs(&o, s);
	put_rulesets(&o, s);
	if (s->n_interfaces)
		put(&o, "interfaces:\n");
	for (size_t i = 0; i < s->n_interfaces; i++)
		put_interface(&o, s, &s->interfaces[i]);
	put_bytes(&o, "", 1);
	if (o.oom) {
		free(o.text);
		return -ENOMEM;
	}
	*ret_text = o.text;
	*ret_len = o.n - 1;
	return 0;
}
