/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage: decapsulation without an outer IP header. Takes the one or two VLAN tags of a tunnel off, and recognises what the kernel's
 * external device has decapsulated, by the tunnel metadata that it left.
 */
#include "tcctl/decap.h"

/* struct bpf_tunnel_key as kernels before 6.0 have it: without the local address, so only tunnels without one are found. */
#define KEY_SHORT __builtin_offsetof(struct bpf_tunnel_key, local_ipv4)

/* The packet came out of tunnel d->tunnel. */
static __always_inline void taken(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row)
{
	__u32 depth = tcctl_tunnel(skb) >> TCCTL_TUNNEL_DEPTH_SHIFT & TCCTL_TUNNEL_DEPTH_MAX;

	if (depth < TCCTL_TUNNEL_DEPTH_MAX)
		depth++;
	tcctl_decap_count(skb, d, row->counters + TCCTL_TUN_RX);
	tcctl_cb_set(skb, TCCTL_CB_CLASS, (depth << TCCTL_TUNNEL_DEPTH_SHIFT | (d->tunnel & TCCTL_TUNNEL_ID)) << 16);
}

/* --- VLAN ------------------------------------------------------------------------------------------------ */

/* The tunnel of a frame with these tags, `n` of them: EtherType and TCI of the outer one, TCI of the inner one in d->h. */
static __always_inline const struct tcctl_tunnel *vlan_find(struct __sk_buff *skb, struct tcctl_decap *d, __u32 n)
{
	__u32 *addr = (__u32 *)d->key.local;
	const struct tcctl_tunnel *row;
	const __u32 *value;
	void *map;

	d->key.type = TCCTL_T_VLAN;
	d->key.family = 0;
	d->key.port = d->h[0];
	d->key.id = (d->h[1] & 0xfff) << 12 | (n == 2 ? d->h[2] & 0xfff : 0);
	d->key.has_id = n;
	for (int i = 0; i < 8; i++)
		addr[i] = 0;
	map = tcctl_half(skb, decaps);
	if (!map)
		return NULL;
	value = bpf_map_lookup_elem(map, &d->key);
	if (!value)
		return NULL;
	d->tunnel = *value;
	map = tcctl_half(skb, tunnels);
	if (!map)
		return NULL;
	row = bpf_map_lookup_elem(map, &d->tunnel);
	return row && row->type == TCCTL_T_VLAN ? row : NULL;
}

/*
 * Take the outermost tag off, the one in metadata or the first one of the frame. The kernel looks at tcctl_field(skb, protocol) for the latter,
 * which is not the frame's own after decapsulation of a frame: there the four bytes go by hand.
 */
static __always_inline bool vlan_pop(struct __sk_buff *skb)
{
	__u32 present = tcctl_field(skb, vlan_present), len = tcctl_field(skb, len);
	__u16 type TCCTL_BUFFER;

	if (bpf_skb_vlan_pop(skb))
		return false;
	if (present || tcctl_field(skb, len) != len)
		return true;
	return !bpf_skb_load_bytes(skb, 16, &type, 2) && !bpf_skb_adjust_room(skb, -4, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) &&
	       !bpf_skb_store_bytes(skb, 12, &type, 2, 0);
}

/* Offsets and outermost tag of the context, after `removed` bytes of tags have gone. */
static __always_inline void vlan_context(struct __sk_buff *skb, __u32 removed)
{
	__u32 l3 = tcctl_l3(skb), l4 = tcctl_l4(skb), flags = tcctl_flags(skb) & ~TCCTL_F_VLAN, tci = 0;
	__u32 tag[2];

	if (tcctl_field(skb, vlan_present)) {
		flags |= TCCTL_F_VLAN;
		tci = tcctl_field(skb, vlan_tci) & 0xffff;
	} else if (tcctl_read_slow(skb, 12, tag, 1) && tcctl_is_vlan(bpf_ntohl(tag[0]) >> 16)) {
		flags |= TCCTL_F_VLAN;
		tci = bpf_ntohl(tag[0]) & 0xffff;
	}
	tcctl_set_offsets(skb, l3 - removed, l4 ? l4 - removed : 0);
	tcctl_set_proto(skb, tci, flags, tcctl_proto(skb));
}

#define GO_ON (-2) /* no verdict of tc */

/* A verdict, or GO_ON. */
static __always_inline int vlan(struct __sk_buff *skb, struct tcctl_decap *d)
{
	const struct tcctl_tunnel_settings *settings;
	const struct tcctl_tunnel *row = NULL;
	__u32 at = 12, n = 1, len = tcctl_field(skb, len);
	void *rows;

	/* The outer tag is in metadata or in the frame, the next one in the frame. */
	if (!tcctl_read_slow(skb, 12, &d->h[4], 1))
		return GO_ON;
	if (tcctl_field(skb, vlan_present)) {
		d->h[0] = bpf_ntohs(tcctl_field(skb, vlan_proto));
		d->h[1] = tcctl_field(skb, vlan_tci);
	} else {
		d->h[0] = bpf_ntohl(d->h[4]) >> 16;
		d->h[1] = bpf_ntohl(d->h[4]);
		at = 16;
	}
	if (!tcctl_is_vlan(d->h[0]))
		return GO_ON;
	if (tcctl_read_slow(skb, tcctl_forget(skb, at), &d->h[4], 1) && tcctl_is_vlan(bpf_ntohl(d->h[4]) >> 16)) {
		d->h[2] = bpf_ntohl(d->h[4]);
		n = 2;
		row = vlan_find(skb, d, 2);
	}
	if (!row) {
		n = 1;
		row = vlan_find(skb, d, 1);
	}
	if (!row) {
		rows = tcctl_half(skb, tunnels);
		settings = rows ? bpf_map_lookup_elem(rows, &d->zero) : NULL;
		if (settings && settings->unknown_types & TCCTL_TYPE(TCCTL_T_VLAN))
			return tcctl_drop(skb, TCCTL_R_TUNNEL_REFUSED);
		return GO_ON;
	}
	if (!vlan_pop(skb) || (n == 2 && !vlan_pop(skb)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_BAD);
	vlan_context(skb, len - tcctl_field(skb, len));
	taken(skb, d, row);
	return GO_ON;
}

/* --- metadata -------------------------------------------------------------------------------------------- */

/* What the external device says the outer header was, into the key as if it were there; d->h[0]: the id. */
static __always_inline bool metadata_read(struct __sk_buff *skb, struct tcctl_decap *d, bool *ret_ipv4)
{
	struct bpf_tunnel_key key TCCTL_BUFFER;

	__builtin_memset(&key, 0, sizeof(key));
	*ret_ipv4 = true;
	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0) || !bpf_skb_get_tunnel_key(skb, &key, KEY_SHORT, 0)) {
		tcctl_decap_address(d, 0, bpf_htonl(key.local_ipv4), bpf_htonl(key.remote_ipv4));
		tcctl_decap_address(d, 1, 0, 0);
		tcctl_decap_address(d, 2, 0, 0);
		tcctl_decap_address(d, 3, 0, 0);
	} else if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6) ||
		   !bpf_skb_get_tunnel_key(skb, &key, KEY_SHORT, BPF_F_TUNINFO_IPV6)) {
		*ret_ipv4 = false;
		tcctl_decap_address(d, 0, key.local_ipv6[0], key.remote_ipv6[0]);
		tcctl_decap_address(d, 1, key.local_ipv6[1], key.remote_ipv6[1]);
		tcctl_decap_address(d, 2, key.local_ipv6[2], key.remote_ipv6[2]);
		tcctl_decap_address(d, 3, key.local_ipv6[3], key.remote_ipv6[3]);
	} else {
		return false;
	}
	d->h[0] = key.tunnel_id;
	return true;
}

/* False: drop it, as a stranger. */
static __always_inline bool metadata(struct __sk_buff *skb, struct tcctl_decap *d)
{
	const struct tcctl_tunnel *row;
	__u32 policy[2] TCCTL_BUFFER;
	bool ipv4;

	if (!metadata_read(skb, d, &ipv4))
		return true;
	row = tcctl_decap_find(skb, d, TCCTL_T_METADATA, ipv4, 0, d->h[0], 0);
	if (!row) {
		if (d->unknown & TCCTL_TYPE(TCCTL_T_METADATA))
			return false;
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TUNNEL_UNKNOWN);
		return true;
	}
	if (d->flags & TCCTL_TF_GBP && bpf_skb_get_tunnel_opt(skb, policy, 4) == 4)
		tcctl_decap_policy(skb, policy[0]);
	taken(skb, d, row);
	return true;
}

SEC("tc")
int decap(struct __sk_buff *skb)
{
	struct tcctl_decap *d;
	int verdict;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_DECAP);
	if (!tcctl_decap_wanted(TCCTL_TYPE(TCCTL_T_VLAN) | TCCTL_TYPE(TCCTL_T_METADATA)))
		return tcctl_next_of(skb, TCCTL_STAGE_DECAP);
	d = tcctl_decap_scratch(skb);
	if (!d)
		return tcctl_next_of(skb, TCCTL_STAGE_DECAP);
	if (tcctl_decap_wanted(TCCTL_TYPE(TCCTL_T_VLAN)) && tcctl_flags(skb) & TCCTL_F_VLAN) {
		verdict = vlan(skb, d);
		if (verdict != GO_ON)
			return verdict;
	}
	/* what a handler has just taken out of a tunnel has nothing of the device's in it */
	if (tcctl_decap_wanted(TCCTL_TYPE(TCCTL_T_METADATA)) && !(tcctl_tunnel(skb) & TCCTL_TUNNEL_ID) && !metadata(skb, d))
		return tcctl_drop(skb, TCCTL_R_TUNNEL_REFUSED);
	return tcctl_next_of(skb, TCCTL_STAGE_DECAP);
}
