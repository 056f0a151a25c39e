/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv4: header checks, options, fragments, then the handler by protocol number. */
#include "tcctl/l3.h"

SEC("tc")
int ipv4(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	tcctl_l3_begin(skb, TCCTL_L3_IPV4);
	p.l3 = tcctl_l3(skb);
	p.flags = tcctl_flags(skb);
	p.tci = tcctl_vlan_tci(skb);
	reason = tcctl_parse_ipv4(skb, &p);
	if (tcctl_unlikely(reason))
		return tcctl_pass_reason(skb, reason);
	return tcctl_dispatch_l4(skb, &p);
}
