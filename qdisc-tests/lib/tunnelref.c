// SPDX-License-Identifier: GPL-2.0-only
#include "tunnelref.h"

#include <string.h>

#include "packet.h"
#include "refparse.h"

/* One encapsulation as read from the packet. */
struct encapsulated {
	unsigned int type, family, port, id, has_id;
	uint8_t local[16], remote[16];
	size_t at, payload, end; /* tunnel header, payload, end of it */
	unsigned int kind;	 /* 4, 6, 'e'thernet, '?': the tunnel says, or the payload; 'x': none that is known */
	unsigned int tos;
	bool has_csum;
	bool part; /* the first fragment of a packet: lengths in it are those of the whole */
};

/* Not an encapsulation (counted nowhere); malformed; a fragment with too little of it; to be looked up. */
enum judged { NO_TUNNEL, BAD, SHORT, FINE };

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)packet_get16(p) << 16 | packet_get16(p + 2);
}

static enum judged labels(const uint8_t *d, struct encapsulated *e)
{
	for (unsigned int n = 0; n < 16; n++) {
		if (e->payload + 4 > e->end)
			return e->part ? SHORT : BAD;
		if (!n)
			e->id = be32(d + e->payload) / 4096;
		e->payload += 4;
		if (d[e->payload - 2] & 1)
			return FINE;
	}
	return e->part ? SHORT : BAD;
}

static unsigned int ethertype_kind(unsigned int type)
{
	return type == 0x6558 ? 'e' : type == 0x800 ? 4 : type == 0x86dd ? 6 : 'x';
}

/* --- each type's header, up to where its tunnel can be looked up --- */

static enum judged read_gre(const uint8_t *d, size_t len, struct encapsulated *e)
{
	const uint8_t *h = d + e->at;
	unsigned int protocol;

	if (e->part && e->at + 16 > e->end)
		return SHORT;
	if (e->at + 16 > len) /* no room for a payload */
		return BAD;
	if (h[0] & 0x4c || h[1] & 7)
		return BAD;
	e->type = TCCTL_T_GRE;
	e->payload = e->at + 4;
	e->has_csum = h[0] & 0x80;
	if (e->has_csum)
		e->payload += 4;
	if (h[0] & 0x20) {
		e->has_id = 1;
		e->id = be32(d + e->payload);
		e->payload += 4;
	}
	if (h[0] & 0x10)
		e->payload += 4;
	if (e->payload > e->end)
		return BAD;
	protocol = packet_get16(h + 2);
	e->kind = ethertype_kind(protocol);
	if (protocol == 0x8847 || protocol == 0x8848) {
		e->type = TCCTL_T_MPLS_GRE;
		e->has_id = 0;
		e->kind = '?';
		return labels(d, e);
	}
	return FINE;
}

static enum judged read_vxlan(const uint8_t *h, struct encapsulated *e)
{
	e->type = TCCTL_T_VXLAN;
	e->payload = e->at + 8;
	e->kind = 'e';
	e->id = be32(h + 4) / 256;
	return e->payload <= e->end ? h[0] & 8 ? FINE : BAD : BAD;
}

static enum judged read_geneve(const uint8_t *h, struct encapsulated *e)
{
	e->type = TCCTL_T_GENEVE;
	e->payload = e->at + 8;
	if (e->payload > e->end)
		return BAD;
	e->payload += (h[0] & 63) * 4U;
	if (h[0] & 0xc0 || (e->payload > e->end && !e->part))
		return BAD;
	e->id = be32(h + 4) / 256;
	e->kind = ethertype_kind(packet_get16(h + 2));
	return h[1] & 0x80 ? NO_TUNNEL : FINE;
}

static enum judged read_gtpu(const uint8_t *h, struct encapsulated *e)
{
	e->type = TCCTL_T_GTPU;
	e->payload = e->at + 8;
	if (e->payload > e->end || h[0] >> 4 != 3)
		return BAD;
	if (h[1] != 255)
		return NO_TUNNEL;
	if (!e->part) {
		if (e->payload + packet_get16(h + 2) > e->end)
			return BAD;
		e->end = e->payload + packet_get16(h + 2);
		if (h[0] & 7)
			e->payload += 4;
		if (e->payload > e->end)
			return BAD;
	}
	e->id = be32(h + 4);
	e->kind = '?';
	return FINE;
}

static enum judged read_gue(const uint8_t *h, struct encapsulated *e)
{
	e->type = TCCTL_T_GUE;
	e->payload = e->at;
	if (e->at + 4 > e->end || h[0] & 0x80)
		return BAD;
	e->kind = '?';
	if (h[0] & 0x40)
		return FINE;
	if (h[0] & 0x20)
		return NO_TUNNEL;
	e->payload += 4;
	e->kind = h[1] == 4 ? 4 : h[1] == 41 ? 6 : 'x';
	return FINE;
}

static enum judged read_udp(const uint8_t *d, size_t len, struct encapsulated *e)
{
	const size_t udp = e->at;
	static const struct {
		unsigned int port;
		size_t words; /* that have to be in the packet, whatever its lengths say */
	} kinds[] = { { 4789, 16 }, { 6081, 16 }, { 2152, 16 }, { 6635, 12 }, { 5555, 8 }, { 6080, 12 } };
	size_t i;

	e->port = packet_get16(d + udp + 2);
	for (i = 0; i < 6 && kinds[i].port != e->port; i++)
		;
	if (i == 6)
		return NO_TUNNEL;
	if (!e->part) {
		if (udp + kinds[i].words > len || udp + packet_get16(d + udp + 4) > e->end || packet_get16(d + udp + 4) < 8)
			return BAD;
		e->end = udp + packet_get16(d + udp + 4);
	} else if (udp + kinds[i].words > e->end) {
		return SHORT;
	}
	e->has_csum = packet_get16(d + udp + 6);
	e->at = e->payload = udp + 8;
	switch (e->port) {
	case 4789:
		return read_vxlan(d + e->at, e);
	case 6081:
		return read_geneve(d + e->at, e);
	case 2152:
		return read_gtpu(d + e->at, e);
	case 6080:
		return read_gue(d + e->at, e);
	case 5555:
		e->type = TCCTL_T_FOU;
		e->kind = '?';
		return FINE;
	default:
		e->type = TCCTL_T_MPLS_UDP;
		e->kind = '?';
		return labels(d, e);
	}
}

/* --- what only the tunnel can judge: -1 or the counter to drop under --- */

static int judge_geneve(const uint8_t *d, const struct encapsulated *e, const struct tcctl_tunnel *row)
{
	size_t at = e->at + 8;
	const uint8_t *own = row->header + row->l4_at + 16;

	if (!(d[e->at + 1] & 0x40))
		return -1;
	for (unsigned int n = 0; at < e->payload; n++) {
		size_t off = at - e->at - 8;

		if (n == 8 || at + 4 > e->payload)
			return TCCTL_TUN_RX_BAD;
		if (d[at + 2] & 0x80 && (row->l4_at + 16U + off + 4 > row->header_len || memcmp(d + at, own + off, 3)))
			return TCCTL_TUN_RX_BAD;
		at += 4 + (d[at + 3] & 31) * 4U;
	}
	return at == e->payload ? -1 : TCCTL_TUN_RX_BAD;
}

static int judge_gtpu(const uint8_t *d, struct encapsulated *e, const struct tcctl_tunnel *row, int *dscp)
{
	unsigned int next;

	if (!(d[e->at] & 4))
		return -1;
	next = d[e->at + 11];
	for (unsigned int n = 0; next; n++) {
		size_t len = e->payload + 4 > e->end ? 0 : d[e->payload] * 4U;

		if (n == 4 || !len || e->payload + len > e->end)
			return TCCTL_TUN_RX_BAD;
		if (next == 0x85) {
			unsigned int flow = d[e->payload + 2] & 63;

			if (row->flags & TCCTL_TF_QFI_IN)
				*dscp = row->dscp_of_qfi[flow] == 0xff ? -1 : row->dscp_of_qfi[flow];
		} else if (next & 0x80) {
			return TCCTL_TUN_RX_BAD;
		}
		e->payload += len;
		next = d[e->payload - 1];
	}
	return -1;
}

static int judge(const uint8_t *d, struct encapsulated *e, const struct tcctl_tunnel *row, int *dscp,
		 struct tunnelref_result *r)
{
	const uint8_t *h = d + e->at;
	bool gbp = row->flags & TCCTL_TF_GBP;

	if (e->type == TCCTL_T_VXLAN && (h[7] || h[0] & (gbp ? 0x77 : 0xf7) || (!gbp && (h[1] || h[2] || h[3]))))
		return TCCTL_TUN_RX_BAD;
	if (row->flags & TCCTL_TF_CSUM_IN && !e->has_csum)
		return TCCTL_TUN_RX_CSUM;
	if (e->type == TCCTL_T_VXLAN && gbp && h[0] & 0x80)
		r->mark = (r->mark & 0xffff0000) | packet_get16(h + 2);
	if (e->type == TCCTL_T_GENEVE)
		return judge_geneve(d, e, row);
	if (e->type == TCCTL_T_GTPU)
		return judge_gtpu(d, e, row, dscp);
	if (e->type == TCCTL_T_GUE && !(h[0] & 0x40) && (h[0] & 31 || h[2] || h[3]))
		return TCCTL_TUN_RX_BAD;
	return -1;
}

/* --- look-up --- */

static bool within(const struct tunnelref_source *s, const uint8_t *addr)
{
	for (uint32_t i = 0; i < s->bits; i++)
		if ((s->addr[i / 8] ^ addr[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static uint32_t group_tunnel(const struct tunnelref *t, uint32_t group, const uint8_t *addr)
{
	uint32_t best = 0, id = 0;

	for (size_t i = 0; i < t->n_sources; i++)
		if (t->sources[i].group == group && within(&t->sources[i], addr) && t->sources[i].bits + 1 > best) {
			best = t->sources[i].bits + 1;
			id = t->sources[i].id;
		}
	return id;
}

static uint32_t find(const struct tunnelref *t, const struct encapsulated *e)
{
	static const uint8_t any[16];

	for (unsigned int how = 0; how < 4; how++) { /* both, local, remote, none */
		const uint8_t *local = how < 2 ? e->local : any, *remote = how % 2 ? any : e->remote;

		for (size_t i = 0; i < t->n_keys; i++) {
			const struct tcctl_decap_key *k = &t->keys[i];
			uint32_t id;

			if (k->type != e->type || k->family != e->family || k->port != e->port || k->id != e->id ||
			    k->has_id != e->has_id || memcmp(k->local, local, 16) || memcmp(k->remote, remote, 16))
				continue;
			id = t->values[i];
			if (id & TCCTL_DECAP_GROUP)
				id = group_tunnel(t, id & ~TCCTL_DECAP_GROUP, e->remote);
			if (id)
				return id;
		}
	}
	return 0;
}

/* --- the inner packet --- */

/* RFC 6040, figure 4: rows inner, columns outer: Not-ECT, ECT(1), ECT(0), CE as the two bits count. 9: drop. */
static const uint8_t ecn_out[4][4] = { { 0, 0, 0, 9 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 } };

static int write_tos(uint8_t *ip, const struct encapsulated *e, const struct tcctl_tunnel *row, int dscp, bool *ret_ce)
{
	bool v4 = ip[0] >> 4 == 4;
	unsigned int old = v4 ? ip[1] : (ip[0] & 15U) << 4 | ip[1] >> 4, tos = old;

	*ret_ce = false;
	if (!(row->flags & TCCTL_TF_ECN_OFF)) {
		unsigned int ecn = ecn_out[old & 3][e->tos & 3];

		if (ecn == 9)
			return TCCTL_TUN_RX_ECN;
		*ret_ce = ecn == 3 && (old & 3) != 3;
		tos = (old & 0xfc) | ecn;
	}
	if (dscp >= 0)
		tos = (unsigned int)dscp << 2 | (tos & 3);
	if (!v4) {
		ip[0] = (uint8_t)(0x60 | tos >> 4);
		ip[1] = (uint8_t)((ip[1] & 15) | (tos & 15) << 4);
	} else if (tos != old) {
		/* RFC 1624, equation 3; a wrong checksum stays wrong */
		uint32_t sum = (uint32_t)(uint16_t)~packet_get16(ip + 10) + (uint16_t)~packet_get16(ip);

		ip[1] = (uint8_t)tos;
		sum += packet_get16(ip);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		packet_put16(ip + 10, (uint16_t)~sum);
	}
	return -1;
}

/* Take one encapsulation away: -1, or the counter to drop under. */
static int take(struct tunnelref_result *r, const struct encapsulated *e, const struct tcctl_tunnel *row, uint32_t id, int dscp)
{
	uint8_t *d = r->out;
	unsigned int kind = e->kind;
	size_t l3 = 0;
	bool ce = false;
	int why;

	if (kind == '?' && row->flags & TCCTL_TF_INNER_ETH)
		kind = 'e';
	if (kind == 'x' || (kind == 'e' && !(row->flags & TCCTL_TF_INNER_ETH)))
		return TCCTL_TUN_RX_PAYLOAD;
	if (kind == 'e') {
		size_t frame = e->end - e->payload;

		if (e->payload + 14 > e->end)
			return TCCTL_TUN_RX_BAD;
		if (frame < 54) { /* the shortest Ethernet frame */
			memset(d + e->payload + frame, 0, 60 - frame);
			frame = 60;
		}
		memmove(d, d + e->payload, frame);
		r->out_len = frame;
		l3 = 14;
		if (packet_get16(d + 12) == 0x8100 || packet_get16(d + 12) == 0x88a8 || packet_get16(d + 12) == 0x9100)
			l3 = 18;
		kind = ethertype_kind(packet_get16(d + l3 - 2));
		if (kind != 4 && kind != 6)
			l3 = 0;
	} else {
		unsigned int version;

		if (e->payload + 20 > e->end)
			return TCCTL_TUN_RX_BAD;
		version = d[e->payload] >> 4;
		if ((version != 4 && version != 6) || (version == 6 && e->payload + 40 > e->end) || (kind != '?' && kind != version))
			return TCCTL_TUN_RX_BAD;
		if (!(row->flags & (version == 4 ? TCCTL_TF_INNER_IPV4 : TCCTL_TF_INNER_IPV6)))
			return TCCTL_TUN_RX_PAYLOAD;
		/* what follows the tunnel's payload is not part of it */
		memmove(d + 14, d + e->payload, e->end - e->payload);
		r->out_len = 14 + e->end - e->payload;
		packet_put16(d + 12, version == 4 ? 0x800 : 0x86dd);
		kind = version;
		l3 = 14;
	}
	/* the EtherType says what it is, here: in a frame it may lie */
	if (l3) {
		uint8_t first = d[l3];

		d[l3] = (uint8_t)(kind << 4 | (first & 15));
		why = write_tos(d + l3, e, row, dscp, &ce);
		d[l3] = (uint8_t)((first & 0xf0) | (d[l3] & 15));
		if (why >= 0)
			return why;
	}
	if (ce)
		r->counted[id][TCCTL_TUN_RX_CE]++;
	r->counted[id][TCCTL_TUN_RX]++;
	r->rx_bytes[id] += (uint32_t)r->out_len;
	return -1;
}

/* Types that a fragment may be of, by its first bytes behind the IP header. */
static unsigned int fragment_types(const uint8_t *h, unsigned int proto)
{
	static const struct {
		unsigned int port, type;
	} ports[] = { { 4789, TCCTL_T_VXLAN }, { 6081, TCCTL_T_GENEVE }, { 2152, TCCTL_T_GTPU },
		      { 6635, TCCTL_T_MPLS_UDP }, { 5555, TCCTL_T_FOU }, { 6080, TCCTL_T_GUE } };

	if (proto == 47)
		return 1U << TCCTL_T_GRE | 1U << TCCTL_T_MPLS_GRE;
	if (proto != 17)
		return 1U << TCCTL_T_IPIP;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (packet_get16(h + 2) == ports[i].port)
			return 1U << ports[i].type;
	return 0;
}

/* One step: true where something was taken away and what is left is to be looked at again. */
static bool step(const struct tunnelref *t, struct tunnelref_result *r, const struct ref_result *context, unsigned int *depth,
		 uint32_t *tunnel)
{
	const size_t l3 = context->cb[TCCTL_CB_OFFSETS] & 0xffff, l4 = context->cb[TCCTL_CB_OFFSETS] >> 16;
	const unsigned int flags = context->cb[TCCTL_CB_PROTO] >> 8 & 0xff, proto = context->cb[TCCTL_CB_PROTO] & 0xff;
	const bool v4 = flags & TCCTL_F_IPV4;
	struct encapsulated e = { .family = v4 ? 4 : 6, .at = l4, .payload = l4 };
	const uint8_t *d = r->out;
	enum judged judged = FINE;
	int why, dscp = -1;
	uint32_t id;

	if (context->counted[TCCTL_CNT_REASON + TCCTL_R_EXT_DEPTH] && t->unknown_types) {
		r->reasons[TCCTL_R_TUNNEL_REFUSED]++;
		r->what = TUNNELREF_DROPPED;
		return false;
	}
	if (!l4 || (proto != 4 && proto != 41 && proto != 47 && proto != 17))
		return false;
	e.end = v4 ? l3 + packet_get16(d + l3 + 2) : l3 + 40 + packet_get16(d + l3 + 4);
	if (!v4 && !packet_get16(d + l3 + 4)) /* jumbogram: its length is in an option */
		e.end = l3 + 40;
	e.tos = v4 ? d[l3 + 1] : (d[l3] & 15U) << 4 | d[l3 + 1] >> 4;
	memcpy(e.remote, d + l3 + (v4 ? 12 : 8), v4 ? 4 : 16);
	memcpy(e.local, d + l3 + (v4 ? 16 : 24), v4 ? 4 : 16);
	e.part = flags & TCCTL_F_FRAG;
	if (proto == 4 || proto == 41) {
		e.type = TCCTL_T_IPIP;
		e.kind = proto == 4 ? 4 : 6;
	} else {
		judged = proto == 47 ? read_gre(d, r->out_len, &e) : read_udp(d, r->out_len, &e);
	}
	if (judged == SHORT) { /* nobody can tell whose it is */
		if (t->unknown_types & fragment_types(d + l4, proto)) {
			r->reasons[TCCTL_R_TUNNEL_REFUSED]++;
			r->what = TUNNELREF_DROPPED;
		} else {
			r->reasons[TCCTL_R_TUNNEL_FRAGMENT]++;
		}
		return false;
	}
	if (judged == BAD)
		r->reasons[TCCTL_R_TUNNEL_BAD]++;
	if (judged != FINE)
		return false;
	id = find(t, &e);
	if (!id) {
		if (t->unknown_types & 1U << e.type) {
			r->reasons[TCCTL_R_TUNNEL_REFUSED]++;
			r->what = TUNNELREF_DROPPED;
		} else {
			r->reasons[TCCTL_R_TUNNEL_UNKNOWN]++;
		}
		return false;
	}
	if (e.part) {
		r->reasons[TCCTL_R_TUNNEL_FRAGMENT]++;
		return false;
	}
	why = judge(d, &e, &t->rows[id], &dscp, r);
	if (why < 0 && *depth == 3) {
		r->counted[id][TCCTL_TUN_RX_DEPTH]++;
		return false;
	}
	if (why < 0)
		why = take(r, &e, &t->rows[id], id, dscp);
	if (why >= 0) {
		r->counted[id][why]++;
		r->what = TUNNELREF_DROPPED;
		return false;
	}
	++*depth;
	*tunnel = id;
	return true;
}

void tunnelref_decap(const struct tunnelref *t, const uint8_t *in, size_t len, uint32_t mark, struct tunnelref_result *ret)
{
	struct ref_result context;
	unsigned int depth = 0;
	uint32_t tunnel = 0;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->out, in, len);
	ret->out_len = len;
	ret->mark = mark;
	do {
		memset(&context, 0, sizeof(context));
		ref_parse(ret->out, ret->out_len, true, 0, &context);
	} while (context.staged && step(t, ret, &context, &depth, &tunnel));
	if (ret->what == TUNNELREF_DROPPED)
		return;
	ret->what = context.staged ? TUNNELREF_STAGED : TUNNELREF_PASSED;
	if (context.staged) {
		memcpy(ret->cb, context.cb, sizeof(ret->cb));
		ret->cb[TCCTL_CB_CLASS] = (depth << 13 | tunnel) << 16;
	}
}
