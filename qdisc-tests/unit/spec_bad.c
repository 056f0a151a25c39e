// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configurations that must be refused, with exactly these messages at these places.
 *
 * config/bad-NAME.yaml is what is refused, config/bad-NAME.expect what is said, one diagnostic a line in the
 * form "line:col: error: …" (set files keep their name). TCCTL_TEST_UPDATE=1 writes the .expect files anew:
 * read the difference before committing it.
 */
#include <glob.h>

#include "../lib/test.h"
#include "spec.h"

static char folder[256];

/* All diagnostics as text, the file's own name left out. */
static char *all_text(const struct tcctl_diags *d, const char *file)
{
	size_t len, n = strlen(file);
	char *text, *line;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; i < d->n; i++) {
		line = diag_format(&d->items[i]);
		if (!strncmp(line, file, n) && line[n] == ':')
			fprintf(f, "%s\n", line + n + 1);
		else if (!strncmp(line, folder, strlen(folder)))
			fprintf(f, "%s\n", line + strlen(folder) + 1);
		else
			fprintf(f, "%s\n", line);
		free(line);
	}
	fclose(f);
	return text;
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text;
	size_t n;

	if (!f)
		return NULL;
	text = calloc(1, 1 << 20);
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

/* Say which line differs first. */
static void compare(const char *got, const char *want)
{
	while (*got || *want) {
		size_t g = strcspn(got, "\n"), w = strcspn(want, "\n");

		if (g != w || strncmp(got, want, g)) {
			test_fail("got \"%.*s\", expected \"%.*s\"", (int)g, got, (int)w, want);
			return;
		}
		got += g + (got[g] == '\n');
		want += w + (want[w] == '\n');
	}
}

static void check_file(const char *path)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;
	char expect[512], *got, *want;
	int r;

	test_case(strrchr(path, '/') + 1);
	r = spec_load(&path, 1, NULL, d, &spec);
	test_ok(r < 0);
	test_ok(!spec);
	test_ok(d->n_errors > 0);
	got = all_text(d, path);
	snprintf(expect, sizeof(expect), "%.*s.expect", (int)(strlen(path) - 5), path);
	if (getenv("TCCTL_TEST_UPDATE")) {
		FILE *f = fopen(expect, "w");

		fputs(got, f);
		fclose(f);
	}
	want = read_text(expect);
	if (test_ok(want != NULL))
		compare(got, want);
	free(got);
	free(want);
	spec_free(spec);
	diags_free(d);
}

/* What cannot be shown in a text file, and what is shortest here. */
static const struct {
	const char *name, *text;
	size_t len; /* 0: strlen */
	const char *want;
} snippets[] = {
	{ "empty", "", 0, "1:1: error: the file is empty, expected a configuration (the first line of one is `tcctl: 1`)\n" },
	{ "only comments", "# nothing\n\n", 0,
	  "1:1: error: the file is empty, expected a configuration (the first line of one is `tcctl: 1`)\n" },
	{ "NUL byte", "tcctl: 1\nname: a\0b\n", 19, "2:8: error: a NUL byte, expected UTF-8 text (is this a text file?)\n" },
	{ "NUL by escape", "tcctl: 1\nname: \"a\\0b\"\n", 0, "2:7: error: the text contains a NUL byte (\\0)\n" },
	{ "Latin-1", "tcctl: 1\nname: b\xfcro\n", 0, "2:8: error: not UTF-8, expected UTF-8 text (is this a text file?)\n" },
	{ "overlong UTF-8", "name: \xc0\xaf\n", 0, "1:7: error: not UTF-8, expected UTF-8 text (is this a text file?)\n" },
	{ "UTF-16", "\xff\xfet\0c\0", 6, "1:1: error: not UTF-8, expected UTF-8 text (is this a text file?)\n" },
	{ "escape character", "name: \x1b[31m\n", 0,
	  "1:7: error: a control character, expected UTF-8 text (is this a text file?)\n" },
	{ "escape by escape", "tcctl: 1\nclasses: { \"a\\e[31m\": {} }\n", 0,
	  "2:12: error: \"a?[31m\" cannot name a class: expected letters, digits, and inside also . _ -\n" },
	{ "binary", "\x7f" "ELF\2\1\1\0", 8, "1:1: error: a control character, expected UTF-8 text (is this a text file?)\n" },
	{ "columns count characters", "tcctl: 1\nclasses: { \"\xc3\xa4\": {}, b: 1 }\n", 0,
	  "2:12: error: \"\xc3\xa4\" cannot name a class: expected letters, digits, and inside also . _ -\n"
	  "2:24: error: a class: found \"1\", expected a map of keys and values\n" },
	{ "CRLF", "tcctl: 1\r\nclasses:\r\n  a: { dscp: 99 }\r\n", 0,
	  "3:14: error: dscp: found \"99\", expected a DSCP: 0 to 63 or a name such as EF, CS1, AF41\n" },
	{ "byte order mark", "\xef\xbb\xbftcctl: 1\nclases: {}\n", 0,
	  "2:1: error: unknown key \"clases\" in the configuration (did you mean \"classes\"?)\n" },
	{ "a list", "- tcctl: 1\n", 0, "1:1: error: the configuration: found a list, expected a map of keys and values\n" },
	{ "a word", "hello\n", 0, "1:1: error: the configuration: found \"hello\", expected a map of keys and values\n" },
	{ "depth", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, "1:33: error: nested deeper than 32 levels\n" },
	{ "version text", "tcctl: one\n", 0, "1:8: error: tcctl: found \"one\", expected the format version 1\n" },
	{ "JSON, cut off", "{\"tcctl\": 1, \"classes\": {", 0,
	  "2:1: error: not YAML: while parsing a flow node: did not find expected node content (check commas and "
	  "brackets, and quote addresses and text that contain a colon)\n" },
};

static void check_snippet(size_t i)
{
	size_t len = snippets[i].len ? snippets[i].len : strlen(snippets[i].text);
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;
	char *got;

	test_case(snippets[i].name);
	test_eq(spec_parse(snippets[i].text, len, "x.yaml", NULL, d, &spec), -22);
	got = all_text(d, "x.yaml");
	test_streq(got, snippets[i].want);
	free(got);
	spec_free(spec);
	diags_free(d);
}

/* Much that is wrong: all of it is counted, some of it is told, the last line says how much is not. */
static void check_flood(void)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;
	size_t len;
	char *text;
	FILE *f = open_memstream(&text, &len);

	test_case("300000 errors");
	fprintf(f, "tcctl: 1\nrules:\n  a:\n");
	for (int i = 0; i < 300000; i++)
		fprintf(f, "    - { class: kepp }\n");
	fclose(f);
	test_eq(spec_parse(text, len, "x.yaml", NULL, d, &spec), -22);
	test_ok(d->n_errors >= 300000);
	test_ok(d->n <= DIAGS_KEEP + 1);
	test_eq(d->items[d->n - 1].severity, DIAG_NOTE);
	test_ok(strstr(d->items[d->n - 1].message, "more errors are not listed") != NULL);
	free(text);
	diags_free(d);
}

/* A fixed random walk over the bytes of a good file: never a crash, never an error without a place. */
static void check_mutations(const char *file)
{
	static char name[64]; /* of the case, which outlives this */
	char path[512], *text;
	unsigned int seed = 1;
	size_t len;

	snprintf(name, sizeof(name), "mutations of %s", file);
	test_case(name);
	snprintf(path, sizeof(path), "%s/%s", folder, file);
	text = read_text(path);
	if (!test_ok(text != NULL))
		return;
	len = strlen(text);
	for (int i = 0; i < 3000; i++) {
		struct tcctl_diags *d = diags_new();
		struct spec *spec = NULL;
		char *copy = malloc(len);
		int r;

		memcpy(copy, text, len);
		for (int k = 0; k < 1 + i % 3; k++) {
			size_t at = (size_t)rand_r(&seed) % len;

			copy[at] = " \n:,{}[]\"'*&!#-/0a\t"[rand_r(&seed) % 19];
		}
		r = spec_parse(copy, i % 7 ? len : (size_t)rand_r(&seed) % len, "x.yaml", NULL, d, &spec);
		if ((r < 0) != (d->n_errors > 0) || (r < 0) != !spec)
			test_fail("mutation %d: returned %d with %zu errors", i, r, d->n_errors);
		for (size_t k = 0; k < d->n; k++)
			if (!d->items[k].loc.file || !d->items[k].loc.line || !d->items[k].message)
				test_fail("mutation %d: an error without a place", i);
		free(copy);
		spec_free(spec);
		diags_free(d);
	}
	free(text);
}

int main(void)
{
	char pattern[300];
	glob_t g;

	snprintf(folder, sizeof(folder), "%.*s/config", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	snprintf(pattern, sizeof(pattern), "%s/bad-*.yaml", folder);
	test_case("files are there");
	if (glob(pattern, 0, NULL, &g))
		test_fail("nothing matches %s: run from the top of the source tree", pattern);
	else
		for (size_t i = 0; i < g.gl_pathc; i++)
			check_file(g.gl_pathv[i]);
	test_end(); /* the name of the case is in g */
	globfree(&g);
	for (size_t i = 0; i < sizeof(snippets) / sizeof(snippets[0]); i++)
		check_snippet(i);
	check_flood();
	check_mutations("good-all.yaml");
	check_mutations("good-tunnels.yaml");
	return test_done();
}
