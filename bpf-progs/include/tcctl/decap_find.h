/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decapsulation, first part: which tunnel an outer header belongs to. Included by tcctl/decap.h.
 *
 * A small table of answers in front, as for next hops (tcctl/hops.h), is not worth its lines: measured, it saves nothing.
 */
#ifndef TCCTL_DECAP_FIND_H
#define TCCTL_DECAP_FIND_H

/* The group's tunnel for the outer source address, or 0. */
static __always_inline __u32 tcctl_decap_group(struct __sk_buff *skb, struct tcctl_decap *d, __u32 group)
{
	const __u32 *value;
	void *map;

	d->source.group = group;
	d->source.prefixlen = d->key.family == 4 ? 32 + 32 : 32 + 128;
	map = tcctl_half(skb, sources);
	if (!map)
		return 0;
	value = bpf_map_lookup_elem(map, &d->source);
	return value ? *value : 0;
}

/* The key's addresses: any local one, any remote one. */
static __always_inline void tcctl_decap_any(__u8 *addr)
{
	__u32 *w = (__u32 *)addr;

	w[0] = w[1] = w[2] = w[3] = 0;
}

static __always_inline void tcctl_decap_copy(__u8 *to, const __u8 *from)
{
	__u32 *w = (__u32 *)to;
	const __u32 *v = (const __u32 *)from;

	w[0] = v[0];
	w[1] = v[1];
	w[2] = v[2];
	w[3] = v[3];
}

#define TCCTL_DECAP_TRY(bit, prepare)                                                    \
	do {                                                                             \
		if (!(settings->flags & (bit)))                                          \
			break;                                                           \
		prepare;                                                                 \
		value = bpf_map_lookup_elem(map, &d->key);                               \
		if (!value)                                                              \
			break;                                                           \
		id = *value;                                                             \
		if (tcctl_unlikely(id & TCCTL_DECAP_GROUP))                              \
			id = tcctl_decap_group(skb, d, id & ~TCCTL_DECAP_GROUP);              \
		if (id)                                                                  \
			goto found;                                                      \
	} while (0)

/*
 * The tunnel of a packet: type, port (0 without UDP) and id of its header, addresses by tcctl_decap_begin(). Sets d->tunnel and d->flags.
 * NULL: leave by tcctl_decap_stranger().
 */
static __always_inline const struct tcctl_tunnel *tcctl_decap_find(struct __sk_buff *skb, struct tcctl_decap *d, __u8 type,
								   bool ipv4, __u32 port, __u32 key_id, __u32 has_id)
{
	const struct tcctl_tunnel_settings *settings;
	const struct tcctl_tunnel *row;
	const __u32 *value;
	void *rows, *map;
	__u32 id;

	d->unknown = 0;
	d->key.type = type;
	d->key.family = ipv4 ? 4 : 6;
	d->key.port = port;
	d->key.id = key_id;
	d->key.has_id = has_id;
	rows = tcctl_half(skb, tunnels);
	if (tcctl_unlikely(!rows))
		return NULL;
	settings = bpf_map_lookup_elem(rows, &d->zero);
	if (tcctl_unlikely(!settings))
		return NULL;
	d->unknown = settings->unknown_types;
	map = tcctl_half(skb, decaps);
	if (tcctl_unlikely(!map))
		return NULL;
	TCCTL_DECAP_TRY(TCCTL_TS_BOTH, );
	TCCTL_DECAP_TRY(TCCTL_TS_LOCAL, tcctl_decap_any(d->key.remote));
	TCCTL_DECAP_TRY(TCCTL_TS_REMOTE, (tcctl_decap_any(d->key.local), tcctl_decap_copy(d->key.remote, d->source.addr)));
	TCCTL_DECAP_TRY(TCCTL_TS_ANY, (tcctl_decap_any(d->key.local), tcctl_decap_any(d->key.remote)));
	return NULL;
found:
	d->tunnel = id;
	row = bpf_map_lookup_elem(rows, &d->tunnel);
	if (tcctl_unlikely(!row || row->type != type))
		return NULL;
	d->flags = row->flags;
	return row;
}

/* Encapsulated, from nobody we know. */
static __always_inline int tcctl_decap_stranger(struct __sk_buff *skb, const struct tcctl_decap *d, __u8 type)
{
	if (d->unknown & TCCTL_TYPE(type))
		return tcctl_drop(skb, TCCTL_R_TUNNEL_REFUSED);
	return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_UNKNOWN);
}

#endif
