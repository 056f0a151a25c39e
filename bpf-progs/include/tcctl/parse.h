/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parser: one copy, used by the handlers one step at a time, and in one go by programs that run alone and
 * by the SCHED_ACT program. Each step fills struct tcctl_parse and returns enum tcctl_reason, TCCTL_R_NONE
 * when all is well. Included by tcctl/handler.h.
 *
 * EtherTypes and IP protocol numbers are kept apart: `ethertype` is always in host byte order and never
 * holds a slot or a protocol number. No struct with bit fields is used, so the same source is right for both
 * byte orders.
 */
#ifndef TCCTL_PARSE_H
#define TCCTL_PARSE_H

/* EtherTypes, host byte order. */
#define TCCTL_ETH_IPV4 0x0800
#define TCCTL_ETH_ARP 0x0806
#define TCCTL_ETH_8021Q 0x8100
#define TCCTL_ETH_IPV6 0x86dd
#define TCCTL_ETH_MPLS_UC 0x8847
#define TCCTL_ETH_MPLS_MC 0x8848
#define TCCTL_ETH_PPPOE 0x8864 /* session stage; discovery (0x8863) is not IP */
#define TCCTL_ETH_8021AD 0x88a8
#define TCCTL_ETH_QINQ1 0x9100 /* QinQ from before 802.1ad */

#define TCCTL_PPP_IPV4 0x0021
#define TCCTL_PPP_IPV6 0x0057

/* IP protocol numbers. */
#define TCCTL_IP_HOPOPTS 0
#define TCCTL_IP_ICMP 1
#define TCCTL_IP_IPIP 4
#define TCCTL_IP_TCP 6
#define TCCTL_IP_UDP 17
#define TCCTL_IP_IPV6 41
#define TCCTL_IP_ROUTING 43
#define TCCTL_IP_FRAGMENT 44
#define TCCTL_IP_GRE 47
#define TCCTL_IP_ESP 50
#define TCCTL_IP_AH 51
#define TCCTL_IP_ICMPV6 58
#define TCCTL_IP_DSTOPTS 60
#define TCCTL_IP_SCTP 132

/* Bounds of the walks. */
#define TCCTL_VLAN_MAX 4    /* in-band tags */
#define TCCTL_EXT_MAX 8	    /* IPv6 extension headers */
#define TCCTL_MPLS_MAX 16   /* labels */

struct tcctl_parse {
	__u32 l3, l4;	 /* offsets; l4 is 0 when the packet has no L4 header */
	__u32 l4_len;	 /* bytes from l4 to the end of the IP packet (padding excluded) */
	__u32 ethertype; /* of what is at l3 */
	__u32 tci;	 /* outermost tag, valid with TCCTL_F_VLAN */
	__u32 flags;	 /* TCCTL_F_* */
	__u32 proto;	 /* IP protocol number */
	__u32 ports;	 /* as in cb[3] */
};

/* How far a context has been worked out. */
enum tcctl_parsed {
	TCCTL_PARSED_NOTHING,
	TCCTL_PARSED_L2, /* l3, VLAN */
	TCCTL_PARSED_L3, /* l4, proto, fragments */
	TCCTL_PARSED_L4, /* ports or ICMP type and code */
};

static __always_inline bool tcctl_is_vlan(__u32 ethertype)
{
	return ethertype == TCCTL_ETH_8021Q || ethertype == TCCTL_ETH_8021AD || ethertype == TCCTL_ETH_QINQ1;
}

/*
 * Ethernet and VLAN tags. The outermost tag may have been taken out of the frame into skb metadata, by the NIC
 * or the stack on ingress, by a VLAN device on egress. The type is the frame's, not skb->protocol: with a
 * tag in metadata skb->protocol may be the tag's or the inner one, depending on who sent the packet.
 */
static __always_inline int tcctl_parse_eth_header(struct __sk_buff *skb, struct tcctl_parse *p)
{
	const __u8 *h = tcctl_data_at(skb, 0);

	p->flags = TCCTL_F_L2;
	p->tci = 0;
	p->l3 = 14;
	if (tcctl_likely(h + 14 <= tcctl_data_end(skb))) {
		p->ethertype = bpf_ntohs(*(const __u16 *)(h + 12));
	} else {
		__u16 type TCCTL_BUFFER; /* apart: a variable whose address is taken lives on the stack */

		if (bpf_skb_load_bytes(skb, 12, &type, sizeof(type)))
			return TCCTL_R_TRUNC_L2;
		p->ethertype = bpf_ntohs(type);
	}
	if (skb->vlan_present) {
		p->tci = skb->vlan_tci & 0xffff;
		p->flags |= TCCTL_F_VLAN;
	}
	return TCCTL_R_NONE;
}

/* Tags in the frame; p->ethertype is the first one's. */
static __always_inline int tcctl_parse_vlan(struct __sk_buff *skb, struct tcctl_parse *p)
{
	__u32 tag;

	for (int i = 0; i < TCCTL_VLAN_MAX; i++) {
		if (!tcctl_read_slow(skb, p->l3, &tag, 1))
			return TCCTL_R_TRUNC_L2;
		tag = bpf_ntohl(tag);
		if (!(p->flags & TCCTL_F_VLAN)) {
			p->tci = tag >> 16;
			p->flags |= TCCTL_F_VLAN;
		}
		p->ethertype = tcctl_forget(skb, tag & 0xffff);
		p->l3 += 4;
		if (!tcctl_is_vlan(p->ethertype))
			return TCCTL_R_NONE;
	}
	return TCCTL_R_VLAN_DEPTH;
}

/* IPv4: options, total length, fragments. */
static __always_inline int tcctl_parse_ipv4(struct __sk_buff *skb, struct tcctl_parse *p)
{
	__u32 w[5], hlen, total, frag;

	if (!tcctl_read_l3(skb, p->l3, w, 5))
		return TCCTL_R_TRUNC_L3;
	w[0] = bpf_ntohl(w[0]);
	hlen = (w[0] >> 24 & 15) * 4;
	if (w[0] >> 28 != 4 || hlen < 20)
		return TCCTL_R_BAD_IPV4;
	total = w[0] & 0xffff;
	if (tcctl_unlikely(!total) && skb->gso_size) /* more than 64 KiB */
		total = skb->len - p->l3;
	if (total < hlen)
		return TCCTL_R_BAD_IPV4;
	if (p->l3 + total > skb->len)
		return TCCTL_R_TRUNC_L3;
	p->flags |= TCCTL_F_IPV4;
	p->proto = bpf_ntohl(w[2]) >> 16 & 0xff;
	p->l4 = p->l3 + hlen;
	p->l4_len = total - hlen;
	frag = bpf_ntohl(w[1]) & 0x3fff;
	if (tcctl_unlikely(frag)) {
		p->flags |= TCCTL_F_FRAG;
		if (frag & 0x1fff) {
			p->flags |= TCCTL_F_LATER;
			p->l4 = 0;
		}
	}
	return TCCTL_R_NONE;
}

static __always_inline bool tcctl_is_ext(__u32 proto)
{
	return proto == TCCTL_IP_HOPOPTS || proto == TCCTL_IP_ROUTING || proto == TCCTL_IP_FRAGMENT ||
	       proto == TCCTL_IP_AH || proto == TCCTL_IP_DSTOPTS;
}

/*
 * IPv6 and its extension headers. ESP and "no next header" end the chain like any upper layer. A header cut
 * short gives TCCTL_R_TRUNC_L4, too many TCCTL_R_EXT_DEPTH: the address fields are sane, so both leave a
 * context without L4 that can be classified.
 */
static __always_inline int tcctl_parse_ipv6(struct __sk_buff *skb, struct tcctl_parse *p)
{
	__u32 w[10], payload, off, end, proto;

	if (!tcctl_read_l3(skb, p->l3, w, 10))
		return TCCTL_R_TRUNC_L3;
	if (bpf_ntohl(w[0]) >> 28 != 6)
		return TCCTL_R_BAD_IPV6;
	w[1] = bpf_ntohl(w[1]);
	payload = w[1] >> 16;
	proto = w[1] >> 8 & 0xff;
	off = p->l3 + 40;
	if (tcctl_unlikely(!payload) && (skb->gso_size || proto == TCCTL_IP_HOPOPTS)) /* jumbogram */
		payload = skb->len - off;
	end = off + payload;
	if (end > skb->len)
		return TCCTL_R_TRUNC_L3;
	p->flags |= TCCTL_F_IPV6;
	p->proto = proto;
	if (tcctl_likely(!tcctl_is_ext(proto))) {
		p->l4 = off;
		p->l4_len = payload;
		return TCCTL_R_NONE;
	}

	p->l4 = 0;
	p->l4_len = 0;
	/* Unrolled: without CAP_PERFMON, 6.1 also follows the loop past its end, as a processor might speculate. */
#pragma clang loop unroll(full)
	for (int i = 0; i < TCCTL_EXT_MAX; i++) {
		__u32 h, len;

		if (off + 8 > end || !tcctl_read_slow(skb, off, &h, 1))
			return TCCTL_R_TRUNC_L4;
		h = bpf_ntohl(h);
		if (proto == TCCTL_IP_FRAGMENT) {
			len = 8;
			if (h & 0xfff9) { /* an atomic fragment, offset 0 and no more to come, is whole */
				p->flags |= TCCTL_F_FRAG;
				if (h & 0xfff8) {
					p->flags |= TCCTL_F_LATER;
					p->proto = h >> 24;
					return TCCTL_R_NONE;
				}
			}
		} else if (proto == TCCTL_IP_AH) {
			len = ((h >> 16 & 0xff) + 2) * 4;
		} else {
			len = ((h >> 16 & 0xff) + 1) * 8;
		}
		proto = h >> 24;
		p->proto = proto;
		off += len;
		if (off > end)
			return TCCTL_R_TRUNC_L4;
		if (!tcctl_is_ext(proto)) {
			p->l4 = off;
			p->l4_len = end - off;
			return TCCTL_R_NONE;
		}
		/* The verifier shall forget what it knows, or it follows every combination of headers. */
		off = tcctl_forget(skb, off);
		proto = tcctl_forget(skb, proto);
		p->flags = tcctl_forget(skb, p->flags);
	}
	return TCCTL_R_EXT_DEPTH;
}

/*
 * Shortest L4 header by protocol; a packet with less is classified without L4. The first fragment of IP in IP may have less
 * than a header of it, and is one nevertheless: eight bytes are the least that the stack puts together.
 */
static __always_inline __u32 tcctl_l4_min(const struct tcctl_parse *p)
{
	switch (p->proto) {
	case TCCTL_IP_TCP:
		return 20;
	case TCCTL_IP_IPIP:
		return p->flags & TCCTL_F_FRAG ? 8 : 20;
	case TCCTL_IP_UDP:
	case TCCTL_IP_ICMP:
	case TCCTL_IP_ICMPV6:
	case TCCTL_IP_ESP:
		return 8;
	case TCCTL_IP_SCTP:
	case TCCTL_IP_AH:
		return 12;
	case TCCTL_IP_GRE:
		return 4;
	case TCCTL_IP_IPV6:
		return p->flags & TCCTL_F_FRAG ? 8 : 40;
	}
	return 0;
}

/* Both ports as in cb[3]: TCP, UDP and SCTP begin with them. The length was checked by the L3 step. */
static __always_inline int tcctl_parse_ports(struct __sk_buff *skb, __u32 l4, __u32 *ret_ports)
{
	__u32 w;

	if (!tcctl_read_l4(skb, l4, &w, 1))
		return TCCTL_R_TRUNC_L4;
	*ret_ports = bpf_ntohl(w);
	return TCCTL_R_NONE;
}

/* ICMP and ICMPv6 type and code as in cb[3]. */
static __always_inline int tcctl_parse_icmp(struct __sk_buff *skb, __u32 l4, __u32 *ret_ports)
{
	__u32 w;

	if (!tcctl_read_l4(skb, l4, &w, 1))
		return TCCTL_R_TRUNC_L4;
	*ret_ports = bpf_ntohl(w) >> 16;
	return TCCTL_R_NONE;
}

/* PPPoE session header: 6 bytes, then the PPP protocol number. Moves l3 on and sets the EtherType of what is
 * inside when that is IP. */
static __always_inline int tcctl_parse_pppoe(struct __sk_buff *skb, struct tcctl_parse *p)
{
	__u32 w[2], ppp;

	if (!tcctl_read_l3(skb, p->l3, w, 2))
		return TCCTL_R_TRUNC_L3;
	if (bpf_ntohl(w[0]) >> 16 != 0x1100) /* version 1, type 1, code 0: session data */
		return TCCTL_R_NONE;
	ppp = bpf_ntohl(w[1]) & 0xffff;
	if (ppp == TCCTL_PPP_IPV4)
		p->ethertype = TCCTL_ETH_IPV4;
	else if (ppp == TCCTL_PPP_IPV6)
		p->ethertype = TCCTL_ETH_IPV6;
	else
		return TCCTL_R_NONE;
	p->l3 += 8;
	return TCCTL_R_NONE;
}

/* What the L4 step adds, from l4, l4_len and proto. Drops the L4 offset when the header is cut short. */
static __always_inline int tcctl_parse_l4(struct __sk_buff *skb, struct tcctl_parse *p)
{
	int reason = TCCTL_R_NONE;

	if (!p->l4)
		return TCCTL_R_NONE;
	if (p->l4_len < tcctl_l4_min(p)) {
		p->l4 = 0;
		return TCCTL_R_TRUNC_L4;
	}
	if (p->proto == TCCTL_IP_TCP || p->proto == TCCTL_IP_UDP || p->proto == TCCTL_IP_SCTP) {
		reason = tcctl_parse_ports(skb, p->l4, &p->ports);
		if (!reason)
			p->flags |= TCCTL_F_PORTS;
	} else if ((p->proto == TCCTL_IP_ICMP && p->flags & TCCTL_F_IPV4) ||
		   (p->proto == TCCTL_IP_ICMPV6 && p->flags & TCCTL_F_IPV6)) {
		reason = tcctl_parse_icmp(skb, p->l4, &p->ports);
		if (!reason)
			p->flags |= TCCTL_F_ICMP;
	}
	if (reason)
		p->l4 = 0;
	return reason;
}

/*
 * Does skb->data start with an Ethernet header? Only programs that run alone have to guess; a pipeline's entry
 * knows. A header that is complete and consistent IP wins over two bytes that look like an EtherType.
 */
static __always_inline bool tcctl_guess_eth(struct __sk_buff *skb)
{
	__u32 proto = bpf_ntohs(skb->protocol), w[2];

	if (!tcctl_read_l3(skb, 0, w, 2))
		return true;
	w[0] = bpf_ntohl(w[0]);
	if (proto == TCCTL_ETH_IPV4 && w[0] >> 28 == 4 && (w[0] >> 24 & 15) >= 5 && (w[0] & 0xffff) == skb->len)
		return false;
	if (proto == TCCTL_ETH_IPV6 && w[0] >> 28 == 6 && (bpf_ntohl(w[1]) >> 16) + 40 == skb->len)
		return false;
	return true;
}

/* Between steps: one state for the verifier, whichever way the step went. */
static __always_inline void tcctl_parse_forget(struct __sk_buff *skb, struct tcctl_parse *p)
{
	p->l3 = tcctl_forget(skb, p->l3);
	p->l4 = tcctl_forget(skb, p->l4);
	p->l4_len = tcctl_forget(skb, p->l4_len);
	p->ethertype = tcctl_forget(skb, p->ethertype);
	p->tci = tcctl_forget(skb, p->tci);
	p->flags = tcctl_forget(skb, p->flags);
	p->proto = tcctl_forget(skb, p->proto);
}

/* Parse from the start of the packet up to `upto`, for programs without a pipeline in front of them. */
static __always_inline int tcctl_parse(struct __sk_buff *skb, enum tcctl_parsed upto, struct tcctl_parse *p)
{
	__u32 reason = TCCTL_R_NONE;

	if (tcctl_guess_eth(skb)) {
		reason = tcctl_parse_eth_header(skb, p);
		if (!reason && tcctl_is_vlan(p->ethertype))
			reason = tcctl_parse_vlan(skb, p);
	} else {
		p->ethertype = bpf_ntohs(skb->protocol);
		p->l3 = 0;
	}
	tcctl_parse_forget(skb, p);
	reason = tcctl_forget(skb, reason);
	if (reason || upto == TCCTL_PARSED_L2)
		return reason;

	if (p->ethertype == TCCTL_ETH_PPPOE)
		reason = tcctl_parse_pppoe(skb, p);
	tcctl_parse_forget(skb, p);
	reason = tcctl_forget(skb, reason);
	if (reason)
		return reason;

	if (p->ethertype == TCCTL_ETH_IPV4)
		reason = tcctl_parse_ipv4(skb, p);
	else if (p->ethertype == TCCTL_ETH_IPV6)
		reason = tcctl_parse_ipv6(skb, p);
	tcctl_parse_forget(skb, p);
	reason = tcctl_forget(skb, reason);
	if (reason || upto == TCCTL_PARSED_L3)
		return reason;
	reason = tcctl_parse_l4(skb, p);
	tcctl_parse_forget(skb, p);
	return tcctl_forget(skb, reason);
}

/* The L3 step's part of a context whose L2 part is there already. */
static __always_inline void tcctl_context_add(struct __sk_buff *skb, const struct tcctl_parse *p)
{
	tcctl_set_offsets(skb, p->l3, p->l4);
	tcctl_cb_set(skb, TCCTL_CB_PROTO, tcctl_cb(skb, TCCTL_CB_PROTO) | p->flags << 8 | p->proto);
}

static __always_inline void tcctl_context_write(struct __sk_buff *skb, const struct tcctl_parse *p)
{
	tcctl_set_offsets(skb, p->l3, p->l4);
	tcctl_set_proto(skb, p->tci, p->flags, p->proto);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, p->ports);
}

/* A program was attached alone: write a whole context, as far as `upto` wants it. */
static __always_inline void tcctl_alone(struct __sk_buff *skb, enum tcctl_parsed upto)
{
	struct tcctl_parse p = {};
	__u32 reason;

	tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_NO_ROOT);
	tcctl_cb_set(skb, TCCTL_CB_GUARD, TCCTL_CB_MAGIC << 24 | (skb->tc_classid & 0xffff));
	tcctl_cb_set(skb, TCCTL_CB_CLASS, 0);
	skb->tc_classid = 0;
	if (upto > TCCTL_PARSED_NOTHING) {
		reason = tcctl_parse(skb, upto, &p);
		if (reason)
			tcctl_count(skb, TCCTL_CNT_REASON + reason);
	}
	tcctl_context_write(skb, &p);
}

#endif
