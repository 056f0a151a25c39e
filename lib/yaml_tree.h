/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * YAML text to a tree of nodes that know their line and column. (Not "yaml.h": that is libyaml's own.)
 *
 * Everything that no configuration may contain ends here: text that is not UTF-8, control characters, a
 * second document, tags, merge keys, keys that are not scalars, keys given twice, nesting and alias bombs.
 * Values stay text: what `010`, `yes` or `1:10` mean is decided by whoever knows the key.
 */
#ifndef TCCTL_LIB_YAML_TREE_H
#define TCCTL_LIB_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

#define YAML_BYTES_MAX (256UL << 20) /* of one file */
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX (8UL << 20) /* with every alias written out */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node;

struct yaml_pair {
	const struct yaml_node *key; /* always YAML_TEXT */
	const struct yaml_node *value;
};

/* An alias is the node it stands for, so its place is that of the anchor. */
struct yaml_node {
	enum yaml_kind kind : 8;
	bool quoted : 1;	/* text was in quotes or a block: `""` is not "no value" */
	bool reported : 1;	/* an error about it was added: say no more */
	unsigned int line, col; /* from 1; columns count characters */
	uint32_t n;		/* bytes of text, items of a list, pairs of a map */
	uint32_t weight;	/* nodes below and including this one, aliases written out */
	union {
		const char *text; /* zero-terminated, contains no zero byte */
		const struct yaml_node **items;
		struct yaml_pair *pairs;
	};
};

struct yaml_tree;

/*
 * Parse one document. `file` is the name for diagnostics. Returns 0 and *ret_tree (its root is never NULL)
 * when there is a tree to look at, so that its other errors can be told at the same time: errors may have
 * been added all the same. Otherwise -EINVAL with an error added, or -ENOMEM. Everything in the tree is
 * freed with it.
 */
int yaml_tree_parse(const char *text, size_t len, const char *file, struct tcctl_diags *diags,
		    struct yaml_tree **ret_tree);
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);
void yaml_tree_free(struct yaml_tree *tree);

/* The value of `key` in a map, or NULL. */
const struct yaml_node *yaml_map_get(const struct yaml_node *map, const char *key);

/* What a person would call the node: `"text"` (shortened), "a list", "a map", "no value". */
#define YAML_DESCRIBE_MAX 64
const char *yaml_node_describe(const struct yaml_node *node, char buf[YAML_DESCRIBE_MAX]);

/* No value at all: `key:`, `key: ~` or `key: null`. */
bool yaml_node_is_null(const struct yaml_node *node);

/* Place of the first byte that makes `text` something other than plain UTF-8 text without control
 * characters, and what it is; NULL when there is none. Lines and columns are counted from 1. */
const char *yaml_bad_text(const char *text, size_t len, unsigned int *ret_line, unsigned int *ret_col);

#endif
