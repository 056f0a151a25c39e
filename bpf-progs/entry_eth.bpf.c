/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entry for devices with an Ethernet header: VLAN tags, then the handler by EtherType. */
#include "tcctl/entry.h"

SEC("tc")
int entry_eth(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	if (tcctl_unlikely(!tcctl_has_context(skb)))
		tcctl_alone(skb, TCCTL_PARSED_L2);
	reason = tcctl_parse_eth(skb, &p);
	if (tcctl_unlikely(reason))
		return tcctl_pass_reason(skb, reason);
	tcctl_set_offsets(skb, p.l3, 0);
	tcctl_set_proto(skb, p.tci, p.flags, 0);
	return tcctl_dispatch_l3(skb, p.ethertype);
}
