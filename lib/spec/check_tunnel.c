// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Warnings about tunnels: see check.c for what deserves one. */
#include <errno.h>
#include <string.h>

#include "spec/tunnel_impl.h"
#include "tunnel.h"

#define MTU_IPV4 576  /* what every IPv4 host takes in one piece, RFC 791 */
#define MTU_IPV6 1280 /* RFC 8200 */

struct uses {
	bool *sends;	  /* tunnels that something puts packets into */
	bool *class_acts; /* classes that a direction which leads out writes */
};

static void count_uses(const struct spec *s, const struct uses *u)
{
	for (size_t i = 0; i < s->n_interfaces; i++)
		for (unsigned int d = 0; d < SPEC_DIR_MAX; d++) {
			const struct spec_hook *h = &s->interfaces[i].hook[d];

			if (h->encap != SPEC_NONE)
				u->sends[h->encap] = true;
			for (size_t k = 0; k < h->n_routes; k++)
				if (h->routes[k].tunnel != SPEC_NONE)
					u->sends[h->routes[k].tunnel] = true;
			for (size_t k = 0; h->class_tunnels && k < s->rulesets[h->ruleset].n_rules; k++)
				u->class_acts[s->rulesets[h->ruleset].rules[k].class] = true;
		}
	for (size_t i = TCCTL_CLASS_FIRST; i < s->n_classes; i++)
		if (u->class_acts[i] && s->classes[i].tunnel != SPEC_NONE)
			u->sends[s->classes[i].tunnel] = true;
	for (size_t i = 0; i < s->n_tunnels; i++)
		u->sends[i] |= spec_tunnel_takes_device(&s->tunnels[i]);
}

static bool named_by_a_rule(const struct spec *s, size_t class)
{
	for (size_t i = 0; i < s->n_rulesets; i++)
		for (size_t k = 0; k < s->rulesets[i].n_rules; k++)
			if (s->rulesets[i].rules[k].class == (int)class)
				return true;
	return false;
}

static void warn_classes(const struct spec *s, const struct uses *u, struct tcctl_diags *diags)
{
	for (size_t i = TCCTL_CLASS_FIRST; i < s->n_classes; i++) {
		const struct spec_class *c = &s->classes[i];

		if ((c->flags & TCCTL_C_TUNNEL) && !u->class_acts[i] && s->n_interfaces &&
		    named_by_a_rule(s, i))
			diag_hint(
				diag_warning(
					diags, &c->loc,
					"class \"%s\": `tunnel` has no effect: no direction that leads out uses rules with "
					"this class",
					c->name),
				"packets go into tunnels at egress, and at ingress of interfaces with side: lan");
	}
}

static void warn_mtu(const struct spec_tunnel *t, struct tcctl_diags *diags)
{
	if (!t->mtu)
		return;
	if (t->mtu < MTU_IPV4)
		diag_warning(
			diags, &t->loc,
			"tunnel \"%s\": with an MTU of %u, packets of %d bytes, which every host may send, "
			"do not fit",
			t->name, t->mtu, MTU_IPV4);
	else if (t->mtu < MTU_IPV6 && (t->flags & SPEC_INNER_IP) == SPEC_INNER_IP)
		diag_hint(diag_warning(diags, &t->loc, "tunnel \"%s\": IPv6 needs an MTU of %d, found %u",
				       t->name, MTU_IPV6, t->mtu),
			  "a larger `mtu`, or inner: ipv4");
}

/* The least that must be left for what is inside. */
static unsigned int least(const struct spec_tunnel *t)
{
	return t->flags & (TCCTL_TF_INNER_ETH | TCCTL_TF_INNER_IPV6) ? MTU_IPV6 : MTU_IPV4;
}

static void warn_too_narrow(const struct spec_tunnel *t, const struct spec_tunnel *under, unsigned int left,
			    struct tcctl_diags *diags)
{
	struct diag *g = diag_warning(
		diags, &t->loc,
		"tunnel \"%s\": the MTU of tunnel \"%s\" in line %u, which it is in, is %u and leaves %u; %s needs %u",
		t->name, under->name, under->loc.line, under->mtu, left, least(t) == MTU_IPV6 ? "IPv6" : "IPv4",
		least(t));

	if (left >= MTU_IPV4)
		diag_hint(g, "raise that `mtu`, or say that no IPv6 is inside: `mtu: %u`", left);
	else
		diag_hint(g, "raise that `mtu`");
}

/* A tunnel in a tunnel: `underlay` is the device of one whose MTU the file has. Other devices are for `plan` and `apply`. */
static void warn_nested_mtu(const struct spec *s, const struct spec_tunnel *t, struct tcctl_diags *diags)
{
	const unsigned int overhead = tunnel_overhead(t);

	for (size_t i = 0; t->underlay && i < s->n_tunnels; i++) {
		const struct spec_tunnel *under = &s->tunnels[i];
		const unsigned int left = under->mtu > overhead ? under->mtu - overhead : 0;

		if (under == t || !under->mtu || !under->device || strcmp(under->device, t->underlay))
			continue;
		if (t->mtu > left && t->df != SPEC_DF_CLEAR)
			diag_hint(
				diag_warning(
					diags, &t->loc,
					"tunnel \"%s\": mtu %u does not fit: that of tunnel \"%s\" in line %u, which it is in, is "
					"%u, and %u are added",
					t->name, t->mtu, under->name, under->loc.line, under->mtu, overhead),
				"at most %u fits; without `mtu:` it is used", left);
		else if (!t->mtu && left < least(t))
			warn_too_narrow(t, under, left, diags);
		return;
	}
}

/* What each packet must have of its own; NULL: nothing. */
static const char *own_of_each(const struct spec_tunnel *t)
{
	if (!tunnel_needs_cut(t))
		return NULL;
	if (t->type == TCCTL_T_GTPU)
		return "a length";
	if (t->flags & TCCTL_TF_SEQ && t->type == TCCTL_T_GRE)
		return t->flags & TCCTL_TF_CSUM ? "a checksum and a sequence number" : "a sequence number";
	return t->type == TCCTL_T_GRE ? "a GRE checksum" : "a UDP checksum";
}

static void warn_aggregates(const struct spec_tunnel *t, struct tcctl_diags *diags)
{
	const char *own = t->device ? NULL : own_of_each(t);

	if (!own)
		return;
	diag_hint(
		diag_warning(
			diags, &t->loc,
			"tunnel \"%s\": packets that are still to be segmented cannot have %s each and %s",
			t->name, own,
			t->type == TCCTL_T_GRE || t->type == TCCTL_T_GTPU ? "are dropped" : "go without"),
		"turn tso, gso and gro off where they come from (ethtool -K), or give the tunnel a `device`");
}

static void warn_tunnel(const struct spec *s, const struct spec_tunnel *t, bool sends,
			struct tcctl_diags *diags)
{
	if (!t->used && !spec_tunnel_takes_device(t))
		diag_warning(diags, &t->loc, "nothing names the tunnel \"%s\"", t->name);
	warn_mtu(t, diags);
	if (sends)
		warn_nested_mtu(s, t, diags);
	if (sends)
		warn_aggregates(t, diags);
	if (sends && (t->flags & TCCTL_TF_FDB) && !t->n_flood && !t->n_stations)
		diag_warning(
			diags, &t->loc,
			"tunnel \"%s\": without `flood` and `stations` nothing is sent before something has arrived",
			t->name);
}

/* What ip(8) calls `dev` is `underlay` here. */
static void warn_own_device(const struct spec *s, const struct spec_interface *in, struct tcctl_diags *diags)
{
	const struct spec_hook *h = &in->hook[SPEC_INGRESS];

	for (size_t i = 0; i < h->n_decaps; i++) {
		const struct spec_tunnel *t = &s->tunnels[h->decaps[i]];

		if (t->mode == SPEC_TUNNEL_METADATA || !t->device || in->has_mac || in->altname ||
		    strcmp(t->device, in->key))
			continue;
		diag_hint(diag_warning(
				  diags, &t->loc,
				  "tunnel \"%s\": its `device` %s is where its packets come in encapsulated",
				  t->name, t->device),
			  "`device` is one of its own; what outer packets leave through is `underlay: %s`",
			  t->device);
	}
}

static void warn_observed(const struct spec_interface *in, struct tcctl_diags *diags)
{
	for (unsigned int d = 0; d < SPEC_DIR_MAX; d++) {
		const struct spec_hook *h = &in->hook[d];

		if (h->mode != SPEC_MODE_OBSERVE || (!h->n_decaps && h->encap == SPEC_NONE && !h->n_routes))
			continue;
		diag_warning(
			diags, &in->loc,
			"interface \"%s\": with mode: observe no packet is taken out of a tunnel or put into one",
			in->key);
		return;
	}
}

int spec_check_tunnels(const struct spec *s, struct tcctl_diags *diags)
{
	_cleanup_free_ bool *sends = calloc(s->n_tunnels + 1, sizeof(bool));
	_cleanup_free_ bool *class_acts = calloc(s->n_classes + 1, sizeof(bool));
	const struct uses u = { .sends = sends, .class_acts = class_acts };

	if (!sends || !class_acts)
		return -ENOMEM;
	count_uses(s, &u);
	warn_classes(s, &u, diags);
	for (size_t i = 0; i < s->n_tunnels; i++)
		warn_tunnel(s, &s->tunnels[i], sends[i], diags);
	for (size_t i = 0; i < s->n_interfaces; i++) {
		warn_own_device(s, &s->interfaces[i], diags);
		warn_observed(&s->interfaces[i], diags);
	}
	return 0;
}
