// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One request, one answer. */
#include <errno.h>

#include "nl/internal.h"

#define TRIES 4

static int ask_once(struct nl *nl, const struct nlmsghdr *request, uint16_t type, nl_answer_fn *fn, void *arg)
{
	const uint32_t seq = request->nlmsg_seq;
	int err, code, got, left;

	nl->extack[0] = '\0';
	err = nl_send(nl, request, request->nlmsg_len);
	if (err)
		return err;
	for (;;) {
		const struct nlmsghdr *nlh;

		got = nl_receive(nl, 1);
		if (got < 0) /* rtnetlink answers before sending returns: what is not there now was lost */
			return got == -EAGAIN || got == -ENOBUFS ? -EIO : got;
		nlh = (const void *)nl->rx;
		for (left = got; nl_message_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			if (nlh->nlmsg_seq != seq || nlh->nlmsg_pid != nl->portid) /* to an earlier one */
				continue;
			if (nlh->nlmsg_type == NLMSG_ERROR) {
				err = nl_ack_decode(nlh, &code, nl->extack);
				return err ? err : code;
			}
			if (nlh->nlmsg_type == type && fn)
				return fn(arg, nlh);
		}
	}
}

int nl_ask(struct nl *nl, struct nlmsghdr *request, uint16_t type, nl_answer_fn *fn, void *arg)
{
	const int tries = request->nlmsg_flags & NLM_F_EXCL ? 1 : TRIES;
	int err = -EIO;

	for (int i = 0; i < tries && err == -EIO; i++)
		err = ask_once(nl, request, type, fn, arg);
	return err;
}
