/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The arena: a compiled rule set, one block of 64-byte lines. In the kernel it is an inner ARRAY with
 * value size 64 of the map-in-map `arenas`; in user space a plain allocation. The same source reads both.
 *
 *   line 0   header: what every packet needs
 *   line 1   roots: what a packet needs that the flow cache did not know
 *   then     class table (two rows of struct tcctl_class_row a line), trees, leaves, conditions, set tries
 *
 * A **tree** cuts the space of headers by bits of one key word at a time. A node is a 64-bit descriptor that
 * lives in its parent, so that a cut costs one line: the one with the chosen child's descriptor.
 * A **leaf** is a run of lines with rule entries, best rule first, each checked in full: whatever the cuts
 * did, a rule matches only where it should. A **condition** is what an entry has no room for.
 * A **set trie** maps an address to one bit for each big prefix list that holds it.
 *
 * All integers are in host byte order. An arena is never changed after it was made.
 */
#ifndef TCCTL_ARENA_H
#define TCCTL_ARENA_H

#include <linux/types.h>

#include "abi.h"

#define ARENA_LINE 64
#define ARENA_MAGIC 0x74634132U /* "tcA2": changes with every change of the layout */

struct arena_line {
	__u32 w[ARENA_LINE / 4];
} __attribute__((aligned(8)));

/* What the rules of an arena look at: decides what goes into the key, and with it how finely flows are told
 * apart. Addresses, ports, protocol and family are always in. */
#define ARENA_USE_DSCP 0x0001U
#define ARENA_USE_FLAGS 0x0002U
#define ARENA_USE_ICMP 0x0004U
#define ARENA_USE_VLAN 0x0008U
#define ARENA_USE_LENGTH 0x0010U
#define ARENA_USE_MARK 0x0020U
#define ARENA_USE_MAC 0x0040U
#define ARENA_USE_FRAG 0x0080U
#define ARENA_USE_L4 0x0100U	  /* ports, ICMP or flags: later fragments ask for their first one's class */
#define ARENA_USE_RELATIVE 0x0200U /* remote is looked up as source: swap where the source is local */
#define ARENA_USE_VIEWS 0x0400U	  /* relative and absolute keys: a tree of its own where the source is local */
#define ARENA_USE_SETS 0x0800U
#define ARENA_NO_CACHE 0x1000U	  /* the lookup is cheaper than the flow cache */
#define ARENA_USE_RARE (ARENA_USE_VLAN | ARENA_USE_LENGTH | ARENA_USE_MARK | ARENA_USE_MAC)

/* Line 0. */
struct arena_header {
	__u32 magic;
	__u32 n_lines;	  /* this one included */
	__u32 stamp;	  /* differs between any two arenas; never 0 */
	__u32 used;	  /* ARENA_USE_* */
	__u64 seed;	  /* of the flow cache's hash */
	__u32 class_base; /* first line of the class table */
	__u32 n_classes;
	__u32 n_rules;
	__u32 reserved[7];
};

/* Line 1. A view is the trees for one family and, with ARENA_USE_VIEWS, one side: see ARENA_VIEW(). */
#define ARENA_VIEW(v6, src_local) (((v6) ? 1U : 0U) | ((src_local) ? 2U : 0U))
#define ARENA_VIEWS 4
struct arena_roots {
	struct {
		__u32 first, end; /* descriptors of trees, best rule first, eight a line, counted from line 0 */
	} view[ARENA_VIEWS];
	__u32 set[2][2]; /* set tries: [source, destination][v4, v6], an entry of ARENA_T_* */
	__u32 reserved[4];
};

/* Key: what a packet looks like to the trees. */
#define ARENA_W_SRC 0	/* 4 words, most significant first; IPv4 in the first */
#define ARENA_W_DST 4
#define ARENA_W_PORTS 8 /* source << 16 | destination */
#define ARENA_W_SMALL 9 /* protocol | DSCP << 8 | TCP flags << 16 | ARENA_M_* << 24 */
#define ARENA_W_MISC 10 /* ICMP type and code | VLAN << 16 */
#define ARENA_W_LENGTH 11
#define ARENA_W_MARK 12
#define ARENA_W_MACLO 13 /* last four bytes of the neighbour's MAC address */
#define ARENA_W_MACHI 14 /* first two */
#define ARENA_W_SSETS 15 /* sets that hold the source */
#define ARENA_W_DSETS 16
#define ARENA_WORDS 17

#define ARENA_M_PORTS 0x01U /* TCP, UDP or SCTP with ports */
#define ARENA_M_ICMP 0x02U  /* ICMP in IPv4 or ICMPv6 in IPv6 with type and code */
#define ARENA_M_FLAGS 0x04U /* TCP flags */
#define ARENA_M_MAC 0x08U
#define ARENA_M_FRAG_SHIFT 4 /* 0 whole, 1 first, 2 later fragment */
#define ARENA_M_V6 0x40U
#define ARENA_M_SRC_LOCAL 0x80U /* only with ARENA_USE_VIEWS */
#define ARENA_NO_VLAN 0x1000U

struct arena_key {
	__u32 w[ARENA_WORDS + 15]; /* room for every 5-bit word number */
} __attribute__((aligned(8)));

/*
 * Node descriptor:   base line 23..0 | best rule below 43..24 | kind 61..60
 *   cut              ARENA_CUT_* 48..44 | shift 53..49 | bits 58..54; child i is descriptor i from the base on
 *   leaf, brief      number of lines 58..44
 */
#define ARENA_KIND_EMPTY 0U
#define ARENA_KIND_CUT 1U
#define ARENA_KIND_LEAF 2U
#define ARENA_KIND_BRIEF 3U
#define ARENA_RULE_BITS 20
#define ARENA_NO_RULE ((1U << ARENA_RULE_BITS) - 1)
#define ARENA_LINES_MAX (1U << 24)

/* Key words by the numbers that cuts use: the commonest first. */
enum arena_cut {
	ARENA_CUT_SRC0,
	ARENA_CUT_DST0,
	ARENA_CUT_PORTS,
	ARENA_CUT_SMALL,
	ARENA_CUT_SRC1,
	ARENA_CUT_DST1,
	ARENA_CUT_SRC2,
	ARENA_CUT_DST2,
	ARENA_CUT_SRC3,
	ARENA_CUT_DST3,
	ARENA_CUT_MISC,
	ARENA_CUT_LENGTH,
	ARENA_CUT_MARK,
	ARENA_CUT_MACLO,
	ARENA_CUT_MACHI,
	ARENA_CUT_SSETS,
	ARENA_CUT_DSETS,
};

struct arena_nodes {
	__u64 d[ARENA_LINE / 8];
};

/* Leaf entries. Ranges are lo | hi << 16. */
#define ARENA_E_PORTS 0x10000U /* in class: the packet must have ports, and in these ranges */
#define ARENA_E_DROP 0x20000U  /* in class: the class drops */
struct arena_entry4 {
	__u32 src, dst;
	__u32 sport, dport;
	__u32 rule;    /* rule 19..0 | source prefix length 25..20 | destination prefix length 31..26 */
	__u32 counter; /* counter id 19..0 | highest protocol 31..24 */
	__u32 cond;    /* line of a condition or 0, 23..0 | lowest protocol 31..24 */
	__u32 class;   /* class id 15..0 | ARENA_E_* */
};

struct arena_entry6 {
	__u32 src[4], dst[4];
	__u32 sport, dport;
	__u32 rule;
	__u32 counter;
	__u32 cond;
	__u32 class;
	__u8 shift[4]; /* bits not looked at in each half: source high, low, destination high, low */
	__u32 reserved;
};

/*
 * Brief entries, four a line, of both families: where cuts have settled all but the ports and the protocol.
 *   what   rule 19..0 | protocol 27..20 | ARENA_B_* | thirteenth bit of the class id 31
 *   who    counter id 19..0 | twelve bits of the class id 31..20
 */
#define ARENA_BRIEFS 4
#define ARENA_B_PROTO 0x10000000U /* the protocol must be this one */
#define ARENA_B_PORTS 0x20000000U /* the packet must have ports, and in these ranges */
#define ARENA_B_DROP 0x40000000U  /* the class drops */
#define ARENA_B_CLASSES 0x2000U	  /* higher class ids have no room */
struct arena_brief {
	__u32 sport, dport;
	__u32 what, who;
};

/* A condition: one line. All of it must hold. */
struct arena_cond {
	__u8 dscp_lo, dscp_hi;
	__u8 flags, flags_mask;
	__u16 icmp_lo, icmp_hi;
	__u16 vlan_lo, vlan_hi;
	__u32 length_lo, length_hi;
	__u32 mark, mark_mask;
	__u32 maclo, maclo_mask;
	__u16 machi, machi_mask;
	__u32 ssets, ssets_mask;
	__u32 dsets, dsets_mask;
	__u8 need; /* ARENA_M_ICMP, FLAGS, MAC */
	__u8 frag_lo, frag_hi, pad;
	__u32 reserved;
};

/*
 * Set tries. An entry says what an address belongs to, or where to look on:
 *   value    bit i: the address is in big set i
 *   node     stride 29..25 | line 24..0; 2^stride entries, sixteen a line
 *   bucket   line 24..0 of a struct arena_bucket
 */
#define ARENA_T_VALUE 0U
#define ARENA_T_NODE 1U
#define ARENA_T_BUCKET 2U
#define ARENA_T_SHIFT 30
#define ARENA_SETS 30
#define ARENA_TRIE_STEPS 24 /* each takes at least six bits, or is the last */

/* A few prefixes that are not worth a node: those of at most 64 more bits, longest first. An entry that is not
 * a value leads on, for the bits behind the prefix: that is how bits that all have in common are skipped. */
#define ARENA_BUCKET 4
struct arena_bucket {
	__u64 bits[ARENA_BUCKET]; /* left-aligned */
	__u32 entry[ARENA_BUCKET];
	__u32 other;		  /* entry where none of them matches; a value */
	__u8 skip[ARENA_BUCKET];  /* 64 - length; 255: unused */
	__u32 reserved[2];
};

/* One entry of the class table's lines. */
#define ARENA_ROWS (ARENA_LINE / 32)
_Static_assert(sizeof(struct tcctl_class_row) == 32, "two class rows a line");
_Static_assert(sizeof(struct arena_header) == ARENA_LINE, "header is one line");
_Static_assert(sizeof(struct arena_roots) == ARENA_LINE, "roots are one line");
_Static_assert(sizeof(struct arena_entry4) == ARENA_LINE / 2, "two IPv4 entries a line");
_Static_assert(sizeof(struct arena_entry6) == ARENA_LINE, "one IPv6 entry a line");
_Static_assert(sizeof(struct arena_brief) == ARENA_LINE / ARENA_BRIEFS, "four brief entries a line");
_Static_assert(sizeof(struct arena_cond) == ARENA_LINE, "a condition is one line");
_Static_assert(sizeof(struct arena_bucket) == ARENA_LINE, "a bucket is one line");

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tcctl/maps.h"

/* An arena is the inner map. */
typedef void *arena_t;

static __always_inline const void *arena_line(arena_t arena, __u32 i)
{
	__u64 key = TCCTL_KEY(i);

	return bpf_map_lookup_elem(arena, &key);
}
#else
#include <stddef.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* An arena is its lines, plus what the twin wants to know about a lookup. */
struct arena_view {
	const struct arena_line *lines;
	__u32 n_lines;
	__u32 *trace; /* NULL, or where the numbers of the lines read go */
	__u32 n_trace, max_trace;
};
typedef struct arena_view *arena_t;

static __always_inline const void *arena_line(arena_t arena, __u32 i)
{
	if (i >= arena->n_lines)
		return NULL;
	if (arena->trace && arena->n_trace < arena->max_trace)
		arena->trace[arena->n_trace++] = i;
	return arena->lines + i;
}
#endif

/* The header, or NULL when this is no arena of ours. */
static __always_inline const struct arena_header *arena_header(arena_t arena)
{
	const struct arena_header *h = arena_line(arena, 0);

	return h && h->magic == ARENA_MAGIC ? h : (const struct arena_header *)0;
}

#ifndef __bpf__
/* What `heads` has of an arena; nothing of one that is not of this layout. */
static inline void arena_head(const struct arena_header *h, struct tcctl_head *ret)
{
	*ret = (struct tcctl_head){};
	if (h->magic == ARENA_MAGIC)
		*ret = (struct tcctl_head){ .stamp = h->stamp, .used = h->used, .seed = h->seed };
}
#endif

/* The row of a class; NULL for an id outside the table, which no arena of ours names. */
static __always_inline const struct tcctl_class_row *arena_class_row(arena_t arena, const struct arena_header *h,
								      __u32 class_id)
{
	const struct tcctl_class_row *row;

	if (class_id >= h->n_classes)
		return (const struct tcctl_class_row *)0;
	row = arena_line(arena, h->class_base + class_id / ARENA_ROWS);
	if (!row)
		return row;
	/*
	 * A branch, not an offset, and an assembly in it that keeps compilers from making one of it: a variable offset
	 * into a map value costs a mask without CAP_PERFMON, and from then on no two states of a program are
	 * found equal that are not bit by bit.
	 */
	if (class_id & 1) {
		row++;
		asm volatile("" : "+r"(row));
	}
	return row;
}

#endif
