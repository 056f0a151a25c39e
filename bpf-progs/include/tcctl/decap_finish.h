/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Decapsulation, second part: the tunnel is known. Its header goes, with what the kernel remembers of it; what was inside is
 * dispatched. Included by tcctl/decap.h.
 */
#ifndef TCCTL_DECAP_FINISH_H
#define TCCTL_DECAP_FINISH_H

#include "tcctl/tos.h"
#include "tcctl/mss.h"

/* Of newer kernels than the headers may be from; the first two since 6.3, the others clear what GSO knows of a tunnel that is
 * gone (TCCTL_CFG_CLEAR_GSO). */
#define TCCTL_DECAP_L3_IPV4 (1ULL << 7)
#define TCCTL_DECAP_L3_IPV6 (1ULL << 8)
#define TCCTL_DECAP_L4_GRE (1ULL << 9)
#define TCCTL_DECAP_L4_UDP (1ULL << 10)
#define TCCTL_DECAP_IPXIP4 (1ULL << 11)
#define TCCTL_DECAP_IPXIP6 (1ULL << 12)

/* Remember where the sender of an inner frame is. */
static __always_inline void tcctl_decap_learn(struct __sk_buff *skb, struct tcctl_decap *d, __u32 vlan)
{
	const __u8 *mac = (const __u8 *)d->eth + 6;
	struct tcctl_station *known;

	if (mac[0] & 1) /* no station sends from a group address */
		return;
	d->station.tunnel = d->tunnel;
	d->station.vlan = vlan;
	for (__u32 i = 0; i < 6; i++)
		d->station.mac[i] = mac[i];
	d->station.pad[0] = d->station.pad[1] = 0;
	tcctl_decap_copy(d->seen.addr, d->source.addr);
	d->seen.id = 0;
	d->seen.seen = bpf_ktime_get_ns() / 1000000000;
	known = bpf_map_lookup_elem(&learned, &d->station);
	if (known) {
		const __u32 *old = (const __u32 *)known->addr, *addr = (const __u32 *)d->seen.addr;

		if (old[0] == addr[0] && old[1] == addr[1] && old[2] == addr[2] && old[3] == addr[3]) {
			if (known->seen != d->seen.seen) /* other CPUs read that line */
				known->seen = d->seen.seen;
			return;
		}
	}
	bpf_map_update_elem(&learned, &d->station, &d->seen, BPF_ANY);
}

/*
 * RFC 6040 and the DSCP of a GTP-U flow, into the inner IP header at `l3`. Returns the counter to drop under, or -1.
 *
 *	inner \ outer	Not-ECT	ECT(0)	ECT(1)	CE
 *	Not-ECT		=	=	=	drop
 *	ECT(0)		=	=	ECT(1)	CE
 *	ECT(1)		=	=	=	CE
 *	CE		=	=	=	=
 */
static __always_inline int tcctl_decap_tos(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row,
					   __u32 l3, bool ipv4)
{
	__u32 w, old, tos, ecn = d->flags & TCCTL_TF_ECN_OFF ? 0 : d->tos & 3;

	if (tcctl_likely(!(ecn & 1) && d->dscp == TCCTL_DSCP_NONE))
		return -1;
	if (!tcctl_read_l3(skb, l3, &w, 1))
		return TCCTL_TUN_RX_BAD;
	w = bpf_ntohl(w);
	old = tos = (ipv4 ? w >> 16 : w >> 20) & 0xff;
	if (ecn == 3) {
		if (!(tos & 3))
			return TCCTL_TUN_RX_ECN;
		tos |= 3;
	} else if (ecn == 1 && (tos & 3) == 2) {
		tos ^= 3;
	}
	if (ecn == 3 && old != tos)
		tcctl_decap_count(skb, d, row->counters + TCCTL_TUN_RX_CE);
	if (d->dscp != TCCTL_DSCP_NONE)
		tos = (d->dscp & 63) << 2 | (tos & 3);
	tos = tcctl_forget(skb, tos);
	if (tos != old && tcctl_write_tos(skb, l3, ipv4, w, tos))
		return TCCTL_TUN_RX_BAD;
	return -1;
}

/* Take tags off the outer frame: afterwards the outer L3 header is where adjust_room takes it to be. */
static __always_inline void tcctl_decap_untag(struct __sk_buff *skb, struct tcctl_decap *d)
{
	__u32 len = tcctl_field(skb, len);

	/* the one in metadata, then those of the frame, which take its place one after the other */
	for (int i = 0; i < TCCTL_VLAN_MAX + 1; i++)
		if (bpf_skb_vlan_pop(skb))
			break;
	len -= tcctl_field(skb, len);
	d->l3 -= len;
	d->inner -= len;
	d->end -= len;
}

/*
 * The first words of the payload into d->eth. `hdr` is what usually is between the outer IP header and the payload: read
 * directly there.
 */
#define TCCTL_DECAP_READ_AT(constant)                                                   \
	do {                                                                            \
		if (d->inner == (constant)) {                                           \
			const __u32 *p = (void *)tcctl_data_at(skb, constant);          \
			if (tcctl_unlikely((__u8 *)(p + words) > tcctl_data_end(skb)))  \
				break;                                                  \
			for (__u32 i = 0; i < words; i++)                               \
				d->eth[i] = p[i];                                       \
			return true;                                                    \
		}                                                                       \
	} while (0)
static __always_inline bool tcctl_decap_read(struct __sk_buff *skb, struct tcctl_decap *d, const __u32 hdr,
					     const __u32 words, const __u32 bytes)
{
	TCCTL_DECAP_READ_AT(34 + hdr);
	TCCTL_DECAP_READ_AT(54 + hdr);
	return !bpf_skb_load_bytes(skb, d->inner, d->eth, bytes);
}

/* The outer frame without tags. False: it cannot be taken away, leave it to the stack. */
static __always_inline bool tcctl_decap_prepare(struct __sk_buff *skb, struct tcctl_decap *d, __u32 base)
{
	if (tcctl_likely(!tcctl_field(skb, vlan_present) && d->l3 == base))
		return true;
	if (tcctl_field(skb, protocol) == bpf_htons(TCCTL_ETH_PPPOE)) /* adjust_room refuses */
		return false;
	tcctl_decap_untag(skb, d);
	return true;
}

/*
 * Is a GSO packet one packet inside one header? Datagrams of a tunnel that the receiving device merged have a header each,
 * which cannot be taken away here. `w`: first two words of the inner IP header.
 */
static __always_inline bool tcctl_decap_one(const struct tcctl_decap *d, const __u32 *w, __u32 l3, bool ipv4)
{
	__u32 len = ipv4 ? bpf_ntohl(w[0]) & 0xffff : bpf_ntohl(w[1]) >> 16;

	if (!len) /* more than 64 KiB */
		return true;
	return l3 + len + (ipv4 ? 0 : 40) == d->end;
}

/* Flags of bpf_skb_adjust_room() for every decapsulation; `gso`: what clears this one's GSO state. */
static __always_inline __u64 tcctl_decap_adjust(__u64 gso)
{
	return BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET | (cfg.flags & TCCTL_CFG_CLEAR_GSO ? gso : 0);
}

/* How the kinds of encapsulation differ in what goes with the header. */
#define TCCTL_DECAP_CSUM 0x1U /* a checksum, which the device may have verified */
#define TCCTL_DECAP_HASH 0x2U /* the packet's hash: it may be one of the outer addresses only */

/* The packet is the inner one now: counted; depth and tunnel in the context. */
static __always_inline void tcctl_decap_context(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row,
						__u32 how)
{
	__u32 depth;

	if (how & TCCTL_DECAP_HASH)
		bpf_set_hash_invalid(skb);
	tcctl_decap_count(skb, d, row->counters + TCCTL_TUN_RX);
	depth = (tcctl_tunnel(skb) >> TCCTL_TUNNEL_DEPTH_SHIFT & TCCTL_TUNNEL_DEPTH_MAX) + 1;
	tcctl_cb_set(skb, TCCTL_CB_CLASS, (depth << TCCTL_TUNNEL_DEPTH_SHIFT | (d->tunnel & TCCTL_TUNNEL_ID)) << 16);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, 0);
}

/* Offset of the L3 header in a packet without tags. */
static __always_inline __u32 tcctl_decap_base(struct __sk_buff *skb)
{
	return tcctl_flags(skb) & TCCTL_F_L2 ? 14 : 0;
}

/* Taking the outer header away: done, not possible (leave the packet to the stack), failed. */
enum tcctl_stripped { TCCTL_STRIPPED, TCCTL_STRIP_LEAVE, TCCTL_STRIP_FAILED };

/*
 * Will a checksum in the header that goes be computed later, by a device (CHECKSUM_PARTIAL)? So it is with what a socket or a
 * tunnel of this host sent. Where little of the header is behind the place from which to sum up, that place is now in the
 * Ethernet header: the next device without offload would write a checksum into an address or the EtherType. Further
 * behind, the kernel forgets about it itself; and where what is inside has such a checksum, it is the inner one.
 *
 * A program is not told the state. But such a UDP checksum is the pseudo header's sum for the time being, GRE's is 0; one
 * of 65,535 others is as well, and comes to no harm.
 */
static __always_inline bool tcctl_decap_is_partial(struct __sk_buff *skb, const struct tcctl_decap *d, const __u32 hdr, __u64 gso)
{
	__u64 sum;

	if (tcctl_field(skb, gso_size))
		return false;
	if (gso == TCCTL_DECAP_L4_GRE)
		return d->h[0] & bpf_htonl(0x80000000) && !(d->h[1] & bpf_htonl(0xffff0000)) && d->inner - tcctl_l4(skb) <= 14;
	if (gso != TCCTL_DECAP_L4_UDP || hdr > 14 || tcctl_likely(!(d->h[1] & bpf_htonl(0xffff))) ||
	    d->inner - tcctl_l4(skb) > 14)
		return false;
	sum = (__u64)bpf_htonl(TCCTL_IP_UDP) + bpf_htonl(bpf_ntohl(d->h[1]) >> 16);
	if (tcctl_flags(skb) & TCCTL_F_IPV4)
		sum += (__u64)d->ip[3] + d->ip[4];
	else
		for (int i = 2; i < 10; i++)
			sum += d->ip[i];
	return tcctl_fold(sum) == bpf_htons(bpf_ntohl(d->h[1]) & 0xffff);
}

/*
 * Have the kernel forget a checksum to be computed inside the Ethernet header: it does so when that place is taken away. Of the inner
 * IP header the first 8 bytes go and come back. False: they are gone.
 */
static __always_inline bool tcctl_decap_forget_partial(struct __sk_buff *skb, struct tcctl_decap *d)
{
	const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;

	/* refused: less than an IP header would be left. Nobody computes anything for such a packet either. */
	if (bpf_skb_adjust_room(skb, -8, BPF_ADJ_ROOM_MAC, flags))
		return true;
	return !bpf_skb_adjust_room(skb, 8, BPF_ADJ_ROOM_MAC, flags) &&
	       !bpf_skb_store_bytes(skb, 14, d->eth, 8, BPF_F_RECOMPUTE_CSUM);
}

/* IP inside; d->kind says which, d->eth has its first words. */
static __always_inline enum tcctl_stripped tcctl_decap_ip(struct __sk_buff *skb, struct tcctl_decap *d, const __u32 hdr, __u64 gso)
{
	bool ipv4 = d->kind == TCCTL_INNER_IPV4, partial = tcctl_decap_is_partial(skb, d, hdr, gso);
	__u32 base = tcctl_decap_base(skb);
	__u64 family = 0;
	long err;

	if (tcctl_unlikely(tcctl_field(skb, gso_size)) && !tcctl_decap_one(d, d->eth, d->inner, ipv4))
		return TCCTL_STRIP_LEAVE;
	if (!tcctl_decap_prepare(skb, d, base))
		return TCCTL_STRIP_LEAVE;
	/* what follows the payload is not part of it: padding, or bytes that the tunnel's lengths do not count */
	if (tcctl_unlikely(d->end < tcctl_field(skb, len)) && !tcctl_field(skb, gso_size))
		bpf_skb_change_tail(skb, d->end, 0);
	ipv4 = d->kind == TCCTL_INNER_IPV4;
	if (tcctl_field(skb, protocol) != (ipv4 ? bpf_htons(TCCTL_ETH_IPV4) : bpf_htons(TCCTL_ETH_IPV6)))
		family = ipv4 ? TCCTL_DECAP_L3_IPV4 : TCCTL_DECAP_L3_IPV6;
	err = bpf_skb_adjust_room(skb, base - d->inner, BPF_ADJ_ROOM_MAC, tcctl_decap_adjust(gso) | family);
	/* Kernels before 6.3 learn of another IP family by a translation of the header that goes. */
	if (tcctl_unlikely(err) && family) {
		ipv4 = d->kind == TCCTL_INNER_IPV4;
		if (!bpf_skb_change_proto(skb, ipv4 ? bpf_htons(TCCTL_ETH_IPV4) : bpf_htons(TCCTL_ETH_IPV6), 0))
			err = bpf_skb_adjust_room(skb, tcctl_decap_base(skb) - d->inner + (d->kind == TCCTL_INNER_IPV4 ? 20 : -20),
						  BPF_ADJ_ROOM_MAC, tcctl_decap_adjust(gso));
	}
	if (tcctl_unlikely(err))
		return TCCTL_STRIP_FAILED;
	d->l3 = tcctl_decap_base(skb);
	if (tcctl_unlikely(partial) && d->l3 && !tcctl_decap_forget_partial(skb, d))
		return TCCTL_STRIP_FAILED;
	if (d->l3) {
		__u8 *eth = tcctl_data_at(skb, 0);

		ipv4 = d->kind == TCCTL_INNER_IPV4;
		if (eth + 14 > tcctl_data_end(skb))
			return TCCTL_STRIP_FAILED;
		*(__u16 *)(eth + 12) = ipv4 ? bpf_htons(TCCTL_ETH_IPV4) : bpf_htons(TCCTL_ETH_IPV6);
	}
	return TCCTL_STRIPPED;
}

/* The inner frame's L3 header, behind at most one tag. The frame begins at `at`, its header is in d->eth. */
struct tcctl_decap_frame {
	__u32 l3, type, vlan; /* offset, EtherType, VLAN id or 0 */
};
static __always_inline void tcctl_decap_frame(struct __sk_buff *skb, const struct tcctl_decap *d, __u32 at,
					      struct tcctl_decap_frame *ret)
{
	__u32 tag;

	ret->type = bpf_ntohl(d->eth[3]) >> 16;
	ret->l3 = at + 14;
	ret->vlan = 0;
	if (tcctl_unlikely(tcctl_is_vlan(ret->type)) && tcctl_read_slow(skb, at + 14, &tag, 1)) {
		tag = bpf_ntohl(tag);
		ret->vlan = tag >> 16 & 0xfff;
		ret->type = tcctl_forget(skb, tag & 0xffff);
		ret->l3 = at + 18;
	}
}

/* Ethernet inside; d->eth has the header. */
static __always_inline enum tcctl_stripped tcctl_decap_eth(struct __sk_buff *skb, struct tcctl_decap *d,
							   const struct tcctl_tunnel *row, __u64 gso)
{
	struct tcctl_decap_frame f;
	__u64 family = 0;
	__u32 *eth, type;
	long err;

	if (tcctl_unlikely(tcctl_field(skb, gso_size))) {
		__u32 w[2];

		tcctl_decap_frame(skb, d, d->inner, &f);
		f.l3 = tcctl_forget(skb, f.l3);
		if ((f.type == TCCTL_ETH_IPV4 || f.type == TCCTL_ETH_IPV6) &&
		    (!tcctl_read_slow(skb, f.l3, w, 2) || !tcctl_decap_one(d, w, f.l3, f.type == TCCTL_ETH_IPV4)))
			return TCCTL_STRIP_LEAVE;
	}
	if (!tcctl_decap_prepare(skb, d, tcctl_decap_base(skb)))
		return TCCTL_STRIP_LEAVE;
	if (tcctl_unlikely(d->end != tcctl_field(skb, len) || d->end < d->inner + 54) && !tcctl_field(skb, gso_size)) {
		/*
		 * Without the outer frame's padding, and long enough for adjust_room, which thinks of IP headers only. The kernel
		 * refuses it to what its own devices encapsulated on this host and left the checksum of to hardware; small
		 * UDP of that kind is long enough for adjust_room under an IPv4 header all the same.
		 */
		if (!bpf_skb_change_tail(skb, d->end, 0) && d->end < d->inner + 54)
			bpf_skb_change_tail(skb, d->inner + 60, 0);
	}
	type = bpf_ntohl(d->eth[3]) >> 16;
	/* Short frames as well (ARP): what is left must be no shorter than the header of that family. */
	if ((type == TCCTL_ETH_IPV4 || (type != TCCTL_ETH_IPV6 && d->end < d->inner + 54)) &&
	    tcctl_field(skb, protocol) == bpf_htons(TCCTL_ETH_IPV6))
		family = TCCTL_DECAP_L3_IPV4;
	else if (type == TCCTL_ETH_IPV6 && tcctl_field(skb, protocol) == bpf_htons(TCCTL_ETH_IPV4))
		family = TCCTL_DECAP_L3_IPV6;
	err = bpf_skb_adjust_room(skb, tcctl_decap_base(skb) - d->inner - 14, BPF_ADJ_ROOM_MAC,
				  tcctl_decap_adjust(gso) | family);
	/* before 6.3: whoever takes the frame finds its family out again, see tcctl_deliver() */
	if (tcctl_unlikely(err) && family)
		err = bpf_skb_adjust_room(skb, tcctl_decap_base(skb) - d->inner - 14, BPF_ADJ_ROOM_MAC,
					  tcctl_decap_adjust(gso));
	if (tcctl_unlikely(err))
		return TCCTL_STRIP_FAILED;
	if (tcctl_unlikely(!(tcctl_flags(skb) & TCCTL_F_L2)) && bpf_skb_change_head(skb, 14, 0))
		return TCCTL_STRIP_FAILED;
	eth = (void *)tcctl_data_at(skb, 0);
	if ((__u8 *)eth + 14 > tcctl_data_end(skb))
		return TCCTL_STRIP_FAILED;
	/* For another address than the outer frame: the stack must not take it for its own, see tcctl_is_for_stack(). */
	if (!row->device && (eth[0] != d->eth[0] || *(__u16 *)(eth + 1) != *(const __u16 *)&d->eth[1])) {
		bpf_skb_change_type(skb, TCCTL_PACKET_OTHERHOST);
		eth = (void *)tcctl_data_at(skb, 0);
		if ((__u8 *)eth + 14 > tcctl_data_end(skb))
			return TCCTL_STRIP_FAILED;
	}
	eth[0] = d->eth[0];
	eth[1] = d->eth[1];
	eth[2] = d->eth[2];
	*(__u16 *)(eth + 3) = *(const __u16 *)&d->eth[3];
	if (tcctl_unlikely(d->flags & (TCCTL_TF_LEARN | TCCTL_TF_MSS)) || d->dscp != TCCTL_DSCP_NONE || d->tos & 1) {
		tcctl_decap_frame(skb, d, 0, &f);
		d->l3 = f.l3;
		if (f.type == TCCTL_ETH_IPV4)
			d->kind = TCCTL_INNER_IPV4;
		else if (f.type == TCCTL_ETH_IPV6)
			d->kind = TCCTL_INNER_IPV6;
		if (d->flags & TCCTL_TF_LEARN)
			tcctl_decap_learn(skb, d, f.vlan);
	}
	return TCCTL_STRIPPED;
}

/* A group policy id into the mark's lower half. */
static __always_inline void tcctl_decap_policy(struct __sk_buff *skb, __u32 policy)
{
	__u32 mark = (tcctl_field(skb, mark) & 0xffff0000) | (policy & 0xffff);

	asm volatile("" : "+r"(mark)); /* one store of four bytes: the kernel takes no other */
	skb->mark = mark;
}

/* Does the tunnel refuse a packet without checksum? */
static __always_inline bool tcctl_decap_lacks_csum(const struct tcctl_decap *d, bool has_csum)
{
	return tcctl_unlikely(d->flags & TCCTL_TF_CSUM_IN) && !has_csum;
}

/*
 * The tunnel is known and its header sane: take it away and dispatch what was inside. Needs inner, end, kind, tos, flags and
 * dscp in `d`. `hdr`: usual distance from the end of the outer IP header to the payload; `gso`: flag of bpf_skb_adjust_room()
 * that clears this encapsulation's state.
 */
static __always_inline int tcctl_decap_finish(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row,
					      const __u32 hdr, __u64 gso, __u32 how)
{
	__u32 version, kind, carried;
	int stripped, bad;

	if (tcctl_unlikely(!(~tcctl_tunnel(skb) >> TCCTL_TUNNEL_DEPTH_SHIFT & TCCTL_TUNNEL_DEPTH_MAX))) {
		tcctl_decap_count(skb, d, row->counters + TCCTL_TUN_RX_DEPTH);
		return tcctl_handled(skb);
	}
	d->frame = d->kind == TCCTL_INNER_ETH || (d->kind == TCCTL_INNER_GUESS && d->flags & TCCTL_TF_INNER_ETH);
	bad = TCCTL_TUN_RX_BAD;
	if (d->frame) {
		bad = TCCTL_TUN_RX_PAYLOAD;
		if (!(d->flags & TCCTL_TF_INNER_ETH))
			goto drop;
		bad = TCCTL_TUN_RX_BAD;
		if (tcctl_unlikely(d->inner + 14 > d->end || !tcctl_decap_read(skb, d, hdr, 4, 14)))
			goto drop;
		d->kind = TCCTL_INNER_OTHER;
		stripped = tcctl_decap_eth(skb, d, row, gso);
	} else {
		bad = TCCTL_TUN_RX_PAYLOAD;
		if (tcctl_unlikely(d->kind == TCCTL_INNER_OTHER))
			goto drop;
		bad = TCCTL_TUN_RX_BAD;
		if (tcctl_unlikely(d->inner + 20 > d->end || !tcctl_decap_read(skb, d, hdr, 2, 8)))
			goto drop;
		version = bpf_ntohl(d->eth[0]) >> 28;
		kind = version == 4 ? TCCTL_INNER_IPV4 : TCCTL_INNER_IPV6;
		carried = version == 4 ? TCCTL_TF_INNER_IPV4 : TCCTL_TF_INNER_IPV6;
		if (tcctl_unlikely((version != 4 && version != 6) || (version == 6 && d->inner + 40 > d->end) ||
				   (d->kind != TCCTL_INNER_GUESS && d->kind != kind)))
			goto drop;
		bad = TCCTL_TUN_RX_PAYLOAD;
		if (tcctl_unlikely(!(d->flags & carried)))
			goto drop;
		bad = TCCTL_TUN_RX_BAD;
		d->kind = kind;
		stripped = tcctl_decap_ip(skb, d, hdr, gso);
	}
	if (tcctl_unlikely(stripped == TCCTL_STRIP_LEAVE))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	if (tcctl_unlikely(stripped == TCCTL_STRIP_FAILED))
		goto drop;

	/* the inner packet */
	if (how & TCCTL_DECAP_CSUM)
		bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	if (d->kind != TCCTL_INNER_OTHER) {
		bad = tcctl_decap_tos(skb, d, row, d->l3, d->kind == TCCTL_INNER_IPV4);
		if (tcctl_unlikely(bad >= 0))
			goto drop;
		if (tcctl_unlikely(d->flags & TCCTL_TF_MSS))
			tcctl_mss_clamp(skb, d->l3, d->kind == TCCTL_INNER_IPV4, row->mtu);
	}
	tcctl_decap_context(skb, d, row, how);
	if (d->frame) {
		tcctl_set_offsets(skb, 0, 0);
		tcctl_set_proto(skb, 0, TCCTL_F_L2, 0);
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_INNER_ETH);
		tcctl_count(skb, TCCTL_CNT_EMPTY_STAGE + TCCTL_STAGE_INNER_ETH);
		return tcctl_handled(skb);
	}
	tcctl_set_offsets(skb, d->l3, 0);
	tcctl_set_proto(skb, 0, tcctl_flags(skb) & TCCTL_F_L2, 0);
	if (d->kind == TCCTL_INNER_IPV4) {
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV4);
		tcctl_count(skb, TCCTL_CNT_EMPTY_L3 + TCCTL_L3_IPV4);
	} else {
		tcctl_jump(skb, jt_l3, TCCTL_L3_IPV6);
		tcctl_count(skb, TCCTL_CNT_EMPTY_L3 + TCCTL_L3_IPV6);
	}
	return tcctl_handled(skb);
drop:
	return tcctl_decap_drop(skb, d, row, bad);
}

#endif
