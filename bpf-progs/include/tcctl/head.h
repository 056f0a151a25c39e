/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every packet needs of its arena, found without a helper: see struct tcctl_head. */
#ifndef TCCTL_HEAD_H
#define TCCTL_HEAD_H

#define TCCTL_WANT_HEADS
#include "tcctl/handler.h"

/* The head of the packet's arena; NULL: ask the arena itself. */
static __always_inline const struct tcctl_head *tcctl_head(const struct __sk_buff *skb)
{
	const struct tcctl_head *head = TCCTL_ARENA_SLOT(tcctl_generation(skb), cfg.flags) ?
						bpf_map_lookup_elem(&heads, (const void *)&tcctl_key[1]) :
						bpf_map_lookup_elem(&heads, (const void *)&tcctl_key[0]);

	return tcctl_likely(head) && tcctl_likely(head->stamp) ? head : NULL;
}

#endif
