/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage: writes the tags of the packet's class. */
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_HEADS
#include "tcctl/handler.h"
#include "tcctl/arena.h"
#include "tcctl/head.h"
#include "tcctl/tag.h"

/* A class's row. With a head, which nobody writes for a program alone, the arena's first line need not be read. */
static __always_inline const struct tcctl_class_row *row_of(struct __sk_buff *skb, __u32 class_id)
{
#ifdef TCCTL_PIPELINE
	const struct tcctl_head *head = tcctl_head(skb);
	__u64 half = TCCTL_KEY(TCCTL_ARENA_SLOT(tcctl_generation(skb), cfg.flags));
	arena_t arena;

	if (tcctl_head_is(head)) {
		arena = bpf_map_lookup_elem(&arenas, &half);
		return arena ? arena_class_row(arena, head->class_base, head->n_classes, class_id) : NULL;
	}
#endif
	return tcctl_class_row(tcctl_generation(skb), class_id);
}

SEC("tc")
int mark(struct __sk_buff *skb)
{
	__u32 class_id;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_MARK);
	class_id = tcctl_class(skb);
	if (class_id != TCCTL_CLASS_KEEP && !(cfg.flags & TCCTL_CFG_OBSERVE)) {
		const struct tcctl_class_row *row = row_of(skb, class_id);

		if (row)
			tcctl_tag(skb, row, tcctl_flags(skb), tcctl_l3(skb));
	}
	return tcctl_next_of(skb, TCCTL_STAGE_MARK);
}
