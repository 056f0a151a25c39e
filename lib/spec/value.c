// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Scalars: text to typed values. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "spec/impl.h"

bool spec_text(struct spec_ctx *c, const struct yaml_node *v, const char *key, const char *what)
{
	if (v->kind == YAML_TEXT && !yaml_node_is_null(v))
		return true;
	spec_expected(c, v, key, "%s", what);
	return false;
}

const struct yaml_node *const *spec_list(struct spec_ctx *c, const struct yaml_node *const *v,
					 const char *key, size_t *ret_n)
{
	const struct yaml_node *node = *v;

	*ret_n = 0;
	if (node->kind == YAML_TEXT && !yaml_node_is_null(node)) {
		*ret_n = 1;
		return v;
	}
	if (node->kind == YAML_LIST && node->n) {
		*ret_n = node->n;
		return (const struct yaml_node *const *)node->items;
	}
	spec_expected(c, node, key, "a value or a list of values");
	return v;
}

static bool all_digits(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return n > 0;
}

const char *spec_number(const char *text, size_t len, uint32_t *ret)
{
	uint64_t value = 0;

	if (len > 1 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		if (len == 2)
			return "0x needs digits after it";
		for (size_t i = 2; i < len; i++) {
			char ch = text[i];
			int digit = ch >= '0' && ch <= '9'		     ? ch - '0' :
				    (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f' ? (ch | 0x20) - 'a' + 10 :
									       -1;

			if (digit < 0)
				return "after 0x only hexadecimal digits can follow";
			value = value << 4 | (unsigned int)digit;
			if (value > UINT32_MAX)
				return "the number does not fit 32 bits";
		}
		*ret = (uint32_t)value;
		return NULL;
	}
	if (all_digits(text, len)) {
		if (len > 1 && text[0] == '0')
			return "a leading zero means octal to some YAML readers: write the number without it, or 0x and "
			       "hexadecimal digits";
		for (size_t i = 0; i < len; i++) {
			value = value * 10 + (unsigned int)(text[i] - '0');
			if (value > UINT32_MAX)
				return "the number does not fit 32 bits";
		}
		*ret = (uint32_t)value;
		return NULL;
	}
	if (len > 2 && text[0] == '0' && (text[1] | 0x20) == 'o')
		return "octal numbers are not read: use decimal or 0x";
	if (len > 1 && (text[0] == '+' || text[0] == '-') && all_digits(text + 1, len - 1))
		return "numbers have no sign here";
	if (len && text[0] >= '0' && text[0] <= '9') {
		if (memchr(text, '.', len))
			return "whole numbers only";
		if (memchr(text, '_', len))
			return "write the digits without _";
		if (memchr(text, ',', len))
			return "write several values as a list: [a, b]";
	}
	return "";
}

bool spec_uint(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint32_t min, uint32_t max,
	       uint32_t *ret)
{
	const char *wrong = "";
	uint32_t value = 0;
	struct diag *g;

	if (v->kind == YAML_TEXT && !yaml_node_is_null(v))
		wrong = spec_number(v->text, v->n, &value);
	if (!wrong && value >= min && value <= max) {
		*ret = value;
		return true;
	}
	g = spec_expected(c, v, key, "a number from %u to %u", min, max);
	if (wrong && *wrong)
		diag_hint(g, "%s", wrong);
	return false;
}

bool spec_bool(struct spec_ctx *c, const struct yaml_node *v, const char *key, bool *ret)
{
	static const char *const yes[] = { "yes", "on", "y", "1" }, *const no[] = { "no", "off", "n", "0" };
	const char *meant = NULL;
	struct diag *g;

	if (v->kind == YAML_TEXT && (!strcmp(v->text, "true") || !strcmp(v->text, "false"))) {
		*ret = v->text[0] == 't';
		return true;
	}
	for (size_t i = 0; v->kind == YAML_TEXT && i < ARRAY_SIZE(yes); i++) {
		if (!strcasecmp(v->text, yes[i]))
			meant = "true";
		if (!strcasecmp(v->text, no[i]))
			meant = "false";
	}
	if (v->kind == YAML_TEXT && !strcasecmp(v->text, "true"))
		meant = "true";
	if (v->kind == YAML_TEXT && !strcasecmp(v->text, "false"))
		meant = "false";
	g = spec_expected(c, v, key, "true or false");
	if (meant)
		diag_hint(g, "write %s: YAML readers do not agree on %s", meant, v->text);
	return false;
}

bool spec_enum(struct spec_ctx *c, const struct yaml_node *v, const char *key, const char *const *words,
	       size_t n, unsigned int *ret)
{
	char list[256];
	size_t len = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (v->kind == YAML_TEXT && !strcmp(v->text, words[i])) {
			*ret = i;
			return true;
		}
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						!i	   ? "" :
						i + 1 == n ? " or " :
							     ", ",
						words[i]);
	}
	spec_did_you_mean(spec_expected(c, v, key, "%s", list),
			  v->kind == YAML_TEXT ? diag_nearest(v->text, words, n) : NULL);
	return false;
}

bool spec_masked(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_masked *ret)
{
	struct spec_masked m = { .mask = UINT32_MAX };
	const char *wrong = "", *slash;
	struct diag *g;

	if (v->kind == YAML_TEXT && !yaml_node_is_null(v)) {
		slash = strchr(v->text, '/');
		wrong = spec_number(v->text, slash ? (size_t)(slash - v->text) : v->n, &m.value);
		if (!wrong && slash)
			wrong = spec_number(slash + 1, strlen(slash + 1), &m.mask);
	}
	if (wrong) {
		g = spec_expected(c, v, key, "a value such as 0x10, or value/mask such as 0x10/0xff");
		if (*wrong)
			diag_hint(g, "%s", wrong);
		return false;
	}
	if (m.value & ~m.mask) {
		diag_hint(spec_error(c, v, "%s: the value 0x%x has bits that are not in the mask 0x%x", key,
				     m.value, m.mask),
			  "the order is value/mask");
		return false;
	}
	if (!m.mask) {
		spec_error(c, v, "%s: a mask of 0 selects no bits", key);
		return false;
	}
	*ret = m;
	return true;
}

bool spec_dscp(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint8_t *ret)
{
	const char *wrong = "";
	uint32_t value = 0;
	struct diag *g;

	if (v->kind == YAML_TEXT && !yaml_node_is_null(v)) {
		if (spec_word_find(&spec_dscp_words, v->text, &value))
			wrong = NULL;
		else
			wrong = spec_number(v->text, v->n, &value);
	}
	if (!wrong && value < 64) {
		*ret = (uint8_t)value;
		return true;
	}
	g = spec_expected(c, v, key, "a DSCP: 0 to 63 or a name such as EF, CS1, AF41");
	if (!wrong && value < 256 && !(value & 3))
		diag_hint(g, "%u looks like a TOS byte: its DSCP is %u", value, value >> 2);
	else if (wrong && *wrong)
		diag_hint(g, "%s", wrong);
	else if (wrong && v->kind == YAML_TEXT)
		spec_did_you_mean(g, spec_word_nearest(&spec_dscp_words, v->text));
	return false;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f')
		return (ch | 0x20) - 'a' + 10;
	return -1;
}

bool spec_mac(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint8_t ret[6])
{
	uint32_t number;
	struct diag *g;
	uint8_t mac[6];
	size_t i = 0;

	if (v->kind == YAML_TEXT && v->n == 17)
		for (; i < 6; i++) {
			int hi = hex_digit(v->text[3 * i]), lo = hex_digit(v->text[3 * i + 1]);

			if (hi < 0 || lo < 0 || (i < 5 && v->text[3 * i + 2] != ':'))
				break;
			mac[i] = (uint8_t)(hi << 4 | lo);
		}
	if (i == 6) {
		memcpy(ret, mac, 6);
		return true;
	}
	g = spec_expected(c, v, key, "a MAC address such as \"02:00:00:00:00:01\"");
	if (v->kind == YAML_TEXT && v->n &&
	    (!spec_number(v->text, v->n, &number) || all_digits(v->text, v->n)))
		diag_hint(g, "quote it: some YAML tools take digits and colons for a number in base 60");
	else if (v->kind == YAML_TEXT && strpbrk(v->text, "-.:"))
		diag_hint(g, "write six pairs of digits with colons between them");
	return false;
}

/* --- prefixes -------------------------------------------------------------------------------------- */

/* Dotted quad, strictly four decimal numbers; returns the number of octets read and where it stopped. */
static unsigned int parse_ipv4(const char *p, const char *end, uint8_t out[4], const char **ret_end,
			       bool *ret_octal)
{
	unsigned int n = 0;

	memset(out, 0, 4);
	while (n < 4 && p < end && *p >= '0' && *p <= '9') {
		const char *start = p;
		unsigned int value = 0;

		for (; p < end && *p >= '0' && *p <= '9' && p - start < 4; p++)
			value = value * 10 + (unsigned int)(*p - '0');
		if (value > 255)
			return 0;
		if (p - start > 1 && *start == '0')
			*ret_octal = true;
		out[n++] = (uint8_t)value;
		if (n == 4 || p == end || *p != '.')
			break;
		p++;
	}
	*ret_end = p;
	return n;
}

/* Zero the bits after `len`; true when one was set. */
static bool clear_host_bits(uint8_t *addr, size_t bytes, unsigned int len)
{
	bool had = false;

	for (size_t i = 0; i < bytes; i++) {
		unsigned int keep = len >= 8 * (i + 1) ? 8 : len > 8 * i ? len - 8 * (unsigned int)i : 0;
		uint8_t mask = (uint8_t)(0xff00U >> keep);

		had |= (addr[i] & (uint8_t)~mask) != 0;
		addr[i] &= mask;
	}
	return had;
}

/* Length of a contiguous IPv4 netmask, or -1. */
static int netmask_length(const uint8_t m[4])
{
	uint32_t v = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];

	if (v && (~v & (~v + 1)))
		return -1;
	return v ? __builtin_popcount(v) : 0;
}

static const char expected_prefix[] = "an address or prefix such as 192.0.2.0/24 or 2001:db8::/32";

static const char *finish_prefix(struct spec_prefix *p, const char *slash, const char *end, unsigned int max,
				 char hint[SPEC_HINT_MAX])
{
	char text[SPEC_PREFIX_TEXT];
	uint32_t len = max;
	const char *wrong;

	if (slash) {
		wrong = spec_number(slash + 1, (size_t)(end - slash - 1), &len);
		if (wrong || len > max) {
			const char *stop;
			uint8_t mask[4];
			bool octal = false;

			if (max == 32 && parse_ipv4(slash + 1, end, mask, &stop, &octal) == 4 &&
			    stop == end && netmask_length(mask) >= 0)
				snprintf(hint, SPEC_HINT_MAX, "write the netmask as a length: /%d",
					 netmask_length(mask));
			else
				snprintf(hint, SPEC_HINT_MAX, "the length after / goes from 0 to %u", max);
			return expected_prefix;
		}
	}
	p->len = (uint8_t)len;
	if (clear_host_bits(p->addr, max / 8, len)) {
		spec_prefix_text(p, text);
		snprintf(hint, SPEC_HINT_MAX, "bits after the first %u are set: did you mean %s?", len, text);
		return "a prefix without host bits";
	}
	return NULL;
}

static const char *parse_prefix6(const char *text, size_t len, const char *slash, struct spec_prefix *p,
				 char hint[SPEC_HINT_MAX])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const char *end = text + len, *wrong;
	size_t n = slash ? (size_t)(slash - text) : len;
	char copy[INET6_ADDRSTRLEN];

	if (memchr(text, '%', n)) {
		snprintf(hint, SPEC_HINT_MAX,
			 "addresses have no %%device here: rules belong to an interface already");
		return expected_prefix;
	}
	if (n >= 2 && text[0] == '[')
		snprintf(hint, SPEC_HINT_MAX, "without brackets and port");
	if (n >= sizeof(copy))
		return expected_prefix;
	memcpy(copy, text, n);
	copy[n] = 0;
	p->family = 6;
	if (inet_pton(AF_INET6, copy, p->addr) != 1)
		return expected_prefix;
	wrong = finish_prefix(p, slash, end, 128, hint);
	if (!wrong && p->len >= 96 && !memcmp(p->addr, mapped, 12)) {
		struct spec_prefix v4 = { .family = 4, .len = (uint8_t)(p->len - 96) };
		char as4[SPEC_PREFIX_TEXT];

		memcpy(v4.addr, p->addr + 12, 4);
		spec_prefix_text(&v4, as4);
		snprintf(hint, SPEC_HINT_MAX, "IPv4-mapped addresses are not seen in packets: write %s", as4);
		return "an IPv4 or IPv6 prefix";
	}
	return wrong;
}

const char *spec_prefix(const char *text, size_t len, struct spec_prefix *ret, char hint[SPEC_HINT_MAX])
{
	struct spec_prefix p = { .family = 4 };
	const char *slash = memchr(text, '/', len), *end = text + len, *stop = text, *wrong;
	const char *addr_end = slash ? slash : end;
	unsigned int octets;
	bool octal = false;

	if (memchr(text, ':', (size_t)(addr_end - text))) {
		wrong = parse_prefix6(text, len, slash, &p, hint);
	} else {
		octets = parse_ipv4(text, addr_end, p.addr, &stop, &octal);
		if (octets == 4 && stop == addr_end && !octal) {
			wrong = finish_prefix(&p, slash, end, 32, hint);
		} else {
			uint32_t bits;

			wrong = expected_prefix;
			if (octal)
				snprintf(hint, SPEC_HINT_MAX,
					 "leading zeros mean octal to some: write the octets without");
			else if (octets && octets < 4 && stop == addr_end && slash &&
				 !spec_number(slash + 1, (size_t)(end - slash - 1), &bits) && bits <= 32)
				snprintf(hint, SPEC_HINT_MAX, "write all four octets: %u.%u.%u.%u/%u",
					 p.addr[0], p.addr[1], p.addr[2], p.addr[3], bits);
			else if (octets == 4 && stop < addr_end && *stop == '-')
				snprintf(hint, SPEC_HINT_MAX, "address ranges are written as prefixes");
			else if (len && text[0] == '!')
				snprintf(hint, SPEC_HINT_MAX, "to negate, write not: { key: value }");
		}
	}
	if (!wrong)
		*ret = p;
	return wrong;
}

int spec_prefix_compare(const void *a, const void *b)
{
	const struct spec_prefix *x = a, *y = b;
	int r;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	r = memcmp(x->addr, y->addr, sizeof(x->addr));
	return r ? r : (int)x->len - (int)y->len;
}

size_t spec_prefixes_sort(struct spec_prefix *items, size_t n)
{
	size_t kept = 0;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = spec_prefix_compare(&items[i - 1], &items[i]) < 0;
	if (sorted)
		return n;
	qsort(items, n, sizeof(*items), spec_prefix_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || spec_prefix_compare(&items[kept - 1], &items[i]))
			items[kept++] = items[i];
	return kept;
}

static char *put_decimal(char *p, unsigned int v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

size_t spec_prefix_text(const struct spec_prefix *p, char buf[SPEC_PREFIX_TEXT])
{
	char *out = buf;

	if (p->family == 4) {
		for (int i = 0; i < 4; i++) {
			if (i)
				*out++ = '.';
			out = put_decimal(out, p->addr[i]);
		}
	} else {
		inet_ntop(AF_INET6, p->addr, buf, SPEC_PREFIX_TEXT);
		out += strlen(buf);
	}
	if (p->len != (p->family == 4 ? 32 : 128)) {
		*out++ = '/';
		out = put_decimal(out, p->len);
	}
	*out = 0;
	return (size_t)(out - buf);
}
