// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Do two specs say the same? Indices are compared as they are: the order of definitions counts. */
#include <string.h>

#include "spec/impl.h"

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Arrays of types without padding. */
static bool same_items(const void *a, size_t n_a, const void *b, size_t n_b, size_t size)
{
	return n_a == n_b && (!n_a || !memcmp(a, b, n_a * size));
}

static bool same_ranges(const struct spec_ranges *a, const struct spec_ranges *b)
{
	return a->set == b->set && a->neg == b->neg &&
	       same_items(a->items, a->n, b->items, b->n, sizeof(*a->items));
}

static bool same_maskeds(const struct spec_maskeds *a, const struct spec_maskeds *b)
{
	return a->set == b->set && a->neg == b->neg &&
	       same_items(a->items, a->n, b->items, b->n, sizeof(*a->items));
}

static bool same_addrs(const struct spec_addrs *a, const struct spec_addrs *b)
{
	return a->set == b->set && a->neg == b->neg &&
	       same_items(a->prefixes, a->n_prefixes, b->prefixes, b->n_prefixes, sizeof(*a->prefixes)) &&
	       same_items(a->sets, a->n_sets, b->sets, b->n_sets, sizeof(*a->sets));
}

static bool same_rule(const struct spec_rule *a, const struct spec_rule *b)
{
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		if (!same_addrs(&a->addr[i], &b->addr[i]))
			return false;
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		if (!same_ranges(&a->port[i], &b->port[i]))
			return false;
	return same_text(a->name, b->name) && a->class == b->class && same_ranges(&a->proto, &b->proto) &&
	       same_ranges(&a->dscp, &b->dscp) && same_ranges(&a->vlan, &b->vlan) &&
	       same_ranges(&a->length, &b->length) && same_ranges(&a->icmp, &b->icmp) &&
	       same_ranges(&a->icmp6, &b->icmp6) && same_maskeds(&a->flags, &b->flags) &&
	       same_maskeds(&a->mark, &b->mark) && a->mac.set == b->mac.set && a->mac.neg == b->mac.neg &&
	       same_items(a->mac.items, a->mac.n, b->mac.items, b->mac.n, sizeof(*a->mac.items)) &&
	       a->frag == b->frag && a->frag_neg == b->frag_neg;
}

static bool same_ruleset(const struct spec_ruleset *a, const struct spec_ruleset *b)
{
	if (!same_text(a->name, b->name) || a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!same_rule(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

static bool same_class(const struct spec_class *a, const struct spec_class *b)
{
	return same_text(a->name, b->name) && a->flags == b->flags && a->tunnel == b->tunnel && a->dscp == b->dscp &&
	       a->mark == b->mark && a->mark_mask == b->mark_mask && a->priority == b->priority &&
	       a->is_classid == b->is_classid && a->queue == b->queue && a->tc_index == b->tc_index;
}

static bool same_prefix(const struct spec_prefix *a, const struct spec_prefix *b)
{
	return !spec_prefix_compare(a, b);
}

static bool same_stations(const struct spec_tunnel *a, const struct spec_tunnel *b)
{
	if (a->n_stations != b->n_stations)
		return false;
	for (size_t i = 0; i < a->n_stations; i++) {
		const struct spec_station *x = &a->stations[i], *y = &b->stations[i];

		if (memcmp(x->mac, y->mac, sizeof(x->mac)) || x->vlan != y->vlan || x->id != y->id ||
		    !same_prefix(&x->remote, &y->remote))
			return false;
	}
	return true;
}

static bool same_tunnel(const struct spec_tunnel *a, const struct spec_tunnel *b)
{
	for (size_t i = 0; i < a->n_tags && i < b->n_tags; i++)
		if (a->tags[i].id != b->tags[i].id || a->tags[i].proto != b->tags[i].proto ||
		    a->tags[i].pcp != b->tags[i].pcp)
			return false;
	return same_text(a->name, b->name) && a->type == b->type && a->mode == b->mode && a->flags == b->flags &&
	       a->family == b->family && a->has_local == b->has_local && same_prefix(&a->local, &b->local) &&
	       same_items(a->remotes, a->n_remotes, b->remotes, b->n_remotes, sizeof(*a->remotes)) &&
	       a->has_id == b->has_id && a->id == b->id && a->id_out == b->id_out && a->port == b->port &&
	       a->sport_min == b->sport_min && a->sport_max == b->sport_max && a->ttl == b->ttl &&
	       a->dscp == b->dscp && a->df == b->df && a->mtu == b->mtu && same_text(a->device, b->device) &&
	       same_text(a->underlay, b->underlay) && a->mark == b->mark && same_stations(a, b) &&
	       same_items(a->flood, a->n_flood, b->flood, b->n_flood, sizeof(*a->flood)) && a->ageing == b->ageing &&
	       same_items(a->labels, a->n_labels, b->labels, b->n_labels, sizeof(*a->labels)) &&
	       a->n_tags == b->n_tags && same_items(a->options, a->options_len, b->options, b->options_len, 1) &&
	       a->pdu == b->pdu && a->qfi == b->qfi &&
	       same_items(a->qfis, a->n_qfis, b->qfis, b->n_qfis, sizeof(*a->qfis));
}

static bool same_routes(const struct spec_hook *a, const struct spec_hook *b)
{
	if (a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_routes; i++)
		if (a->routes[i].tunnel != b->routes[i].tunnel ||
		    !same_items(a->routes[i].prefixes, a->routes[i].n_prefixes, b->routes[i].prefixes,
				b->routes[i].n_prefixes, sizeof(*a->routes[i].prefixes)))
			return false;
	return true;
}

bool spec_hook_equal(const struct spec_hook *a, const struct spec_hook *b)
{
	if (a->enabled != b->enabled || a->ruleset != b->ruleset || a->mode != b->mode ||
	    a->verdict != b->verdict || a->n_runs != b->n_runs || a->encap != b->encap ||
	    a->refuse_unknown != b->refuse_unknown ||
	    !same_items(a->decaps, a->n_decaps, b->decaps, b->n_decaps, sizeof(*a->decaps)) || !same_routes(a, b))
		return false;
	for (size_t i = 0; i < a->n_runs; i++)
		if (a->runs[i].program != b->runs[i].program || a->runs[i].at != b->runs[i].at ||
		    a->runs[i].slot != b->runs[i].slot)
			return false;
	return true;
}

static bool same_interface(const struct spec_interface *a, const struct spec_interface *b)
{
	for (int d = 0; d < SPEC_DIR_MAX; d++)
		if (!spec_hook_equal(&a->hook[d], &b->hook[d]))
			return false;
	return same_text(a->key, b->key) && a->is_glob == b->is_glob && a->has_mac == b->has_mac &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac)) && same_text(a->altname, b->altname) &&
	       a->optional == b->optional && a->side == b->side;
}

bool spec_equal(const struct spec *a, const struct spec *b)
{
	if (!same_text(a->name, b->name) || a->n_sets != b->n_sets || a->n_classes != b->n_classes ||
	    a->n_rulesets != b->n_rulesets || a->n_programs != b->n_programs ||
	    a->n_tunnels != b->n_tunnels || a->n_interfaces != b->n_interfaces)
		return false;
	for (size_t i = 0; i < a->n_sets; i++)
		if (!same_text(a->sets[i].name, b->sets[i].name) ||
		    !same_items(a->sets[i].items, a->sets[i].n_items, b->sets[i].items, b->sets[i].n_items,
				sizeof(*a->sets[i].items)))
			return false;
	for (size_t i = 0; i < a->n_classes; i++)
		if (!same_class(&a->classes[i], &b->classes[i]))
			return false;
	for (size_t i = 0; i < a->n_tunnels; i++)
		if (!same_tunnel(&a->tunnels[i], &b->tunnels[i]))
			return false;
	for (size_t i = 0; i < a->n_programs; i++)
		if (!same_text(a->programs[i].name, b->programs[i].name) ||
		    !same_text(a->programs[i].object, b->programs[i].object) ||
		    !same_text(a->programs[i].program, b->programs[i].program))
			return false;
	for (size_t i = 0; i < a->n_rulesets; i++)
		if (!same_ruleset(&a->rulesets[i], &b->rulesets[i]))
			return false;
	for (size_t i = 0; i < a->n_interfaces; i++)
		if (!same_interface(&a->interfaces[i], &b->interfaces[i]))
			return false;
	return true;
}
