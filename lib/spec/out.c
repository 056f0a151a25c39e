// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* YAML text piece by piece: quoting, flow maps and lists. */
#include "spec/out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool out_room(struct out *o, size_t more)
{
	size_t cap = o->cap ? o->cap : 4096;
	char *bigger;

	if (o->n + more <= o->cap)
		return true;
	while (cap < o->n + more)
		cap *= 2;
	bigger = o->oom ? NULL : realloc(o->text, cap);
	if (!bigger) {
		o->oom = true;
		return false;
	}
	o->text = bigger;
	o->cap = cap;
	return true;
}

void out_bytes(struct out *o, const char *text, size_t n)
{
	if (!out_room(o, n))
		return;
	memcpy(o->text + o->n, text, n);
	o->n += n;
}

void out_text(struct out *o, const char *text)
{
	out_bytes(o, text, strlen(text));
}

void out_printf(struct out *o, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		out_bytes(o, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* --- text ------------------------------------------------------------------------------------------------ */

/* May a name be written without quotes? */
static bool is_plain(const char *text)
{
	/* What YAML 1.1 readers take for true, false or nothing. */
	static const char *const special[] = { "y", "n", "yes", "no", "on", "off", "true", "false", "null" };
	const char *p = text;

	if ((*p | 0x20) < 'a' || (*p | 0x20) > 'z')
		return false;
	for (; *p; p++)
		if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || *p == '_' ||
		      *p == '-'))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcasecmp(text, special[i]))
			return false;
	return true;
}

/* Code point at p (valid UTF-8, not ASCII) and its length. */
static uint32_t code_point(const unsigned char *p, size_t *ret_len)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t c = p[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	*ret_len = n;
	return c;
}

void out_quoted(struct out *o, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	out_text(o, "\"");
	while (*p) {
		size_t n = 1;
		uint32_t c = *p;

		if (c >= 0x80)
			c = code_point(p, &n);
		if (c == '"' || c == '\\')
			out_printf(o, "\\%c", (int)c);
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			out_printf(o, "\\x%02x", c);
		/* Line separators, byte order mark, and what is no character. */
		else if (c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff)
			out_printf(o, "\\u%04x", c);
		else
			out_bytes(o, (const char *)p, n);
		p += n;
	}
	out_text(o, "\"");
}

void out_name(struct out *o, const char *text)
{
	if (is_plain(text))
		out_text(o, text);
	else
		out_quoted(o, text);
}

/* --- flow maps and lists ------------------------------------------------------------------------------------ */

void out_map_begin(struct out *o)
{
	out_text(o, "{");
	o->first = true;
}

void out_key(struct out *o, const char *key)
{
	out_text(o, o->first ? " " : ", ");
	o->first = false;
	out_text(o, key);
	out_text(o, ": ");
}

void out_map_end(struct out *o)
{
	out_text(o, o->first ? "}" : " }");
	o->first = false;
}

/* A list of one is written as the value alone. */
void out_list_begin(struct out *o, size_t n)
{
	if (n != 1)
		out_text(o, "[");
}

void out_list_comma(struct out *o, size_t i)
{
	if (i)
		out_text(o, ", ");
}

void out_list_end(struct out *o, size_t n)
{
	if (n != 1)
		out_text(o, "]");
}

/* --- values ---------------------------------------------------------------------------------------------------- */

void out_number(struct out *o, uint32_t value, const struct spec_words *words)
{
	const char *word = words ? spec_word_of(words, value) : NULL;

	if (word)
		out_text(o, word);
	else
		out_printf(o, "%u", value);
}

void out_prefix(struct out *o, const struct spec_prefix *p)
{
	char text[SPEC_PREFIX_TEXT];
	size_t n = spec_prefix_text(p, text);

	out_text(o, "\"");
	out_bytes(o, text, n);
	out_text(o, "\"");
}

void out_mac(struct out *o, const uint8_t m[6])
{
	out_printf(o, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", m[0], m[1], m[2], m[3], m[4], m[5]);
}
