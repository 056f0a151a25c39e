// SPDX-License-Identifier: GPL-2.0-only
/* Warnings: each where it is due, and not next to it. */
#include "../lib/test.h"
#include "spec.h"

/* `want`: the warnings in order, one a line; "" for none. */
static void check(const char *name, const char *yaml, const char *want)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;
	size_t len, n;
	char *text, *line;
	FILE *f;

	test_case(name);
	if (test_eq(spec_parse(yaml, strlen(yaml), "x", NULL, d, &spec), 0))
		test_eq(spec_check(spec, d), 0);
	test_eq(d->n_errors, 0);
	f = open_memstream(&text, &len);
	for (size_t i = 0; i < d->n; i++) {
		line = diag_format(&d->items[i]);
		n = strcspn(line, "("); /* hints are for reading */
		fprintf(f, "%.*s\n", (int)(n && line[n - 1] == ' ' ? n - 1 : n), line);
		free(line);
	}
	fclose(f);
	test_streq(text, want);
	free(text);
	spec_free(spec);
	diags_free(d);
}

/* The hint of the first warning. */
static void check_hint(const char *name, const char *yaml, const char *want)
{
	struct tcctl_diags *d = diags_new();
	struct spec *spec = NULL;

	test_case(name);
	if (test_eq(spec_parse(yaml, strlen(yaml), "x", NULL, d, &spec), 0))
		test_eq(spec_check(spec, d), 0);
	if (test_eq(d->n > 0, true))
		test_streq(d->items[0].hint, want);
	spec_free(spec);
	diags_free(d);
}

#define HEAD "tcctl: 1\n"
#define ETH0 "interfaces: { eth0: { rules: r } }\n"

int main(void)
{
	check("nothing to say", HEAD "classes: { a: { dscp: EF, mark: 1 } }\nrules: { r: [ { port: 5, class: a } ] }\n" ETH0, "");
	check("unused",
	      HEAD "sets: { s: { items: [] }, t: { items: [] } }\nclasses: { a: {}, b: {} }\n"
		   "rules: { r: [ { src: s, class: a } ], q: [ { class: a } ] }\n" ETH0,
	      "x:2:27: warning: no rule names the set \"t\"\n"
	      "x:3:19: warning: no rule names the class \"b\"\n"
	      "x:4:39: warning: no interface names the rule set \"q\"\n");
	check("a set that only an exception uses is used",
	      HEAD "sets: { s: { items: [] } }\nrules: { r: [ { src: 10.0.0.0/8, not: { src: s }, class: keep } ] }\n" ETH0, "");
	check("no interfaces", HEAD "rules: { r: [ { class: keep } ] }\n",
	      "warning: there are no interfaces: nothing is attached anywhere\n");
	check("an interface without anything", HEAD "interfaces: { eth0: {} }\n",
	      "x:2:15: warning: interface \"eth0\" has neither rules nor programs nor tunnels: its packets are only counted\n");

	check("priority at ingress only",
	      HEAD "classes: { a: { priority: 6 }, b: { classid: \"1:10\" } }\n"
		   "rules: { r: [ { port: 5, class: a }, { port: 6, class: b } ] }\n"
		   "interfaces: { eth0: { rules: r, egress: none } }\n",
	      "x:2:12: warning: class \"a\": `priority` is written at ingress only, and IPv4 forwarding overwrites it\n"
	      "x:2:32: warning: class \"b\": `classid` is written at ingress only, and IPv4 forwarding overwrites it\n");
	check("priority at egress, too",
	      HEAD "classes: { a: { priority: 6 } }\nrules: { r: [ { port: 5, class: a } ] }\n"
		   "interfaces: { eth0: { rules: r, egress: none }, eth1: { rules: r, ingress: none } }\n", "");
	check("priority at ingress, observed only",
	      HEAD "classes: { a: { priority: 6 } }\nrules: { r: [ { port: 5, class: a } ] }\n"
		   "interfaces: { eth0: { rules: r, egress: none, mode: observe } }\n", "");
	check("queue, once",
	      HEAD "classes: { a: { queue: 1 }, b: { queue: 2 } }\n"
		   "rules: { r: [ { port: 5, class: a }, { port: 6, class: b } ] }\n" ETH0,
	      "x:2:12: warning: class \"a\": `queue` is overridden where the sending device has XPS configured\n");

	check("mark through a veth pair",
	      HEAD "classes: { a: { mark: 6 } }\nrules: { r: [ { port: 5, class: a } ] }\n"
		   "interfaces: { veth0: { rules: r }, \"veth*\": { rules: r, ingress: none }, veth1: { rules: r, egress: none } }\n",
	      "x:4:15: warning: interface \"veth0\": what class \"a\" writes to `mark` is cleared when the packet reaches the other end of "
	      "the veth pair\n"
	      "x:4:36: warning: interface \"veth*\": what class \"a\" writes to `mark` is cleared when the packet reaches the other end of "
	      "the veth pair\n");
	check("a class of the veth's own qdisc",
	      HEAD "classes: { a: { classid: \"1:2\", dscp: EF } }\nrules: { r: [ { port: 5, class: a } ] }\n"
		   "interfaces: { veth0: { rules: r } }\n", "");
	check("MAC addresses where there are none",
	      HEAD "rules: { r: [ { port: 1, class: keep }, { mac: \"02:00:00:00:00:01\", class: keep } ] }\n"
		   "interfaces: { wg0: { rules: r }, eth0: { rules: r }, \"ppp*\": { rules: r }, tap0: { rules: r } }\n",
	      "x:2:41: warning: packets of interface \"wg0\" have no MAC addresses: the rule never matches there\n"
	      "x:2:41: warning: packets of interface \"ppp*\" have no MAC addresses: the rule never matches there\n");

	check("drop the rest", HEAD "rules: { r: [ { port: 5, class: keep }, { class: drop } ] }\n" ETH0,
	      "x:2:41: warning: this rule drops all other IP packets, IPv6 neighbour discovery among them\n");
	check("drop the rest but for ICMPv6",
	      HEAD "rules: { r: [ { proto: icmpv6, class: keep }, { class: drop } ] }\n" ETH0, "");
	check("drop some", HEAD "rules: { r: [ { port: 25, class: drop }, { class: keep } ] }\n" ETH0, "");

	check("programs",
	      HEAD "programs: { p: { object: /nonexistent/p.o, program: main }, q: { object: /, program: main } }\n"
		   "interfaces: { eth0: { run: [ { program: p, at: arp } ] } }\n",
	      "x:2:13: warning: program \"p\": the object \"/nonexistent/p.o\" cannot be found: No such file or directory\n"
	      "x:2:61: warning: no `run` names the program \"q\"\n");

#define A "a: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 1 }"
	check("tunnels, used in every way",
	      HEAD "tunnels:\n  " A "\n  b: { type: vlan, tags: 5 }\n  c: { type: gre }\n  d: { type: vlan, tags: 6 }\n"
		   "classes: { k: { tunnel: d } }\nrules: { r: [ { port: 5, class: k } ] }\n"
		   "interfaces: { eth0: { rules: r, encap: [ a, { dst: 10.0.0.0/8, tunnel: b } ], decap: c } }\n", "");
	check("a tunnel that nothing names",
	      HEAD "tunnels: { " A ", b: { type: vlan, tags: 1 } }\ninterfaces: { eth0: { decap: b } }\n",
	      "x:2:12: warning: nothing names the tunnel \"a\"\n");
	check("tunnels that are only observed",
	      HEAD "tunnels: { " A " }\ninterfaces: { eth0: { encap: a, mode: observe }, eth1: { decap: a } }\n",
	      "x:3:15: warning: interface \"eth0\": with mode: observe no packet is taken out of a tunnel or put into one\n");
	check("a tunnel with a device needs no name",
	      HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, device: gre1 }\n"
		   "  b: { type: gre, remote: 192.0.2.2, device: gre1 }\n"
		   "  c: { type: vlan, tags: 1, device: v1 }\n  d: { type: vlan, tags: 2, device: v2, underlay: eth0 }\n"
		   "interfaces: { eth0: { rules: r } }\nrules: { r: [ { port: 5, class: keep } ] }\n",
	      "x:4:3: warning: nothing names the tunnel \"b\"\n"
	      "x:5:3: warning: nothing names the tunnel \"c\"\n");
	check("a tunnel's device that is the one it comes in by",
	      HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, device: eth0 }\n"
		   "  b: { type: gre, local: 192.0.2.1, remote: 192.0.2.3, device: gre1 }\n"
		   "  c: { type: vxlan, mode: metadata, device: vx0, vni: 5 }\n"
		   "interfaces: { eth0: { decap: [a, b] }, vx0: { decap: c }, eth1: { decap: a } }\n",
	      "x:3:3: warning: tunnel \"a\": its `device` eth0 is where its packets come in encapsulated\n");
	check("a class's tunnel where nothing leads out",
	      HEAD "tunnels: { " A " }\nclasses: { k: { tunnel: a } }\nrules: { r: [ { port: 5, class: k } ] }\n"
		   "interfaces: { eth0: { ingress: { rules: r } } }\n",
	      "x:3:12: warning: class \"k\": `tunnel` has no effect: no direction that leads out uses rules with this class\n");
	check("a class's tunnel at ingress of a lan",
	      HEAD "tunnels: { " A " }\nclasses: { k: { tunnel: a } }\nrules: { r: [ { port: 5, class: k } ] }\n"
		   "interfaces: { eth0: { ingress: { rules: r }, side: lan } }\n", "");
	check("small MTUs",
	      HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, mtu: 575 }\n"
		   "  b: { type: gre, local: 192.0.2.1, remote: 192.0.2.3, mtu: 1279 }\n"
		   "  c: { type: gre, local: 192.0.2.1, remote: 192.0.2.4, mtu: 1279, inner: ipv4 }\n"
		   "  d: { type: gre, local: 192.0.2.1, remote: 192.0.2.5, mtu: 1280 }\n"
		   "interfaces: { eth0: { decap: [a, b, c, d] } }\n",
	      "x:3:3: warning: tunnel \"a\": with an MTU of 575, packets of 576 bytes, which every host may send, do not fit\n"
	      "x:4:3: warning: tunnel \"b\": IPv6 needs an MTU of 1280, found 1279\n");
	check("tunnels in a tunnel",
	      HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, mtu: 1300, device: gre1 }\n"
		   "  b: { type: vxlan, local: 10.0.0.1, remote: 10.0.0.2, vni: 1, device: d1, underlay: gre1 }\n"
		   "  c: { type: ipip, local: 10.0.0.1, remote: 10.0.0.2, device: d2, underlay: gre1 }\n"
		   "  d: { type: ipip, local: 10.0.0.1, remote: 10.0.0.2, device: d3, underlay: gre1, mtu: 1281 }\n"
		   "  e: { type: ipip, local: 10.0.0.1, remote: 10.0.0.2, device: d4, underlay: gre1, mtu: 1280 }\n"
		   "  f: { type: vxlan, local: 10.0.0.1, remote: 10.0.0.2, vni: 1, device: d5, underlay: eth0 }\n"
		   "interfaces: { eth0: { decap: a } }\n",
	      "x:4:3: warning: tunnel \"b\": the MTU of tunnel \"a\" in line 3, which it is in, is 1300 and leaves 1250; IPv6 needs 1280\n"
	      "x:6:3: warning: tunnel \"d\": mtu 1281 does not fit: that of tunnel \"a\" in line 3, which it is in, is 1300, and 20 are "
	      "added\n");
#define IN_GRE1(mtu) \
	HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, mtu: " mtu ", device: gre1, inner: ipv4 }\n" \
	     "  b: { type: ipip, local: 10.0.0.1, remote: 10.0.0.2, device: d1, underlay: gre1 }\n" \
	     "interfaces: { eth0: { decap: a } }\n"
	check_hint("too narrow a tunnel for IPv6", IN_GRE1("596"), "raise that `mtu`, or say that no IPv6 is inside: `mtu: 576`");
	check_hint("and for IPv4", IN_GRE1("595"), "raise that `mtu`");
	check("what segments cannot have each: GTP-U, UDP checksums",
	      HEAD "tunnels:\n  a: { type: gtpu, local: 192.0.2.1, remote: 192.0.2.2, teid: 1 }\n"
		   "  b: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.3, vni: 1, csum: true }\n"
		   "  c: { type: gtpu, local: 192.0.2.1, remote: 192.0.2.4, teid: 1, device: gtp1 }\n"
		   "  d: { type: gtpu, local: 192.0.2.1, remote: 192.0.2.5, teid: 1 }\n"
		   "  e: { type: gre, local: 192.0.2.1, remote: 192.0.2.6, csum: true, seq: true }\n"
		   "  f: { type: geneve, local: 192.0.2.1, remote: 192.0.2.7, vni: 1, csum: { in: true } }\n"
		   "interfaces: { eth0: { encap: a, decap: d }, eth1: { encap: b }, eth2: { encap: e }, eth3: { encap: f } }\n",
	      "x:3:3: warning: tunnel \"a\": packets that are still to be segmented cannot have a length each and are dropped\n"
	      "x:4:3: warning: tunnel \"b\": packets that are still to be segmented cannot have a UDP checksum each and go without\n"
	      "x:7:3: warning: tunnel \"e\": packets that are still to be segmented cannot have a checksum and a sequence number each and "
	      "are dropped\n");
	check("GRE checksums and sequence numbers",
	      HEAD "tunnels:\n  a: { type: gre, local: 192.0.2.1, remote: 192.0.2.2, csum: true }\n"
		   "  b: { type: gre, local: 192.0.2.1, remote: 192.0.2.3, seq: true }\n"
		   "  c: { type: gre, local: 192.0.2.1, remote: 192.0.2.4, seq: true, device: gre1 }\n"
		   "  d: { type: gre, local: 192.0.2.1, remote: 192.0.2.5, csum: true }\n"
		   "interfaces: { eth0: { encap: a, decap: d }, eth1: { encap: b }, gre1: { encap: c } }\n",
	      "x:3:3: warning: tunnel \"a\": packets that are still to be segmented cannot have a GRE checksum each and are dropped\n"
	      "x:4:3: warning: tunnel \"b\": packets that are still to be segmented cannot have a sequence number each and are "
	      "dropped\n");
	check("a forwarding table that knows nobody yet",
	      HEAD "tunnels: { a: { type: vxlan, local: 192.0.2.1, vni: 1, fdb: { learn: true } } }\n"
		   "interfaces: { eth0: { encap: a, decap: a } }\n",
	      "x:2:12: warning: tunnel \"a\": without `flood` and `stations` nothing is sent before something has arrived\n");
	return test_done();
}
