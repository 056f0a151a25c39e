// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of a described packet, innermost header first: lengths and checksums need what follows. */
#include <stdlib.h>
#include <string.h>

#include "layers.h"

static uint8_t *prepend(struct builder *b, size_t n)
{
	if (b->start < n)
		return NULL;
	b->start -= n;
	memset(b->buf + b->start, 0, n);
	return b->buf + b->start;
}

static void put16(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint64_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* CRC-32C of SCTP (RFC 9260 appendix A), bit by bit: test packets are few. */
static uint32_t crc32c(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0U;

	while (len--) {
		crc ^= *p++;
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
	}
	return ~crc;
}

static const struct value *field(const struct layer *l, const char *name)
{
	const struct layer_type *t = &layer_types[l->id];

	for (size_t i = 0; i < MAX_FIELDS && t->fields[i].name; i++)
		if (!strcmp(t->fields[i].name, name))
			return &l->v[i];
	abort(); /* a builder asked for a field that its table lacks */
}

static uint64_t number(const struct layer *l, const char *name)
{
	return field(l, name)->number;
}

/* The given value, or `other` when it was left out. */
static uint64_t number_or(const struct layer *l, const char *name, uint64_t other)
{
	const struct value *v = field(l, name);

	return v->set ? v->number : other;
}

static uint32_t pseudo_sum(const struct parser *ps, size_t i, uint8_t proto, size_t len)
{
	uint8_t head[40] = { 0 };
	size_t k = i;

	while (k-- > 0) {
		const struct layer *l = &ps->layers[k];

		if (l->id == L_IP) {
			memcpy(head, field(l, "src")->bytes, 4);
			memcpy(head + 4, field(l, "dst")->bytes, 4);
			head[9] = proto;
			put16(head + 10, len);
			return packet_sum16(0, head, 12);
		}
		if (l->id == L_IP6) {
			memcpy(head, field(l, "src")->bytes, 16);
			memcpy(head + 16, field(l, "dst")->bytes, 16);
			put32(head + 32, len);
			head[39] = proto;
			return packet_sum16(0, head, 40);
		}
	}
	return 0;
}

static int next_ethertype(const struct parser *ps, size_t i)
{
	if (i + 1 == ps->n)
		return 0x88b5; /* IEEE local experimental */
	if (ps->layers[i + 1].id == L_VLAN)
		return (int)number(&ps->layers[i + 1], "tpid");
	return layer_types[ps->layers[i + 1].id].ethertype < 0 ? 0x88b5 : layer_types[ps->layers[i + 1].id].ethertype;
}

static int next_proto(const struct parser *ps, size_t i, bool v6)
{
	if (i + 1 == ps->n)
		return v6 ? 59 : 253; /* no next header; for experiments (RFC 3692) */
	return layer_types[ps->layers[i + 1].id].proto < 0 ? 253 : layer_types[ps->layers[i + 1].id].proto;
}

int layers_build(struct parser *ps, struct builder *b, size_t i)
{
	const struct layer *l = &ps->layers[i];
	size_t payload = PACKET_MAX - b->start, len;
	const struct value *v;
	uint8_t *p = NULL;
	uint32_t sum;

	switch (l->id) {
	case L_ETH:
		p = prepend(b, 14);
		if (!p)
			break;
		memcpy(p, field(l, "dst")->bytes, 6);
		memcpy(p + 6, field(l, "src")->bytes, 6);
		put16(p + 12, number_or(l, "type", (uint64_t)next_ethertype(ps, i)));
		break;
	case L_VLAN:
		p = prepend(b, 4);
		if (!p)
			break;
		put16(p, number(l, "prio") << 13 | number(l, "dei") << 12 | number(l, "id"));
		put16(p + 2, number_or(l, "type", (uint64_t)next_ethertype(ps, i)));
		break;
	case L_MPLS:
		p = prepend(b, 4);
		if (!p)
			break;
		put32(p, number(l, "label") << 12 | number(l, "tc") << 9 | number(l, "ttl") |
			     number_or(l, "bottom", i + 1 == ps->n || ps->layers[i + 1].id != L_MPLS) << 8);
		break;
	case L_ARP:
		p = prepend(b, 28);
		if (!p)
			break;
		put16(p, 1);
		put16(p + 2, 0x0800);
		p[4] = 6;
		p[5] = 4;
		put16(p + 6, number(l, "op"));
		memcpy(p + 8, field(l, "smac")->bytes, 6);
		memcpy(p + 14, field(l, "sip")->bytes, 4);
		memcpy(p + 18, field(l, "tmac")->bytes, 6);
		memcpy(p + 24, field(l, "tip")->bytes, 4);
		break;
	case L_PPPOE:
		p = prepend(b, 8);
		if (!p)
			break;
		p[0] = 0x11;
		put16(p + 2, number(l, "session"));
		put16(p + 4, number_or(l, "len", payload + 2));
		put16(p + 6, number_or(l, "ppp", next_ethertype(ps, i) == 0x86dd ? 0x57 : 0x21));
		break;
	case L_IP:
		v = field(l, "options");
		len = 20 + (v->len + 3) / 4 * 4;
		p = prepend(b, len);
		if (!p)
			break;
		p[0] = (uint8_t)(0x40 | len / 4);
		p[1] = (uint8_t)(number(l, "dscp") << 2 | number(l, "ecn"));
		put16(p + 2, number_or(l, "len", payload + len));
		put16(p + 4, number(l, "id"));
		put16(p + 6, number(l, "flags") << 13 | number(l, "off"));
		p[8] = (uint8_t)number(l, "ttl");
		p[9] = (uint8_t)number_or(l, "proto", (uint64_t)next_proto(ps, i, false));
		memcpy(p + 12, field(l, "src")->bytes, 4);
		memcpy(p + 16, field(l, "dst")->bytes, 4);
		if (v->len)
			memcpy(p + 20, v->data, v->len);
		put16(p + 10, number_or(l, "csum", ~packet_sum16(0, p, len) & 0xffff));
		break;
	case L_IP6:
		p = prepend(b, 40);
		if (!p)
			break;
		put32(p, 6U << 28 | number(l, "dscp") << 22 | number(l, "ecn") << 20 | number(l, "flow"));
		put16(p + 4, number_or(l, "len", payload));
		p[6] = (uint8_t)number_or(l, "next", (uint64_t)next_proto(ps, i, true));
		p[7] = (uint8_t)number(l, "hops");
		memcpy(p + 8, field(l, "src")->bytes, 16);
		memcpy(p + 24, field(l, "dst")->bytes, 16);
		break;
	case L_HOPOPTS:
	case L_DSTOPTS:
	case L_ROUTING:
		len = (number(l, "len") + 1) * 8;
		p = prepend(b, len);
		if (!p)
			break;
		p[0] = (uint8_t)number_or(l, "next", (uint64_t)next_proto(ps, i, true));
		p[1] = (uint8_t)number(l, "len");
		if (l->id == L_ROUTING) {
			p[2] = (uint8_t)number(l, "type");
			p[3] = (uint8_t)number(l, "left");
		} else {
			for (size_t k = 2; k < len;) { /* PadN options of up to 255 bytes */
				size_t pad = len - k - 2 > 255 ? 255 : len - k - 2;

				if (len - k == 1) {
					p[k++] = 0; /* Pad1 */
					continue;
				}
				p[k] = 1;
				p[k + 1] = (uint8_t)pad;
				k += pad + 2;
			}
		}
		break;
	case L_FRAG:
		p = prepend(b, 8);
		if (!p)
			break;
		p[0] = (uint8_t)number_or(l, "next", (uint64_t)next_proto(ps, i, true));
		put16(p + 2, number(l, "off") << 3 | number(l, "more"));
		put32(p + 4, number(l, "id"));
		break;
	case L_AH:
		p = prepend(b, 24); /* with a 96-bit check value of zeros */
		if (!p)
			break;
		p[0] = (uint8_t)number_or(l, "next", (uint64_t)next_proto(ps, i, true));
		p[1] = 4;
		put32(p + 4, number(l, "spi"));
		put32(p + 8, number(l, "seq"));
		break;
	case L_TCP:
		v = field(l, "options");
		len = 20 + (v->len + 3) / 4 * 4;
		p = prepend(b, len);
		if (!p)
			break;
		put16(p, number(l, "sport"));
		put16(p + 2, number(l, "dport"));
		put32(p + 4, number(l, "seq"));
		put32(p + 8, number(l, "ack"));
		p[12] = (uint8_t)(number_or(l, "doff", len / 4) << 4);
		p[13] = (uint8_t)number(l, "flags");
		put16(p + 14, number(l, "win"));
		put16(p + 18, number(l, "urg"));
		if (v->len)
			memcpy(p + 20, v->data, v->len);
		put16(p + 16, number_or(l, "csum", ~packet_sum16(pseudo_sum(ps, i, 6, payload + len), p, payload + len) & 0xffff));
		break;
	case L_UDP:
		p = prepend(b, 8);
		if (!p)
			break;
		put16(p, number(l, "sport"));
		put16(p + 2, number_or(l, "dport", i + 1 < ps->n && ps->layers[i + 1].id == L_VXLAN ? 4789 : 9));
		put16(p + 4, number_or(l, "len", payload + 8));
		sum = ~packet_sum16(pseudo_sum(ps, i, 17, payload + 8), p, payload + 8) & 0xffff;
		put16(p + 6, number_or(l, "csum", sum ? sum : 0xffff));
		break;
	case L_ICMP:
	case L_ICMP6:
		p = prepend(b, 8);
		if (!p)
			break;
		p[0] = (uint8_t)number(l, "type");
		p[1] = (uint8_t)number(l, "code");
		put16(p + 4, number(l, "id"));
		put16(p + 6, number(l, "seq"));
		sum = l->id == L_ICMP6 ? pseudo_sum(ps, i, 58, payload + 8) : 0;
		put16(p + 2, number_or(l, "csum", ~packet_sum16(sum, p, payload + 8) & 0xffff));
		break;
	case L_SCTP:
		p = prepend(b, 12);
		if (!p)
			break;
		put16(p, number(l, "sport"));
		put16(p + 2, number(l, "dport"));
		put32(p + 4, number(l, "tag"));
		sum = crc32c(p, payload + 12);
		for (int k = 0; k < 4; k++) /* least significant byte first */
			p[8 + k] = (uint8_t)(sum >> 8 * k);
		break;
	case L_GRE:
		v = field(l, "key");
		p = prepend(b, v->set ? 8 : 4);
		if (!p)
			break;
		put16(p, v->set ? 0x2000 : 0);
		put16(p + 2, number_or(l, "type", (uint64_t)next_ethertype(ps, i)));
		if (v->set)
			put32(p + 4, v->number);
		break;
	case L_VXLAN:
		p = prepend(b, 8);
		if (!p)
			break;
		p[0] = 0x08;
		put32(p + 4, number(l, "vni") << 8);
		break;
	case L_HEX:
	case L_TEXT:
		p = prepend(b, l->v[0].len);
		if (p && l->v[0].len)
			memcpy(p, l->v[0].data, l->v[0].len);
		break;
	case L_ZERO:
		p = prepend(b, l->v[0].number);
		break;
	case L_MAX:
		break;
	}
	return p ? 0 : layers_fail(ps, ps->text + l->column, "the packet grows beyond %d bytes", PACKET_MAX);
}
