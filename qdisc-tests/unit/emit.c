// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips: what spec_emit() writes is accepted, means the same, and is written the same again; for the
 * good configurations, the examples, random rules, and large ones.
 */
#include <glob.h>

#include "../lib/test.h"
#include "spec.h"

static void show(const struct tcctl_diags *d)
{
	for (size_t i = 0; i < d->n && i < 10; i++) {
		char *line = diag_format(&d->items[i]);

		test_fail("%s", line);
		free(line);
	}
}

/* spec → text → spec → text. Returns the text. */
static char *round_trip(const struct spec *spec)
{
	struct tcctl_diags *d = diags_new();
	struct spec *again = NULL;
	char *text = NULL, *text2 = NULL;
	size_t len = 0, len2 = 0;

	test_eq(spec_emit(spec, &text, &len), 0);
	test_eq(strlen(text), len);
	test_eq(spec_parse(text, len, "emitted.yaml", NULL, d, &again), 0);
	show(d);
	if (again) {
		test_ok(spec_equal(spec, again));
		test_eq(spec_emit(again, &text2, &len2), 0);
		test_ok(len == len2 && !memcmp(text, text2, len));
	}
	free(text2);
	spec_free(again);
	diags_free(d);
	return text;
}

static struct spec *parse(const char *text)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;

	test_eq(spec_parse(text, strlen(text), "x.yaml", NULL, d, &spec), 0);
	show(d);
	diags_free(d);
	return spec;
}

static void test_files(const char *pattern, bool no_warnings)
{
	char path[300];
	glob_t g;

	snprintf(path, sizeof(path), "%.*s/%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__, pattern);
	test_case(pattern);
	if (glob(path, 0, NULL, &g)) {
		test_fail("nothing matches %s: run from the top of the source tree", path);
		return;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *file = g.gl_pathv[i];
		struct tcctl_diags *d = diags_new();
		struct spec *spec = NULL;

		test_case(strrchr(file, '/') + 1);
		test_eq(spec_load(&file, 1, NULL, d, &spec), 0);
		if (spec && no_warnings)
			spec_check(spec, d);
		show(d);
		if (spec)
			free(round_trip(spec));
		spec_free(spec);
		diags_free(d);
	}
	test_end(); /* the name of the case is in g */
	globfree(&g);
}

/* Every complete configuration in the man page is accepted without a warning. */
static void test_man_page(void)
{
	char path[300], line[512], *text = NULL;
	unsigned int found = 0;
	bool inside = false;
	size_t len;
	FILE *f, *block = NULL;

	test_case("configurations of tcctl.yaml(5)");
	snprintf(path, sizeof(path), "%.*s/../../docs/man/tcctl.yaml.5",
		 (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
	f = fopen(path, "r");
	if (!f) {
		test_fail("cannot read %s: run from the top of the source tree", path);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, ".Bd", 3)) {
			block = open_memstream(&text, &len);
			inside = true;
		} else if (!strncmp(line, ".Ed", 3) && inside) {
			struct tcctl_diags *d = diags_new();
			struct spec *spec = NULL;

			fclose(block);
			inside = false;
			if (!strncmp(text, "tcctl: 1\n", 9)) {
				found++;
				if (!spec_parse(text, len, "tcctl.yaml.5", NULL, d, &spec))
					spec_check(spec, d);
				show(d);
			}
			spec_free(spec);
			diags_free(d);
			free(text);
		} else if (inside) {
			fputs(line, block);
		}
	}
	fclose(f);
	if (found < 3)
		test_fail("only %u found", found);
}

static void test_exact(void)
{
	static const char want[] =
		"tcctl: 1\n"
		"name: edge\n"
		"sets:\n"
		"  office:\n"
		"    items:\n"
		"      - \"192.0.2.0/24\"\n"
		"      - \"198.51.100.7\"\n"
		"      - \"2001:db8::/32\"\n"
		"  empty: { items: [] }\n"
		"classes:\n"
		"  voice: { dscp: EF, mark: \"0x10/0xff\", classid: \"1:10\" }\n"
		"  \"no\": { dscp-if-unset: 3, mark: 7, priority: 6, queue: 0, tc-index: 1 }\n"
		"  \"1e3\": {}\n"
		"programs:\n"
		"  p: { object: \"/lib/a \\\"b\\\".o\", program: main }\n"
		"rules:\n"
		"  wan:\n"
		"    - { name: \"off\", remote: [office, \"10.0.0.0/8\"], proto: [tcp, udp], port: [80, \"8000-8999\"], not: { dscp: "
		"[DF, 5] }, class: voice }\n"
		"    - { vlan: [5, none], mac: \"02:00:00:00:00:01\", length: \"0-100\", frag: [none, first], mark: [1, \"0x2/0x3\"], class: \"no\" }\n"
		"    - { class: drop }\n"
		"interfaces:\n"
		"  \"eth*\": { optional: true, side: lan, rules: wan }\n"
		"  up: { match: { mac: \"02:00:00:00:00:01\", altname: \"uplink\" }, ingress: { rules: wan, mode: observe, verdict: ok, "
		"run: [{ program: p, at: \"proto/gre\" }, { program: p, after: mark }] }, egress: false }\n";
	char *text;
	struct spec *spec;

	test_case("exact text");
	spec = parse(
		"tcctl: 1\nname: edge\n"
		"interfaces:\n  eth*: { rules: wan, side: lan, optional: true }\n"
		"  up: { match: { altname: uplink, mac: \"02:00:00:00:00:01\" }, rules: wan, egress: none,\n"
		"    ingress: { mode: observe, verdict: ok, run: [ { at: proto/47, program: p }, { program: p, after: mark } ] } }\n"
		"rules:\n  wan:\n"
		"    - { class: voice, port: [8000-8999, 80], proto: [udp, 6], remote: [10.0.0.0/8, office], not: { dscp: [0, 5] }, "
		"name: off }\n"
		"    - { vlan: [none, 5], length: -100, frag: [first, none], mark: [1, 2/3], mac: 02:00:00:00:00:01,\n"
		"        class: no }\n"
		"    - { class: drop }\n"
		"programs: { p: { program: main, object: '/lib/a \"b\".o' } }\n"
		"classes:\n  voice: { classid: 1:10, mark: 16/255, dscp: 46 }\n"
		"  no: { tc-index: 1, queue: 0, priority: 6, mark: 7, dscp-if-unset: 3 }\n  1e3: {}\n"
		"sets:\n  office: { items: [\"2001:db8::/32\", 198.51.100.7, 192.0.2.0/24, 198.51.100.7/32] }\n"
		"  empty: { items: [] }\n");
	if (!spec)
		return;
	text = round_trip(spec);
	test_streq(text, want);
	free(text);
	spec_free(spec);

	test_case("exact ICMP and flags");
	spec = parse(
		"tcctl: 1\nrules: { r: [ { icmp: [icmp/8, icmp/3/1-3, icmpv6/1-4, icmpv6/5/0], class: keep },\n"
		"  { flags: [syn/syn+ack, none/rst], class: keep } ] }\n");
	if (!spec)
		return;
	text = round_trip(spec);
	test_ok(strstr(text,
		       "    - { icmp: [\"icmp/3/1-3\", \"icmp/8\", \"icmpv6/1-4\", \"icmpv6/5/0\"], class: keep }\n") !=
		NULL);
	test_ok(strstr(text, "    - { flags: [syn/syn+ack, none/rst], class: keep }\n") != NULL);
	free(text);
	spec_free(spec);
}

static void test_strings(void)
{
	struct spec *spec = parse(
		"tcctl: 1\nprograms:\n  p: { program: main, object: \"/a\\\\b\\\"c\\td\\x01\\u0085\\u2028\\uFEFF\\u00e4"
		"\\U0001F600 #: {}\" }\n");
	char *text;

	test_case("text that YAML could misread");
	if (!spec)
		return;
	test_streq(spec->programs[0].object,
		   "/a\\b\"c\td\x01\xc2\x85\xe2\x80\xa8\xef\xbb\xbf\xc3\xa4\xf0\x9f\x98\x80 #: {}");
	text = round_trip(spec);
	test_ok(strstr(text,
		       "\"/a\\\\b\\\"c\\x09d\\x01\\x85\\u2028\\ufeff\xc3\xa4\xf0\x9f\x98\x80 #: {}\"") !=
		NULL);
	free(text);
	spec_free(spec);
}

/* --- random rules ---------------------------------------------------------------------------------------- */

static unsigned int seed = 3;

static unsigned int rnd(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void random_value(FILE *f, unsigned int key)
{
	static const char *const icmp[] = { "echo-request", "icmp/3/4", "icmpv6/133-137",
					    "icmp/0-7",	    "redirect", "icmp/5/1-200" };
	static const char *const flags[] = { "syn", "syn/syn+ack", "none/rst", "fin+psh+urg", "ece/ece+cwr" };
	static const char *const frag[] = { "any", "first", "later", "none" };
	unsigned int len = rnd(33), v;

	switch (key) {
	case 0:
		v = len ? ((unsigned int)rand_r(&seed) * 2U + rnd(2)) & (UINT32_MAX << (32 - len)) : 0;
		fprintf(f, "%u.%u.%u.%u/%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255, len);
		break;
	case 1: fprintf(f, "\"2001:db8:%x::/%u\"", rnd(65536), 48 + rnd(81)); break;
	case 2:
		v = rnd(65536);
		fprintf(f, rnd(2) ? "%u" : "%u-", v);
		break;
	case 3: fprintf(f, "%u", rnd(256)); break;
	case 4: fprintf(f, "%u", rnd(64)); break;
	case 5: fprintf(f, "%s", icmp[rnd(6)]); break;
	case 6: fprintf(f, "%s", flags[rnd(5)]); break;
	case 7: fprintf(f, "%s", frag[rnd(4)]); break;
	case 8:
		v = rnd(65536);
		fprintf(f, "0x%x/0x%x", v & rnd(65536), v ? v : 1);
		break;
	case 9:
		if (rnd(8))
			fprintf(f, "%u", rnd(4095));
		else
			fprintf(f, "none");
		break;
	case 10: fprintf(f, "02:00:00:00:00:%02x", rnd(8)); break;
	default: fprintf(f, "%s", rnd(2) ? "office" : "lab");
	}
}

/* `relative` chooses the family of address and port keys. */
static void random_keys(FILE *f, bool relative, unsigned int chance)
{
	static const struct {
		const char *name[2];
		unsigned int value;
	} keys[] = {
		{ { "src", "remote" }, 0 },	  { { "dst", "local" }, 11 },  { { "sport", "port" }, 2 },
		{ { "dport", "local-port" }, 2 }, { { "proto", "proto" }, 3 }, { { "dscp", "dscp" }, 4 },
		{ { "icmp", "icmp" }, 5 },	  { { "flags", "flags" }, 6 }, { { "frag", "frag" }, 7 },
		{ { "mark", "mark" }, 8 },	  { { "vlan", "vlan" }, 9 },   { { "mac", "mac" }, 10 },
		{ { "length", "length" }, 2 },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		unsigned int n = 1 + rnd(3);

		if (rnd(100) >= chance)
			continue;
		fprintf(f, "%s: [", keys[i].name[relative]);
		for (unsigned int k = 0; k < n; k++) {
			if (k)
				fprintf(f, ", ");
			random_value(f, keys[i].value);
		}
		fprintf(f, "], ");
	}
}

static void test_random(void)
{
	unsigned int accepted = 0;

	test_case("random rules");
	for (int i = 0; i < 4000; i++) {
		struct tcctl_diags *d = diags_new();
		struct spec *spec = NULL;
		bool relative = rnd(2);
		char *text;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		fprintf(f,
			"tcctl: 1\nsets: { office: { items: [192.0.2.0/24] }, lab: { items: [] } }\nrules: { r: [ { ");
		random_keys(f, relative, 25);
		if (rnd(2)) {
			fprintf(f, "not: { dscp: 63, ");
			random_keys(f, relative, 15);
			fprintf(f, "}, ");
		}
		fprintf(f, "class: keep } ] }\n");
		fclose(f);
		/* Contradictions are refused, which is fine here. */
		if (!spec_parse(text, len, "x.yaml", NULL, d, &spec)) {
			accepted++;
			free(round_trip(spec));
		}
		spec_free(spec);
		diags_free(d);
		free(text);
	}
	if (accepted < 1000)
		test_fail("only %u of 4000 were accepted", accepted);
}

static void test_large(void)
{
	struct spec *spec;
	char *text;
	size_t len;
	FILE *f;

	test_case("100000 rules, 1000000 addresses");
	f = open_memstream(&text, &len);
	fprintf(f, "tcctl: 1\nsets:\n  s:\n    items:\n");
	for (unsigned int i = 0; i < 1000000; i++)
		fprintf(f, "      - %u.%u.%u.0/24\n", 1 + i % 200, i / 200 % 250, i / 50000);
	fprintf(f, "rules:\n  r:\n");
	for (unsigned int i = 0; i < 100000; i++)
		fprintf(f,
			"    - { remote: s, local: 10.%u.%u.%u, proto: udp, port: [%u, 80-90], class: keep }\n",
			i >> 16, i >> 8 & 255, i & 255, 100 + i % 60000);
	fclose(f);
	spec = parse(text);
	free(text);
	if (!spec)
		return;
	test_eq(spec->sets[0].n_items, 1000000);
	test_eq(spec->rulesets[0].n_rules, 100000);
	free(round_trip(spec));
	spec_free(spec);
}

int main(void)
{
	test_files("config/good-*.yaml", false);
	test_files("../../examples/*.yaml", true);
	test_man_page();
	test_exact();
	test_strings();
	test_random();
	test_large();
	return test_done();
}
