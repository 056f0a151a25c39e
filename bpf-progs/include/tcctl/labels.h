/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A stack of MPLS labels in front of a payload. */
#ifndef TCCTL_LABELS_H
#define TCCTL_LABELS_H

#include "tcctl/decap.h"

/* Moves d->inner behind the stack; the top label is the tunnel's. False: cut short, or without an end. */
static __always_inline bool tcctl_labels(struct __sk_buff *skb, struct tcctl_decap *d, __u32 *ret_label)
{
	__u32 at = d->inner, end = d->end, w = 0;

	/* A label here and there is read by a helper; d->h would hold one or two only. */
#pragma clang loop unroll(full)
	for (int i = 0; i < TCCTL_MPLS_MAX; i++) {
		if (at + 4 > end || !tcctl_read_slow(skb, at, &w, 1))
			return false;
		w = bpf_ntohl(w);
		at += 4;
		if (!i)
			*ret_label = w >> 12;
		if (w & 0x100)
			break;
		at = tcctl_forget(skb, at);
	}
	d->inner = tcctl_forget(skb, at);
	return w & 0x100;
}

#endif
