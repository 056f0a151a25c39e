/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the encap stage: the outer header. `encap` has found the tunnel, and left what it knows in `encaps`.
 *
 *	Ethernet | inner IP …                  inner: ip     Ethernet | outer IP … | inner IP …
 *	Ethernet [tags] | inner IP or other …  inner: eth    Ethernet | outer IP … | Ethernet [tags] | inner IP or other …
 *
 * A tag in skb metadata moves into the inner frame (inner eth); with inner ip tags go, as they do when a packet is routed
 * into a tunnel device. Ethernet addresses of the outer frame are written when its next hop is known, at the end.
 */
#include "tcctl/encap.h"
#include "tcctl/octets.h"

#define L3 TCCTL_DATA_OFFSET
#define TTL_DEFAULT 64 /* inherited from what has none */
/* Assembly, so that the compiler cannot merge stores to different places into one with a variable pointer. */
#define PUT(size, at, value)                                                                        \
	({                                                                                          \
		__u64 _v = (value);                                                                 \
		asm volatile("*(" size " *)(%0 + %1) = %2"                                          \
			     :                                                                      \
			     : "r"(s), "i"(__builtin_offsetof(struct tcctl_encap, frame) + TCCTL_FRAME_IP + (at)), \
			       "r"(_v)                                                              \
			     : "memory");                                                           \
	})
#define PUT8(at, value) PUT("u8", at, value)
#define PUT16(at, value) PUT("u16", at, value)
#define PUT32(at, value) PUT("u32", at, value)
#define AT16(at) (*(__u16 *)(s->frame + TCCTL_FRAME_IP + (at)))
#define AT32(at) (*(__u32 *)(s->frame + TCCTL_FRAME_IP + (at)))
#define AT8(at) (s->frame[TCCTL_FRAME_IP + (at)])
/* Two bytes as the 16-bit word that they are in memory. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PAIR(first, second) ((__u32)(first) | (__u32)(second) << 8)
#else
#define PAIR(first, second) ((__u32)(first) << 8 | (second))
#endif

/*
 * Flags are read anew each time: a value tested bit by bit would be as many states to the verifier. And there is no
 * pointer with a variable offset here: without CAP_PERFMON one of those makes the verifier take every range of every
 * value for another state. So what has a variable place is stored apart, or found by comparing.
 */
#define FLAGS(p) (*(const volatile __u32 *)&(p)->flags)

static __always_inline bool is_ip(__u32 ethertype)
{
	return ethertype == TCCTL_ETH_IPV4 || ethertype == TCCTL_ETH_IPV6;
}

/*
 * bpf_skb_adjust_room() takes packets only whose skb->protocol is IP. The one way to set that is to take a VLAN tag out
 * of a frame, which makes it what the frame then says: so, tags are pushed until one is in the frame, and
 * popped again. The EtherType at offset 12 becomes `ethertype`; the caller has the old one and writes all of it anew.
 */
static __always_inline bool set_protocol(struct __sk_buff *skb, __u32 ethertype)
{
	__u64 type = bpf_htons(ethertype);
	bool had = skb->vlan_present;

	if (bpf_skb_store_bytes(skb, 12, &type, 2, 0))
		return false;
	if (bpf_skb_vlan_push(skb, bpf_htons(TCCTL_ETH_8021Q), 0))
		return false;
	if (!had && bpf_skb_vlan_push(skb, bpf_htons(TCCTL_ETH_8021Q), 0))
		return false;
	if (bpf_skb_vlan_pop(skb))
		return false;
	return had || !bpf_skb_vlan_pop(skb);
}

/* Takes all tags off, in metadata and in the frame. */
static __always_inline bool pop_tags(struct __sk_buff *skb)
{
	for (int i = 0; i < 4; i++) {
		if (!skb->vlan_present && is_ip(bpf_ntohs(skb->protocol)))
			return true;
		if (bpf_skb_vlan_pop(skb))
			return false;
	}
	return false;
}

/*
 * The inner Ethernet header, with a tag of the metadata put back, to s->l2: returns its length, 0 if that is odd. What is
 * in front of the inner L3 header is written anew as a whole: how much of it the kernel takes for the outer
 * frame's header depends on where the packet came from.
 */
static __always_inline __u32 copy_l2(struct __sk_buff *skb, struct tcctl_encap *s, __u32 l3)
{
	__u8 *to = s->l2;
	__u32 w[6], len = l3;

	if (tcctl_unlikely(l3 != 14)) {
		if (l3 == 18) {
			if (bpf_skb_load_bytes(skb, 0, s->l2, 18))
				return 0;
		} else if (l3 == 22) {
			if (bpf_skb_load_bytes(skb, 0, s->l2, 22))
				return 0;
		} else {
			return 0;
		}
	} else {
		const __u8 *p = tcctl_data_at(skb, 0);

		if (tcctl_likely(p + 14 <= tcctl_data_end(skb))) {
			*(__u32 *)to = *(const __u32 *)p;
			*(__u32 *)(to + 4) = *(const __u32 *)(p + 4);
			*(__u32 *)(to + 8) = *(const __u32 *)(p + 8);
			*(__u16 *)(to + 12) = *(const __u16 *)(p + 12);
		} else if (bpf_skb_load_bytes(skb, 0, s->l2, 14)) {
			return 0;
		}
	}
	if (tcctl_unlikely(skb->vlan_present)) {
		for (int i = 0; i < 5; i++)
			w[i] = *(__u16 *)(to + 12 + 2 * i);
		for (int i = 0; i < 5; i++)
			*(__u16 *)(to + 16 + 2 * i) = w[i];
		*(__u16 *)(to + 12) = skb->vlan_proto;
		*(__u16 *)(to + 14) = bpf_htons(skb->vlan_tci);
		len += 4;
	}
	return len;
}

/* One or two tags. The first is pushed first and so ends up inside. */
static __always_inline bool push_tags(struct __sk_buff *skb, const struct tcctl_encap *s,
				      const struct tcctl_tunnel *row)
{
	__u32 outer = row->tags[0], inner = row->tags[1], pcp = s->tos >> 5 << 13, proto = row->tag_proto, in_frame;

	if (outer & TCCTL_TAG_PCP_INHERIT)
		outer = (outer & 0xfff) | pcp;
	if (inner & TCCTL_TAG_PCP_INHERIT)
		inner = (inner & 0xfff) | pcp;
	in_frame = skb->vlan_present ? 4 : 0;
	if (row->n_tags > 1) {
		if (bpf_skb_vlan_push(skb, bpf_htons(TCCTL_ETH_8021Q), inner))
			return false;
		in_frame += 4;
	}
	if (bpf_skb_vlan_push(skb, bpf_htons(proto), outer))
		return false;
	tcctl_set_offsets(skb, tcctl_l3(skb) + in_frame, tcctl_l4(skb) ? tcctl_l4(skb) + in_frame : 0);
	tcctl_cb_set(skb, TCCTL_CB_PROTO, (tcctl_cb(skb, TCCTL_CB_PROTO) & 0xffff) | outer << 16 | TCCTL_F_VLAN << 8);
	return true;
}

/* What the kernel's external device is to write. */
static __always_inline bool set_metadata(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	struct bpf_tunnel_key *key = (void *)s->chunk;
	__u32 flags = row->flags, tos = row->tos, id = row->id_out, w[4], v6 = row->family == 6;
	__u64 key_flags = 0, n;

	__builtin_memset(s->chunk, 0, 64);
	for (int i = 0; i < 4; i++)
		w[i] = ((const __u32 *)row->remote)[i];
	if (s->flags & TCCTL_EN_FDB) {
		for (int i = 0; i < 4; i++)
			w[i] = ((const __u32 *)s->remote)[i];
		if (s->remote_id)
			id = s->remote_id;
	}
	key->tunnel_id = id;
	/* network byte order, but an IPv4 address is in the host's */
	key->remote_ipv6[0] = v6 ? w[0] : bpf_ntohl(w[0]);
	key->remote_ipv6[1] = w[1];
	key->remote_ipv6[2] = w[2];
	key->remote_ipv6[3] = w[3];
	for (int i = 0; i < 4; i++)
		w[i] = ((const __u32 *)row->local)[i];
	key->local_ipv6[0] = v6 ? w[0] : bpf_ntohl(w[0]);
	key->local_ipv6[1] = w[1];
	key->local_ipv6[2] = w[2];
	key->local_ipv6[3] = w[3];
	if (v6)
		key_flags |= BPF_F_TUNINFO_IPV6;
	if (flags & TCCTL_TF_DSCP_INHERIT)
		tos = s->tos & 0xfc;
	if (!(flags & TCCTL_TF_ECN_OFF))
		tos |= s->tos & 3;
	key->tunnel_tos = tos;
	key->tunnel_ttl = flags & TCCTL_TF_TTL_INHERIT && s->kind ? s->ttl : row->ttl ? row->ttl : 64;
	if (!(flags & TCCTL_TF_CSUM))
		key_flags |= BPF_F_ZERO_CSUM_TX;
	if (flags & TCCTL_TF_DF || (flags & TCCTL_TF_DF_INHERIT && s->flags & TCCTL_EN_DF))
		key_flags |= BPF_F_DONT_FRAGMENT;
	if (flags & TCCTL_TF_SEQ)
		key_flags |= BPF_F_SEQ_NUMBER;
	/* before 6.0 there was no local address in it: the route says from which */
	if (bpf_skb_set_tunnel_key(skb, key, sizeof(*key), key_flags) &&
	    bpf_skb_set_tunnel_key(skb, key, __builtin_offsetof(struct bpf_tunnel_key, local_ipv4), key_flags))
		return false;
	n = row->header_len;
	if (row->kind == TCCTL_T_VXLAN && flags & TCCTL_TF_GBP) {
		*(__u32 *)s->chunk = skb->mark & 0xffff;
		return !bpf_skb_set_tunnel_opt(skb, s->chunk, 4);
	}
	if (row->kind == TCCTL_T_GENEVE && n) {
		asm volatile("%0 &= 0x7c" : "+r"(n));
		return n >= 4 && !bpf_skb_set_tunnel_opt(skb, (void *)row->header, n);
	}
	return true;
}

/* GRE's sequence number is the last word, behind an optional checksum and key. */
static __always_inline void put_sequence(struct tcctl_encap *s, const struct tcctl_tunnel *row, const __u32 at)
{
	__u32 n = bpf_htonl(tcctl_sequence(s)), words = (row->header_len - at) >> 2;

	if (words == 2)
		PUT32(at + 4, n);
	else if (words == 3)
		PUT32(at + 8, n);
	else
		PUT32(at + 12, n);
}

/*
 * What is behind the outer IP header, at `at`: all that depends on the packet. `payload`: bytes behind the template.
 * Returns the ports as in the context.
 */
static __always_inline __u32 put_l4(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				    __u32 payload, const __u32 at)
{
	__u32 len = payload + row->header_len - at, type = row->type, ethertype, proto, n;
	bool udp = *(const volatile __u64 *)&row->adjust & BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	__u64 sum;

	if (row->payload_kind) {
		proto = s->kind == TCCTL_F_IPV4 ? TCCTL_IP_IPIP : TCCTL_IP_IPV6;
		ethertype = bpf_htons(s->kind == TCCTL_F_IPV4 ? TCCTL_ETH_IPV4 : TCCTL_ETH_IPV6);
		if (type == TCCTL_T_IPIP)
			PUT8(at == 40 ? 6 : 9, proto);
		else if (type == TCCTL_T_GUE)
			PUT8(at + 9, proto);
		else if (type == TCCTL_T_GRE)
			PUT16(at + 2, ethertype);
		else if (type == TCCTL_T_GENEVE)
			PUT16(at + 10, ethertype);
	}
	if (tcctl_encaps(TCCTL_T_GTPU) && row->length_at) {
		PUT16(at + 10, bpf_htons(len - 16));
		if (FLAGS(row) & TCCTL_TF_QFI)
			PUT8(at + 22, (AT8(at + 22) & 0xc0) | (tcctl_octet(skb, row, qfi_of_dscp, s->tos >> 2) & 63));
	}
	if (tcctl_encaps(TCCTL_T_VXLAN) && FLAGS(row) & TCCTL_TF_GBP) {
		n = skb->mark & 0xffff;
		if (n)
			PUT32(at + 8, bpf_htonl(0x88000000U | n));
	}
	if (udp) {
		if (FLAGS(s) & TCCTL_EN_FDB && s->remote_id)
			PUT32(at + 12, bpf_htonl(s->remote_id << 8));
		if (FLAGS(row) & TCCTL_TF_ENTROPY)
			PUT16(at, bpf_htons((row->sport_base + (s->hash & row->sport_mask)) & 0xffff));
		PUT16(at + 4, bpf_htons(len));
	} else if (type != TCCTL_T_IPIP) {
		if (FLAGS(s) & TCCTL_EN_FDB && s->remote_id && AT8(at) & 0x20) {
			if (FLAGS(row) & TCCTL_TF_CSUM)
				PUT32(at + 8, bpf_htonl(s->remote_id));
			else
				PUT32(at + 4, bpf_htonl(s->remote_id));
		}
		if (FLAGS(row) & TCCTL_TF_SEQ)
			put_sequence(s, row, at);
	}
	if (tcctl_unlikely(FLAGS(s) & TCCTL_EN_SUM)) {
		__u64 words = row->header_len - at;

		sum = s->sum;
		asm volatile("%0 &= 0x7c" : "+r"(words));
		if (words)
			sum += (__u32)bpf_csum_diff(NULL, 0, (void *)&AT32(at), words, 0);
		if (udp) {
			for (n = at == 40 ? 8 : 12; n < at; n += 4)
				sum += AT32(n);
			sum += bpf_htonl(TCCTL_IP_UDP) + (__u64)bpf_htonl(len & 0xffff);
			sum = ~tcctl_fold(sum) & 0xffff;
			PUT16(at + 6, sum ? sum : 0xffff);
		} else {
			PUT16(at + 4, ~tcctl_fold(sum));
		}
	}
	return (__u32)bpf_ntohs(AT16(at)) << 16 | bpf_ntohs(AT16(at + 2));
}

/* DSCP and ECN: RFC 6040, normal mode, the inner ECN field as it is. */
static __always_inline __u32 outer_tos(const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 tos = row->tos;

	if (FLAGS(row) & TCCTL_TF_DSCP_INHERIT)
		tos = s->tos & 0xfc;
	if (!(FLAGS(row) & TCCTL_TF_ECN_OFF))
		tos |= s->tos & 3;
	return tos;
}

static __always_inline __u32 put_ipv4(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				      __u32 payload)
{
	__u32 ports;

	if (FLAGS(s) & TCCTL_EN_FDB)
		PUT32(16, *(__u32 *)s->remote);
	ports = put_l4(skb, s, row, payload, 20);
	PUT8(1, outer_tos(s, row));
	PUT16(2, bpf_htons(payload + row->header_len));
	if (FLAGS(row) & TCCTL_TF_TTL_INHERIT)
		PUT8(8, s->kind ? s->ttl : TTL_DEFAULT);
	if (FLAGS(row) & TCCTL_TF_DF_INHERIT)
		PUT16(6, FLAGS(s) & TCCTL_EN_DF ? bpf_htons(0x4000) : 0);
	/* RFC 6864: an ID is for what may be fragmented */
	if (!AT16(6))
		PUT16(4, bpf_get_prandom_u32());
	/* Read in no larger pieces than just written: that would wait for the writes. */
	PUT16(10, ~tcctl_fold((__u64)PAIR(AT8(0), AT8(1)) + AT16(2) + AT16(4) + AT16(6) + PAIR(AT8(8), AT8(9)) +
			      AT32(12) + AT32(16)));
	return ports;
}

static __always_inline __u32 put_ipv6(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				      __u32 payload)
{
	if (FLAGS(s) & TCCTL_EN_FDB) {
		for (__u32 i = 0; i < 16; i += 4)
			PUT32(24 + i, *(__u32 *)(s->remote + i));
	}
	PUT32(0, bpf_htonl(0x60000000U | outer_tos(s, row) << 20 | (s->hash & 0xfffff)));
	PUT16(4, bpf_htons(payload + row->header_len - 40));
	if (FLAGS(row) & TCCTL_TF_TTL_INHERIT)
		PUT8(7, s->kind ? s->ttl : TTL_DEFAULT);
	return put_l4(skb, s, row, payload, 40);
}

/* Can it be done to this packet? */
static __always_inline bool begin(struct __sk_buff *skb, const struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	bool udp = row->adjust & BPF_F_ADJ_ROOM_ENCAP_L4_UDP;

	/* UDP goes without checksum where there can be none; GRE's is promised by its flags. */
	if (FLAGS(row) & TCCTL_TF_CSUM && !udp && !(FLAGS(s) & TCCTL_EN_SUM))
		return false;
	/* Segments get copies of the header. Where each needs its own, it cannot be right. */
	return tcctl_likely(!skb->gso_size) || (!row->length_at && (udp || !(FLAGS(row) & TCCTL_TF_SEQ)));
}

/* Room in front of the inner L3 header. */
static __always_inline bool make_room(struct __sk_buff *skb, const struct tcctl_tunnel *row, __u32 l3, __u32 ethertype)
{
	__u32 grow = row->header_len;
	__u64 adjust = row->adjust;
	long err;

	if (FLAGS(row) & TCCTL_TF_INNER_ETH) {
		__u32 tag = skb->vlan_present ? 4 : 0, l2 = tcctl_hook(skb) & TCCTL_HOOK_EGRESS ? l3 : 14;

		grow += 14 + tag;
		if (tcctl_unlikely(l2 + tag != 14)) {
			adjust &= ~(__u64)BPF_F_ADJ_ROOM_ENCAP_L2(0xff);
			adjust |= BPF_F_ADJ_ROOM_ENCAP_L2((__u64)(l2 + tag));
		}
		if (tcctl_unlikely(!is_ip(bpf_ntohs(skb->protocol))) && !set_protocol(skb, ethertype))
			return false;
	}
	/* Segments keep their size, for they were found to fit; where nobody knows the MTU they give way. */
	if (tcctl_unlikely(skb->gso_size) && !row->mtu && tcctl_proto(skb) == TCCTL_IP_TCP)
		adjust &= ~(__u64)BPF_F_ADJ_ROOM_FIXED_GSO;
	err = bpf_skb_adjust_room(skb, grow, BPF_ADJ_ROOM_MAC, adjust);
	if (tcctl_likely(!err))
		return true;
	/* In a kernel's tunnel already: one level of offload is all there is. */
	if (err != -114 /* EALREADY */ || skb->gso_size)
		return false;
	if (bpf_skb_adjust_room(skb, grow, BPF_ADJ_ROOM_MAC, 0))
		return false;
	if (bpf_ntohs(skb->protocol) == ethertype)
		return true;
	return !(cfg.flags & TCCTL_CFG_RAW) && set_protocol(skb, ethertype);
}

/* The header, and `l2_len` bytes of the inner Ethernet header, into the room that was made. */
static __always_inline bool write(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				  __u32 l2_len)
{
	__u64 n = row->header_len;

	asm volatile("%0 &= 0xfc" : "+r"(n));
	/* Not "!n": kernels before 6.8 take no lower bound from an inequality. */
	if (n < 20 || bpf_skb_store_bytes(skb, L3, s->frame + TCCTL_FRAME_IP, n, BPF_F_RECOMPUTE_CSUM))
		return false;
	if (!l2_len)
		return true;
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return false;
	n = l2_len;
	asm volatile("%0 &= 31" : "+r"(n));
	return n >= 14 && !bpf_skb_store_bytes(skb, L3 + row->header_len, s->l2, n, BPF_F_RECOMPUTE_CSUM);
}

/* Puts the packet into the tunnel; false: it could not be done, and the packet may be spoilt. */
static __always_inline bool put(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u32 l3 = tcctl_l3(skb), l2_len = 0, payload, ports, ethertype, proto, i;

	if (row->header_len < 20 || row->header_len > TCCTL_TEMPLATE_MAX || !begin(skb, s, row))
		return false;
	if (FLAGS(row) & TCCTL_TF_INNER_ETH) {
		if (cfg.flags & TCCTL_CFG_RAW)
			return false;
		if (!s->kind)
			l3 = 14;
		l2_len = copy_l2(skb, s, l3);
		if (!l2_len)
			return false;
		payload = skb->len + (skb->vlan_present ? 4 : 0);
	} else {
		if (tcctl_unlikely(!(cfg.flags & TCCTL_CFG_RAW) && (l3 != 14 || skb->vlan_present)) && !pop_tags(skb))
			return false;
		payload = skb->len - L3;
	}
	l2_len = tcctl_forget(skb, l2_len);

	for (i = 0; i < 64; i += 8)
		*(__u64 *)(s->frame + TCCTL_FRAME_IP + i) = *(const __u64 *)(row->header + i);
	if (tcctl_unlikely(row->header_len > 64)) {
		for (i = 64; i < TCCTL_TEMPLATE_MAX; i += 8)
			*(__u64 *)(s->frame + TCCTL_FRAME_IP + i) = *(const __u64 *)(row->header + i);
	}
	if (row->family == 6) {
		ports = put_ipv6(skb, s, row, payload);
		proto = AT8(6);
		asm volatile("" : "+r"(proto)); /* two loads, see PUT() */
		ethertype = TCCTL_ETH_IPV6;
	} else {
		ports = put_ipv4(skb, s, row, payload);
		proto = AT8(9);
		ethertype = TCCTL_ETH_IPV4;
	}
	ports = tcctl_forget(skb, ports);
	proto = tcctl_forget(skb, proto);
	ethertype = tcctl_forget(skb, ethertype);

	if (!make_room(skb, row, l3, ethertype))
		return false;
	if (!write(skb, s, row, l2_len))
		return false;
	if (!(cfg.flags & TCCTL_CFG_RAW)) {
		/* not part of a CHECKSUM_COMPLETE sum */
		__u8 *p = tcctl_data_at(skb, 0);

		if (p + 14 > tcctl_data_end(skb))
			return false;
		*(__u16 *)(p + 12) = bpf_htons(ethertype);
	}

	/* From here on the packet is the outer one. */
	tcctl_set_offsets(skb, L3, L3 + row->l4_at);
	tcctl_set_proto(skb, 0,
			(cfg.flags & TCCTL_CFG_RAW ? 0 : TCCTL_F_L2) |
				(ethertype == TCCTL_ETH_IPV6 ? TCCTL_F_IPV6 : TCCTL_F_IPV4) |
				(proto == TCCTL_IP_UDP ? TCCTL_F_PORTS : 0),
			proto);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, proto == TCCTL_IP_UDP ? ports : 0);
	return true;
}

SEC("tc")
int encap_header(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_encap *s;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_ENCAP_HEADER);
	s = tcctl_encap_state();
	row = s ? tcctl_encap_row(skb, s) : NULL;
	if (!row || !row->type || !tcctl_has_context(skb) || !s->id)
		return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
	tcctl_encap_measure(skb, s);
	if (tcctl_encaps(TCCTL_T_VLAN) && row->type == TCCTL_T_VLAN) {
		if (!push_tags(skb, s, row))
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
	} else if (tcctl_encaps(TCCTL_T_METADATA) && row->type == TCCTL_T_METADATA) {
		if (!set_metadata(skb, s, row))
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
	} else {
		if (tcctl_unlikely(!put(skb, s, row)))
			return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
	}
	tcctl_encapsulated(skb, s, row);
	if (tcctl_unlikely(s->flags & TCCTL_EN_FLOOD)) {
		s->flood_next = 0;
		s->flood_own = TCCTL_FLOOD_NOBODY;
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_FLOOD);
		tcctl_count(skb, TCCTL_CNT_EMPTY_STAGE + TCCTL_STAGE_FLOOD);
	}
	return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
}
