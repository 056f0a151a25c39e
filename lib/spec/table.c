// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Maps with known keys, definitions and references, and how their errors are told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

struct loc spec_loc(const struct spec_ctx *c, const struct yaml_node *node)
{
	return (struct loc){ .file = c->file, .line = node->line, .col = node->col };
}

struct diag *spec_error(struct spec_ctx *c, const struct yaml_node *node, const char *fmt, ...)
{
	struct loc loc = spec_loc(c, node);
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	if (node->reported)
		return diag_none();
	if (diags_full(c->diags, DIAG_ERROR))
		return diag_add(c->diags, DIAG_ERROR, &loc, "%s", "");
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	return diag_add(c->diags, DIAG_ERROR, &loc, "%s", text ? text : "out of memory");
}

/* What a value that is no text may have been meant to be. */
static const char *trap_hint(const struct yaml_node *node)
{
	if (node->kind == YAML_MAP && node->n == 1 && yaml_node_is_null(node->pairs[0].value))
		return "text that contains a colon must be quoted, as in \"2001:db8::\"";
	if (node->kind == YAML_MAP && node->n == 1 && !strncmp(node->pairs[0].key->text, "not", 4))
		return "`not` is a key of the rule: not: { key: value }";
	return NULL;
}

struct diag *spec_expected(struct spec_ctx *c, const struct yaml_node *node, const char *key, const char *fmt,
			   ...)
{
	_cleanup_free_ char *text = NULL;
	char found[YAML_DESCRIBE_MAX];
	struct diag *g;
	va_list ap;
	int n;

	if (node->reported)
		return diag_none();
	if (diags_full(c->diags, DIAG_ERROR))
		return spec_error(c, node, "%s", "");
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	g = spec_error(c, node, "%s: found %s, expected %s", key, yaml_node_describe(node, found),
		       text ? text : "something else");
	if (trap_hint(node))
		diag_hint(g, "%s", trap_hint(node));
	return g;
}

struct diag *spec_did_you_mean(struct diag *g, const char *nearest)
{
	if (nearest)
		diag_hint(g, "did you mean \"%s\"?", nearest);
	return g;
}

bool spec_grow(struct spec_ctx *c, void *array, size_t n, size_t size)
{
	void **a = array, *bigger;

	if (n & (n - 1)) /* room for the next power of two was made already */
		return true;
	bigger = reallocarray(*a, n ? n * 2 : 1, size);
	if (!bigger) {
		c->oom = true;
		return false;
	}
	*a = bigger;
	return true;
}

char *spec_strdup(struct spec_ctx *c, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		c->oom = true;
	return copy;
}

/* The name of a key that a key which is none may have been meant to be. */
static const char *nearest_key(const char *text, const struct spec_key *keys, size_t n_keys)
{
	const char *names[64];
	size_t n = 0;

	for (size_t i = 0; i < n_keys && n < ARRAY_SIZE(names); i++)
		names[n++] = keys[i].name;
	return diag_nearest(text, names, n);
}

static void unknown_key(struct spec_ctx *c, const struct yaml_node *key, const char *what,
			const struct spec_key *keys, size_t n_keys)
{
	char found[YAML_DESCRIBE_MAX], list[512];
	const char *nearest;
	struct diag *g;
	size_t len = 0;

	if (diags_full(c->diags, DIAG_ERROR)) {
		spec_error(c, key, "%s", "");
		return;
	}
	nearest = nearest_key(key->text, keys, n_keys);
	list[0] = 0;
	for (size_t i = 0; i < n_keys; i++)
		if (!keys[i].later && !keys[i].misplaced && len < sizeof(list) - 40)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "",
						keys[i].name);
	if (nearest) {
		g = spec_error(c, key, "unknown key %s in %s", yaml_node_describe(key, found), what);
		spec_did_you_mean(g, nearest);
	} else {
		spec_error(c, key, "unknown key %s in %s, expected one of: %s",
			   yaml_node_describe(key, found), what, list);
	}
}

static size_t key_index(const char *text, const struct spec_key *keys, size_t n_keys)
{
	size_t k = 0;

	while (k < n_keys && strcmp(keys[k].name, text))
		k++;
	return k;
}

bool spec_lacks(const struct yaml_node *map, const char *name, const struct spec_key *keys, size_t n_keys)
{
	for (uint32_t i = 0; i < map->n; i++) {
		const char *text = map->pairs[i].key->text, *nearest;

		if (key_index(text, keys, n_keys) < n_keys)
			continue;
		nearest = nearest_key(text, keys, n_keys);
		if (nearest && !strcmp(nearest, name))
			return false;
	}
	return true;
}

bool spec_map(struct spec_ctx *c, const struct yaml_node *map, const char *what, const struct spec_key *keys,
	      size_t n_keys, void *dst, const struct yaml_pair **seen)
{
	if (map->kind != YAML_MAP) {
		struct diag *g = spec_expected(c, map, what, "a map of keys and values");

		if (yaml_node_is_null(map))
			diag_hint(g, "write {} where nothing is to be said");
		return false;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const struct yaml_pair *p = &map->pairs[i];
		const size_t k = key_index(p->key->text, keys, n_keys);

		if (k == n_keys) {
			unknown_key(c, p->key, what, keys, n_keys);
			continue;
		}
		if (keys[k].later) {
			spec_error(c, p->key, "not yet: `%s` (%s) is not supported by this version",
				   keys[k].name, keys[k].later);
			continue;
		}
		if (keys[k].misplaced) {
			spec_error(c, p->key, "`%s` does not belong into %s: %s", keys[k].name, what,
				   keys[k].misplaced);
			continue;
		}
		if (seen)
			seen[k] = p;
		if (keys[k].parse)
			keys[k].parse(c, p->value, dst, &keys[k]);
	}
	return true;
}

bool spec_name_ok(struct spec_ctx *c, const struct yaml_node *key, const char *what)
{
	const char *p = key->text;
	char found[YAML_DESCRIBE_MAX];

	if (key->n > SPEC_NAME_MAX) {
		spec_error(c, key, "%s name %s is %u bytes long, at most %d are allowed", what,
			   yaml_node_describe(key, found), key->n, SPEC_NAME_MAX);
		return false;
	}
	for (; *p; p++) {
		bool alnum = (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
			     *p == '_';

		if (!alnum && (p == key->text || (*p != '.' && *p != '-')))
			break;
	}
	if (*p || !key->n) {
		spec_error(c, key, "%s cannot name a %s: expected letters, digits, and inside also . _ -",
			   yaml_node_describe(key, found), what);
		return false;
	}
	return true;
}

bool spec_define(struct spec_ctx *c, struct names *names, const struct yaml_node *key, const char *name,
		 const char *what, size_t index, const struct loc *(*place)(const struct spec *, int))
{
	int old, r = names_add(names, name, (int)index, &old);

	if (r < 0)
		c->oom = true;
	if (r == 1) {
		const struct loc *first = place(c->spec, old);

		if (first->file)
			spec_error(c, key, "%s \"%s\" is defined twice: first at %s:%u:%u", what, name,
				   first->file, first->line, first->col);
		else
			spec_error(c, key, "%s \"%s\" is built in and cannot be redefined", what, name);
	}
	return r == 0;
}

int spec_refer(struct spec_ctx *c, const struct names *names, const struct yaml_node *v, const char *key,
	       const char *what)
{
	char found[YAML_DESCRIBE_MAX];
	const char *nearest;
	struct diag *g;
	int i;

	if (v->kind != YAML_TEXT || yaml_node_is_null(v)) {
		spec_expected(c, v, key, "the name of a %s", what);
		return SPEC_NONE;
	}
	i = names_find(names, v->text);
	if (i == NAMES_NONE) {
		nearest = diags_full(c->diags, DIAG_ERROR) ? NULL : names_nearest(names, v->text);
		g = spec_error(c, v, "%s: there is no %s %s", key, what, yaml_node_describe(v, found));
		if (nearest)
			spec_did_you_mean(g, nearest);
		else if (strpbrk(v->text, ", "))
			diag_hint(g, "where several are possible, they are written as a list: [a, b]");
		else if (names == &c->sets)
			diag_hint(
				g,
				"names of hosts are not looked up: write the address, or define the set under `sets`");
		return SPEC_NONE;
	}
	return i;
}
