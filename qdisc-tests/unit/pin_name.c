// SPDX-License-Identifier: GPL-2.0-only
/* Names of owners as names of pins: bpffs refuses dots, and no two names may meet. */
#include "pin.h"
#include "test.h"

static const char *const names[] = {
	"default", "eth0.100", "a/b", "..", ".", "%", "%2E", "a%2Eb", "a.b", "ü", "a b", "~state", "A-Z_0-9", "\x01",
};

int main(void)
{
	char *escaped[sizeof(names) / sizeof(names[0])], long_name[300];

	test_case("escaping is a round trip into harmless characters");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *back;

		escaped[i] = pin_escape(names[i]);
		if (!test_ok(escaped[i] != NULL))
			continue;
		test_ok(!strpbrk(escaped[i], "./~ "));
		back = pin_unescape(escaped[i]);
		test_streq(back, names[i]);
		free(back);
	}
	test_case("no two names meet");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t j = 0; j < i; j++)
			test_ok(strcmp(escaped[i], escaped[j]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		free(escaped[i]);

	test_case("what escaping does not make is not read");
	test_ok(!pin_unescape("a.b"));
	test_ok(!pin_unescape("%2e"));
	test_ok(!pin_unescape("%41"));
	test_ok(!pin_unescape("%"));
	test_ok(!pin_unescape("%0"));
	test_ok(!pin_unescape("%00"));
	test_ok(!pin_unescape(""));
	test_ok(!pin_unescape("~state"));

	test_case("names that would be too long, and the empty one, are refused");
	memset(long_name, '.', sizeof(long_name));
	long_name[86] = 0;
	test_ok(!pin_escape(long_name));
	test_ok(!pin_escape(""));
	return test_done();
}
