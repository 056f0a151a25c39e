/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tagging: what a class writes, to skb fields and to the IP header. Used by the mark stage and by act. */
#ifndef TCCTL_TAG_H
#define TCCTL_TAG_H

#include "tcctl/handler.h"
#include "tcctl/arena.h"
#include "tcctl/tos.h"

/* A class's row in the arena of a generation, or NULL. */
static __always_inline const struct tcctl_class_row *tcctl_class_row(__u32 generation, __u32 class_id)
{
	const struct arena_header *header;
	__u64 half = TCCTL_KEY(TCCTL_ARENA_SLOT(generation, cfg.flags));
	arena_t arena;

	arena = bpf_map_lookup_elem(&arenas, &half);
	if (!arena)
		return NULL;
	header = arena_header(arena);
	if (!header)
		return NULL;
	return arena_class_row(arena, header, class_id);
}

/* The new byte for an old TOS or traffic class, or the old one when nothing is to be written. ECN stays. */
static __always_inline __u8 tcctl_new_tos(const struct tcctl_class_row *row, __u8 old)
{
	if (row->flags & TCCTL_C_DSCP || !(old >> 2))
		return (row->dscp & 63) << 2 | (old & 3);
	return old;
}

#define TCCTL_DSCP_AT(constant)                                                     \
	do {                                                                        \
		if (l3 == (constant)) {                                             \
			__u8 *ip = tcctl_data_at(skb, constant);                    \
			if (tcctl_unlikely(ip + 20 > tcctl_data_end(skb)))          \
				break;                                              \
			if (flags & TCCTL_F_IPV4) {                                 \
				tos = tcctl_new_tos(row, ip[1]);                    \
				if (tos != ip[1])                                   \
					tcctl_write_dscp4(ip, tos);                 \
			} else {                                                    \
				old = (ip[0] & 0x0f) << 4 | ip[1] >> 4;             \
				tos = tcctl_new_tos(row, old);                      \
				if (tos != old)                                     \
					tcctl_write_dscp6(skb, ip, tos);            \
			}                                                           \
			return 0;                                                   \
		}                                                                   \
	} while (0)

/* Write the DSCP: directly at the usual offsets, by helpers elsewhere and where the header is not linear. */
static __always_inline int tcctl_write_dscp(struct __sk_buff *skb, const struct tcctl_class_row *row, __u32 flags,
					    __u32 l3)
{
	__u8 tos, old;
	__u64 bytes;
	__u32 w;

	TCCTL_DSCP_AT(14);
	TCCTL_DSCP_AT(0);
	TCCTL_DSCP_AT(18);
	TCCTL_DSCP_AT(22);

	if (!tcctl_read_slow(skb, l3, &w, 1))
		return -1;
	w = bpf_ntohl(w);
	/* A partial pull of a fraglist GSO packet breaks it on some kernels; writing pulls, so take all of it. */
	if (skb->gso_size && bpf_skb_pull_data(skb, skb->len))
		return -1;
	if (flags & TCCTL_F_IPV4) {
		old = w >> 16;
		tos = tcctl_new_tos(row, old);
		if (tos == old)
			return 0;
		if (bpf_l3_csum_replace(skb, l3 + 10, bpf_htons(w >> 16), bpf_htons((w >> 16 & 0xff00) | tos), 2))
			return -1;
		bytes = TCCTL_KEY(bpf_htonl((w & 0xff00ffff) | (__u32)tos << 16));
		return bpf_skb_store_bytes(skb, l3, &bytes, 4, 0);
	}
	old = w >> 20;
	tos = tcctl_new_tos(row, old);
	if (tos == old)
		return 0;
	bytes = TCCTL_KEY(bpf_htonl((w & 0xf00fffff) | (__u32)tos << 20));
	return bpf_skb_store_bytes(skb, l3, &bytes, 4, BPF_F_RECOMPUTE_CSUM);
}

/*
 * Write everything a class says. `l3` and `flags` are those of the context. Direct writes to the packet make the
 * kernel unshare the data of a cloned skb before the program starts, so a capture on the sender's side, or
 * another receiver of a multicast, keeps the original.
 */
static __always_inline void tcctl_tag(struct __sk_buff *skb, const struct tcctl_class_row *row, __u32 flags,
				      __u32 l3)
{
	/* Read anew each time: a value tested bit by bit would be 2^6 states to the verifier. */
#define write (*(const volatile __u32 *)&row->flags)
	if (write & TCCTL_C_MARK)
		skb->mark = (skb->mark & ~row->mark_mask) | row->mark;
	if (write & TCCTL_C_PRIORITY)
		skb->priority = row->priority;
	if (write & TCCTL_C_QUEUE)
		skb->queue_mapping = row->queue;
	if (write & TCCTL_C_TC_INDEX)
		skb->tc_index = row->tc_index;
	if (write & (TCCTL_C_DSCP | TCCTL_C_DSCP_IF_UNSET) && flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6) &&
	    tcctl_unlikely(tcctl_write_dscp(skb, row, flags, l3)))
		tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_TAG_FAILED);
#undef write
}

#endif
