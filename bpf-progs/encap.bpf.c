/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stage: puts packets into tunnels. This part finds out whether and where to:
 *
 *	the class's tunnel, else the longest matching route's, else the device's or interface's; none: the packet goes on
 *	not carried by it, of the link's own scope, or already a packet of this tunnel: counted, the packet goes on
 *	too big: TCCTL_STAGE_TOO_BIG
 *	inner eth with a forwarding table: stations, learned, flooding; else dropped and counted
 *
 * and leaves the rest to TCCTL_STAGE_ENCAP_HEADER.
 */
#define TCCTL_WANT_ARENAS
#include "tcctl/encap.h"
#include "tcctl/encap_usual.h"
#include "tcctl/hops.h"
#include "tcctl/arena.h"
#include "tcctl/mss.h"
#include "tcctl/tag.h"

#define WORD(bytes, i) (((const __u32 *)(bytes))[i])

/*
 * Reads the inner IP header: policy fields and a hash of the flow into the state. The hash is ours and not the kernel's,
 * which dissects every forwarded packet for it: same flow, same hash, on every host. Fragments have one without ports.
 */
static __always_inline bool look(struct __sk_buff *skb, struct tcctl_encap *s)
{
	__u32 flags = tcctl_flags(skb);
	__u64 h, l4;

	s->kind = flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6);
	s->flags = 0;
	if (tcctl_likely(flags & TCCTL_F_IPV4)) {
		if (!tcctl_read_l3(skb, tcctl_l3(skb), s->w, 5))
			return false;
		s->tos = bpf_ntohl(s->w[0]) >> 16 & 0xff;
		s->ttl = bpf_ntohl(s->w[2]) >> 24;
		if (bpf_ntohl(s->w[1]) & 0x4000)
			s->flags = TCCTL_EN_DF;
		h = (__u64)bpf_ntohl(s->w[3]) << 32 | bpf_ntohl(s->w[4]);
	} else if (flags & TCCTL_F_IPV6) {
		if (!tcctl_read_l3(skb, tcctl_l3(skb), s->w, 10))
			return false;
		s->tos = bpf_ntohl(s->w[0]) >> 20 & 0xff;
		s->ttl = bpf_ntohl(s->w[1]) & 0xff;
		s->flags = TCCTL_EN_DF;
		h = ((__u64)bpf_ntohl(s->w[2]) << 32 | bpf_ntohl(s->w[3])) * 0x9e3779b97f4a7c15ULL;
		h = (h ^ h >> 29 ^ ((__u64)bpf_ntohl(s->w[4]) << 32 | bpf_ntohl(s->w[5]))) * 0x9e3779b97f4a7c15ULL;
		h = (h ^ h >> 29 ^ ((__u64)bpf_ntohl(s->w[6]) << 32 | bpf_ntohl(s->w[7]))) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29 ^ ((__u64)bpf_ntohl(s->w[8]) << 32 | bpf_ntohl(s->w[9]));
	} else {
		s->tos = 0;
		s->ttl = 0;
		if (!(flags & TCCTL_F_L2) || !tcctl_read_l3(skb, 0, s->w, 3))
			return false;
		h = (__u64)s->w[0] << 32 | s->w[1];
		h = h * 0x9e3779b97f4a7c15ULL ^ s->w[2];
	}
	l4 = tcctl_proto(skb);
	if ((flags & (TCCTL_F_PORTS | TCCTL_F_FRAG)) == TCCTL_F_PORTS)
		l4 |= (__u64)tcctl_cb(skb, TCCTL_CB_PORTS) << 32;
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL ^ l4;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	s->hash = h >> 32;
	return true;
}

/* Does the packet already go from this tunnel's local to its remote end, in this encapsulation? */
static __always_inline bool is_own(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 proto = tcctl_proto(skb), type = row->kind, port, port6;
	bool v6 = row->family == 6;

	if (row->type == TCCTL_T_VLAN)
		return tcctl_flags(skb) & TCCTL_F_VLAN && tcctl_vlan_id(skb) == (row->tags[0] & 0xfffU);
	if (s->kind != (v6 ? TCCTL_F_IPV6 : TCCTL_F_IPV4))
		return false;
	if (!v6) {
		if (s->w[3] != WORD(row->local, 0))
			return false;
		if (!(row->flags & TCCTL_TF_FDB) && s->w[4] != WORD(row->remote, 0))
			return false;
	} else {
		if (s->w[2] != WORD(row->local, 0) || s->w[3] != WORD(row->local, 1) ||
		    s->w[4] != WORD(row->local, 2) || s->w[5] != WORD(row->local, 3))
			return false;
		if (!(row->flags & TCCTL_TF_FDB) &&
		    (s->w[6] != WORD(row->remote, 0) || s->w[7] != WORD(row->remote, 1) ||
		     s->w[8] != WORD(row->remote, 2) || s->w[9] != WORD(row->remote, 3)))
			return false;
	}
	if (type == TCCTL_T_IPIP)
		return proto == TCCTL_IP_IPIP || proto == TCCTL_IP_IPV6;
	if (type == TCCTL_T_GRE || type == TCCTL_T_MPLS_GRE)
		return proto == TCCTL_IP_GRE;
	if (!tcctl_tunnel_is_udp(type) || proto != TCCTL_IP_UDP)
		return false;
	/* of a later fragment, and of what the kernel's device made, the port is not known */
	if (!(tcctl_flags(skb) & TCCTL_F_PORTS) || row->type == TCCTL_T_METADATA)
		return true;
	port = TCCTL_BE16(row->header + 22);
	port6 = TCCTL_BE16(row->header + 42);
	/* two loads, not one from a pointer that depends on the family: the verifier refuses that without CAP_PERFMON */
	asm volatile("" : "+r"(port), "+r"(port6));
	return tcctl_dport(skb) == (v6 ? port6 : port);
}

/* Largest packet from the L3 header on that this one makes on the wire. */
static __always_inline __u32 wire_length(struct __sk_buff *skb, const struct tcctl_encap *s, __u32 l3)
{
	__u32 l4 = tcctl_l4(skb), headers, w[1];

	if (tcctl_likely(!skb->gso_size))
		return skb->len - l3;
	headers = (l4 ? l4 - l3 : s->kind == TCCTL_F_IPV6 ? 40 : 20);
	if (tcctl_proto(skb) == TCCTL_IP_UDP)
		headers += 8;
	else if (tcctl_proto(skb) == TCCTL_IP_TCP && l4 && tcctl_read_slow(skb, l4 + 12, w, 1))
		headers += (bpf_ntohl(w[0]) >> 28) * 4;
	else
		headers += 20;
	return headers + skb->gso_size;
}

/* A route to a remote had less, not long ago. */
static __always_inline __u32 path_mtu(const struct tcctl_tunnel *row, __u32 mtu)
{
	__u32 path = row->path_mtu;

	return path < mtu && (__u32)(bpf_ktime_get_ns() / 1000000000) - row->path_seen < TCCTL_PATH_SECONDS ? path : mtu;
}

/* The remote of a frame by its destination and VLAN. */
static __always_inline bool forward(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	const struct tcctl_station *station;
	void *table;
	__u32 w[2];

	if (!tcctl_read_l3(skb, 0, w, 2))
		return false;
	s->flags |= TCCTL_EN_FDB;
	if (tcctl_likely(!(bpf_ntohl(w[0]) & 0x01000000))) { /* not a multicast */
		s->station.tunnel = s->id;
		s->station.vlan = tcctl_flags(skb) & TCCTL_F_VLAN ? tcctl_vlan_id(skb) : 0;
		*(__u16 *)&s->station.mac[0] = bpf_htons(bpf_ntohl(w[0]) >> 16);
		*(__u16 *)&s->station.mac[2] = bpf_htons(bpf_ntohl(w[0]));
		*(__u16 *)&s->station.mac[4] = bpf_htons(bpf_ntohl(w[1]) >> 16);
		*(__u16 *)&s->station.pad[0] = 0;
		table = tcctl_half(skb, stations);
		station = table ? bpf_map_lookup_elem(table, &s->station) : NULL;
		if (!station && row->flags & TCCTL_TF_LEARN) {
			station = bpf_map_lookup_elem(&learned, &s->station);
			if (station && row->ageing &&
			    (__u32)(bpf_ktime_get_ns() / 1000000000) - station->seen >= row->ageing)
				station = NULL;
		}
		if (station) {
			__builtin_memcpy(s->remote, station->addr, 16);
			s->remote_id = station->id;
			return true;
		}
	}
	if (!row->flood_n)
		return false;
	table = tcctl_half(skb, remotes);
	s->fib.ifindex = row->flood_first; /* a key outside of the stack */
	if (table) {
		const struct tcctl_remote *first = bpf_map_lookup_elem(table, &s->fib.ifindex);

		if (first) {
			__builtin_memcpy(s->remote, first->addr, 16);
			s->remote_id = first->id;
			if (row->flood_n > 1)
				s->flags |= TCCTL_EN_FLOOD;
			return true;
		}
	}
	return false;
}

/* The tunnel for this packet, 0: none. */
static __always_inline __u32 choose(struct __sk_buff *skb, struct tcctl_encap *s,
				    const struct tcctl_tunnel_settings *settings)
{
	__u32 class_id = tcctl_class(skb);

	if (class_id != TCCTL_CLASS_KEEP) {
		const struct tcctl_class_row *class = tcctl_class_row(tcctl_generation(skb), class_id);

		if (class && class->flags & TCCTL_C_TUNNEL)
			return class->tunnel;
	}
	if (settings->flags & TCCTL_TS_ROUTES && s->kind) {
		void *table = tcctl_half(skb, routes);
		const __u32 *id;

		if (s->kind == TCCTL_F_IPV4) {
			s->route.prefixlen = 32 + 32;
			s->route.family = 4;
			((__u32 *)s->route.addr)[0] = s->w[4];
		} else {
			s->route.prefixlen = 32 + 128;
			s->route.family = 6;
			((__u32 *)s->route.addr)[0] = s->w[6];
			((__u32 *)s->route.addr)[1] = s->w[7];
			((__u32 *)s->route.addr)[2] = s->w[8];
			((__u32 *)s->route.addr)[3] = s->w[9];
		}
		id = table ? bpf_map_lookup_elem(table, &s->route) : NULL;
		if (id)
			return *id;
	}
	if (settings->flags & TCCTL_TS_DEVICE) {
		void *table = tcctl_half(skb, devices);
		const __u32 *id;

		s->fib.ifindex = skb->ifindex; /* a key outside of the stack */
		id = table ? bpf_map_lookup_elem(table, &s->fib.ifindex) : NULL;
		if (id)
			return *id;
	}
	return settings->encap;
}

static __always_inline bool is_tag(__u32 ethertype)
{
	return ethertype == TCCTL_ETH_8021Q || ethertype == TCCTL_ETH_8021AD;
}

/* Does the tunnel carry this kind of payload, from where its header begins? */
static __always_inline bool carries(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 flags = row->flags, second;

	if (row->type == TCCTL_T_VLAN || flags & TCCTL_TF_INNER_ETH)
		return tcctl_flags(skb) & TCCTL_F_L2;
	if (!(s->kind == TCCTL_F_IPV4 ? flags & TCCTL_TF_INNER_IPV4 :
	      s->kind == TCCTL_F_IPV6 ? flags & TCCTL_TF_INNER_IPV6 : 0))
		return false;
	if (tcctl_likely(tcctl_l3(skb) == TCCTL_DATA_OFFSET))
		return true;
	/* Behind one or two tags, which the kernel can take off. Not behind PPPoE, labels, or tags of another kind. */
	if (!is_tag(bpf_ntohs(skb->protocol)))
		return false;
	if (tcctl_l3(skb) == 18)
		return true;
	return tcctl_l3(skb) == 22 && tcctl_read_slow(skb, 14, &second, 1) && is_tag(bpf_ntohl(second) & 0xffff);
}

/*
 * Must the packet not leave its link: neighbour discovery, scope link-local? The stack has to hear of it, and the next hop to
 * the remote is found by it. Not so on the tunnel's own device, where the tunnel is the link.
 */
static __always_inline bool is_of_link(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 src, dst;

	if (row->flags & TCCTL_TF_INNER_ETH || row->type == TCCTL_T_VLAN || row->device == skb->ifindex)
		return false;
	if (tcctl_likely(s->kind == TCCTL_F_IPV4)) {
		dst = bpf_ntohl(s->w[4]);
		return dst >> 8 == 0xe00000 || dst == 0xffffffff;
	}
	src = bpf_ntohl(s->w[2]);
	dst = bpf_ntohl(s->w[6]);
	if (tcctl_proto(skb) == TCCTL_IP_ICMPV6 && tcctl_flags(skb) & TCCTL_F_ICMP &&
	    tcctl_icmp_type(skb) - 133 <= 137 - 133)
		return true;
	return (dst >> 24 == 0xff && (dst >> 16 & 15) <= 2) || dst >> 22 == 0x3fa || src >> 22 == 0x3fa;
}

/*
 * This is a hop: TTL and checksum, or hop limit. Both changes of IPv4 cancel in a CHECKSUM_COMPLETE sum, that of IPv6 must
 * be told.
 */
static __always_inline bool decrement(struct __sk_buff *skb, struct tcctl_encap *s)
{
	__u32 l3 = tcctl_l3(skb), old, new;
	__u16 *word, *check;
	__u8 *ip;

	s->ttl--;
	if (tcctl_likely(l3 == TCCTL_DATA_OFFSET)) {
		ip = cfg.flags & TCCTL_CFG_RAW ? tcctl_data_at(skb, 0) : tcctl_data_at(skb, 14);
		if (tcctl_likely(ip + 20 <= tcctl_data_end(skb))) {
			if (s->kind == TCCTL_F_IPV4) {
				word = (__u16 *)(ip + 8);
				check = (__u16 *)(ip + 10);
				old = *word;
				ip[8] = s->ttl;
				*check = ~tcctl_fold((__u64)(~*check & 0xffff) + (~old & 0xffff) + *word);
			} else {
				word = (__u16 *)(ip + 6);
				old = *word;
				ip[7] = s->ttl;
				bpf_csum_update(skb, (~old & 0xffff) + *word);
			}
			return true;
		}
	}
	if (s->kind == TCCTL_F_IPV4) {
		old = bpf_ntohl(s->w[2]) >> 16;
		new = old - 0x100;
		s->mtu = bpf_htonl(s->ttl << 24); /* bytes outside of the stack */
		return !bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(old), bpf_htons(new), 2) &&
		       !bpf_skb_store_bytes(skb, l3 + 8, &s->mtu, 1, 0);
	}
	s->mtu = bpf_htonl(s->ttl << 24);
	return !bpf_skb_store_bytes(skb, l3 + 7, &s->mtu, 1, BPF_F_RECOMPUTE_CSUM);
}

/* What Ethernet padded a short packet with is not part of it, and stays here as it does when a packet is routed. */
static __always_inline bool trim(struct __sk_buff *skb, const struct tcctl_encap *s)
{
	__u32 end = tcctl_l3(skb);

	end += s->kind == TCCTL_F_IPV4 ? bpf_ntohl(s->w[0]) & 0xffff : 40 + (bpf_ntohl(s->w[1]) >> 16);
	if (tcctl_likely(skb->len <= end) || end < tcctl_l3(skb) + 20)
		return true;
	if (s->kind == TCCTL_F_IPV6 && !(bpf_ntohl(s->w[1]) >> 8)) /* length 0, then options: a jumbogram */
		return true;
	return !bpf_skb_change_tail(skb, end, 0);
}

/* Jump, or go on with the packet as it is. */
static __always_inline int encapsulate(struct __sk_buff *skb)
{
	const struct tcctl_tunnel_settings *settings;
	struct tcctl_encap *s = tcctl_encap_state();
	const struct tcctl_tunnel *row;
	bool hop = false;
	__u32 mtu;
	void *rows;

	rows = tcctl_half(skb, tunnels);
	if (!s || !rows)
		return 0;
	settings = bpf_map_lookup_elem(rows, (const void *)&tcctl_key[0]);
	if (!settings || !look(skb, s))
		return 0;
	s->id = choose(skb, s, settings);
	if (!s->id) {
		tcctl_hop_see(skb, s);
		return 0;
	}
	row = bpf_map_lookup_elem(rows, &s->id);
	if (!row || !row->type)
		return 0;
	if (tcctl_unlikely(!carries(skb, s, row) || is_of_link(skb, s, row))) {
		tcctl_count_id(skb, row->counters + TCCTL_TUN_TX_PAYLOAD);
		return 0;
	}
	/* A frame that came out of this tunnel does not go back into it either. */
	if (tcctl_unlikely(is_own(skb, s, row) || (tcctl_tunnel(skb) & TCCTL_TUNNEL_ID) == s->id)) {
		if (!tcctl_hop_see(skb, s)) /* by which it leaves the host */
			tcctl_count_id(skb, row->counters + TCCTL_TUN_TX_LOOP);
		return 0;
	}
	/* What goes out was routed, and its TTL decremented, before. */
	if (row->flags & TCCTL_TF_TERMINATES && !(row->flags & TCCTL_TF_INNER_ETH) &&
	    !(tcctl_hook(skb) & TCCTL_HOOK_EGRESS)) {
		if (s->ttl <= 1) { /* the stack says "time exceeded" */
			tcctl_count_id(skb, row->counters + TCCTL_TUN_TX_PAYLOAD);
			return 0;
		}
		hop = true;
	}
	if (!(row->flags & TCCTL_TF_INNER_ETH) && row->type != TCCTL_T_VLAN && !skb->gso_size && !trim(skb, s))
		return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED) + 1;
	mtu = row->mtu;
	if (mtu) {
		if (tcctl_unlikely(row->path_mtu))
			mtu = path_mtu(row, mtu);
		if (tcctl_unlikely(skb->len - tcctl_l3(skb) > mtu)) {
			s->wire = wire_length(skb, s, tcctl_l3(skb));
			if (s->wire > mtu) {
				s->mtu = mtu;
				tcctl_jump(skb, jt_stage, TCCTL_STAGE_TOO_BIG);
				return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_MTU) + 1;
			}
		}
		if (row->flags & TCCTL_TF_MSS && tcctl_proto(skb) == TCCTL_IP_TCP)
			tcctl_mss_clamp(skb, tcctl_l3(skb), s->kind == TCCTL_F_IPV4, mtu);
	}
	if (hop && !decrement(skb, s))
		return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED) + 1;
	if (row->flags & TCCTL_TF_FDB && tcctl_unlikely(!forward(skb, s, row)))
		return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_UNKNOWN) + 1;
	if (tcctl_likely(tcctl_usual(skb, s, row)) && tcctl_likely(tcctl_usual_room(skb, s, row))) {
		if (tcctl_unlikely(!tcctl_usual_write(skb, s, row)))
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED) + 1;
		tcctl_encapsulated(skb, s, row);
		return 0;
	}
	if (tcctl_unlikely(row->flags & TCCTL_TF_CSUM) && !skb->gso_size)
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_ENCAP_SUM);
	tcctl_jump(skb, jt_stage, TCCTL_STAGE_ENCAP_HEADER);
	tcctl_count(skb, TCCTL_CNT_EMPTY_STAGE + TCCTL_STAGE_ENCAP_HEADER);
	return 0;
}

SEC("tc")
int encap(struct __sk_buff *skb)
{
	int verdict;

	if (tcctl_is_alone(skb))
		tcctl_alone(skb, TCCTL_PARSED_L4);
	tcctl_count(skb, TCCTL_CNT_STAGE + TCCTL_STAGE_ENCAP);
	if (!(cfg.flags & TCCTL_CFG_OBSERVE)) {
		verdict = encapsulate(skb);
		if (tcctl_unlikely(verdict))
			return verdict - 1;
	}
	return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
}
