/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv6 in IP (RFC 4213, RFC 2473): taken out of its tunnel where there is one, otherwise classified by its outer
 * header. */
#include "tcctl/ipxip.h"

static __always_inline int run(struct __sk_buff *skb)
{
	tcctl_count(skb, TCCTL_CNT_L4 + TCCTL_L4_IPV6);
	return tcctl_ipxip(skb, TCCTL_IP_IPV6, TCCTL_INNER_IPV6);
}

TCCTL_PROGRAM_LONG(ip6ip, run, TCCTL_PARSED_L3)
