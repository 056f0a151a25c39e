// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Names for numbers. Where a number has several, the first is the one that is written. */
#include <string.h>

#include "spec/impl.h"

static const struct spec_word dscp[] = {
	{ "DF", 0 },	{ "CS0", 0 },	{ "BE", 0 },	{ "LE", 1 },	{ "CS1", 8 },	{ "AF11", 10 },
	{ "AF12", 12 }, { "AF13", 14 }, { "CS2", 16 },	{ "AF21", 18 }, { "AF22", 20 }, { "AF23", 22 },
	{ "CS3", 24 },	{ "AF31", 26 }, { "AF32", 28 }, { "AF33", 30 }, { "CS4", 32 },	{ "AF41", 34 },
	{ "AF42", 36 }, { "AF43", 38 }, { "CS5", 40 },	{ "VA", 44 },	{ "EF", 46 },	{ "CS6", 48 },
	{ "CS7", 56 },
};

static const struct spec_word proto[] = {
	{ "icmp", 1 },	  { "igmp", 2 },     { "ipip", 4 },   { "tcp", 6 },	{ "egp", 8 },	  { "udp", 17 },
	{ "dccp", 33 },	  { "ipv6", 41 },    { "rsvp", 46 },  { "gre", 47 },	{ "esp", 50 },	  { "ah", 51 },
	{ "icmpv6", 58 }, { "ospf", 89 },    { "pim", 103 },  { "vrrp", 112 }, { "l2tp", 115 },  { "sctp", 132 },
	{ "udplite", 136 }, { "mpls", 137 },
};

static const struct spec_word flags[] = {
	{ "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 }, { "psh", 0x08 },
	{ "ack", 0x10 }, { "urg", 0x20 }, { "ece", 0x40 }, { "cwr", 0x80 },
};

/* type << 8 | code; 0x10000 added: all codes of the type. */
#define ANY_CODE 0x10000U
static const struct spec_word icmp[] = {
	{ "echo-reply", 0 << 8 | ANY_CODE },
	{ "destination-unreachable", 3 << 8 | ANY_CODE },
	{ "net-unreachable", 3 << 8 | 0 },
	{ "host-unreachable", 3 << 8 | 1 },
	{ "protocol-unreachable", 3 << 8 | 2 },
	{ "port-unreachable", 3 << 8 | 3 },
	{ "fragmentation-needed", 3 << 8 | 4 },
	{ "admin-prohibited", 3 << 8 | 13 },
	{ "source-quench", 4 << 8 | ANY_CODE },
	{ "redirect", 5 << 8 | ANY_CODE },
	{ "echo-request", 8 << 8 | ANY_CODE },
	{ "router-advertisement", 9 << 8 | ANY_CODE },
	{ "router-solicitation", 10 << 8 | ANY_CODE },
	{ "time-exceeded", 11 << 8 | ANY_CODE },
	{ "parameter-problem", 12 << 8 | ANY_CODE },
	{ "timestamp-request", 13 << 8 | ANY_CODE },
	{ "timestamp-reply", 14 << 8 | ANY_CODE },
};

static const struct spec_word icmp6[] = {
	{ "destination-unreachable", 1 << 8 | ANY_CODE },
	{ "net-unreachable", 1 << 8 | 0 },
	{ "admin-prohibited", 1 << 8 | 1 },
	{ "host-unreachable", 1 << 8 | 3 },
	{ "port-unreachable", 1 << 8 | 4 },
	{ "packet-too-big", 2 << 8 | ANY_CODE },
	{ "time-exceeded", 3 << 8 | ANY_CODE },
	{ "parameter-problem", 4 << 8 | ANY_CODE },
	{ "echo-request", 128 << 8 | ANY_CODE },
	{ "echo-reply", 129 << 8 | ANY_CODE },
	{ "mld-query", 130 << 8 | ANY_CODE },
	{ "mld-report", 131 << 8 | ANY_CODE },
	{ "mld-done", 132 << 8 | ANY_CODE },
	{ "router-solicitation", 133 << 8 | ANY_CODE },
	{ "router-advertisement", 134 << 8 | ANY_CODE },
	{ "neighbour-solicitation", 135 << 8 | ANY_CODE },
	{ "neighbor-solicitation", 135 << 8 | ANY_CODE },
	{ "neighbour-advertisement", 136 << 8 | ANY_CODE },
	{ "neighbor-advertisement", 136 << 8 | ANY_CODE },
	{ "redirect", 137 << 8 | ANY_CODE },
	{ "mld2-report", 143 << 8 | ANY_CODE },
};

static const struct spec_word l3[] = {
	{ "ipv4", TCCTL_L3_IPV4 }, { "ipv6", TCCTL_L3_IPV6 },	{ "arp", TCCTL_L3_ARP },
	{ "mpls", TCCTL_L3_MPLS }, { "pppoe", TCCTL_L3_PPPOE }, { "other", TCCTL_L3_OTHER },
};
_Static_assert(ARRAY_SIZE(l3) == TCCTL_L3_MAX, "a name for each slot");

static const struct spec_word l4[] = {
	{ "tcp", TCCTL_L4_TCP },   { "udp", TCCTL_L4_UDP },   { "icmp", TCCTL_L4_ICMP }, { "icmpv6", TCCTL_L4_ICMPV6 },
	{ "sctp", TCCTL_L4_SCTP }, { "gre", TCCTL_L4_GRE },   { "ipip", TCCTL_L4_IPIP }, { "ipv6", TCCTL_L4_IPV6 },
	{ "esp", TCCTL_L4_ESP },   { "ah", TCCTL_L4_AH },     { "other", TCCTL_L4_OTHER },
};
_Static_assert(ARRAY_SIZE(l4) == TCCTL_L4_MAX, "a name for each slot");

static const struct spec_word stages[] = {
	{ "decap", TCCTL_STAGE_DECAP }, { "classify", TCCTL_STAGE_CLASSIFY }, { "police", TCCTL_STAGE_POLICE },
	{ "mark", TCCTL_STAGE_MARK },	{ "encap", TCCTL_STAGE_ENCAP },	      { "shape", TCCTL_STAGE_SHAPE },
};
_Static_assert(ARRAY_SIZE(stages) == TCCTL_STAGE_END / TCCTL_STAGE_STRIDE, "a name for each stage");

#define WORDS(array) { array, ARRAY_SIZE(array) }
const struct spec_words spec_dscp_words = WORDS(dscp);
const struct spec_words spec_proto_words = WORDS(proto);
const struct spec_words spec_flag_words = WORDS(flags);
const struct spec_words spec_icmp_words = WORDS(icmp);
const struct spec_words spec_icmp6_words = WORDS(icmp6);
const struct spec_words spec_l3_words = WORDS(l3);
const struct spec_words spec_l4_words = WORDS(l4);
const struct spec_words spec_stage_words = WORDS(stages);

bool spec_word_find(const struct spec_words *words, const char *text, uint32_t *ret)
{
	for (size_t i = 0; i < words->n; i++)
		if (!strcasecmp(words->items[i].name, text)) {
			*ret = words->items[i].value;
			return true;
		}
	return false;
}

const char *spec_word_of(const struct spec_words *words, uint32_t value)
{
	for (size_t i = 0; i < words->n; i++)
		if (words->items[i].value == value)
			return words->items[i].name;
	return NULL;
}

const char *spec_word_nearest(const struct spec_words *words, const char *text)
{
	const char *names[32];
	size_t n = words->n < ARRAY_SIZE(names) ? words->n : ARRAY_SIZE(names);

	for (size_t i = 0; i < n; i++)
		names[i] = words->items[i].name;
	return diag_nearest(text, names, n);
}
