// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "qt/qt.h"

static const struct {
	int verdict;
	const char *name, *alias;
} verdicts[] = {
	{ TC_ACT_UNSPEC, "unspec", "continue" }, { TC_ACT_OK, "ok", "pass" }, { TC_ACT_RECLASSIFY, "reclassify", NULL },
	{ TC_ACT_SHOT, "shot", "drop" }, { TC_ACT_PIPE, "pipe", NULL }, { TC_ACT_STOLEN, "stolen", NULL },
	{ TC_ACT_QUEUED, "queued", NULL }, { TC_ACT_REPEAT, "repeat", NULL }, { TC_ACT_REDIRECT, "redirect", NULL },
	{ TC_ACT_TRAP, "trap", NULL }, { QT_TAKEN, "taken", NULL },
};
#define N_VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

const char *verdict_name(int verdict)
{
	for (size_t i = 0; i < N_VERDICTS; i++)
		if (verdicts[i].verdict == verdict)
			return verdicts[i].name;
	return "unknown";
}

int verdict_parse(const char *text, int *ret)
{
	char *end;

	for (size_t i = 0; i < N_VERDICTS; i++)
		if (!strcmp(text, verdicts[i].name) || (verdicts[i].alias && !strcmp(text, verdicts[i].alias))) {
			*ret = verdicts[i].verdict;
			return 0;
		}
	*ret = (int)strtol(text, &end, 0);
	return *text && !*end ? 0 : -1;
}

static int fail(char *err, size_t err_len, int rc, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int fail(char *err, size_t err_len, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, err_len, fmt, ap);
	va_end(ap);
	return rc;
}

/* A number, or MAJ:MIN in hex as tc writes class ids. */
static int number_parse(const char *text, uint64_t *ret)
{
	const char *colon = strchr(text, ':');
	char *end;

	if (colon) {
		unsigned long hi = strtoul(text, &end, 16), lo;

		if (end != colon || hi > 0xffff)
			return -1;
		lo = colon[1] ? strtoul(colon + 1, &end, 16) : 0;
		if ((colon[1] && *end) || lo > 0xffff)
			return -1;
		*ret = hi << 16 | lo;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*ret = strtoull(text, &end, 0);
	return *end || errno ? -1 : 0;
}

/* --- one word "key=value" of a text; values may be quoted with ' to hold blanks -------------------------- */

struct word {
	char *key, *value;
	bool negated;
};

/* Returns 1 with a word, 0 at the end, -1 when it is not key=value. *p moves on; the word points into buf. */
static int next_word(const char **p, char *buf, size_t buf_len, struct word *ret, char *err, size_t err_len)
{
	size_t n = 0;
	bool quoted = false;
	const char *start;
	char *eq;

	while (isspace((unsigned char)**p))
		(*p)++;
	if (!**p)
		return 0;
	start = *p;
	for (; **p && (quoted || !isspace((unsigned char)**p)); (*p)++) {
		if (**p == '\'') {
			quoted = !quoted;
			continue;
		}
		if (n + 1 == buf_len)
			return fail(err, err_len, -1, "too long: %.40s…", start);
		buf[n++] = **p;
	}
	buf[n] = 0;
	if (quoted)
		return fail(err, err_len, -1, "no closing ' in: %s", start);
	eq = strchr(buf, '=');
	if (!eq || eq == buf)
		return fail(err, err_len, -1, "expected KEY=VALUE, found '%s'", buf);
	ret->negated = eq[-1] == '!';
	*(ret->negated ? eq - 1 : eq) = 0;
	ret->key = buf;
	ret->value = eq + 1;
	return 1;
}

int input_parse(const char *text, struct qt_input *ret, char *err, size_t err_len)
{
	char buf[4096];
	struct word w;
	int rc;

	while ((rc = next_word(&text, buf, sizeof(buf), &w, err, err_len)) == 1) {
		uint64_t v;

		if (w.negated || number_parse(w.value, &v) || v > UINT32_MAX)
			return fail(err, err_len, -1, "%s: '%s' is not a 32-bit number", w.key, w.value);
		if (!strcmp(w.key, "mark")) {
			ret->mark = (uint32_t)v;
			ret->has_mark = true;
		} else if (!strcmp(w.key, "priority")) {
			ret->priority = (uint32_t)v;
			ret->has_priority = true;
		} else if (!strncmp(w.key, "cb", 2) && w.key[2] >= '0' && w.key[2] <= '4' && !w.key[3]) {
			ret->cb[w.key[2] - '0'] = (uint32_t)v;
			ret->has_cb = true;
		} else {
			return fail(err, err_len, -1, "no input field '%s' (mark, priority, cb0 to cb4)", w.key);
		}
	}
	return rc;
}

/* --- header fields of the packet that came out ---------------------------------------------------------- */

struct headers {
	const uint8_t *l3; /* NULL: not IP */
	bool v6;
	size_t l3_room, l3_len; /* bytes from l3 to the end of the packet; of the IP packet by its own length */
	int proto;		/* after IPv6 extension headers; -1: unknown */
	const uint8_t *l4;	/* NULL: none (later fragment, cut short) */
	size_t l4_len;
	bool fragment;
};

static void find_headers(const struct packet *p, struct headers *h)
{
	size_t off = packet_l3_offset(p), pos;

	memset(h, 0, sizeof(*h));
	h->proto = -1;
	if (!off)
		return;
	h->l3_room = p->len - off;
	if (p->data[off] >> 4 == 4 && h->l3_room >= 20) {
		size_t ihl = (size_t)(p->data[off] & 0xf) * 4;
		unsigned int frag = (unsigned int)(p->data[off + 6] << 8 | p->data[off + 7]);

		h->l3 = p->data + off;
		h->l3_len = (size_t)(h->l3[2] << 8 | h->l3[3]);
		h->proto = h->l3[9];
		h->fragment = frag & 0x3fff;
		if (!(frag & 0x1fff) && ihl >= 20 && h->l3_room > ihl && h->l3_len > ihl) {
			h->l4 = h->l3 + ihl;
			h->l4_len = (h->l3_len < h->l3_room ? h->l3_len : h->l3_room) - ihl;
		}
	} else if (p->data[off] >> 4 == 6 && h->l3_room >= 40) {
		h->v6 = true;
		h->l3 = p->data + off;
		h->l3_len = 40 + (size_t)(h->l3[4] << 8 | h->l3[5]);
		h->proto = h->l3[6];
		for (pos = 40; pos + 8 <= h->l3_room;) {
			const uint8_t *x = h->l3 + pos;

			if (h->proto == 0 || h->proto == 43 || h->proto == 60) {
				pos += ((size_t)x[1] + 1) * 8;
			} else if (h->proto == 51) {
				pos += ((size_t)x[1] + 2) * 4;
			} else if (h->proto == 44) {
				unsigned int frag = (unsigned int)(x[2] << 8 | x[3]);

				h->fragment = frag & 0xfff9;
				if (frag & 0xfff8) {
					h->proto = x[0];
					return;
				}
				pos += 8;
			} else {
				break;
			}
			h->proto = x[0];
		}
		if (pos < h->l3_room && pos < h->l3_len) {
			h->l4 = h->l3 + pos;
			h->l4_len = (h->l3_len < h->l3_room ? h->l3_len : h->l3_room) - pos;
		}
	}
}

/* "ok", or what is wrong, or NULL when there is nothing to check. */
static const char *checksums(const struct headers *h)
{
	uint8_t pseudo[40] = { 0 };
	uint32_t sum;

	if (!h->l3)
		return NULL;
	if (!h->v6 && packet_sum16(0, h->l3, (size_t)(h->l3[0] & 0xf) * 4) != 0xffff)
		return "wrong in the IPv4 header";
	if (!h->l4 || h->fragment)
		return h->v6 ? NULL : "ok";
	if (h->v6) {
		memcpy(pseudo, h->l3 + 8, 32);
		pseudo[34] = (uint8_t)(h->l4_len >> 8);
		pseudo[35] = (uint8_t)h->l4_len;
		pseudo[39] = (uint8_t)h->proto;
	} else {
		memcpy(pseudo, h->l3 + 12, 8);
		pseudo[9] = (uint8_t)h->proto;
		pseudo[10] = (uint8_t)(h->l4_len >> 8);
		pseudo[11] = (uint8_t)h->l4_len;
	}
	sum = packet_sum16(0, pseudo, h->v6 ? 40 : 12);
	switch (h->proto) {
	case 17:
		if (h->l4_len >= 8 && !h->l4[6] && !h->l4[7])
			return h->v6 ? "0 in UDP over IPv6" : "ok";
		return packet_sum16(sum, h->l4, h->l4_len) == 0xffff ? "ok" : "wrong in UDP";
	case 6: return packet_sum16(sum, h->l4, h->l4_len) == 0xffff ? "ok" : "wrong in TCP";
	case 58: return packet_sum16(sum, h->l4, h->l4_len) == 0xffff ? "ok" : "wrong in ICMPv6";
	case 1: return packet_sum16(0, h->l4, h->l4_len) == 0xffff ? "ok" : "wrong in ICMP";
	default: return h->v6 ? NULL : "ok";
	}
}

/* Numbers that can be expected. Returns 0, 1 when the packet or this run has no such thing, -1: no such key. */
static int number_of(const char *key, const struct qt_outcome *o, const struct headers *h, uint64_t *ret,
		     const char **why)
{
	bool ports = h->l4 && (h->proto == 6 || h->proto == 17 || h->proto == 132) && h->l4_len >= 4;
	bool icmp = h->l4 && (h->proto == 1 || h->proto == 58) && h->l4_len >= 2;

	*why = o->has_delivered ? "not to be seen in mode net after this verdict" : "not to be seen on a kernel without BTF";
	if (!strcmp(key, "len"))
		return *ret = o->len, 0;
#define FIELD(name, value, cond)           \
	if (!strcmp(key, name)) {          \
		if (!(cond))               \
			return 1;          \
		*ret = (value);            \
		return 0;                  \
	}
	FIELD("mark", o->mark, o->has_fields)
	FIELD("priority", o->priority, o->has_fields)
	FIELD("tstamp", o->tstamp, o->has_fields)
	if (!strncmp(key, "cb", 2) && key[2] >= '0' && key[2] <= '4' && !key[3]) {
		*ret = o->cb[key[2] - '0'];
		return !o->has_cb;
	}
	FIELD("tc_index", o->tc_index, o->has_all)
	FIELD("queue_mapping", o->queue_mapping, o->has_all)
	FIELD("classid", o->classid, o->has_classid)
	*why = "the packet has none";
	if (!strcmp(key, "vlan")) {
		if (o->has_all && o->vlan_proto)
			return *ret = o->vlan_tci & 0xfff, 0;
		if (o->packet.len >= 16 && ((o->packet.data[12] == 0x81 && !o->packet.data[13]) ||
					    (o->packet.data[12] == 0x88 && o->packet.data[13] == 0xa8)))
			return *ret = (uint64_t)(o->packet.data[14] << 8 | o->packet.data[15]) & 0xfff, 0;
		return 1;
	}
	FIELD("ethertype", (uint64_t)(o->packet.data[12] << 8 | o->packet.data[13]), o->packet.len >= 14)
	FIELD("dscp", h->v6 ? (uint64_t)((h->l3[0] & 0xf) << 2 | h->l3[1] >> 6) : h->l3[1] >> 2, h->l3)
	FIELD("ecn", h->v6 ? h->l3[1] >> 4 & 3 : h->l3[1] & 3, h->l3)
	FIELD("ttl", h->l3[h->v6 ? 7 : 8], h->l3)
	FIELD("proto", (uint64_t)h->proto, h->l3 && h->proto >= 0)
	FIELD("sport", (uint64_t)(h->l4[0] << 8 | h->l4[1]), ports)
	FIELD("dport", (uint64_t)(h->l4[2] << 8 | h->l4[3]), ports)
	FIELD("icmp_type", h->l4[0], icmp)
	FIELD("icmp_code", h->l4[1], icmp)
#undef FIELD
	return -1;
}

static const char keys[] = "verdict packet len mark priority tc_index queue_mapping classid cb0 cb1 cb2 cb3 cb4 tstamp "
			   "vlan ethertype dscp ecn ttl proto src dst sport dport icmp_type icmp_code csum delivered "
			   "bytes@OFFSET map:NAME[KEY]";

static int check_packet(const struct word *w, const struct packet *in, const struct qt_outcome *out, char *err,
			size_t err_len)
{
	struct packet want = { 0 };
	const struct packet *ref = &want;
	char why[4096];
	bool same;
	int rc = 0;

	if (!strcmp(w->value, "same"))
		ref = in;
	else if (!strncmp(w->value, "hex:", 4) ? packet_from_hex(w->value + 4, &want, why, sizeof(why)) :
						 packet_parse(w->value, PACKET_ADD_ETH, &want, why, sizeof(why)))
		return fail(err, err_len, -1, "packet: %s", why);
	same = ref->len == out->packet.len && !out->cut && !memcmp(ref->data, out->packet.data, ref->len);
	if (same == w->negated) {
		FILE *f = fmemopen(err, err_len, "w");

		rc = 1;
		if (f) {
			fprintf(f, "packet %s: %zu bytes came out, %zu expected", same ? "is the same" : "differs",
				out->packet.len, ref->len);
			if (!same) {
				fputs("\n  came out\n", f);
				packet_dump(f, "    ", out->packet.data, out->packet.len, ref);
				fputs("  expected\n", f);
				packet_dump(f, "    ", ref->data, ref->len, &out->packet);
			}
			fclose(f);
			err[err_len - 1] = 0;
		}
	}
	packet_done(&want);
	return rc;
}

static int check_bytes(const struct word *w, const struct qt_outcome *out, char *err, size_t err_len)
{
	struct packet want = { 0 };
	char *end, why[256], got[256] = "";
	size_t off = strtoul(w->key + 6, &end, 0);
	int n = 0, rc = 0;
	bool same;

	if (*end || packet_from_hex(w->value, &want, why, sizeof(why)))
		return fail(err, err_len, -1, "%s=%s: expected bytes@OFFSET=HEXDIGITS", w->key, w->value);
	same = off <= out->packet.len && want.len <= out->packet.len - off &&
	       !memcmp(out->packet.data + off, want.data, want.len);
	if (same == w->negated) {
		for (size_t i = off; i < off + want.len && i < out->packet.len && n < 250; i++)
			n += snprintf(got + n, sizeof(got) - (size_t)n, "%02x", out->packet.data[i]);
		rc = fail(err, err_len, 1, "%s is %s, expected %s%s", w->key, n ? got : "behind the end of the packet",
			  w->negated ? "anything but " : "", w->value);
	}
	packet_done(&want);
	return rc;
}

static int check_map(const struct word *w, struct qt_runner *r, char *err, size_t err_len)
{
	char name[64], key[256] = "", *got = NULL, *want = w->value;
	uint64_t n;
	char hex[17] = "";
	int rc;

	if (sscanf(w->key, "map:%63[^[][%255[^]]]", name, key) != 2)
		return fail(err, err_len, -1, "%s: expected map:NAME[KEY]=VALUE, key in hex digits", w->key);
	if (runner_map(r, name, key, &got, err, err_len))
		return -1;
	/* A decimal number means the first 64 (or fewer) bits of the value. */
	if (strncmp(want, "0x", 2)) {
		if (number_parse(want, &n)) {
			free(got);
			return fail(err, err_len, -1, "%s: '%s' is neither a number nor 0x and hex digits", w->key, want);
		}
		for (int i = 0; i < 8; i++)
			snprintf(hex + 2 * i, 3, "%02x", (unsigned int)(n >> 8 * i & 0xff));
		if (strlen(got) < 16)
			hex[strlen(got)] = 0;
		rc = strncmp(got, hex, strlen(hex)) != 0;
	} else {
		rc = strcasecmp(got, want + 2) != 0;
	}
	if (rc != w->negated)
		rc = fail(err, err_len, 1, "%s is 0x%s, expected %s%s%s%s", w->key, got, w->negated ? "anything but " : "", want,
			  strncmp(want, "0x", 2) ? ", that is 0x" : "", strncmp(want, "0x", 2) ? hex : "");
	else
		rc = 0;
	free(got);
	return rc;
}

static int check_one(const struct word *w, const struct packet *in, const struct qt_outcome *out,
		     const struct headers *h, struct qt_runner *r, char *err, size_t err_len)
{
	const char *not_ = w->negated ? "anything but " : "", *why;
	uint64_t got, want, mask = UINT64_MAX;
	char text[64], *slash;
	bool same;
	int v;

	/* next_word() has set the key. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
	if (!strcmp(w->key, "verdict")) {
		if (verdict_parse(w->value, &v))
			return fail(err, err_len, -1, "verdict: '%s' is none (ok, shot, unspec, pipe, redirect, …)", w->value);
		same = v == out->verdict || (out->verdict == QT_TAKEN && (v == TC_ACT_STOLEN || v == TC_ACT_QUEUED ||
									 v == TC_ACT_TRAP || v == TC_ACT_REDIRECT));
		if (same == w->negated)
			return fail(err, err_len, 1, "verdict is %s (%d), expected %s%s", verdict_name(out->verdict),
				    out->verdict, not_, w->value);
		return 0;
	}
	if (!strcmp(w->key, "packet"))
		return check_packet(w, in, out, err, err_len);
	if (!strncmp(w->key, "bytes@", 6))
		return check_bytes(w, out, err, err_len);
	if (!strncmp(w->key, "map:", 4))
		return check_map(w, r, err, err_len);
	if (!strcmp(w->key, "csum")) {
		const char *state = checksums(h);

		if (!state)
			state = "absent";
		if ((!strcmp(state, w->value)) == w->negated)
			return fail(err, err_len, 1, "csum is %s, expected %s%s", state, not_, w->value);
		return 0;
	}
	if (!strcmp(w->key, "delivered")) {
		if (!out->has_delivered)
			return fail(err, err_len, -1, "delivered: only mode net can tell");
		if ((!strcmp(w->value, "yes")) != (out->delivered != w->negated))
			return fail(err, err_len, 1, "the packet was %sdelivered", out->delivered ? "" : "not ");
		return 0;
	}
	if (!strcmp(w->key, "src") || !strcmp(w->key, "dst")) {
		bool dst = w->key[0] == 'd';
		char addr[INET6_ADDRSTRLEN] = "absent", canon[INET6_ADDRSTRLEN];
		uint8_t bin[16];
		int family = strchr(w->value, ':') ? AF_INET6 : AF_INET;

		if (inet_pton(family, w->value, bin) != 1)
			return fail(err, err_len, -1, "%s: '%s' is not an address", w->key, w->value);
		inet_ntop(family, bin, canon, sizeof(canon));
		if (h->l3)
			inet_ntop(h->v6 ? AF_INET6 : AF_INET, h->l3 + (h->v6 ? dst ? 24 : 8 : dst ? 16 : 12), addr,
				  sizeof(addr));
		if ((!strcmp(addr, canon)) == w->negated)
			return fail(err, err_len, 1, "%s is %s, expected %s%s", w->key, addr, not_, canon);
		return 0;
	}
	v = number_of(w->key, out, h, &got, &why);
	if (v < 0)
		return fail(err, err_len, -1, "nothing called '%s' can be expected; there is %s", w->key, keys);
	if (!strcmp(w->value, "none")) {
		if ((v == 1) == w->negated)
			return fail(err, err_len, 1, "%s is %s, expected %snone", w->key, v ? "absent" : "there", not_);
		return 0;
	}
	snprintf(text, sizeof(text), "%s", w->value);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	if (!strcmp(w->key, "dscp") && dscp_parse(text) >= 0)
		want = (uint64_t)dscp_parse(text);
	else if (number_parse(text, &want))
		return fail(err, err_len, -1, "%s: '%s' is not a number", w->key, w->value);
	if (slash && number_parse(slash, &mask))
		return fail(err, err_len, -1, "%s: '%s' is not a number with a mask", w->key, w->value);
	if (v == 1)
		return fail(err, err_len, 1, "%s is unknown: %s; expected %s%s", w->key, why, not_, w->value);
	if (((got & mask) == want) == w->negated)
		return fail(err, err_len, 1, "%s is %llu (0x%llx), expected %s%s", w->key, (unsigned long long)got,
			    (unsigned long long)got, not_, w->value);
	return 0;
}

int expect_check(const char *text, const struct packet *in, const struct qt_outcome *out, struct qt_runner *r,
		 char *err, size_t err_len)
{
	char buf[8192], one[QT_ERR];
	struct headers h;
	struct word w = { 0 };
	size_t used = 0;
	int rc, worst = 0;

	find_headers(&out->packet, &h);
	while ((rc = next_word(&text, buf, sizeof(buf), &w, err, err_len)) == 1) {
		rc = check_one(&w, in, out, &h, r, one, sizeof(one));
		if (rc < 0)
			return fail(err, err_len, -1, "%s", one);
		if (rc && used + 1 < err_len) { /* all that differ, not only the first */
			int n = snprintf(err + used, err_len - used, "%s%s", used ? "\n" : "", one);

			used += n > 0 ? (size_t)n : 0;
			worst = 1;
		}
	}
	return rc < 0 ? -1 : worst;
}

void expect_help(FILE *f)
{
	fputs("  verdict=ok|shot|unspec|pipe|redirect|stolen|trap|reclassify|NUMBER   (also pass, drop, continue)\n"
	      "      In mode net, what the kernel made of it: unspec, pipe and reclassify are all unspec, and what it took\n"
	      "      away (stolen, queued, trap, redirect) is taken; packet and fields of a dropped packet are not to be seen.\n"
	      "  mark priority tc_index queue_mapping classid cb0…cb4 tstamp len     skb fields\n"
	      "  vlan ethertype dscp ecn ttl proto sport dport icmp_type icmp_code   of the packet that came out\n"
	      "      =NUMBER, =MAJ:MIN (hex, as tc writes class ids), =NUMBER/MASK, =none; dscp also by name (EF, AF41)\n"
	      "  src=ADDRESS dst=ADDRESS csum=ok\n"
	      "  packet=same, packet='DESCRIPTION', packet=hex:DIGITS, bytes@OFFSET=DIGITS\n"
	      "  map:NAME[KEY]=VALUE    key in hex digits as in memory; value 0x and hex digits, or a number (little-endian;\n"
	      "                         per-CPU maps are summed in 64-bit words)\n"
	      "  delivered=yes|no       net mode: did it go on to the stack (ingress) or out at the wire's other end (egress)?\n"
	      "  KEY!=VALUE             anything but\n",
	      f);
}
