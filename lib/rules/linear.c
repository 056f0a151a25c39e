/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The reference model: first match, rule by rule, key by key. Written for being obviously right; everything
 * else is measured against it.
 */
#include <string.h>

#include "../rules.h"

static bool prefix_holds(const struct spec_prefix *p, unsigned int family, const uint8_t *addr)
{
	unsigned int whole = p->len / 8, rest = p->len % 8;

	if (p->family != family || memcmp(p->addr, addr, whole))
		return false;
	return !rest || !((p->addr[whole] ^ addr[whole]) >> (8 - rest));
}

static bool addrs_hold(const struct spec *spec, const struct spec_addrs *a, unsigned int family, const uint8_t *addr)
{
	bool found = false;

	if (!a->set)
		return true;
	for (size_t i = 0; i < a->n_prefixes && !found; i++)
		found = prefix_holds(&a->prefixes[i], family, addr);
	for (size_t i = 0; i < a->n_sets && !found; i++) {
		const struct spec_set *set = &spec->sets[a->sets[i]];

		for (size_t j = 0; j < set->n_items && !found; j++)
			found = prefix_holds(&set->items[j], family, addr);
	}
	return found != a->neg;
}

/* `present`: the packet has this field. A key of a field it does not have never matches, negated or not. */
static bool ranges_hold(const struct spec_ranges *r, bool present, uint32_t value)
{
	bool found = false;

	if (!r->set)
		return true;
	for (size_t i = 0; i < r->n && !found; i++)
		found = value >= r->items[i].lo && value <= r->items[i].hi;
	return present && found != r->neg;
}

static bool maskeds_hold(const struct spec_maskeds *m, bool present, uint32_t value)
{
	bool found = false;

	if (!m->set)
		return true;
	for (size_t i = 0; i < m->n && !found; i++)
		found = (value & m->items[i].mask) == m->items[i].value;
	return present && found != m->neg;
}

static bool macs_hold(const struct spec_macs *m, bool present, const uint8_t *mac)
{
	bool found = false;

	if (!m->set)
		return true;
	for (size_t i = 0; i < m->n && !found; i++)
		found = !memcmp(m->items[i].addr, mac, 6);
	return present && found != m->neg;
}

static bool icmp_holds(const struct spec_rule *rule, const struct rules_packet *p)
{
	uint32_t value = (uint32_t)p->icmp_type << 8 | p->icmp_code;
	bool v4 = p->has_icmp && p->family == 4 && p->proto == 1;
	bool v6 = p->has_icmp && p->family == 6 && p->proto == 58;

	if (!rule->icmp.set && !rule->icmp6.set)
		return true;
	/* each speaks of its own protocol; `icmp: echo-request` fills both */
	return (rule->icmp.set && ranges_hold(&rule->icmp, v4, value)) ||
	       (rule->icmp6.set && ranges_hold(&rule->icmp6, v6, value));
}

static bool rule_holds(const struct spec *spec, const struct spec_rule *rule, const struct rules_packet *p)
{
	const uint8_t *remote = p->src_local ? p->dst : p->src, *local = p->src_local ? p->src : p->dst;
	uint32_t rport = p->src_local ? p->dport : p->sport, lport = p->src_local ? p->sport : p->dport;
	bool ports = p->has_ports && (p->proto == 6 || p->proto == 17 || p->proto == 132);
	uint32_t frag = rule->frag_neg ? ~rule->frag : rule->frag;

	return addrs_hold(spec, &rule->addr[SPEC_REMOTE], p->family, remote) &&
	       addrs_hold(spec, &rule->addr[SPEC_LOCAL], p->family, local) &&
	       addrs_hold(spec, &rule->addr[SPEC_SRC], p->family, p->src) &&
	       addrs_hold(spec, &rule->addr[SPEC_DST], p->family, p->dst) &&
	       ranges_hold(&rule->port[SPEC_PORT], ports, rport) &&
	       ranges_hold(&rule->port[SPEC_LOCAL_PORT], ports, lport) &&
	       ranges_hold(&rule->port[SPEC_SPORT], ports, p->sport) &&
	       ranges_hold(&rule->port[SPEC_DPORT], ports, p->dport) &&
	       ranges_hold(&rule->proto, true, p->proto) &&
	       ranges_hold(&rule->dscp, true, p->dscp) &&
	       ranges_hold(&rule->vlan, true, p->vlan) &&
	       ranges_hold(&rule->length, true, p->length) &&
	       icmp_holds(rule, p) &&
	       maskeds_hold(&rule->flags, p->has_flags && p->proto == 6, p->tcp_flags) &&
	       maskeds_hold(&rule->mark, true, p->mark) &&
	       macs_hold(&rule->mac, p->has_mac, p->mac) &&
	       (!rule->frag || (p->frag & frag));
}

int rules_match_linear(const struct spec *spec, const struct spec_ruleset *set, const struct rules_packet *p)
{
	for (size_t i = 0; i < set->n_rules; i++)
		if (rule_holds(spec, &set->rules[i], p))
			return (int)i;
	return -1;
}
