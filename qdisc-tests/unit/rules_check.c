/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules that never match, and the identities that counters are kept by. */
#include "diag.h"
#include "rules.h"
#include "test.h"

static struct spec_class classes[] = { { .name = (char *)"keep" }, { .name = (char *)"drop" }, { .name = (char *)"a" } };
static struct spec_rule rules[4];
static struct spec_ruleset set = { .name = (char *)"hand", .rules = rules };
static struct spec spec = { .classes = classes, .n_classes = 3, .rulesets = &set, .n_rulesets = 1 };

static void begin(const char *name, size_t n)
{
	test_case(name);
	memset(rules, 0, sizeof(rules));
	set.n_rules = n;
	for (unsigned int i = 0; i < 4; i++) {
		rules[i].class = 2;
		rules[i].loc = (struct loc){ "hand", 10 * (i + 1), 1 };
	}
}

static void range(struct spec_ranges *r, struct spec_range *v)
{
	*r = (struct spec_ranges){ .set = true, .items = v, .n = 1 };
}

/* Exactly one warning, at `line`, whose text has `text`; line 0: none. */
static void expect(unsigned int line, const char *text)
{
	struct tcctl_diags *d = diags_new();

	test_eq(rules_check(&spec, &set, d), 0);
	test_eq(d->n, line ? 1 : 0);
	if (line && d->n == 1) {
		test_eq(d->items[0].loc.line, line);
		if (!strstr(d->items[0].message, text))
			test_fail("\"%s\" does not say \"%s\"", d->items[0].message, text);
	}
	diags_free(d);
}

int main(void)
{
	struct spec_range low = { 0, 1023 }, high = { 1024, 65535 }, most = { 1024, 65534 }, web = { 443, 443 };
	struct spec_range tcp = { 6, 6 }, udp = { 17, 17 }, gre = { 47, 47 };
	struct spec_prefix wide = { 4, 8, { 10 } }, inside = { 4, 24, { 10, 1, 2 } };
	struct spec_masked syn = { 2, 2 };
	uint64_t before[4], after[4];

	begin("a rule behind a wider one", 3);
	rules[0].addr[SPEC_SRC] = (struct spec_addrs){ .set = true, .prefixes = &wide, .n_prefixes = 1 };
	rules[1].addr[SPEC_SRC] = (struct spec_addrs){ .set = true, .prefixes = &inside, .n_prefixes = 1 };
	range(&rules[1].proto, &tcp);
	expect(20, "line 10");

	begin("a rule behind two that share its packets", 3);
	range(&rules[0].port[SPEC_DPORT], &low);
	range(&rules[1].port[SPEC_DPORT], &high);
	range(&rules[2].port[SPEC_SPORT], &web);
	expect(30, "lines 10 and 20");

	begin("one port is left", 3);
	range(&rules[0].port[SPEC_DPORT], &low);
	range(&rules[1].port[SPEC_DPORT], &most);
	range(&rules[2].port[SPEC_SPORT], &web);
	expect(0, NULL);

	begin("all ports are not all of TCP: fragments have none", 3);
	range(&rules[0].port[SPEC_DPORT], &low);
	range(&rules[1].port[SPEC_DPORT], &high);
	range(&rules[2].proto, &tcp);
	expect(0, NULL);

	begin("behind a catch-all", 2);
	range(&rules[1].proto, &udp);
	expect(20, "line 10");

	begin("keys that exclude each other", 1);
	range(&rules[0].proto, &gre);
	range(&rules[0].port[SPEC_DPORT], &web);
	expect(10, "all its keys at once");

	begin("TCP flags of UDP", 1);
	range(&rules[0].proto, &udp);
	rules[0].flags = (struct spec_maskeds){ .set = true, .items = &syn, .n = 1 };
	expect(10, "all its keys at once");

	begin("identities: equal rules differ, others stay when one is put before them", 2);
	range(&rules[0].proto, &tcp);
	range(&rules[1].proto, &udp);
	test_eq(rules_identities(&spec, &set, before), 0);
	test_ok(before[0] != before[1] && before[0] && before[1]);
	test_ok(before[1] == rules_identity(&spec, &set, 1));
	set.n_rules = 4;
	range(&rules[0].proto, &gre);
	range(&rules[1].proto, &tcp);
	range(&rules[2].proto, &udp);
	range(&rules[3].proto, &udp);
	test_eq(rules_identities(&spec, &set, after), 0);
	test_ok(after[1] == before[0] && after[2] == before[1] && after[3] != after[2]);
	rules[1].class = 0;
	test_ok(rules_identity(&spec, &set, 1) != before[0]);
	rules[1].name = (char *)"named";
	before[0] = rules_identity(&spec, &set, 1);
	range(&rules[1].proto, &gre);
	test_ok(rules_identity(&spec, &set, 1) == before[0]);
	return test_done();
}
