// SPDX-License-Identifier: GPL-2.0-only
/* Mode prog: packets by BPF_PROG_TEST_RUN. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qt/runner.h"

int prog_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o,
		     char *err, size_t err_len)
{
	const struct observed *v;
	struct __sk_buff skb = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = (uint32_t)p->len, .ctx_in = &skb,
		    .ctx_size_in = sizeof(skb), .ctx_out = &skb, .ctx_size_out = sizeof(skb));

	if (p->len < 14)
		return runner_fail(err, err_len, "the packet has %zu bytes; mode prog takes Ethernet frames of 14 or more", p->len);
	opts.data_size_out = PACKET_MAX + 1024;
	opts.data_out = malloc(opts.data_size_out);
	if (!opts.data_out)
		return runner_fail(err, err_len, "out of memory");
	skb.mark = in->mark;
	skb.priority = in->priority;
	memcpy(skb.cb, in->cb, sizeof(skb.cb));
	if (bpf_prog_test_run_opts(r->prog_fd, &opts)) {
		int e = errno;

		free(opts.data_out);
		return runner_fail(err, err_len, "the kernel refused to run the packet (BPF_PROG_TEST_RUN): %s%s", strerror(e),
			    p->len > 1500 ? "; packets of more than a page may be too big for it" : "");
	}
	o->verdict = (int)opts.retval;
	o->packet.data = opts.data_out;
	o->packet.len = o->len = opts.data_size_out;
	o->has_fields = o->has_cb = true;
	o->mark = skb.mark;
	o->priority = skb.priority;
	memcpy(o->cb, skb.cb, sizeof(o->cb));
	o->tstamp = skb.tstamp;
	v = observer_read(r, OBSERVE_FREED);
	if (v) {
		outcome_fields(o, v);
		o->has_classid = true;
		o->classid = v->tc_classid;
	}
	return 0;
}
