// SPDX-License-Identifier: GPL-2.0-only
/* From a configuration and a list of devices to hooks and pipelines. */
#include <errno.h>
#include <net/if_arp.h>

#include "tcctl/abi.h"
#include "wanted.h"

static struct nl_link devices[] = {
	{ .ifindex = 1, .name = "lo", .type = ARPHRD_LOOPBACK },
	{ .ifindex = 2, .name = "eth0", .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 1 }, .mac_len = 6 },
	{ .ifindex = 3, .name = "eth1", .type = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 2 }, .mac_len = 6 },
	{ .ifindex = 4, .name = "eth0.100", .type = ARPHRD_ETHER, .kind = "vlan", .mac = { 2, 0, 0, 0, 0, 1 },
	  .mac_len = 6 },
	{ .ifindex = 5, .name = "ppp0", .type = ARPHRD_PPP },
};
static const struct nl_links links = { devices, sizeof(devices) / sizeof(devices[0]) };

static int make(const char *interfaces)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "tcctl: 1\n"
		 "classes:\n"
		 "  voice: { dscp: EF }\n"
		 "rules:\n"
		 "  wan:\n"
		 "    - { proto: udp, port: 5060, class: voice }\n"
		 "  lan:\n"
		 "    - { proto: udp, port: 5060, class: voice }\n"
		 "    - { class: keep }\n"
		 "interfaces:\n%s",
		 interfaces);
	return wanted_make(text, &links, NULL);
}

static const struct model_hook *hook(const char *device, enum spec_dir dir)
{
	for (size_t i = 0; i < m.n_hooks; i++)
		if (!strcmp(m.hooks[i].device, device) && m.hooks[i].dir == dir)
			return &m.hooks[i];
	test_fail("no hook on %s", device);
	return &m.hooks[0];
}

static bool says(const char *text)
{
	for (size_t i = 0; i < diags->n; i++)
		if (strstr(diags->items[i].message, text) || (diags->items[i].hint && strstr(diags->items[i].hint, text)))
			return true;
	return false;
}

int main(void)
{
	uint64_t digest;

	test_case("one interface: two hooks, one pipeline");
	test_eq(make("  eth0: { rules: wan }\n"), 0);
	test_eq(m.n_hooks, 2);
	test_eq(m.n_pipelines, 1);
	test_streq(m.pipelines[0].order, "classify(wan: 1 rule) → mark → end");
	test_eq(hook("eth0", SPEC_INGRESS)->ifindex, 2);

	test_case("side: on wan the source is local at egress, on lan at ingress");
	test_eq(hook("eth0", SPEC_INGRESS)->hook_id, 0);
	test_eq(hook("eth0", SPEC_EGRESS)->hook_id, TCCTL_HOOK_EGRESS | TCCTL_HOOK_SRC_LOCAL);
	test_eq(make("  eth0: { rules: wan, side: lan }\n"), 0);
	test_eq(hook("eth0", SPEC_INGRESS)->hook_id, TCCTL_HOOK_SRC_LOCAL);
	test_eq(hook("eth0", SPEC_EGRESS)->hook_id, TCCTL_HOOK_EGRESS);

	test_case("interfaces with equal content share a pipeline, others do not");
	test_eq(make("  eth0: { rules: wan }\n  eth1: { rules: wan, side: lan }\n"), 0);
	test_eq(m.n_pipelines, 1);
	test_eq(m.n_hooks, 4);
	test_eq(make("  eth0: { rules: wan }\n  eth1: { rules: lan }\n"), 0);
	test_eq(m.n_pipelines, 2);
	test_eq(make("  eth0: { rules: wan }\n  eth1: { rules: wan, mode: observe }\n"), 0);
	test_eq(m.n_pipelines, 2);
	test_ok(m.pipelines[0].code_digest != m.pipelines[1].code_digest);
	test_eq(m.pipelines[0].data_digest, m.pipelines[1].data_digest);

	test_case("a device without an L2 header has a pipeline of its own");
	test_eq(make("  eth0: { rules: wan }\n  ppp0: { rules: wan }\n"), 0);
	test_eq(m.n_pipelines, 2);
	test_eq(m.pipelines[hook("ppp0", SPEC_INGRESS)->pipeline].link, MODEL_LINK_RAW);
	test_eq(m.pipelines[hook("eth0", SPEC_INGRESS)->pipeline].link, MODEL_LINK_ETHER);

	test_case("a glob matches devices, never loopback, and an exact key beats it");
	test_eq(make("  '*': { rules: lan }\n  eth0: { rules: wan }\n"), 0);
	test_eq(m.n_hooks, 8);
	test_streq(m.pipelines[hook("eth0", SPEC_INGRESS)->pipeline].ruleset_name, "wan");
	test_streq(m.pipelines[hook("eth1", SPEC_INGRESS)->pipeline].ruleset_name, "lan");

	test_case("two globs on one device: an error with both lines");
	test_eq(make("  'eth*': { rules: wan }\n  '*1': { rules: lan }\n"), -EINVAL);
	test_ok(says("'eth1' is matched by '*1' and by 'eth*' (t.yaml:11)"));
	test_eq(diags->items[0].loc.line, 12);

	test_case("a missing device: an error at its line, with a near name");
	test_eq(make("  eth7: { rules: wan }\n"), -ENODEV);
	test_eq(diags->items[0].loc.line, 11);
	test_ok(says("did you mean 'eth"));
	test_case("all missing devices at once");
	test_eq(make("  eth7: { rules: wan }\n  eth8: { rules: wan }\n"), -ENODEV);
	test_eq(diags->n_errors, 2);
	test_case("optional ones may be missing, globs too");
	test_eq(make("  eth7: { rules: wan, optional: true }\n  'wg*': { rules: wan, optional: true }\n"), 0);
	test_eq(m.n_hooks, 0);
	test_case("a glob that matches nothing is missing");
	test_eq(make("  'wg*': { rules: wan }\n"), -ENODEV);

	test_case("by MAC address: the hardware, not the VLAN above it");
	test_eq(make("  uplink: { match: { mac: '02:00:00:00:00:01' }, rules: wan }\n"), 0);
	test_eq(hook("eth0", SPEC_INGRESS)->ifindex, 2);
	test_case("a device named twice");
	test_eq(make("  eth0: { rules: wan }\n  uplink: { match: { mac: '02:00:00:00:00:01' }, rules: lan }\n"), -EINVAL);

	test_case("where rules stand in the file does not matter, what they say does");
	test_eq(make("  eth0: { rules: wan }\n"), 0);
	digest = m.pipelines[0].data_digest;
	test_eq(make("\n\n  # moved\n  eth0: { rules: wan }\n"), 0);
	test_eq(m.pipelines[0].data_digest, digest);
	test_eq(make("  eth0: { rules: lan }\n"), 0);
	test_ok(m.pipelines[0].data_digest != digest);

	wanted_done();
	return test_done();
}
