// SPDX-License-Identifier: GPL-2.0-only
/* Files: several merged, folders, sets from files, relative names, and what cannot be read. */
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/test.h"
#include "spec.h"

static char dir[] = "/tmp/tcctl-spec-load-XXXXXX";

static char *at(const char *name)
{
	static char path[4][256];
	static unsigned int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		test_fail("cannot write %s", name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_all(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct tcctl_diags *diags;
static struct spec *spec;

static void done(void)
{
	spec_free(spec);
	diags_free(diags);
	spec = NULL;
	diags = NULL;
}

static int load(const char *base, const char *a, const char *b)
{
	const struct spec_options options = { .base = base };
	const char *paths[] = { a, b };

	done();
	diags = diags_new();
	return spec_load(paths, b ? 2 : 1, &options, diags, &spec);
}

/* Diagnostic i, without the scratch folder. */
static void said(size_t i, const char *want)
{
	char *line, *cut, text[1024], *p = text;

	if (i >= diags->n) {
		test_fail("there are %zu diagnostics, expected \"%s\"", diags->n, want);
		return;
	}
	line = diag_format(&diags->items[i]);
	for (cut = line; *cut && p < text + sizeof(text) - 1;) {
		if (!strncmp(cut, dir, strlen(dir)) && cut[strlen(dir)] == '/')
			cut += strlen(dir) + 1;
		else
			*p++ = *cut++;
	}
	*p = 0;
	test_streq(text, want);
	free(line);
}

static void test_merge(void)
{
	test_case("two files make one configuration, in any order");
	put("a.yaml",
	    "tcctl: 1\nname: edge\nrules: { wan: [ { remote: office, class: voice } ] }\ninterfaces: { eth0: { rules: wan } }\n");
	put("b.yaml",
	    "tcctl: 1\nsets: { office: { items: [10.0.0.0/8] } }\nclasses: { voice: { dscp: EF } }\n");
	for (int i = 0; i < 2; i++) {
		test_eq(load(NULL, at(i ? "a.yaml" : "b.yaml"), at(i ? "b.yaml" : "a.yaml")), 0);
		if (!spec)
			continue;
		test_streq(spec->name, "edge");
		test_eq(spec->rulesets[0].rules[0].class, 2);
		test_streq(strrchr(spec->rulesets[0].loc.file, '/'), "/a.yaml");
		test_streq(strrchr(spec->classes[2].loc.file, '/'), "/b.yaml");
	}
}

static void test_twice(void)
{
	const char *paths[4];
	int r;

	test_case("defined twice, both places are named");
	put("c.yaml",
	    "tcctl: 1\nname: edge\nsets: { office: { items: [] } }\nclasses: { voice: {}, drop: {} }\n"
	    "rules:\n  wan: []\nprograms: { p: { object: x, program: y } }\ninterfaces:\n  eth0: {}\n");
	put("d.yaml", "tcctl: 1\nprograms: { p: { object: x, program: y } }\n");
	done();
	diags = diags_new();
	paths[0] = at("a.yaml");
	paths[1] = at("b.yaml");
	paths[2] = at("c.yaml");
	paths[3] = at("d.yaml");
	r = spec_load(paths, 4, NULL, diags, &spec);
	test_eq(r, -EINVAL);
	test_eq(diags->n, 7);
	said(0, "c.yaml:2:1: error: key \"name\" is given twice: first at a.yaml:2:1");
	said(1, "c.yaml:3:9: error: set \"office\" is defined twice: first at b.yaml:2:9");
	said(2, "c.yaml:4:12: error: class \"voice\" is defined twice: first at b.yaml:3:12");
	said(3, "c.yaml:4:23: error: class \"drop\" is built in and cannot be redefined");
	said(4, "c.yaml:6:3: error: rule set \"wan\" is defined twice: first at a.yaml:3:10");
	said(5, "c.yaml:9:3: error: interface \"eth0\" is defined twice: first at a.yaml:4:15");
	said(6, "d.yaml:2:13: error: program \"p\" is defined twice: first at c.yaml:7:13");
}

static void test_folder(void)
{
	test_case("a folder: *.yaml in the order of their names");
	mkdir(at("conf"), 0755);
	put("conf/20-b.yaml", "tcctl: 1\nclasses: { b: {} }\n");
	put("conf/10-a.yaml", "tcctl: 1\nclasses: { a: {} }\n");
	put("conf/.hidden.yaml", "nonsense");
	put("conf/notes.txt", "nonsense");
	put("conf/old.yaml~", "nonsense");
	test_eq(load(NULL, at("conf"), NULL), 0);
	if (spec) {
		test_eq(spec->n_classes, 4);
		test_streq(spec->classes[2].name, "a");
		test_streq(spec->classes[3].name, "b");
	}
	test_case("each file has its version");
	put("conf/30-c.yaml", "classes: { c: {} }\n");
	test_eq(load(NULL, at("conf"), NULL), -EINVAL);
	said(0, "conf/30-c.yaml:1:1: error: the format version is missing (the file starts with `tcctl: 1`)");
	test_case("a folder without configurations");
	mkdir(at("empty"), 0755);
	test_eq(load(NULL, at("empty"), NULL), -ENOENT);
	test_eq(diags->n, 1);
	test_ok(strstr(diags->items[0].message, "no *.yaml") != NULL);
}

static void test_sets(void)
{
	mkdir(at("sub"), 0755);
	put("sub/office.txt",
	    "\xef\xbb\xbf# our offices\r\n192.0.2.0/24\r\n\r\n  2001:db8::/32   # Bonn\r\n10.0.0.1");
	put("sub/x.yaml",
	    "tcctl: 1\nsets: { office: { file: office.txt, items: [10.0.0.0/8, 192.0.2.0/24] } }\n");
	test_case("a set's file is beside the configuration");
	test_eq(load(NULL, at("sub/x.yaml"), NULL), 0);
	if (spec) {
		test_eq(spec->sets[0].n_items, 4);
		test_eq(spec->sets[0].items[1].len, 32);
		test_streq(spec->sets[0].file, "office.txt");
	}
	test_case("or in the given folder");
	put("y.yaml", "tcctl: 1\nsets: { office: { file: office.txt } }\n");
	test_eq(load(at("sub"), at("y.yaml"), NULL), 0);
	test_eq(load(NULL, at("y.yaml"), NULL), -EINVAL);
	said(0, "y.yaml:2:25: error: file: cannot read \"office.txt\": No such file or directory");
	test_case("errors have the place in the set's file");
	put("sub/office.txt", "10.0.0.0/8\n\t 10.0.0.1/8 # host bits\n\xc3\xa4 10.0.0.1\n");
	test_eq(load(NULL, at("sub/x.yaml"), NULL), -EINVAL);
	test_eq(diags->n, 2);
	said(0,
	     "sub/office.txt:2:3: error: found \"10.0.0.1/8\", expected a prefix without host bits (bits after the first 8 "
	     "are set: did you mean 10.0.0.0/8?)");
	test_case("a set's file that is no text");
	put("sub/office.txt", "10.0.0.0/8\n\x01");
	test_eq(load(NULL, at("sub/x.yaml"), NULL), -EINVAL);
	said(0, "sub/office.txt:2:1: error: a control character, expected text with one prefix a line");
	test_case("an empty set file");
	put("sub/office.txt", "");
	test_eq(load(NULL, at("sub/x.yaml"), NULL), 0);
	test_case("a folder as a set's file");
	put("sub/x.yaml", "tcctl: 1\nsets: { office: { file: /tmp } }\n");
	test_eq(load(NULL, at("sub/x.yaml"), NULL), -EINVAL);
	said(0, "sub/x.yaml:2:25: error: file: cannot read \"/tmp\": Is a directory");
}

static void test_million(void)
{
	FILE *f;

	test_case("a million prefixes");
	f = fopen(at("million.txt"), "w");
	for (unsigned int i = 0; i < 1000000; i++)
		fprintf(f, "%u.%u.%u.%u\n", 10 + (i * 7 >> 16 & 63), i >> 8 & 255, i & 255, i >> 16);
	fclose(f);
	put("m.yaml", "tcctl: 1\nsets: { m: { file: million.txt } }\n");
	test_eq(load(NULL, at("m.yaml"), NULL), 0);
	if (spec)
		test_eq(spec->sets[0].n_items, 1000000);
	for (size_t i = 1; spec && i < spec->sets[0].n_items; i++)
		if (memcmp(spec->sets[0].items[i - 1].addr, spec->sets[0].items[i].addr, 4) >= 0) {
			test_fail("items %zu and %zu are out of order", i - 1, i);
			break;
		}
}

static void test_unreadable(void)
{
	test_case("a file that is not there");
	test_eq(load(NULL, at("none.yaml"), at("b.yaml")), -ENOENT);
	test_eq(diags->n, 1);
	said(0, "none.yaml: error: cannot read the configuration: No such file or directory");
	test_ok(!spec);
	test_case("names in a file that cannot be read are not missed");
	put("broken.yaml", "tcctl: 1\nclasses: { voice: {}\n");
	put("uses.yaml", "tcctl: 1\nrules: { wan: [ { class: voice } ] }\n");
	test_eq(load(NULL, at("uses.yaml"), at("broken.yaml")), -EINVAL);
	test_eq(diags->n, 1);
	test_case("a huge file is refused at once");
	if (truncate(at("b.yaml"), 300L << 20))
		test_fail("cannot make a large file");
	test_eq(load(NULL, at("b.yaml"), NULL), -EINVAL);
	said(0, "b.yaml: error: the file is longer than 256 MB");
}

static void test_programs(void)
{
	char want[300];

	test_case("objects are absolute");
	put("p.yaml", "tcctl: 1\nprograms: { p: { object: ./my.bpf.o, program: main } }\n");
	test_eq(load(NULL, at("p.yaml"), NULL), 0);
	snprintf(want, sizeof(want), "%s/my.bpf.o", dir);
	if (spec)
		test_streq(spec->programs[0].object, want);
	test_eq(load("/lib/bpf", at("p.yaml"), NULL), 0);
	if (spec)
		test_streq(spec->programs[0].object, "/lib/bpf/my.bpf.o");
	if (chdir(dir))
		test_fail("cannot enter %s", dir);
	test_eq(load(".", "p.yaml", NULL), 0);
	if (spec)
		test_streq(spec->programs[0].object, want);
	test_eq(load(NULL, "p.yaml", NULL), 0);
	if (spec)
		test_streq(spec->programs[0].object, want);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		printf("not ok - scratch folder: %s\n", strerror(errno));
		return 1;
	}
	atexit(remove_all);
	test_merge();
	test_twice();
	test_folder();
	test_sets();
	test_million();
	test_unreadable();
	test_programs();
	done();
	return test_done();
}
