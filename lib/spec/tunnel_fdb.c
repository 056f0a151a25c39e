// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `fdb`: where a tunnel with Ethernet inside sends a frame. */
#include <string.h>

#include "spec/tunnel_impl.h"

/* What a forwarding table's keys are read into. */
struct fdb_reader {
	struct spec_tunnel *t;
	bool learn;
};

static void parse_learn(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct fdb_reader *f = dst;

	spec_bool(c, v, key->name, &f->learn);
}

static void parse_ageing(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct fdb_reader *f = dst;

	spec_seconds(c, v, key->name, &f->t->ageing);
}

static void parse_flood(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct fdb_reader *f = dst;
	const struct yaml_node *const *items;
	size_t n;

	items = spec_list(c, &v, key->name, &n);
	if (n > TCCTL_FLOOD_MAX) {
		spec_error(
			c, v,
			"flood: %zu remotes, at most %d are possible: each gets a copy of every such frame",
			n, TCCTL_FLOOD_MAX);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct spec_tunnel *t = f->t;
		struct spec_prefix p;
		size_t k = 0;

		if (!spec_host(c, items[i], key->name, &p))
			continue;
		while (k < t->n_flood && spec_prefix_compare(&t->flood[k], &p))
			k++;
		if (k < t->n_flood)
			spec_error(c, items[i], "flood: %s is given twice", items[i]->text);
		else if (spec_grow(c, &t->flood, t->n_flood, sizeof(p)))
			t->flood[t->n_flood++] = p;
	}
}

/* --- stations ------------------------------------------------------------------------------------------- */

static void station_remote(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct spec_station *s = dst;

	spec_host(c, v, key->name, &s->remote);
}

static void station_vni(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_station *s = dst;

	spec_uint(c, v, key->name, 1, SPEC_VNI_MAX, &s->id);
}

static void station_vlan(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_station *s = dst;
	uint32_t value = 0;

	spec_uint(c, v, key->name, 1, 4094, &value);
	s->vlan = (uint16_t)value;
}

enum { STATION_REMOTE, STATION_VNI, STATION_VLAN };
static const struct spec_key station_keys[] = {
	[STATION_REMOTE] = { .name = "remote", .parse = station_remote },
	[STATION_VNI] = { .name = "vni", .parse = station_vni },
	[STATION_VLAN] = { .name = "vlan", .parse = station_vlan },
};

static void station(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t,
		    const uint8_t mac[6])
{
	const struct yaml_pair *seen[ARRAY_SIZE(station_keys)] = { 0 };
	struct spec_station s = { .loc = spec_loc(c, v) };

	memcpy(s.mac, mac, sizeof(s.mac));
	if (v->kind == YAML_MAP) {
		if (!spec_map(c, v, "a station", station_keys, ARRAY_SIZE(station_keys), &s, seen))
			return;
		if (!seen[STATION_REMOTE] && spec_lacks(v, "remote", station_keys, ARRAY_SIZE(station_keys)))
			spec_error(c, v, "stations: the station lacks `remote`");
		if (seen[STATION_VNI] && t->type == TCCTL_T_GRE)
			spec_error(c, seen[STATION_VNI]->key, "stations: GRE has no VNI");
	} else {
		spec_host(c, v, "stations", &s.remote);
	}
	if (spec_grow(c, &t->stations, t->n_stations, sizeof(s)))
		t->stations[t->n_stations++] = s;
}

static int by_address(const void *a, const void *b)
{
	const struct spec_station *x = a, *y = b;
	int r = memcmp(x->mac, y->mac, sizeof(x->mac));

	if (r || x->vlan != y->vlan)
		return r ? r : (int)x->vlan - (int)y->vlan;
	return x->loc.line != y->loc.line ? (x->loc.line < y->loc.line ? -1 : 1) :
					    (x->loc.col > y->loc.col) - (x->loc.col < y->loc.col);
}

/* In order. The same MAC address may be in several VLANs, but in each only once. */
static void settle_stations(struct spec_ctx *c, struct spec_tunnel *t)
{
	if (t->n_stations > 1)
		qsort(t->stations, t->n_stations, sizeof(*t->stations), by_address);
	for (size_t i = 1; i < t->n_stations; i++) {
		const struct spec_station *a = &t->stations[i - 1], *b = &t->stations[i];

		if (!memcmp(a->mac, b->mac, sizeof(a->mac)) && a->vlan == b->vlan)
			diag_error(c->diags, &b->loc,
				   "stations: this MAC address is given twice: first at line %u",
				   a->loc.line);
	}
}

static void parse_stations(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct fdb_reader *f = dst;

	if (v->kind != YAML_MAP) {
		diag_hint(spec_expected(c, v, key->name, "a map from MAC address to remote"),
			  "stations: { \"02:00:00:00:00:01\": 192.0.2.2 }");
		return;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		const struct yaml_node *k = v->pairs[i].key, *value = v->pairs[i].value;
		uint8_t mac[6];

		if (!spec_mac(c, k, key->name, mac))
			continue;
		if (mac[0] & 1) {
			diag_hint(spec_error(c, k, "stations: %s is a group address", k->text),
				  "frames to groups are sent to all remotes of `flood`");
			continue;
		}
		if (value->kind == YAML_LIST && value->n)
			for (uint32_t j = 0; j < value->n; j++)
				station(c, value->items[j], f->t, mac);
		else
			station(c, value, f->t, mac);
	}
	settle_stations(c, f->t);
}

static const struct spec_key fdb_keys[] = {
	{ .name = "learn", .parse = parse_learn },
	{ .name = "ageing", .parse = parse_ageing },
	{ .name = "flood", .parse = parse_flood },
	{ .name = "stations", .parse = parse_stations },
};

void spec_tunnel_fdb(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct fdb_reader f = { .t = dst, .learn = true };
	size_t errors = c->diags->n_errors;

	f.t->flags |= TCCTL_TF_FDB;
	if (!spec_map(c, v, "`fdb`", fdb_keys, ARRAY_SIZE(fdb_keys), &f, NULL))
		return;
	if (f.learn)
		f.t->flags |= TCCTL_TF_LEARN;
	if (!f.learn && !f.t->n_flood && !f.t->n_stations && errors == c->diags->n_errors)
		spec_error(
			c, v,
			"fdb: it learns nothing and knows nobody: expected `learn`, `flood` or `stations`");
}

void spec_tunnel_fdb_remotes(struct spec_ctx *c, const struct yaml_node *v, const struct spec_tunnel *t)
{
	for (size_t i = 0; i < t->n_flood; i++) {
		if (t->flood[i].family != t->family)
			spec_error(c, v, "flood: remotes must be IPv%d like `local`", t->family);
		else if (!spec_prefix_compare(&t->flood[i], &t->local))
			spec_error(c, v, "flood: one of the remotes is the same address as `local`");
		else
			continue;
		break;
	}
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct spec_station *s = &t->stations[i];

		if (!s->remote.family)
			continue;
		if (s->remote.family != t->family)
			diag_error(c->diags, &s->loc, "stations: the remote must be IPv%d like `local`",
				   t->family);
		else if (!spec_prefix_compare(&s->remote, &t->local))
			diag_error(c->diags, &s->loc, "stations: the remote is the same address as `local`");
		else
			continue;
		break;
	}
}
