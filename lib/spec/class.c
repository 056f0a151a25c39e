// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `classes:` what is written into a packet. */
#include <string.h>

#include "spec/impl.h"

/* Class ids are 16 bits in the packet context. */
#define CLASSES_MAX 65536U

static const struct loc *class_place(const struct spec *spec, int i)
{
	return &spec->classes[i].loc;
}

static void parse_dscp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_class *class = dst;

	if (spec_dscp(c, v, key->name, &class->dscp))
		class->flags |= key->arg;
}

static void parse_mark(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_class *class = dst;
	struct spec_masked m;

	if (!spec_masked(c, v, key->name, &m))
		return;
	class->mark = m.value;
	class->mark_mask = m.mask;
	class->flags |= key->arg;
}

static void parse_priority(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct spec_class *class = dst;

	if (v->kind == YAML_TEXT && strchr(v->text, ':')) {
		diag_hint(spec_expected(c, v, key->name, "a number"), "major:minor goes under `classid`");
		return;
	}
	if (spec_uint(c, v, key->name, 0, UINT32_MAX, &class->priority))
		class->flags |= key->arg;
}

/* Up to four hexadecimal digits without 0x, as tc writes handles. */
static bool hex16(const char *p, size_t n, uint32_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		char ch = p[i];

		if (ch >= '0' && ch <= '9')
			*ret = *ret << 4 | (uint32_t)(ch - '0');
		else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
			*ret = *ret << 4 | (uint32_t)((ch | 0x20) - 'a' + 10);
		else
			return false;
	}
	return n >= 1 && n <= 4;
}

static void parse_classid(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			  const struct spec_key *key)
{
	const char *colon = v->kind == YAML_TEXT ? strchr(v->text, ':') : NULL;
	struct spec_class *class = dst;
	uint32_t major, minor;
	struct diag *g;

	if (colon && hex16(v->text, (size_t)(colon - v->text), &major) && major &&
	    hex16(colon + 1, strlen(colon + 1), &minor)) {
		class->priority = major << 16 | minor;
		class->is_classid = true;
		class->flags |= key->arg;
		return;
	}
	g = spec_expected(c, v, key->name, "major:minor in hexadecimal as tc writes it, such as \"1:10\"");
	if (v->kind == YAML_TEXT && v->n && !v->quoted && !spec_number(v->text, v->n, &major))
		diag_hint(g, "quote it: some YAML tools turn 1:10 into the number 70");
	else if (v->kind == YAML_MAP)
		diag_hint(g, "quote it: \"1:10\"");
}

static void parse_queue(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_class *class = dst;
	uint32_t value;

	/* The kernel's field counts from 1 and has 16 bits. */
	if (!spec_uint(c, v, key->name, 0, 65534, &value))
		return;
	class->queue = (uint16_t)value;
	class->flags |= key->arg;
}

static void parse_tc_index(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct spec_class *class = dst;
	uint32_t value;

	if (!spec_uint(c, v, key->name, 0, 65535, &value))
		return;
	class->tc_index = (uint16_t)value;
	class->flags |= key->arg;
}

static void parse_tunnel(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_class *class = dst;
	bool ok;

	class->tunnel = spec_refer_sender(c, v, key->name, &ok);
	if (ok)
		class->flags |= key->arg;
}

enum { KEY_DSCP, KEY_DSCP_IF_UNSET, KEY_MARK, KEY_PRIORITY, KEY_CLASSID };
static const struct spec_key class_keys[] = {
	[KEY_DSCP] = { .name = "dscp", .parse = parse_dscp, .arg = TCCTL_C_DSCP },
	[KEY_DSCP_IF_UNSET] = { .name = "dscp-if-unset", .parse = parse_dscp, .arg = TCCTL_C_DSCP_IF_UNSET },
	[KEY_MARK] = { .name = "mark", .parse = parse_mark, .arg = TCCTL_C_MARK },
	[KEY_PRIORITY] = { .name = "priority", .parse = parse_priority, .arg = TCCTL_C_PRIORITY },
	[KEY_CLASSID] = { .name = "classid", .parse = parse_classid, .arg = TCCTL_C_PRIORITY },
	{ .name = "queue", .parse = parse_queue, .arg = TCCTL_C_QUEUE },
	{ .name = "tc-index", .parse = parse_tc_index, .arg = TCCTL_C_TC_INDEX },
	{ .name = "tunnel", .parse = parse_tunnel, .arg = TCCTL_C_TUNNEL },
	{ .name = "police", .later = "a rate limit that drops or remarks" },
	{ .name = "shape", .later = "a rate limit that delays" },
};

static struct spec_class *class_add(struct spec_ctx *c, const char *name)
{
	struct spec_class *class;

	if (!spec_grow(c, &c->spec->classes, c->spec->n_classes, sizeof(*class)))
		return NULL;
	class = &c->spec->classes[c->spec->n_classes];
	*class = (struct spec_class){ .name = spec_strdup(c, name), .tunnel = SPEC_NONE };
	c->spec->n_classes++;
	return class->name ? class : NULL;
}

void spec_add_classes(struct spec_ctx *c)
{
	static const char *const names[TCCTL_CLASS_FIRST] = {
		[TCCTL_CLASS_KEEP] = "keep", [TCCTL_CLASS_DROP] = "drop"
	};

	for (int i = 0; i < TCCTL_CLASS_FIRST; i++) {
		struct spec_class *class = class_add(c, names[i]);

		if (!class || names_add(&c->classes, class->name, i, NULL) < 0) {
			c->oom = true;
			return;
		}
		if (i == TCCTL_CLASS_DROP)
			class->flags = TCCTL_C_DROP;
	}
}

static void parse_class(struct spec_ctx *c, const struct yaml_node *key, const struct yaml_node *v)
{
	const struct yaml_pair *seen[ARRAY_SIZE(class_keys)] = { 0 };
	struct spec_class *class;

	if (!spec_name_ok(c, key, "class"))
		return;
	if (c->spec->n_classes >= CLASSES_MAX) {
		spec_error(c, key, "more than %u classes", CLASSES_MAX - TCCTL_CLASS_FIRST);
		return;
	}
	class = class_add(c, key->text);
	if (!class)
		return;
	class->loc = spec_loc(c, key);
	spec_define(c, &c->classes, key, class->name, "class", c->spec->n_classes - 1, class_place);
	spec_map(c, v, "a class", class_keys, ARRAY_SIZE(class_keys), class, seen);
	if (seen[KEY_DSCP] && seen[KEY_DSCP_IF_UNSET])
		spec_error(
			c, seen[KEY_DSCP_IF_UNSET]->key,
			"`dscp` and `dscp-if-unset` exclude each other: the first writes always, the second only over 0");
	if (seen[KEY_PRIORITY] && seen[KEY_CLASSID])
		spec_error(
			c, seen[KEY_CLASSID]->key,
			"`priority` and `classid` exclude each other: both are written to the packet's priority");
}

void spec_parse_classes(struct spec_ctx *c, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		spec_expected(c, map, "classes", "a map of class names");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++)
		parse_class(c, map->pairs[i].key, map->pairs[i].value);
}
