/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every C test uses. A test is a program that prints one line per case and returns test_done():
 *
 *   ok - NAME                what was expected
 *   not ok - NAME: WHY       what was not
 *   skip - NAME: WHAT IS MISSING
 *
 * qdisc-tests/run counts these lines. A program that dies, or prints none, counts as a failure.
 */
#ifndef QDISC_TESTS_TEST_H
#define QDISC_TESTS_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned int test_failed;
static unsigned int test_checks __attribute__((unused)); /* a test may do nothing but skip */
static const char *test_name = "?";
static bool test_case_failed;

/* End the running case, if any. */
static inline void test_end(void)
{
	if (test_name[0] == '?')
		return;
	if (!test_case_failed)
		printf("ok - %s\n", test_name);
	fflush(stdout);
	test_name = "?";
}

/* Begin a case; the one before ends. */
static inline void test_case(const char *name)
{
	test_end();
	test_name = name;
	test_case_failed = false;
}

#define test_fail(fmt, ...)                                                                         \
	do {                                                                                        \
		if (!test_case_failed)                                                              \
			printf("not ok - %s: %s:%d: " fmt "\n", test_name, __FILE__, __LINE__,      \
			       ##__VA_ARGS__);                                                      \
		else                                                                                \
			printf("#   also %s:%d: " fmt "\n", __FILE__, __LINE__, ##__VA_ARGS__);     \
		test_case_failed = true;                                                            \
		test_failed++;                                                                      \
	} while (0)

#define test_ok(cond)                                      \
	({                                                 \
		bool _ok = (cond);                         \
		test_checks++;                             \
		if (!_ok)                                  \
			test_fail("%s is false", #cond);   \
		_ok;                                       \
	})

#define test_eq(got, want)                                                                     \
	({                                                                                     \
		long long _g = (long long)(got), _w = (long long)(want);                       \
		test_checks++;                                                                 \
		if (_g != _w)                                                                  \
			test_fail("%s is %lld (0x%llx), expected %lld (0x%llx)", #got, _g, _g, _w, _w); \
		_g == _w;                                                                      \
	})

#define test_streq(got, want)                                                         \
	({                                                                            \
		const char *_g = (got), *_w = (want);                                 \
		bool _same = _g && _w && !strcmp(_g, _w);                             \
		test_checks++;                                                        \
		if (!_same)                                                           \
			test_fail("%s is \"%s\", expected \"%s\"", #got, _g ? _g : "(null)", _w); \
		_same;                                                                \
	})

#define test_skip(fmt, ...)                                             \
	do {                                                            \
		printf("skip - %s: " fmt "\n", test_name, ##__VA_ARGS__); \
		test_name = "?";                                        \
	} while (0)

static inline int test_done(void)
{
	test_end();
	return test_failed ? 1 : 0;
}

#endif
