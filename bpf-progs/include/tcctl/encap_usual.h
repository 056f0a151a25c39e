/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Encapsulation of what most tunnels with Ethernet inside carry, in one go: an IP packet in an untagged frame, behind an IPv4
 * header, UDP without a checksum and 8 bytes (VXLAN, GENEVE without options). The words of the outer header go from the
 * tunnel's row into the packet, with what depends on it filled in. All else is composed by encap_header.
 */
#ifndef TCCTL_ENCAP_USUAL_H
#define TCCTL_ENCAP_USUAL_H

#include "tcctl/encap.h"

#define TCCTL_USUAL_LEN 36
/* What encap_header does for a tunnel and this does not. */
#define TCCTL_USUAL_NOT (TCCTL_TF_CSUM | TCCTL_TF_QFI | TCCTL_TF_GBP | TCCTL_TF_SEQ)

static __always_inline bool tcctl_usual(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 protocol = tcctl_field(skb, protocol);

	if (cfg.flags & TCCTL_CFG_RAW)
		return false;
	return row->header_len == TCCTL_USUAL_LEN && row->family == 4 && row->adjust & BPF_F_ADJ_ROOM_ENCAP_L4_UDP &&
	       (row->flags & (TCCTL_TF_INNER_ETH | TCCTL_USUAL_NOT)) == TCCTL_TF_INNER_ETH && !row->payload_kind &&
	       !row->length_at && s->kind && !(s->flags & TCCTL_EN_FLOOD) && tcctl_l3(skb) == 14 &&
	       !tcctl_field(skb, vlan_present) && (!tcctl_field(skb, gso_size) || row->mtu) &&
	       (protocol == bpf_htons(TCCTL_ETH_IPV4) || protocol == bpf_htons(TCCTL_ETH_IPV6));
}

/* False: encap_header may try; the packet is as it was. */
static __always_inline bool tcctl_usual_room(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	const __u32 *p = (const __u32 *)tcctl_data_at(skb, 0);

	if (tcctl_unlikely((__u8 *)p + 14 > tcctl_data_end(skb)))
		return false;
	for (int i = 0; i < 3; i++)
		((__u32 *)s->l2)[i] = p[i];
	*(__u16 *)(s->l2 + 12) = *(const __u16 *)(p + 3);
	tcctl_encap_measure(skb, s);
	return !bpf_skb_adjust_room(skb, TCCTL_USUAL_LEN + 14, BPF_ADJ_ROOM_MAC, row->adjust);
}

/* The headers into the room. False: it is not linear, which does not happen. */
static __always_inline bool tcctl_usual_write(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	const __u32 *h = (const __u32 *)row->header, *l2 = (const __u32 *)s->l2;
	__u32 tos, ttl, len, dst, word, frag, sport, vni;
	__u32 *p = (__u32 *)tcctl_data_at(skb, 14);
	__u32 flags = row->flags;
	__u64 sum;

	if ((__u8 *)p + TCCTL_USUAL_LEN + 14 > tcctl_data_end(skb))
		return false;
	/* The outer IP header. */
	len = tcctl_field(skb, len) - 14;
	tos = flags & TCCTL_TF_DSCP_INHERIT ? s->tos & 0xfc : row->tos;
	if (!(flags & TCCTL_TF_ECN_OFF))
		tos |= s->tos & 3;
	word = bpf_htonl(0x45000000 | tos << 16 | (len & 0xffff));
	p[0] = word;
	sum = word;
	frag = bpf_ntohl(h[1]) & 0xffff;
	if (flags & TCCTL_TF_DF_INHERIT)
		frag = s->flags & TCCTL_EN_DF ? 0x4000 : 0;
	if (!frag) /* RFC 6864: an ID is for what may be fragmented */
		frag = bpf_get_prandom_u32() << 16;
	word = bpf_htonl(frag);
	p[1] = word;
	sum += word;
	ttl = bpf_ntohl(h[2]);
	if (flags & TCCTL_TF_TTL_INHERIT)
		ttl = (ttl & 0x00ffffff) | s->ttl << 24;
	dst = h[4];
	vni = h[8];
	if (s->flags & TCCTL_EN_FDB) {
		dst = *(const __u32 *)s->remote;
		if (s->remote_id)
			vni = bpf_htonl(s->remote_id << 8);
	}
	p[3] = h[3];
	p[4] = dst;
	sum += (__u64)bpf_htonl(ttl) + h[3] + dst;
	p[2] = bpf_htonl(ttl | bpf_ntohs(~tcctl_fold(sum) & 0xffff));
	/* UDP and the tunnel's. */
	sport = bpf_ntohl(h[5]);
	if (flags & TCCTL_TF_ENTROPY)
		sport = (sport & 0xffff) | ((row->sport_base + (s->hash & row->sport_mask)) & 0xffff) << 16;
	word = bpf_htonl((len - 20) << 16);
	p[5] = bpf_htonl(sport);
	p[6] = word;
	p[7] = h[7];
	p[8] = vni;
	sum = (__u64)bpf_htonl(sport) + word + h[7] + vni;
	/* The inner frame's header. */
	for (int i = 0; i < 3; i++) {
		p[9 + i] = l2[i];
		sum += l2[i];
	}
	*(__u16 *)(p + 12) = *(const __u16 *)(s->l2 + 12);
	sum += *(const __u16 *)(s->l2 + 12);
	/* A sum over all of the packet gets all but the outer IP header, which sums up to nothing. */
	bpf_csum_update(skb, tcctl_fold(sum));
	p = (__u32 *)tcctl_data_at(skb, 12);
	if ((__u8 *)p + 2 > tcctl_data_end(skb))
		return false;
	*(__u16 *)p = bpf_htons(TCCTL_ETH_IPV4); /* not part of that sum */
	tcctl_set_offsets(skb, 14, 34);
	tcctl_set_proto(skb, 0, TCCTL_F_L2 | TCCTL_F_IPV4 | TCCTL_F_PORTS, TCCTL_IP_UDP);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, sport);
	return true;
}

#endif
