/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF programs and user space agree on.
 *
 * Everything here is part of the ABI between a pipeline's programs, the handlers and stages that
 * users write against tcctl/handler.h, and the controller. All integers are in host byte order
 * unless a comment says otherwise. Only fixed-width types from <linux/types.h> are used, so that the
 * same header compiles for BPF and for user space.
 */
#ifndef TCCTL_ABI_H
#define TCCTL_ABI_H

#include <linux/types.h>

/*
 * Packet context: struct __sk_buff::cb[0..4].
 *
 * Every root program writes all five words; whatever leaves the hook clears them, because the kernel
 * does not: cb leaks to the root qdisc, across bpf_redirect() and over a veth into another network
 * namespace (seen on 6.18).
 *
 *   cb[0]  guard   31..24 TCCTL_CB_MAGIC, 23..16 data generation, 15..0 hook id
 *   cb[1]  offsets 31..16 L4 offset, 15..0 L3 offset, in bytes from skb->data; L4 is 0 when unknown
 *   cb[2]  proto   31..16 outermost VLAN TCI (valid with TCCTL_F_VLAN), 15..8 TCCTL_F_*, 7..0 IP
 *                  protocol number of the upper layer (after IPv6 extension headers)
 *   cb[3]  ports   31..16 source port, 15..0 destination port (valid with TCCTL_F_PORTS); for ICMP and
 *                  ICMPv6 15..8 type, 7..0 code (valid with TCCTL_F_ICMP)
 *   cb[4]  class   31..16 tunnel (0: none; see tcctl/tunnel.h), 15..0 class id (0: keep, nothing is changed)
 */
#define TCCTL_CB_GUARD 0
#define TCCTL_CB_OFFSETS 1
#define TCCTL_CB_PROTO 2
#define TCCTL_CB_PORTS 3
#define TCCTL_CB_CLASS 4

#define TCCTL_CB_MAGIC 0x7cU

/* Hook id: bit 0 is the direction, bit 1 says that on this hook the source address is the local one
 * (`local` in rules) and the destination the remote one; the rest counts hooks of one pipeline.
 * Attached as the filter's classid, which cls_bpf presets in skb->tc_classid (every kernel with
 * direct action). */
#define TCCTL_HOOK_EGRESS 0x1U
#define TCCTL_HOOK_SRC_LOCAL 0x2U
#define TCCTL_HOOK_INDEX_SHIFT 2
#define TCCTL_HOOK_INDEX_MAX 16384

/* cb[2] flags */
#define TCCTL_F_IPV4 0x01U  /* an IPv4 header starts at the L3 offset */
#define TCCTL_F_IPV6 0x02U  /* an IPv6 header starts at the L3 offset */
#define TCCTL_F_PORTS 0x04U /* cb[3] holds ports */
#define TCCTL_F_ICMP 0x08U  /* cb[3] holds ICMP type and code */
#define TCCTL_F_FRAG 0x10U  /* part of a fragmented datagram (never set for IPv6 atomic fragments) */
#define TCCTL_F_LATER 0x20U /* fragment offset is not 0: there is no L4 header in this packet */
#define TCCTL_F_VLAN 0x40U  /* bits 31..16 hold the outermost VLAN TCI */
#define TCCTL_F_L2 0x80U    /* an Ethernet header starts at offset 0 */

/* Slots of jt_l3, the jump table by kind of EtherType. */
enum tcctl_l3_slot {
	TCCTL_L3_IPV4,
	TCCTL_L3_IPV6,
	TCCTL_L3_ARP,
	TCCTL_L3_MPLS,
	TCCTL_L3_PPPOE,
	TCCTL_L3_OTHER,
	TCCTL_L3_MAX,
};

/* Slots of jt_l4, the jump table by IP protocol number. */
enum tcctl_l4_slot {
	TCCTL_L4_TCP,
	TCCTL_L4_UDP,
	TCCTL_L4_ICMP,
	TCCTL_L4_ICMPV6,
	TCCTL_L4_SCTP,
	TCCTL_L4_GRE,
	TCCTL_L4_IPIP,
	TCCTL_L4_IPV6,
	TCCTL_L4_ESP,
	TCCTL_L4_AH,
	TCCTL_L4_OTHER,
	TCCTL_L4_MAX,
};

/* Slots of jt_udp, the jump table by UDP destination port. The first ones are for well-known ports;
 * the controller assigns the rest to the ports that a configuration names (cfg.udp_port[]). */
enum tcctl_udp_slot {
	TCCTL_UDP_VXLAN,  /* 4789, RFC 7348 */
	TCCTL_UDP_GENEVE, /* 6081, RFC 8926 */
	TCCTL_UDP_GTPU,   /* 2152, 3GPP TS 29.281 */
	TCCTL_UDP_MPLS,   /* 6635, RFC 7510 */
	TCCTL_UDP_FOU,    /* 5555, by convention of ip-fou(8) */
	TCCTL_UDP_GUE,    /* 6080, draft-ietf-intarea-gue */
	TCCTL_UDP_USER,
	TCCTL_UDP_MAX = TCCTL_UDP_USER + 8,
};

/*
 * Slots of jt_stage, in the fixed order of a pipeline. A handler jumps to slot 0, a stage in slot s to
 * slot s + 1. The controller fills *every* slot: a slot without a stage of its own holds the program of
 * the next slot that has one, so the next hop is always a compile-time constant and costs no empty
 * jump. After each built-in stage there is room for three user programs (`run: [{after: …}]`).
 *
 * Behind TCCTL_STAGE_END are auxiliary slots: parts of a stage that are programs of their own. Only that stage jumps
 * there, and the part leaves as its stage would. Such a slot holds its own program or nothing.
 */
#define TCCTL_STAGE_USER 3
#define TCCTL_STAGE_STRIDE (TCCTL_STAGE_USER + 1)
enum tcctl_stage_slot {
	TCCTL_STAGE_DECAP = 0,
	TCCTL_STAGE_CLASSIFY = TCCTL_STAGE_DECAP + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_POLICE = TCCTL_STAGE_CLASSIFY + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_MARK = TCCTL_STAGE_POLICE + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_ENCAP = TCCTL_STAGE_MARK + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_SHAPE = TCCTL_STAGE_ENCAP + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_END = TCCTL_STAGE_SHAPE + TCCTL_STAGE_STRIDE,
	TCCTL_STAGE_AUX,
	TCCTL_STAGE_WALK = TCCTL_STAGE_AUX, /* of classify: the look-up in the rules */
	TCCTL_STAGE_INNER_ETH,	  /* of decapsulation: dispatch of an inner Ethernet frame (entry_eth) */
	TCCTL_STAGE_ENCAP_HEADER, /* of encap: the outer header */
	TCCTL_STAGE_TOO_BIG,	  /* of encap: ICMP to the sender of what does not fit */
	TCCTL_STAGE_FLOOD,	  /* of encap: replication to several remotes */
	TCCTL_STAGE_ENCAP_SUM,	  /* of encap: sum of the payload, where the outer header has a checksum */
	TCCTL_STAGE_COUNT,	  /* of all: counts what is rare, see TCCTL_COUNT_HANDLED */
	TCCTL_STAGE_MAX,
};

/*
 * What TCCTL_STAGE_COUNT does is in the lower half of cb[4], whose class is not set yet or no longer needed: a fixed counter, and
 * whether the packet goes on to the first stage or leaves the pipeline.
 */
#define TCCTL_COUNT_HANDLED 0x8000U

/* Slots of jt_root, one table per pipeline. */
enum tcctl_root_slot {
	TCCTL_ROOT_CURRENT,  /* entry program of the running generation */
	TCCTL_ROOT_PREVIOUS, /* kept while a commit waits for confirmation */
	TCCTL_ROOT_MAX,
};

/*
 * Counters. The fixed ones (enum tcctl_fixed_counter) are the entries of the PERCPU_ARRAY `counters_fixed`: one
 * look-up on the hot path, and there for stock tc as well. `counters` is an ARRAY_OF_MAPS of PERCPU_ARRAY
 * chunks of TCCTL_CHUNK entries each; a counter id is chunk * TCCTL_CHUNK + index. Chunk 0 is never made (ids
 * below TCCTL_CNT_FIXED_MAX mean entries of `counters_fixed`), chunks [TCCTL_CHUNK_HOOKS, TCCTL_CHUNK_RULES)
 * hold one counter per hook index from TCCTL_HOOKS_FIXED on, [TCCTL_CHUNK_RULES, TCCTL_CHUNK_TUNNELS) one per (rule, class) pair, the rest
 * those of tunnels; the class's own total is the sum over its pairs, computed by the reader.
 */
struct tcctl_counter {
	__u64 packets;	/* skbs */
	__u64 segments; /* wire packets: gso_segs of each skb, 1 without GSO */
	__u64 bytes;	/* wire bytes from the L2 header on, headers of every segment included */
};

#define TCCTL_CHUNK 1024
#define TCCTL_CHUNK_HOOKS 1
#define TCCTL_CHUNK_RULES (TCCTL_CHUNK_HOOKS + TCCTL_HOOK_INDEX_MAX / TCCTL_CHUNK)
#define TCCTL_CHUNK_TUNNELS 512 /* 16 counters per tunnel id: enum tcctl_tunnel_counter of tcctl/tunnel.h */
#define TCCTL_CHUNKS_MAX (TCCTL_CHUNK_TUNNELS + 8192 * 16 / TCCTL_CHUNK)

/* Fixed counters: handler and slot counters, then outcomes. */
enum tcctl_fixed_counter {
	TCCTL_CNT_L3 = 0,			     /* + enum tcctl_l3_slot: handled */
	TCCTL_CNT_L4 = TCCTL_CNT_L3 + 16,	     /* + enum tcctl_l4_slot: handled */
	TCCTL_CNT_UDP = TCCTL_CNT_L4 + 32,	     /* + enum tcctl_udp_slot: handled */
	TCCTL_CNT_STAGE = TCCTL_CNT_UDP + 32,	     /* + enum tcctl_stage_slot: run */
	TCCTL_CNT_EMPTY_L3 = TCCTL_CNT_STAGE + 64,   /* + slot: slot was empty, packet went on */
	TCCTL_CNT_EMPTY_L4 = TCCTL_CNT_EMPTY_L3 + 16, /* + slot */
	TCCTL_CNT_EMPTY_UDP = TCCTL_CNT_EMPTY_L4 + 32,
	TCCTL_CNT_EMPTY_STAGE = TCCTL_CNT_EMPTY_UDP + 32,
	TCCTL_CNT_REASON = TCCTL_CNT_EMPTY_STAGE + 64, /* + enum tcctl_reason */
	TCCTL_CNT_HOOK = TCCTL_CNT_REASON + 64, /* + index of one of the first hooks, see TCCTL_HOOK_COUNTER() */
	TCCTL_CNT_FIXED_MAX = TCCTL_CNT_HOOK + 64,
};

/* Counter id of a hook. Most pipelines have few: their counters are fixed ones, which need no chunk and are found at once. */
#define TCCTL_HOOKS_FIXED ((__u32)TCCTL_CNT_FIXED_MAX - TCCTL_CNT_HOOK)
#define TCCTL_HOOK_COUNTER(index) \
	((index) < TCCTL_HOOKS_FIXED ? TCCTL_CNT_HOOK + (index) : TCCTL_CHUNK_HOOKS * TCCTL_CHUNK + (index))

/* Why a packet left the ordinary path. Drops are marked; all others went on untouched. */
enum tcctl_reason {
	TCCTL_R_NONE,
	TCCTL_R_RULE_DROP,	/* drop: a rule's class is `drop` */
	TCCTL_R_TRUNC_L2,	/* header cut short: passed on unclassified */
	TCCTL_R_TRUNC_L3,
	TCCTL_R_TRUNC_L4,	/* classified without ports */
	TCCTL_R_BAD_IPV4,	/* version or IHL wrong: passed on unclassified */
	TCCTL_R_BAD_IPV6,
	TCCTL_R_EXT_DEPTH,	/* more IPv6 extension headers than the bounded walk: no L4 */
	TCCTL_R_VLAN_DEPTH,	/* more VLAN tags than the bounded walk */
	TCCTL_R_NON_IP,		/* nothing to classify: passed on */
	TCCTL_R_NO_RULES,	/* no arena in the slot: passed on */
	TCCTL_R_NO_MATCH,	/* no rule matched: class keep */
	TCCTL_R_NO_ROOT,	/* context was not written by a root: program ran alone */
	TCCTL_R_TAG_FAILED,	/* a header write was refused; packet went on without the tag */
	TCCTL_R_ROOT_EMPTY,	/* jt_root slot empty: passed on */
	TCCTL_R_NO_WALK,	/* TCCTL_STAGE_WALK empty, or too many tail calls: rules not asked, class keep */
	TCCTL_R_TUNNEL_UNKNOWN, /* encapsulated, from nobody we know: left to the stack */
	TCCTL_R_TUNNEL_REFUSED, /* drop: the same where `unknown: drop` is set */
	TCCTL_R_TUNNEL_FRAGMENT, /* first fragment of an outer packet: left to the stack */
	TCCTL_R_TUNNEL_BAD,	/* tunnel header cut short or malformed, before a tunnel was known: left to the stack */
	TCCTL_R_TUNNEL_UNCUT,	/* UDP segments in one piece came out of a UDP tunnel; the kernel takes them to be in it still */
	TCCTL_R_MAX,
};

/* `ctl`: one element, written by the controller only. */
struct tcctl_ctl {
	__u32 generation; /* data generation; the arena in use is arenas[TCCTL_ARENA_SLOT(…)] */
	__u32 pad;
};

/* A class as the mark stage reads it: a row of the class table inside the arena, two rows per line.
 * Row 0 is `keep` and writes nothing. */
#define TCCTL_C_DSCP 0x01U	    /* dscp into the IPv4 TOS / IPv6 traffic class; ECN bits are kept */
#define TCCTL_C_DSCP_IF_UNSET 0x02U /* the same, only where the packet's DSCP is 0 */
#define TCCTL_C_MARK 0x04U	    /* skb->mark = (skb->mark & ~mark_mask) | mark */
#define TCCTL_C_PRIORITY 0x08U	    /* skb->priority; a classid MAJ:MIN is written here too */
#define TCCTL_C_QUEUE 0x10U	    /* skb->queue_mapping = queue (already 1-based, as the kernel wants) */
#define TCCTL_C_TC_INDEX 0x20U	    /* skb->tc_index */
#define TCCTL_C_DROP 0x40U	    /* drop at once */
#define TCCTL_C_TUNNEL 0x80U	    /* the encap stage puts the packet into this tunnel */
struct tcctl_class_row {
	__u32 flags;
	__u32 mark;
	__u32 mark_mask;
	__u32 priority;
	__u16 queue;
	__u16 tc_index;
	__u8 dscp; /* 0..63 */
	__u8 pad;
	__u16 tunnel; /* tunnel id, tcctl/tunnel.h; 0: leave the packet alone */
	__u8 pad2[8];
};

/*
 * `heads`: what of an arena every packet needs, by the arena's slot, where it is found without a helper. Written by the controller
 * after the arena is in its slot, before anything uses that slot. All 0 (nobody wrote it): the arena has to be asked.
 */
#define TCCTL_HEAD_ROWS 64U /* a power of two */
struct tcctl_head {
	__u32 stamp; /* these are as in struct arena_header */
	__u32 used;
	__u64 seed;
	struct tcctl_class_row rows[TCCTL_HEAD_ROWS]; /* of the first classes; 0 where there is no class */
};

#define TCCTL_CLASS_KEEP 0
#define TCCTL_CLASS_DROP 1
#define TCCTL_CLASS_FIRST 2

/* Load-time constants, one .rodata variable `cfg` in every program. The defaults (all 0) are what a
 * program gets that stock tc loads. */
#define TCCTL_CFG_VERDICT_OK 0x1U /* end of pipeline: TC_ACT_OK instead of TC_ACT_UNSPEC */
#define TCCTL_CFG_OBSERVE 0x2U	  /* classify and count, change and drop nothing */
#define TCCTL_CFG_ODD 0x4U	  /* reads the other arena: see TCCTL_ARENA_SLOT */
#define TCCTL_CFG_RAW 0x8U	  /* devices without an L2 header */
#define TCCTL_CFG_CLEAR_GSO 0x10U /* bpf_skb_adjust_room() knows the flags that clear stale tunnel GSO state (bits 9 to 12) */
/* Which of the two arenas belongs to a data generation, as programs with these cfg.flags see it. New rules for the same
 * programs are a new generation; programs and rules that change together change this flag instead, so that the one
 * write that switches the programs switches the rules too and no packet sees one without the other. */
#define TCCTL_ARENA_SLOT(generation, flags) (((generation) ^ ((flags) & TCCTL_CFG_ODD ? 1U : 0U)) & 1U)
struct tcctl_cfg {
	__u32 flags;
	__u32 udp_used; /* bit i: udp_port[i] is in use (slot TCCTL_UDP_USER + i) */
	__u16 udp_port[8];
	__u32 decap; /* bit per enum tcctl_tunnel_type: the pipeline decapsulates such tunnels; others' code is not even verified */
	__u32 encap; /* the same for encapsulation */
	__u32 udp_tunnels; /* bit by slot of jt_udp: a tunnel's */
};

#endif
