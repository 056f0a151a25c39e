// SPDX-License-Identifier: GPL-2.0-only
#include "refparse.h"

#include <string.h>

struct cursor {
	const uint8_t *data;
	size_t len, at;
	struct ref_result *r;
	size_t l3, l4;
	uint32_t flags, proto, tci, ports;
};

static uint32_t be16(const struct cursor *c, size_t at)
{
	return (uint32_t)c->data[at] * 256 + c->data[at + 1];
}

static void reason(struct cursor *c, enum tcctl_reason why)
{
	c->r->counted[TCCTL_CNT_REASON + why]++;
}

static void stages(struct cursor *c)
{
	c->r->staged = true;
	c->r->cb[TCCTL_CB_OFFSETS] = (uint32_t)(c->l4 << 16 | c->l3);
	c->r->cb[TCCTL_CB_PROTO] = c->tci << 16 | c->flags << 8 | c->proto;
	c->r->cb[TCCTL_CB_PORTS] = c->ports;
}

static const struct {
	uint8_t proto, slot, min;
	bool ports;
} l4_table[] = {
	{ 1, TCCTL_L4_ICMP, 8, false },	  { 4, TCCTL_L4_IPIP, 20, false },  { 6, TCCTL_L4_TCP, 20, true },
	{ 17, TCCTL_L4_UDP, 8, true },	  { 41, TCCTL_L4_IPV6, 40, false }, { 47, TCCTL_L4_GRE, 4, false },
	{ 50, TCCTL_L4_ESP, 8, false },	  { 51, TCCTL_L4_AH, 12, false },   { 58, TCCTL_L4_ICMPV6, 8, false },
	{ 132, TCCTL_L4_SCTP, 12, true },
};

static const struct {
	uint16_t port, slot;
} udp_table[] = {
	{ 4789, TCCTL_UDP_VXLAN }, { 6081, TCCTL_UDP_GENEVE }, { 2152, TCCTL_UDP_GTPU },
	{ 6635, TCCTL_UDP_MPLS },  { 5555, TCCTL_UDP_FOU },    { 6080, TCCTL_UDP_GUE },
};

/* The upper layer: `at` is its offset, `end` where the IP packet ends. */
static void upper(struct cursor *c, size_t at, size_t end)
{
	unsigned int slot = TCCTL_L4_OTHER;
	bool ports = false;

	for (size_t i = 0; i < sizeof(l4_table) / sizeof(l4_table[0]); i++) {
		if (l4_table[i].proto != c->proto)
			continue;
		/* of IP in IP, the first fragment may have less than a header */
		if (end - at < (c->flags & TCCTL_F_FRAG && l4_table[i].min > 8 && (c->proto == 4 || c->proto == 41) ?
					8 :
					l4_table[i].min)) {
			reason(c, TCCTL_R_TRUNC_L4);
			stages(c);
			return;
		}
		slot = l4_table[i].slot;
		ports = l4_table[i].ports;
	}
	c->l4 = at;
	c->r->counted[TCCTL_CNT_L4 + slot]++;
	if (ports) {
		c->flags |= TCCTL_F_PORTS;
		c->ports = be16(c, at) << 16 | be16(c, at + 2);
	} else if ((slot == TCCTL_L4_ICMP && c->flags & TCCTL_F_IPV4) ||
		   (slot == TCCTL_L4_ICMPV6 && c->flags & TCCTL_F_IPV6)) {
		c->flags |= TCCTL_F_ICMP;
		c->ports = be16(c, at);
	}
	if (slot == TCCTL_L4_UDP)
		for (size_t i = 0; i < sizeof(udp_table) / sizeof(udp_table[0]); i++)
			if (be16(c, at + 2) == udp_table[i].port)
				c->r->counted[TCCTL_CNT_EMPTY_UDP + udp_table[i].slot]++;
	stages(c);
}

static void ipv4(struct cursor *c)
{
	size_t head, total, end;
	uint32_t frag;

	c->r->counted[TCCTL_CNT_L3 + TCCTL_L3_IPV4]++;
	if (c->len - c->l3 < 20) {
		reason(c, TCCTL_R_TRUNC_L3);
		return;
	}
	head = (c->data[c->l3] % 16) * 4U;
	total = be16(c, c->l3 + 2);
	if (c->data[c->l3] / 16 != 4 || head < 20 || total < head) {
		reason(c, TCCTL_R_BAD_IPV4);
		return;
	}
	end = c->l3 + total;
	if (end > c->len) {
		reason(c, TCCTL_R_TRUNC_L3);
		return;
	}
	c->flags |= TCCTL_F_IPV4;
	c->proto = c->data[c->l3 + 9];
	frag = be16(c, c->l3 + 6);
	if (frag & 0x3fff)
		c->flags |= TCCTL_F_FRAG;
	if (frag & 0x1fff) {
		c->flags |= TCCTL_F_LATER;
		stages(c);
		return;
	}
	upper(c, c->l3 + head, end);
}

static bool is_extension(uint32_t next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
}

static void ipv6(struct cursor *c)
{
	size_t at, end;

	c->r->counted[TCCTL_CNT_L3 + TCCTL_L3_IPV6]++;
	if (c->len - c->l3 < 40) {
		reason(c, TCCTL_R_TRUNC_L3);
		return;
	}
	if (c->data[c->l3] / 16 != 6) {
		reason(c, TCCTL_R_BAD_IPV6);
		return;
	}
	c->proto = c->data[c->l3 + 6];
	at = c->l3 + 40;
	end = at + be16(c, c->l3 + 4);
	if (end == at && c->proto == 0) /* jumbogram: the length is in the hop-by-hop options */
		end = c->len;
	if (end > c->len) {
		reason(c, TCCTL_R_TRUNC_L3);
		return;
	}
	c->flags |= TCCTL_F_IPV6;
	for (int n = 0; is_extension(c->proto); n++) {
		uint32_t kind = c->proto, unit = c->data[at + 1];

		if (n == 8) {
			reason(c, TCCTL_R_EXT_DEPTH);
			stages(c);
			return;
		}
		if (end - at < 8) {
			reason(c, TCCTL_R_TRUNC_L4);
			stages(c);
			return;
		}
		c->proto = c->data[at];
		if (kind == 44) {
			uint32_t word = be16(c, at + 2);

			if (word & 0xfff9)
				c->flags |= TCCTL_F_FRAG;
			if (word >> 3) {
				c->flags |= TCCTL_F_LATER;
				stages(c);
				return;
			}
			at += 8;
		} else {
			at += kind == 51 ? (unit + 2) * 4 : (unit + 1) * 8;
		}
		if (at > end) {
			reason(c, TCCTL_R_TRUNC_L4);
			stages(c);
			return;
		}
	}
	upper(c, at, end);
}

static void mpls(struct cursor *c)
{
	c->r->counted[TCCTL_CNT_L3 + TCCTL_L3_MPLS]++;
	for (size_t i = 0; i < 16; i++) {
		if (c->l3 + 4 * i + 4 > c->len)
			break;
		if (c->data[c->l3 + 4 * i + 2] & 1) {
			stages(c);
			return;
		}
	}
	reason(c, TCCTL_R_TRUNC_L3);
}

static void network(struct cursor *c, uint32_t type);

static void pppoe(struct cursor *c)
{
	uint32_t inner = 0;

	c->r->counted[TCCTL_CNT_L3 + TCCTL_L3_PPPOE]++;
	if (c->len - c->l3 < 8) {
		reason(c, TCCTL_R_TRUNC_L3);
		return;
	}
	if (be16(c, c->l3) == 0x1100)
		inner = be16(c, c->l3 + 6);
	if (inner != 0x21 && inner != 0x57) {
		stages(c);
		return;
	}
	c->l3 += 8;
	network(c, inner == 0x21 ? 0x800 : 0x86dd);
}

static void network(struct cursor *c, uint32_t type)
{
	switch (type) {
	case 0x0800:
		ipv4(c);
		break;
	case 0x86dd:
		ipv6(c);
		break;
	case 0x8847:
	case 0x8848:
		mpls(c);
		break;
	case 0x8864:
		pppoe(c);
		break;
	default:
		c->r->counted[TCCTL_CNT_L3 + (type == 0x0806 ? TCCTL_L3_ARP : TCCTL_L3_OTHER)]++;
		stages(c);
	}
}

void ref_parse(const uint8_t *data, size_t len, bool l2, uint16_t ethertype, struct ref_result *ret)
{
	struct cursor c = { .data = data, .len = len, .r = ret };
	uint32_t type = ethertype;

	memset(ret, 0, sizeof(*ret));
	if (l2) {
		c.flags = TCCTL_F_L2;
		c.l3 = 14;
		if (len < 14) {
			reason(&c, TCCTL_R_TRUNC_L2);
			return;
		}
		type = be16(&c, 12);
		for (int n = 0; type == 0x8100 || type == 0x88a8 || type == 0x9100; n++) {
			if (n == 4) {
				reason(&c, TCCTL_R_VLAN_DEPTH);
				return;
			}
			if (c.l3 + 4 > len) {
				reason(&c, TCCTL_R_TRUNC_L2);
				return;
			}
			if (n == 0)
				c.tci = be16(&c, c.l3);
			c.flags |= TCCTL_F_VLAN;
			type = be16(&c, c.l3 + 2);
			c.l3 += 4;
		}
	}
	network(&c, type);
}
