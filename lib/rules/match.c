/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The twin: what the classify stage does behind its flow cache, from the same source. */
#include <string.h>

#include "box.h"

#define TRACE_MAX 512

static void key_addr(uint32_t *w, const uint8_t *addr, unsigned int family)
{
	for (unsigned int i = 0; i < (family == 4 ? 1 : 4); i++)
		w[i] = (uint32_t)addr[4 * i] << 24 | (uint32_t)addr[4 * i + 1] << 16 | (uint32_t)addr[4 * i + 2] << 8 |
		       addr[4 * i + 3];
}

static void key_make(const struct rules_packet *p, uint32_t used, struct arena_key *key)
{
	bool swap = used & ARENA_USE_RELATIVE && p->src_local;
	bool ports = p->has_ports && (p->proto == 6 || p->proto == 17 || p->proto == 132);
	bool icmp = p->has_icmp && ((p->family == 4 && p->proto == 1) || (p->family == 6 && p->proto == 58));
	uint32_t frag = p->frag & SPEC_FRAG_FIRST ? 1 : p->frag & SPEC_FRAG_LATER ? 2 : 0;
	uint32_t meta = frag << ARENA_M_FRAG_SHIFT;

	memset(key, 0, sizeof(*key));
	key_addr(key->w + (swap ? ARENA_W_DST : ARENA_W_SRC), p->src, p->family);
	key_addr(key->w + (swap ? ARENA_W_SRC : ARENA_W_DST), p->dst, p->family);
	if (ports) {
		meta |= ARENA_M_PORTS;
		key->w[ARENA_W_PORTS] = swap ? (uint32_t)p->dport << 16 | p->sport : (uint32_t)p->sport << 16 | p->dport;
	}
	if (icmp)
		meta |= ARENA_M_ICMP;
	if (p->has_flags && p->proto == 6)
		meta |= ARENA_M_FLAGS;
	if (p->has_mac)
		meta |= ARENA_M_MAC;
	key->w[ARENA_W_SMALL] = p->proto | (uint32_t)p->dscp << 8 |
				(meta & ARENA_M_FLAGS ? (uint32_t)p->tcp_flags << 16 : 0) | meta << 24;
	key->w[ARENA_W_MISC] = (icmp ? (uint32_t)p->icmp_type << 8 | p->icmp_code : 0) | p->vlan << 16;
	key->w[ARENA_W_LENGTH] = p->length;
	key->w[ARENA_W_MARK] = p->mark;
	if (p->has_mac) {
		key->w[ARENA_W_MACHI] = (uint32_t)p->mac[0] << 8 | p->mac[1];
		key->w[ARENA_W_MACLO] = (uint32_t)p->mac[2] << 24 | (uint32_t)p->mac[3] << 16 |
					(uint32_t)p->mac[4] << 8 | p->mac[5];
	}
}

int rules_match_arena(const struct rules_arena *arena, const struct rules_packet *p, unsigned int *ret_lines)
{
	uint32_t trace[TRACE_MAX];
	struct arena_view view = {
		.lines = arena->lines, .n_lines = (uint32_t)arena->n_lines,
		.trace = ret_lines ? trace : NULL, .max_trace = TRACE_MAX,
	};
	const struct arena_header *h = arena_header(&view);
	const struct arena_roots *roots;
	struct arena_result res;
	struct arena_key key;
	bool v6 = p->family == 6;
	uint32_t v;

	if (!h)
		return -1;
	roots = arena_line(&view, 1);
	if (!roots)
		return -1;
	view.n_trace = 0; /* header and roots do not count as table lines */
	key_make(p, h->used, &key);
	if (h->used & ARENA_USE_SETS)
		arena_key_sets(&view, roots, &key, v6);
	v = ARENA_VIEW(v6, h->used & ARENA_USE_VIEWS && p->src_local);
	if (v6)
		arena_lookup(&view, &key, roots->view[v].first, roots->view[v].end, 1, &res);
	else
		arena_lookup(&view, &key, roots->view[v].first, roots->view[v].end, 0, &res);
	if (ret_lines) {
		unsigned int distinct = 0;

		for (uint32_t i = 0; i < view.n_trace; i++) {
			uint32_t j = 0;

			while (j < i && trace[j] != trace[i])
				j++;
			distinct += j == i;
		}
		*ret_lines = distinct;
	}
	return res.rule == ARENA_NO_RULE ? -1 : (int)res.rule;
}
