// SPDX-License-Identifier: GPL-2.0-only
/* The text of a described packet. */
#include "layers.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct layer_type layer_types[L_MAX] = {
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

int layers_fail(struct parser *ps, const char *at, const char *fmt, ...)
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

int hex_parse(const char *text, uint8_t **ret, size_t *ret_len)
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
			return layers_fail(ps, at, "%s: '%s' is not a number from 0 to %llu", *f->name ? f->name : "size", text,
				    (unsigned long long)f->max);
		break;
	case F_DSCP:
		if (dscp_parse(text) < 0)
			return layers_fail(ps, at, "%s: '%s' is not a DSCP (0 to 63, or a name like EF, CS1, AF41)", f->name, text);
		v->number = (uint64_t)dscp_parse(text);
		break;
	case F_TCP_FLAGS:
		if (tcp_flags_parse(text, &v->number))
			return layers_fail(ps, at, "%s: '%s' is not a number up to 0xff or letters of FSRPAUEC", f->name, text);
		break;
	case F_IP4:
		if (inet_pton(AF_INET, text, v->bytes) != 1)
			return layers_fail(ps, at, "%s: '%s' is not an IPv4 address", f->name, text);
		break;
	case F_IP6:
		if (inet_pton(AF_INET6, text, v->bytes) != 1)
			return layers_fail(ps, at, "%s: '%s' is not an IPv6 address", f->name, text);
		break;
	case F_MAC:
		if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &n) != 6 ||
		    text[n])
			return layers_fail(ps, at, "%s: '%s' is not a MAC address", f->name, text);
		for (int i = 0; i < 6; i++)
			v->bytes[i] = (uint8_t)m[i];
		break;
	case F_HEX:
		if (hex_parse(text, &v->data, &v->len))
			return layers_fail(ps, at, "%s: '%s' is not an even number of hex digits", *f->name ? f->name : "hex", text);
		if (v->len > f->max)
			return layers_fail(ps, at, "%s: more than %llu bytes", *f->name ? f->name : "hex",
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
		return layers_fail(ps, ps->p, "too long");
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
	const struct layer_type *t = &layer_types[l->id];
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
				layers_fail(ps, at, "%s has no field '%s'; it has %s", t->name, name, names);
				goto out;
			}
			if (*ps->p != '=') {
				layers_fail(ps, ps->p, "expected = after '%s'", name);
				goto out;
			}
			ps->p++;
			skip_blanks(ps);
		}
		if (l->v[i].set) {
			layers_fail(ps, at, "'%s' is given twice", t->fields[i].name);
			goto out;
		}
		at = ps->p;
		if (token(ps, ",)", text, strlen(ps->text) + 1) ||
		    value_parse(ps, at, &t->fields[i], text, &l->v[i]))
			goto out;
		if (*ps->p == ',')
			ps->p++;
		else if (*ps->p != ')') {
			layers_fail(ps, ps->p, "expected , or ) in %s", t->name);
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
			return layers_fail(ps, start, "the text that begins here has no closing quote");
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
				return layers_fail(ps, ps->p, "expected two hex digits after \\x");
			out[n++] = (uint8_t)(hi << 4 | lo);
			ps->p += 2;
			break;
		default:
			return layers_fail(ps, ps->p, "unknown escape; known are \\n \\r \\t \\\\ \\\" \\xHH");
		}
	}
	ps->p++;
	l->v[0].len = n;
	return 0;
}

int layers_parse(struct parser *ps)
{
	char name[32];

	for (;;) {
		struct layer *l = &ps->layers[ps->n];
		const char *at;
		size_t i;

		skip_blanks(ps);
		at = ps->p;
		if (ps->n == MAX_LAYERS)
			return layers_fail(ps, at, "more than %d headers", MAX_LAYERS);
		l->column = (size_t)(at - ps->text);
		ps->n++;
		if (*ps->p == '"') {
			if (parse_text(ps, l))
				return -1;
		} else {
			if (token(ps, "(/", name, sizeof(name)))
				return -1;
			for (i = 0; i < L_TEXT; i++)
				if (!strcmp(name, layer_types[i].name) || (layer_types[i].alias && !strcmp(name, layer_types[i].alias)))
					break;
			if (i == L_TEXT) {
				char known[256] = "";
				int n = 0;

				for (size_t k = 0; k < L_TEXT; k++)
					n += snprintf(known + n, sizeof(known) - (size_t)n, " %s", layer_types[k].name);
				return layers_fail(ps, at, "unknown header '%s'; known are%s and \"text\"", name, known);
			}
			l->id = (enum layer_id)i;
			if (*ps->p == '(' && parse_fields(ps, l))
				return -1;
		}
		skip_blanks(ps);
		if (!*ps->p)
			return 0;
		if (*ps->p != '/')
			return layers_fail(ps, ps->p, "expected / before the next header");
		ps->p++;
	}
}

static int apply_presets(struct parser *ps, struct layer *l)
{
	const struct layer_type *t = &layer_types[l->id];

	for (size_t i = 0; i < MAX_FIELDS && t->fields[i].name; i++) {
		if (l->v[i].set || !t->fields[i].preset)
			continue;
		if (value_parse(ps, ps->text, &t->fields[i], t->fields[i].preset, &l->v[i]))
			return -1;
	}
	return 0;
}

int layers_presets(struct parser *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		if (apply_presets(ps, &ps->layers[i]))
			return -1;
	return 0;
}

void layers_done(struct parser *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		for (size_t k = 0; k < MAX_FIELDS; k++)
			free(ps->layers[i].v[k].data);
}

void packet_help(FILE *f)
{
	for (size_t i = 0; i < L_TEXT; i++) {
		const struct layer_type *t = &layer_types[i];

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
