// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Warnings about what is allowed and yet hardly meant. Few on purpose: each has to be worth stopping for,
 * and none may appear for a configuration that does what its author expects.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "spec/impl.h"

#define PROTO_ICMPV6 58

/* Where a class's tags are written: bits by direction, of hooks that enforce. */
#define AT(dir) (1U << (dir))

struct check {
	const struct spec *spec;
	struct tcctl_diags *diags;
	bool *class_named;	/* by any rule */
	unsigned int *class_at; /* AT() */
	bool *ruleset_used, *program_used;
};

static bool has_match_keys(const struct spec_rule *r)
{
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		if (r->addr[i].set)
			return true;
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		if (r->port[i].set)
			return true;
	return r->proto.set || r->dscp.set || r->vlan.set || r->length.set || r->icmp.set || r->icmp6.set ||
	       r->flags.set || r->mark.set || r->mac.set || r->frag;
}

static void count_uses(struct check *k)
{
	const struct spec *s = k->spec;

	for (size_t i = 0; i < s->n_rulesets; i++)
		for (size_t j = 0; j < s->rulesets[i].n_rules; j++)
			k->class_named[s->rulesets[i].rules[j].class] = true;
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (unsigned int d = 0; d < SPEC_DIR_MAX; d++) {
			const struct spec_hook *h = &s->interfaces[i].hook[d];

			for (size_t j = 0; j < h->n_runs; j++)
				k->program_used[h->runs[j].program] = true;
			if (!h->enabled || h->ruleset == SPEC_NONE)
				continue;
			k->ruleset_used[h->ruleset] = true;
			if (h->mode != SPEC_MODE_ENFORCE)
				continue;
			for (size_t j = 0; j < s->rulesets[h->ruleset].n_rules; j++)
				k->class_at[s->rulesets[h->ruleset].rules[j].class] |= AT(d);
		}
}

static void warn_unused(struct check *k)
{
	const struct spec *s = k->spec;

	for (size_t i = 0; i < s->n_sets; i++)
		if (!s->sets[i].used)
			diag_warning(k->diags, &s->sets[i].loc, "no rule names the set \"%s\"",
				     s->sets[i].name);
	for (size_t i = TCCTL_CLASS_FIRST; i < s->n_classes; i++)
		if (!k->class_named[i])
			diag_warning(k->diags, &s->classes[i].loc, "no rule names the class \"%s\"",
				     s->classes[i].name);
	/* Without any interface that is what to say, once. */
	if (!s->n_interfaces) {
		diag_warning(k->diags, NULL, "there are no interfaces: nothing is attached anywhere");
		return;
	}
	for (size_t i = 0; i < s->n_rulesets; i++)
		if (!k->ruleset_used[i])
			diag_warning(k->diags, &s->rulesets[i].loc, "no interface names the rule set \"%s\"",
				     s->rulesets[i].name);
	for (size_t i = 0; i < s->n_programs; i++)
		if (!k->program_used[i])
			diag_warning(k->diags, &s->programs[i].loc, "no `run` names the program \"%s\"",
				     s->programs[i].name);
}

/* Tags that get lost on the way. */
static void warn_tags(struct check *k)
{
	bool queue_told = false;

	for (size_t i = TCCTL_CLASS_FIRST; i < k->spec->n_classes; i++) {
		const struct spec_class *c = &k->spec->classes[i];

		if ((c->flags & TCCTL_C_PRIORITY) && k->class_at[i] == AT(SPEC_INGRESS))
			diag_hint(
				diag_warning(
					k->diags, &c->loc,
					"class \"%s\": `%s` is written at ingress only, and IPv4 forwarding overwrites it",
					c->name, c->is_classid ? "classid" : "priority"),
				"use the rules on egress of the interface that sends the packets");
		if ((c->flags & TCCTL_C_QUEUE) && k->class_at[i] && !queue_told) {
			diag_hint(
				diag_warning(
					k->diags, &c->loc,
					"class \"%s\": `queue` is overridden where the sending device has XPS configured",
					c->name),
				"write 0 to /sys/class/net/DEVICE/queues/tx-*/xps_cpus");
			queue_told = true;
		}
	}
}

static bool starts_with_one_of(const char *name, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static bool is_veth(const struct spec_interface *in)
{
	static const char *const names[] = { "veth" };

	return starts_with_one_of(in->key, names, ARRAY_SIZE(names));
}

/* By the names that kernel and daemons give; a device of another name gets no warning. */
static bool has_no_l2(const struct spec_interface *in)
{
	static const char *const names[] = { "ppp",  "tun",  "wg",    "sit",  "ip6tnl",
					     "ipip", "wwan", "rmnet", "xfrm", "ipsec" };

	return starts_with_one_of(in->key, names, ARRAY_SIZE(names));
}

static void warn_veth(struct check *k, const struct spec_interface *in)
{
	const struct spec_hook *h = &in->hook[SPEC_EGRESS];
	const struct spec_ruleset *rs = h->enabled && h->ruleset != SPEC_NONE &&
							h->mode == SPEC_MODE_ENFORCE ?
						&k->spec->rulesets[h->ruleset] :
						NULL;

	for (size_t i = 0; rs && i < rs->n_rules; i++) {
		const struct spec_class *c = &k->spec->classes[rs->rules[i].class];
		bool mark = c->flags & TCCTL_C_MARK;

		if (!mark && (!(c->flags & TCCTL_C_PRIORITY) || c->is_classid))
			continue;
		diag_hint(
			diag_warning(
				k->diags, &in->loc,
				"interface \"%s\": what class \"%s\" writes to `%s` is cleared when the packet reaches the other "
				"end of the veth pair",
				in->key, c->name, mark ? "mark" : "priority"),
			"write a DSCP, or classify again on the other side");
		return;
	}
}

static void warn_mac(struct check *k, const struct spec_interface *in)
{
	for (int d = 0; d < SPEC_DIR_MAX; d++) {
		const struct spec_hook *h = &in->hook[d];
		const struct spec_ruleset *rs =
			h->enabled && h->ruleset != SPEC_NONE ? &k->spec->rulesets[h->ruleset] : NULL;

		for (size_t i = 0; rs && i < rs->n_rules; i++)
			if (rs->rules[i].mac.set) {
				diag_warning(
					k->diags, &rs->rules[i].loc,
					"packets of interface \"%s\" have no MAC addresses: the rule never matches there",
					in->key);
				return;
			}
	}
}

static void warn_interfaces(struct check *k)
{
	for (size_t i = 0; i < k->spec->n_interfaces; i++) {
		const struct spec_interface *in = &k->spec->interfaces[i];
		bool does_something = false;

		for (int d = 0; d < SPEC_DIR_MAX; d++)
			does_something |= in->hook[d].enabled &&
					  (in->hook[d].ruleset != SPEC_NONE || in->hook[d].n_runs ||
					   in->hook[d].n_decaps || in->hook[d].encap != SPEC_NONE ||
					   in->hook[d].n_routes);
		if (!does_something)
			diag_warning(
				k->diags, &in->loc,
				"interface \"%s\" has neither rules nor programs nor tunnels: its packets are only counted",
				in->key);
		if (is_veth(in))
			warn_veth(k, in);
		if (has_no_l2(in))
			warn_mac(k, in);
	}
}

static bool lets_neighbour_discovery_pass(const struct spec_ruleset *rs)
{
	for (size_t i = 0; i < rs->n_rules; i++) {
		const struct spec_rule *r = &rs->rules[i];

		if (r->class == TCCTL_CLASS_DROP)
			continue;
		if (r->icmp6.set)
			return true;
		for (size_t j = 0; j < r->proto.n && !r->proto.neg; j++)
			if (r->proto.items[j].lo <= PROTO_ICMPV6 && PROTO_ICMPV6 <= r->proto.items[j].hi)
				return true;
	}
	return false;
}

static void warn_drop_all(struct check *k)
{
	for (size_t i = 0; i < k->spec->n_rulesets; i++) {
		const struct spec_ruleset *rs = &k->spec->rulesets[i];
		const struct spec_rule *last = rs->n_rules ? &rs->rules[rs->n_rules - 1] : NULL;

		if (last && last->class == TCCTL_CLASS_DROP && !has_match_keys(last) &&
		    !lets_neighbour_discovery_pass(rs))
			diag_hint(
				diag_warning(
					k->diags, &last->loc,
					"this rule drops all other IP packets, IPv6 neighbour discovery among them"),
				"let it pass before: - { proto: icmpv6, class: keep }");
	}
}

static void warn_objects(struct check *k)
{
	for (size_t i = 0; i < k->spec->n_programs; i++) {
		const struct spec_program *p = &k->spec->programs[i];

		if (p->object && access(p->object, F_OK) < 0)
			diag_errno(diag_warning(k->diags, &p->loc,
						"program \"%s\": the object \"%s\" cannot be found", p->name,
						p->object),
				   errno);
	}
}

int spec_check(const struct spec *spec, struct tcctl_diags *diags)
{
	_cleanup_free_ bool *class_named = calloc(spec->n_classes + 1, sizeof(bool));
	_cleanup_free_ unsigned int *class_at = calloc(spec->n_classes + 1, sizeof(unsigned int));
	_cleanup_free_ bool *ruleset_used = calloc(spec->n_rulesets + 1, sizeof(bool));
	_cleanup_free_ bool *program_used = calloc(spec->n_programs + 1, sizeof(bool));
	struct check k = { .spec = spec,
			   .diags = diags,
			   .class_named = class_named,
			   .class_at = class_at,
			   .ruleset_used = ruleset_used,
			   .program_used = program_used };
	size_t first = diags->n;
	int err;

	if (!class_named || !class_at || !ruleset_used || !program_used)
		return -ENOMEM;
	count_uses(&k);
	warn_unused(&k);
	warn_tags(&k);
	warn_interfaces(&k);
	warn_drop_all(&k);
	warn_objects(&k);
	err = spec_check_tunnels(spec, diags);
	diags_sort(diags, first);
	return err;
}
