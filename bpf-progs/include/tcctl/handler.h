/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For writers of handlers and stages: the packet context, jumping on, counting, dropping.
 *
 * A pipeline runs: root, entry, a handler per protocol (by EtherType, IP protocol number, UDP port), then
 * stages in a fixed order. Programs pass a packet on by tail call; what they know about it travels in
 * skb->cb (tcctl/abi.h). A program of your own is one C file:
 *
 *	#include <tcctl/handler.h>
 *
 *	TCCTL_SLOT(TCCTL_STAGE_CLASSIFY + 1);		// where stock tc puts it; tcctl sets its own
 *
 *	SEC("tc") int mine(struct __sk_buff *skb)
 *	{
 *		tcctl_stage_begin(skb);
 *		if (tcctl_flags(skb) & TCCTL_F_PORTS && tcctl_dport(skb) == 9)
 *			return tcctl_drop(skb, TCCTL_R_RULE_DROP);
 *		return tcctl_next(skb);
 *	}
 *
 * and is built by one command:
 *
 *	clang -O2 -g -target bpf -mcpu=v2 -I/usr/include/$(uname -m)-linux-gnu -c mine.bpf.c -o mine.bpf.o
 *
 * Rules of the road:
 *  - SEC("tc") always: a jump table takes programs of one type and one expected attach type only.
 *  - Leave by tcctl_next(), tcctl_handled(), tcctl_pass() or tcctl_drop(), never by a bare return: cb leaks to
 *    the root qdisc, across redirects and into other namespaces unless it is cleared.
 *  - Read headers by tcctl_read_l3(), tcctl_read_l4() and bpf_skb_load_bytes(): a packet pointer with a variable
 *    offset loads only with CAP_PERFMON, which tcctl does not need.
 *  - No bpf-to-bpf calls: mark your functions static __always_inline.
 *  - At most 33 tail calls happen per packet; a pipeline needs about 12.
 */
#ifndef TCCTL_HANDLER_H
#define TCCTL_HANDLER_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "tcctl/abi.h"
#include "tcctl/maps.h"
#include "tcctl/count.h"

/* skb->pkt_type, of linux/if_packet.h */
#define TCCTL_PACKET_HOST 0
#define TCCTL_PACKET_OTHERHOST 3

/*
 * The slot a program sits in. `tcctl` sets it when it loads a program; under stock tc the default holds.
 * The verifier sees a constant, so jumps stay direct.
 */
#define TCCTL_SLOT(n) const volatile __u32 tcctl_slot = (n)

/* --- context ------------------------------------------------------------------------------------------ */

/*
 * Words of skb->cb. As inline assembly, because the compiler likes to keep &skb->cb in a register, and the
 * verifier refuses an access through a context pointer that was added to.
 */
#define TCCTL_CB_OFFSET(i) (__builtin_offsetof(struct __sk_buff, cb) + 4 * (i))
#define tcctl_cb(skb, i)                                                            \
	({                                                                          \
		__u64 _cb;                                                          \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                               \
			     : "=r"(_cb)                                            \
			     : "r"(skb), "i"(TCCTL_CB_OFFSET(i)));                  \
		__builtin_assume(_cb <= 0xffffffff);                                \
		(__u32)_cb;                                                         \
	})
#define tcctl_cb_set(skb, i, value)                                                 \
	({                                                                          \
		__u64 _cb = (__u32)(value);                                         \
		asm volatile("*(u32 *)(%0 + %1) = %2"                               \
			     :                                                      \
			     : "r"(skb), "i"(TCCTL_CB_OFFSET(i)), "r"(_cb)          \
			     : "memory");                                           \
	})

/* Did a root write this context? Not when a program was attached alone. */
static __always_inline bool tcctl_has_context(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_GUARD) >> 24 == TCCTL_CB_MAGIC;
}

/*
 * Was this program attached without a root in front of it? The programs that tcctl loads never are: they are
 * compiled with TCCTL_PIPELINE, without the code that works a context out alone, which is most of a small
 * handler (24 KiB of kernel memory against 4).
 */
static __always_inline bool tcctl_is_alone(const struct __sk_buff *skb)
{
#ifdef TCCTL_PIPELINE
	return false;
#else
	return tcctl_unlikely(!tcctl_has_context(skb));
#endif
}

/* Generation of the data (rules, classes) this packet is to be treated by, 0..255. */
static __always_inline __u32 tcctl_generation(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_GUARD) >> 16 & 0xff;
}

/* Hook id: TCCTL_HOOK_EGRESS, TCCTL_HOOK_SRC_LOCAL and the hook's index. */
static __always_inline __u32 tcctl_hook(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_GUARD) & 0xffff;
}

/* Offsets of the L3 and L4 header from skb->data; L4 is 0 when there is none in this packet. */
static __always_inline __u32 tcctl_l3(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_OFFSETS) & 0xffff;
}

static __always_inline __u32 tcctl_l4(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_OFFSETS) >> 16;
}

static __always_inline void tcctl_set_offsets(struct __sk_buff *skb, __u32 l3, __u32 l4)
{
	tcctl_cb_set(skb, TCCTL_CB_OFFSETS, l4 << 16 | l3);
}

/* IP protocol number of the upper layer, after IPv6 extension headers. */
static __always_inline __u32 tcctl_proto(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PROTO) & 0xff;
}

/* TCCTL_F_* */
static __always_inline __u32 tcctl_flags(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PROTO) >> 8 & 0xff;
}

/* Outermost VLAN tag, TCI and id; valid with TCCTL_F_VLAN. */
static __always_inline __u32 tcctl_vlan_tci(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PROTO) >> 16;
}

static __always_inline __u32 tcctl_vlan_id(const struct __sk_buff *skb)
{
	return tcctl_vlan_tci(skb) & 0xfff;
}

static __always_inline void tcctl_set_proto(struct __sk_buff *skb, __u32 tci, __u32 flags, __u32 proto)
{
	tcctl_cb_set(skb, TCCTL_CB_PROTO, tci << 16 | flags << 8 | proto);
}

static __always_inline void tcctl_add_flags(struct __sk_buff *skb, __u32 flags)
{
	tcctl_cb_set(skb, TCCTL_CB_PROTO, tcctl_cb(skb, TCCTL_CB_PROTO) | flags << 8);
}

/* Ports in host byte order, valid with TCCTL_F_PORTS. */
static __always_inline __u32 tcctl_sport(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PORTS) >> 16;
}

static __always_inline __u32 tcctl_dport(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PORTS) & 0xffff;
}

/* ICMP or ICMPv6 type and code, valid with TCCTL_F_ICMP. */
static __always_inline __u32 tcctl_icmp_type(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PORTS) >> 8 & 0xff;
}

static __always_inline __u32 tcctl_icmp_code(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_PORTS) & 0xff;
}

/* Class id; TCCTL_CLASS_KEEP changes nothing. Setting it keeps the tunnel id. */
static __always_inline __u32 tcctl_class(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_CLASS) & 0xffff;
}

static __always_inline void tcctl_set_class(struct __sk_buff *skb, __u32 id)
{
	tcctl_cb_set(skb, TCCTL_CB_CLASS, (tcctl_cb(skb, TCCTL_CB_CLASS) & 0xffff0000) | (id & 0xffff));
}

static __always_inline __u32 tcctl_tunnel(const struct __sk_buff *skb)
{
	return tcctl_cb(skb, TCCTL_CB_CLASS) >> 16;
}

/* --- packet bytes -------------------------------------------------------------------------------------- */

/*
 * Reading headers. Without CAP_PERFMON the verifier allows constant offsets into the packet only, and no test
 * of a packet pointer against NULL. So the functions below compare the offset with the usual ones and read
 * directly there; at any other offset, and where the bytes are not linear, a helper copies them out (some
 * 10 ns). Nothing is ever pulled in, so packet pointers stay valid and fraglist GSO packets stay whole.
 *
 * Bytes come as 32-bit words in network byte order; use bpf_ntohl(). All give false when the packet ends before.
 */

/* Packet pointer at a constant offset. Assembly, so that the compiler can neither make the offset variable nor
 * move the pointer through a 32-bit register. */
#define tcctl_data_at(skb, off)                                                                 \
	({                                                                                      \
		__u8 *_p;                                                                       \
		asm volatile("%0 = *(u32 *)(%1 + %2)\n\t%0 += %3"                               \
			     : "=&r"(_p)                                                        \
			     : "r"(skb), "i"(__builtin_offsetof(struct __sk_buff, data)), "i"(off)); \
		_p;                                                                             \
	})
#define tcctl_data_end(skb)                                                                     \
	({                                                                                      \
		__u8 *_p;                                                                       \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                           \
			     : "=r"(_p)                                                         \
			     : "r"(skb), "i"(__builtin_offsetof(struct __sk_buff, data_end)));  \
		_p;                                                                             \
	})

/* `words` words at any offset, by the helper. `words` is a constant up to 10. */
static __always_inline bool tcctl_read_slow(struct __sk_buff *skb, __u32 off, __u32 *ret_w, const __u32 words)
{
	__u32 buf[10] TCCTL_BUFFER;

	if (bpf_skb_load_bytes(skb, off, buf, 4 * words))
		return false;
	__builtin_memcpy(ret_w, buf, 4 * words);
	return true;
}

#define TCCTL_READ_IF(condition, constant)                                  \
	do {                                                                \
		if (condition) {                                            \
			const __u32 *p = (void *)tcctl_data_at(skb, constant); \
			if (tcctl_unlikely((__u8 *)(p + words) > tcctl_data_end(skb))) \
				break;                                      \
			for (__u32 i = 0; i < words; i++)                   \
				ret_w[i] = p[i];                            \
			return true;                                        \
		}                                                           \
	} while (0)
#define TCCTL_READ_AT(constant) TCCTL_READ_IF(off == (constant), constant)
#define TCCTL_READ_USUAL(constant) TCCTL_READ_IF(tcctl_is_usual(off, constant), constant)

/* At the offset of an L3 header: behind Ethernet, at the start, behind a tag, behind PPPoE. */
static __always_inline bool tcctl_read_l3(struct __sk_buff *skb, __u32 off, __u32 *ret_w, const __u32 words)
{
	TCCTL_READ_USUAL(14);
	TCCTL_READ_AT(0);
	TCCTL_READ_AT(18);
	TCCTL_READ_AT(22);
	return tcctl_read_slow(skb, off, ret_w, words);
}

/* At the offset of an L4 header: behind IPv4 without options or IPv6 without extension headers. */
static __always_inline bool tcctl_read_l4(struct __sk_buff *skb, __u32 off, __u32 *ret_w, const __u32 words)
{
	TCCTL_READ_USUAL(34);
	TCCTL_READ_AT(54);
	TCCTL_READ_AT(20);
	TCCTL_READ_AT(40);
	TCCTL_READ_AT(38);
	TCCTL_READ_AT(58);
	return tcctl_read_slow(skb, off, ret_w, words);
}

/* A sum of 16-bit words, or of wider ones, as the 16 bits of an Internet checksum before its complement. */
static __always_inline __u32 tcctl_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* --- leaving and jumping ------------------------------------------------------------------------------- */

/*
 * Jump to a constant slot; comes back only when the slot is empty. As inline assembly, so that the compiler
 * cannot merge jumps to different slots into one with a variable index (five times the cost); the memory
 * clobber keeps it from dropping writes to cb that it thinks nobody reads.
 */
#define tcctl_jump(skb, table, slot)                                                           \
	asm volatile("r1 = %[ctx]\n\t"                                                         \
		     "r2 = %[map] ll\n\t"                                                      \
		     "r3 = %[index]\n\t"                                                       \
		     "call 12"                                                                 \
		     :                                                                         \
		     : [ctx] "r"(skb), [map] "i"(&(table)), [index] "i"(slot)                  \
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory")

static __always_inline void tcctl_clear(struct __sk_buff *skb)
{
	tcctl_cb_set(skb, 0, 0);
	tcctl_cb_set(skb, 1, 0);
	tcctl_cb_set(skb, 2, 0);
	tcctl_cb_set(skb, 3, 0);
	tcctl_cb_set(skb, 4, 0);
}

/* End the pipeline's work on this packet: clear the context, return the configured verdict. */
static __always_inline int tcctl_pass(struct __sk_buff *skb)
{
	tcctl_clear(skb);
	if (!(cfg.flags & TCCTL_CFG_VERDICT_OK))
		return TC_ACT_UNSPEC;
	/* Under OK the kernel overwrites tc_index with the minor of tc_classid. */
	skb->tc_classid = skb->tc_index;
	return TC_ACT_OK;
}

/*
 * Have something rare counted, as the last thing that this program does. The programs that tcctl loads leave that to another
 * program: code that counts is most of a small handler, and each would have it once for each case.
 */
static __always_inline void tcctl_count_rare(struct __sk_buff *skb, __u32 id, __u32 then)
{
#ifdef TCCTL_PIPELINE
	tcctl_set_class(skb, id | then);
	tcctl_jump(skb, jt_stage, TCCTL_STAGE_COUNT);
	tcctl_set_class(skb, TCCTL_CLASS_KEEP); /* slot empty, or too many tail calls: goes on uncounted */
#else
	tcctl_count(skb, id);
#endif
}

/* Count under a fixed counter, then pass the packet on untouched. */
static __always_inline int tcctl_count_pass(struct __sk_buff *skb, __u32 id)
{
	tcctl_count_rare(skb, id, 0);
	return tcctl_pass(skb);
}

/* Count the reason, then pass the packet on untouched. */
static __always_inline int tcctl_pass_reason(struct __sk_buff *skb, __u32 reason)
{
	return tcctl_count_pass(skb, TCCTL_CNT_REASON + reason);
}

/* Drop, counted under a reason (enum tcctl_reason); in observe mode the packet passes. */
static __always_inline int tcctl_drop(struct __sk_buff *skb, __u32 reason)
{
	tcctl_count(skb, TCCTL_CNT_REASON + reason);
	if (cfg.flags & TCCTL_CFG_OBSERVE)
		return tcctl_pass(skb);
	tcctl_clear(skb);
	return TC_ACT_SHOT;
}

/* Send the packet to another device, flags as for bpf_redirect(). The context ends here. */
static __always_inline int tcctl_redirect(struct __sk_buff *skb, __u32 ifindex, __u64 flags)
{
	tcctl_clear(skb);
	return bpf_redirect(ifindex, flags);
}

/* Send a copy, and go on with the packet. The other device's programs run inside this call; they must not take
 * this packet's context for their own. Scratch memory of yours may be overwritten by then. */
static __always_inline long tcctl_clone_redirect(struct __sk_buff *skb, __u32 ifindex, __u64 flags)
{
	__u32 guard = tcctl_cb(skb, 0), offsets = tcctl_cb(skb, 1), proto = tcctl_cb(skb, 2);
	__u32 ports = tcctl_cb(skb, 3), class = tcctl_cb(skb, 4);
	long err;

	tcctl_clear(skb);
	err = bpf_clone_redirect(skb, ifindex, flags);
	tcctl_cb_set(skb, 0, guard);
	tcctl_cb_set(skb, 1, offsets);
	tcctl_cb_set(skb, 2, proto);
	tcctl_cb_set(skb, 3, ports);
	tcctl_cb_set(skb, 4, class);
	return err;
}

/* A handler is done: on to the first stage. */
static __always_inline int tcctl_handled(struct __sk_buff *skb)
{
	tcctl_jump(skb, jt_stage, 0);
	return tcctl_count_pass(skb, TCCTL_CNT_EMPTY_STAGE);
}

/* The same after something rare, which is counted first. */
static __always_inline int tcctl_count_handled(struct __sk_buff *skb, __u32 id)
{
	tcctl_count_rare(skb, id, TCCTL_COUNT_HANDLED);
	return tcctl_handled(skb);
}

/* A stage in a slot known when it was written is done: on to the next. */
#define tcctl_next_of(skb, slot)                                             \
	({                                                                   \
		tcctl_jump(skb, jt_stage, (slot) + 1);                       \
		tcctl_count_pass(skb, TCCTL_CNT_EMPTY_STAGE + (slot) + 1);   \
	})

/* A stage in the slot of TCCTL_SLOT() is done: on to the next. */
#define tcctl_next(skb)                                                      \
	({                                                                   \
		bpf_tail_call(skb, &jt_stage, tcctl_slot + 1);               \
		tcctl_count_pass(skb, TCCTL_CNT_EMPTY_STAGE + tcctl_slot + 1); \
	})

#include "tcctl/parse.h"

/* --- beginning ----------------------------------------------------------------------------------------- */

/*
 * A whole program: `run(skb)`, after the context was worked out up to `parsed` (enum tcctl_parsed) where no root
 * ran. The code of run() is there twice, so that the path alone, which is long, takes no registers from the
 * path in a pipeline: what it would spill to the stack costs a speculation barrier without CAP_PERFMON.
 */
#define TCCTL_PROGRAM(name, run, parsed)                             \
	SEC("tc") int name(struct __sk_buff *skb)                    \
	{                                                            \
		if (tcctl_is_alone(skb)) {       \
			struct __sk_buff *own = skb;                 \
			asm volatile("" : "+r"(own));                \
			tcctl_alone(own, parsed);                    \
			return run(own);                             \
		}                                                    \
		return run(skb);                                     \
	}

/* The same with the code of run() there once: for programs too long to be verified twice. */
#define TCCTL_PROGRAM_LONG(name, run, parsed)                        \
	SEC("tc") int name(struct __sk_buff *skb)                    \
	{                                                            \
		if (tcctl_is_alone(skb))                             \
			tcctl_alone(skb, parsed);                    \
		return run(skb);                                     \
	}

/* Begin a stage: count it; where no root ran (a program attached alone), work the context out. */
#define tcctl_stage_begin(skb)                                       \
	({                                                           \
		if (tcctl_is_alone(skb))         \
			tcctl_alone(skb, TCCTL_PARSED_L4);           \
		tcctl_count(skb, TCCTL_CNT_STAGE + tcctl_slot);      \
	})

/* The same for a stage that has nothing to do alone: the context is left empty, with class `keep`. */
#define tcctl_stage_begin_of(skb, slot)                              \
	({                                                           \
		if (tcctl_is_alone(skb))         \
			tcctl_alone(skb, TCCTL_PARSED_NOTHING);      \
		tcctl_count(skb, TCCTL_CNT_STAGE + (slot));          \
	})

/* Begin a handler of a UDP port: the same with the counter of its slot in jt_udp. */
#define tcctl_udp_begin(skb)                                         \
	({                                                           \
		if (tcctl_is_alone(skb))         \
			tcctl_alone(skb, TCCTL_PARSED_L4);           \
		tcctl_count(skb, TCCTL_CNT_UDP + tcctl_slot);        \
	})

#endif
