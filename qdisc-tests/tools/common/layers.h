/* SPDX-License-Identifier: GPL-2.0-only */
/* A described packet between its text and its bytes: a list of headers with values. */
#ifndef QDISC_TESTS_LAYERS_H
#define QDISC_TESTS_LAYERS_H

#include "packet.h"

enum field_type { F_NUMBER, F_IP4, F_IP6, F_MAC, F_HEX, F_DSCP, F_TCP_FLAGS };

struct field {
	const char *name;
	enum field_type type;
	uint64_t max;	     /* F_NUMBER: largest value */
	const char *preset;  /* what it is when not given, for --help and for the builder; NULL: worked out */
};

enum layer_id {
	L_ETH, L_VLAN, L_MPLS, L_ARP, L_PPPOE, L_IP, L_IP6, L_HOPOPTS, L_DSTOPTS, L_ROUTING, L_FRAG, L_AH,
	L_TCP, L_UDP, L_ICMP, L_ICMP6, L_SCTP, L_GRE, L_VXLAN, L_HEX, L_ZERO, L_TEXT, L_MAX
};

#define MAX_FIELDS 12
struct layer_type {
	const char *name, *alias;
	int ethertype; /* what the header before calls it; -1: cannot follow there */
	int proto;     /* IP protocol number; -1 */
	struct field fields[MAX_FIELDS];
};

/* By enum layer_id. */
extern const struct layer_type layer_types[L_MAX];

struct value {
	bool set;
	uint64_t number;
	uint8_t bytes[16];
	uint8_t *data; /* F_HEX */
	size_t len;
};

struct layer {
	enum layer_id id;
	struct value v[MAX_FIELDS];
	size_t column;
};

#define MAX_LAYERS 40
struct parser {
	const char *text, *p;
	char *err;
	size_t err_len;
	struct layer layers[MAX_LAYERS];
	size_t n;
};

/* Write what is wrong, with the text and a mark under `at`. -1. */
int layers_fail(struct parser *ps, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* text → layers, and what was not given gets its preset. 0 or -1 with ps->err written. */
int layers_parse(struct parser *ps);
int layers_presets(struct parser *ps);
void layers_done(struct parser *ps);

/* Hex digits, blanks and colons between them do not count. 0, or -1: no even number of digits, no memory. *ret is malloc()ed. */
int hex_parse(const char *text, uint8_t **ret, size_t *ret_len);

struct builder {
	uint8_t buf[PACKET_MAX];
	size_t start; /* the packet so far is buf[start..PACKET_MAX) */
};

/* Prepend one header; those after it are there already. 0 or -1 with ps->err written. */
int layers_build(struct parser *ps, struct builder *b, size_t i);

#endif
