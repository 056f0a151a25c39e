/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv6: header checks, extension headers, fragments, then the handler by upper-layer protocol. */
#include "tcctl/l3.h"

SEC("tc")
int ipv6(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	tcctl_l3_begin(skb, TCCTL_L3_IPV6);
	p.l3 = tcctl_l3(skb);
	p.flags = tcctl_flags(skb);
	p.tci = tcctl_vlan_tci(skb);
	reason = tcctl_parse_ipv6(skb, &p);
	if (tcctl_unlikely(reason == TCCTL_R_TRUNC_L4 || reason == TCCTL_R_EXT_DEPTH))
		return tcctl_without_l4(skb, &p, reason);
	if (tcctl_unlikely(reason))
		return tcctl_pass_reason(skb, reason);
	return tcctl_dispatch_l4(skb, &p);
}
