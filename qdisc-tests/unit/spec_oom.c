// SPDX-License-Identifier: GPL-2.0-only
/*
 * Out of memory at each allocation in turn: reading, checking and writing a configuration fails with -ENOMEM,
 * or does as if nothing had happened; it never crashes, and what was allocated is freed.
 */
#include <errno.h>

#include "../lib/test.h"
#include "spec.h"

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
int main(void)
{
	test_case("out of memory");
	test_skip("an allocator that can be replaced (this build has the sanitizer's)");
	return test_done();
}
#else
/* Not hidden, whatever the flags of the build say: libyaml and the C library must allocate here, too. */
#pragma GCC visibility push(default)
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void *realloc(void *old, size_t size);
void free(void *p);
#pragma GCC visibility pop

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static long fail_at, count, live;
static bool on;

static bool fails(void)
{
	if (!on || ++count != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	void *p = fails() ? NULL : __libc_malloc(size);

	live += on && p;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p = fails() ? NULL : __libc_calloc(n, size);

	live += on && p;
	return p;
}

void *realloc(void *old, size_t size)
{
	void *p;

	if (fails())
		return NULL;
	p = __libc_realloc(old, size);
	live += on && p && !old;
	return p;
}

void free(void *p)
{
	live -= on && p;
	__libc_free(p);
}

/* Everything that is done with a configuration. *ret_same: what was written means the same. */
static int work(const char *path, bool *ret_same)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL, *again = NULL;
	char *text = NULL;
	size_t len;
	int r;

	if (!d)
		return -ENOMEM;
	*ret_same = true;
	r = spec_load(&path, 1, NULL, d, &spec);
	if (!r)
		r = spec_check(spec, d);
	if (!r)
		r = spec_emit(spec, &text, &len);
	if (!r)
		r = spec_parse(text, len, "emitted.yaml", NULL, d, &again);
	if (!r)
		*ret_same = spec_equal(spec, again);
	for (size_t i = 0; i < d->n; i++)
		free(diag_format(&d->items[i]));
	free(text);
	spec_free(again);
	spec_free(spec);
	diags_free(d);
	return r;
}

static void sweep(const char *name)
{
	char path[300];
	bool same = false;
	int want, r;

	test_case(name);
	snprintf(path, sizeof(path), "%.*s/config/%s", (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__,
		 name);
	fail_at = 0;
	want = work(path, &same);
	test_ok(same);
	for (fail_at = 1;; fail_at++) {
		count = live = 0;
		on = true;
		r = work(path, &same);
		on = false;
		if (live)
			test_fail("allocation %ld failed: %ld are not freed", fail_at, live);
		if (r != want && r != -ENOMEM)
			test_fail("allocation %ld failed: returned %d", fail_at, r);
		if (!same)
			test_fail("allocation %ld failed: the result is another", fail_at);
		if (count < fail_at)
			break;
	}
	if (fail_at < 50)
		test_fail("only %ld allocations", fail_at);
}

int main(void)
{
	sweep("good-all.yaml");
	sweep("good-alias.yaml");
	sweep("good-tunnels.yaml");
	sweep("bad-classes.yaml");
	sweep("bad-rules.yaml");
	sweep("bad-sets.yaml");
	sweep("bad-yaml-twice.yaml");
	return test_done();
}
#endif
