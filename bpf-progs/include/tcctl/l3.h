/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the IPv4 and IPv6 handlers share: from a protocol number to a slot of jt_l4. */
#ifndef TCCTL_L3_H
#define TCCTL_L3_H

#define TCCTL_WANT_JT_L4
#include "tcctl/handler.h"

/* No L4 header to hand on: count why, leave the offset out of the context. */
static __always_inline int tcctl_without_l4(struct __sk_buff *skb, struct tcctl_parse *p, __u32 reason)
{
	p->l4 = 0;
	tcctl_context_add(skb, p);
	return tcctl_count_handled(skb, TCCTL_CNT_REASON + reason);
}

#define TCCTL_L4_CASE(protocol, slot_)          \
	case protocol:                          \
		tcctl_jump(skb, jt_l4, slot_);  \
		slot = slot_;                   \
		break

#define TCCTL_L4_USUAL(protocol, slot_, shortest)                                                  \
	do {                                                                                       \
		if (tcctl_is_usual(p->proto, protocol) && tcctl_likely(p->l4_len >= (shortest))) { \
			tcctl_context_add(skb, p);                                                 \
			tcctl_jump(skb, jt_l4, slot_);                                             \
			return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_L4 + (slot_));             \
		}                                                                                  \
	} while (0)

/* After the L3 step: write the context and jump on by protocol number. L4 handlers can rely on the header's
 * fixed part being there, but for IP in IP in a first fragment. */
static __always_inline int tcctl_dispatch_l4(struct __sk_buff *skb, struct tcctl_parse *p)
{
	__u32 slot;

	if (tcctl_unlikely(!p->l4)) { /* a later fragment */
		tcctl_context_add(skb, p);
		return tcctl_handled(skb);
	}
	TCCTL_L4_USUAL(TCCTL_IP_UDP, TCCTL_L4_UDP, 8);
	TCCTL_L4_USUAL(TCCTL_IP_TCP, TCCTL_L4_TCP, 20);
	if (tcctl_unlikely(p->l4_len < tcctl_l4_min(p)))
		return tcctl_without_l4(skb, p, TCCTL_R_TRUNC_L4);
	tcctl_context_add(skb, p);
	switch (p->proto) {
		TCCTL_L4_CASE(TCCTL_IP_TCP, TCCTL_L4_TCP);
		TCCTL_L4_CASE(TCCTL_IP_UDP, TCCTL_L4_UDP);
		TCCTL_L4_CASE(TCCTL_IP_ICMP, TCCTL_L4_ICMP);
		TCCTL_L4_CASE(TCCTL_IP_ICMPV6, TCCTL_L4_ICMPV6);
		TCCTL_L4_CASE(TCCTL_IP_SCTP, TCCTL_L4_SCTP);
		TCCTL_L4_CASE(TCCTL_IP_GRE, TCCTL_L4_GRE);
		TCCTL_L4_CASE(TCCTL_IP_IPIP, TCCTL_L4_IPIP);
		TCCTL_L4_CASE(TCCTL_IP_IPV6, TCCTL_L4_IPV6);
		TCCTL_L4_CASE(TCCTL_IP_ESP, TCCTL_L4_ESP);
		TCCTL_L4_CASE(TCCTL_IP_AH, TCCTL_L4_AH);
	default:
		tcctl_jump(skb, jt_l4, TCCTL_L4_OTHER);
		slot = TCCTL_L4_OTHER;
	}
	return tcctl_count_handled(skb, TCCTL_CNT_EMPTY_L4 + slot);
}

#endif
