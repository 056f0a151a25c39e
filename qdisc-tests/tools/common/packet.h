/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets from one line of text, outermost header first:
 *
 *   eth/ip(src=10.0.0.1,dst=10.0.0.2)/udp(dport=53)/"payload"
 *
 * What is not given is filled in: lengths, checksums, protocol numbers of the header that follows, and
 * the defaults that packet_help() lists. What is given is taken as it is, also when it is wrong.
 */
#ifndef QDISC_TESTS_PACKET_H
#define QDISC_TESTS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PACKET_MAX 65536

struct packet {
	uint8_t *data; /* malloc()ed */
	size_t len;
};

#define PACKET_ADD_ETH 0x1U /* a description that begins with another header gets an Ethernet header */

/* Returns 0, or -1 with a message in err that points at the column. */
int packet_parse(const char *text, unsigned int flags, struct packet *ret, char *err, size_t err_len);

/* Bytes from hex digits; blanks, colons and a leading 0x are skipped. Returns 0 or -1 and err. */
int packet_from_hex(const char *hex, struct packet *ret, char *err, size_t err_len);

/* All packets of a capture file (any link type; *ret_linktype says which). Returns 0 or -1 and err. */
int packet_read_pcap(const char *file, struct packet **ret, size_t *ret_n, int *ret_linktype, char *err,
		     size_t err_len);

void packet_done(struct packet *p);

/* Where the IP header is, behind Ethernet and VLAN tags; 0 when there is none. */
size_t packet_l3_offset(const struct packet *p);

/* A DSCP by number or name (EF, CS1, AF11, …). Returns 0..63 or -1. */
int dscp_parse(const char *text);

/* The headers, their fields and defaults, for --help. */
void packet_help(FILE *f);

/* A dump with offsets, and a mark at the bytes that differ from `other` (NULL: none). */
void packet_dump(FILE *f, const char *indent, const uint8_t *data, size_t len, const struct packet *other);

/* Sum of 16-bit words in network byte order on top of `sum`, folded: the Internet checksum before it is inverted. */
uint32_t packet_sum16(uint32_t sum, const uint8_t *p, size_t len);

#endif
