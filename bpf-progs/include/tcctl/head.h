/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every packet needs of its arena, found without a helper: see struct tcctl_head. */
#ifndef TCCTL_HEAD_H
#define TCCTL_HEAD_H

#define TCCTL_WANT_HEADS
#include "tcctl/handler.h"

/*
 * The head of the packet's arena; use it when tcctl_head_is() says so, otherwise ask the arena itself. Two steps, because without
 * CAP_PERFMON kernels such as 6.1 refuse a pointer that was set to NULL here and is compared with it there.
 */
static __always_inline const struct tcctl_head *tcctl_head(const struct __sk_buff *skb)
{
	return TCCTL_ARENA_SLOT(tcctl_generation(skb), cfg.flags) ?
		       bpf_map_lookup_elem(&heads, (const void *)&tcctl_key[1]) :
		       bpf_map_lookup_elem(&heads, (const void *)&tcctl_key[0]);
}

#define tcctl_head_is(head) (tcctl_likely(head) && tcctl_likely((head)->stamp))

#endif
