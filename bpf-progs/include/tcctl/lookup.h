/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking a key up in an arena. One source for the kernel and for user space: the twin that tests run by the
 * million is this code.
 *
 * What the verifier wants shows in the shape: one flat, bounded loop over lines instead of loops in loops, no
 * variable index into the stack (the key lives in a map value), results in registers.
 */
#ifndef TCCTL_LOOKUP_H
#define TCCTL_LOOKUP_H

#include "tcctl/arena.h"

/* Lines a tree walk may read; the compiler refuses rule sets that could need more. */
#define ARENA_STEPS 128
/* Lines it reads in one run of a program. Most packets need one run, hardly any more than two. */
#define ARENA_RUN 8
#define ARENA_RUNS (ARENA_STEPS / ARENA_RUN)
/* The same for the steps through a set trie: nearly always one run for an address. */
#define ARENA_TRIE_RUN 12
#define ARENA_TRIE_RUNS (ARENA_TRIE_STEPS / ARENA_TRIE_RUN)

/*
 * Before a loop: in the kernel there are none. Without CAP_PERFMON the verifier follows a loop past its end, as a
 * processor might by speculation. Before 6.16 nothing stops it there: the counter is any number then, no turn is like
 * another that is done, and it gives up ("the sequence of 8193 jumps is too complex").
 */
#ifdef __bpf__
#define ARENA_UNROLL _Pragma("unroll")
#else
#define ARENA_UNROLL
#endif

/*
 * The same value, but any value to the verifier: by way of spare words of the key, which in the kernel is in a map.
 * A number that ends up in an offset is tracked back to where it came from; if that is an earlier turn of a
 * loop, each turn's ranges differ and no two states are found equal.
 */
#ifdef __bpf__
#define ARENA_FORGET(key, spare, v)                                            \
	({                                                                     \
		volatile __u64 *_slot = (void *)&(key)->w[ARENA_WORDS + 1 + 2 * (spare)]; \
		*_slot = (v);                                                  \
		(__typeof__(v))*_slot;                                         \
	})
#else
#define ARENA_FORGET(key, spare, v) (v)
#endif

/*
 * Choosing one of several words without a variable offset into a map value: such an offset makes a verifier
 * without CAP_PERFMON compare states bit by bit, and no loop is ever found to be the same again. Without a
 * branch, too: which word it is follows from the packet, and would be mispredicted half of the time. The empty
 * assembly keeps the compiler from seeing what this is.
 */
#define ARENA_OPAQUE(x) asm volatile("" : "+r"(x))
#define ARENA_MUX(mask, a, b) ((a) ^ (((a) ^ (b)) & (mask)))

/* All ones for 0, else 0. */
static __always_inline __u64 arena_is_zero(__u64 x)
{
	__u64 y = -x;

	ARENA_OPAQUE(y);
	x = ((x | y) >> 63) - 1;
	ARENA_OPAQUE(x);
	return x;
}

/* Negative when x is not in lo..hi, all of them less than 2^63. */
#define ARENA_OUTSIDE(x, lo, hi) (((__u64)(x) - (__u64)(lo)) | ((__u64)(hi) - (__u64)(x)))

static __always_inline __u64 arena_pick8(const __u64 *d, __u64 i)
{
	__u64 m1 = -(i & 1), m2 = -(i >> 1 & 1), m4 = -(i >> 2 & 1), a, b;

	ARENA_OPAQUE(m1);
	ARENA_OPAQUE(m2);
	ARENA_OPAQUE(m4);
	a = ARENA_MUX(m1, d[0], d[1]);
	b = ARENA_MUX(m1, d[2], d[3]);
	a = ARENA_MUX(m2, a, b);
	ARENA_OPAQUE(a);
	{
		__u64 c = ARENA_MUX(m1, d[4], d[5]);

		b = ARENA_MUX(m1, d[6], d[7]);
		b = ARENA_MUX(m2, c, b);
	}
	return ARENA_MUX(m4, a, b);
}

/* One of sixteen 32-bit words. */
static __always_inline __u32 arena_pick16(const struct arena_line *line, __u64 i)
{
	__u64 pair = arena_pick8((const __u64 *)line, i >> 1 & 7), half = (i & 1) << 5;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	half ^= 32;
#endif
	ARENA_OPAQUE(half);
	return pair >> (half & 32);
}

/* The key word that a cut looks at: a branch for four of them, among which masks choose. */
#define ARENA_WORD4(w0, w1, w2, w3)                                            \
	({                                                                     \
		__u64 _a = w[w0], _b = w[w1], _c = w[w2], _d = w[w3];          \
		_a = ARENA_MUX(m1, _a, _b);                                    \
		_c = ARENA_MUX(m1, _c, _d);                                    \
		ARENA_MUX(m2, _a, _c);                                         \
	})

static __always_inline __u64 arena_cut_word(const struct arena_key *key, __u64 word)
{
	const volatile __u32 *w = key->w;
	__u64 m1 = -(word & 1), m2 = -(word >> 1 & 1);

	ARENA_OPAQUE(m1);
	ARENA_OPAQUE(m2);
	if (word < 4)
		return ARENA_WORD4(ARENA_W_SRC, ARENA_W_DST, ARENA_W_PORTS, ARENA_W_SMALL);
	if (word < 8)
		return ARENA_WORD4(ARENA_W_SRC + 1, ARENA_W_DST + 1, ARENA_W_SRC + 2, ARENA_W_DST + 2);
	if (word < 12)
		return ARENA_WORD4(ARENA_W_SRC + 3, ARENA_W_DST + 3, ARENA_W_MISC, ARENA_W_LENGTH);
	if (word < 16)
		return ARENA_WORD4(ARENA_W_MARK, ARENA_W_MACLO, ARENA_W_MACHI, ARENA_W_SSETS);
	return w[ARENA_W_DSETS];
}

/* Field accessors of node descriptors. */
static __always_inline __u32 arena_node_base(__u64 d)
{
	return d & (ARENA_LINES_MAX - 1);
}

static __always_inline __u32 arena_node_rule(__u64 d)
{
	return d >> 24 & ARENA_NO_RULE;
}

static __always_inline __u32 arena_node_kind(__u64 d)
{
	return d >> 60;
}

/*
 * An address on its way through a set trie: what is looked at next, and the address from there on (IPv4: in the upper
 * half of `hi`). At the end `entry` says which big sets the address is in: bit i for set i.
 */
struct arena_trie {
	__u64 entry, hi, lo;
};

static __always_inline void arena_trie_begin(struct arena_trie *t, __u64 root, const struct arena_key *key, const int word)
{
	t->entry = root;
	t->hi = (__u64)key->w[word] << 32 | key->w[word + 1];
	t->lo = (__u64)key->w[word + 2] << 32 | key->w[word + 3];
}

/* Go on for ARENA_TRIE_RUN steps: 0 when the answer is there, 1 when it has to go on. */
static __always_inline int arena_trie_run(arena_t arena, struct arena_key *key, struct arena_trie *t)
{
	__u64 entry = t->entry, hi = t->hi, lo = t->lo;

	ARENA_UNROLL
	for (int i = 0; i < ARENA_TRIE_RUN; i++) {
		__u32 base = entry & ((1U << 25) - 1);

		hi = ARENA_FORGET(key, 0, hi);
		lo = ARENA_FORGET(key, 1, lo);

		if (entry >> ARENA_T_SHIFT == ARENA_T_VALUE)
			goto over;
		if (entry >> ARENA_T_SHIFT == ARENA_T_NODE) {
			__u32 stride = entry >> 25 & 31;
			__u32 index = hi >> ((64 - stride) & 63);
			const struct arena_line *line = arena_line(arena, base + (index >> 4));

			if (!line)
				goto nothing;
			entry = arena_pick16(line, index);
			hi = hi << stride | lo >> ((64 - stride) & 63);
			lo <<= stride;
		} else {
			const struct arena_bucket *b = arena_line(arena, base);
			__u64 rest = 64, len;

			if (!b)
				goto nothing;
			entry = b->other;
			/* without a branch: the verifier would walk each combination, the processor mispredict it */
#define ARENA_TRY(n)                                                                  \
	do {                                                                          \
		__u64 skip = b->skip[n];                                              \
		__u64 hit = arena_is_zero((hi ^ b->bits[n]) >> (skip & 63) | skip >> 6); \
		entry = ARENA_MUX(hit, entry, b->entry[n]);                           \
		rest = ARENA_MUX(hit, rest, skip);                                    \
	} while (0);
			/* backwards: the longest is the last to be seen, and stays */
			ARENA_TRY(3)
			ARENA_TRY(2)
			ARENA_TRY(1)
			ARENA_TRY(0)
#undef ARENA_TRY
			if (rest == 64)
				goto over;
			len = 64 - rest;
			hi = hi << (len >> 1) << (len - (len >> 1)) | lo >> rest;
			lo = lo << (len >> 1) << (len - (len >> 1));
		}
	}
	t->entry = entry;
	t->hi = hi;
	t->lo = lo;
	return 1;
nothing:
	entry = 0;
over:
	t->entry = entry;
	return 0;
}

/*
 * What follows compares without branches and gives 0 for "matches": a branch per field would be a path per field to
 * the verifier, times the turns of the loop, and for the processor one more to guess wrong.
 */

/* What an entry has no room for. */
static __always_inline __u64 arena_cond_misses(const struct arena_cond *c, const struct arena_key *key)
{
	__u64 small = key->w[ARENA_W_SMALL], misc = key->w[ARENA_W_MISC], length = key->w[ARENA_W_LENGTH];
	__u64 meta = small >> 24, bad, outside;

	bad = ~meta & c->need;
	bad |= ((small >> 16 & 0xff) ^ c->flags) & c->flags_mask;
	bad |= (key->w[ARENA_W_MARK] ^ c->mark) & c->mark_mask;
	bad |= (key->w[ARENA_W_MACLO] ^ c->maclo) & c->maclo_mask;
	bad |= (key->w[ARENA_W_MACHI] ^ c->machi) & c->machi_mask;
	bad |= (key->w[ARENA_W_SSETS] ^ c->ssets) & c->ssets_mask;
	bad |= (key->w[ARENA_W_DSETS] ^ c->dsets) & c->dsets_mask;
	outside = ARENA_OUTSIDE(small >> 8 & 0xff, c->dscp_lo, c->dscp_hi);
	outside |= ARENA_OUTSIDE(meta >> ARENA_M_FRAG_SHIFT & 3, c->frag_lo, c->frag_hi);
	outside |= ARENA_OUTSIDE(misc & 0xffff, c->icmp_lo, c->icmp_hi);
	outside |= ARENA_OUTSIDE(misc >> 16, c->vlan_lo, c->vlan_hi);
	outside |= ARENA_OUTSIDE(length, c->length_lo, c->length_hi);
	return bad | outside >> 63;
}

/* Protocol and ports of an entry, the same in both kinds. */
static __always_inline __u64 arena_ports_miss(__u64 sport_range, __u64 dport_range, __u64 proto_lo, __u64 proto_hi,
					      __u64 class, const struct arena_key *key)
{
	__u64 ports = key->w[ARENA_W_PORTS], small = key->w[ARENA_W_SMALL], outside, wants;

	outside = ARENA_OUTSIDE(ports >> 16, sport_range & 0xffff, sport_range >> 16);
	outside |= ARENA_OUTSIDE(ports & 0xffff, dport_range & 0xffff, dport_range >> 16);
	outside |= (small >> 24 & ARENA_M_PORTS) - 1; /* no ports: negative */
	wants = class / ARENA_E_PORTS & 1;
	outside &= -wants;
	outside |= ARENA_OUTSIDE(small & 0xff, proto_lo, proto_hi);
	return outside >> 63;
}

static __always_inline __u64 arena_entry4_misses(const struct arena_entry4 *e, const struct arena_key *key)
{
	__u64 lens = e->rule >> ARENA_RULE_BITS;

	/* 64-bit shifts, because a length of 0 shifts by 32 */
	return (__u64)(key->w[ARENA_W_SRC] ^ e->src) >> ((32 - (lens & 63)) & 63) |
	       (__u64)(key->w[ARENA_W_DST] ^ e->dst) >> ((32 - (lens >> 6)) & 63) |
	       arena_ports_miss(e->sport, e->dport, e->cond >> 24, e->counter >> 24, e->class, key);
}

/* Bits that differ in the 64 - skip first ones. skip is 0..64. */
static __always_inline __u64 arena_half_misses(const __u32 *a, const __u32 *b, __u64 skip)
{
	__u64 diff = (__u64)(a[0] ^ b[0]) << 32 | (a[1] ^ b[1]);

	return diff >> (skip >> 1 & 63) >> ((skip - (skip >> 1)) & 63);
}

static __always_inline __u64 arena_entry6_misses(const struct arena_entry6 *e, const struct arena_key *key)
{
	return arena_half_misses(key->w + ARENA_W_SRC, e->src, e->shift[0]) |
	       arena_half_misses(key->w + ARENA_W_DST, e->dst, e->shift[2]) |
	       arena_half_misses(key->w + ARENA_W_SRC + 2, e->src + 2, e->shift[1]) |
	       arena_half_misses(key->w + ARENA_W_DST + 2, e->dst + 2, e->shift[3]) |
	       arena_ports_miss(e->sport, e->dport, e->cond >> 24, e->counter >> 24, e->class, key);
}

/* The first of a line's brief entries that matches: what and who of it; ARENA_NO_RULE when none does. */
static __always_inline __u64 arena_brief_first(const struct arena_brief *e, const struct arena_key *key, __u64 *ret_who)
{
	__u64 ports = key->w[ARENA_W_PORTS], small = key->w[ARENA_W_SMALL], what = ARENA_NO_RULE, who = 0;
	__u64 none = (small >> 24 & ARENA_M_PORTS) - 1; /* no ports: negative */

	/* backwards: the first is the last to be seen, and stays */
#define ARENA_TRY(n)                                                                                \
	do {                                                                                        \
		__u64 w = e[n].what, sport = e[n].sport, dport = e[n].dport, out, proto;            \
		out = ARENA_OUTSIDE(ports >> 16, sport & 0xffff, sport >> 16) | none;               \
		out |= ARENA_OUTSIDE(ports & 0xffff, dport & 0xffff, dport >> 16);                  \
		out &= -(w / ARENA_B_PORTS & 1);                                                    \
		proto = (small ^ w >> 20) & 0xff & -(w / ARENA_B_PROTO & 1);                        \
		out = (__s64)(out | -proto) >> 63; /* all ones: does not match */                   \
		ARENA_OPAQUE(out);                                                                  \
		what = ARENA_MUX(out, w, what);                                                     \
		who = ARENA_MUX(out, (__u64)e[n].who, who);                                         \
	} while (0)
	ARENA_TRY(3);
	ARENA_TRY(2);
	ARENA_TRY(1);
	ARENA_TRY(0);
#undef ARENA_TRY
	*ret_who = who;
	return what;
}

/* Class id and ARENA_E_* of a brief entry. */
static __always_inline __u64 arena_brief_class(__u64 what, __u64 who)
{
	return who >> 20 | (what >> 19 & (ARENA_B_CLASSES / 2)) | (what >> 13 & ARENA_E_DROP);
}

/* Roots of the set tries for source and destination. A mask, not a branch: compilers make a variable offset of that,
 * see above. */
static __always_inline void arena_set_roots(const struct arena_roots *roots, __u32 v6, __u64 ret[2])
{
	__u64 m = ~arena_is_zero(v6);

	ret[0] = ARENA_MUX(m, roots->set[0][0], roots->set[0][1]);
	ret[1] = ARENA_MUX(m, roots->set[1][0], roots->set[1][1]);
}

/* Take the entry at `e` if it matches, and go on with the next tree; go on with the next tree, too, when a better
 * rule is known already: what follows in a leaf is worse still. */
#define ARENA_TRY_ENTRY(family)                                                \
	do {                                                                   \
		if ((e->rule & ARENA_NO_RULE) >= best)                         \
			goto next_tree;                                        \
		if (!arena_entry##family##_misses(e, key) &&                   \
		    arena_cond_holds(arena, e->cond & 0xffffff, key)) {        \
			best = e->rule & ARENA_NO_RULE;                        \
			counter = e->counter & 0xfffff;                     \
			class = e->class;                                   \
			goto next_tree;                                        \
		}                                                              \
	} while (0)

static __always_inline int arena_cond_holds(arena_t arena, __u32 line, const struct arena_key *key)
{
	const struct arena_cond *cond;

	if (!line)
		return 1;
	cond = arena_line(arena, line);
	return cond && !arena_cond_misses(cond, key);
}

/*
 * A walk through trees, and between two runs all there is to know about it. In the kernel it is in a map, not on the
 * stack: what is read from there is any number to the verifier, and it takes no register while it is not used.
 */
struct arena_walk {
	__u64 node;    /* descriptor to look at next; 0: that of the next tree */
	__u64 root;    /* next tree, up to `end`: numbers of descriptors counted from line 0 */
	__u64 end;
	__u64 v6;
	__u64 best;    /* number of the best rule so far, ARENA_NO_RULE: none matched yet */
	__u64 counter; /* its counter id */
	__u64 class;   /* its class id 15..0 | ARENA_E_* */
};

static __always_inline void arena_walk_begin(struct arena_walk *w, __u64 root, __u64 end, __u64 v6)
{
	w->node = 0;
	w->root = root;
	w->end = end;
	w->v6 = v6;
	w->best = ARENA_NO_RULE;
	w->counter = 0;
	w->class = 0;
}

/*
 * Go on for ARENA_RUN lines: 0 when the walk is over, 1 when it has to go on. Trees come best rule first, and one is left
 * as soon as nothing better can be in it.
 */
static __always_inline int arena_walk_run(arena_t arena, const struct arena_key *key, struct arena_walk *w)
{
	/* best and what goes with it: not written to the map as it is found, because that makes states that the verifier
	 * takes for different ones */
	__u64 node = w->node, best = w->best & ARENA_NO_RULE, counter = w->counter, class = w->class, root;
	const struct arena_nodes *nodes;
	int more = 1;

	ARENA_UNROLL
	for (int i = 0; i < ARENA_RUN; i++) {
		if (!i && !node)
			goto next_tree;
		if (arena_node_kind(node) == ARENA_KIND_CUT) {
			__u64 bits = node >> 54 & 31;
			__u64 index = arena_cut_word(key, node >> 44 & 31) >> (node >> 49 & 31) & ((1ULL << bits) - 1);

			nodes = arena_line(arena, arena_node_base(node) + (index >> 3));
			if (!nodes)
				goto over;
			node = arena_pick8(nodes->d, index);
			/* an empty one says ARENA_NO_RULE */
			if (arena_node_rule(node) >= best)
				goto next_tree;
			continue;
		}
		if (arena_node_kind(node) == ARENA_KIND_BRIEF) {
			const struct arena_brief *e = arena_line(arena, arena_node_base(node));
			__u64 what, who;

			if (!e)
				goto over;
			if ((e->what & ARENA_NO_RULE) >= best)
				goto next_tree;
			what = arena_brief_first(e, key, &who);
			if ((what & ARENA_NO_RULE) < best) {
				best = what & ARENA_NO_RULE;
				counter = who & 0xfffff;
				class = arena_brief_class(what, who);
				goto next_tree;
			}
		} else if (w->v6) {
			const struct arena_entry6 *e = arena_line(arena, arena_node_base(node));

			if (!e)
				goto over;
			ARENA_TRY_ENTRY(6);
		} else {
			const struct arena_entry4 *e = arena_line(arena, arena_node_base(node));

			if (!e)
				goto over;
			ARENA_TRY_ENTRY(4);
			e++; /* the unused half of a last line says ARENA_NO_RULE */
			ARENA_TRY_ENTRY(4);
		}
		/* the next line of the leaf: one further on, one less to go */
		node -= (1ULL << 44) - 1;
		if (node >> 44 & 0x7fff)
			continue;
next_tree:
		root = w->root;
		if (root >= w->end)
			goto over;
		w->root = root + 1;
		nodes = arena_line(arena, root >> 3);
		if (!nodes)
			goto over;
		node = arena_pick8(nodes->d, root);
		if (arena_node_rule(node) >= best)
			goto over;
	}
	w->node = node;
	goto out;
over:
	more = 0;
out:
	w->best = best;
	w->counter = counter;
	w->class = class;
	return more;
}

#ifndef __bpf__
/* Fill in the key's set words, when the rules use big sets. */
static __always_inline void arena_key_sets(arena_t arena, const struct arena_roots *roots, struct arena_key *key,
					   __u32 v6)
{
	struct arena_trie t;
	__u64 root[2];

	arena_set_roots(roots, v6, root);
	arena_trie_begin(&t, root[0], key, ARENA_W_SRC);
	for (int run = 0; run < ARENA_TRIE_RUNS && arena_trie_run(arena, key, &t); run++)
		;
	key->w[ARENA_W_SSETS] = t.entry;
	arena_trie_begin(&t, root[1], key, ARENA_W_DST);
	for (int run = 0; run < ARENA_TRIE_RUNS && arena_trie_run(arena, key, &t); run++)
		;
	key->w[ARENA_W_DSETS] = t.entry;
}

struct arena_result {
	__u64 rule;    /* index, ARENA_NO_RULE: none matched */
	__u64 counter; /* counter id */
	__u64 class;   /* class id 15..0 | ARENA_E_* */
};

/* Find the first rule that matches in the trees `root` to `end`: all runs in a row. */
static __always_inline void arena_lookup(arena_t arena, const struct arena_key *key, __u64 root, __u64 end, __u64 v6,
					 struct arena_result *ret)
{
	struct arena_walk w;

	arena_walk_begin(&w, root, end, v6);
	for (int run = 0; run < ARENA_RUNS && arena_walk_run(arena, key, &w); run++)
		;
	ret->rule = w.best;
	ret->counter = w.counter;
	ret->class = w.class;
}
#endif

#endif
