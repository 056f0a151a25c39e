// SPDX-License-Identifier: GPL-2.0-only
/* Which tunnels a pipeline gets from a configuration, what its programs need for them, and which changes are data alone. */
#include <errno.h>
#include <net/if_arp.h>

#include "tcctl/abi.h"
#include "wanted.h"

static struct nl_link devices[] = {
	{ .ifindex = 2, .name = "wan0", .type = ARPHRD_ETHER, .mac_len = 6 },
	{ .ifindex = 3, .name = "lan0", .type = ARPHRD_ETHER, .mac_len = 6 },
	{ .ifindex = 4, .name = "vx0", .type = ARPHRD_ETHER, .mac_len = 6 },
	{ .ifindex = 5, .name = "vx1", .type = ARPHRD_ETHER, .mac_len = 6 },
};
static const struct nl_links links = { devices, sizeof(devices) / sizeof(devices[0]) };

#define SITE "  site: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 42 }\n"
#define VENDOR "  vendor: { type: gre, local: 192.0.2.1, remote: 192.0.2.9, key: 7 }\n"

#define SITE_VX0 "  site: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 42, device: vx0 }\n"
#define VENDOR_VX1 "  vendor: { type: gre, local: 192.0.2.1, remote: 192.0.2.9, key: 7, device: vx1 }\n"

static struct tunnel_resolved resolved[8];

static int make(const char *tunnels, const char *interfaces)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "tcctl: 1\n"
		 "tunnels:\n%s"
		 "classes:\n"
		 "  voice: { dscp: EF, tunnel: vendor }\n"
		 "  bulk: { dscp: CS1 }\n"
		 "rules:\n"
		 "  wan: [ { proto: udp, class: voice } ]\n"
		 "  plain: [ { proto: udp, class: bulk } ]\n"
		 "interfaces:\n%s",
		 tunnels, interfaces);
	return wanted_make(text, &links, resolved);
}

static const struct model_pipeline *at(const char *device, enum spec_dir dir)
{
	static const struct model_pipeline none = { .order = (char *)"(no hook)" };

	for (size_t i = 0; i < m.n_hooks; i++)
		if (!strcmp(m.hooks[i].device, device) && m.hooks[i].dir == dir)
			return &m.pipelines[m.hooks[i].pipeline];
	return &none;
}

struct digests {
	uint64_t code, data, rules;
};

static struct digests digests(const char *device, enum spec_dir dir)
{
	const struct model_pipeline *p = at(device, dir);

	return (struct digests){ p->code_digest, p->data_digest, p->rules_digest };
}

static void test_which(void)
{
	test_case("decap and encap of one interface are two pipelines");
	test_eq(make(SITE VENDOR, "  wan0: { decap: [site, vendor], encap: site }\n"), 0);
	test_eq(m.n_pipelines, 2);
	test_streq(at("wan0", SPEC_INGRESS)->order, "decap(site, vendor) → end");
	test_streq(at("wan0", SPEC_EGRESS)->order, "encap(site) → end");
	test_eq(at("wan0", SPEC_INGRESS)->n_tunnels, 2);
	test_eq(at("wan0", SPEC_EGRESS)->n_tunnels, 1);

	test_case("programs: by type, and nothing for what is not there");
	test_eq(at("wan0", SPEC_INGRESS)->needs.decap, 1U << TCCTL_T_VXLAN | 1U << TCCTL_T_GRE);
	test_eq(at("wan0", SPEC_INGRESS)->needs.encap, 0);
	test_eq(at("wan0", SPEC_INGRESS)->needs.n_ports, 1);
	test_eq(at("wan0", SPEC_INGRESS)->needs.ports[0].port, 4789);
	test_eq(at("wan0", SPEC_INGRESS)->needs.flags, PIPELINE_TUNNELS_INNER_ETH);
	test_eq(at("wan0", SPEC_EGRESS)->needs.encap, 1U << TCCTL_T_VXLAN);
	test_eq(at("wan0", SPEC_EGRESS)->needs.flags, 0);

	test_case("the direction that has nothing to do gets no hook");
	test_eq(make(SITE VENDOR, "  wan0: { decap: site }\n"), 0);
	test_eq(m.n_hooks, 1);

	test_case("a class's tunnel is one of the direction that is the way out");
	test_eq(make(SITE VENDOR, "  wan0: { rules: wan }\n"), 0);
	test_streq(at("wan0", SPEC_EGRESS)->order, "classify(wan: 1 rule) → mark → encap(vendor) → end");
	test_streq(at("wan0", SPEC_INGRESS)->order, "classify(wan: 1 rule) → mark → end");

	test_case("routes are counted");
	test_eq(make(SITE VENDOR, "  wan0: { encap: [ { dst: [10.1.0.0/16, 10.2.0.0/16], tunnel: site }, { dst: 10.1.1.0/24, tunnel: keep } ] }\n"),
		0);
	test_streq(at("wan0", SPEC_EGRESS)->order, "encap(site; 3 routes) → end");

	test_case("observed only: no tunnels");
	test_eq(make(SITE VENDOR, "  wan0: { rules: plain, mode: observe, decap: site, encap: site }\n"), 0);
	test_eq(at("wan0", SPEC_INGRESS)->n_tunnels, 0);
	test_eq(at("wan0", SPEC_EGRESS)->needs.encap, 0);

	test_case("what comes in and goes into a tunnel is forwarded: a pipeline of its own");
	test_eq(make(SITE VENDOR, "  wan0: { egress: { encap: vendor } }\n  lan0: { ingress: { encap: vendor } }\n"), 0);
	test_eq(m.n_pipelines, 2);
	test_eq(at("lan0", SPEC_INGRESS)->tunnel_flags, TCCTL_TF_TERMINATES);
}

/* What runs on the device of the tunnel `site`, with these keys of an interface's (NULL: none). */
static void on_vx0(const char *keys, const char *egress, const char *ingress)
{
	char interfaces[128];

	snprintf(interfaces, sizeof(interfaces), "  wan0: { decap: site }\n%s%s%s", keys ? "  vx0: { " : "", keys ? keys : "",
		 keys ? " }\n" : "");
	test_eq(make(SITE_VX0 VENDOR, interfaces), 0);
	test_streq(at("vx0", SPEC_EGRESS)->order, egress);
	test_streq(at("vx0", SPEC_INGRESS)->order, ingress);
}

static void test_devices(void)
{
	test_case("what leaves a tunnel's device goes into the tunnel");
	on_vx0(NULL, "encap(site) → end", "(no hook)");

	test_case("beside rules that the interface has");
	on_vx0("rules: plain", "classify(plain: 1 rule) → mark → encap(site) → end", "classify(plain: 1 rule) → mark → end");

	test_case("unless it says where packets go");
	on_vx0("encap: vendor", "encap(vendor) → end", "(no hook)");

	test_case("devices share a pipeline");
	test_eq(make(SITE_VX0 VENDOR_VX1, "  wan0: { decap: [site, vendor] }\n"), 0);
	test_eq(m.n_hooks, 3);
	test_eq(m.n_pipelines, 2);
	test_ok(at("vx0", SPEC_EGRESS) == at("vx1", SPEC_EGRESS));
	test_streq(at("vx0", SPEC_EGRESS)->order, "encap(by device) → end");
	test_eq(at("vx0", SPEC_EGRESS)->n_tunnels, 2);

	test_case("those with the same rules do, too");
	test_eq(make(SITE_VX0 VENDOR_VX1, "  wan0: { decap: [site, vendor] }\n  vx*: { rules: plain }\n"), 0);
	test_eq(m.n_pipelines, 3);
	test_ok(at("vx0", SPEC_EGRESS) == at("vx1", SPEC_EGRESS));
	test_streq(at("vx1", SPEC_EGRESS)->order, "classify(plain: 1 rule) → mark → encap(by device) → end");

	test_case("one that is told otherwise does not");
	test_eq(make(SITE_VX0 VENDOR_VX1, "  wan0: { decap: [site, vendor] }\n  vx1: { encap: site }\n"), 0);
	test_streq(at("vx0", SPEC_EGRESS)->order, "encap(site) → end");
	test_streq(at("vx1", SPEC_EGRESS)->order, "encap(site) → end");
	test_ok(at("vx0", SPEC_EGRESS) != at("vx1", SPEC_EGRESS));

	test_case("one that only arrives takes nothing");
	test_eq(make("  site: { type: vxlan, vni: 42, device: vx0 }\n" VENDOR, "  wan0: { decap: site }\n"), 0);
	test_eq(m.n_hooks, 1);

	test_case("two tunnels of one device: an error at the second one's line");
	test_eq(make("  site: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 42, device: vx0 }\n"
		     "  vendor: { type: gre, local: 192.0.2.1, remote: 192.0.2.9, inner: eth, device: vx0 }\n",
		     "  wan0: { decap: [site, vendor] }\n"),
		-EINVAL);
	test_eq(diags->items[0].loc.line, 4);
}

/* What leaves there needs the same programs as before, and has other tables. */
static struct digests only_data(const char *device, struct digests was)
{
	struct digests is = digests(device, SPEC_EGRESS);

	test_eq(is.code, was.code);
	test_ok(is.data != was.data);
	return is;
}

static void test_digests(void)
{
	struct digests was, is;

	test_case("a tunnel's parameters are data");
	make(SITE VENDOR, "  wan0: { rules: plain, decap: site, encap: site }\n");
	was = digests("wan0", SPEC_EGRESS);
	make("  site: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.3, vni: 43, ttl: 9 }\n" VENDOR,
	     "  wan0: { rules: plain, decap: site, encap: site }\n");
	is = only_data("wan0", was);
	test_eq(is.rules, was.rules);

	test_case("so is what was found out about them");
	resolved[0].mtu = 1400;
	make(SITE VENDOR, "  wan0: { rules: plain, decap: site, encap: site }\n");
	only_data("wan0", was);
	resolved[0].mtu = 0;

	test_case("so is the device that is to be told by");
	make(SITE_VX0 VENDOR_VX1, "  wan0: { decap: [site, vendor] }\n");
	was = digests("vx0", SPEC_EGRESS);
	resolved[1].device = 9;
	make(SITE_VX0 VENDOR_VX1, "  wan0: { decap: [site, vendor] }\n");
	only_data("vx0", was);
	resolved[1].device = 0;
	make(SITE VENDOR, "  wan0: { rules: plain, decap: site, encap: site }\n");
	was = digests("wan0", SPEC_EGRESS);

	test_case("so are a route and another tunnel of the same type");
	make(SITE VENDOR, "  wan0: { rules: plain, decap: site, encap: [ site, { dst: 10.0.0.0/8, tunnel: keep } ] }\n");
	only_data("wan0", was);
	make(SITE "  two: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.4, vni: 4 }\n" VENDOR,
	     "  wan0: { rules: plain, decap: site, encap: [ site, { dst: 10.0.0.0/8, tunnel: two } ] }\n");
	is = digests("wan0", SPEC_EGRESS);
	test_eq(is.code, was.code);

	test_case("another type needs other programs");
	make(SITE VENDOR, "  wan0: { rules: plain, decap: site, encap: vendor }\n");
	is = digests("wan0", SPEC_EGRESS);
	test_ok(is.code != was.code);

	test_case("so does another port");
	make(SITE VENDOR, "  wan0: { decap: site }\n");
	was = digests("wan0", SPEC_INGRESS);
	make("  site: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 42, port: 8472 }\n" VENDOR, "  wan0: { decap: site }\n");
	is = digests("wan0", SPEC_INGRESS);
	test_ok(is.code != was.code);

	test_case("a class's tunnel is in the compiled rules");
	make(SITE VENDOR, "  wan0: { rules: wan }\n");
	was = digests("wan0", SPEC_EGRESS);
	is = digests("wan0", SPEC_INGRESS);
	test_ok(is.rules != was.rules);
}

int main(void)
{
	test_which();
	test_devices();
	test_digests();
	wanted_done();
	return test_done();
}
