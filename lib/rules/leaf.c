/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Leaves: what is left of a node's boxes, as entries that are checked in full. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

static void cond_of(const struct boxes *x, uint32_t b, struct arena_cond *c)
{
	*c = (struct arena_cond){
		.dscp_lo = (uint8_t)box_lo(x, BOX_DSCP, b),
		.dscp_hi = (uint8_t)box_hi(x, BOX_DSCP, b),
		.flags = (uint8_t)box_lo(x, BOX_FLAGS, b),
		.flags_mask = (uint8_t)box_hi(x, BOX_FLAGS, b),
		.icmp_lo = (uint16_t)box_lo(x, BOX_ICMP, b),
		.icmp_hi = (uint16_t)box_hi(x, BOX_ICMP, b),
		.vlan_lo = (uint16_t)box_lo(x, BOX_VLAN, b),
		.vlan_hi = (uint16_t)box_hi(x, BOX_VLAN, b),
		.length_lo = box_lo(x, BOX_LENGTH, b),
		.length_hi = box_hi(x, BOX_LENGTH, b),
		.mark = box_lo(x, BOX_MARK, b),
		.mark_mask = box_hi(x, BOX_MARK, b),
		.maclo = box_lo(x, BOX_MACLO, b),
		.maclo_mask = box_hi(x, BOX_MACLO, b),
		.machi = (uint16_t)box_lo(x, BOX_MACHI, b),
		.machi_mask = (uint16_t)box_hi(x, BOX_MACHI, b),
		.ssets = box_lo(x, BOX_SSETS, b),
		.ssets_mask = box_hi(x, BOX_SSETS, b),
		.dsets = box_lo(x, BOX_DSETS, b),
		.dsets_mask = box_hi(x, BOX_DSETS, b),
		.need = (uint8_t)(box_hi(x, BOX_NEED, b) & ~ARENA_M_PORTS),
		.frag_lo = (uint8_t)box_lo(x, BOX_FRAG, b),
		.frag_hi = (uint8_t)box_hi(x, BOX_FRAG, b),
	};
}

/* The line of what an entry has no room for, 0 when it has room for all. */
static int cond_line(struct build *t, uint32_t b, uint32_t *ret)
{
	static const struct arena_cond open = {
		.dscp_hi = 0xff,
		.icmp_hi = 0xffff,
		.vlan_hi = 0xffff,
		.length_hi = UINT32_MAX,
		.frag_hi = 3,
	};
	struct arena_cond c;
	struct arena_line line;

	cond_of(t->x, b, &c);
	*ret = 0;
	if (!memcmp(&c, &open, sizeof(c)))
		return 0;
	memcpy(&line, &c, sizeof(line));
	return line_table_add(t->shared, t->a, &line, 1, ret);
}

static uint32_t range_word(const struct boxes *x, enum box_field f, uint32_t b)
{
	return box_lo(x, f, b) | box_hi(x, f, b) << 16;
}

static int entry4(struct build *t, uint32_t b, struct arena_entry4 *e)
{
	const struct boxes *x = t->x;
	const struct tree_rule *rule = &t->rules[x->rule[b]];
	unsigned int slen = box_prefix_len(x, BOX_SRC0, b), dlen = box_prefix_len(x, BOX_DST0, b);
	uint32_t cond;
	int err = cond_line(t, b, &cond);

	*e = (struct arena_entry4){
		.src = box_lo(x, BOX_SRC0, b),
		.dst = box_lo(x, BOX_DST0, b),
		.sport = range_word(x, BOX_SPORT, b),
		.dport = range_word(x, BOX_DPORT, b),
		.rule = x->rule[b] | slen << ARENA_RULE_BITS | (uint32_t)dlen << (ARENA_RULE_BITS + 6),
		.counter = rule->counter | box_hi(x, BOX_PROTO, b) << 24,
		.cond = cond | box_lo(x, BOX_PROTO, b) << 24,
		.class = rule->class | (box_hi(x, BOX_NEED, b) & ARENA_M_PORTS ? ARENA_E_PORTS : 0),
	};
	return err;
}

static int entry6(struct build *t, uint32_t b, struct arena_entry6 *e)
{
	const struct boxes *x = t->x;
	const struct tree_rule *rule = &t->rules[x->rule[b]];
	unsigned int len[2] = { box_prefix_len(x, BOX_SRC0, b), box_prefix_len(x, BOX_DST0, b) };
	uint32_t cond;
	int err = cond_line(t, b, &cond);

	*e = (struct arena_entry6){
		.sport = range_word(x, BOX_SPORT, b),
		.dport = range_word(x, BOX_DPORT, b),
		.rule = x->rule[b],
		.counter = rule->counter | box_hi(x, BOX_PROTO, b) << 24,
		.cond = cond | box_lo(x, BOX_PROTO, b) << 24,
		.class = rule->class | (box_hi(x, BOX_NEED, b) & ARENA_M_PORTS ? ARENA_E_PORTS : 0),
	};
	for (unsigned int i = 0; i < 4; i++) {
		e->src[i] = box_lo(x, BOX_SRC0 + i, b);
		e->dst[i] = box_lo(x, BOX_DST0 + i, b);
	}
	for (unsigned int i = 0; i < 2; i++) {
		e->shift[2 * i] = (uint8_t)(len[i] > 64 ? 0 : 64 - len[i]);
		e->shift[2 * i + 1] = (uint8_t)(len[i] > 64 ? 128 - len[i] : 64);
	}
	return err;
}

/* Can a brief entry say what is left of a box in the region? */
static bool brief_can(const struct build *t, uint32_t b, const struct region *r)
{
	uint32_t narrow = region_narrow(t, b, r), plo = box_lo(t->x, BOX_PROTO, b),
		 phi = box_hi(t->x, BOX_PROTO, b);
	uint32_t class = t->rules[t->x->rule[b]].class & 0xffff;

	if (narrow & ~t->brief || class >= ARENA_B_CLASSES ||
	    box_hi(t->x, BOX_NEED, b) & ~(uint32_t)ARENA_M_PORTS)
		return false;
	return plo == phi || (plo == 0 && phi == 0xff);
}

static void brief(const struct build *t, uint32_t b, struct arena_brief *e)
{
	const struct boxes *x = t->x;
	const struct tree_rule *rule = &t->rules[x->rule[b]];
	uint32_t class = rule->class & 0xffff, proto = box_lo(x, BOX_PROTO, b);

	*e = (struct arena_brief){
		.sport = range_word(x, BOX_SPORT, b),
		.dport = range_word(x, BOX_DPORT, b),
		.what = x->rule[b] | (class & ARENA_B_CLASSES / 2) << 19,
		.who = rule->counter | class << 20,
	};
	if (proto == box_hi(x, BOX_PROTO, b))
		e->what |= ARENA_B_PROTO | proto << 20;
	if (box_hi(x, BOX_NEED, b) & ARENA_M_PORTS)
		e->what |= ARENA_B_PORTS;
	if (rule->class & ARENA_E_DROP)
		e->what |= ARENA_B_DROP;
}

int leaf_build(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint64_t *ret,
	       size_t *ret_depth)
{
	uint32_t base, kind = ARENA_KIND_BRIEF, per_line = ARENA_BRIEFS;
	_cleanup_free_ struct arena_line *lines = NULL;
	size_t n_lines;
	int err = 0;

	if (!n) {
		*ret = tree_node(ARENA_KIND_EMPTY, 0, ARENA_NO_RULE);
		*ret_depth = 0;
		return 0;
	}
	for (size_t i = 0; i < n && kind == ARENA_KIND_BRIEF; i++)
		if (!brief_can(t, ids[i], r))
			kind = ARENA_KIND_LEAF;
	if (kind == ARENA_KIND_LEAF)
		per_line = t->family == 4 ? 2 : 1;
	n_lines = (n + per_line - 1) / per_line;
	if (n_lines > 0x7fff)
		return -EOVERFLOW;
	lines = calloc(n_lines, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		if (kind == ARENA_KIND_BRIEF)
			brief(t, ids[i], (struct arena_brief *)lines + i);
		else if (t->family == 4)
			err = entry4(t, ids[i], (struct arena_entry4 *)lines + i);
		else
			err = entry6(t, ids[i], (struct arena_entry6 *)lines + i);
	}
	if (err)
		return err;
	for (size_t i = n; i < n_lines * per_line; i++) {
		if (kind == ARENA_KIND_BRIEF)
			((struct arena_brief *)lines)[i].what = ARENA_NO_RULE;
		else
			((struct arena_entry4 *)lines)[i].rule = ARENA_NO_RULE;
	}
	err = line_table_add(t->shared, t->a, lines, n_lines, &base);
	if (err)
		return err;
	*ret = tree_node(kind, base, t->x->rule[ids[0]]) | (uint64_t)n_lines << 44;
	*ret_depth = n_lines;
	t->stats->entries += n;
	return 0;
}
