// SPDX-License-Identifier: GPL-2.0-only
/* Netlink answers as they should and should not be: sequence, sender, truncation, interrupted dumps, error texts. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include "nl/internal.h"
#include "test.h"

#define SEQ 41U
#define PORTID 4711U

static char buf[8192] __attribute__((aligned(8)));
static size_t used;

static struct nlmsghdr *begin(uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf + used);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_seq = seq;
	nlh->nlmsg_pid = PORTID;
	return nlh;
}

static void end(const struct nlmsghdr *nlh)
{
	used += MNL_ALIGN(nlh->nlmsg_len);
}

static void put_link(int ifindex, const char *name, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(RTM_NEWLINK, flags, seq);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = ifindex;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, 1500);
	end(nlh);
}

static void put_done(int err, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(NLMSG_DONE, NLM_F_MULTI, seq);

	*(int *)mnl_nlmsg_put_extra_header(nlh, sizeof(int)) = err;
	end(nlh);
}

/* An error or acknowledgement; text NULL: none. `with_request`: the request's payload comes back too. */
static void put_ack(int err, const char *text, bool with_request, uint32_t seq)
{
	struct nlmsghdr *nlh =
		begin(NLMSG_ERROR, (text ? NLM_F_ACK_TLVS : 0) | (with_request ? 0 : NLM_F_CAPPED), seq);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	e->error = err;
	e->msg.nlmsg_len = sizeof(e->msg) + 18;
	if (with_request)
		memset(mnl_nlmsg_put_extra_header(nlh, 18), 0xff, 18);
	if (text)
		mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, text);
	end(nlh);
}

static void put_filter(uint32_t prio, uint32_t handle, const char *kind)
{
	struct nlmsghdr *nlh = begin(RTM_NEWTFILTER, NLM_F_MULTI, SEQ);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_info = prio << 16 | 0x0300;
	tcm->tcm_handle = handle;
	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	if (handle) {
		struct nlattr *options = mnl_attr_nest_start(nlh, TCA_OPTIONS);

		mnl_attr_put_u32(nlh, TCA_BPF_ID, handle + 1000);
		mnl_attr_nest_end(nlh, options);
	}
	end(nlh);
}

static int n_links;

static void links_reset(void *out)
{
	n_links = 0;
}

static int links_add(void *out, const struct nlmsghdr *nlh)
{
	struct nl_link link;
	int err = nl_link_decode(nlh, &link);

	if (!err) {
		n_links++;
		nl_link_done(&link);
	}
	return err;
}

static const struct nl_collector links = { RTM_NEWLINK, links_reset, links_add };
static char extack[NL_EXTACK_MAX];

static struct nl_dump_state dump(int want)
{
	struct nl_dump_state s = { .seq = SEQ, .portid = PORTID, .collector = &links, .extack = extack };

	n_links = 0;
	test_eq(nl_dump_feed(&s, buf, used), want);
	used = 0;
	return s;
}

static void test_dumps(void)
{
	struct nl_dump_state s;

	test_case("a whole dump");
	put_link(1, "lo", NLM_F_MULTI, SEQ);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	put_done(0, SEQ);
	s = dump(0);
	test_ok(s.done && !s.again && !s.err);
	test_eq(n_links, 2);

	test_case("an interrupted dump is read again");
	put_link(1, "lo", NLM_F_MULTI | NLM_F_DUMP_INTR, SEQ);
	put_done(0, SEQ);
	s = dump(0);
	test_ok(s.done && s.again);
	put_link(1, "lo", NLM_F_MULTI, SEQ);
	put_done(-EINTR, SEQ);
	s = dump(0);
	test_ok(s.done && s.again && !s.err);
	begin(NLMSG_OVERRUN, 0, SEQ);
	used = NLMSG_HDRLEN;
	s = dump(0);
	test_ok(s.again);

	test_case("a dump that ends in an error");
	put_done(-EPERM, SEQ);
	s = dump(0);
	test_ok(s.done && s.err == -EPERM);
	put_ack(-EOPNOTSUPP, "no such thing", false, SEQ);
	s = dump(0);
	test_ok(s.done && s.err == -EOPNOTSUPP);
	test_streq(extack, "no such thing");

	test_case("leftovers of an older request are skipped, anything else is refused");
	put_link(1, "lo", NLM_F_MULTI, SEQ - 1);
	put_done(0, SEQ - 1);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	s = dump(0);
	test_ok(!s.done);
	test_eq(n_links, 1);
	put_link(2, "eth0", NLM_F_MULTI, SEQ + 1);
	dump(-EBADMSG);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	((struct nlmsghdr *)buf)->nlmsg_pid = PORTID + 1;
	dump(-EBADMSG);
	put_filter(1, 1, "bpf");
	dump(-EBADMSG);
	put_done(0, SEQ);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	dump(-EBADMSG);

	test_case("messages that are cut short are refused");
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	used -= 4;
	dump(-EBADMSG);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	((struct nlmsghdr *)buf)->nlmsg_len = NLMSG_HDRLEN + 8; /* half an ifinfomsg */
	dump(-EBADMSG);
	put_link(2, "", NLM_F_MULTI, SEQ);
	dump(-EBADMSG);
	put_link(0, "eth0", NLM_F_MULTI, SEQ);
	dump(-EBADMSG);
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	/* A name without its final zero: the attribute claims one byte less. */
	((struct nlattr *)(buf + NLMSG_HDRLEN + sizeof(struct ifinfomsg)))->nla_len = 4 + 4;
	dump(-EBADMSG);
}

struct looked_up {
	int calls, err[3];
	struct nl_filter found[3];
};

static void look(void *arg, size_t i, int err, const struct nl_filter *filter)
{
	struct looked_up *l = arg;

	l->calls++;
	l->err[i] = err;
	test_ok(!err == !!filter);
	if (filter)
		l->found[i] = *filter;
}

static void test_gets(void)
{
	const struct nl_filter_key keys[] = { { .ifindex = 4 }, { .ifindex = 5, .parent = 6 }, { .ifindex = 7 } };
	size_t sent[] = { 1, 2 }; /* the first key has its answer already */
	bool answered[3] = { true };
	struct looked_up l = { 0 };
	struct nl_gets g = { .seq = SEQ, .portid = PORTID, .keys = keys, .sent = sent, .n_sent = 2,
			     .answered = answered, .left = 2, .fn = look, .arg = &l, .extack = extack };

	test_case("each look-up has one answer: its filter or an error");
	put_ack(-EINVAL, NULL, false, SEQ + 1);
	put_filter(9, 3, "bpf");
	put_filter(8, 4, "bpf"); /* a second answer to the same request says nothing */
	put_ack(-ENODEV, NULL, false, SEQ - 1); /* to an older request */
	test_eq(nl_gets_feed(&g, buf, used), 0);
	used = 0;
	test_eq(l.calls, 2);
	test_eq(g.left, 0);
	test_eq(l.err[1], 0);
	test_eq(l.found[1].key.prio, 9);
	test_eq(l.found[1].key.ifindex, 5);
	test_eq(l.found[1].key.parent, 6);
	test_eq(l.found[1].prog_id, 1003);
	test_eq(l.err[2], -ENOENT);

	test_case("answers that make no sense: nothing asked, beyond what was asked, of another kind");
	put_ack(0, NULL, false, SEQ);
	test_eq(nl_gets_feed(&g, buf, used), -EBADMSG);
	used = 0;
	put_ack(-ENOENT, NULL, false, SEQ + 2);
	test_eq(nl_gets_feed(&g, buf, used), -EBADMSG);
	used = 0;
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	test_eq(nl_gets_feed(&g, buf, used), -EBADMSG);
	used = 0;
}

static void test_acks(void)
{
	struct nl_op ops[4];
	bool answered[4] = { false };
	char longer[400];

	test_case("results go to the operation that they answer");
	memset(ops, 0, sizeof(ops));
	put_ack(0, NULL, false, SEQ + 3);
	put_ack(-EEXIST, "Exclusivity flag on, cannot modify", false, SEQ + 1);
	put_filter(9, 3, "bpf");
	test_eq(nl_run_feed(ops, answered, 4, SEQ, PORTID, buf, used),
		-EBADMSG); /* a filter answers no change */
	used = 0;
	test_ok(answered[3] && answered[1] && !answered[0] && !answered[2]);
	test_eq(ops[1].err, -EEXIST);
	test_streq(ops[1].extack, "Exclusivity flag on, cannot modify");
	test_eq(ops[3].err, 0);
	put_ack(0, NULL, false, SEQ + 2);
	put_ack(0, NULL, false, SEQ - 1); /* to an older request */
	test_eq(nl_run_feed(ops, answered, 4, SEQ, PORTID, buf, used), 0);
	used = 0;
	test_ok(answered[2]);
	put_ack(0, NULL, false, SEQ + 4);
	test_eq(nl_run_feed(ops, answered, 4, SEQ, PORTID, buf, used), -EBADMSG);
	used = 0;

	test_case("error texts: with and without the request, too long, unterminated, positive codes");
	put_ack(-EINVAL, "why", true, SEQ);
	test_eq(nl_run_feed(ops, answered, 1, SEQ, PORTID, buf, used), 0);
	used = 0;
	test_eq(ops[0].err, -EINVAL);
	test_streq(ops[0].extack, "why");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	put_ack(-EINVAL, longer, false, SEQ);
	test_eq(nl_run_feed(ops, answered, 1, SEQ, PORTID, buf, used), 0);
	used = 0;
	test_eq(strlen(ops[0].extack), NL_EXTACK_MAX - 1);
	put_ack(-EINVAL, "abc", false, SEQ);
	buf[used - 1] = 'd';
	test_eq(nl_run_feed(ops, answered, 1, SEQ, PORTID, buf, used), -EBADMSG);
	used = 0;
	put_ack(EINVAL, NULL, false, SEQ);
	test_eq(nl_run_feed(ops, answered, 1, SEQ, PORTID, buf, used), -EBADMSG);
	used = 0;
	put_ack(-EINVAL, NULL, true, SEQ);
	((struct nlmsgerr *)mnl_nlmsg_get_payload((struct nlmsghdr *)buf))->msg.nlmsg_len =
		1000; /* beyond the end */
	test_eq(nl_run_feed(ops, answered, 1, SEQ, PORTID, buf, used), -EBADMSG);
	used = 0;
}

static int filters_push(void *out, const struct nlmsghdr *nlh)
{
	struct nl_filters *filters = out;
	struct nl_filter f;
	int err = nl_filter_decode(nlh, &f);

	if (err)
		return err;
	filters->items = realloc(filters->items, (filters->n + 1) * sizeof(f));
	filters->items[filters->n++] = f;
	return 0;
}

static void test_canonical(void)
{
	static const struct nl_collector collector = { RTM_NEWTFILTER, links_reset, filters_push };
	static const uint32_t want[][2] = { { 5, 0 }, { 9, 7 }, { 9, 3 }, { 20, 1 }, { 30, 0x80000800 } };
	struct nl_filters filters = { 0 };
	struct nl_dump_state s = {
		.seq = SEQ, .portid = PORTID, .collector = &collector, .out = &filters, .extack = extack
	};

	test_case("duplicates and the lines that introduce a prio go, order stays");
	put_filter(20, 0, "bpf");
	put_filter(20, 1, "bpf");
	put_filter(9, 0, "bpf");
	put_filter(9, 7, "bpf");
	put_filter(9, 3, "bpf");
	put_filter(9, 7, "bpf");
	put_filter(9, 0, "bpf");
	put_filter(5, 0, "fw"); /* its only sign */
	put_filter(30, 0, "u32");
	put_filter(30, 0x80000000, "u32"); /* a hash table */
	put_filter(30, 0x80000800, "u32");
	test_eq(nl_dump_feed(&s, buf, used), 0);
	used = 0;
	test_eq(nl_filters_canonical(&filters), 0);
	if (test_eq(filters.n, 5))
		for (size_t i = 0; i < 5; i++) {
			test_eq(filters.items[i].key.prio, want[i][0]);
			test_eq(filters.items[i].key.handle, want[i][1]);
		}
	nl_filters_done(&filters);
}

/* What sanitizers watch: SAN=1. Without them it still must not crash. */
static void test_mutations(void)
{
	static char good[4096] __attribute__((aligned(8)));
	unsigned int refused = 0, rounds = 200000;
	uint64_t x = 88172645463325252ULL;
	size_t len;

	test_case("200,000 damaged answers are refused or harmless");
	put_link(2, "eth0", NLM_F_MULTI, SEQ);
	put_link(3, "eth1", NLM_F_MULTI, SEQ);
	put_ack(-EINVAL, "a text", true, SEQ);
	put_done(0, SEQ);
	len = used;
	used = 0;
	memcpy(good, buf, len);
	for (unsigned int i = 0; i < rounds; i++) {
		struct nl_dump_state s = {
			.seq = SEQ, .portid = PORTID, .collector = &links, .extack = extack
		};
		char *copy = malloc(len);
		size_t cut = len;

		if (!copy)
			break;
		memcpy(copy, good, len);
		for (unsigned int j = 0; j < 1 + (i & 3); j++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			copy[x % len] = (char)(x >> 32);
		}
		if (x & 1)
			cut = (x >> 8) % len;
		refused += nl_dump_feed(&s, copy, cut) != 0;
		test_ok(memchr(extack, 0, sizeof(extack)) != NULL);
		free(copy);
	}
	test_ok(refused > rounds / 10 && refused < rounds);
}

int main(void)
{
	test_dumps();
	test_acks();
	test_gets();
	test_canonical();
	test_mutations();
	return test_done();
}
