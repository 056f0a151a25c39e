// SPDX-License-Identifier: GPL-2.0-only
#include "tunnelref_encap.h"

#include <string.h>

#include "packet.h"

struct inner {
	size_t l3;
	int family; /* 4, 6, 0 */
	uint8_t tos, ttl;
	bool df;
	size_t end; /* of the IP packet, without padding */
	bool odd_tag; /* behind a tag of before 802.1ad: devices do not take that for one, so nothing routes it */
};

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static struct inner parse(const struct tunnelref_frame *f)
{
	struct inner in = { .l3 = 14 };
	const uint8_t *ip;
	uint16_t type;
	size_t left;

	if (f->len < 14)
		return in;
	type = packet_get16(f->data + 12);
	for (int i = 0; i < 4 && is_tag(type); i++) {
		if (in.l3 + 4 > f->len)
			return in;
		in.odd_tag |= type == 0x9100;
		type = packet_get16(f->data + in.l3 + 2);
		in.l3 += 4;
	}
	ip = f->data + in.l3;
	left = f->len - in.l3;
	if (type == 0x0800 && left >= 20 && ip[0] >> 4 == 4 && (ip[0] & 15) >= 5) {
		size_t total = packet_get16(ip + 2);

		if (total < 4U * (ip[0] & 15) || total > left)
			return in;
		in.family = 4;
		in.tos = ip[1];
		in.ttl = ip[8];
		in.df = ip[6] & 0x40;
		in.end = in.l3 + total;
	} else if (type == 0x86dd && left >= 40 && ip[0] >> 4 == 6) {
		size_t total = 40U + packet_get16(ip + 4);

		if (total > left)
			return in;
		if (total == 40 && ip[6] == 0) /* jumbogram */
			total = left;
		in.family = 6;
		in.tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
		in.ttl = ip[7];
		in.df = true;
		in.end = in.l3 + total;
	}
	return in;
}

/* What no router forwards: RFC 4291 2.5.6 and 2.7, RFC 4861 6.1 and 7.1 (hop limit 255), RFC 5771 4, RFC 1812 5.3.5. */
static bool stays_on_link(const struct inner *in, const uint8_t *ip)
{
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	if (in->family == 4)
		return !memcmp(ip + 16, all, 4) || !memcmp(ip + 16, (const uint8_t[]){ 224, 0, 0 }, 3);
	if (ip[24] == 0xff && (ip[25] & 15) < 3)
		return true;
	if ((ip[8] == 0xfe && ip[9] >> 6 == 2) || (ip[24] == 0xfe && ip[25] >> 6 == 2))
		return true;
	return ip[6] == 58 && in->end >= in->l3 + 48 && ip[40] > 132 && ip[40] < 138;
}

static uint8_t *put16(uint8_t *p, unsigned int v)
{
	packet_put16(p, (uint16_t)v);
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	return put16(p + 2, v);
}

static uint8_t *put_labels(uint8_t *p, const struct spec_tunnel *t)
{
	for (size_t i = 0; i < t->n_labels; i++)
		p = put32(p, t->labels[i] << 12 | (i + 1 == t->n_labels) << 8 |
				     (t->flags & TCCTL_TF_TTL_INHERIT ? 64U : t->ttl));
	return p;
}

enum tunnelref_verdict tunnelref_encap(const struct spec_tunnel *t, const struct tunnelref_frame *f,
				       const struct tunnelref_free *free, struct tunnelref_out *ret)
{
	static const struct tunnelref_free nothing;
	struct inner in = parse(f);
	bool eth = t->flags & TCCTL_TF_INNER_ETH, v6 = t->family == 6, csum = t->flags & TCCTL_TF_CSUM;
	uint8_t *const out = ret->data, *p, *l4, *payload;
	uint16_t ethertype = in.family == 6 ? 0x86dd : 0x0800;
	unsigned int proto = 17, tos, ttl;
	uint32_t id = t->id_out;
	const uint8_t *remote;
	bool df;

	if (!free)
		free = &nothing;
	remote = free->remote ? free->remote : t->remotes[0].addr;
	if (free->id)
		id = free->id;
	if (!eth && (in.odd_tag || in.l3 > 22))
		return TUNNELREF_NOT_CARRIED;
	if (!eth && !(in.family == 4 ? t->flags & TCCTL_TF_INNER_IPV4 :
		      in.family == 6 ? t->flags & TCCTL_TF_INNER_IPV6 :
				       0))
		return TUNNELREF_NOT_CARRIED;
	if (!eth && stays_on_link(&in, f->data + in.l3))
		return TUNNELREF_NOT_CARRIED;
	if (eth)
		ethertype = 0x6558;

	switch (t->type) {
	case TCCTL_T_IPIP: proto = in.family == 6 ? 41 : 4; break;
	case TCCTL_T_GRE:
	case TCCTL_T_MPLS_GRE: proto = 47; break;
	}
	ttl = t->flags & TCCTL_TF_TTL_INHERIT ? (in.family ? in.ttl - (unsigned int)f->hop : 64U) : t->ttl;
	tos = t->flags & TCCTL_TF_DSCP_INHERIT ? in.tos & 0xfcU : t->dscp * 4U;
	if (!(t->flags & TCCTL_TF_ECN_OFF))
		tos |= in.tos & 3;
	df = t->df == SPEC_DF_SET || (t->df == SPEC_DF_INHERIT && in.df);

	/* the outer IP header, without lengths and checksum */
	p = out;
	if (v6) {
		p = put32(p, 0x60000000U | tos << 20 | free->flow_label);
		p = put16(p, 0);
		*p++ = (uint8_t)proto;
		*p++ = (uint8_t)ttl;
		memcpy(p, t->local.addr, 16);
		memcpy(p + 16, remote, 16);
		p += 32;
	} else {
		*p++ = 0x45;
		*p++ = (uint8_t)tos;
		p = put16(p, 0);
		p = put16(p, df ? 0 : free->ip_id);
		p = put16(p, df ? 0x4000 : 0);
		*p++ = (uint8_t)ttl;
		*p++ = (uint8_t)proto;
		p = put16(p, 0);
		memcpy(p, t->local.addr, 4);
		memcpy(p + 4, remote, 4);
		p += 8;
	}
	l4 = p;
	if (proto == 17) {
		p = put16(p, free->sport);
		p = put16(p, t->port);
		p = put32(p, 0);
	}

	switch (t->type) {
	case TCCTL_T_VXLAN:
		if (t->flags & TCCTL_TF_GBP && f->mark & 0xffff)
			p = put32(p, 0x88000000U | (f->mark & 0xffff));
		else
			p = put32(p, 0x08000000U);
		p = put32(p, id << 8);
		break;
	case TCCTL_T_GENEVE:
		*p = (uint8_t)(t->options_len / 4);
		p[1] = 0;
		for (size_t i = 0; i < t->options_len; i += 4 + 4U * (t->options[i + 3] & 31))
			if (t->options[i + 2] & 0x80)
				p[1] = 0x40; /* a critical option */
		p = put16(p + 2, ethertype);
		p = put32(p, id << 8);
		memcpy(p, t->options, t->options_len);
		p += t->options_len;
		break;
	case TCCTL_T_GTPU:
		*p = t->pdu == SPEC_PDU_NONE ? 0x30 : 0x34;
		p[1] = 255;
		p = put32(p + 4, id);
		if (t->pdu != SPEC_PDU_NONE) {
			uint8_t qfi = t->qfi;

			for (size_t i = 0; i < t->n_qfis; i++)
				if (t->qfis[i].dscp == in.tos >> 2)
					qfi = t->qfis[i].qfi;
			p = put32(p, 0x85);
			*p++ = 1;
			*p++ = t->pdu == SPEC_PDU_UPLINK ? 0x10 : 0;
			*p++ = qfi;
			*p++ = 0;
		}
		break;
	case TCCTL_T_GUE:
		*p = 0;
		p[1] = in.family == 6 ? 41 : 4;
		p = put16(p + 2, 0);
		break;
	case TCCTL_T_MPLS_UDP: p = put_labels(p, t); break;
	case TCCTL_T_GRE:
		*p = (uint8_t)((csum ? 0x80 : 0) | (t->has_id ? 0x20 : 0) | (t->flags & TCCTL_TF_SEQ ? 0x10 : 0));
		p[1] = 0;
		p = put16(p + 2, ethertype);
		if (csum)
			p = put32(p, 0);
		if (t->has_id)
			p = put32(p, id);
		if (t->flags & TCCTL_TF_SEQ)
			p = put32(p, free->sequence);
		break;
	case TCCTL_T_MPLS_GRE:
		*p = csum ? 0x80 : 0;
		p[1] = 0;
		p = put16(p + 2, 0x8847);
		if (csum)
			p = put32(p, 0);
		p = put_labels(p, t);
		break;
	}

	/* the payload */
	payload = p;
	if (eth) {
		memcpy(p, f->data, 12);
		p += 12;
		if (f->tagged) {
			p = put16(p, f->tag_proto);
			p = put16(p, f->tag_tci);
		}
		memcpy(p, f->data + 12, f->len - 12);
		p += f->len - 12;
	} else {
		memcpy(p, f->data + in.l3, in.end - in.l3);
		if (f->hop && in.family == 6) {
			p[7]--;
		} else if (f->hop) {
			p[8]--;
			packet_put16(p + 10, 0);
			packet_put16(p + 10, (uint16_t)~packet_sum(p, (p[0] & 15) * 4U, 0));
		}
		p += in.end - in.l3;
	}
	(void)payload;

	/* lengths and checksums */
	if (t->type == TCCTL_T_GTPU)
		packet_put16(l4 + 10, (uint16_t)(p - l4 - 16));
	if (proto == 17)
		packet_put16(l4 + 4, (uint16_t)(p - l4));
	if (csum && proto == 17) {
		uint16_t sum = packet_sum(v6 ? out + 8 : out + 12, v6 ? 32 : 8, (uint32_t)(17 + (p - l4)));

		sum = (uint16_t)~packet_sum(l4, (size_t)(p - l4), sum);
		packet_put16(l4 + 6, sum ? sum : 0xffff);
	} else if (csum && proto == 47) {
		packet_put16(l4 + 4, (uint16_t)~packet_sum(l4, (size_t)(p - l4), 0));
	}
	if (v6) {
		packet_put16(out + 4, (uint16_t)(p - out - 40));
	} else {
		packet_put16(out + 2, (uint16_t)(p - out));
		packet_put16(out + 10, (uint16_t)~packet_sum(out, 20, 0));
	}
	ret->len = (size_t)(p - out);
	ret->l4_at = (unsigned int)(l4 - out);
	ret->proto = (uint8_t)proto;
	ret->ethertype = v6 ? 0x86dd : 0x0800;
	ret->udp = proto == 17;
	return TUNNELREF_DONE;
}
