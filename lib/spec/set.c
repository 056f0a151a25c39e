// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `sets:` named address lists, in line and from files. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "spec/impl.h"

static const struct loc *set_place(const struct spec *spec, int i)
{
	return &spec->sets[i].loc;
}

static bool set_push(struct spec_ctx *c, struct spec_set *set, const struct spec_prefix *p)
{
	if (!spec_grow(c, &set->items, set->n_items, sizeof(*set->items)))
		return false;
	set->items[set->n_items++] = *p;
	return true;
}

/* One line of a set file; [p, end) is without its comment. */
static void file_line(struct spec_ctx *c, struct spec_set *set, const char *file, unsigned int line,
		      const char *start, const char *p, const char *end)
{
	struct loc loc = { .file = file, .line = line, .col = 0 };
	char hint[SPEC_HINT_MAX] = "";
	struct spec_prefix prefix;
	const char *wrong;
	struct diag *g;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (p == end)
		return;
	wrong = spec_prefix(p, (size_t)(end - p), &prefix, hint);
	if (!wrong) {
		set_push(c, set, &prefix);
		return;
	}
	for (const char *q = start; q <= p; q++)
		loc.col += ((unsigned char)*q & 0xc0) != 0x80;
	if (diags_full(c->diags, DIAG_ERROR)) {
		diag_error(c->diags, &loc, "%s", "");
		return;
	}
	g = diag_error(c->diags, &loc, "found \"%.*s\"%s, expected %s", end - p > 40 ? 37 : (int)(end - p), p,
		       end - p > 40 ? "..." : "", wrong);
	if (memchr(p, ',', (size_t)(end - p)) || memchr(p, ' ', (size_t)(end - p)))
		diag_hint(g, "one prefix a line; comments start with #");
	else if (*hint)
		diag_hint(g, "%s", hint);
}

static void read_set_file(struct spec_ctx *c, const struct yaml_node *v, struct spec_set *set)
{
	_cleanup_free_ char *path = spec_path(c, v->text, false), *text = NULL;
	struct loc loc;
	const char *p, *end, *bad;
	unsigned int line = 1;
	size_t len;
	int r;

	if (!path)
		return;
	r = spec_read_file(path, SPEC_SET_BYTES_MAX, &text, &len);
	if (r == -EFBIG) {
		spec_error(c, v, "file: \"%s\" is longer than %lu MB", path, SPEC_SET_BYTES_MAX >> 20);
		return;
	}
	if (r < 0) {
		diag_errno(spec_error(c, v, "file: cannot read \"%s\"", path), r);
		return;
	}
	p = text;
	end = text + len;
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		p += 3;
	loc.file = path;
	bad = yaml_bad_text(p, (size_t)(end - p), &loc.line, &loc.col);
	if (bad) {
		diag_error(c->diags, &loc, "%s, expected text with one prefix a line", bad);
		return;
	}
	for (; p < end; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
		const char *comment = memchr(p, '#', (size_t)(stop - p));

		file_line(c, set, path, line, p, p, comment ? comment : stop);
		p = nl ? nl + 1 : end;
	}
}

static void parse_file(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_set *set = dst;

	if (!spec_text(c, v, key->name, "the name of a file with one prefix a line"))
		return;
	set->file = spec_strdup(c, v->text);
	read_set_file(c, v, set);
}

static void item_text(struct spec_ctx *c, const struct yaml_node *v, struct spec_set *set, const char *text,
		      size_t len)
{
	char hint[SPEC_HINT_MAX] = "";
	struct spec_prefix prefix;
	const char *wrong = spec_prefix(text, len, &prefix, hint);
	struct diag *g;

	if (!wrong) {
		set_push(c, set, &prefix);
		return;
	}
	g = spec_expected(c, v, "items", "%s", wrong);
	if (*hint)
		diag_hint(g, "%s", hint);
	else if (isalpha((unsigned char)text[0]) && !memchr(text, ':', len))
		diag_hint(g, "a set holds addresses, not other sets: name both in the rule");
}

static void parse_items(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_set *set = dst;
	const struct yaml_node *const *items;
	size_t n;

	if (v->kind == YAML_LIST && !v->n)
		return;
	items = spec_list(c, &v, key->name, &n);
	for (size_t i = 0; i < n; i++)
		if (spec_text(c, items[i], key->name, "an address or prefix"))
			item_text(c, items[i], set, items[i]->text, items[i]->n);
}

static const struct spec_key set_keys[] = {
	{ .name = "items", .parse = parse_items },
	{ .name = "file", .parse = parse_file },
	{ .name = "names", .later = "host-name patterns" },
};

void spec_parse_sets(struct spec_ctx *c, const struct yaml_node *map)
{
	const struct spec_key section = { .name = "sets" };

	if (map->kind != YAML_MAP) {
		spec_expected(c, map, section.name, "a map of set names");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const struct yaml_node *key = map->pairs[i].key, *v = map->pairs[i].value;
		const struct yaml_pair *seen[ARRAY_SIZE(set_keys)] = { 0 };
		size_t errors = c->diags->n_errors;
		struct spec_set *set;

		if (!spec_name_ok(c, key, "set"))
			continue;
		if (!isalpha((unsigned char)key->text[0])) {
			spec_error(c, key,
				   "set name \"%s\" must start with a letter, to tell it from an address",
				   key->text);
			continue;
		}
		if (!spec_grow(c, &c->spec->sets, c->spec->n_sets, sizeof(*set)))
			return;
		set = &c->spec->sets[c->spec->n_sets];
		*set = (struct spec_set){ .name = spec_strdup(c, key->text), .loc = spec_loc(c, key) };
		c->spec->n_sets++;
		if (!set->name)
			return;
		spec_define(c, &c->sets, key, set->name, "set", c->spec->n_sets - 1, set_place);
		if (!spec_map(c, v, "a set", set_keys, ARRAY_SIZE(set_keys), set, seen))
			continue;
		if (!seen[0] && !seen[1] && errors == c->diags->n_errors && !v->reported)
			spec_error(c, key, "set \"%s\" has neither `items` nor `file`", set->name);
		set->n_items = spec_prefixes_sort(set->items, set->n_items);
	}
}
