/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Handler of IPv6: header checks, extension headers, fragments, then the handler by upper-layer protocol. */
#define TCCTL_WANT_JT_L4
#include "tcctl/half.h"
#include "tcctl/l3.h"

/* Are strangers' packets refused, in any tunnel? Then so is what may hide one behind more headers than anybody needs. */
static __always_inline bool refuses_hidden(struct __sk_buff *skb)
{
#ifdef TCCTL_PIPELINE
	const struct tcctl_tunnel_settings *settings;
	void *rows;

	if (!cfg.decap || cfg.flags & TCCTL_CFG_OBSERVE)
		return false;
	rows = tcctl_half(skb, tunnels);
	settings = rows ? bpf_map_lookup_elem(rows, (const void *)&tcctl_key[0]) : NULL;
	return settings && settings->unknown_types;
#else
	return false;
#endif
}

static __always_inline int run(struct __sk_buff *skb)
{
	struct tcctl_parse p = {};
	int reason;

	tcctl_count(skb, TCCTL_CNT_L3 + TCCTL_L3_IPV6);
	p.l3 = tcctl_l3(skb);
	reason = tcctl_parse_ipv6(skb, &p);
	if (tcctl_unlikely(reason == TCCTL_R_EXT_DEPTH) && refuses_hidden(skb)) {
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
		return tcctl_drop(skb, TCCTL_R_TUNNEL_REFUSED);
	}
	if (tcctl_unlikely(reason == TCCTL_R_TRUNC_L4 || reason == TCCTL_R_EXT_DEPTH))
		return tcctl_without_l4(skb, &p, reason);
	if (tcctl_unlikely(reason))
		return tcctl_pass_reason(skb, reason);
	return tcctl_dispatch_l4(skb, &p);
}

TCCTL_PROGRAM(ipv6, run, TCCTL_PARSED_L2)
