// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A tunnel's row: policy, and the outer header as a template with all bytes in place that no packet changes.
 *
 *	ipip       IP
 *	gre        IP | flags, protocol [checksum, 0] [key] [sequence]
 *	mpls-gre   IP | flags, protocol [checksum, 0] [key] | labels
 *	vxlan      IP | UDP | flags, VNI
 *	geneve     IP | UDP | version, length of options, flags, protocol, VNI | options
 *	gtpu       IP | UDP | flags, 255, length, TEID [0, 0, next | PDU session container]
 *	fou        IP | UDP
 *	gue        IP | UDP | 0, protocol, flags
 *	mpls-udp   IP | UDP | labels
 */
#include "tunnel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#define IPV4_LEN 20
#define IPV6_LEN 40
#define UDP_LEN 8
#define ETH_LEN 14

#define PROTO_IPV4 4
#define PROTO_UDP 17
#define PROTO_IPV6 41
#define PROTO_GRE 47

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_TEB 0x6558
#define ETHERTYPE_MPLS 0x8847

#define GRE_CSUM 0x80
#define GRE_KEY 0x20
#define GRE_SEQ 0x10

#define GTPU_VERSION 0x30 /* version 1, protocol type GTP */
#define GTPU_EXTENSION 0x04
#define GTPU_G_PDU 255
#define GTPU_PDU_SESSION 0x85 /* type of the extension header */

#define LABEL_TTL 64 /* where the outer header takes the packet's */

/* Since Linux 5.13; headers of older ones may be without it. */
#define ENCAP_L2_ETH (1ULL << 6)

/* --- the template --------------------------------------------------------------------------------------- */

struct template
{
	const struct spec_tunnel *t;
	struct tcctl_tunnel *row;
	unsigned int n; /* bytes written */
};

static void put8(struct template *w, unsigned int v)
{
	w->row->header[w->n++] = (uint8_t)v;
}

static void put16(struct template *w, unsigned int v)
{
	put8(w, v >> 8);
	put8(w, v & 0xff);
}

static void put32(struct template *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, v & 0xffff);
}

static void put_bytes(struct template *w, const void *data, size_t n)
{
	memcpy(w->row->header + w->n, data, n);
	w->n += (unsigned int)n;
}

/* The IP protocol or EtherType of the payload, or 0 where the packet decides. */
static unsigned int payload_of(const struct spec_tunnel *t, unsigned int ipv4, unsigned int ipv6)
{
	bool has4 = t->flags & TCCTL_TF_INNER_IPV4, has6 = t->flags & TCCTL_TF_INNER_IPV6;

	return has4 && has6 ? 0 : has6 ? ipv6 : ipv4;
}

static void put_proto(struct template *w)
{
	unsigned int proto = payload_of(w->t, PROTO_IPV4, PROTO_IPV6);

	if (!proto) {
		w->row->payload_kind = TCCTL_PAYLOAD_PROTO;
		w->row->payload_at = (uint8_t)w->n;
	}
	put8(w, proto);
}

static void put_ethertype(struct template *w)
{
	unsigned int ethertype = w->t->flags & TCCTL_TF_INNER_ETH ?
					 ETHERTYPE_TEB :
					 payload_of(w->t, ETHERTYPE_IPV4, ETHERTYPE_IPV6);

	if (!ethertype) {
		w->row->payload_kind = TCCTL_PAYLOAD_ETHERTYPE;
		w->row->payload_at = (uint8_t)w->n;
	}
	put16(w, ethertype);
}

/* protocol 0: that of the payload */
static void put_ip(struct template *w, unsigned int protocol)
{
	struct tcctl_tunnel *row = w->row;

	if (row->family == 4) {
		put16(w, 0x4500U | row->tos);
		put32(w, 0); /* length, ID */
		put16(w, row->flags & TCCTL_TF_DF ? 0x4000 : 0);
		put8(w, row->ttl);
		if (protocol)
			put8(w, protocol);
		else
			put_proto(w);
		put16(w, 0); /* checksum */
		put_bytes(w, row->local, 4);
		put_bytes(w, row->remote, 4);
	} else {
		put32(w, 0x60000000U | (uint32_t)row->tos << 20);
		put16(w, 0); /* length */
		if (protocol)
			put8(w, protocol);
		else
			put_proto(w);
		put8(w, row->ttl);
		put_bytes(w, row->local, 16);
		put_bytes(w, row->remote, 16);
	}
	row->l4_at = (uint8_t)w->n;
}

static void put_udp(struct template *w)
{
	const struct spec_tunnel *t = w->t;
	struct tcctl_tunnel *row = w->row;
	unsigned int ports = 1U + t->sport_max - t->sport_min;

	put_ip(w, PROTO_UDP);
	if (ports > 1) {
		/* the largest power of two that fits */
		row->flags |= TCCTL_TF_ENTROPY;
		row->sport_base = t->sport_min;
		row->sport_mask = (uint16_t)((1U << (31 - __builtin_clz(ports))) - 1);
		put16(w, 0);
	} else {
		put16(w, t->sport_min);
	}
	put16(w, t->port);
	put32(w, 0); /* length, checksum */
}

static void put_labels(struct template *w)
{
	const struct spec_tunnel *t = w->t;
	unsigned int ttl = w->row->ttl ? w->row->ttl : LABEL_TTL;

	for (size_t i = 0; i < t->n_labels; i++)
		put32(w, t->labels[i] << 12 | (i + 1 == t->n_labels ? 0x100U : 0) | ttl);
}

static void put_gre(struct template *w)
{
	const struct spec_tunnel *t = w->t;
	unsigned int flags = 0;

	put_ip(w, PROTO_GRE);
	if (t->flags & TCCTL_TF_CSUM)
		flags |= GRE_CSUM;
	if (t->has_id && t->type == TCCTL_T_GRE)
		flags |= GRE_KEY;
	if (t->flags & TCCTL_TF_SEQ)
		flags |= GRE_SEQ;
	put16(w, flags << 8);
	if (t->type == TCCTL_T_MPLS_GRE)
		put16(w, ETHERTYPE_MPLS);
	else
		put_ethertype(w);
	if (flags & GRE_CSUM)
		put32(w, 0);
	if (flags & GRE_KEY)
		put32(w, t->id_out);
	if (flags & GRE_SEQ)
		put32(w, 0);
	if (t->type == TCCTL_T_MPLS_GRE)
		put_labels(w);
}

static void put_vxlan(struct template *w)
{
	put_udp(w);
	put32(w, 0x08000000U);
	put32(w, w->t->id_out << 8);
}

static bool has_critical_option(const struct spec_tunnel *t)
{
	for (size_t i = 0; i + 4 <= t->options_len; i += 4 + 4U * (t->options[i + 3] & 0x1f))
		if (t->options[i + 2] & 0x80)
			return true;
	return false;
}

static void put_geneve(struct template *w)
{
	const struct spec_tunnel *t = w->t;

	put_udp(w);
	put8(w, (unsigned int)(t->options_len / 4));
	put8(w, has_critical_option(t) ? 0x40 : 0);
	put_ethertype(w);
	put32(w, t->id_out << 8);
	put_bytes(w, t->options, t->options_len);
}

static void put_gtpu(struct template *w)
{
	const struct spec_tunnel *t = w->t;
	struct tcctl_tunnel *row = w->row;

	put_udp(w);
	put8(w, t->pdu == SPEC_PDU_NONE ? GTPU_VERSION : GTPU_VERSION | GTPU_EXTENSION);
	put8(w, GTPU_G_PDU);
	row->length_at = (uint8_t)w->n;
	put16(w, 0);
	put32(w, t->id_out);
	if (t->pdu == SPEC_PDU_NONE)
		return;
	put32(w, GTPU_PDU_SESSION); /* sequence number 0, N-PDU number 0, next header */
	put8(w, 1);		    /* words */
	put8(w, t->pdu == SPEC_PDU_UPLINK ? 0x10 : 0);
	put8(w, t->qfi);
	put8(w, 0); /* no further header */
}

static void put_gue(struct template *w)
{
	put_udp(w);
	put8(w, 0); /* variant 0, data, no optional fields */
	put_proto(w);
	put16(w, 0);
}

static void put_header(struct template *w)
{
	switch (w->t->type) {
	case TCCTL_T_IPIP: put_ip(w, 0); break;
	case TCCTL_T_GRE:
	case TCCTL_T_MPLS_GRE: put_gre(w); break;
	case TCCTL_T_VXLAN: put_vxlan(w); break;
	case TCCTL_T_GENEVE: put_geneve(w); break;
	case TCCTL_T_GTPU: put_gtpu(w); break;
	case TCCTL_T_FOU: put_udp(w); break;
	case TCCTL_T_GUE: put_gue(w); break;
	case TCCTL_T_MPLS_UDP:
		put_udp(w);
		put_labels(w);
		break;
	}
	w->row->header_len = (uint8_t)w->n;
}

/* --- the row ---------------------------------------------------------------------------------------------- */

static void set_addresses(const struct spec_tunnel *t, struct tcctl_tunnel *row)
{
	size_t n = t->family == 4 ? 4 : 16;

	if (t->has_local)
		memcpy(row->local, t->local.addr, n);
	if (t->n_remotes == 1 && spec_is_host(&t->remotes[0]) && !(t->flags & TCCTL_TF_FDB))
		memcpy(row->remote, t->remotes[0].addr, n);
}

static void set_qfi(const struct spec_tunnel *t, struct tcctl_tunnel *row)
{
	memset(row->qfi_of_dscp, t->qfi, sizeof(row->qfi_of_dscp));
	memset(row->dscp_of_qfi, 0xff, sizeof(row->dscp_of_qfi));
	if (t->type != TCCTL_T_GTPU || t->pdu == SPEC_PDU_NONE || !t->n_qfis)
		return;
	row->flags |= TCCTL_TF_QFI | TCCTL_TF_QFI_IN;
	for (size_t i = 0; i < t->n_qfis; i++) {
		row->qfi_of_dscp[t->qfis[i].dscp & 63] = t->qfis[i].qfi;
		/* several DSCPs may share a QFI: on arrival the first one written counts */
		if (row->dscp_of_qfi[t->qfis[i].qfi & 63] == 0xff)
			row->dscp_of_qfi[t->qfis[i].qfi & 63] = t->qfis[i].dscp;
	}
}

static uint64_t adjust_flags(const struct spec_tunnel *t, const struct tunnel_resolved *r)
{
	/* The segments of a packet keep their size: that they fit has been checked. */
	uint64_t flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	flags |= t->family == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	if (tcctl_tunnel_is_udp(t->type))
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	else if (t->type == TCCTL_T_GRE || t->type == TCCTL_T_MPLS_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (t->flags & TCCTL_TF_INNER_ETH)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L2((uint64_t)ETH_LEN) | (r->no_l2_eth ? 0 : ENCAP_L2_ETH);
	return flags;
}

static void set_tags(const struct spec_tunnel *t, struct tcctl_tunnel *row)
{
	row->n_tags = (uint8_t)t->n_tags;
	row->tag_proto = t->tags[0].proto;
	for (size_t i = 0; i < t->n_tags; i++) {
		const struct spec_tag *tag = &t->tags[i];

		row->tags[i] = (uint16_t)(tag->id | (tag->pcp < 0 ? TCCTL_TAG_PCP_INHERIT :
								    (unsigned int)tag->pcp << 13));
	}
}

/* Length of the header in front of the payload; 0 without one. */
static unsigned int header_length(const struct spec_tunnel *t)
{
	unsigned int n = t->family == 6 ? IPV6_LEN : IPV4_LEN;

	if (tcctl_tunnel_is_udp(t->type))
		n += UDP_LEN;
	switch (t->type) {
	case TCCTL_T_GRE:
	case TCCTL_T_MPLS_GRE:
		n += 4U + (t->flags & TCCTL_TF_CSUM ? 4 : 0) + (t->flags & TCCTL_TF_SEQ ? 4 : 0);
		/* the kernel's external device sends a key always */
		n += t->type == TCCTL_T_GRE ? (t->has_id || t->mode == SPEC_TUNNEL_METADATA ? 4 : 0) :
					      4 * (unsigned int)t->n_labels;
		return n;
	case TCCTL_T_VXLAN: return n + 8;
	case TCCTL_T_GENEVE: return n + 8 + (unsigned int)t->options_len;
	case TCCTL_T_GTPU: return n + (t->pdu == SPEC_PDU_NONE ? 8 : 16);
	case TCCTL_T_GUE: return n + 4;
	case TCCTL_T_MPLS_UDP: return n + 4 * (unsigned int)t->n_labels;
	case TCCTL_T_VLAN: return 0;
	default: return n;
	}
}

bool tunnel_needs_cut(const struct spec_tunnel *t)
{
	return t->mode == SPEC_TUNNEL_DIRECT &&
	       (t->type == TCCTL_T_GTPU || t->flags & (TCCTL_TF_CSUM | TCCTL_TF_SEQ));
}

unsigned int tunnel_overhead(const struct spec_tunnel *t)
{
	if (t->type == TCCTL_T_VLAN)
		return t->n_tags > 1 ? 4 * (unsigned int)(t->n_tags - 1) : 0;
	return header_length(t) + (t->flags & TCCTL_TF_INNER_ETH ? ETH_LEN : 0);
}

static uint16_t inner_mtu(const struct spec_tunnel *t, const struct tunnel_resolved *r)
{
	unsigned int overhead = tunnel_overhead(t);

	if (t->mtu || !r->mtu)
		return t->mtu;
	/* nothing fits: 1, because 0 would be no limit */
	return r->mtu > overhead ? (uint16_t)(r->mtu - overhead) : 1;
}

int tunnel_row_build(const struct spec_tunnel *t, const struct tunnel_resolved *r, struct tcctl_tunnel *ret)
{
	struct tcctl_tunnel row = {
		.flags = t->flags | r->flags,
		.type = t->mode == SPEC_TUNNEL_METADATA ? TCCTL_T_METADATA : t->type,
		.kind = t->type,
		.family = t->family,
		.mtu = inner_mtu(t, r),
		.device = r->device,
		.underlay = r->underlay,
		.way = r->way,
		.mark = t->mark,
		.counters = r->counters,
		.flood_first = r->flood_first,
		.flood_n = (uint16_t)t->n_flood,
		.ageing = t->ageing,
		.id = t->id,
		.id_out = t->id_out,
		.ttl = t->flags & TCCTL_TF_TTL_INHERIT ? 0 : t->ttl,
		.tos = t->flags & TCCTL_TF_DSCP_INHERIT ? 0 : (uint8_t)(t->dscp << 2),
	};
	struct template w = { .t = t, .row = &row };

	if (t->type == TCCTL_T_NONE || t->type >= TCCTL_T_METADATA || header_length(t) > TCCTL_TEMPLATE_MAX)
		return -EINVAL;
	row.flags &= ~(TCCTL_TF_DF | TCCTL_TF_DF_INHERIT);
	row.flags |= t->df == SPEC_DF_SET ? TCCTL_TF_DF : t->df == SPEC_DF_INHERIT ? TCCTL_TF_DF_INHERIT : 0;
	memcpy(row.mac, r->device_mac, sizeof(row.mac));
	set_addresses(t, &row);
	set_qfi(t, &row);
	if (t->type == TCCTL_T_VLAN) {
		set_tags(t, &row);
	} else if (t->mode == SPEC_TUNNEL_METADATA) {
		memcpy(row.header, t->options, t->options_len);
		row.header_len = (uint8_t)t->options_len;
	} else if (t->family) {
		put_header(&w);
		row.adjust = adjust_flags(t, r);
	}
	*ret = row;
	return 0;
}
