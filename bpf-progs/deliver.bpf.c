/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Last stage of pipelines with tunnels: what was taken out of a tunnel goes into that tunnel's device, what was put into one leaves
 * for its remote, everything else as with `end`.
 */
#include "tcctl/route.h"
#include "tcctl/deliver.h"

SEC("tc")
int deliver(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_END);
	if (tcctl_likely(!tcctl_tunnel(skb)))
		return tcctl_pass(skb);
	row = tcctl_tunnel_row(skb);
	if (tcctl_unlikely(!row))
		return tcctl_pass(skb);
	if (tcctl_tunnel(skb) & TCCTL_TUNNEL_OUT)
		return tcctl_send(skb, row);
	return tcctl_deliver(skb, row);
}
