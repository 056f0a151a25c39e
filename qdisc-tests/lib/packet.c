// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint16_t packet_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void packet_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

void packet_init(struct packet *p)
{
	p->len = p->ip = p->l4 = 0;
	p->l4_proto = 0;
}

uint8_t *packet_add(struct packet *p, const void *bytes, size_t len)
{
	uint8_t *at = p->data + p->len;

	if (p->len + len > sizeof(p->data))
		abort();
	if (bytes)
		memcpy(at, bytes, len);
	else
		memset(at, 0, len);
	p->len += len;
	return at;
}

void packet_eth(struct packet *p, uint16_t type)
{
	static const uint8_t macs[12] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1 };

	packet_add(p, macs, 12);
	packet_put16(packet_add(p, NULL, 2), type);
}

void packet_vlan(struct packet *p, uint16_t tci, uint16_t type)
{
	uint8_t *h = packet_add(p, NULL, 4);

	packet_put16(h, tci);
	packet_put16(h + 2, type);
}

uint8_t *packet_ipv4(struct packet *p, uint8_t proto, uint8_t tos, unsigned int options)
{
	static const uint8_t addrs[8] = { 192, 0, 2, 1, 198, 51, 100, 2 };
	uint8_t *h;

	p->ip = p->len;
	h = packet_add(p, NULL, 20 + options);
	h[0] = (uint8_t)(0x40 | (5 + options / 4));
	h[1] = tos;
	h[4] = 0x12;
	h[8] = 64;
	h[9] = proto;
	memcpy(h + 12, addrs, 8);
	memset(h + 20, 1, options); /* no-operation */
	return h;
}

uint8_t *packet_ipv6(struct packet *p, uint8_t next, uint8_t traffic_class)
{
	static const uint8_t addrs[32] = { 0x20, 1, 0xd, 0xb8, [15] = 1, [16] = 0x20, 1, 0xd, 0xb8, [21] = 0xf, [31] = 2 };
	uint8_t *h;

	p->ip = p->len;
	h = packet_add(p, NULL, 40);
	h[0] = (uint8_t)(0x60 | traffic_class >> 4);
	h[1] = (uint8_t)(traffic_class << 4);
	h[6] = next;
	h[7] = 64;
	memcpy(h + 8, addrs, 32);
	return h;
}

void packet_ext(struct packet *p, uint8_t next, unsigned int units8)
{
	uint8_t *h = packet_add(p, NULL, (units8 + 1) * 8);

	h[0] = next;
	h[1] = (uint8_t)units8;
	h[2] = 1; /* PadN */
	h[3] = 4;
}

void packet_frag6(struct packet *p, uint8_t next, unsigned int offset8, int more)
{
	uint8_t *h = packet_add(p, NULL, 8);

	h[0] = next;
	packet_put16(h + 2, (uint16_t)(offset8 << 3 | !!more));
	h[7] = 9;
}

void packet_ah(struct packet *p, uint8_t next, unsigned int len)
{
	uint8_t *h = packet_add(p, NULL, (len + 2) * 4);

	h[0] = next;
	h[1] = (uint8_t)len;
}

void packet_udp(struct packet *p, uint16_t sport, uint16_t dport)
{
	uint8_t *h;

	p->l4 = p->len;
	p->l4_proto = 17;
	h = packet_add(p, NULL, 8);
	packet_put16(h, sport);
	packet_put16(h + 2, dport);
}

void packet_tcp(struct packet *p, uint16_t sport, uint16_t dport, uint8_t flags)
{
	uint8_t *h;

	p->l4 = p->len;
	p->l4_proto = 6;
	h = packet_add(p, NULL, 20);
	packet_put16(h, sport);
	packet_put16(h + 2, dport);
	h[12] = 5 << 4;
	h[13] = flags;
	packet_put16(h + 14, 1024);
}

void packet_icmp(struct packet *p, uint8_t proto, uint8_t type, uint8_t code)
{
	uint8_t *h;

	p->l4 = p->len;
	p->l4_proto = proto;
	h = packet_add(p, NULL, 8);
	h[0] = type;
	h[1] = code;
}

void packet_payload(struct packet *p, size_t len)
{
	uint8_t *at = packet_add(p, NULL, len);

	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 7 + 3);
}

uint16_t packet_sum(const uint8_t *data, size_t len, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += packet_get16(data + i);
	if (len & 1)
		sum += (uint32_t)data[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void packet_finish(struct packet *p)
{
	uint8_t *ip = p->data + p->ip, *l4 = p->data + p->l4;
	size_t l4_len = p->len - p->l4;
	uint32_t pseudo = 0;
	uint8_t *check = NULL;
	bool v6 = ip[0] >> 4 == 6;

	if (!p->ip)
		return;
	if (v6)
		packet_put16(ip + 4, (uint16_t)(p->len - p->ip - 40));
	else
		packet_put16(ip + 2, (uint16_t)(p->len - p->ip));
	if (p->l4) {
		if (p->l4_proto != 1)
			pseudo = packet_sum(v6 ? ip + 8 : ip + 12, v6 ? 32 : 8, (uint32_t)(p->l4_proto + l4_len));
		if (p->l4_proto == 17) {
			packet_put16(l4 + 4, (uint16_t)l4_len);
			check = l4 + 6;
		} else if (p->l4_proto == 6) {
			check = l4 + 16;
		} else {
			check = l4 + 2;
		}
		packet_put16(check, 0);
		packet_put16(check, (uint16_t)~packet_sum(l4, l4_len, pseudo));
	}
	if (!v6) {
		packet_put16(ip + 10, 0);
		packet_put16(ip + 10, (uint16_t)~packet_sum(ip, (size_t)(ip[0] & 15) * 4, 0));
	}
}

void packet_datagram(struct packet *p, int v6, uint8_t tos, uint16_t dport, size_t payload)
{
	packet_init(p);
	packet_eth(p, v6 ? 0x86dd : 0x0800);
	if (v6)
		packet_ipv6(p, 17, tos);
	else
		packet_ipv4(p, 17, tos, 0);
	packet_udp(p, 1000, dport);
	packet_payload(p, payload);
	packet_finish(p);
}

uint32_t rng_next(struct rng *r)
{
	/* splitmix64 */
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)(z >> 32 ^ z);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((uint64_t)rng_next(r) * n >> 32);
}
