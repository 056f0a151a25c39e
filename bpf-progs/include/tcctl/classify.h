/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Classification: from a parsed packet to a counter and a class, through the flow cache or the arena. Used by
 * the classify stage and by act.
 *
 * **Flow cache.** Per CPU, one 64-byte line per flow, two places a flow can be in. The key is exact and has
 * just what the arena's rules look at, so an entry can never be wrong for its packet; the arena's stamp
 * in it makes entries of other arenas miss. "No rule matches" is cached like any other answer. The hash
 * has a secret seed per arena: nobody outside can aim at one place.
 *
 * **Fragments.** A later fragment has no L4 header. The first one's result is kept for a while under
 * {addresses, id, protocol, hook}, for rule sets that look at L4, and a later fragment takes it whole.
 */
#ifndef TCCTL_CLASSIFY_H
#define TCCTL_CLASSIFY_H

#define TCCTL_WANT_FLOWS
#include "tcctl/handler.h"
#include "tcctl/lookup.h"

/* 64 bits wide, like every number here that may be spilled: without CAP_PERFMON the verifier refuses 32-bit
 * spills to a stack slot that held a pointer before, and the compiler shares slots. */
struct tcctl_hit {
	__u64 counter; /* counter id of the rule; meaningless without a match */
	__u64 class;
	__u64 flags;   /* TCCTL_HIT_* */
};
#define TCCTL_HIT_MATCH 0x1U
#define TCCTL_HIT_DROP 0x2U /* the class drops */

/* A line of the flow cache. */
struct tcctl_flow {
	__u32 stamp;   /* of the arena; 0: unused */
	__u32 counter; /* counter id 19..0 | TCCTL_HIT_* << 24 */
	__u32 class;   /* class id 15..0 | first two bytes of the MAC address */
	__u32 rare;    /* VLAN << 16 | length */
	__u64 small;   /* ARENA_W_SMALL << 32 | ports, or ICMP type and code */
	__u32 mark;
	__u32 maclo;
	__u64 addr[4]; /* IPv4: only the first, source << 32 | destination */
};
_Static_assert(sizeof(struct tcctl_flow) == 64, "a flow is one line");

/* Besides the reasons: rules have to be walked. */
#define TCCTL_WALK TCCTL_R_MAX

/* What a later fragment is found by. */
struct tcctl_frag_key {
	__u64 addr[4];
	__u32 id;
	__u32 what; /* hook id << 16 | family << 8 | protocol */
};

struct tcctl_frag {
	__u32 stamp, counter, class;
};

/*
 * One packet's state while the rules are looked up, in a per-CPU map of its own. Going through a map makes every
 * path into the look-up one and the same to the verifier, which would otherwise walk its loops once for each
 * combination of what came before.
 *
 * This is read across tail calls: classify writes it and jumps to walk, which may have to jump to itself. That is
 * safe because the jump is all that happens in between. Whoever is tempted to do more there: helpers that run other
 * programs (clone, redirect) leave another packet's state here. `left` makes sure that nobody takes up what was not
 * begun: it is not 0 between such a jump and its landing only.
 */
#define TCCTL_LOOKUP_V6 0x1U
#define TCCTL_LOOKUP_SRC_LOCAL 0x2U
#define TCCTL_LOOKUP_FIRST 0x4U /* a first fragment, to be remembered */
struct tcctl_scratch {
	struct arena_key key;
	struct tcctl_flow flow;
	struct tcctl_frag_key frag;
	__u32 what;  /* TCCTL_LOOKUP_* */
	__u32 place; /* in the flow cache, where the answer goes; TCCTL_FLOWS: nowhere */
	__u32 left;  /* runs of the walk, TCCTL_WALK_RUNS before the first; 0: there is nothing to do here */
	struct tcctl_frag first; /* what `frags` shall hold */
	struct arena_walk walk;
	struct arena_trie trie;	 /* what comes before the walk, for one address after the other */
	__u64 trie_word;	 /* ARENA_W_SSETS or _DSETS: where its answer goes; 0: there is none to look up */
	__u64 trie_dst;		 /* root of the destination's trie, while the source is looked up */
};
_Static_assert(sizeof(struct tcctl_scratch) == 352, "as maps.h says");
#define TCCTL_WALK_RUNS (ARENA_RUNS + 2 * ARENA_TRIE_RUNS)
_Static_assert(sizeof(struct tcctl_frag_key) == 40 && sizeof(struct tcctl_frag) == 12, "as maps.h says");

static __always_inline struct tcctl_scratch *tcctl_scratch(void)
{
	return bpf_map_lookup_elem(&scratch, (const void *)&tcctl_key[0]);
}

static __always_inline __u64 tcctl_mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* L3 length of the largest segment. */
static __always_inline __u32 tcctl_segment_length(struct __sk_buff *skb, const struct tcctl_parse *p, __u32 total)
{
	__u32 len = p->l4 ? p->l4 - p->l3 : 0, w;

	if (tcctl_likely(!skb->gso_size) || !p->l4)
		return total;
	if (p->proto == TCCTL_IP_TCP) {
		if (!tcctl_read_slow(skb, p->l4 + 12, &w, 1))
			return total;
		len += (bpf_ntohl(w) >> 28) * 4;
	} else if (p->proto == TCCTL_IP_UDP) {
		len += 8;
	} else if (p->proto == TCCTL_IP_SCTP) {
		len += 12;
	} else {
		return total;
	}
	len += skb->gso_size;
	/* total is 0 for what is bigger than 64 KiB as a whole */
	return total && total < len ? total : len;
}

/* Fragment id; an IPv6 packet's Fragment header is looked for again. */
static __always_inline __u32 tcctl_fragment_id(struct __sk_buff *skb, const struct tcctl_parse *p)
{
	__u32 off = p->l3 + 40, w, w2[2];

	if (p->flags & TCCTL_F_IPV4) {
		if (!tcctl_read_slow(skb, p->l3 + 4, &w, 1))
			return 0;
		return bpf_ntohl(w) >> 16;
	}
	if (!tcctl_read_slow(skb, p->l3 + 4, &w, 1))
		return 0;
	w = bpf_ntohl(w) >> 8; /* next header in the low byte */
	/* Unrolled: without CAP_PERFMON the verifier follows a loop past its end, as a processor might speculate. */
#pragma unroll
	for (int i = 0; i < TCCTL_EXT_MAX; i++) {
		__u32 next = w & 0xff;

		if (!tcctl_read_slow(skb, off, w2, 2))
			return 0;
		if (next == TCCTL_IP_FRAGMENT)
			return bpf_ntohl(w2[1]);
		if (next != TCCTL_IP_HOPOPTS && next != TCCTL_IP_ROUTING && next != TCCTL_IP_DSTOPTS)
			return 0;
		w = bpf_ntohl(w2[0]);
		off += ((w >> 16 & 0xff) + 1) * 8;
		w >>= 24;
		off = tcctl_forget(skb, off);
		w = tcctl_forget(skb, w);
	}
	return 0;
}

/* First and last tree of a view, as one number. */
#define ROOTS(v6, local) (*(const __u64 *)&roots->view[ARENA_VIEW(v6, local)])
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ROOTS_FIRST (1ULL << 32)
#define ROOTS_END 1ULL
#else
#define ROOTS_FIRST 1ULL
#define ROOTS_END (1ULL << 32)
#endif

/* From the flow to the key and to the trees: what the user-space twin does. */
static __always_inline void tcctl_walk_begin(arena_t arena, struct tcctl_scratch *s)
{
	__u64 root, end, n, local, sets[2], v6 = s->what & TCCTL_LOOKUP_V6;
	const struct tcctl_flow *f = &s->flow;
	struct arena_key *key = &s->key;
	const struct arena_roots *roots;
	const struct arena_header *h;

	arena_walk_begin(&s->walk, 0, 0, v6);
	s->trie_word = 0;
	h = arena_line(arena, 0);
	roots = arena_line(arena, 1);
	if (!h || !roots)
		return;
	if (v6) {
		key->w[ARENA_W_SRC] = f->addr[0] >> 32;
		key->w[ARENA_W_SRC + 1] = f->addr[0];
		key->w[ARENA_W_SRC + 2] = f->addr[1] >> 32;
		key->w[ARENA_W_SRC + 3] = f->addr[1];
		key->w[ARENA_W_DST] = f->addr[2] >> 32;
		key->w[ARENA_W_DST + 1] = f->addr[2];
		key->w[ARENA_W_DST + 2] = f->addr[3] >> 32;
		key->w[ARENA_W_DST + 3] = f->addr[3];
	} else {
		key->w[ARENA_W_SRC] = f->addr[0] >> 32;
		key->w[ARENA_W_SRC + 1] = 0;
		key->w[ARENA_W_SRC + 2] = 0;
		key->w[ARENA_W_SRC + 3] = 0;
		key->w[ARENA_W_DST] = f->addr[0];
		key->w[ARENA_W_DST + 1] = 0;
		key->w[ARENA_W_DST + 2] = 0;
		key->w[ARENA_W_DST + 3] = 0;
	}
	n = f->small >> 32;
	key->w[ARENA_W_SMALL] = n;
	key->w[ARENA_W_PORTS] = n & ARENA_M_PORTS << 24 ? f->small : 0;
	key->w[ARENA_W_MISC] = (n & ARENA_M_ICMP << 24 ? (__u32)f->small : 0) | (f->rare & 0xffff0000);
	key->w[ARENA_W_LENGTH] = f->rare & 0xffff;
	key->w[ARENA_W_MARK] = f->mark;
	key->w[ARENA_W_MACLO] = f->maclo;
	key->w[ARENA_W_MACHI] = f->class >> 16;
	key->w[ARENA_W_SSETS] = 0;
	key->w[ARENA_W_DSETS] = 0;
	if (h->used & ARENA_USE_SETS) {
		v6 = ARENA_FORGET(key, 4, v6);
		arena_set_roots(roots, v6, sets);
		s->trie_dst = sets[1];
		if (sets[0]) {
			s->trie_word = ARENA_W_SSETS;
			arena_trie_begin(&s->trie, sets[0], key, ARENA_W_SRC);
		} else if (sets[1]) {
			s->trie_word = ARENA_W_DSETS;
			arena_trie_begin(&s->trie, sets[1], key, ARENA_W_DST);
		}
	}
	/* by masks: of branches compilers make a variable index, here one into a map value */
	v6 = ~arena_is_zero(s->what & TCCTL_LOOKUP_V6);
	local = ~arena_is_zero(s->what & TCCTL_LOOKUP_SRC_LOCAL) & ~arena_is_zero(h->used & ARENA_USE_VIEWS);
	root = ARENA_MUX(local, ARENA_MUX(v6, ROOTS(0, 0), ROOTS(1, 0)), ARENA_MUX(v6, ROOTS(0, 1), ROOTS(1, 1)));
	end = root / ROOTS_END & 0xffffffff;
	root = root / ROOTS_FIRST & 0xffffffff;
	s->walk.root = root;
	s->walk.end = end;
}

/* The sets that the addresses are in: 0 when the key has them, 1 when this has to go on. */
static __always_inline int tcctl_walk_sets(arena_t arena, struct tcctl_scratch *s)
{
	if (arena_trie_run(arena, &s->key, &s->trie))
		return 1;
	if (s->trie_word == ARENA_W_SSETS) {
		s->key.w[ARENA_W_SSETS] = s->trie.entry;
		if (s->trie_dst) {
			s->trie_word = ARENA_W_DSETS;
			arena_trie_begin(&s->trie, s->trie_dst, &s->key, ARENA_W_DST);
			return 1;
		}
	} else {
		s->key.w[ARENA_W_DSETS] = s->trie.entry;
	}
	s->trie_word = 0;
	return 0;
}

/* The walk is over: remember its answer for the flow, and for the fragments that follow. */
static __always_inline int tcctl_walk_end(struct tcctl_scratch *s, struct tcctl_hit *hit)
{
	__u64 place = TCCTL_KEY(s->place);

	hit->flags = 0;
	hit->class = TCCTL_CLASS_KEEP;
	hit->counter = 0;
	if (s->walk.best != ARENA_NO_RULE) {
		hit->flags = TCCTL_HIT_MATCH | (s->walk.class & ARENA_E_DROP ? TCCTL_HIT_DROP : 0);
		hit->class = s->walk.class & 0xffff;
		hit->counter = s->walk.counter;
	}
	if (s->place < TCCTL_FLOWS) {
		struct tcctl_flow *e = bpf_map_lookup_elem(&flows, &place);

		if (e) {
			*e = s->flow;
			e->counter = hit->counter | hit->flags << 24;
			e->class = (s->flow.class & 0xffff0000) | hit->class;
		}
	}
	if (tcctl_unlikely(s->what & TCCTL_LOOKUP_FIRST)) {
		s->first.stamp = s->flow.stamp;
		s->first.counter = hit->counter | hit->flags << 24;
		s->first.class = hit->class;
		bpf_map_update_elem(&frags, &s->frag, &s->first, BPF_ANY);
	}
	return hit->flags & TCCTL_HIT_MATCH ? TCCTL_R_NONE : TCCTL_R_NO_MATCH;
}

/*
 * One run of the walk that tcctl_classify() asked for. Returns as that does: TCCTL_WALK to be run once more, by the
 * same program or one that it jumps to.
 */
static __always_inline int tcctl_walk(arena_t arena, struct tcctl_hit *hit)
{
	struct tcctl_scratch *s = tcctl_scratch();
	__u32 left;

	if (!s)
		return TCCTL_R_NO_WALK;
	left = s->left;
	if (!left)
		return TCCTL_R_NO_WALK;
	s->left = left - 1;
	if (left == TCCTL_WALK_RUNS)
		tcctl_walk_begin(arena, s);
	/* what was written is now read back, not remembered */
	asm volatile("" : "+r"(s) : : "memory");
	if (s->trie_word && tcctl_walk_sets(arena, s))
		return TCCTL_WALK;
	asm volatile("" : "+r"(s) : : "memory");
	if (arena_walk_run(arena, &s->key, &s->walk) && s->left)
		return TCCTL_WALK;
	s->left = 0;
	return tcctl_walk_end(s, hit);
}

/* Is this the flow? Both come from the same arena's idea of what counts. */
static __always_inline bool tcctl_flow_is(const struct tcctl_flow *e, const struct tcctl_flow *f, __u32 v6, __u32 rare)
{
	if (e->stamp != f->stamp || e->small != f->small || e->addr[0] != f->addr[0])
		return false;
	if (v6 && (e->addr[1] != f->addr[1] || e->addr[2] != f->addr[2] || e->addr[3] != f->addr[3]))
		return false;
	if (rare && (e->rare != f->rare || e->mark != f->mark || e->maclo != f->maclo ||
		     (e->class ^ f->class) >> 16))
		return false;
	return true;
}

static __always_inline void tcctl_flow_hit(const struct tcctl_flow *e, struct tcctl_hit *hit)
{
	hit->counter = e->counter & 0xfffff;
	hit->flags = e->counter >> 24;
	hit->class = e->class & 0xffff;
}

/* From here on, ask these again: what an earlier branch said of a bit would be another path for the verifier. */
#define AGAIN(flags, used) asm volatile("" : "+r"(flags), "+r"(used))

/*
 * Classify one packet by the rules of `arena`. Returns TCCTL_R_NONE and *hit, or TCCTL_R_NO_MATCH, NON_IP,
 * NO_RULES, TRUNC_L3; or TCCTL_WALK, when the rules have to be asked: by tcctl_walk(), at once.
 */
static __always_inline int tcctl_classify(struct __sk_buff *skb, const struct tcctl_parse *p, __u32 hook,
					  arena_t arena, struct tcctl_hit *hit)
{
	__u64 v6 = p->flags & TCCTL_F_IPV6, src_local = hook & TCCTL_HOOK_SRC_LOCAL;
	__u64 used, ports = 0, meta = 0, dscp, rare, swap, flags = p->flags;
	__u32 w[10], ip, total;
	struct tcctl_flow f = {}, *e, *e2;
	const struct arena_header *h;
	__u64 hash, src, dst, place, key;
	struct tcctl_scratch *s;

	if (!(p->flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6)))
		return TCCTL_R_NON_IP;
	h = arena_header(arena);
	if (!h)
		return TCCTL_R_NO_RULES;
	used = h->used;
	f.stamp = h->stamp;
	swap = used & ARENA_USE_RELATIVE && src_local;

	if (v6) {
		__u64 a, b, c, d;

		if (!tcctl_read_l3(skb, p->l3, w, 10))
			return TCCTL_R_TRUNC_L3;
		ip = bpf_ntohl(w[0]);
		dscp = ip >> 22 & 63;
		total = (bpf_ntohl(w[1]) >> 16) + 40;
		a = (__u64)bpf_ntohl(w[2]) << 32 | bpf_ntohl(w[3]);
		b = (__u64)bpf_ntohl(w[4]) << 32 | bpf_ntohl(w[5]);
		c = (__u64)bpf_ntohl(w[6]) << 32 | bpf_ntohl(w[7]);
		d = (__u64)bpf_ntohl(w[8]) << 32 | bpf_ntohl(w[9]);
		f.addr[0] = swap ? c : a;
		f.addr[1] = swap ? d : b;
		f.addr[2] = swap ? a : c;
		f.addr[3] = swap ? b : d;
		meta = ARENA_M_V6;
	} else {
		if (!tcctl_read_l3(skb, p->l3, w, 5))
			return TCCTL_R_TRUNC_L3;
		ip = bpf_ntohl(w[0]);
		dscp = ip >> 18 & 63;
		total = ip & 0xffff;
		src = bpf_ntohl(w[3]);
		dst = bpf_ntohl(w[4]);
		f.addr[0] = swap ? dst << 32 | src : src << 32 | dst;
	}
	AGAIN(flags, used);
	v6 = flags & TCCTL_F_IPV6;
	swap = used & ARENA_USE_RELATIVE && src_local;
	if (p->flags & TCCTL_F_PORTS &&
	    (p->proto == TCCTL_IP_TCP || p->proto == TCCTL_IP_UDP || p->proto == TCCTL_IP_SCTP)) {
		meta |= ARENA_M_PORTS;
		ports = swap ? p->ports << 16 | p->ports >> 16 : p->ports;
	} else if (p->flags & TCCTL_F_ICMP && used & ARENA_USE_ICMP &&
		   p->proto == (v6 ? TCCTL_IP_ICMPV6 : TCCTL_IP_ICMP)) {
		meta |= ARENA_M_ICMP;
		ports = p->ports & 0xffff;
	}
	if (used & ARENA_USE_VIEWS && src_local)
		meta |= ARENA_M_SRC_LOCAL;
	if (tcctl_unlikely(p->flags & TCCTL_F_FRAG && used & ARENA_USE_FRAG))
		meta |= (p->flags & TCCTL_F_LATER ? 2 : 1) << ARENA_M_FRAG_SHIFT;
	f.small = p->proto | (used & ARENA_USE_DSCP ? dscp << 8 : 0);
	if (used & ARENA_USE_FLAGS && p->proto == TCCTL_IP_TCP && p->flags & TCCTL_F_PORTS) {
		if (tcctl_read_slow(skb, p->l4 + 12, w, 1)) {
			meta |= ARENA_M_FLAGS;
			f.small |= bpf_ntohl(w[0]) & 0xff0000;
		}
	}
	AGAIN(flags, used);
	rare = used & ARENA_USE_RARE;
	if (rare) {
		if (rare & ARENA_USE_LENGTH) {
			total = tcctl_forget(skb, tcctl_segment_length(skb, p, total));
			f.rare = total < 0xffff ? total : 0xffff;
		}
		if (rare & ARENA_USE_VLAN)
			f.rare |= (p->flags & TCCTL_F_VLAN ? p->tci & 0xfff : ARENA_NO_VLAN) << 16;
		if (rare & ARENA_USE_MARK)
			f.mark = skb->mark;
		if (rare & ARENA_USE_MAC && p->flags & TCCTL_F_L2) {
			/* the neighbour: source of what comes in, destination of what goes out */
			if (tcctl_read_slow(skb, hook & TCCTL_HOOK_EGRESS ? 0 : 6, w, 2)) {
				meta |= ARENA_M_MAC;
				f.class = bpf_ntohl(w[0]) & 0xffff0000;
				f.maclo = bpf_ntohl(w[0]) << 16 | bpf_ntohl(w[1]) >> 16;
			}
		}
	}
	f.small = (f.small | (__u64)meta << 24) << 32 | ports;
	/* from here on: where the answer goes, besides to the caller */
	place = TCCTL_FLOWS; /* nowhere */
	AGAIN(flags, used);
	v6 = flags & TCCTL_F_IPV6;
	rare = used & ARENA_USE_RARE;
	if (tcctl_unlikely(flags & TCCTL_F_FRAG && used & ARENA_USE_L4)) {
		/* id first: it calls helpers that want the stack */
		__u32 id = tcctl_forget(skb, tcctl_fragment_id(skb, p));

		s = tcctl_scratch();
		if (!s)
			return TCCTL_R_NO_RULES;
		s->frag.addr[0] = f.addr[0];
		s->frag.addr[1] = f.addr[1];
		s->frag.addr[2] = f.addr[2];
		s->frag.addr[3] = f.addr[3];
		s->frag.id = id;
		s->frag.what = hook << 16 | (v6 ? 6 : 4) << 8 | p->proto;
		AGAIN(flags, used);
		if (flags & TCCTL_F_LATER) {
			const struct tcctl_frag *first = bpf_map_lookup_elem(&frags, &s->frag);

			if (first && first->stamp == f.stamp) {
				hit->counter = first->counter & 0xfffff;
				hit->flags = first->counter >> 24;
				hit->class = first->class;
				goto found;
			}
		}
		goto lookup;
	}

	if (used & ARENA_NO_CACHE)
		goto lookup;
	hash = tcctl_mix(h->seed, f.addr[0]);
	if (v6) {
		hash = tcctl_mix(hash, f.addr[1]);
		hash = tcctl_mix(hash, f.addr[2]);
		hash = tcctl_mix(hash, f.addr[3]);
	}
	if (rare) {
		hash = tcctl_mix(hash, (__u64)f.rare << 32 | f.mark);
		hash = tcctl_mix(hash, (__u64)f.class << 32 | f.maclo);
	}
	hash = tcctl_mix(hash, f.small);
	place = hash % TCCTL_FLOWS;
	key = TCCTL_KEY(place);
	e = bpf_map_lookup_elem(&flows, &key);
	if (!e)
		return TCCTL_R_NO_RULES;
	if (tcctl_likely(tcctl_flow_is(e, &f, v6, rare))) {
		tcctl_flow_hit(e, hit);
		goto found;
	}
	hash = (hash >> 40) % TCCTL_FLOWS;
	key = TCCTL_KEY(hash);
	e2 = bpf_map_lookup_elem(&flows, &key);
	if (!e2)
		return TCCTL_R_NO_RULES;
	if (tcctl_likely(tcctl_flow_is(e2, &f, v6, rare))) {
		tcctl_flow_hit(e2, hit);
		goto found;
	}
	/* Into a place that holds nothing of this arena, else into either: a flow pushed out goes to its other
	 * place the next time, and so the table fills up evenly. */
	if (e->stamp == f.stamp && (e2->stamp != f.stamp || bpf_get_prandom_u32() & 1))
		place = hash;
lookup:
	s = tcctl_scratch();
	if (!s)
		return TCCTL_R_NO_RULES;
	s->flow = f;
	AGAIN(flags, used);
	v6 = flags & TCCTL_F_IPV6;
	s->what = (v6 ? TCCTL_LOOKUP_V6 : 0) | (src_local ? TCCTL_LOOKUP_SRC_LOCAL : 0) |
		  ((flags & (TCCTL_F_FRAG | TCCTL_F_LATER)) == TCCTL_F_FRAG && used & ARENA_USE_L4 ? TCCTL_LOOKUP_FIRST : 0);
	s->place = place;
	s->left = TCCTL_WALK_RUNS;
	return TCCTL_WALK;
found:
	return hit->flags & TCCTL_HIT_MATCH ? TCCTL_R_NONE : TCCTL_R_NO_MATCH;
}

/* What classify and walk do with the answer: the stage's end. */
static __always_inline int tcctl_classified(struct __sk_buff *skb, int reason, const struct tcctl_hit *hit)
{
	if (tcctl_unlikely(reason)) {
		if (reason == TCCTL_WALK) {
			struct tcctl_scratch *s;

			tcctl_jump(skb, jt_stage, TCCTL_STAGE_WALK);
			s = tcctl_scratch();
			if (s)
				s->left = 0; /* nobody takes it up later */
			tcctl_count(skb, TCCTL_CNT_EMPTY_STAGE + TCCTL_STAGE_WALK);
			reason = TCCTL_R_NO_WALK;
		}
		tcctl_count(skb, TCCTL_CNT_REASON + reason);
		return tcctl_next_of(skb, TCCTL_STAGE_CLASSIFY);
	}
	tcctl_count_id(skb, hit->counter);
	if (hit->flags & TCCTL_HIT_DROP)
		return tcctl_drop(skb, TCCTL_R_RULE_DROP);
	tcctl_set_class(skb, hit->class);
	return tcctl_next_of(skb, TCCTL_STAGE_CLASSIFY);
}

/* The arena of a generation; NULL when there is none. */
static __always_inline arena_t tcctl_arena(__u32 generation)
{
	__u64 half = TCCTL_KEY(TCCTL_ARENA_SLOT(generation, cfg.flags));

	return bpf_map_lookup_elem(&arenas, &half);
}

#endif
