/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tagging: what a class writes, to skb fields and to the IP header. Used by the mark stage and by act. */
#ifndef TCCTL_TAG_H
#define TCCTL_TAG_H

#include "tcctl/handler.h"
#include "tcctl/arena.h"

/* A class's row in the arena of a generation, or NULL. */
static __always_inline const struct tcctl_class_row *tcctl_class_row(__u32 generation, __u32 class_id)
{
	const struct arena_header *header;
	__u32 half = generation & 1;
	arena_t arena;

	arena = bpf_map_lookup_elem(&arenas, &half);
	if (!arena)
		return NULL;
	header = arena_header(arena);
	if (!header)
		return NULL;
	return arena_class_row(arena, header, class_id);
}

/*
 * DSCP of IPv4: one byte and the header checksum, updated by the difference (RFC 1624, equation 3). Both changes
 * cancel in skb->csum, so a CHECKSUM_COMPLETE packet stays right. Sums are taken over words as they lie in
 * memory, which is the same in both byte orders.
 */
static __always_inline void tcctl_write_dscp4(__u8 *ip, __u8 tos)
{
	__u16 *word = (__u16 *)ip, *check = (__u16 *)(ip + 10);
	__u32 sum;

	sum = (~*check & 0xffff) + (~*word & 0xffff);
	ip[1] = tos;
	sum += *word;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~sum;
}

/* DSCP of IPv6: no header checksum, so a CHECKSUM_COMPLETE sum over the packet must follow the change. The
 * helper that adds to it is cheaper than bpf_skb_store_bytes(), and refuses (fine) on other packets. */
static __always_inline void tcctl_write_dscp6(struct __sk_buff *skb, __u8 *ip, __u8 class)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = ~*word & 0xffff;

	ip[0] = (ip[0] & 0xf0) | class >> 4;
	ip[1] = (ip[1] & 0x0f) | (class & 0x0f) << 4;
	sum += *word;
	bpf_csum_update(skb, sum);
}

/*
 * Write everything a class says. `l3` and `flags` are those of the context. Direct writes to the packet make the
 * kernel unshare the data of a cloned skb before the program starts, so a capture on the sender's side, or
 * another receiver of a multicast, keeps the original.
 */
static __always_inline void tcctl_tag(struct __sk_buff *skb, const struct tcctl_class_row *row, __u32 flags,
				      __u32 l3)
{
	__u32 write = row->flags;

	if (write & TCCTL_C_MARK)
		skb->mark = (skb->mark & ~row->mark_mask) | row->mark;
	if (write & TCCTL_C_PRIORITY)
		skb->priority = row->priority;
	if (write & TCCTL_C_QUEUE)
		skb->queue_mapping = row->queue;
	if (write & TCCTL_C_TC_INDEX)
		skb->tc_index = row->tc_index;
	if (write & (TCCTL_C_DSCP | TCCTL_C_DSCP_IF_UNSET)) {
		__u8 dscp = row->dscp & 63, old, *ip;

		if (flags & TCCTL_F_IPV4) {
			ip = tcctl_header(skb, l3, 20);
			if (!ip)
				goto failed;
			old = ip[1];
			if (old >> 2 != dscp && (write & TCCTL_C_DSCP || !(old >> 2)))
				tcctl_write_dscp4(ip, dscp << 2 | (old & 3));
		} else if (flags & TCCTL_F_IPV6) {
			ip = tcctl_header(skb, l3, 40);
			if (!ip)
				goto failed;
			old = (ip[0] & 0x0f) << 4 | ip[1] >> 4;
			if (old >> 2 != dscp && (write & TCCTL_C_DSCP || !(old >> 2)))
				tcctl_write_dscp6(skb, ip, dscp << 2 | (old & 3));
		}
	}
	return;
failed:
	tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TAG_FAILED);
}

#endif
