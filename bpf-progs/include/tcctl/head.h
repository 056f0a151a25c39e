/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every packet needs of its arena, found without a helper: see struct tcctl_head. */
#ifndef TCCTL_HEAD_H
#define TCCTL_HEAD_H

#define TCCTL_WANT_HEADS
#include "tcctl/handler.h"

_Static_assert(sizeof(struct tcctl_head) == 16 + 64 * 32, "as maps.h says");

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

/* A row of the head. Assembly, because a compiler may keep the limit in another register than the one that is added. */
#define tcctl_head_row(head, class_id)                                        \
	({                                                                    \
		const struct tcctl_class_row *_row = (head)->rows;            \
		__u64 _at = (class_id);                                       \
		asm volatile("%1 &= %2\n\t"                                   \
			     "%1 *= %3\n\t"                                   \
			     "%0 += %1"                                       \
			     : "+r"(_row), "+r"(_at)                          \
			     : "i"(TCCTL_HEAD_ROWS - 1), "i"(sizeof(*_row))); \
		_row;                                                         \
	})

/*
 * The row of a class; to `none` where there is no such class. Of the first classes without a helper, of others from the arena
 * (tcctl/tag.h). A macro, because kernels such as 6.1 refuse to compare a pointer with NULL that cannot be.
 */
#define TCCTL_ROW(skb, class_id, row, none)                                               \
	do {                                                                              \
		const struct tcctl_head *_head = tcctl_head(skb);                         \
                                                                                          \
		if (tcctl_head_is(_head) && tcctl_likely((class_id) < TCCTL_HEAD_ROWS)) { \
			row = tcctl_head_row(_head, class_id);                            \
		} else {                                                                  \
			row = tcctl_class_row(tcctl_generation(skb), class_id);           \
			if (!row)                                                         \
				goto none;                                                \
		}                                                                         \
	} while (0)

#endif
