// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A spec as YAML again. Numbers, the grammar's own words and plain names are bare; everything that any YAML
 * reader could take for something else (addresses, ranges, MACs, `1:10`, `no`) is in double quotes.
 */
#include <errno.h>

#include "spec/impl.h"
#include "spec/out.h"

static void put_addrs(struct out *o, const struct spec *s, const char *key, const struct spec_addrs *a,
		      bool neg)
{
	size_t n = a->n_prefixes + a->n_sets;

	if (!a->set || a->neg != neg)
		return;
	out_key(o, key);
	out_list_begin(o, n);
	for (size_t i = 0; i < a->n_sets; i++) {
		out_list_comma(o, i);
		out_name(o, s->sets[a->sets[i]].name);
	}
	for (size_t i = 0; i < a->n_prefixes; i++) {
		out_list_comma(o, a->n_sets + i);
		out_prefix(o, &a->prefixes[i]);
	}
	out_list_end(o, n);
}

static void put_ranges(struct out *o, const char *key, const struct spec_ranges *r,
		       const struct spec_words *words, bool neg)
{
	if (!r->set || r->neg != neg)
		return;
	out_key(o, key);
	out_list_begin(o, r->n);
	for (size_t i = 0; i < r->n; i++) {
		out_list_comma(o, i);
		if (r->items[i].lo == r->items[i].hi)
			out_number(o, r->items[i].lo, words);
		else
			out_printf(o, "\"%u-%u\"", r->items[i].lo, r->items[i].hi);
	}
	out_list_end(o, r->n);
}

static void put_vlan(struct out *o, const struct spec_ranges *r, bool neg)
{
	static const struct spec_word none[] = { { "none", SPEC_VLAN_NONE } };
	static const struct spec_words words = { none, 1 };

	put_ranges(o, "vlan", r, &words, neg);
}

/* lo..hi of type << 8 | code, as the fewest entries of "family/type", "family/type-type", "family/type/codes". */
static void put_icmp_range(struct out *o, const char *family, uint32_t lo, uint32_t hi, size_t *count)
{
	while (lo <= hi) {
		uint32_t type = lo >> 8, code = lo & 0xff, last;

		out_list_comma(o, (*count)++);
		if (!code && hi >= (lo | 0xff)) { /* whole types */
			last = ((hi + 1) >> 8) - 1;
			if (last > type)
				out_printf(o, "\"%s/%u-%u\"", family, type, last);
			else
				out_printf(o, "\"%s/%u\"", family, type);
			lo = (last + 1) << 8;
			continue;
		}
		last = hi >> 8 > type ? 0xff : hi & 0xff;
		if (last > code)
			out_printf(o, "\"%s/%u/%u-%u\"", family, type, code, last);
		else
			out_printf(o, "\"%s/%u/%u\"", family, type, code);
		lo = (type << 8 | last) + 1;
	}
}

static void put_icmp(struct out *o, const struct spec_rule *r)
{
	size_t count = 0;

	if (!r->icmp.set && !r->icmp6.set)
		return;
	out_key(o, "icmp");
	out_text(o, "[");
	for (size_t i = 0; i < r->icmp.n; i++)
		put_icmp_range(o, "icmp", r->icmp.items[i].lo, r->icmp.items[i].hi, &count);
	for (size_t i = 0; i < r->icmp6.n; i++)
		put_icmp_range(o, "icmpv6", r->icmp6.items[i].lo, r->icmp6.items[i].hi, &count);
	out_text(o, "]");
}

static void put_flag_bits(struct out *o, uint32_t bits)
{
	bool first = true;

	if (!bits)
		out_text(o, "none");
	for (size_t i = 0; i < spec_flag_words.n; i++)
		if (bits & spec_flag_words.items[i].value) {
			out_text(o, first ? "" : "+");
			out_text(o, spec_flag_words.items[i].name);
			first = false;
		}
}

static void put_flags(struct out *o, const struct spec_maskeds *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	out_key(o, "flags");
	out_list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		out_list_comma(o, i);
		put_flag_bits(o, f->items[i].value);
		if (f->items[i].mask != f->items[i].value) {
			out_text(o, "/");
			put_flag_bits(o, f->items[i].mask);
		}
	}
	out_list_end(o, f->n);
}

static void put_masked(struct out *o, uint32_t value, uint32_t mask)
{
	if (mask == UINT32_MAX)
		out_printf(o, "%u", value);
	else
		out_printf(o, "\"0x%x/0x%x\"", value, mask);
}

static void put_marks(struct out *o, const struct spec_maskeds *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	out_key(o, "mark");
	out_list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		out_list_comma(o, i);
		put_masked(o, f->items[i].value, f->items[i].mask);
	}
	out_list_end(o, f->n);
}

static void put_macs(struct out *o, const struct spec_macs *f, bool neg)
{
	if (!f->set || f->neg != neg)
		return;
	out_key(o, "mac");
	out_list_begin(o, f->n);
	for (size_t i = 0; i < f->n; i++) {
		out_list_comma(o, i);
		out_mac(o, f->items[i].addr);
	}
	out_list_end(o, f->n);
}

static void put_frag(struct out *o, const struct spec_rule *r, bool neg)
{
	static const char *const words[] = { "none", "first", "later" };
	size_t n = (size_t)__builtin_popcount(r->frag), count = 0;

	if (!r->frag || r->frag_neg != neg)
		return;
	out_key(o, "frag");
	out_list_begin(o, n);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (r->frag & 1U << i) {
			out_list_comma(o, count++);
			out_text(o, words[i]);
		}
	out_list_end(o, n);
}

/* --- rules ------------------------------------------------------------------------------------------------------ */

static bool has_not(const struct spec_rule *r)
{
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		if (r->addr[i].neg)
			return true;
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		if (r->port[i].neg)
			return true;
	return r->proto.neg || r->dscp.neg || r->vlan.neg || r->length.neg || r->flags.neg || r->mark.neg ||
	       r->mac.neg || r->frag_neg;
}

static void put_match(struct out *o, const struct spec *s, const struct spec_rule *r, bool neg)
{
	static const char *const addr[] = {
		[SPEC_REMOTE] = "remote", [SPEC_LOCAL] = "local", [SPEC_SRC] = "src", [SPEC_DST] = "dst"
	};
	static const char *const port[] = { [SPEC_PORT] = "port",
					    [SPEC_LOCAL_PORT] = "local-port",
					    [SPEC_SPORT] = "sport",
					    [SPEC_DPORT] = "dport" };

	_Static_assert(ARRAY_SIZE(addr) == SPEC_ADDR_MAX && ARRAY_SIZE(port) == SPEC_PORT_MAX,
		       "a word for each");
	for (int i = 0; i < SPEC_ADDR_MAX; i++)
		put_addrs(o, s, addr[i], &r->addr[i], neg);
	put_ranges(o, "proto", &r->proto, &spec_proto_words, neg);
	for (int i = 0; i < SPEC_PORT_MAX; i++)
		put_ranges(o, port[i], &r->port[i], NULL, neg);
	put_ranges(o, "dscp", &r->dscp, &spec_dscp_words, neg);
	put_flags(o, &r->flags, neg);
	if (!neg)
		put_icmp(o, r);
	put_vlan(o, &r->vlan, neg);
	put_macs(o, &r->mac, neg);
	put_ranges(o, "length", &r->length, NULL, neg);
	put_frag(o, r, neg);
	put_marks(o, &r->mark, neg);
}

static void put_rule(struct out *o, const struct spec *s, const struct spec_rule *r)
{
	out_text(o, "    - ");
	out_map_begin(o);
	if (r->name) {
		out_key(o, "name");
		out_name(o, r->name);
	}
	put_match(o, s, r, false);
	if (has_not(r)) {
		out_key(o, "not");
		out_map_begin(o);
		put_match(o, s, r, true);
		out_map_end(o);
	}
	out_key(o, "class");
	out_name(o, s->classes[r->class].name);
	out_map_end(o);
	out_text(o, "\n");
}

/* --- sections ------------------------------------------------------------------------------------------------------ */

static void put_entry(struct out *o, const char *name)
{
	out_text(o, "  ");
	out_name(o, name);
	out_text(o, ":");
}

static void put_sets(struct out *o, const struct spec *s)
{
	if (s->n_sets)
		out_text(o, "sets:\n");
	for (size_t i = 0; i < s->n_sets; i++) {
		put_entry(o, s->sets[i].name);
		out_text(o, s->sets[i].n_items ? "\n    items:\n" : " { items: [] }\n");
		for (size_t k = 0; k < s->sets[i].n_items; k++) {
			out_text(o, "      - ");
			out_prefix(o, &s->sets[i].items[k]);
			out_text(o, "\n");
		}
	}
}

static void put_classes(struct out *o, const struct spec *s)
{
	if (s->n_classes > TCCTL_CLASS_FIRST)
		out_text(o, "classes:\n");
	for (size_t i = TCCTL_CLASS_FIRST; i < s->n_classes; i++) {
		const struct spec_class *c = &s->classes[i];

		put_entry(o, c->name);
		out_text(o, " ");
		out_map_begin(o);
		if (c->flags & (TCCTL_C_DSCP | TCCTL_C_DSCP_IF_UNSET)) {
			out_key(o, c->flags & TCCTL_C_DSCP ? "dscp" : "dscp-if-unset");
			out_number(o, c->dscp, &spec_dscp_words);
		}
		if (c->flags & TCCTL_C_MARK) {
			out_key(o, "mark");
			put_masked(o, c->mark, c->mark_mask);
		}
		if (c->flags & TCCTL_C_PRIORITY) {
			out_key(o, c->is_classid ? "classid" : "priority");
			if (c->is_classid)
				out_printf(o, "\"%x:%x\"", c->priority >> 16, c->priority & 0xffff);
			else
				out_printf(o, "%u", c->priority);
		}
		if (c->flags & TCCTL_C_QUEUE) {
			out_key(o, "queue");
			out_printf(o, "%u", c->queue);
		}
		if (c->flags & TCCTL_C_TC_INDEX) {
			out_key(o, "tc-index");
			out_printf(o, "%u", c->tc_index);
		}
		if (c->flags & TCCTL_C_TUNNEL) {
			out_key(o, "tunnel");
			out_name(o, c->tunnel == SPEC_NONE ? "keep" : s->tunnels[c->tunnel].name);
		}
		out_map_end(o);
		out_text(o, "\n");
	}
}

static void put_programs(struct out *o, const struct spec *s)
{
	if (s->n_programs)
		out_text(o, "programs:\n");
	for (size_t i = 0; i < s->n_programs; i++) {
		put_entry(o, s->programs[i].name);
		out_text(o, " ");
		out_map_begin(o);
		out_key(o, "object");
		out_quoted(o, s->programs[i].object);
		out_key(o, "program");
		out_name(o, s->programs[i].program);
		out_map_end(o);
		out_text(o, "\n");
	}
}

static void put_rulesets(struct out *o, const struct spec *s)
{
	if (s->n_rulesets)
		out_text(o, "rules:\n");
	for (size_t i = 0; i < s->n_rulesets; i++) {
		put_entry(o, s->rulesets[i].name);
		out_text(o, s->rulesets[i].n_rules ? "\n" : " []\n");
		for (size_t k = 0; k < s->rulesets[i].n_rules; k++)
			put_rule(o, s, &s->rulesets[i].rules[k]);
	}
}

static void put_run(struct out *o, const struct spec *s, const struct spec_run *r)
{
	out_map_begin(o);
	out_key(o, "program");
	out_name(o, s->programs[r->program].name);
	out_key(o, r->at == SPEC_AFTER_STAGE ? "after" : "at");
	switch (r->at) {
	case SPEC_AT_L3: out_text(o, spec_word_of(&spec_l3_words, r->slot)); break;
	case SPEC_AT_L4: out_printf(o, "\"proto/%s\"", spec_word_of(&spec_l4_words, r->slot)); break;
	case SPEC_AT_UDP_PORT: out_printf(o, "\"udp/%u\"", r->slot); break;
	default: out_text(o, spec_word_of(&spec_stage_words, r->slot));
	}
	out_map_end(o);
}

static void put_hook_settings(struct out *o, const struct spec *s, const struct spec_hook *h)
{
	if (h->ruleset != SPEC_NONE) {
		out_key(o, "rules");
		out_name(o, s->rulesets[h->ruleset].name);
	}
	if (h->mode == SPEC_MODE_OBSERVE) {
		out_key(o, "mode");
		out_text(o, "observe");
	}
	if (h->verdict == SPEC_VERDICT_OK) {
		out_key(o, "verdict");
		out_text(o, "ok");
	}
	spec_emit_hook_tunnels(o, s, h);
	if (!h->n_runs)
		return;
	out_key(o, "run");
	out_text(o, "[");
	for (size_t i = 0; i < h->n_runs; i++) {
		out_list_comma(o, i);
		put_run(o, s, &h->runs[i]);
	}
	out_text(o, "]");
	o->first = false;
}

/* What is said for the interface would hold for one of its directions only. */
static bool has_tunnels(const struct spec_hook *h)
{
	return h->n_decaps || h->encap != SPEC_NONE || h->n_routes;
}

static void put_interface(struct out *o, const struct spec *s, const struct spec_interface *in)
{
	static const char *const words[] = { [SPEC_INGRESS] = "ingress", [SPEC_EGRESS] = "egress" };

	_Static_assert(ARRAY_SIZE(words) == SPEC_DIR_MAX, "a word for each direction");
	put_entry(o, in->key);
	out_text(o, " ");
	out_map_begin(o);
	if (in->has_mac || in->altname) {
		out_key(o, "match");
		out_map_begin(o);
		if (in->has_mac) {
			out_key(o, "mac");
			out_mac(o, in->mac);
		}
		if (in->altname) {
			out_key(o, "altname");
			out_quoted(o, in->altname);
		}
		out_map_end(o);
	}
	if (in->optional) {
		out_key(o, "optional");
		out_text(o, "true");
	}
	if (in->side == SPEC_SIDE_LAN) {
		out_key(o, "side");
		out_text(o, "lan");
	}
	if (spec_hook_equal(&in->hook[SPEC_INGRESS], &in->hook[SPEC_EGRESS]) && !has_tunnels(&in->hook[SPEC_INGRESS])) {
		put_hook_settings(o, s, &in->hook[SPEC_INGRESS]);
	} else {
		for (int d = 0; d < SPEC_DIR_MAX; d++) {
			out_key(o, words[d]);
			if (!in->hook[d].enabled) {
				out_text(o, "false");
				continue;
			}
			out_map_begin(o);
			put_hook_settings(o, s, &in->hook[d]);
			out_map_end(o);
		}
	}
	out_map_end(o);
	out_text(o, "\n");
}

int spec_emit(const struct spec *s, char **ret_text, size_t *ret_len)
{
	struct out o = { 0 };

	out_printf(&o, "tcctl: %d\nname: ", SPEC_VERSION);
	out_name(&o, s->name);
	out_text(&o, "\n");
	put_sets(&o, s);
	spec_emit_tunnels(&o, s);
	put_classes(&o, s);
	put_programs(&o, s);
	put_rulesets(&o, s);
	if (s->n_interfaces)
		out_text(&o, "interfaces:\n");
	for (size_t i = 0; i < s->n_interfaces; i++)
		put_interface(&o, s, &s->interfaces[i]);
	out_bytes(&o, "", 1);
	if (o.oom) {
		free(o.text);
		return -ENOMEM;
	}
	*ret_text = o.text;
	*ret_len = o.n - 1;
	return 0;
}
