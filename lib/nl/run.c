// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Changes: many requests in one system call, a result for each. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "nl/internal.h"
#include "util.h"

/* Room an answer takes in the socket's buffer, with the kernel's bookkeeping. */
#define ACK_ROOM 1536U
#define BATCH_MAX 4096U
/* How often a request whose answer was lost is looked up or made again. */
#define LOST_TRIES 8

static const char *const op_names[NL_OP_MAX] = {
	[NL_OP_CLSACT_ADD] = "create clsact", [NL_OP_CLSACT_DEL] = "delete clsact",
	[NL_OP_FILTER_ADD] = "add filter",    [NL_OP_FILTER_REPLACE] = "replace filter",
	[NL_OP_FILTER_DEL] = "delete filter",
};

const char *nl_op_name(enum nl_op_type type)
{
	return (unsigned int)type < NL_OP_MAX ? op_names[type] : "?";
}

const struct nl_op *nl_first_failed(const struct nl_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].err)
			return &ops[i];
	return NULL;
}

static bool op_is_filter(const struct nl_op *op)
{
	return op->type != NL_OP_CLSACT_ADD && op->type != NL_OP_CLSACT_DEL;
}

static bool op_has_bpf(const struct nl_op *op)
{
	return op->type == NL_OP_FILTER_ADD || op->type == NL_OP_FILTER_REPLACE;
}

static int op_check(const struct nl_op *op)
{
	if ((unsigned int)op->type >= NL_OP_MAX || !op->key.ifindex || op->key.ifindex > INT32_MAX)
		return -EINVAL;
	if (op_is_filter(op) && (!op->key.prio || op->key.prio > 0xffff || !op->key.handle))
		return -EINVAL;
	if (op_has_bpf(op) &&
	    (op->bpf.prog_fd < 0 || (op->bpf.name && strlen(op->bpf.name) >= NL_BPF_NAME_MAX) ||
	     (op->bpf.flags & ~(NL_BPF_DIRECT_ACTION | NL_BPF_SKIP_HW | NL_BPF_SKIP_SW))))
		return -EINVAL;
	return 0;
}

/*
 * RTM_NEWQDISC, RTM_DELQDISC
 *   struct tcmsg { tcm_ifindex, tcm_parent TC_H_CLSACT, tcm_handle ffff: (only to make one) }
 *   TCA_KIND: "clsact"
 */
static void put_clsact(struct nlmsghdr *nlh, const struct nl_op *op)
{
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)op->key.ifindex;
	tcm->tcm_parent = TC_H_CLSACT;
	/* Deleting goes by kind: with a handle too, "there is none" would come as -EINVAL. */
	if (op->type == NL_OP_CLSACT_ADD)
		tcm->tcm_handle = NL_HANDLE_CLSACT;
	mnl_attr_put_strz(nlh, TCA_KIND, "clsact");
}

/*
 * RTM_NEWTFILTER, RTM_DELTFILTER
 *   struct tcmsg { tcm_ifindex, tcm_parent, tcm_handle, tcm_info: prio << 16 | ETH_P_ALL in network order }
 *   TCA_KIND: "bpf"
 *   TCA_OPTIONS                  to add and to replace
 *     TCA_BPF_CLASSID: u32       unless 0
 *     TCA_BPF_FD: u32
 *     TCA_BPF_NAME: string
 *     TCA_BPF_FLAGS: u32         TCA_BPF_FLAG_ACT_DIRECT
 *     TCA_BPF_FLAGS_GEN: u32     TCA_CLS_FLAGS_SKIP_*, unless 0
 */
static void put_filter(struct nlmsghdr *nlh, const struct nl_op *op)
{
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	struct nlattr *options;
	uint32_t flags;

	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)op->key.ifindex;
	tcm->tcm_parent = op->key.parent;
	tcm->tcm_handle = op->key.handle;
	tcm->tcm_info = TC_H_MAKE(op->key.prio << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(nlh, TCA_KIND, "bpf");
	if (!op_has_bpf(op))
		return;
	options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
	if (op->bpf.classid)
		mnl_attr_put_u32(nlh, TCA_BPF_CLASSID, op->bpf.classid);
	mnl_attr_put_u32(nlh, TCA_BPF_FD, (uint32_t)op->bpf.prog_fd);
	mnl_attr_put_strz(nlh, TCA_BPF_NAME, op->bpf.name ? op->bpf.name : "tcctl");
	if (op->bpf.flags & NL_BPF_DIRECT_ACTION)
		mnl_attr_put_u32(nlh, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	flags = (op->bpf.flags & NL_BPF_SKIP_HW ? TCA_CLS_FLAGS_SKIP_HW : 0U) |
		(op->bpf.flags & NL_BPF_SKIP_SW ? TCA_CLS_FLAGS_SKIP_SW : 0U);
	if (flags)
		mnl_attr_put_u32(nlh, TCA_BPF_FLAGS_GEN, flags);
	mnl_attr_nest_end(nlh, options);
}

/*
 * Errors are answered in any case. That all went well is told by the answer to the last of a batch: the requests are
 * done one after the other before sendmsg() returns, and an answer that does not fit is reported as ENOBUFS. Only
 * where drivers have a say each gets its answer: the kernel answers nothing at all to what ends with -EINTR.
 */
static bool op_wants_ack(const struct nl_op *op)
{
	return !op_is_filter(op) || (op->bpf.flags & NL_BPF_SKIP_SW);
}

static struct nlmsghdr *put_op(struct nl *nl, void *at, const struct nl_op *op)
{
	static const struct {
		uint16_t type, flags;
	} requests[NL_OP_MAX] = {
		[NL_OP_CLSACT_ADD] = { RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL },
		[NL_OP_CLSACT_DEL] = { RTM_DELQDISC, 0 },
		[NL_OP_FILTER_ADD] = { RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL },
		[NL_OP_FILTER_REPLACE] = { RTM_NEWTFILTER, 0 },
		[NL_OP_FILTER_DEL] = { RTM_DELTFILTER, 0 },
	};
	struct nlmsghdr *nlh =
		nl_request(nl, at, requests[op->type].type,
			   (op_wants_ack(op) ? NLM_F_ACK : 0) | requests[op->type].flags);

	if (op_is_filter(op))
		put_filter(nlh, op);
	else
		put_clsact(nlh, op);
	return nlh;
}

int nl_run_feed(struct nl_op *ops, bool *answered, size_t n, uint32_t seq, uint32_t portid, const void *buf,
		size_t len)
{
	const struct nlmsghdr *nlh = buf;
	int left = (int)len, err;

	for (; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		uint32_t i = nlh->nlmsg_seq - seq;

		if ((int32_t)i < 0) /* an answer to an earlier request, which was thought lost */
			continue;
		if (i >= n || nlh->nlmsg_pid != portid)
			return -EBADMSG;
		switch (nlh->nlmsg_type) {
		case NLMSG_NOOP: break;
		case NLMSG_ERROR:
			err = nl_ack_decode(nlh, &ops[i].err, ops[i].extack);
			if (err)
				return err;
			answered[i] = true;
			break;
		default: return -EBADMSG;
		}
	}
	return left > 0 ? -EBADMSG : 0;
}

/* Requests that fit one system call and whose answers fit the socket's buffer. */
static size_t batch_fit(const struct nl *nl, size_t n)
{
	size_t fit = nl->rcvbuf / 2 / ACK_ROOM;

	fit = !fit ? 1 : fit > BATCH_MAX ? BATCH_MAX : fit;
	return n < fit ? n : fit;
}

/*
 * Send what fits of ops[0..n), n > 0, and collect the answers. *ret_sent operations have gone out; of these the ones without
 * an answer are not in `answered`. An error means that nothing went out or that the answers make no sense.
 */
static int batch_send(struct nl *nl, struct nl_op *ops, bool *answered, size_t n, size_t *ret_sent)
{
	size_t limit = batch_fit(nl, n), len, i;
	struct nlmsghdr *last;
	bool overrun = false;
	uint32_t seq;
	int got, err;

again:
	seq = nl->seq + 1;
	i = len = 0;
	do {
		last = put_op(nl, nl->tx + len, &ops[i]);
		answered[i] = false;
		ops[i].err = 0;
		ops[i].extack[0] = '\0';
		len += MNL_ALIGN(last->nlmsg_len);
	} while (++i < limit && sizeof(nl->tx) - len >= NL_REQUEST_MAX);
	last->nlmsg_flags |= NLM_F_ACK;
	err = nl_send(nl, nl->tx, len);
	if ((err == -ENOBUFS || err == -ENOMEM) && i > 1) {
		/* No memory for so long a message: nothing was done, shorter ones may pass. */
		limit = i / 2;
		goto again;
	}
	if (err)
		return err;
	*ret_sent = i;
	while (!answered[i - 1]) {
		got = nl_receive(nl, NL_RX_PARTS);
		if (got == -ENOBUFS) { /* some are lost, others wait behind */
			overrun = true;
			continue;
		}
		if (got == -EAGAIN)
			return 0;
		err = got < 0 ? got : nl_run_feed(ops, answered, i, seq, nl->portid, nl->rx, (size_t)got);
		if (err)
			return err;
	}
	for (size_t j = 0; j < i && !overrun; j++)
		if (!op_wants_ack(&ops[j]))
			answered[j] = true; /* without an error */
	return 0;
}

static int prog_fd_id(int fd, uint32_t *ret_id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int err;

	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return -errno;
	*ret_id = info.id;
	return 0;
}

/* Is this the filter that op asked for? */
static bool op_made(const struct nl_op *op, const struct nl_filter *f)
{
	uint32_t id = 0, settable = NL_BPF_DIRECT_ACTION | NL_BPF_SKIP_HW | NL_BPF_SKIP_SW;

	return !strcmp(f->kind, "bpf") && !strcmp(f->name, op->bpf.name ? op->bpf.name : "tcctl") &&
	       f->classid == op->bpf.classid && (f->flags & settable) == op->bpf.flags &&
	       !prog_fd_id(op->bpf.prog_fd, &id) && f->prog_id == id;
}

/* After a lost answer: is the kernel as the operation wanted it? 1 yes, 0 no, -errno. */
static int op_read_back(struct nl *nl, const struct nl_op *op)
{
	struct nl_filter found;
	enum nl_clsact what;
	int err;

	if (!op_is_filter(op)) {
		err = nl_clsact_get(nl, op->key.ifindex, &what);
		if (err)
			return err;
		return (what == NL_CLSACT_CLSACT) == (op->type == NL_OP_CLSACT_ADD) &&
		       what != NL_CLSACT_INGRESS;
	}
	err = nl_filter_get(nl, &op->key, &found);
	if (op->type == NL_OP_FILTER_DEL)
		return err == -ENOENT ? 1 : err;
	return err == -ENOENT ? 0 : err ? err : op_made(op, &found);
}

static int op_recover(struct nl *nl, struct nl_op *op)
{
	bool answered = false;
	size_t sent;
	int err;

	nl->stats.lost++;
	for (int try = 0; try < LOST_TRIES; try++) {
		err = op_read_back(nl, op);
		if (err > 0) {
			op->err = 0;
			op->extack[0] = '\0';
			op->lost = true;
			return 0;
		}
		if (err < 0 && err != -ENODEV && err != -EAGAIN && err != -EIO)
			return err;
		/* It did not happen, or the device is gone: asking again tells why. */
		err = batch_send(nl, op, &answered, 1, &sent);
		if (err)
			return err;
		op->lost = true;
		if (answered)
			return 0;
	}
	op->err = -EIO;
	return 0;
}

/*
 * The kernel says -EINVAL both to nonsense and to "there is no such qdisc, chain, or filter kind at that prio". To
 * delete, what we sent is never nonsense. For the others looking tells them apart, once for a batch
 * however many such answers it has.
 */
static int ops_explain(struct nl *nl, struct nl_op *ops, size_t n)
{
	struct nl_qdiscs qdiscs;
	bool read = false;
	enum nl_clsact what;
	int err;

	for (size_t i = 0; i < n; i++) {
		/* cls_bpf refuses this without a word: -EINVAL or, where nothing can offload, -EOPNOTSUPP. */
		if ((ops[i].err == -EINVAL || ops[i].err == -EOPNOTSUPP) && op_has_bpf(&ops[i]) &&
		    (ops[i].bpf.flags & NL_BPF_SKIP_SW) && !ops[i].extack[0])
			snprintf(ops[i].extack, sizeof(ops[i].extack),
				 "skip_sw: the device does not run this program in hardware");
		if (ops[i].err != -EINVAL || op_check(&ops[i]))
			continue;
		if (ops[i].type == NL_OP_CLSACT_ADD || ops[i].type == NL_OP_FILTER_ADD)
			continue;
		if (ops[i].type == NL_OP_FILTER_DEL) {
			ops[i].err = -ENOENT;
			continue;
		}
		if (!read) {
			err = nl_qdiscs_dump(nl, 0, &qdiscs);
			if (err)
				return err;
			read = true;
		}
		what = nl_qdiscs_clsact(&qdiscs, ops[i].key.ifindex, NULL);
		if (what == NL_CLSACT_NONE)
			ops[i].err = -ENOENT;
		else if (ops[i].type == NL_OP_CLSACT_DEL && what == NL_CLSACT_INGRESS)
			ops[i].err = -EBUSY;
	}
	if (read)
		nl_qdiscs_done(&qdiscs);
	return 0;
}

int nl_run(struct nl *nl, struct nl_op *ops, size_t n)
{
	_cleanup_free_ bool *answered = calloc(n ? n : 1, sizeof(*answered));
	size_t done = 0, end, sent;
	int err = 0;

	nl->extack[0] = '\0';
	if (!answered)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ops[i].err = -EIO;
		ops[i].extack[0] = '\0';
		ops[i].lost = false;
	}
	while (done < n) {
		err = op_check(&ops[done]);
		if (err) {
			ops[done].err = err;
			answered[done++] = true;
			continue;
		}
		for (end = done + 1; end < n && !op_check(&ops[end]); end++)
			;
		err = batch_send(nl, ops + done, answered + done, end - done, &sent);
		if (err)
			goto fail;
		for (size_t i = done; i < done + sent; i++) {
			if (answered[i])
				continue;
			err = op_recover(nl, &ops[i]);
			if (err)
				goto fail;
			answered[i] = true;
		}
		done += sent;
	}
	return ops_explain(nl, ops, n);
fail:
	for (size_t i = 0; i < n; i++)
		if (!answered[i])
			ops[i].err = -EIO;
	return err;
}

int nl_run_one(struct nl *nl, struct nl_op *op)
{
	int err = nl_run(nl, op, 1);

	memcpy(nl->extack, op->extack, sizeof(nl->extack));
	return err ? err : op->err;
}
