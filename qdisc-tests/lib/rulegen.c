/* SPDX-License-Identifier: GPL-2.0-only */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rulegen.h"

const char *const rulegen_mix_names[RULEGEN_MIX_MAX] = { "acl", "fw", "ipc", "any" };

#define below rulegen_below
#define chance rulegen_chance
#define random_bytes rulegen_bytes

static void *need(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return p;
}

static void prefix_trim(struct spec_prefix *p)
{
	unsigned int size = p->family == 4 ? 4 : 16;

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int bits = p->len > 8 * i ? p->len - 8 * i : 0;

		if (i >= size)
			p->addr[i] = 0;
		else if (bits < 8)
			p->addr[i] &= (uint8_t)~(0xff >> bits);
	}
}

/* --- a skewed tree of networks ------------------------------------------------------------------------- */

struct nets {
	struct spec_prefix *v[2]; /* by family */
	size_t n[2];
};

static unsigned int pick_len(uint64_t *s, unsigned int family)
{
	static const uint8_t v4[] = { 8, 16, 16, 20, 22, 24, 24, 24, 24, 26, 27, 28, 28, 29, 30, 32, 32, 32, 32, 32 };
	static const uint8_t v6[] = { 20, 29, 32, 32, 36, 40, 44, 48, 48, 48, 56, 56, 64, 64, 64, 64, 96, 128, 128, 128 };

	return family == 4 ? v4[below(s, sizeof(v4))] : v6[below(s, sizeof(v6))];
}

static void nets_make(uint64_t *s, size_t n_rules, struct nets *ret)
{
	for (unsigned int six = 0; six < 2; six++) {
		size_t n = n_rules / 3 + 8;
		struct spec_prefix *v = need(calloc(n, sizeof(*v)));

		for (size_t i = 0; i < n; i++) {
			struct spec_prefix *p = &v[i];

			p->family = six ? 6 : 4;
			random_bytes(s, p->addr, six ? 16 : 4);
			if (six)
				p->addr[0] = (uint8_t)(0x20 | (p->addr[0] & 0x0f));
			p->len = (uint8_t)pick_len(s, p->family);
			/* most are neighbours or children of one seen before */
			if (i && chance(s, 75)) {
				const struct spec_prefix *near = &v[below(s, (uint32_t)i)];
				unsigned int keep = near->len - below(s, 1 + near->len / 2);

				for (unsigned int b = 0; b < keep; b++) {
					uint8_t bit = (uint8_t)(0x80 >> b % 8);

					p->addr[b / 8] = (uint8_t)((p->addr[b / 8] & ~bit) | (near->addr[b / 8] & bit));
				}
			}
			prefix_trim(p);
		}
		ret->v[six] = v;
		ret->n[six] = n;
	}
}

static void nets_pick(uint64_t *s, const struct nets *nets, unsigned int six, struct spec_prefix *ret)
{
	uint32_t n = (uint32_t)nets->n[six], i = below(s, n);

	/* skew: some networks come up far more often */
	if (chance(s, 40))
		i = below(s, 1 + n / 16);
	*ret = nets->v[six][i];
}

/* --- rules --------------------------------------------------------------------------------------------- */

static void addrs_one(struct spec_addrs *a, const struct spec_prefix *p)
{
	a->set = true;
	a->prefixes = need(realloc(a->prefixes, (a->n_prefixes + 1) * sizeof(*p)));
	a->prefixes[a->n_prefixes++] = *p;
}

static int range_cmp(const void *a, const void *b)
{
	const struct spec_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Keeps the list sorted and merged, as the spec promises. */
static void ranges_add(struct spec_ranges *r, uint32_t lo, uint32_t hi)
{
	size_t n = 0;

	r->set = true;
	r->items = need(realloc(r->items, (r->n + 1) * sizeof(*r->items)));
	r->items[r->n++] = (struct spec_range){ lo, hi };
	qsort(r->items, r->n, sizeof(*r->items), range_cmp);
	for (size_t i = 0; i < r->n; i++) {
		if (n && r->items[i].lo <= r->items[n - 1].hi + 1 && r->items[n - 1].hi != UINT32_MAX) {
			if (r->items[i].hi > r->items[n - 1].hi)
				r->items[n - 1].hi = r->items[i].hi;
		} else {
			r->items[n++] = r->items[i];
		}
	}
	r->n = n;
}

static void maskeds_add(struct spec_maskeds *m, uint32_t value, uint32_t mask)
{
	m->set = true;
	m->items = need(realloc(m->items, (m->n + 1) * sizeof(*m->items)));
	m->items[m->n++] = (struct spec_masked){ value & mask, mask };
}

static uint32_t known_port(uint64_t *s)
{
	static const uint16_t known[] = { 80, 443, 53, 22, 25, 123, 21, 110, 143, 389, 445, 993, 1433, 1521, 3306,
					  3389, 5060, 5432, 8080, 8443 };

	return chance(s, 70) ? known[below(s, sizeof(known) / sizeof(*known))] : below(s, 65536);
}

static void port_range(uint64_t *s, struct spec_ranges *r)
{
	uint32_t lo, hi;

	switch (below(s, 4)) {
	case 0:
		ranges_add(r, 1024, 65535);
		break;
	case 1:
		ranges_add(r, 0, 1023);
		break;
	default:
		lo = below(s, 65000);
		hi = lo + below(s, chance(s, 80) ? 64 : 65535 - lo);
		ranges_add(r, lo, hi);
	}
}

static void proto_pick(uint64_t *s, struct spec_rule *r, unsigned int open)
{
	uint32_t x = below(s, 100);
	uint32_t proto = x < 65 ? 6 : x < 95 ? 17 : 132;

	if (!chance(s, open))
		ranges_add(&r->proto, proto, proto);
}

struct gen {
	uint64_t *s;
	const struct rulegen_options *o;
	struct nets nets;
	struct spec *spec;
};

/* The keys that stand for source and destination in this rule. */
struct slots {
	struct spec_addrs *src, *dst;
	struct spec_ranges *sport, *dport;
};

static struct slots slots_of(struct gen *g, struct spec_rule *r)
{
	bool relative = g->o->keys == RULEGEN_RELATIVE || (g->o->keys == RULEGEN_BOTH && chance(g->s, 50));

	if (relative)
		return (struct slots){ &r->addr[SPEC_REMOTE], &r->addr[SPEC_LOCAL], &r->port[SPEC_PORT],
				       &r->port[SPEC_LOCAL_PORT] };
	return (struct slots){ &r->addr[SPEC_SRC], &r->addr[SPEC_DST], &r->port[SPEC_SPORT], &r->port[SPEC_DPORT] };
}

static void addr_key(struct gen *g, struct spec_addrs *a, unsigned int six, unsigned int open)
{
	struct spec_prefix p;

	if (chance(g->s, open))
		return;
	nets_pick(g->s, &g->nets, six, &p);
	addrs_one(a, &p);
}

static void make_classic(struct gen *g, struct spec_rule *r)
{
	struct slots k = slots_of(g, r);
	unsigned int six = chance(g->s, g->o->v6_percent);

	switch (g->o->mix) {
	case RULEGEN_ACL:
		addr_key(g, k.src, six, 4);
		addr_key(g, k.dst, six, 2);
		proto_pick(g->s, r, 8);
		if (chance(g->s, 64)) {
			uint32_t p = known_port(g->s);

			ranges_add(k.dport, p, p);
		} else if (chance(g->s, 30)) {
			port_range(g->s, k.dport);
		}
		break;
	case RULEGEN_FW:
		addr_key(g, k.src, six, 45);
		addr_key(g, k.dst, six, k.src->set ? 40 : 3);
		proto_pick(g->s, r, 15);
		if (chance(g->s, 25))
			port_range(g->s, k.sport);
		else if (chance(g->s, 15)) {
			uint32_t p = known_port(g->s);

			ranges_add(k.sport, p, p);
		}
		if (chance(g->s, 40))
			port_range(g->s, k.dport);
		else if (chance(g->s, 60)) {
			uint32_t p = known_port(g->s);

			ranges_add(k.dport, p, p);
		}
		break;
	default:
		addr_key(g, k.src, six, 15);
		addr_key(g, k.dst, six, k.src->set ? 12 : 1);
		proto_pick(g->s, r, 20);
		if (chance(g->s, 20))
			port_range(g->s, k.sport);
		if (chance(g->s, 50)) {
			uint32_t p = known_port(g->s);

			ranges_add(k.dport, p, p);
		}
	}
}

/* Has make_classic() given it no key at all? */
static bool takes_everything(const struct spec_rule *r)
{
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		if (r->addr[i].set)
			return false;
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		if (r->port[i].n)
			return false;
	return !r->proto.n;
}

static void make_any(struct gen *g, struct spec_rule *r)
{
	uint64_t *s = g->s;
	struct slots k = slots_of(g, r);
	unsigned int six = chance(s, g->o->v6_percent);
	struct spec_addrs *addr[] = { k.src, k.dst };
	struct spec_ranges *port[] = { k.sport, k.dport };

	for (unsigned int i = 0; i < 2; i++) {
		if (chance(s, 45)) {
			unsigned int n = 1 + below(s, 4);

			for (unsigned int j = 0; j < n; j++) {
				struct spec_prefix p;

				nets_pick(s, &g->nets, chance(s, 20) ? !six : six, &p);
				if (chance(s, 10)) {
					p.len = (uint8_t)below(s, 9);
					prefix_trim(&p);
				}
				addrs_one(addr[i], &p);
			}
			addr[i]->neg = chance(s, 25);
		}
		if (chance(s, 15)) {
			addr[i]->set = true;
			addr[i]->sets = need(calloc(1, sizeof(int)));
			addr[i]->sets[0] = (int)below(s, (uint32_t)g->spec->n_sets);
			addr[i]->n_sets = 1;
			addr[i]->neg = chance(s, 25);
		}
		if (chance(s, 30)) {
			unsigned int n = 1 + below(s, 3);

			for (unsigned int j = 0; j < n; j++)
				port_range(s, port[i]);
			port[i]->neg = chance(s, 25);
		}
	}
	if (chance(s, 40)) {
		proto_pick(s, r, 0);
		if (chance(s, 20))
			ranges_add(&r->proto, 47, 51);
		r->proto.neg = chance(s, 20);
	}
	if (chance(s, 15)) {
		uint32_t lo = below(s, 64);

		ranges_add(&r->dscp, lo, lo + below(s, 64 - lo));
		r->dscp.neg = chance(s, 25);
	}
	if (chance(s, 10)) {
		if (chance(s, 30))
			ranges_add(&r->vlan, SPEC_VLAN_NONE, SPEC_VLAN_NONE);
		else
			ranges_add(&r->vlan, below(s, 8), 8 + below(s, 8));
		r->vlan.neg = chance(s, 25);
	}
	if (chance(s, 10)) {
		uint32_t lo = below(s, 1500);

		ranges_add(&r->length, lo, chance(s, 50) ? UINT32_MAX : lo + below(s, 800));
		r->length.neg = chance(s, 25);
	}
	if (chance(s, 10)) {
		uint32_t type = below(s, 12);
		struct spec_ranges *a = chance(s, 50) ? &r->icmp : &r->icmp6;

		ranges_add(a, type << 8, type << 8 | 0xff);
		a->neg = chance(s, 25);
		if (chance(s, 50)) {
			struct spec_ranges *b = a == &r->icmp ? &r->icmp6 : &r->icmp;

			ranges_add(b, (type + 120) << 8, (type + 120) << 8 | 3);
			b->neg = a->neg;
		}
	}
	if (chance(s, 12)) {
		unsigned int n = 1 + below(s, 2);

		for (unsigned int j = 0; j < n; j++)
			maskeds_add(&r->flags, below(s, 256), below(s, 256));
		r->flags.neg = chance(s, 30);
	}
	if (chance(s, 12)) {
		unsigned int n = 1 + below(s, 2);

		for (unsigned int j = 0; j < n; j++)
			maskeds_add(&r->mark, below(s, 16), chance(s, 50) ? 0xf : UINT32_MAX);
		r->mark.neg = chance(s, 30);
	}
	if (chance(s, 10)) {
		unsigned int n = 1 + below(s, 2);

		r->mac.set = true;
		r->mac.items = need(calloc(n, sizeof(*r->mac.items)));
		r->mac.n = n;
		for (unsigned int j = 0; j < n; j++)
			r->mac.items[j] = (struct spec_mac){ { 2, 0, 0, 0, (uint8_t)below(s, 2), (uint8_t)below(s, 4) } };
		r->mac.neg = chance(s, 30);
	}
	if (chance(s, 12)) {
		r->frag = 1 + below(s, 7);
		r->frag_neg = chance(s, 30);
	}
}

/* --- order --------------------------------------------------------------------------------------------- */

struct ranked {
	uint32_t rank, at;
};

static uint32_t addrs_bits(const struct spec_addrs *a)
{
	return a->n_prefixes ? a->prefixes[0].family == 4 ? a->prefixes[0].len : a->prefixes[0].len / 2 : 0;
}

static uint32_t ranges_bits(const struct spec_ranges *r, unsigned int width)
{
	uint32_t size = r->n ? r->items[0].hi - r->items[0].lo : 0;

	return r->n ? width - (size ? 32U - (unsigned int)__builtin_clz(size) : 0) : 0;
}

/* Bits that a rule of a classic mix fixes: what is inside another rule has no fewer. */
static uint32_t rule_bits(const struct spec_rule *r)
{
	uint32_t bits = ranges_bits(&r->proto, 8);

	for (unsigned int i = 0; i < SPEC_ADDR_MAX; i++)
		bits += addrs_bits(&r->addr[i]);
	for (unsigned int i = 0; i < SPEC_PORT_MAX; i++)
		bits += ranges_bits(&r->port[i], 16);
	return bits;
}

static int ranked_cmp(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* More specific ones first, roughly: a few bits of chance keep the kinds mixed. */
static void order_specific(uint64_t *s, struct spec_rule *rules, size_t n)
{
	struct ranked *order = need(calloc(n + 1, sizeof(*order)));
	struct spec_rule *sorted = need(calloc(n + 1, sizeof(*sorted)));

	for (size_t i = 0; i < n; i++)
		order[i] = (struct ranked){ rule_bits(&rules[i]) + below(s, 4), (uint32_t)i };
	qsort(order, n, sizeof(*order), ranked_cmp);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = rules[order[i].at];
		sorted[i].loc.line = (unsigned int)i + 1;
	}
	memcpy(rules, sorted, n * sizeof(*rules));
	free(sorted);
	free(order);
}

struct spec *rulegen_make(const struct rulegen_options *o)
{
	uint64_t state = o->seed * 0x9e3779b97f4a7c15ULL + 88172645463325252ULL;
	struct spec *spec = need(calloc(1, sizeof(*spec)));
	struct gen g = { .s = &state, .o = o, .spec = spec };
	char name[32];

	spec->name = need(strdup("default"));
	spec->n_classes = 10;
	spec->classes = need(calloc(spec->n_classes, sizeof(*spec->classes)));
	for (size_t i = 0; i < spec->n_classes; i++) {
		snprintf(name, sizeof(name), "class%zu", i);
		spec->classes[i].name = need(strdup(i == 0 ? "keep" : i == 1 ? "drop" : name));
		if (i == 1)
			spec->classes[i].flags = TCCTL_C_DROP;
		else if (i) {
			spec->classes[i].flags = TCCTL_C_DSCP;
			spec->classes[i].dscp = (uint8_t)(i * 4);
		}
	}
	if (o->mix == RULEGEN_ANY) {
		static const size_t sizes[] = { 3, 40, 300, 3000 };

		spec->n_sets = 4;
		spec->sets = need(calloc(spec->n_sets, sizeof(*spec->sets)));
		for (size_t i = 0; i < spec->n_sets; i++) {
			struct spec_prefix *v4 = rulegen_prefixes(&state, 4, sizes[i], 30);
			struct spec_prefix *v6 = rulegen_prefixes(&state, 6, sizes[i], 30);

			snprintf(name, sizeof(name), "set%zu", i);
			spec->sets[i].name = need(strdup(name));
			spec->sets[i].n_items = 2 * sizes[i];
			spec->sets[i].items = need(malloc(2 * sizes[i] * sizeof(*v4)));
			memcpy(spec->sets[i].items, v4, sizes[i] * sizeof(*v4));
			memcpy(spec->sets[i].items + sizes[i], v6, sizes[i] * sizeof(*v6));
			free(v4);
			free(v6);
		}
	}
	nets_make(&state, o->n_rules, &g.nets);
	spec->n_rulesets = 1;
	spec->rulesets = need(calloc(1, sizeof(*spec->rulesets)));
	spec->rulesets[0].name = need(strdup(rulegen_mix_names[o->mix]));
	spec->rulesets[0].n_rules = o->n_rules;
	spec->rulesets[0].rules = need(calloc(o->n_rules + 1, sizeof(struct spec_rule)));
	for (size_t i = 0; i < o->n_rules; i++) {
		struct spec_rule *r = &spec->rulesets[0].rules[i];

		r->class = (int)below(&state, (uint32_t)spec->n_classes);
		r->loc.file = "generated";
		r->loc.line = (unsigned int)i + 1;
		if (o->catch_all && i + 1 == o->n_rules)
			break;
		if (o->mix == RULEGEN_ANY) {
			make_any(&g, r);
			continue;
		}
		do /* a rule without keys is the last that is ever reached */
			make_classic(&g, r);
		while (o->catch_all && takes_everything(r));
	}
	if (o->order == RULEGEN_SPECIFIC_FIRST && o->mix != RULEGEN_ANY)
		order_specific(&state, spec->rulesets[0].rules, o->n_rules - (o->catch_all && o->n_rules));
	free(g.nets.v[0]);
	free(g.nets.v[1]);
	return spec;
}

void rulegen_free(struct spec *spec)
{
	if (!spec)
		return;
	for (size_t i = 0; i < spec->n_rulesets; i++) {
		struct spec_ruleset *set = &spec->rulesets[i];

		for (size_t j = 0; j < set->n_rules; j++) {
			struct spec_rule *r = &set->rules[j];

			for (unsigned int k = 0; k < SPEC_ADDR_MAX; k++) {
				free(r->addr[k].prefixes);
				free(r->addr[k].sets);
			}
			for (unsigned int k = 0; k < SPEC_PORT_MAX; k++)
				free(r->port[k].items);
			free(r->proto.items);
			free(r->dscp.items);
			free(r->vlan.items);
			free(r->length.items);
			free(r->icmp.items);
			free(r->icmp6.items);
			free(r->flags.items);
			free(r->mark.items);
			free(r->mac.items);
			free(r->name);
		}
		free(set->rules);
		free(set->name);
	}
	free(spec->rulesets);
	for (size_t i = 0; i < spec->n_sets; i++) {
		free(spec->sets[i].items);
		free(spec->sets[i].name);
	}
	free(spec->sets);
	for (size_t i = 0; i < spec->n_classes; i++)
		free(spec->classes[i].name);
	free(spec->classes);
	free(spec->name);
	free(spec);
}

/* --- prefix sets --------------------------------------------------------------------------------------- */

static int prefix_cmp(const void *a, const void *b)
{
	const struct spec_prefix *p = a, *q = b;
	int c = memcmp(p->addr, q->addr, 16);

	return c ? c : (int)p->len - (int)q->len;
}

struct spec_prefix *rulegen_prefixes(uint64_t *s, unsigned int family, size_t n, unsigned int long_percent)
{
	/* roughly the shares in a routing table */
	static const uint8_t v4[] = { 16, 18, 19, 20, 20, 21, 22, 22, 22, 23, 23, 24, 24, 24, 24, 24, 24, 24, 24, 24 };
	static const uint8_t v6[] = { 29, 32, 32, 32, 36, 40, 40, 44, 44, 46, 48, 48, 48, 48, 48, 48, 48, 56, 64, 64 };
	struct spec_prefix *v = need(calloc(n, sizeof(*v)));
	size_t have = 0;

	while (have < n) {
		size_t kept = 0;

		for (; have < n; have++) {
			struct spec_prefix *p = &v[have];

			memset(p, 0, sizeof(*p));
			p->family = (uint8_t)family;
			random_bytes(s, p->addr, family == 4 ? 4 : 16);
			if (family == 6)
				p->addr[0] = (uint8_t)(0x20 | (p->addr[0] & 0x1f));
			p->len = family == 4 ? v4[below(s, sizeof(v4))] : v6[below(s, sizeof(v6))];
			if (chance(s, long_percent))
				p->len = (uint8_t)(family == 4 ? 25 + below(s, 8) : 65 + below(s, 64));
			prefix_trim(p);
		}
		qsort(v, n, sizeof(*v), prefix_cmp);
		for (size_t i = 0; i < n; i++)
			if (!kept || prefix_cmp(&v[kept - 1], &v[i]))
				v[kept++] = v[i];
		have = kept;
	}
	return v;
}
