// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "names.h"
#include "util.h"
#include "yaml_tree.h"

/* Nodes live as long as the tree and are never freed one by one. */
struct chunk {
	struct chunk *next;
	char data[] __attribute__((aligned(16)));
};
#define CHUNK_BYTES (64UL << 10)

struct yaml_tree {
	struct chunk *chunks;
	char *free, *end;
	const struct yaml_node *root;
};

struct anchor {
	char *name;
	const struct yaml_node *node; /* NULL while the node is still open */
};

/* A list or map that has begun and not ended. */
struct open {
	struct yaml_node *node;
	size_t first; /* index of its first child in pending[] */
	int anchor;   /* index, or -1 */
};

struct build {
	struct yaml_tree *tree;
	struct tcctl_diags *diags;
	const char *file;
	const char *text;
	size_t len;
	const struct yaml_node **pending; /* children of open collections, innermost last */
	size_t n_pending, cap_pending;
	struct open open[YAML_DEPTH_MAX];
	size_t depth;
	struct anchor *anchors;
	size_t n_anchors, cap_anchors;
	struct names anchor_names; /* name → the latest of that name */
	size_t weight;		   /* of everything so far, aliases written out */
};

static void *tree_alloc(struct yaml_tree *t, size_t size)
{
	void *p;

	size = (size + 7) & ~(size_t)7;
	if (!t->chunks || size > (size_t)(t->end - t->free)) {
		size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		struct chunk *c = malloc(sizeof(*c) + bytes);

		if (!c)
			return NULL;
		c->next = t->chunks;
		t->chunks = c;
		t->free = c->data;
		t->end = c->data + bytes;
	}
	p = t->free;
	t->free += size;
	return p;
}

void yaml_tree_free(struct yaml_tree *tree)
{
	struct chunk *c, *next;

	if (!tree)
		return;
	for (c = tree->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(tree);
}

const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
	return tree->root;
}

static struct loc mark_loc(const struct build *b, const yaml_mark_t *m)
{
	return (struct loc){ .file = b->file, .line = m->line + 1, .col = m->column + 1 };
}

static struct loc node_loc(const struct build *b, const struct yaml_node *n)
{
	return (struct loc){ .file = b->file, .line = n->line, .col = n->col };
}

/* --- text ------------------------------------------------------------------------------------------ */

/* Length of the UTF-8 sequence at p, or 0. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	c = p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

const char *yaml_bad_text(const char *text, size_t len, unsigned int *ret_line, unsigned int *ret_col)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned int line = 1, col = 1;
	const char *bad = NULL;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_length(p + i, len - i);
		if (!n)
			bad = "not UTF-8";
		else if (!p[i])
			bad = "a NUL byte";
		else if ((p[i] < 0x20 && !strchr("\t\n\r", p[i])) || p[i] == 0x7f ||
			 (p[i] == 0xc2 && p[i + 1] < 0xa0 && p[i + 1] != 0x85))
			bad = "a control character";
		else if (n == 3 && p[i] == 0xef && p[i + 1] == 0xbf && p[i + 2] >= 0xbe)
			bad = "a code point that is no character";
		if (bad)
			break;
		if (p[i] == '\n' || (p[i] == '\r' && (i + 1 == len || p[i + 1] != '\n'))) {
			line++;
			col = 1;
		} else {
			col++;
		}
	}
	*ret_line = line;
	*ret_col = col;
	return bad;
}

const char *yaml_node_describe(const struct yaml_node *node, char buf[YAML_DESCRIBE_MAX])
{
	if (node->kind == YAML_LIST)
		return node->n ? "a list" : "an empty list";
	if (node->kind == YAML_MAP)
		return node->n ? "a map" : "an empty map";
	if (yaml_node_is_null(node))
		return "no value";
	if (node->n > 40) {
		size_t cut = 37;

		while (cut > 30 && ((unsigned char)node->text[cut] & 0xc0) == 0x80)
			cut--;
		snprintf(buf, YAML_DESCRIBE_MAX, "\"%.*s...\"", (int)cut, node->text);
	} else {
		snprintf(buf, YAML_DESCRIBE_MAX, "\"%s\"", node->text);
	}
	return buf;
}

bool yaml_node_is_null(const struct yaml_node *node)
{
	return node->kind == YAML_TEXT && !node->quoted &&
	       (!node->n || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const struct yaml_node *yaml_map_get(const struct yaml_node *map, const char *key)
{
	if (map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (!strcmp(map->pairs[i].key->text, key))
			return map->pairs[i].value;
	return NULL;
}

/* --- tree ------------------------------------------------------------------------------------------ */

static int fail_weight(struct build *b, const struct loc *loc)
{
	diag_hint(diag_error(b->diags, loc, "too big: more than %lu values, with every alias written out",
			     YAML_NODES_MAX),
		  "large address lists belong in a set's `file`");
	return -EINVAL;
}

/* Add a finished or just begun node to the innermost open collection. */
static int build_push(struct build *b, const struct yaml_node *node)
{
	if (b->n_pending == b->cap_pending) {
		size_t cap = b->cap_pending ? b->cap_pending * 2 : 256;
		const struct yaml_node **p = realloc(b->pending, cap * sizeof(*p));

		if (!p)
			return -ENOMEM;
		b->pending = p;
		b->cap_pending = cap;
	}
	b->pending[b->n_pending++] = node;
	return 0;
}

/* Remember an anchor, if there is one; *ret is its index or -1. */
static int anchor_add(struct build *b, const yaml_char_t *name, const struct yaml_node *node, int *ret)
{
	struct anchor *a;

	*ret = -1;
	if (!name)
		return 0;
	if (b->n_anchors == b->cap_anchors) {
		size_t cap = b->cap_anchors ? b->cap_anchors * 2 : 16;

		a = realloc(b->anchors, cap * sizeof(*a));
		if (!a)
			return -ENOMEM;
		b->anchors = a;
		b->cap_anchors = cap;
	}
	a = &b->anchors[b->n_anchors];
	*a = (struct anchor){ .name = strdup((const char *)name), .node = node };
	if (!a->name)
		return -ENOMEM;
	*ret = (int)b->n_anchors++;
	return names_put(&b->anchor_names, a->name, *ret);
}

static struct yaml_node *node_new(struct build *b, const yaml_event_t *e, enum yaml_kind kind)
{
	struct yaml_node *n = tree_alloc(b->tree, sizeof(*n));

	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->line = e->start_mark.line + 1;
	n->col = e->start_mark.column + 1;
	n->weight = 1;
	b->weight++;
	return n;
}

static void refuse_tag(struct build *b, const yaml_event_t *e, struct yaml_node *n, const yaml_char_t *tag)
{
	struct loc loc = mark_loc(b, &e->start_mark);

	diag_hint(diag_error(b->diags, &loc, "\"%.40s\" is a YAML tag, and tags have no meaning here", tag),
		  "to negate, write `not: { key: value }`; text that starts with ! must be quoted");
	n->reported = true;
}

static int build_scalar(struct build *b, const yaml_event_t *e)
{
	struct yaml_node *n = node_new(b, e, YAML_TEXT);
	size_t len = e->data.scalar.length;
	char *text;
	int anchor;

	if (!n)
		return -ENOMEM;
	if (e->data.scalar.tag)
		refuse_tag(b, e, n, e->data.scalar.tag);
	if (memchr(e->data.scalar.value, 0, len)) {
		struct loc loc = mark_loc(b, &e->start_mark);

		diag_error(b->diags, &loc, "the text contains a NUL byte (\\0)");
		n->reported = true;
		len = strlen((const char *)e->data.scalar.value);
	}
	text = tree_alloc(b->tree, len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, e->data.scalar.value, len);
	text[len] = 0;
	n->text = text;
	n->n = len;
	n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (anchor_add(b, e->data.scalar.anchor, n, &anchor) < 0)
		return -ENOMEM;
	return build_push(b, n);
}

static int build_begin(struct build *b, const yaml_event_t *e, enum yaml_kind kind, const yaml_char_t *tag,
		       const yaml_char_t *anchor_name)
{
	struct yaml_node *n;
	struct open *o;

	if (b->depth == YAML_DEPTH_MAX) {
		struct loc loc = mark_loc(b, &e->start_mark);

		diag_error(b->diags, &loc, "nested deeper than %d levels", YAML_DEPTH_MAX);
		return -EINVAL;
	}
	n = node_new(b, e, kind);
	if (!n || build_push(b, n) < 0)
		return -ENOMEM;
	if (tag)
		refuse_tag(b, e, n, tag);
	o = &b->open[b->depth];
	if (anchor_add(b, anchor_name, NULL, &o->anchor) < 0)
		return -ENOMEM;
	o->node = n;
	o->first = b->n_pending;
	b->depth++;
	return 0;
}

/* False: the pair is not kept. */
static bool check_key(struct build *b, const struct yaml_node *key)
{
	struct loc loc = node_loc(b, key);

	if (key->kind != YAML_TEXT) {
		diag_hint(diag_error(b->diags, &loc, "a key is %s, expected a word",
				     key->kind == YAML_MAP ? "a map" : "a list"),
			  "text that contains { } [ ] must be quoted");
		return false;
	}
	if (!key->quoted && !strcmp(key->text, "<<")) {
		diag_hint(diag_error(b->diags, &loc, "the merge key << is not supported"),
			  "use a named class, set or rule set, or an alias for the whole value");
		return false;
	}
	return !key->reported;
}

static void refuse_twice(struct build *b, const struct yaml_node *key, const struct yaml_node *first)
{
	struct loc loc = node_loc(b, key);
	char buf[YAML_DESCRIBE_MAX];

	diag_error(b->diags, &loc, "key %s is given twice: first at %u:%u", yaml_node_describe(key, buf),
		   first->line, first->col);
}

/* Report keys given twice and keep only the first of each. */
static int check_twice(struct build *b, struct yaml_node *map)
{
	struct names names = { 0 };
	uint32_t kept = 0;
	int r = 0, old = 0;

	/* clang-tidy does not see that pairs has n members, all of them set. NOLINTBEGIN(clang-analyzer-core.*) */
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->n <= 16) {
			for (old = 0; old < (int)kept; old++)
				if (!strcmp(map->pairs[i].key->text, map->pairs[old].key->text))
					break;
			r = old < (int)kept;
		} else {
			r = names_add(&names, map->pairs[i].key->text, (int)kept, &old);
			if (r < 0)
				break;
		}
		if (r)
			refuse_twice(b, map->pairs[i].key, map->pairs[old].key);
		else
			map->pairs[kept++] = map->pairs[i];
	}
	/* NOLINTEND(clang-analyzer-core.*) */
	map->n = kept;
	names_done(&names);
	return r < 0 ? r : 0;
}

static int build_end(struct build *b)
{
	struct open *o = &b->open[--b->depth];
	struct yaml_node *n = o->node;
	size_t count = b->n_pending - o->first;
	const struct yaml_node **children = b->pending + o->first;
	uint64_t weight = 1;

	for (size_t i = 0; i < count; i++)
		weight += children[i]->weight;
	if (!n) /* an open collection has its node */
		return -EINVAL;
	n->weight = weight > UINT32_MAX ? UINT32_MAX : (uint32_t)weight;
	b->n_pending = o->first;
	if (o->anchor >= 0)
		b->anchors[o->anchor].node = n;
	if (n->kind == YAML_LIST) {
		n->items = tree_alloc(b->tree, count * sizeof(*n->items));
		if (!n->items)
			return -ENOMEM;
		if (count)
			memcpy(n->items, children, count * sizeof(*n->items));
		n->n = count;
		return 0;
	}
	n->pairs = tree_alloc(b->tree, count / 2 * sizeof(*n->pairs));
	if (!n->pairs)
		return -ENOMEM;
	for (size_t i = 0; i + 1 < count; i += 2) {
		if (check_key(b, children[i]))
			n->pairs[n->n++] = (struct yaml_pair){ children[i], children[i + 1] };
	}
	return check_twice(b, n);
}

static int build_alias(struct build *b, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct loc loc = mark_loc(b, &e->start_mark);
	int i = names_find(&b->anchor_names, name);

	if (i < 0) {
		diag_hint(diag_error(b->diags, &loc,
				     "\"*%.40s\" is a YAML alias, and no anchor &%.40s comes before it", name,
				     name),
			  "text that starts with * must be quoted: \"*%.40s\"", name);
		return -EINVAL;
	}
	if (!b->anchors || !b->anchors[i].node) {
		diag_error(b->diags, &loc, "the alias *%.40s contains itself", name);
		return -EINVAL;
	}
	b->weight += b->anchors[i].node->weight;
	if (b->weight > YAML_NODES_MAX)
		return fail_weight(b, &loc);
	return build_push(b, b->anchors[i].node);
}

static int build_event(struct build *b, const yaml_event_t *e)
{
	struct loc loc = mark_loc(b, &e->start_mark);

	if (b->weight > YAML_NODES_MAX)
		return fail_weight(b, &loc);
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->n_pending) {
			diag_hint(diag_error(b->diags, &loc,
					     "a second document starts here, expected one per file"),
				  "put it into a file of its own");
			return -EINVAL;
		}
		return 0;
	case YAML_SCALAR_EVENT: return build_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return build_begin(b, e, YAML_LIST, e->data.sequence_start.tag,
				   e->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return build_begin(b, e, YAML_MAP, e->data.mapping_start.tag, e->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return build_end(b);
	case YAML_ALIAS_EVENT: return build_alias(b, e);
	default: return 0;
	}
}

/* --- syntax errors ---------------------------------------------------------------------------------- */

/* The character at a mark; 0 past the end. */
static char text_at(const struct build *b, size_t line, size_t column)
{
	size_t i = 0;

	for (; line && i < b->len; i++)
		if (b->text[i] == '\n' || (b->text[i] == '\r' && (i + 1 == b->len || b->text[i + 1] != '\n')))
			line--;
	for (; column && i < b->len; i++)
		if (((unsigned char)b->text[i] & 0xc0) != 0x80)
			column--;
	while (i < b->len && ((unsigned char)b->text[i] & 0xc0) == 0x80)
		i++;
	return i < b->len ? b->text[i] : 0;
}

static void report_syntax(struct build *b, const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "unreadable";
	const char *context = p->context ? p->context : "";
	struct loc loc = mark_loc(b, &p->problem_mark);
	char at = text_at(b, p->problem_mark.line, p->problem_mark.column);
	struct diag *g;

	if (p->error == YAML_READER_ERROR) {
		diag_error(b->diags, &loc, "not YAML: %s", problem);
	} else if (strstr(problem, "cannot start any token") && at == '\t') {
		diag_hint(diag_error(b->diags, &loc, "a tab where indentation is expected"),
			  "indent with spaces");
	} else if (strstr(problem, "cannot start any token")) {
		diag_hint(diag_error(b->diags, &loc, "a value cannot start with %c", at), "quote it");
	} else if (strstr(context, "scanning an alias") || strstr(context, "scanning an anchor")) {
		loc = mark_loc(b, &p->context_mark);
		at = text_at(b, p->context_mark.line, p->context_mark.column);
		diag_hint(diag_error(b->diags, &loc, "a bare %c starts a YAML %s", at,
				     at == '&' ? "anchor" : "alias"),
			  "text that starts with %c must be quoted, as in \"*.example.net\" or \"eth*\"", at);
	} else {
		g = diag_error(b->diags, &loc, "not YAML: %s%s%s", context, *context ? ": " : "", problem);
		if (strstr(problem, "unexpected ':'"))
			diag_hint(
				g,
				"inside [ ] and { } quote addresses and text that contain a colon: [\"2001:db8::\", \"::1\"]");
		else if (strstr(problem, "mapping values are not allowed") ||
			 strstr(context, "scanning a simple key"))
			diag_hint(g, "check the indentation, and quote text that contains a colon");
		else if (strstr(context, "flow"))
			diag_hint(
				g,
				"check commas and brackets, and quote addresses and text that contain a colon");
		else if (strstr(context, "block"))
			diag_hint(g, "check the indentation");
		else if (strstr(context, "tag"))
			diag_hint(
				g,
				"to negate, write `not: { key: value }`; text that starts with ! must be quoted");
	}
}

static int build_run(struct build *b)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)b->text, b->len);
	while (!r && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			r = -EINVAL;
			if (parser.error == YAML_MEMORY_ERROR)
				r = -ENOMEM;
			else
				report_syntax(b, &parser);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		r = build_event(b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}

int yaml_tree_parse(const char *text, size_t len, const char *file, struct tcctl_diags *diags,
		    struct yaml_tree **ret_tree)
{
	struct build b = { .diags = diags, .file = diags_file(diags, file), .text = text, .len = len };
	struct loc loc = { .file = b.file };
	const char *bad;
	int r;

	if (len > YAML_BYTES_MAX) {
		diag_hint(diag_error(diags, &loc, "the file is %zu MB long, at most %lu MB are read",
				     len >> 20, YAML_BYTES_MAX >> 20),
			  "large address lists belong in a set's `file`");
		return -EINVAL;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
		b.text += 3;
		b.len -= 3;
	}
	bad = yaml_bad_text(b.text, b.len, &loc.line, &loc.col);
	if (bad) {
		diag_hint(diag_error(diags, &loc, "%s, expected UTF-8 text", bad), "is this a text file?");
		return -EINVAL;
	}
	b.tree = calloc(1, sizeof(*b.tree));
	if (!b.tree)
		return -ENOMEM;
	r = build_run(&b);
	if (!r && !b.n_pending) {
		loc.line = loc.col = 1;
		diag_hint(diag_error(diags, &loc, "the file is empty, expected a configuration"),
			  "the first line of one is `tcctl: 1`");
		r = -EINVAL;
	}
	if (!r)
		b.tree->root = b.pending[0];
	for (size_t i = 0; i < b.n_anchors; i++)
		free(b.anchors[i].name);
	free(b.anchors);
	names_done(&b.anchor_names);
	free(b.pending);
	if (r) {
		yaml_tree_free(b.tree);
		return r;
	}
	*ret_tree = b.tree;
	return 0;
}
