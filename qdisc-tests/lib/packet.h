/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets for tests, built header by header and finished once: packet_finish() fills in the lengths and checksums
 * of every IP, UDP, TCP and ICMP header added. All arguments are in host byte order.
 */
#ifndef QDISC_TESTS_PACKET_H
#define QDISC_TESTS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 4096

struct packet {
	uint8_t data[PACKET_MAX];
	size_t len;
	size_t ip, l4; /* offsets of the innermost headers; 0: none yet */
	uint8_t l4_proto;
};

void packet_init(struct packet *p);
uint8_t *packet_add(struct packet *p, const void *bytes, size_t len); /* bytes NULL: zeroes */
void packet_eth(struct packet *p, uint16_t type);
void packet_vlan(struct packet *p, uint16_t tci, uint16_t type); /* type of what follows */
/* 192.0.2.1 → 198.51.100.2 */
uint8_t *packet_ipv4(struct packet *p, uint8_t proto, uint8_t tos, unsigned int options);
/* 2001:db8::1 → 2001:db8:f::2 */
uint8_t *packet_ipv6(struct packet *p, uint8_t next, uint8_t traffic_class);
void packet_ext(struct packet *p, uint8_t next, unsigned int units8); /* (units8 + 1) * 8 bytes */
void packet_frag6(struct packet *p, uint8_t next, unsigned int offset8, int more);
void packet_ah(struct packet *p, uint8_t next, unsigned int len); /* (len + 2) * 4 bytes */
void packet_udp(struct packet *p, uint16_t sport, uint16_t dport);
void packet_tcp(struct packet *p, uint16_t sport, uint16_t dport, uint8_t flags);
void packet_icmp(struct packet *p, uint8_t proto, uint8_t type, uint8_t code);
void packet_payload(struct packet *p, size_t len);
void packet_finish(struct packet *p);
/* All of that for UDP from port 1000, in an Ethernet frame. */
void packet_datagram(struct packet *p, int v6, uint8_t tos, uint16_t dport, size_t payload);

uint16_t packet_get16(const uint8_t *at);
void packet_put16(uint8_t *at, uint16_t value);

/* Ones' complement sum over words, folded; 0xffff for data that includes its right checksum. */
uint16_t packet_sum(const uint8_t *data, size_t len, uint32_t start);

/* A small generator with a seed that tests print, so that a failure can be repeated. */
struct rng {
	uint64_t state;
};
uint32_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);

#endif
