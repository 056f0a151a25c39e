/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the L4 handlers share. */
#ifndef TCCTL_L4_H
#define TCCTL_L4_H

#include "tcctl/handler.h"

/* The L4 header cannot be read after all (no memory to make it linear): go on without. */
static __always_inline void tcctl_lost_l4(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TRUNC_L4);
	tcctl_set_offsets(skb, tcctl_l3(skb), 0);
}

/* Source and destination port into the context. Returns false when there are none. */
static __always_inline bool tcctl_l4_ports(struct __sk_buff *skb)
{
	__u32 l4 = tcctl_l4(skb), ports;

	if (tcctl_unlikely(!l4)) /* alone, and not the packet this handler is for */
		return false;
	if (tcctl_unlikely(tcctl_parse_ports(skb, l4, &ports))) {
		tcctl_lost_l4(skb);
		return false;
	}
	tcctl_cb_set(skb, TCCTL_CB_PORTS, ports);
	tcctl_add_flags(skb, TCCTL_F_PORTS);
	return true;
}

/* ICMP type and code into the context. */
static __always_inline void tcctl_l4_icmp(struct __sk_buff *skb)
{
	__u32 l4 = tcctl_l4(skb), ports;

	if (tcctl_unlikely(!l4))
		return;
	if (tcctl_unlikely(tcctl_parse_icmp(skb, l4, &ports))) {
		tcctl_lost_l4(skb);
		return;
	}
	tcctl_cb_set(skb, TCCTL_CB_PORTS, ports);
	tcctl_add_flags(skb, TCCTL_F_ICMP);
}

#endif
