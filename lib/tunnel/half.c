// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tunnel/half.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "tcctl/abi.h"
#include "tunnel/shapes.h"
#include "util.h"

const struct tunnel_shape tunnel_shapes[] = {
	[TUNNEL_ROWS] = { "tunnels", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct tcctl_tunnel), BPF_F_INNER_MAP },
	[TUNNEL_DECAPS] = { "decaps", BPF_MAP_TYPE_HASH, sizeof(struct tcctl_decap_key), 4, 0 },
	[TUNNEL_SOURCES] = { "sources", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct tcctl_source_key), 4,
			     BPF_F_NO_PREALLOC },
	[TUNNEL_ROUTES] = { "routes", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct tcctl_route_key), 4,
			    BPF_F_NO_PREALLOC },
	[TUNNEL_STATIONS] = { "stations", BPF_MAP_TYPE_HASH, sizeof(struct tcctl_station_key),
			      sizeof(struct tcctl_station), 0 },
	[TUNNEL_REMOTES] = { "remotes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct tcctl_remote), BPF_F_INNER_MAP },
	[TUNNEL_DEVICES] = { "devices", BPF_MAP_TYPE_HASH, 4, 4, 0 },
};
_Static_assert(ARRAY_SIZE(tunnel_shapes) == TUNNEL_TABLE_MAX, "a shape for each table");

const char *tunnel_table_name(enum tunnel_table table)
{
	return tunnel_shapes[table].name;
}

uint32_t tunnel_counters(uint32_t id)
{
	return TCCTL_CHUNK_TUNNELS * TCCTL_CHUNK + id * TCCTL_TUN_MAX;
}

struct making {
	const struct tunnel_half_want *want;
	struct tunnel_half half;
	struct tcctl_tunnel_settings settings;
	uint32_t groups;
	/* keys without remote, which tunnels may share: hash of indices into the entries of TUNNEL_DECAPS, plus 1 */
	uint32_t *shared;
	uint32_t shared_mask; /* of twice as many slots as there can be keys */
};

/* A new entry; NULL: no memory. Its key and value are zero. */
static void *add(struct making *m, enum tunnel_table table, void **ret_value)
{
	const struct tunnel_shape *s = &tunnel_shapes[table];
	struct tunnel_entries *e = &m->half.tables[table];
	void *key;

	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 8;
		void *keys = realloc(e->keys, cap * s->key_size), *values;

		if (!keys)
			return NULL;
		e->keys = keys;
		values = realloc(e->values, cap * s->value_size);
		if (!values)
			return NULL;
		e->values = values;
		e->cap = cap;
	}
	key = (char *)e->keys + e->n * s->key_size;
	*ret_value = (char *)e->values + e->n * s->value_size;
	memset(key, 0, s->key_size);
	memset(*ret_value, 0, s->value_size);
	e->n++;
	return key;
}

static void put_address(uint8_t to[16], const struct spec_prefix *p)
{
	memcpy(to, p->addr, p->family == 4 ? 4 : 16);
}

/* --- what arrives ----------------------------------------------------------------------------------------- */

static int add_decap(struct making *m, const struct tcctl_decap_key *key, uint32_t value)
{
	static const uint8_t any[16];
	const bool local = memcmp(key->local, any, 16), remote = memcmp(key->remote, any, 16);
	void *v, *k = add(m, TUNNEL_DECAPS, &v);

	if (!k)
		return -ENOMEM;
	memcpy(k, key, sizeof(*key));
	memcpy(v, &value, sizeof(value));
	m->settings.flags |= local && remote ? TCCTL_TS_BOTH :
			     local	     ? TCCTL_TS_LOCAL :
			     remote	     ? TCCTL_TS_REMOTE :
					       TCCTL_TS_ANY;
	return 0;
}

static int add_source(struct making *m, uint32_t group, const struct spec_prefix *p, uint32_t id)
{
	struct tcctl_source_key *k;
	void *v;

	k = add(m, TUNNEL_SOURCES, &v);
	if (!k)
		return -ENOMEM;
	k->prefixlen = 32 + (p ? p->len : 0);
	k->group = group;
	if (p)
		put_address(k->addr, p);
	memcpy(v, &id, sizeof(id));
	return 0;
}

static uint32_t *shared_slot(const struct making *m, const struct tcctl_decap_key *key)
{
	const struct tcctl_decap_key *keys = m->half.tables[TUNNEL_DECAPS].keys;
	uint32_t i = (uint32_t)digest_bytes(DIGEST_INIT, key, sizeof(*key)) & m->shared_mask;

	while (m->shared[i] && memcmp(&keys[m->shared[i] - 1], key, sizeof(*key)))
		i = (i + 1) & m->shared_mask;
	return &m->shared[i];
}

static int add_shared(struct making *m, const struct tcctl_decap_key *key, uint32_t value)
{
	uint32_t *slot = shared_slot(m, key);
	int err = add_decap(m, key, value);

	if (!err)
		*slot = (uint32_t)m->half.tables[TUNNEL_DECAPS].n;
	return err;
}

/* Who else accepts packets of this key from prefixes, or from anybody? Its value, or NULL. */
static uint32_t *find_shared(const struct making *m, const struct tcctl_decap_key *key)
{
	const uint32_t at = *shared_slot(m, key);

	return at ? (uint32_t *)m->half.tables[TUNNEL_DECAPS].values + at - 1 : NULL;
}

static int shared_init(struct making *m)
{
	size_t n = 4;

	while (n < 4 * m->want->hook->n_decaps) /* a tunnel has two keys at most */
		n *= 2;
	m->shared = calloc(n, sizeof(*m->shared));
	m->shared_mask = (uint32_t)n - 1;
	return m->shared ? 0 : -ENOMEM;
}

/* The group behind a key without remote, made of what is there already. */
static int group_of(struct making *m, const struct tcctl_decap_key *key, uint32_t *ret_group)
{
	uint32_t *value = find_shared(m, key), group, tunnel;

	if (value && *value & TCCTL_DECAP_GROUP) {
		*ret_group = *value & ~TCCTL_DECAP_GROUP;
		return 0;
	}
	*ret_group = group = m->groups++;
	if (!value)
		return add_shared(m, key, TCCTL_DECAP_GROUP | group);
	tunnel = *value; /* it takes what no prefix does */
	*value = TCCTL_DECAP_GROUP | group;
	return add_source(m, group, NULL, tunnel);
}

static int add_arrivals(struct making *m, const struct spec_tunnel *t, uint32_t id)
{
	struct tcctl_decap_key keys[2];
	const unsigned int n = tunnel_decap_keys(t, keys);
	bool prefixes = false;
	int err = 0;

	for (size_t i = 0; i < t->n_remotes; i++)
		prefixes |= !spec_is_host(&t->remotes[i]);
	for (unsigned int k = 0; k < n && !err; k++) {
		uint32_t group = 0, *value;

		if (prefixes) {
			err = group_of(m, &keys[k], &group);
		} else if (!t->n_remotes) {
			value = find_shared(m, &keys[k]);
			err = value ? add_source(m, *value & ~TCCTL_DECAP_GROUP, NULL, id) :
				      add_shared(m, &keys[k], id);
		}
		for (size_t i = 0; i < t->n_remotes && !err; i++) {
			struct tcctl_decap_key key = keys[k];

			if (key.family && t->remotes[i].family != key.family)
				continue;
			if (!spec_is_host(&t->remotes[i])) {
				err = add_source(m, group, &t->remotes[i], id);
				continue;
			}
			put_address(key.remote, &t->remotes[i]);
			err = add_decap(m, &key, id);
		}
	}
	return err;
}

/* --- where packets go ------------------------------------------------------------------------------------- */

static uint32_t id_of(const struct making *m, int tunnel)
{
	return tunnel == SPEC_NONE ? 0 : m->want->ids[tunnel];
}

static int add_routes(struct making *m)
{
	const struct spec_hook *hook = m->want->hook;

	for (size_t i = 0; i < hook->n_routes; i++) {
		const struct spec_route *r = &hook->routes[i];
		const uint32_t id = id_of(m, r->tunnel);

		for (size_t k = 0; k < r->n_prefixes; k++) {
			struct tcctl_route_key *key;
			void *v;

			key = add(m, TUNNEL_ROUTES, &v);
			if (!key)
				return -ENOMEM;
			key->prefixlen = 32 + r->prefixes[k].len;
			key->family = r->prefixes[k].family;
			put_address(key->addr, &r->prefixes[k]);
			memcpy(v, &id, sizeof(id));
		}
	}
	if (m->half.tables[TUNNEL_ROUTES].n)
		m->settings.flags |= TCCTL_TS_ROUTES;
	return 0;
}

static int add_device(struct making *m, uint32_t ifindex, uint32_t id)
{
	uint32_t *key;
	void *v;

	if (!ifindex)
		return 0;
	key = add(m, TUNNEL_DEVICES, &v);
	if (!key)
		return -ENOMEM;
	*key = ifindex;
	memcpy(v, &id, sizeof(id));
	return 0;
}

/* Packets leave through the device, or arrive at its other end, whichever the hook is at. */
static int add_devices(struct making *m)
{
	const struct tunnel_half_want *w = m->want;
	int err = 0;

	if (!w->hook->by_device)
		return 0;
	for (size_t i = 0; i < w->spec->n_tunnels && !err; i++) {
		if (!w->hook->by_device[i])
			continue;
		err = add_device(m, w->resolved[i].device, w->ids[i]);
		if (!err)
			err = add_device(m, w->resolved[i].end, w->ids[i]);
	}
	m->settings.flags |= TCCTL_TS_DEVICE;
	return err;
}

static int add_forwarding(struct making *m, const struct spec_tunnel *t, uint32_t id)
{
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct spec_station *s = &t->stations[i];
		struct tcctl_station_key *key;
		struct tcctl_station *station;
		void *v;

		key = add(m, TUNNEL_STATIONS, &v);
		if (!key)
			return -ENOMEM;
		station = v;
		key->tunnel = (uint16_t)id;
		key->vlan = s->vlan;
		memcpy(key->mac, s->mac, sizeof(key->mac));
		put_address(station->addr, &s->remote);
		station->id = s->id;
	}
	for (size_t i = 0; i < t->n_flood; i++) {
		uint32_t *key;
		void *v;

		key = add(m, TUNNEL_REMOTES, &v);
		if (!key)
			return -ENOMEM;
		*key = (uint32_t)m->half.tables[TUNNEL_REMOTES].n - 1;
		put_address(((struct tcctl_remote *)v)->addr, &t->flood[i]);
	}
	return 0;
}

/* --- rows --------------------------------------------------------------------------------------------------- */

static int make_rows(struct making *m)
{
	const struct tunnel_half_want *w = m->want;
	uint32_t top = 0, *key;
	void *v;

	for (size_t i = 0; i < w->n_tunnels; i++)
		if (w->ids[w->tunnels[i].tunnel] > top)
			top = w->ids[w->tunnels[i].tunnel];
	for (uint32_t i = 0; i <= top; i++) {
		key = add(m, TUNNEL_ROWS, &v);
		if (!key)
			return -ENOMEM;
		*key = i;
	}
	for (size_t i = 0; i < w->n_tunnels; i++) {
		const struct spec_tunnel *t = &w->spec->tunnels[w->tunnels[i].tunnel];
		struct tunnel_resolved r = w->resolved[w->tunnels[i].tunnel];
		const uint32_t id = w->ids[w->tunnels[i].tunnel];
		int err;

		if (m->half.tables[TUNNEL_REMOTES].n > UINT16_MAX)
			return -E2BIG;
		r.flags |= w->flags;
		r.counters = tunnel_counters(id);
		r.flood_first = (uint16_t)m->half.tables[TUNNEL_REMOTES].n;
		err = tunnel_row_build(t, &r, (struct tcctl_tunnel *)m->half.tables[TUNNEL_ROWS].values + id);
		if (!err)
			err = add_forwarding(m, t, id);
		if (err)
			return err;
	}
	return 0;
}

int tunnel_half_make(const struct tunnel_half_want *want, struct tunnel_half *ret)
{
	struct making m = { .want = want };
	int err;

	err = shared_init(&m);
	if (!err)
		err = make_rows(&m);
	for (size_t i = 0; i < want->hook->n_decaps && !err; i++) {
		const struct spec_tunnel *t = &want->spec->tunnels[want->hook->decaps[i]];

		err = add_arrivals(&m, t, want->ids[want->hook->decaps[i]]);
		if (want->hook->refuse_unknown)
			m.settings.unknown_types |=
				1U << (t->mode == SPEC_TUNNEL_METADATA ? TCCTL_T_METADATA : t->type);
	}
	if (!err)
		err = add_routes(&m);
	if (!err)
		err = add_devices(&m);
	free(m.shared);
	if (err) {
		tunnel_half_done(&m.half);
		return err;
	}
	m.settings.encap = id_of(&m, want->hook->encap);
	memcpy(m.half.tables[TUNNEL_ROWS].values, &m.settings, sizeof(m.settings));
	*ret = m.half;
	return 0;
}

void tunnel_half_done(struct tunnel_half *half)
{
	for (int i = 0; i < TUNNEL_TABLE_MAX; i++) {
		free(half->tables[i].keys);
		free(half->tables[i].values);
	}
	*half = (struct tunnel_half){};
}

uint64_t tunnel_entries_digest(const struct tunnel_entries *e, enum tunnel_table table)
{
	uint64_t h = digest_u64(DIGEST_INIT, e->n);

	h = digest_bytes(h, e->keys, e->n * tunnel_shapes[table].key_size);
	return digest_bytes(h, e->values, e->n * tunnel_shapes[table].value_size);
}
