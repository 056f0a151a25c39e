// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tunnels as YAML again. What is the default of a type is left out, unless leaving it out would say less. */
#include <string.h>

#include "spec/out.h"
#include "spec/tunnel_impl.h"

static void put_key_number(struct out *o, const char *key, uint32_t value)
{
	out_key(o, key);
	out_printf(o, "%u", value);
}

static void put_key_text(struct out *o, const char *key, const char *text)
{
	out_key(o, key);
	out_text(o, text);
}

static void put_prefixes(struct out *o, const char *key, const struct spec_prefix *items, size_t n)
{
	if (!n)
		return;
	out_key(o, key);
	out_list_begin(o, n);
	for (size_t i = 0; i < n; i++) {
		out_list_comma(o, i);
		out_prefix(o, &items[i]);
	}
	out_list_end(o, n);
}

static void put_id(struct out *o, const struct spec_tunnel *t)
{
	const char *key = spec_tunnel_id_key(t->type);

	if (!key || !t->has_id || t->n_labels)
		return;
	out_key(o, key);
	if (t->id == t->id_out)
		out_printf(o, "%u", t->id);
	else
		out_printf(o, "{ in: %u, out: %u }", t->id, t->id_out);
}

static void put_labels(struct out *o, const struct spec_tunnel *t)
{
	if (!t->n_labels)
		return;
	out_key(o, "labels");
	out_printf(o, "{ in: %u, out: [", t->id);
	for (size_t i = 0; i < t->n_labels; i++) {
		out_list_comma(o, i);
		out_printf(o, "%u", t->labels[i]);
	}
	out_text(o, "] }");
}

static void put_tags(struct out *o, const struct spec_tunnel *t)
{
	if (!t->n_tags)
		return;
	out_key(o, "tags");
	out_list_begin(o, t->n_tags);
	for (size_t i = 0; i < t->n_tags; i++) {
		const struct spec_tag *tag = &t->tags[i];

		out_list_comma(o, i);
		out_printf(o, "{ id: %u, proto: \"%s\", pcp: ", tag->id, tag->proto == 0x88a8 ? "802.1ad" : "802.1Q");
		if (tag->pcp < 0)
			out_text(o, "inherit }");
		else
			out_printf(o, "%d }", tag->pcp);
	}
	out_list_end(o, t->n_tags);
}

static void put_options(struct out *o, const struct spec_tunnel *t)
{
	if (!t->options_len)
		return;
	out_key(o, "options");
	out_text(o, "[");
	for (size_t i = 0, n; i + 4 <= t->options_len; i += 4 + n) {
		const uint8_t *p = t->options + i;

		n = 4U * (p[3] & 0x1f);
		out_list_comma(o, i);
		out_printf(o, "{ class: %u, type: %u, data: \"", p[0] << 8 | p[1], p[2]);
		for (size_t k = 0; k < n; k++)
			out_printf(o, "%02x", p[4 + k]);
		out_text(o, "\" }");
	}
	out_text(o, "]");
}

static void put_outer(struct out *o, const struct spec_tunnel *t)
{
	if (t->port) {
		put_key_number(o, "port", t->port);
		out_key(o, "sport");
		out_printf(o, "\"%u-%u\"", t->sport_min, t->sport_max);
	}
	if (t->flags & TCCTL_TF_TTL_INHERIT)
		put_key_text(o, "ttl", "inherit");
	else if (t->ttl != 64)
		put_key_number(o, "ttl", t->ttl);
	if (!(t->flags & TCCTL_TF_DSCP_INHERIT)) {
		out_key(o, "dscp");
		out_number(o, t->dscp, &spec_dscp_words);
	}
	if (t->df != SPEC_DF_SET)
		put_key_text(o, "df", spec_df_words[t->df]);
	if (t->flags & TCCTL_TF_ECN_OFF)
		put_key_text(o, "ecn", "false");
	if (t->flags & (TCCTL_TF_CSUM | TCCTL_TF_CSUM_IN)) {
		out_key(o, "csum");
		out_printf(o, "{ in: %s, out: %s }", t->flags & TCCTL_TF_CSUM_IN ? "true" : "false",
			   t->flags & TCCTL_TF_CSUM ? "true" : "false");
	}
	if (t->flags & TCCTL_TF_SEQ)
		put_key_text(o, "seq", "true");
	if (t->flags & TCCTL_TF_GBP)
		put_key_text(o, "gbp", "true");
	if (t->mark)
		put_key_number(o, "mark", t->mark);
}

static void put_gtpu(struct out *o, const struct spec_tunnel *t)
{
	if (t->pdu == SPEC_PDU_NONE)
		return;
	put_key_text(o, "pdu", t->pdu == SPEC_PDU_UPLINK ? "uplink" : "downlink");
	if (t->qfi)
		put_key_number(o, "qfi", t->qfi);
	if (!t->n_qfis)
		return;
	out_key(o, "qfi-map");
	out_map_begin(o);
	for (size_t i = 0; i < t->n_qfis; i++) {
		out_text(o, o->first ? " " : ", ");
		o->first = false;
		out_number(o, t->qfis[i].dscp, &spec_dscp_words);
		out_printf(o, ": %u", t->qfis[i].qfi);
	}
	out_map_end(o);
}

static void put_station(struct out *o, const struct spec_station *s)
{
	out_printf(o, "{ remote: ");
	out_prefix(o, &s->remote);
	if (s->id)
		out_printf(o, ", vni: %u", s->id);
	if (s->vlan)
		out_printf(o, ", vlan: %u", s->vlan);
	out_text(o, " }");
}

/* A MAC address is a key once, with all its VLANs. */
static void put_stations(struct out *o, const struct spec_tunnel *t)
{
	out_key(o, "stations");
	out_map_begin(o);
	for (size_t i = 0, n; i < t->n_stations; i += n) {
		for (n = 1; i + n < t->n_stations; n++)
			if (memcmp(t->stations[i].mac, t->stations[i + n].mac, 6))
				break;
		out_text(o, o->first ? " " : ", ");
		o->first = false;
		out_mac(o, t->stations[i].mac);
		out_text(o, ": ");
		out_list_begin(o, n);
		for (size_t k = 0; k < n; k++) {
			out_list_comma(o, k);
			put_station(o, &t->stations[i + k]);
		}
		out_list_end(o, n);
	}
	out_map_end(o);
}

static void put_fdb(struct out *o, const struct spec_tunnel *t)
{
	if (!(t->flags & TCCTL_TF_FDB))
		return;
	out_key(o, "fdb");
	out_map_begin(o);
	put_key_text(o, "learn", t->flags & TCCTL_TF_LEARN ? "true" : "false");
	if (t->ageing != SPEC_AGEING) {
		out_key(o, "ageing");
		out_printf(o, "%us", t->ageing);
	}
	put_prefixes(o, "flood", t->flood, t->n_flood);
	if (t->n_stations)
		put_stations(o, t);
	out_map_end(o);
}

static void put_tunnel(struct out *o, const struct spec_tunnel *t)
{
	const uint32_t payload = t->flags & (SPEC_INNER_IP | TCCTL_TF_INNER_ETH);

	out_map_begin(o);
	put_key_text(o, "type", spec_word_of(&spec_tunnel_words, t->type));
	if (t->mode == SPEC_TUNNEL_METADATA)
		put_key_text(o, "mode", "metadata");
	if (t->type != TCCTL_T_VLAN)
		put_key_text(o, "inner", spec_word_of(&spec_inner_words, payload));
	if (t->has_local)
		put_prefixes(o, "local", &t->local, 1);
	put_prefixes(o, "remote", t->remotes, t->n_remotes);
	put_id(o, t);
	put_labels(o, t);
	put_tags(o, t);
	put_options(o, t);
	if (t->type != TCCTL_T_VLAN)
		put_outer(o, t);
	put_gtpu(o, t);
	if (t->mtu)
		put_key_number(o, "mtu", t->mtu);
	if (t->flags & TCCTL_TF_MSS)
		put_key_text(o, "clamp-mss", "true");
	if (t->device) {
		out_key(o, "device");
		out_quoted(o, t->device);
	}
	if (t->underlay) {
		out_key(o, "underlay");
		out_quoted(o, t->underlay);
	}
	put_fdb(o, t);
	out_map_end(o);
}

void spec_emit_tunnels(struct out *o, const struct spec *s)
{
	if (s->n_tunnels)
		out_text(o, "tunnels:\n");
	for (size_t i = 0; i < s->n_tunnels; i++) {
		out_text(o, "  ");
		out_name(o, s->tunnels[i].name);
		out_text(o, ": ");
		put_tunnel(o, &s->tunnels[i]);
		out_text(o, "\n");
	}
}

/* --- the keys of an interface ----------------------------------------------------------------------------- */

static void put_decap(struct out *o, const struct spec *s, const struct spec_hook *h)
{
	out_key(o, "decap");
	out_text(o, "{ tunnels: ");
	out_list_begin(o, h->n_decaps);
	for (size_t i = 0; i < h->n_decaps; i++) {
		out_list_comma(o, i);
		out_name(o, s->tunnels[h->decaps[i]].name);
	}
	out_list_end(o, h->n_decaps);
	out_printf(o, ", unknown: %s }", h->refuse_unknown ? "drop" : "stack");
}

void spec_emit_hook_tunnels(struct out *o, const struct spec *s, const struct spec_hook *h)
{
	if (h->n_decaps)
		put_decap(o, s, h);
	if (h->encap == SPEC_NONE && !h->n_routes)
		return;
	out_key(o, "encap");
	out_text(o, "[");
	if (h->encap != SPEC_NONE) {
		out_text(o, "{ tunnel: ");
		out_name(o, s->tunnels[h->encap].name);
		out_text(o, " }");
	}
	for (size_t i = 0; i < h->n_routes; i++) {
		const struct spec_route *r = &h->routes[i];

		out_list_comma(o, i + (h->encap != SPEC_NONE));
		out_map_begin(o);
		put_prefixes(o, "dst", r->prefixes, r->n_prefixes);
		out_key(o, "tunnel");
		if (r->tunnel == SPEC_NONE)
			out_text(o, "keep");
		else
			out_name(o, s->tunnels[r->tunnel].name);
		out_map_end(o);
	}
	out_text(o, "]");
	o->first = false;
}
