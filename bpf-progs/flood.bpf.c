/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the encap stage: a frame for all of a tunnel's remotes (ingress replication). It comes with the outer header for
 * the first of them. A copy is addressed and sent to each of the others; the packet itself goes on, and is sent at
 * the end like any other: it alone is shaped.
 *
 * A copy cannot make the kernel look for its next hop's address, but the packet itself can. So the first remote whose
 * next hop is not known becomes that of the packet itself; the others of that kind are counted as without a route and
 * have their turn at the next frame.
 */
#include "tcctl/route.h"

#define FLOOD_MAX 16 /* remotes that get a copy; TCCTL_FLOOD_MAX of them are reached in two goes */

SEC("tc")
int flood(struct __sk_buff *skb)
{
	tcctl_stage_begin_of(skb, TCCTL_STAGE_FLOOD);
	return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
}
