/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the L4 handlers share. */
#ifndef TCCTL_L4_H
#define TCCTL_L4_H

#include "tcctl/handler.h"

/*
 * The L4 header cannot be read after all (no memory to make it linear): go on without. Where there is none the program runs alone, and
 * it is not the packet that its handler is for.
 */
static __always_inline int tcctl_lost_l4(struct __sk_buff *skb)
{
	if (!tcctl_l4(skb))
		return tcctl_handled(skb);
	tcctl_set_offsets(skb, tcctl_l3(skb), 0);
	return tcctl_count_handled(skb, TCCTL_CNT_REASON + TCCTL_R_TRUNC_L4);
}

/* Source and destination port into the context. Returns false when there are none: leave by tcctl_lost_l4(). */
static __always_inline bool tcctl_l4_ports(struct __sk_buff *skb)
{
	__u32 l4 = tcctl_l4(skb), ports;

	if (tcctl_unlikely(!l4 || tcctl_parse_ports(skb, l4, &ports)))
		return false;
	tcctl_cb_set(skb, TCCTL_CB_PORTS, ports);
	tcctl_add_flags(skb, TCCTL_F_PORTS);
	return true;
}

/* ICMP type and code into the context. Returns as tcctl_l4_ports() does. */
static __always_inline bool tcctl_l4_icmp(struct __sk_buff *skb)
{
	__u32 l4 = tcctl_l4(skb), ports;

	if (tcctl_unlikely(!l4 || tcctl_parse_icmp(skb, l4, &ports)))
		return false;
	tcctl_cb_set(skb, TCCTL_CB_PORTS, ports);
	tcctl_add_flags(skb, TCCTL_F_ICMP);
	return true;
}

#endif
