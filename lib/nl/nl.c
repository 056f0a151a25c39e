// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The socket, one datagram at a time: sending, receiving, acknowledgements, dumps. */
#include "nl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "nl/internal.h"
#include "util.h"

/* A namespace that never holds still (device churn) must not keep us for ever. */
#define DUMP_TRIES 100
/* After this, 31 ms have passed. */
#define SEND_TRIES 5

int nl_open(struct nl **ret_nl)
{
	int on = 1, size = 4 << 20, got = 0, err;
	socklen_t len = sizeof(got);
	struct nl *nl;

	nl = calloc(1, sizeof(*nl));
	if (!nl)
		return -ENOMEM;
	nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		nl_close(nl);
		return err;
	}
	nl->portid = mnl_socket_get_portid(nl->sock);
	for (unsigned int i = 0; i < NL_RX_PARTS; i++) {
		nl->iov[i] = (struct iovec){ nl->buffers[i], NL_RX_SIZE };
		nl->parts[i].msg_hdr = (struct msghdr){ .msg_iov = &nl->iov[i], .msg_iovlen = 1 };
	}

	/* Each of these only makes things better: texts with errors, short acks, filtered dumps, room for many answers
	 * (FORCE needs CAP_NET_ADMIN). */
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	if (setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (getsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUF, &got, &len) < 0 || got <= 0)
		got = 64 << 10;
	nl->rcvbuf = (size_t)got;
	*ret_nl = nl;
	return 0;
}

void nl_close(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}

const char *nl_extack(const struct nl *nl)
{
	return nl->extack;
}

const struct nl_stats *nl_stats(const struct nl *nl)
{
	return &nl->stats;
}

struct nlmsghdr *nl_request(struct nl *nl, void *at, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++nl->seq;
	nl->stats.messages++;
	return nlh;
}

int nl_send(struct nl *nl, const void *buf, size_t len)
{
	ssize_t n;

	/* Out of memory comes before anything is done, so asking again is safe, and often enough. */
	for (int try = 0;; try++) {
		nl->stats.sends++;
		n = mnl_socket_sendto(nl->sock, buf, len);
		if (n >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if ((errno != ENOBUFS && errno != ENOMEM) || try >= SEND_TRIES)
			return -errno;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000L << try }, NULL);
	}
}

int nl_receive(struct nl *nl, unsigned int parts)
{
	const struct mmsghdr *part;
	int n;

	if (nl->next_part == nl->n_parts) {
		nl->next_part = nl->n_parts = 0;
		do {
			nl->stats.receives++;
			n = recvmmsg(mnl_socket_get_fd(nl->sock), nl->parts, parts, 0, NULL);
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		nl->n_parts = (unsigned int)n;
	}
	nl->rx = nl->buffers[nl->next_part];
	part = &nl->parts[nl->next_part++];
	return part->msg_hdr.msg_flags & MSG_TRUNC ? -EBADMSG : (int)part->msg_len;
}

int nl_attr_u32(const struct nlattr *attr, uint32_t *ret)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
		return -EBADMSG;
	*ret = mnl_attr_get_u32(attr);
	return 0;
}

int nl_attr_u8(const struct nlattr *attr, uint8_t *ret)
{
	if (mnl_attr_validate(attr, MNL_TYPE_U8) < 0)
		return -EBADMSG;
	*ret = mnl_attr_get_u8(attr);
	return 0;
}

int nl_attr_str(const struct nlattr *attr, char *ret, size_t size)
{
	size_t len;

	if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
		return -EBADMSG;
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (len >= size)
		len = size - 1;
	memcpy(ret, mnl_attr_get_payload(attr), len);
	ret[len] = '\0';
	return 0;
}

struct extack_ctx {
	char *text;
	int err;
};

static int extack_attr(const struct nlattr *attr, void *data)
{
	struct extack_ctx *ctx = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		ctx->err = nl_attr_str(attr, ctx->text, NL_EXTACK_MAX);
	return ctx->err ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * NLMSG_ERROR                                NLMSG_DONE
 *   struct nlmsgerr { int error;               int error
 *     struct nlmsghdr of the request }
 *   the request's payload, unless NLM_F_CAPPED
 *   [NLM_F_ACK_TLVS] NLMSGERR_ATTR_MSG: string   [NLM_F_ACK_TLVS] NLMSGERR_ATTR_MSG: string
 */
int nl_ack_decode(const struct nlmsghdr *nlh, int *ret_err, char extack[NL_EXTACK_MAX])
{
	struct extack_ctx ctx = { .text = extack };
	size_t len = mnl_nlmsg_get_payload_len(nlh), head = sizeof(int);
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	int err;

	extack[0] = '\0';
	if (len < head)
		return nlh->nlmsg_type == NLMSG_DONE && !len ? (*ret_err = 0, 0) : -EBADMSG;
	err = e->error;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		head = sizeof(*e);
		if (len < head)
			return -EBADMSG;
		if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) {
			if (e->msg.nlmsg_len < sizeof(e->msg) ||
			    e->msg.nlmsg_len - sizeof(e->msg) > len - head)
				return -EBADMSG;
			head += MNL_ALIGN(e->msg.nlmsg_len - (uint32_t)sizeof(e->msg));
		}
	}
	if (err > 0 || err < -4095)
		return -EBADMSG;
	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && head < len) {
		if (mnl_attr_parse(nlh, (unsigned int)head, extack_attr, &ctx) < 0)
			return -EBADMSG;
	}
	*ret_err = err;
	return 0;
}

int nl_dump_feed(struct nl_dump_state *s, const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len, err, code;

	for (; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		/* Leftovers of a read that was given up. */
		if (nlh->nlmsg_seq != s->seq && (int32_t)(nlh->nlmsg_seq - s->seq) < 0)
			continue;
		if (nlh->nlmsg_seq != s->seq || nlh->nlmsg_pid != s->portid)
			return -EBADMSG;
		if (s->done)
			return -EBADMSG;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			s->again = true;
		switch (nlh->nlmsg_type) {
		case NLMSG_NOOP: break;
		case NLMSG_OVERRUN: s->again = true; break;
		case NLMSG_ERROR:
		case NLMSG_DONE:
			err = nl_ack_decode(nlh, &code, s->extack);
			if (err)
				return err;
			/* -EINTR ends a dump that the kernel knows to be inconsistent, -EAGAIN asks for another try. */
			if (code == -EINTR || code == -EAGAIN)
				s->again = true;
			else
				s->err = code;
			s->done = true;
			break;
		default:
			if (nlh->nlmsg_type != s->collector->type)
				return -EBADMSG;
			if (s->again || s->err) /* only waiting for the end */
				break;
			err = s->collector->add(s->out, nlh);
			if (err)
				return err;
		}
	}
	return left > 0 ? -EBADMSG : 0;
}

/* Receive until the running dump ends, so that the socket is free for the next request. */
static void dump_drain(struct nl *nl, struct nl_dump_state *s)
{
	const struct nlmsghdr *nlh;
	int n, left;

	while (!s->done) {
		n = nl_receive(nl, NL_RX_DUMP);
		if (n == -ENOBUFS || n == -EBADMSG)
			continue;
		if (n <= 0)
			return;
		left = n;
		for (nlh = (const void *)nl->rx; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (nlh->nlmsg_seq == s->seq &&
			    (nlh->nlmsg_type == NLMSG_DONE || nlh->nlmsg_type == NLMSG_ERROR))
				s->done = true;
	}
}

static int dump_once(struct nl *nl, struct nlmsghdr *request, struct nl_dump_state *s)
{
	int n, err;

	err = nl_send(nl, request, request->nlmsg_len);
	if (err)
		return err;
	while (!s->done) {
		n = nl_receive(nl, NL_RX_DUMP);
		if (n == -ENOBUFS || n == -EAGAIN) {
			/* A part was lost. */
			s->again = true;
			if (n == -EAGAIN)
				return 0;
			continue;
		}
		err = n < 0 ? n : nl_dump_feed(s, nl->rx, (size_t)n);
		if (err) {
			dump_drain(nl, s);
			return err;
		}
	}
	return 0;
}

int nl_dump(struct nl *nl, struct nlmsghdr *request, const struct nl_collector *collector, void *out)
{
	int err;

	request->nlmsg_flags |= NLM_F_DUMP;
	for (int try = 0; try < DUMP_TRIES; try++) {
		struct nl_dump_state s = {
			.seq = request->nlmsg_seq,
			.portid = nl->portid,
			.collector = collector,
			.out = out,
			.extack = nl->extack,
		};

		collector->reset(out);
		nl->extack[0] = '\0';
		err = dump_once(nl, request, &s);
		if (err || s.err || !s.again) {
			if (err || s.err)
				collector->reset(out);
			return err ? err : s.err;
		}
		nl->stats.dump_retries++;
		nl->stats.messages++;
		request->nlmsg_seq = ++nl->seq;
	}
	collector->reset(out);
	return -EAGAIN;
}
