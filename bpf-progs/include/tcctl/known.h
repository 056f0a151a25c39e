/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short way of the classify stage: an untagged IPv4 packet with ports, rules that look at nothing but addresses, ports, protocol
 * and DSCP, and a flow that the cache knows. All else takes the long way (tcctl_classify()), which finds and leaves flows in the
 * same places under the same keys: what one way remembers the other one finds.
 */
#ifndef TCCTL_KNOWN_H
#define TCCTL_KNOWN_H

#include "tcctl/head.h"
#include "tcctl/classify.h"

#define TCCTL_KNOWN_FLAGS (TCCTL_F_IPV4 | TCCTL_F_PORTS | TCCTL_F_L2)
#define TCCTL_KNOWN_NOT (ARENA_USE_FLAGS | ARENA_USE_RARE | ARENA_NO_CACHE)

static __always_inline const struct tcctl_flow *tcctl_flow_at(__u64 place)
{
	__u64 key = TCCTL_KEY(place);

	return bpf_map_lookup_elem(&flows, &key);
}

static __always_inline bool tcctl_known_is(const struct tcctl_flow *e, __u32 stamp, __u64 small, __u64 addr)
{
	return e->stamp == stamp && e->small == small && e->addr[0] == addr;
}

/* The cached answer, or NULL: take the long way. */
static __always_inline const struct tcctl_flow *tcctl_known(struct __sk_buff *skb)
{
	const struct tcctl_head *head = tcctl_head(skb);
	__u32 what = tcctl_cb(skb, TCCTL_CB_PROTO), used, proto, src_local;
	__u64 small, ports, addr, src, dst, hash;
	const struct tcctl_flow *e;
	const __u32 *ip;

	if (!tcctl_head_is(head) || tcctl_unlikely((what >> 8 & 0xff) != TCCTL_KNOWN_FLAGS) || tcctl_l3(skb) != 14)
		return NULL;
	proto = what & 0xff;
	used = head->used;
	if (tcctl_unlikely(used & TCCTL_KNOWN_NOT) || (proto != TCCTL_IP_TCP && proto != TCCTL_IP_UDP))
		return NULL;
	ip = (const void *)tcctl_data_at(skb, 14);
	if (tcctl_unlikely((const __u8 *)(ip + 5) > tcctl_data_end(skb)))
		return NULL;
	src = bpf_ntohl(ip[3]);
	dst = bpf_ntohl(ip[4]);
	ports = tcctl_cb(skb, TCCTL_CB_PORTS);
	small = proto | ARENA_M_PORTS << 24;
	if (used & ARENA_USE_DSCP)
		small |= (bpf_ntohl(ip[0]) >> 18 & 63) << 8;
	addr = src << 32 | dst;
	src_local = tcctl_hook(skb) & TCCTL_HOOK_SRC_LOCAL;
	if (src_local) {
		if (used & ARENA_USE_RELATIVE) {
			addr = dst << 32 | src;
			ports = (ports << 16 | ports >> 16) & 0xffffffff;
		}
		if (used & ARENA_USE_VIEWS)
			small |= (__u64)ARENA_M_SRC_LOCAL << 24;
	}
	small = small << 32 | ports;
	hash = tcctl_mix(tcctl_mix(head->seed, addr), small);
	e = tcctl_flow_at(hash % TCCTL_FLOWS);
	if (tcctl_likely(e) && tcctl_likely(tcctl_known_is(e, head->stamp, small, addr)))
		return e;
	e = tcctl_flow_at((hash >> 40) % TCCTL_FLOWS);
	return e && tcctl_known_is(e, head->stamp, small, addr) ? e : NULL;
}

#endif
