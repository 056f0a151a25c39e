/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage: writes the tags of the packet's class. */
#define TCCTL_WANT_ARENAS
#define TCCTL_WANT_HEADS
#include "tcctl/handler.h"
#include "tcctl/arena.h"
#include "tcctl/head.h"
#include "tcctl/tag.h"

SEC("tc")
int mark(struct __sk_buff *skb)
{
	const struct tcctl_class_row *row;
	__u32 class_id;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_MARK);
	class_id = tcctl_class(skb);
	if (class_id == TCCTL_CLASS_KEEP || cfg.flags & TCCTL_CFG_OBSERVE)
		goto next;
	TCCTL_ROW(skb, class_id, row, next);
	tcctl_tag(skb, row, tcctl_flags(skb), tcctl_l3(skb));
next:
	return tcctl_next_of(skb, TCCTL_STAGE_MARK);
}
