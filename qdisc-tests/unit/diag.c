// SPDX-License-Identifier: GPL-2.0-only
/* Diagnostics: order, limits, suggestions, and text that cannot steer a terminal. */
#include "../lib/test.h"
#include "diag.h"

static void test_format(void)
{
	struct tcctl_diags *d = diags_new();
	struct loc loc = { .file = "a.yaml", .line = 3, .col = 7 };
	char *text;

	test_case("format");
	text = diag_format(diag_hint(diag_error(d, &loc, "found %d", 5), "write %s", "six"));
	test_streq(text, "a.yaml:3:7: error: found 5 (write six)");
	free(text);
	text = diag_format(diag_errno(
		diag_object(diag_device(diag_warning(d, NULL, "cannot attach"), "eth0 ingress"), "clsact"),
		-2));
	test_streq(text, "warning: eth0 ingress: clsact: cannot attach: No such file or directory");
	free(text);
	loc.line = loc.col = 0;
	text = diag_format(diag_add(d, DIAG_NOTE, &loc, "unreadable"));
	test_streq(text, "a.yaml: note: unreadable");
	free(text);
	test_eq(d->n_errors, 1);
	test_eq(d->n, 3);
	diags_free(d);
}

static void test_terminal(void)
{
	struct tcctl_diags *d = diags_new();

	test_case("control characters are not passed on");
	test_streq(diag_error(d, NULL,
			      "a\x1b[31m\nb\x7f"
			      "c\xc2\x9b"
			      "d\xc3\xa4")
			   ->message,
		   "a?[31m b?c??d\xc3\xa4");
	test_streq(diag_hint(&d->items[0], "x\ty\x01")->hint, "x y?");
	diags_free(d);
}

static void test_file_names(void)
{
	struct tcctl_diags *d = diags_new();
	char name[] = "a.yaml";
	struct loc loc = { .file = name, .line = 1, .col = 1 };

	test_case("a place outlives the name it was given with");
	diag_error(d, &loc, "x");
	name[0] = 'b';
	test_streq(d->items[0].loc.file, "a.yaml");
	test_ok(diags_file(d, "a.yaml") == d->items[0].loc.file);
	diags_free(d);
}

static void test_sort(void)
{
	struct tcctl_diags *d = diags_new();
	struct loc a = { .file = "z.yaml", .line = 9, .col = 1 },
		   b = { .file = "a.yaml", .line = 2, .col = 5 };

	test_case("sorted by place, files as they came");
	diags_file(d, "z.yaml");
	diag_error(d, &b, "4");
	diag_error(d, &a, "3");
	a.line = 2;
	diag_error(d, &a, "1");
	diag_error(d, &a, "2");
	diag_error(d, NULL, "0");
	diags_sort(d, 0);
	for (int i = 0; i < 5; i++)
		test_eq(d->items[i].message[0], '0' + i);
	test_case("what was there before stays where it is");
	b.line = 1;
	diag_error(d, &b, "5");
	diags_sort(d, 5);
	test_streq(d->items[5].message, "5");
	diags_free(d);
}

static void test_limit(void)
{
	struct tcctl_diags *d = diags_new();

	test_case("only so many are kept, all are counted");
	for (int i = 0; i < DIAGS_KEEP + 50; i++)
		diag_detail(diag_errno(diag_hint(diag_error(d, NULL, "%d", i), "hint"), 5), "detail");
	test_ok(diags_full(d, DIAG_ERROR));
	test_ok(!diags_full(d, DIAG_WARNING));
	test_eq(d->n, DIAGS_KEEP);
	test_eq(d->n_errors, DIAGS_KEEP + 50);
	test_eq(diags_lost(d, DIAG_ERROR), 50);
	diag_warning(d, NULL, "still room for warnings");
	test_eq(d->n, DIAGS_KEEP + 1);
	test_ok(!diag_none()->message);
	diags_free(d);
}

static void test_nearest(void)
{
	static const char *const words[] = { "dscp", "dscp-if-unset", "mark", "classid", "EF" };
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "dspc", "dscp" },
		{ "DSCP", "dscp" },
		{ "dscp_if_unset", "dscp-if-unset" },
		{ "clasid", "classid" },
		{ "classes", "classid" },
		{ "marks", "mark" },
		{ "EFF", "EF" },
		/* too far */
		{ "bark-ing", NULL },
		{ "mode", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "dscp-unless", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = diag_nearest(cases[i].word, words, 5);

		test_case(cases[i].word[0] ? cases[i].word : "(empty)");
		if (cases[i].want)
			test_streq(got, cases[i].want);
		else
			test_ok(!got);
	}
}

int main(void)
{
	test_format();
	test_terminal();
	test_file_names();
	test_sort();
	test_limit();
	test_nearest();
	return test_done();
}
