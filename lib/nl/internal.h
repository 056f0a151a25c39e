/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Shared by the nl_*.c files and by the tests and fuzz targets of reply parsing.
 *
 * rtnetlink answers before sendmsg() returns, and makes the next part of a dump while we receive the one before.
 * So the socket never blocks: "nothing to receive" while an answer is owed means that the answer was lost.
 */
#ifndef TCCTL_LIB_NL_INTERNAL_H
#define TCCTL_LIB_NL_INTERNAL_H

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "nl.h"

#define NL_RX_SIZE (64U << 10) /* the kernel makes dump parts of up to 32 KB when it sees a buffer this big */
/* Most datagrams received by one system call (the memory of those that never come stays untouched); parts of a
 * dump are big, and better in memory that was just read. */
#define NL_RX_PARTS 16U
#define NL_RX_DUMP 2U
#define NL_TX_SIZE (64U << 10)
#define NL_REQUEST_MAX 1024U /* the longest request: a filter with a 255-byte name is about 360 bytes */

struct nl {
	struct mnl_socket *sock;
	uint32_t seq, portid;
	size_t rcvbuf; /* bytes of answers that fit */
	char extack[NL_EXTACK_MAX];
	struct nl_stats stats;
	const char *rx;			 /* what nl_receive() gave last */
	unsigned int n_parts, next_part; /* received, and the first that nl_receive() has not given */
	struct mmsghdr parts[NL_RX_PARTS];
	struct iovec iov[NL_RX_PARTS];
	char tx[NL_TX_SIZE] __attribute__((aligned(8)));
	char buffers[NL_RX_PARTS][NL_RX_SIZE] __attribute__((aligned(8)));
};

/* What to do with the messages of a dump. */
struct nl_collector {
	uint16_t type;					   /* RTM_NEW… of the parts */
	void (*reset)(void *out);			   /* forget everything: the dump starts again */
	int (*add)(void *out, const struct nlmsghdr *nlh); /* 0 or -errno, which ends the dump */
};

/* The request in nl->tx (made by nl_request()) as a dump: all parts, from one uninterrupted read. */
int nl_dump(struct nl *nl, struct nlmsghdr *request, const struct nl_collector *collector, void *out);

/*
 * mnl_nlmsg_ok() of libmnl 1.0.4 compares as int: a length of 2 GiB and more passes it. And its attribute walk goes
 * on to the padded end of a message, which has to be in the datagram, too; the kernel pads always.
 */
static inline bool nl_message_ok(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)sizeof(*nlh) && nlh->nlmsg_len <= (uint32_t)left &&
	       MNL_ALIGN(nlh->nlmsg_len) <= (uint32_t)left && mnl_nlmsg_ok(nlh, left);
}

/* Begin a request at `at` (inside nl->tx): netlink header, next sequence number. */
struct nlmsghdr *nl_request(struct nl *nl, void *at, uint16_t type, uint16_t flags);

int nl_send(struct nl *nl, const void *buf, size_t len);
/* Length of the next datagram (`parts`: as many are received at once), which is in nl->rx until the next call, or -EAGAIN
 * (nothing there), -ENOBUFS (answers were lost), -EBADMSG (cut short). */
int nl_receive(struct nl *nl, unsigned int parts);

/*
 * State of one dump, fed with datagrams. Pure, so that tests can feed anything. `done` once NLMSG_DONE or an error
 * message came; `again` when it has to be read once more (NLM_F_DUMP_INTR).
 */
struct nl_dump_state {
	uint32_t seq, portid;
	const struct nl_collector *collector;
	void *out;
	bool done, again;
	int err;
	char *extack; /* NL_EXTACK_MAX bytes */
};
int nl_dump_feed(struct nl_dump_state *s, const void *buf, size_t len);

/* One request (made by nl_request()) and its answer: `fn` gets the first message of `type`; an error or, with NLM_F_ACK,
 * the acknowledgement ends it, too. Returns what fn returned or what the kernel said. An answer that is lost is asked for
 * again, unless the request is to make something (NLM_F_EXCL). -EIO: it was lost all the same. */
typedef int nl_answer_fn(void *arg, const struct nlmsghdr *nlh);
int nl_ask(struct nl *nl, struct nlmsghdr *request, uint16_t type, nl_answer_fn *fn, void *arg);

/* Results of a batch from a datagram of answers; pure. ops[0] has sequence number `seq`; `answered[i]` is set.
 * -EBADMSG on malformed content. */
int nl_run_feed(struct nl_op *ops, bool *answered, size_t n, uint32_t seq, uint32_t portid, const void *buf,
		size_t len);

/* State of a batch of look-ups, fed with datagrams of answers; pure. `answered` is per key. -EBADMSG on malformed content. */
struct nl_gets {
	uint32_t seq, portid; /* of the first request of the batch */
	const struct nl_filter_key *keys;
	size_t *sent; /* which key each request of the batch was for */
	size_t n_sent;
	bool *answered;
	size_t left; /* keys without an answer */
	nl_filter_fn *fn;
	void *arg;
	char *extack; /* NL_EXTACK_MAX bytes */
};
int nl_gets_feed(struct nl_gets *g, const void *buf, size_t len);

/* Error code and extack text of an NLMSG_ERROR (or NLMSG_DONE) message; *ret_err is 0 or -errno. -EBADMSG. */
int nl_ack_decode(const struct nlmsghdr *nlh, int *ret_err, char extack[NL_EXTACK_MAX]);

/* One message to a struct; -EBADMSG when malformed, -ENOMEM. `ret` untouched on failure. */
int nl_link_decode(const struct nlmsghdr *nlh, struct nl_link *ret_link);
void nl_link_done(struct nl_link *link);
int nl_qdisc_decode(const struct nlmsghdr *nlh, struct nl_qdisc *ret_qdisc);
int nl_filter_decode(const struct nlmsghdr *nlh, struct nl_filter *ret_filter);

/* For filter dumps: put in running order, drop duplicates and lines that only introduce a prio or a u32 table whose
 * filters are there. Items are a new array afterwards. 0 or -ENOMEM. */
int nl_filters_canonical(struct nl_filters *filters);

/* Attribute readers for decode callbacks: size-checked; -EBADMSG. */
int nl_attr_u32(const struct nlattr *attr, uint32_t *ret);
int nl_attr_u8(const struct nlattr *attr, uint8_t *ret);
int nl_attr_str(const struct nlattr *attr, char *ret, size_t size); /* cut to size */

#endif
