// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any bytes as the kernel's answers on a netlink socket. Nothing may be read outside of the
 * datagram, and what is taken for an answer must be terminated text, known lengths, in range.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
 *           -Ilib -Ibpf-progs/include qdisc-tests/fuzz/nl.c lib/nl/nl.c lib/nl/link.c lib/nl/qdisc.c lib/nl/filter.c \
 *           lib/nl/run.c -lmnl -lbpf -o fuzz-nl
 *   ./fuzz-nl CORPUS
 */
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nl/internal.h"

#define SEQ 100U
#define PORTID 7U
#define OPS 4U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void expect_text(const char *text, size_t size)
{
	expect(memchr(text, 0, size) != NULL);
}

static void reset(void *out)
{
	(void)out;
}

static int add_link(void *out, const struct nlmsghdr *nlh)
{
	struct nl_link link;
	int err = nl_link_decode(nlh, &link);

	(void)out;
	if (err)
		return err;
	expect_text(link.name, sizeof(link.name));
	expect_text(link.kind, sizeof(link.kind));
	expect(link.name[0] && link.ifindex && link.mac_len <= NL_MAC_MAX);
	for (size_t i = 0; i < link.n_altnames; i++)
		expect(strlen(link.altnames[i]) < 128);
	nl_link_done(&link);
	return 0;
}

static int add_qdisc(void *out, const struct nlmsghdr *nlh)
{
	struct nl_qdisc qdisc;
	int err = nl_qdisc_decode(nlh, &qdisc);

	(void)out;
	if (err)
		return err;
	expect_text(qdisc.kind, sizeof(qdisc.kind));
	expect(qdisc.kind[0] && qdisc.ifindex);
	return 0;
}

static int add_filter(void *out, const struct nlmsghdr *nlh)
{
	struct nl_filters *filters = out;
	struct nl_filter filter;
	int err = nl_filter_decode(nlh, &filter);

	if (err)
		return err;
	expect_text(filter.kind, sizeof(filter.kind));
	expect_text(filter.name, sizeof(filter.name));
	expect(filter.key.prio <= 0xffff);
	filters->items = realloc(filters->items, (filters->n + 1) * sizeof(filter));
	expect(filters->items != NULL);
	filters->items[filters->n++] = filter;
	return 0;
}

static void got_filter(void *arg, size_t i, int err, const struct nl_filter *filter)
{
	(void)arg;
	expect(i < OPS && err <= 0 && !err == !!filter);
	if (filter)
		expect_text(filter->name, sizeof(filter->name));
}

/* Most inputs should get past the check of sequence and sender. */
static void patch(char *buf, size_t len)
{
	struct nlmsghdr *nlh = (void *)buf;
	int left = (int)len;

	for (uint32_t i = 0; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left), i++) {
		nlh->nlmsg_seq = SEQ + (nlh->nlmsg_seq & 3);
		nlh->nlmsg_pid = PORTID;
	}
}

static void feed_dump(uint16_t type, int (*add)(void *, const struct nlmsghdr *), const char *buf, size_t len)
{
	struct nl_collector collector = { type, reset, add };
	struct nl_filters filters = { 0 };
	char extack[NL_EXTACK_MAX] = "";
	struct nl_dump_state s = {
		.seq = SEQ, .portid = PORTID, .collector = &collector, .out = &filters, .extack = extack
	};

	if (!nl_dump_feed(&s, buf, len))
		nl_dump_feed(&s, buf, len);
	expect_text(extack, sizeof(extack));
	expect(s.err <= 0);
	expect(!nl_filters_canonical(&filters));
	for (size_t i = 1; i < filters.n; i++)
		expect(filters.items[i - 1].chain <= filters.items[i].chain);
	nl_filters_done(&filters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nl_op ops[OPS];
	bool answered[OPS] = { false }, had[OPS] = { false };
	struct nl_filter_key keys[OPS] = { { 0 } };
	char extack[NL_EXTACK_MAX] = "";
	size_t sent[OPS];
	struct nl_gets gets = { .seq = SEQ, .portid = PORTID, .keys = keys, .sent = sent, .n_sent = OPS,
				.answered = had, .left = OPS, .fn = got_filter, .extack = extack };
	char *buf;

	if (size < 1)
		return 0;
	buf = malloc(size); /* exactly: ASan sees one byte too many */
	expect(buf != NULL);
	memcpy(buf, data + 1, size - 1);
	if (!(data[0] & 0x80))
		patch(buf, size - 1);
	switch (data[0] & 3) {
	case 0: feed_dump(RTM_NEWLINK, add_link, buf, size - 1); break;
	case 1: feed_dump(RTM_NEWQDISC, add_qdisc, buf, size - 1); break;
	case 2: feed_dump(RTM_NEWTFILTER, add_filter, buf, size - 1); break;
	default:
		memset(ops, 0, sizeof(ops));
		for (unsigned int i = 0; i < OPS; i++) {
			ops[i].type = NL_OP_CLSACT_ADD;
			sent[i] = i;
		}
		nl_run_feed(ops, answered, OPS, SEQ, PORTID, buf, size - 1);
		nl_gets_feed(&gets, buf, size - 1);
		expect(gets.left <= OPS);
		expect_text(extack, sizeof(extack));
		for (unsigned int i = 0; i < OPS; i++) {
			expect(ops[i].err <= 0);
			expect_text(ops[i].extack, sizeof(ops[i].extack));
		}
	}
	free(buf);
	return 0;
}
