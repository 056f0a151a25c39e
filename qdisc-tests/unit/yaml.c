// SPDX-License-Identifier: GPL-2.0-only
/* The tree under the configuration: places, kinds of text, aliases. What is refused is in spec_bad.c. */
#include "../lib/test.h"
#include "yaml_tree.h"

static struct yaml_tree *parse(const char *text, struct tcctl_diags *d)
{
	struct yaml_tree *tree = NULL;

	yaml_tree_parse(text, strlen(text), "x.yaml", d, &tree);
	return tree;
}

static void test_places(void)
{
	struct tcctl_diags *d = diags_new();
	struct yaml_tree *tree = parse("# comment\na: 1\nb:\n  - x\n  - { k: v, \"l\": [] }\n", d);
	const struct yaml_node *root, *b;

	test_case("places and kinds");
	if (test_ok(tree != NULL)) {
		root = yaml_tree_root(tree);
		test_eq(root->kind, YAML_MAP);
		test_eq(root->n, 2);
		test_eq(root->pairs[0].key->line, 2);
		test_eq(root->pairs[0].value->col, 4);
		b = yaml_map_get(root, "b");
		test_eq(b->kind, YAML_LIST);
		test_eq(b->line, 4);
		test_eq(b->col, 3);
		test_eq(b->items[1]->pairs[1].key->line, 5);
		test_eq(b->items[1]->pairs[1].key->col, 13);
		test_ok(b->items[1]->pairs[1].key->quoted);
		test_ok(!b->items[1]->pairs[0].key->quoted);
		test_eq(yaml_map_get(b->items[1], "l")->n, 0);
		test_ok(!yaml_map_get(root, "c"));
		test_ok(!yaml_map_get(b, "b"));
	}
	test_eq(d->n, 0);
	yaml_tree_free(tree);
	diags_free(d);
}

static void test_text(void)
{
	static const struct {
		const char *yaml, *text;
		bool null;
	} cases[] = {
		{ "010", "010", false },
		{ "yes", "yes", false },
		{ "1:10", "1:10", false },
		{ "~", "~", true },
		{ "null", "null", true },
		{ "", "", true },
		{ "\"\"", "", false },
		{ "'~'", "~", false },
		{ "\"a\\tb\"", "a\tb", false },
		{ "2001:db8::1", "2001:db8::1", false },
		{ "1e3", "1e3", false },
		{ "a b  # c", "a b", false },
		{ "|\n  x\n  y\n", "x\ny\n", false },
		{ "0x10", "0x10", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcctl_diags *d = diags_new();
		char text[64];
		struct yaml_tree *tree;

		snprintf(text, sizeof(text), "k: %s\n", cases[i].yaml);
		test_case(cases[i].yaml[0] ? cases[i].yaml[0] == '|' ? "block" : cases[i].yaml : "(nothing)");
		tree = parse(text, d);
		if (test_ok(tree != NULL)) {
			const struct yaml_node *v = yaml_map_get(yaml_tree_root(tree), "k");

			test_streq(v->text, cases[i].text);
			test_eq(v->n, strlen(cases[i].text));
			test_eq(yaml_node_is_null(v), cases[i].null);
		}
		yaml_tree_free(tree);
		diags_free(d);
	}
}

static void test_alias(void)
{
	struct tcctl_diags *d = diags_new();
	struct yaml_tree *tree = parse("a: &x [1, 2]\nb: *x\nc: &x {k: v}\nd: *x\n", d);
	const struct yaml_node *root;

	test_case("aliases");
	if (test_ok(tree != NULL)) {
		root = yaml_tree_root(tree);
		test_ok(yaml_map_get(root, "a") == yaml_map_get(root, "b"));
		test_ok(yaml_map_get(root, "c") == yaml_map_get(root, "d"));
		test_eq(root->weight, 1 + 4 + 3 + 3 + 3 + 3);
	}
	yaml_tree_free(tree);
	diags_free(d);
}

static void test_describe(void)
{
	struct tcctl_diags *d = diags_new();
	struct yaml_tree *tree = parse(
		"[ [], [1], {}, {a: 1}, ~, abc, \"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\" ]",
		d);
	static const char *const want[] = {
		"an empty list",
		"a list",
		"an empty map",
		"a map",
		"no value",
		"\"abc\"",
		/* cut between characters; one string. NOLINTNEXTLINE(bugprone-suspicious-missing-comma) */
		"\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4...\"",
	};
	char buf[YAML_DESCRIBE_MAX];

	test_case("what a node is called");
	for (size_t i = 0; test_ok(tree != NULL) && i < 7; i++)
		test_streq(yaml_node_describe(yaml_tree_root(tree)->items[i], buf), want[i]);
	yaml_tree_free(tree);
	diags_free(d);
}

static void test_goes_on(void)
{
	struct tcctl_diags *d = diags_new();
	struct yaml_tree *tree = parse("a: 1\na: 2\nb: !tag x\n? [x]\n: y\n<<: 1\nc: 3\n", d);

	test_case("errors that leave a tree");
	test_eq(d->n_errors, 4);
	if (test_ok(tree != NULL)) {
		const struct yaml_node *root = yaml_tree_root(tree);

		test_eq(root->n, 3);
		test_streq(yaml_map_get(root, "a")->text, "1");
		test_ok(yaml_map_get(root, "b")->reported);
		test_streq(yaml_map_get(root, "c")->text, "3");
	}
	yaml_tree_free(tree);
	diags_free(d);
}

int main(void)
{
	test_places();
	test_text();
	test_alias();
	test_describe();
	test_goes_on();
	return test_done();
}
