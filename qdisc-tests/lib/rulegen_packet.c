/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets: anywhere, and near the rules of a set. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "rulegen.h"

#define below rulegen_below
#define chance rulegen_chance
#define random_bytes rulegen_bytes

void rulegen_packet_tidy(struct rules_packet *p)
{
	bool later = p->frag & SPEC_FRAG_LATER;

	if (p->family == 4) {
		memset(p->src + 4, 0, 12);
		memset(p->dst + 4, 0, 12);
	}
	p->has_ports = !later && (p->proto == 6 || p->proto == 17 || p->proto == 132);
	p->has_flags = !later && p->proto == 6;
	p->has_icmp = !later && ((p->family == 4 && p->proto == 1) || (p->family == 6 && p->proto == 58));
	if (!p->has_ports)
		p->sport = p->dport = 0;
	if (!p->has_flags)
		p->tcp_flags = 0;
	if (!p->has_icmp)
		p->icmp_type = p->icmp_code = 0;
	p->dscp &= 63;
	if (p->length > 65535)
		p->length = 65535;
	if (p->length < 68)
		p->length = 68;
}

void rulegen_packet_uniform(uint64_t *s, struct rules_packet *p)
{
	uint32_t x = below(s, 100);

	memset(p, 0, sizeof(*p));
	p->family = chance(s, 50) ? 4 : 6;
	random_bytes(s, p->src, 16);
	random_bytes(s, p->dst, 16);
	p->proto = x < 45 ? 6 :
		   x < 80 ? 17 :
		   x < 85 ? 132 :
		   x < 92 ? (p->family == 4 ? 1 : 58) :
			    (uint8_t)below(s, 256);
	p->sport = (uint16_t)below(s, 65536);
	p->dport = (uint16_t)below(s, 65536);
	p->icmp_type = (uint8_t)(chance(s, 50) ? below(s, 12) : 120 + below(s, 12));
	p->icmp_code = (uint8_t)below(s, 5);
	p->tcp_flags = (uint8_t)below(s, 256);
	p->dscp = (uint8_t)below(s, 64);
	x = below(s, 20);
	p->frag = x == 0 ? SPEC_FRAG_FIRST : x == 1 ? SPEC_FRAG_LATER : SPEC_FRAG_WHOLE;
	p->vlan = chance(s, 60) ? SPEC_VLAN_NONE : below(s, 17);
	p->length = below(s, 1600);
	p->mark = chance(s, 50) ? 0 : below(s, 20);
	p->has_mac = chance(s, 90);
	if (p->has_mac) {
		p->mac[0] = 2;
		p->mac[4] = (uint8_t)below(s, 2);
		p->mac[5] = (uint8_t)below(s, 5);
	}
	p->src_local = chance(s, 50);
	rulegen_packet_tidy(p);
}

static uint32_t range_pick(uint64_t *s, const struct spec_ranges *r)
{
	const struct spec_range *x = &r->items[below(s, (uint32_t)r->n)];

	switch (below(s, 8)) {
	case 0: return x->lo;
	case 1: return x->hi;
	case 2: return x->lo - 1; /* just outside; wraps are cut off by the caller's width */
	case 3: return x->hi + 1;
	default:
		return x->hi - x->lo == UINT32_MAX ? (uint32_t)rulegen_random(s) :
						     x->lo + below(s, x->hi - x->lo + 1);
	}
}

static void addr_pick(uint64_t *s, const struct spec *spec, const struct spec_addrs *a,
		      struct rules_packet *p, uint8_t *addr)
{
	const struct spec_prefix *x;
	unsigned int size, bit;

	if (a->n_sets && (!a->n_prefixes || chance(s, 50))) {
		const struct spec_set *set = &spec->sets[a->sets[below(s, (uint32_t)a->n_sets)]];

		x = &set->items[below(s, (uint32_t)set->n_items)];
	} else if (a->n_prefixes) {
		x = &a->prefixes[below(s, (uint32_t)a->n_prefixes)];
	} else {
		return;
	}
	p->family = x->family;
	size = x->family == 4 ? 4 : 16;
	for (unsigned int i = 0; i < size; i++) {
		unsigned int bits = x->len > 8 * i ? x->len - 8 * i : 0;
		uint8_t mask = bits >= 8 ? 0xff : (uint8_t) ~(0xff >> bits);

		addr[i] = (uint8_t)((x->addr[i] & mask) | (addr[i] & ~mask));
	}
	/* the first or last address, or the neighbour on either side */
	switch (below(s, 10)) {
	case 0:
		for (unsigned int b = x->len; b < size * 8; b++)
			addr[b / 8] &= (uint8_t) ~(0x80 >> b % 8);
		break;
	case 1:
		for (unsigned int b = x->len; b < size * 8; b++)
			addr[b / 8] |= (uint8_t)(0x80 >> b % 8);
		break;
	case 2:
		if (!x->len)
			break;
		bit = x->len - 1;
		addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		break;
	}
}

void rulegen_packet_near(uint64_t *s, const struct spec *spec, const struct spec_ruleset *set,
			 struct rules_packet *p)
{
	const struct spec_rule *r = &set->rules[below(s, (uint32_t)set->n_rules)];
	uint8_t *remote, *local;
	uint16_t *rport, *lport;

	rulegen_packet_uniform(s, p);
	random_bytes(s, p->src, 16);
	random_bytes(s, p->dst, 16);
	remote = p->src_local ? p->dst : p->src;
	local = p->src_local ? p->src : p->dst;
	rport = p->src_local ? &p->dport : &p->sport;
	lport = p->src_local ? &p->sport : &p->dport;
	p->sport = (uint16_t)below(s, 65536);
	p->dport = (uint16_t)below(s, 65536);
	addr_pick(s, spec, &r->addr[SPEC_REMOTE], p, remote);
	addr_pick(s, spec, &r->addr[SPEC_LOCAL], p, local);
	addr_pick(s, spec, &r->addr[SPEC_SRC], p, p->src);
	addr_pick(s, spec, &r->addr[SPEC_DST], p, p->dst);
	if (r->port[SPEC_PORT].n)
		*rport = (uint16_t)range_pick(s, &r->port[SPEC_PORT]);
	if (r->port[SPEC_LOCAL_PORT].n)
		*lport = (uint16_t)range_pick(s, &r->port[SPEC_LOCAL_PORT]);
	if (r->port[SPEC_SPORT].n)
		p->sport = (uint16_t)range_pick(s, &r->port[SPEC_SPORT]);
	if (r->port[SPEC_DPORT].n)
		p->dport = (uint16_t)range_pick(s, &r->port[SPEC_DPORT]);
	if (r->proto.n)
		p->proto = (uint8_t)range_pick(s, &r->proto);
	else if (r->flags.set)
		p->proto = 6;
	if (r->icmp.n && p->family == 4) {
		uint32_t x = range_pick(s, &r->icmp);

		p->proto = 1;
		p->icmp_type = (uint8_t)(x >> 8);
		p->icmp_code = (uint8_t)x;
	}
	if (r->icmp6.n && p->family == 6) {
		uint32_t x = range_pick(s, &r->icmp6);

		p->proto = 58;
		p->icmp_type = (uint8_t)(x >> 8);
		p->icmp_code = (uint8_t)x;
	}
	if (r->dscp.n)
		p->dscp = (uint8_t)range_pick(s, &r->dscp);
	if (r->vlan.n) {
		uint32_t x = range_pick(s, &r->vlan);

		p->vlan = x > SPEC_VLAN_NONE ? 0 : x == 4095 ? 4094 : x;
	}
	if (r->length.n)
		p->length = range_pick(s, &r->length);
	if (r->flags.n) {
		const struct spec_masked *m = &r->flags.items[below(s, (uint32_t)r->flags.n)];

		p->tcp_flags = (uint8_t)((p->tcp_flags & ~m->mask) | m->value);
	}
	if (r->mark.n) {
		const struct spec_masked *m = &r->mark.items[below(s, (uint32_t)r->mark.n)];

		p->mark = (p->mark & ~m->mask) | m->value;
	}
	if (r->mac.n && p->has_mac)
		memcpy(p->mac, r->mac.items[below(s, (uint32_t)r->mac.n)].addr, 6);
	rulegen_packet_tidy(p);
}

void rulegen_packet_between(uint64_t *s, const struct spec *spec, const struct spec_ruleset *set,
			    struct rules_packet *p)
{
	rulegen_packet_near(s, spec, set, p);
	for (unsigned int more = 1 + below(s, 2); more; more--) {
		struct rules_packet q;

		rulegen_packet_near(s, spec, set, &q);
		if (q.family == p->family && chance(s, 50))
			memcpy(p->src, q.src, sizeof(p->src));
		if (q.family == p->family && chance(s, 50))
			memcpy(p->dst, q.dst, sizeof(p->dst));
		if (chance(s, 50))
			p->sport = q.sport;
		if (chance(s, 50))
			p->dport = q.dport;
		if (q.family == p->family && chance(s, 30)) {
			p->proto = q.proto;
			p->icmp_type = q.icmp_type;
			p->icmp_code = q.icmp_code;
			p->tcp_flags = q.tcp_flags;
			p->frag = q.frag;
		}
		if (chance(s, 50))
			p->dscp = q.dscp;
		if (chance(s, 50))
			p->vlan = q.vlan;
		if (chance(s, 50))
			p->length = q.length;
		if (chance(s, 50))
			p->mark = q.mark;
		if (p->has_mac && q.has_mac && chance(s, 50))
			memcpy(p->mac, q.mac, sizeof(p->mac));
	}
	rulegen_packet_tidy(p);
}

void rulegen_packet_print(const struct rules_packet *p, char *buf, size_t len)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = p->family == 4 ? AF_INET : AF_INET6;

	inet_ntop(family, p->src, src, sizeof(src));
	inet_ntop(family, p->dst, dst, sizeof(dst));
	snprintf(buf, len,
		 "%s > %s proto %u%s %u > %u%s %u/%u%s 0x%02x dscp %u frag %u vlan %u length %u mark %u%s "
		 "%02x:%02x:%02x:%02x:%02x:%02x src_local %d",
		 src, dst, p->proto, p->has_ports ? " ports" : " (ports)", p->sport, p->dport,
		 p->has_icmp ? " icmp" : " (icmp)", p->icmp_type, p->icmp_code,
		 p->has_flags ? " flags" : " (flags)", p->tcp_flags, p->dscp, p->frag, p->vlan, p->length,
		 p->mark, p->has_mac ? " mac" : " (mac)", p->mac[0], p->mac[1], p->mac[2], p->mac[3],
		 p->mac[4], p->mac[5], p->src_local);
}
