// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Values of tunnels that are more than a scalar: numbers by direction, labels, tags, options, forwarding tables. */
#include <ctype.h>
#include <string.h>

#include "spec/tunnel_impl.h"

#define LABEL_MIN 16 /* those below have meanings of their own */
#define LABEL_MAX 0xfffffU
#define OPTION_DATA_MAX (SPEC_OPTIONS_MAX - 4)
#define WEEK (7 * 24 * 3600U)

bool spec_seconds(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint32_t *ret)
{
	uint32_t value = 0, unit = 1;
	const char *wrong = "";
	size_t n = v->n;
	struct diag *g;

	if (v->kind == YAML_TEXT && !yaml_node_is_null(v) && n) {
		char last = v->text[n - 1];

		unit = last == 'm' ? 60 : last == 'h' ? 3600 : 1;
		if (last == 's' || unit > 1)
			n--;
		wrong = spec_number(v->text, n, &value);
	}
	if (!wrong && value && value <= WEEK / unit) {
		*ret = value * unit;
		return true;
	}
	g = spec_expected(c, v, key, "a time from 1s to 168h, such as 300s or 5m");
	if (wrong && *wrong)
		diag_hint(g, "%s", wrong);
	return false;
}

/* --- numbers by direction ------------------------------------------------------------------------------- */

struct id_pair {
	uint32_t min, max, in, out;
	bool has_in, has_out;
	const char *key;
};

static void parse_in(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct id_pair *p = dst;

	p->has_in = true;
	spec_uint(c, v, p->key, p->min, p->max, &p->in);
}

static void parse_out(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct id_pair *p = dst;

	p->has_out = true;
	spec_uint(c, v, p->key, p->min, p->max, &p->out);
}

static const struct spec_key id_keys[] = {
	{ .name = "in", .parse = parse_in },
	{ .name = "out", .parse = parse_out },
};

void spec_tunnel_id(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	/* TEID 0 is for messages that set tunnels up */
	struct id_pair p = { .min = t->type == TCCTL_T_GTPU,
			     .max = t->type == TCCTL_T_VXLAN || t->type == TCCTL_T_GENEVE ? SPEC_VNI_MAX :
											    UINT32_MAX,
			     .key = key->name };

	t->has_id = true;
	if (v->kind != YAML_MAP) {
		if (spec_uint(c, v, key->name, p.min, p.max, &p.in))
			t->id = t->id_out = p.in;
		return;
	}
	if (spec_map(c, v, "a number by direction", id_keys, ARRAY_SIZE(id_keys), &p, NULL) &&
	    !(p.has_in && p.has_out) && spec_lacks(v, p.has_in ? "out" : "in", id_keys, ARRAY_SIZE(id_keys)))
		diag_hint(spec_error(c, v, "%s: both `in` and `out` are needed", key->name),
			  "%s: 7 is short for { in: 7, out: 7 }", key->name);
	t->id = p.in;
	t->id_out = p.out;
}

/* --- MPLS -------------------------------------------------------------------------------------------------- */

static bool label(struct spec_ctx *c, const struct yaml_node *v, uint32_t *ret)
{
	uint32_t value;

	if (v->kind == YAML_TEXT && !spec_number(v->text, v->n, &value) && value < LABEL_MIN) {
		spec_expected(c, v, "labels",
			      "a label from %u to %u: those below %u have meanings of their own", LABEL_MIN,
			      LABEL_MAX, LABEL_MIN);
		return false;
	}
	return spec_uint(c, v, "labels", LABEL_MIN, LABEL_MAX, ret);
}

static void label_stack(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t)
{
	const struct yaml_node *const *items;
	size_t n;

	items = spec_list(c, &v, "labels", &n);
	if (n > SPEC_LABELS_MAX) {
		spec_error(c, v, "labels: %zu labels are more than the %d that a tunnel can have", n,
			   SPEC_LABELS_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!label(c, items[i], &t->labels[i]))
			return;
	t->n_labels = n;
}

static void parse_label_in(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	label(c, v, &t->id);
}

static void parse_labels_out(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			     const struct spec_key *key)
{
	label_stack(c, v, dst);
}

static const struct spec_key label_keys[] = {
	{ .name = "in", .parse = parse_label_in },
	{ .name = "out", .parse = parse_labels_out },
};

void spec_tunnel_labels(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	const struct yaml_pair *seen[ARRAY_SIZE(label_keys)] = { 0 };
	struct spec_tunnel *t = dst;

	t->has_id = true;
	if (v->kind != YAML_MAP) {
		label_stack(c, v, t);
		t->id = t->labels[0];
	} else if (spec_map(c, v, "`labels`", label_keys, ARRAY_SIZE(label_keys), t, seen) &&
		   !(seen[0] && seen[1]) &&
		   spec_lacks(v, seen[0] ? "out" : "in", label_keys, ARRAY_SIZE(label_keys))) {
		diag_hint(
			spec_error(c, v, "labels: both `in` and `out` are needed"),
			"`in` is the top label of what arrives, `out` the labels to send, the top one first");
	}
	t->id_out = t->labels[0];
}

/* --- VLAN --------------------------------------------------------------------------------------------------- */

static const struct spec_word protos[] = { { "802.1q", 0x8100 }, { "802.1ad", 0x88a8 } };
static const struct spec_words proto_words = { protos, ARRAY_SIZE(protos) };

static void tag_id(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tag *tag = dst;
	uint32_t value = 0;

	spec_uint(c, v, "tags", 0, 4094, &value);
	tag->id = (uint16_t)value;
}

static void tag_proto(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tag *tag = dst;
	uint32_t value = 0;

	if (!spec_text(c, v, key->name, "802.1Q or 802.1ad"))
		return;
	if (!spec_word_find(&proto_words, v->text, &value))
		spec_did_you_mean(spec_expected(c, v, key->name, "802.1Q or 802.1ad"),
				  spec_word_nearest(&proto_words, v->text));
	tag->proto = (uint16_t)value;
}

static void tag_pcp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tag *tag = dst;
	uint32_t value = 0;

	if (v->kind == YAML_TEXT && !strcmp(v->text, "inherit")) {
		tag->pcp = -1;
		return;
	}
	if (v->kind == YAML_TEXT && v->n && isalpha((unsigned char)v->text[0]))
		spec_expected(c, v, key->name, "a number from 0 to 7, or inherit");
	else
		spec_uint(c, v, key->name, 0, 7, &value);
	tag->pcp = (int)value;
}

static const struct spec_key tag_keys[] = {
	{ .name = "id", .parse = tag_id },
	{ .name = "proto", .parse = tag_proto },
	{ .name = "pcp", .parse = tag_pcp },
};

void spec_tunnel_tags(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	const struct yaml_node *const *items = v->kind == YAML_MAP ? &v : NULL;
	struct spec_tunnel *t = dst;
	size_t n = 1;

	if (!items)
		items = spec_list(c, &v, key->name, &n);
	if (n > ARRAY_SIZE(t->tags)) {
		spec_error(c, v, "tags: %zu tags, at most two are possible", n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct yaml_pair *seen[ARRAY_SIZE(tag_keys)] = { 0 };
		struct spec_tag *tag = &t->tags[i];

		tag->proto = n == 2 && !i ? 0x88a8 : 0x8100;
		if (items[i]->kind != YAML_MAP)
			tag_id(c, items[i], tag, NULL);
		else if (spec_map(c, items[i], "a tag", tag_keys, ARRAY_SIZE(tag_keys), tag, seen) &&
			 !seen[0])
			spec_error(c, items[i], "tags: the tag lacks `id`");
		if (i == 1 && tag->proto == 0x88a8)
			spec_error(c, items[i], "tags: the inner tag is always 802.1Q");
	}
	t->n_tags = n;
}

/* --- GENEVE -------------------------------------------------------------------------------------------------- */

struct option {
	uint32_t class, type;
	uint8_t data[OPTION_DATA_MAX];
	size_t n;
};

static void option_class(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct option *o = dst;

	spec_uint(c, v, key->name, 0, 0xffff, &o->class);
}

static void option_type(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct option *o = dst;

	spec_uint(c, v, key->name, 0, 0xff, &o->type);
}

static int hex_digit(char ch)
{
	return ch >= '0' && ch <= '9'			? ch - '0' :
	       (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f' ? (ch | 0x20) - 'a' + 10 :
							  -1;
}

static void option_data(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	static const char expected[] = "pairs of hexadecimal digits such as \"00112233\"";
	struct option *o = dst;
	struct diag *g;

	if (v->kind == YAML_TEXT && !v->n)
		return;
	if (!spec_text(c, v, key->name, expected))
		return;
	if (v->n > 2UL * OPTION_DATA_MAX) {
		spec_error(c, v, "data: %u digits are more than the %d that options can have", v->n,
			   2 * OPTION_DATA_MAX);
		return;
	}
	for (size_t i = 0; i < v->n; i++)
		if (hex_digit(v->text[i]) < 0) {
			g = spec_expected(c, v, key->name, "%s", expected);
			if (!strncmp(v->text, "0x", 2))
				diag_hint(g, "without 0x");
			return;
		}
	if (v->n % 8) {
		diag_hint(
			spec_error(
				c, v,
				"data: %u digits, expected a multiple of 8: options come in words of four bytes",
				v->n),
			v->quoted ? "fill up with zeros" :
				    "quote it: some YAML tools drop zeros in front of numbers");
		return;
	}
	o->n = v->n / 2;
	for (size_t i = 0; i < o->n; i++)
		o->data[i] = (uint8_t)(hex_digit(v->text[2 * i]) << 4 | hex_digit(v->text[2 * i + 1]));
}

enum { OPTION_CLASS, OPTION_TYPE, OPTION_DATA };
static const struct spec_key option_keys[] = {
	[OPTION_CLASS] = { .name = "class", .parse = option_class },
	[OPTION_TYPE] = { .name = "type", .parse = option_type },
	[OPTION_DATA] = { .name = "data", .parse = option_data },
};

void spec_tunnel_options(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	if (v->kind != YAML_LIST) {
		spec_expected(c, v, key->name, "a list of { class, type, data }");
		return;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		const struct yaml_pair *seen[ARRAY_SIZE(option_keys)] = { 0 };
		struct option o = { 0 };
		uint8_t *p;

		if (!spec_map(c, v->items[i], "an option", option_keys, ARRAY_SIZE(option_keys), &o, seen))
			continue;
		if (!seen[OPTION_CLASS] || !seen[OPTION_TYPE])
			spec_error(c, v->items[i], "options: the option lacks `%s`",
				   option_keys[seen[OPTION_CLASS] ? OPTION_TYPE : OPTION_CLASS].name);
		if (t->options_len + 4 + o.n > sizeof(t->options)) {
			spec_error(c, v->items[i],
				   "options: more than %d bytes, each option's four of its own included",
				   SPEC_OPTIONS_MAX);
			return;
		}
		p = t->options + t->options_len;
		p[0] = (uint8_t)(o.class >> 8);
		p[1] = (uint8_t)o.class;
		p[2] = (uint8_t)o.type;
		p[3] = (uint8_t)(o.n / 4);
		memcpy(p + 4, o.data, o.n);
		t->options_len += 4 + o.n;
	}
}

/* --- GTP-U ----------------------------------------------------------------------------------------------------- */

void spec_tunnel_qfi_map(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	uint64_t seen = 0;

	if (v->kind != YAML_MAP) {
		diag_hint(spec_expected(c, v, key->name, "a map from DSCP to QFI"),
			  "qfi-map: { EF: 1, AF41: 2 }");
		return;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		struct spec_qfi q = { 0 };
		uint32_t qfi = 0;

		if (!spec_dscp(c, v->pairs[i].key, key->name, &q.dscp) ||
		    !spec_uint(c, v->pairs[i].value, key->name, 0, 63, &qfi))
			continue;
		q.qfi = (uint8_t)qfi;
		if (seen >> q.dscp & 1) {
			spec_error(c, v->pairs[i].key, "qfi-map: DSCP %u is given twice", q.dscp);
			continue;
		}
		seen |= 1ULL << q.dscp;
		if (spec_grow(c, &t->qfis, t->n_qfis, sizeof(q)))
			t->qfis[t->n_qfis++] = q;
	}
}
