// SPDX-License-Identifier: GPL-2.0-only
#include "packet.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static const struct layer_type types[L_MAX] = {
	[L_ETH] = { "eth", NULL, 0x6558, 143, { { "src", F_MAC, 0, "02:00:00:00:00:01" },
		{ "dst", F_MAC, 0, "02:00:00:00:00:02" }, { "type", F_NUMBER, 0xffff, NULL } } },
	[L_VLAN] = { "vlan", NULL, 0x8100, -1, { { "id", F_NUMBER, 4095, "1" }, { "prio", F_NUMBER, 7, "0" },
		{ "dei", F_NUMBER, 1, "0" }, { "type", F_NUMBER, 0xffff, NULL },
		{ "tpid", F_NUMBER, 0xffff, "0x8100" } } },
	[L_MPLS] = { "mpls", NULL, 0x8847, 137, { { "label", F_NUMBER, 0xfffff, "16" }, { "tc", F_NUMBER, 7, "0" },
		{ "bottom", F_NUMBER, 1, NULL }, { "ttl", F_NUMBER, 255, "64" } } },
	[L_ARP] = { "arp", NULL, 0x0806, -1, { { "op", F_NUMBER, 0xffff, "1" },
		{ "smac", F_MAC, 0, "02:00:00:00:00:01" }, { "sip", F_IP4, 0, "10.0.0.1" },
		{ "tmac", F_MAC, 0, "00:00:00:00:00:00" }, { "tip", F_IP4, 0, "10.0.0.2" } } },
	[L_PPPOE] = { "pppoe", NULL, 0x8864, -1, { { "session", F_NUMBER, 0xffff, "1" },
		{ "len", F_NUMBER, 0xffff, NULL }, { "ppp", F_NUMBER, 0xffff, NULL } } },
	[L_IP] = { "ip", "ipv4", 0x0800, 4, { { "src", F_IP4, 0, "10.0.0.1" }, { "dst", F_IP4, 0, "10.0.0.2" },
		{ "dscp", F_DSCP, 63, "0" }, { "ecn", F_NUMBER, 3, "0" }, { "ttl", F_NUMBER, 255, "64" },
		{ "id", F_NUMBER, 0xffff, "0" }, { "flags", F_NUMBER, 7, "0" }, { "off", F_NUMBER, 0x1fff, "0" },
		{ "proto", F_NUMBER, 255, NULL }, { "len", F_NUMBER, 0xffff, NULL },
		{ "csum", F_NUMBER, 0xffff, NULL }, { "options", F_HEX, 40, NULL } } },
	[L_IP6] = { "ip6", "ipv6", 0x86dd, 41, { { "src", F_IP6, 0, "fd00::1" }, { "dst", F_IP6, 0, "fd00::2" },
		{ "dscp", F_DSCP, 63, "0" }, { "ecn", F_NUMBER, 3, "0" }, { "flow", F_NUMBER, 0xfffff, "0" },
		{ "hops", F_NUMBER, 255, "64" }, { "next", F_NUMBER, 255, NULL },
		{ "len", F_NUMBER, 0xffff, NULL } } },
	[L_HOPOPTS] = { "hopopts", NULL, -1, 0, { { "next", F_NUMBER, 255, NULL }, { "len", F_NUMBER, 255, "0" } } },
	[L_DSTOPTS] = { "dstopts", NULL, -1, 60, { { "next", F_NUMBER, 255, NULL }, { "len", F_NUMBER, 255, "0" } } },
	[L_ROUTING] = { "routing", NULL, -1, 43, { { "next", F_NUMBER, 255, NULL }, { "len", F_NUMBER, 255, "0" },
		{ "type", F_NUMBER, 255, "0" }, { "left", F_NUMBER, 255, "0" } } },
	[L_FRAG] = { "frag", NULL, -1, 44, { { "next", F_NUMBER, 255, NULL }, { "off", F_NUMBER, 0x1fff, "0" },
		{ "more", F_NUMBER, 1, "0" }, { "id", F_NUMBER, 0xffffffff, "1" } } },
	[L_AH] = { "ah", NULL, -1, 51, { { "next", F_NUMBER, 255, NULL }, { "spi", F_NUMBER, 0xffffffff, "256" },
		{ "seq", F_NUMBER, 0xffffffff, "1" } } },
	[L_TCP] = { "tcp", NULL, -1, 6, { { "sport", F_NUMBER, 0xffff, "40000" }, { "dport", F_NUMBER, 0xffff, "80" },
		{ "flags", F_TCP_FLAGS, 0xff, "A" }, { "seq", F_NUMBER, 0xffffffff, "1" },
		{ "ack", F_NUMBER, 0xffffffff, "1" }, { "win", F_NUMBER, 0xffff, "65535" },
		{ "urg", F_NUMBER, 0xffff, "0" }, { "csum", F_NUMBER, 0xffff, NULL },
		{ "doff", F_NUMBER, 15, NULL }, { "options", F_HEX, 40, NULL } } },
	[L_UDP] = { "udp", NULL, -1, 17, { { "sport", F_NUMBER, 0xffff, "40000" }, { "dport", F_NUMBER, 0xffff, NULL },
		{ "len", F_NUMBER, 0xffff, NULL }, { "csum", F_NUMBER, 0xffff, NULL } } },
	[L_ICMP] = { "icmp", NULL, -1, 1, { { "type", F_NUMBER, 255, "8" }, { "code", F_NUMBER, 255, "0" },
		{ "id", F_NUMBER, 0xffff, "1" }, { "seq", F_NUMBER, 0xffff, "1" },
		{ "csum", F_NUMBER, 0xffff, NULL } } },
	[L_ICMP6] = { "icmp6", "icmpv6", -1, 58, { { "type", F_NUMBER, 255, "128" }, { "code", F_NUMBER, 255, "0" },
		{ "id", F_NUMBER, 0xffff, "1" }, { "seq", F_NUMBER, 0xffff, "1" },
		{ "csum", F_NUMBER, 0xffff, NULL } } },
	[L_SCTP] = { "sctp", NULL, -1, 132, { { "sport", F_NUMBER, 0xffff, "40000" },
		{ "dport", F_NUMBER, 0xffff, "5000" }, { "tag", F_NUMBER, 0xffffffff, "1" } } },
	[L_GRE] = { "gre", NULL, -1, 47, { { "type", F_NUMBER, 0xffff, NULL }, { "key", F_NUMBER, 0xffffffff, NULL } } },
	[L_VXLAN] = { "vxlan", NULL, -1, -1, { { "vni", F_NUMBER, 0xffffff, "1" } } },
	[L_HEX] = { "hex", NULL, -1, -1, { { "", F_HEX, PACKET_MAX, NULL } } },
	[L_ZERO] = { "zero", NULL, -1, -1, { { "", F_NUMBER, PACKET_MAX, "0" } } },
	[L_TEXT] = { "\"text\"", NULL, -1, -1, { { NULL, 0, 0, NULL } } },
};

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

static int fail(struct parser *ps, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct parser *ps, const char *at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(ps->err, ps->err_len, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < ps->err_len)
		snprintf(ps->err + n, ps->err_len - n, "\n  %s\n  %*s^", ps->text, (int)(at - ps->text), "");
	return -1;
}

static const char *const dscp_names[64] = {
	[0] = "CS0", [1] = "LE", [8] = "CS1", [10] = "AF11", [12] = "AF12", [14] = "AF13", [16] = "CS2",
	[18] = "AF21", [20] = "AF22", [22] = "AF23", [24] = "CS3", [26] = "AF31", [28] = "AF32", [30] = "AF33",
	[32] = "CS4", [34] = "AF41", [36] = "AF42", [38] = "AF43", [40] = "CS5", [44] = "VA", [46] = "EF",
	[48] = "CS6", [56] = "CS7",
};

int dscp_parse(const char *text)
{
	char *end;
	unsigned long n;

	if (!strcasecmp(text, "be"))
		return 0;
	for (int i = 0; i < 64; i++)
		if (dscp_names[i] && !strcasecmp(text, dscp_names[i]))
			return i;
	if (!isdigit((unsigned char)*text))
		return -1;
	n = strtoul(text, &end, 0);
	return *end || n > 63 ? -1 : (int)n;
}

/* "S", "SA", "syn,ack" is not possible inside a list, hence letters or a number. */
static int tcp_flags_parse(const char *text, uint64_t *ret)
{
	static const char letters[] = "FSRPAUEC";
	char *end;

	if (isdigit((unsigned char)*text)) {
		*ret = strtoul(text, &end, 0);
		return *end || *ret > 0xff ? -1 : 0;
	}
	*ret = 0;
	for (; *text; text++) {
		const char *l = strchr(letters, toupper((unsigned char)*text));

		if (!l)
			return -1;
		*ret |= 1U << (l - letters);
	}
	return 0;
}

static int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_parse(const char *text, uint8_t **ret, size_t *ret_len)
{
	uint8_t *out = malloc(strlen(text) / 2 + 1);
	size_t n = 0;

	if (!out)
		return -1;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	while (*text) {
		int hi, lo;

		if (isspace((unsigned char)*text) || *text == ':') {
			text++;
			continue;
		}
		hi = hex_digit(text[0]);
		lo = hi < 0 ? -1 : hex_digit(text[1]);
		if (lo < 0) {
			free(out);
			return -1;
		}
		out[n++] = (uint8_t)(hi << 4 | lo);
		text += 2;
	}
	*ret = out;
	*ret_len = n;
	return 0;
}

static int value_parse(struct parser *ps, const char *at, const struct field *f, const char *text, struct value *v)
{
	unsigned int m[6];
	char *end;
	int n = 0;

	switch (f->type) {
	case F_NUMBER:
		errno = 0;
		v->number = strtoull(text, &end, 0);
		if (!isdigit((unsigned char)*text) || *end || errno || v->number > f->max)
			/* a field in use has a name. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
			return fail(ps, at, "%s: '%s' is not a number from 0 to %llu", *f->name ? f->name : "size", text,
				    (unsigned long long)f->max);
		break;
	case F_DSCP:
		if (dscp_parse(text) < 0)
			return fail(ps, at, "%s: '%s' is not a DSCP (0 to 63, or a name like EF, CS1, AF41)", f->name, text);
		v->number = (uint64_t)dscp_parse(text);
		break;
	case F_TCP_FLAGS:
		if (tcp_flags_parse(text, &v->number))
			return fail(ps, at, "%s: '%s' is not a number up to 0xff or letters of FSRPAUEC", f->name, text);
		break;
	case F_IP4:
		if (inet_pton(AF_INET, text, v->bytes) != 1)
			return fail(ps, at, "%s: '%s' is not an IPv4 address", f->name, text);
		break;
	case F_IP6:
		if (inet_pton(AF_INET6, text, v->bytes) != 1)
			return fail(ps, at, "%s: '%s' is not an IPv6 address", f->name, text);
		break;
	case F_MAC:
		if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &n) != 6 ||
		    text[n])
			return fail(ps, at, "%s: '%s' is not a MAC address", f->name, text);
		for (int i = 0; i < 6; i++)
			v->bytes[i] = (uint8_t)m[i];
		break;
	case F_HEX:
		if (hex_parse(text, &v->data, &v->len))
			return fail(ps, at, "%s: '%s' is not an even number of hex digits", *f->name ? f->name : "hex", text);
		if (v->len > f->max)
			return fail(ps, at, "%s: more than %llu bytes", *f->name ? f->name : "hex",
				    (unsigned long long)f->max);
		break;
	}
	v->set = true;
	return 0;
}

static void skip_blanks(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

/* Copy up to one of `stops`; blanks at the end go. */
static int token(struct parser *ps, const char *stops, char *ret, size_t ret_len)
{
	size_t n = strcspn(ps->p, stops);

	if (n >= ret_len)
		return fail(ps, ps->p, "too long");
	memcpy(ret, ps->p, n);
	ps->p += n;
	while (n && isspace((unsigned char)ret[n - 1]))
		n--;
	ret[n] = 0;
	return 0;
}

static int field_names(const struct layer_type *t, char *ret, size_t len)
{
	int n = 0;

	for (size_t i = 0; i < MAX_FIELDS && t->fields[i].name; i++)
		n += snprintf(ret + n, len - (size_t)n, "%s%s", i ? ", " : "", t->fields[i].name);
	return n;
}

static int parse_fields(struct parser *ps, struct layer *l)
{
	const struct layer_type *t = &types[l->id];
	char name[32], *text = NULL;
	const char *at;
	size_t i;
	int rc = -1;

	ps->p++; /* ( */
	text = calloc(1, strlen(ps->p) + 1);
	if (!text)
		return -1;
	for (;;) {
		skip_blanks(ps);
		if (*ps->p == ')')
			break;
		at = ps->p;
		i = 0;
		if (t->fields[0].name && t->fields[0].name[0]) {
			if (token(ps, "=,)", name, sizeof(name)))
				goto out;
			for (; i < MAX_FIELDS && t->fields[i].name; i++)
				if (!strcmp(name, t->fields[i].name))
					break;
			if (i == MAX_FIELDS || !t->fields[i].name) {
				char names[256] = "";

				field_names(t, names, sizeof(names));
				fail(ps, at, "%s has no field '%s'; it has %s", t->name, name, names);
				goto out;
			}
			if (*ps->p != '=') {
				fail(ps, ps->p, "expected = after '%s'", name);
				goto out;
			}
			ps->p++;
			skip_blanks(ps);
		}
		if (l->v[i].set) {
			fail(ps, at, "'%s' is given twice", t->fields[i].name);
			goto out;
		}
		at = ps->p;
		if (token(ps, ",)", text, strlen(ps->text) + 1) ||
		    value_parse(ps, at, &t->fields[i], text, &l->v[i]))
			goto out;
		if (*ps->p == ',')
			ps->p++;
		else if (*ps->p != ')') {
			fail(ps, ps->p, "expected , or ) in %s", t->name);
			goto out;
		}
	}
	ps->p++; /* ) */
	rc = 0;
out:
	free(text);
	return rc;
}

static int parse_text(struct parser *ps, struct layer *l)
{
	const char *start = ps->p++;
	uint8_t *out = malloc(strlen(ps->p) + 1);
	size_t n = 0;

	if (!out)
		return -1;
	l->id = L_TEXT;
	l->v[0].data = out;
	l->v[0].set = true;
	for (; *ps->p != '"'; ps->p++) {
		int hi, lo;

		if (!*ps->p)
			return fail(ps, start, "the text that begins here has no closing quote");
		if (*ps->p != '\\') {
			out[n++] = (uint8_t)*ps->p;
			continue;
		}
		ps->p++;
		switch (*ps->p) {
		case 'n': out[n++] = '\n'; break;
		case 'r': out[n++] = '\r'; break;
		case 't': out[n++] = '\t'; break;
		case '\\': case '"': out[n++] = (uint8_t)*ps->p; break;
		case 'x':
			hi = hex_digit(ps->p[1]);
			lo = hi < 0 ? -1 : hex_digit(ps->p[2]);
			if (lo < 0)
				return fail(ps, ps->p, "expected two hex digits after \\x");
			out[n++] = (uint8_t)(hi << 4 | lo);
			ps->p += 2;
			break;
		default:
			return fail(ps, ps->p, "unknown escape; known are \\n \\r \\t \\\\ \\\" \\xHH");
		}
	}
	ps->p++;
	l->v[0].len = n;
	return 0;
}

static int parse_layers(struct parser *ps)
{
	char name[32];

	for (;;) {
		struct layer *l = &ps->layers[ps->n];
		const char *at;
		size_t i;

		skip_blanks(ps);
		at = ps->p;
		if (ps->n == MAX_LAYERS)
			return fail(ps, at, "more than %d headers", MAX_LAYERS);
		l->column = (size_t)(at - ps->text);
		ps->n++;
		if (*ps->p == '"') {
			if (parse_text(ps, l))
				return -1;
		} else {
			if (token(ps, "(/", name, sizeof(name)))
				return -1;
			for (i = 0; i < L_TEXT; i++)
				if (!strcmp(name, types[i].name) || (types[i].alias && !strcmp(name, types[i].alias)))
					break;
			if (i == L_TEXT) {
				char known[256] = "";
				int n = 0;

				for (size_t k = 0; k < L_TEXT; k++)
					n += snprintf(known + n, sizeof(known) - (size_t)n, " %s", types[k].name);
				return fail(ps, at, "unknown header '%s'; known are%s and \"text\"", name, known);
			}
			l->id = (enum layer_id)i;
			if (*ps->p == '(' && parse_fields(ps, l))
				return -1;
		}
		skip_blanks(ps);
		if (!*ps->p)
			return 0;
		if (*ps->p != '/')
			return fail(ps, ps->p, "expected / before the next header");
		ps->p++;
	}
}

/* --- building, innermost header first ------------------------------------------------------------------ */

struct builder {
	uint8_t buf[PACKET_MAX];
	size_t start; /* the packet so far is buf[start..PACKET_MAX) */
};

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

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len & 1)
		sum += (uint32_t)(p[len - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
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
	const struct layer_type *t = &types[l->id];

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
			return sum16(0, head, 12);
		}
		if (l->id == L_IP6) {
			memcpy(head, field(l, "src")->bytes, 16);
			memcpy(head + 16, field(l, "dst")->bytes, 16);
			put32(head + 32, len);
			head[39] = proto;
			return sum16(0, head, 40);
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
	return types[ps->layers[i + 1].id].ethertype < 0 ? 0x88b5 : types[ps->layers[i + 1].id].ethertype;
}

static int next_proto(const struct parser *ps, size_t i, bool v6)
{
	if (i + 1 == ps->n)
		return v6 ? 59 : 253; /* no next header; for experiments (RFC 3692) */
	return types[ps->layers[i + 1].id].proto < 0 ? 253 : types[ps->layers[i + 1].id].proto;
}

static int build_layer(struct parser *ps, struct builder *b, size_t i)
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
		put16(p + 10, number_or(l, "csum", ~sum16(0, p, len) & 0xffff));
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
		put16(p + 16, number_or(l, "csum", ~sum16(pseudo_sum(ps, i, 6, payload + len), p, payload + len) & 0xffff));
		break;
	case L_UDP:
		p = prepend(b, 8);
		if (!p)
			break;
		put16(p, number(l, "sport"));
		put16(p + 2, number_or(l, "dport", i + 1 < ps->n && ps->layers[i + 1].id == L_VXLAN ? 4789 : 9));
		put16(p + 4, number_or(l, "len", payload + 8));
		sum = ~sum16(pseudo_sum(ps, i, 17, payload + 8), p, payload + 8) & 0xffff;
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
		put16(p + 2, number_or(l, "csum", ~sum16(sum, p, payload + 8) & 0xffff));
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
	return p ? 0 : fail(ps, ps->text + l->column, "the packet grows beyond %d bytes", PACKET_MAX);
}

static int apply_presets(struct parser *ps, struct layer *l)
{
	const struct layer_type *t = &types[l->id];

	for (size_t i = 0; i < MAX_FIELDS && t->fields[i].name; i++) {
		if (l->v[i].set || !t->fields[i].preset)
			continue;
		if (value_parse(ps, ps->text, &t->fields[i], t->fields[i].preset, &l->v[i]))
			return -1;
	}
	return 0;
}

int packet_parse(const char *text, unsigned int flags, struct packet *ret, char *err, size_t err_len)
{
	struct parser *ps = calloc(1, sizeof(*ps));
	struct builder *b = malloc(sizeof(*b));
	int rc = -1;

	if (!ps || !b) {
		snprintf(err, err_len, "out of memory");
		goto out;
	}
	ps->text = ps->p = text;
	ps->err = err;
	ps->err_len = err_len;
	b->start = PACKET_MAX;
	if (parse_layers(ps))
		goto out;
	if (flags & PACKET_ADD_ETH && ps->layers[0].id != L_ETH && types[ps->layers[0].id].ethertype >= 0) {
		if (ps->n == MAX_LAYERS) {
			fail(ps, ps->p, "more than %d headers", MAX_LAYERS);
			goto out;
		}
		memmove(&ps->layers[1], &ps->layers[0], ps->n * sizeof(ps->layers[0]));
		memset(&ps->layers[0], 0, sizeof(ps->layers[0]));
		ps->n++;
	}
	for (size_t i = 0; i < ps->n; i++)
		if (apply_presets(ps, &ps->layers[i]))
			goto out;
	for (size_t i = ps->n; i-- > 0;)
		if (build_layer(ps, b, i))
			goto out;
	ret->len = PACKET_MAX - b->start;
	ret->data = malloc(ret->len ? ret->len : 1);
	if (!ret->data) {
		snprintf(err, err_len, "out of memory");
		goto out;
	}
	memcpy(ret->data, b->buf + b->start, ret->len);
	rc = 0;
out:
	if (ps)
		for (size_t i = 0; i < ps->n; i++)
			for (size_t k = 0; k < MAX_FIELDS; k++)
				free(ps->layers[i].v[k].data);
	free(ps);
	free(b);
	return rc;
}

int packet_from_hex(const char *hex, struct packet *ret, char *err, size_t err_len)
{
	if (hex_parse(hex, &ret->data, &ret->len)) {
		snprintf(err, err_len, "not an even number of hex digits");
		return -1;
	}
	return 0;
}

int packet_read_pcap(const char *file, struct packet **ret, size_t *ret_n, int *ret_linktype, char *err,
		     size_t err_len)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	struct packet *list = NULL;
	size_t n = 0, cap = 0;
	const u_char *data;
	pcap_t *pc;
	int rc;

	pc = pcap_open_offline(file, errbuf);
	if (!pc) {
		snprintf(err, err_len, "%s", errbuf);
		return -1;
	}
	while ((rc = pcap_next_ex(pc, &h, &data)) == 1) {
		if (h->caplen != h->len) {
			snprintf(err, err_len, "%s: packet %zu is cut off (%u of %u bytes); capture with -s 0", file, n + 1,
				 h->caplen, h->len);
			goto fail;
		}
		if (n == cap) {
			struct packet *more = realloc(list, (cap = cap ? cap * 2 : 16) * sizeof(*list));

			if (!more)
				goto oom;
			list = more;
		}
		list[n].len = h->caplen;
		list[n].data = malloc(h->caplen ? h->caplen : 1);
		if (!list[n].data)
			goto oom;
		memcpy(list[n++].data, data, h->caplen);
	}
	if (rc == PCAP_ERROR) {
		snprintf(err, err_len, "%s: %s", file, pcap_geterr(pc));
		goto fail;
	}
	*ret = list;
	*ret_n = n;
	*ret_linktype = pcap_datalink(pc);
	pcap_close(pc);
	return 0;
oom:
	snprintf(err, err_len, "out of memory");
fail:
	while (n--)
		packet_done(&list[n]);
	free(list);
	pcap_close(pc);
	return -1;
}

void packet_done(struct packet *p)
{
	free(p->data);
	p->data = NULL;
	p->len = 0;
}

size_t packet_l3_offset(const struct packet *p)
{
	size_t off = 12;

	while (off + 2 <= p->len) {
		unsigned int type = (unsigned int)(p->data[off] << 8 | p->data[off + 1]);

		if (type == 0x8100 || type == 0x88a8)
			off += 4;
		else
			return (type == 0x0800 || type == 0x86dd) && off + 2 < p->len ? off + 2 : 0;
	}
	return 0;
}

void packet_help(FILE *f)
{
	for (size_t i = 0; i < L_TEXT; i++) {
		const struct layer_type *t = &types[i];

		fprintf(f, "  %s(", t->name);
		for (size_t k = 0; k < MAX_FIELDS && t->fields[k].name; k++) {
			const struct field *fd = &t->fields[k];

			if (!*fd->name)
				fputs(fd->type == F_HEX ? "DIGITS" : "COUNT", f);
			else
				fprintf(f, "%s%s%s%s", k ? ", " : "", fd->name, fd->preset ? "=" : "",
					fd->preset ? fd->preset : "");
		}
		fputs(")\n", f);
	}
	fputs("  \"text\"          with \\n \\r \\t \\\\ \\\" \\xHH\n", f);
}

void packet_dump(FILE *f, const char *indent, const uint8_t *data, size_t len, const struct packet *other)
{
	for (size_t row = 0; row < len; row += 16) {
		bool differs = false;

		fprintf(f, "%s%04zx ", indent, row);
		for (size_t k = row; k < row + 16; k++) {
			if (k >= len) {
				fputs("   ", f);
				continue;
			}
			bool d = other && (k >= other->len || other->data[k] != data[k]);

			fprintf(f, "%c%02x", d ? '*' : ' ', data[k]);
			differs |= d;
		}
		fputs("  ", f);
		for (size_t k = row; k < row + 16 && k < len; k++)
			fputc(isprint(data[k]) ? data[k] : '.', f);
		fputs(differs ? "  <- differs\n" : "\n", f);
	}
}
