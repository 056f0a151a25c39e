// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Looking filters up by key: thousands in a few system calls, one short answer for each. */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "nl/internal.h"
#include "util.h"

/* Room an answer takes in the socket's buffer, with the kernel's bookkeeping. */
#define ANSWER_ROOM 9216U
#define REQUEST_LEN (MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct tcmsg)))
/* How often a request whose answer was lost is sent again. */
#define LOST_TRIES 8

/*
 * RTM_GETTFILTER
 *   struct tcmsg { tcm_ifindex, tcm_parent, tcm_handle, tcm_info: prio << 16; protocol 0 finds that of the prio }
 *   no TCA_KIND: what sits there may be of any kind
 *
 * Without NLM_F_ACK: the answer is the filter or an error, never both.
 */
static size_t put_get(struct nl *nl, void *at, const struct nl_filter_key *key)
{
	struct nlmsghdr *nlh = nl_request(nl, at, RTM_GETTFILTER, 0);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)key->ifindex;
	tcm->tcm_parent = key->parent;
	tcm->tcm_handle = key->handle;
	tcm->tcm_info = key->prio << 16;
	return MNL_ALIGN(nlh->nlmsg_len);
}

static void answer(struct nl_gets *g, size_t i, int err, const struct nl_filter *filter)
{
	if (g->answered[i])
		return;
	g->answered[i] = true;
	g->left--;
	/* What we sent is never nonsense: the kernel means that there is no such qdisc, chain or prio. */
	g->fn(g->arg, i, err == -EINVAL ? -ENOENT : err, filter);
}

int nl_gets_feed(struct nl_gets *g, const void *buf, size_t len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len, err, code;

	for (; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		uint32_t at = nlh->nlmsg_seq - g->seq;
		struct nl_filter found;
		size_t i;

		if ((int32_t)at < 0) /* an answer to an earlier request, which was thought lost */
			continue;
		if (at >= g->n_sent || nlh->nlmsg_pid != g->portid)
			return -EBADMSG;
		i = g->sent[at];
		switch (nlh->nlmsg_type) {
		case NLMSG_NOOP: break;
		case NLMSG_ERROR:
			err = nl_ack_decode(nlh, &code, g->extack);
			if (err || !code)
				return err ? err : -EBADMSG;
			answer(g, i, code, NULL);
			break;
		case RTM_NEWTFILTER:
			err = nl_filter_decode(nlh, &found);
			if (err)
				return err;
			found.key.ifindex = g->keys[i].ifindex;
			found.key.parent = g->keys[i].parent;
			answer(g, i, 0, &found);
			break;
		default: return -EBADMSG;
		}
	}
	return left > 0 ? -EBADMSG : 0;
}

/* Ask for up to `limit` of those without an answer, from *from on, and collect what comes. */
static int ask(struct nl *nl, struct nl_gets *g, size_t n, size_t *from, size_t limit)
{
	size_t next, len, last;
	int got, err;

again:
	g->seq = nl->seq + 1;
	g->n_sent = 0;
	for (next = *from, len = 0; next < n && g->n_sent < limit && sizeof(nl->tx) - len >= REQUEST_LEN; next++) {
		if (g->answered[next])
			continue;
		g->sent[g->n_sent++] = next;
		len += put_get(nl, nl->tx + len, &g->keys[next]);
	}
	if (g->n_sent) {
		err = nl_send(nl, nl->tx, len);
		if ((err == -ENOBUFS || err == -ENOMEM) && g->n_sent > 1) {
			/* No memory for so long a message: shorter ones may pass. */
			limit = g->n_sent / 2;
			goto again;
		}
		if (err)
			return err;
		/* Answers come in order: behind the last one there are no more. */
		last = g->sent[g->n_sent - 1];
		while (!g->answered[last]) {
			got = nl_receive(nl, NL_RX_PARTS);
			if (got == -ENOBUFS) /* some are lost, others wait behind */
				continue;
			if (got == -EAGAIN)
				break;
			err = got < 0 ? got : nl_gets_feed(g, nl->rx, (size_t)got);
			if (err)
				return err;
		}
	}
	*from = next;
	return 0;
}

int nl_filters_get(struct nl *nl, const struct nl_filter_key *keys, size_t n, nl_filter_fn *fn, void *arg)
{
	size_t limit = nl->rcvbuf / 2 / ANSWER_ROOM, fit = sizeof(nl->tx) / REQUEST_LEN, from;
	_cleanup_free_ bool *answered = calloc(n ? n : 1, sizeof(*answered));
	_cleanup_free_ size_t *sent = NULL;
	struct nl_gets g = {
		.portid = nl->portid, .keys = keys, .answered = answered, .left = n, .fn = fn, .arg = arg,
		.extack = nl->extack,
	};
	int err;

	nl->extack[0] = '\0';
	limit = !limit ? 1 : limit > fit ? fit : limit;
	g.sent = sent = malloc(limit * sizeof(*sent));
	if (!answered || !sent)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!keys[i].ifindex || keys[i].ifindex > INT32_MAX || !keys[i].prio || keys[i].prio > 0xffff ||
		    !keys[i].handle)
			return -EINVAL;
	for (int try = 0; g.left; try++) {
		if (try) { /* some were lost in the pass before: there was no room for so many */
			nl->stats.lost += g.left;
			limit = limit / 4 ? limit / 4 : 1;
		}
		if (try == LOST_TRIES)
			return -EIO;
		for (from = 0; from < n;) {
			err = ask(nl, &g, n, &from, limit);
			if (err)
				return err;
		}
	}
	return 0;
}

struct one {
	struct nl_filter *ret;
	int err;
};

static void take_one(void *arg, size_t i, int err, const struct nl_filter *filter)
{
	struct one *one = arg;

	one->err = err;
	if (!err)
		*one->ret = *filter;
}

int nl_filter_get(struct nl *nl, const struct nl_filter_key *key, struct nl_filter *ret_filter)
{
	struct one one = { .ret = ret_filter };
	int err = nl_filters_get(nl, key, 1, take_one, &one);

	return err ? err : one.err;
}
