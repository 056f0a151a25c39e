/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the handlers of IP directly in IP share. */
#ifndef TCCTL_IPXIP_H
#define TCCTL_IPXIP_H

#include "tcctl/decap.h"

static __always_inline int tcctl_ipxip(struct __sk_buff *skb, __u32 proto, enum tcctl_inner kind)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	bool ipv4;

	if (tcctl_proto(skb) != proto) /* attached alone, and not the packet this is for */
		return tcctl_handled(skb);
	d = tcctl_decap_begin(skb, TCCTL_TYPE(TCCTL_T_IPIP), 1);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_IPIP), proto);
	ipv4 = tcctl_flags(skb) & TCCTL_F_IPV4;
	row = tcctl_decap_find(skb, d, TCCTL_T_IPIP, ipv4, 0, 0, 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_IPIP);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	d->inner = tcctl_l4(skb);
	d->kind = kind;
	return tcctl_decap_finish(skb, d, row, 0,
				  tcctl_flags(skb) & TCCTL_F_IPV4 ? TCCTL_DECAP_IPXIP4 : TCCTL_DECAP_IPXIP6, TCCTL_DECAP_HASH);
}

#endif
