/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entry for devices without a link-layer header (tun, wg, ppp, ipip, …): L3 is at offset 0 and its type is what
 * the stack says it is. */
#include "tcctl/entry.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_set_offsets(skb, 0, 0);
	tcctl_set_proto(skb, 0, 0, 0);
	return tcctl_dispatch_l3(skb, bpf_ntohs(skb->protocol));
}

TCCTL_PROGRAM(entry_l3, run, TCCTL_PARSED_NOTHING)
