/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entry for devices with an Ethernet header: VLAN tags, then the handler by EtherType. */
#include "tcctl/entry.h"
#include "tcctl/tunnel.h"

static __always_inline int dispatch(struct __sk_buff *skb, const struct tcctl_parse *p)
{
	tcctl_set_offsets(skb, p->l3, 0);
	tcctl_set_proto(skb, p->tci, p->flags, 0);
	return tcctl_dispatch_l3(skb, p->ethertype);
}

/* Frames with tags in band have a copy of the dispatch of their own, to leave the others' registers alone. */
static __always_inline int run(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

#ifdef TCCTL_PIPELINE
	/* A copy that flood made and sent through here. */
	if (cfg.encap && tcctl_unlikely(skb->mark == TCCTL_AGAIN))
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_FLOOD);
#endif
	reason = tcctl_parse_eth_header(skb, &p);
	if (tcctl_likely(!reason)) {
		if (tcctl_is_usual(p.ethertype, TCCTL_ETH_IPV4)) {
			p.ethertype = TCCTL_ETH_IPV4;
			return dispatch(skb, &p);
		}
		if (tcctl_likely(!tcctl_is_vlan(p.ethertype)))
			return dispatch(skb, &p);
		reason = tcctl_parse_vlan(skb, &p);
		if (!reason)
			return dispatch(skb, &p);
	}
	return tcctl_pass_reason(skb, reason);
}

TCCTL_PROGRAM(entry_eth, run, TCCTL_PARSED_NOTHING)
