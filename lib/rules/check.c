/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Rules that can never match.
 *
 * Most rules are cleared of suspicion by a look-up: a point of the rule's own that finds the rule itself in the
 * compiled set proves that it is reachable. What is left is decided exactly, by taking the boxes of earlier
 * rules away from the rule's boxes until nothing is left or something is, within a budget of work. When the
 * budget ends, the rest is named as not examined.
 *
 * Membership in a big set is one bit here: a rule on a set is compared with rules on the same set, not with
 * rules on the prefixes in it. That can leave a hidden rule unmentioned, never accuse a live one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "box.h"

#define WORK 1500000000ULL
#define WORK_RULE 4000000ULL
#define DEPTH 1000 /* of the recursion: pieces of pieces */
#define POINTS 6
#define HIDERS 4

struct check {
	const struct spec_ruleset *set;
	struct tcctl_diags *diags;
	struct rules_arena arena;
	struct boxes boxes[ARENA_VIEWS];
	uint64_t work, rule_work;
	uint64_t seed;
};

static const uint8_t port_protos[] = { 6, 17, 132 };

static bool field_contains(enum box_field f, uint32_t alo, uint32_t ahi, uint32_t blo, uint32_t bhi)
{
	if (f >= BOX_MASKED)
		return !(ahi & ~bhi) && !((alo ^ blo) & ahi);
	return alo <= blo && ahi >= bhi;
}

static bool field_overlaps(enum box_field f, uint32_t alo, uint32_t ahi, uint32_t blo, uint32_t bhi)
{
	if (f >= BOX_MASKED)
		return !((alo ^ blo) & ahi & bhi);
	return alo <= bhi && ahi >= blo;
}

static void box_get(const struct boxes *x, size_t b, struct box *ret)
{
	ret->rule = x->rule[b];
	for (enum box_field f = 0; f < BOX_FIELDS; f++) {
		ret->lo[f] = box_lo(x, f, b);
		ret->hi[f] = box_hi(x, f, b);
	}
}

/* Boxes of `b` with what follows from the keys it has: ports mean one of three protocols, and so on. Up to three;
 * none when the keys exclude each other. */
static size_t box_realise(const struct box *b, unsigned int family, struct box *ret)
{
	uint32_t need = b->hi[BOX_NEED], n = 0;
	uint8_t protos[3];
	size_t k = 0;

	if (!(need & (ARENA_M_PORTS | ARENA_M_ICMP | ARENA_M_FLAGS))) {
		ret[0] = *b;
		return 1;
	}
	if (b->lo[BOX_FRAG] == 2)
		return 0;
	for (size_t i = 0; i < 3; i++)
		if (!(need & ARENA_M_FLAGS) || port_protos[i] == 6)
			protos[n++] = port_protos[i];
	if (need & ARENA_M_ICMP) {
		if (need & (ARENA_M_PORTS | ARENA_M_FLAGS))
			return 0;
		protos[0] = family == 4 ? 1 : 58;
		n = 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (protos[i] < b->lo[BOX_PROTO] || protos[i] > b->hi[BOX_PROTO])
			continue;
		ret[k] = *b;
		ret[k].lo[BOX_PROTO] = ret[k].hi[BOX_PROTO] = protos[i];
		if (ret[k].hi[BOX_FRAG] == 3 || ret[k].hi[BOX_FRAG] == 2)
			ret[k].hi[BOX_FRAG] = 1;
		k++;
	}
	return k;
}

static uint32_t pick(struct check *c, uint32_t lo, uint32_t hi, unsigned int how)
{
	if (how < 2)
		return how ? hi : lo;
	c->seed = c->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return lo + (uint32_t)((c->seed >> 32) * ((uint64_t)(hi - lo) + 1) >> 32);
}

/* Does a point of the box find its own rule in the compiled set? */
static bool reachable_by_point(struct check *c, unsigned int view, const struct box *b)
{
	struct arena_view lines = { .lines = c->arena.lines, .n_lines = (uint32_t)c->arena.n_lines };
	const struct arena_roots *roots = arena_line(&lines, 1);

	for (unsigned int how = 0; roots && how < POINTS; how++) {
		struct arena_key key = {};
		struct arena_result res;
		uint32_t v[BOX_FIELDS];

		for (enum box_field f = 0; f < BOX_FIELDS; f++) {
			v[f] = f >= BOX_MASKED ? b->lo[f] | (pick(c, 0, box_field_max(f), how) & ~b->hi[f]) :
						 pick(c, b->lo[f], b->hi[f], how);
		}
		for (unsigned int i = 0; i < 4; i++) {
			key.w[ARENA_W_SRC + i] = view & 1 || !i ? v[BOX_SRC0 + i] : 0;
			key.w[ARENA_W_DST + i] = view & 1 || !i ? v[BOX_DST0 + i] : 0;
		}
		/* just what the keys ask for is present: real packets like that exist */
		if (v[BOX_FRAG] == 3)
			v[BOX_FRAG] = 0;
		key.w[ARENA_W_PORTS] = v[BOX_SPORT] << 16 | v[BOX_DPORT];
		key.w[ARENA_W_SMALL] = v[BOX_PROTO] | (v[BOX_DSCP] & 63) << 8 | v[BOX_FLAGS] << 16 |
				       (b->hi[BOX_NEED] | v[BOX_FRAG] << ARENA_M_FRAG_SHIFT) << 24;
		key.w[ARENA_W_MISC] = v[BOX_ICMP] | v[BOX_VLAN] << 16;
		key.w[ARENA_W_LENGTH] = v[BOX_LENGTH];
		key.w[ARENA_W_MARK] = v[BOX_MARK];
		key.w[ARENA_W_MACLO] = v[BOX_MACLO];
		key.w[ARENA_W_MACHI] = v[BOX_MACHI];
		key.w[ARENA_W_SSETS] = v[BOX_SSETS];
		key.w[ARENA_W_DSETS] = v[BOX_DSETS];
		arena_lookup(&lines, &key, roots->view[view].first, roots->view[view].end, view & 1, &res);
		if (res.rule == b->rule)
			return true;
	}
	return false;
}

/* The rules that hide something, without repetition; n > HIDERS: more than are kept. */
struct hiders {
	uint32_t rule[HIDERS];
	size_t n;
};

static void hiders_add(struct hiders *h, uint32_t rule)
{
	for (size_t i = 0; i < h->n && i < HIDERS; i++)
		if (h->rule[i] == rule)
			return;
	if (h->n < HIDERS)
		h->rule[h->n] = rule;
	h->n++;
}

/* Is all of `b` inside boxes ids[0..n)? 1 yes, 0 no, -EAGAIN: out of budget. */
static int covered(struct check *c, const struct boxes *x, const struct box *b, const uint32_t *ids, size_t n,
		   unsigned int depth, struct hiders *h)
{
	struct box piece;

	if (depth > DEPTH)
		return -EAGAIN;

	for (size_t i = 0; i < n; i++) {
		bool overlaps = true;
		struct box a;

		c->work += 4;
		c->rule_work += 4;
		if (c->rule_work > WORK_RULE || c->work > WORK)
			return -EAGAIN;
		for (enum box_field f = 0; f < BOX_FIELDS && overlaps; f++)
			overlaps = field_overlaps(f, box_lo(x, f, ids[i]), box_hi(x, f, ids[i]), b->lo[f], b->hi[f]);
		if (!overlaps)
			continue;
		hiders_add(h, x->rule[ids[i]]);
		box_get(x, ids[i], &a);
		piece = *b;
		/* field by field, what sticks out of `a` must be inside the others */
		for (enum box_field f = 0; f < BOX_FIELDS; f++) {
			uint32_t lo = piece.lo[f], hi = piece.hi[f];
			int r = 1;

			if (field_contains(f, a.lo[f], a.hi[f], lo, hi))
				continue;
			if (f < BOX_MASKED) {
				if (lo < a.lo[f]) {
					piece.hi[f] = a.lo[f] - 1;
					r = covered(c, x, &piece, ids + i + 1, n - i - 1, depth + 1, h);
				}
				if (r == 1 && hi > a.hi[f]) {
					piece.lo[f] = a.hi[f] + 1;
					piece.hi[f] = hi;
					r = covered(c, x, &piece, ids + i + 1, n - i - 1, depth + 1, h);
				}
				piece.lo[f] = lo > a.lo[f] ? lo : a.lo[f];
				piece.hi[f] = hi < a.hi[f] ? hi : a.hi[f];
			} else {
				for (uint32_t rest = a.hi[f] & ~hi; rest && r == 1; rest &= rest - 1) {
					uint32_t bit = rest & -rest;

					piece.hi[f] |= bit;
					piece.lo[f] = (piece.lo[f] & ~bit) | (~a.lo[f] & bit);
					r = covered(c, x, &piece, ids + i + 1, n - i - 1, depth + 1, h);
					piece.lo[f] ^= bit;
				}
			}
			if (r != 1)
				return r;
		}
		return 1;
	}
	return 0;
}

/* Is a box of a rule hidden by earlier rules? */
static int box_hidden(struct check *c, unsigned int view, const struct box *b, uint32_t *ids, struct hiders *h)
{
	const struct boxes *x = &c->boxes[view];
	size_t n = 0;

	for (size_t i = 0; i < x->n && x->rule[i] < b->rule; i++) {
		bool overlaps = true, contains = true;

		c->work++;
		for (enum box_field f = 0; f < BOX_FIELDS && overlaps; f++) {
			if (!x->field[f].lo)
				continue;
			overlaps = field_overlaps(f, x->field[f].lo[i], x->field[f].hi[i], b->lo[f], b->hi[f]);
			contains &= overlaps && field_contains(f, x->field[f].lo[i], x->field[f].hi[i], b->lo[f], b->hi[f]);
		}
		if (!overlaps)
			continue;
		if (contains) {
			hiders_add(h, x->rule[i]);
			return 1;
		}
		ids[n++] = (uint32_t)i;
	}
	return covered(c, x, b, ids, n, 0, h);
}

static void report(struct check *c, size_t rule, const struct hiders *h)
{
	const struct spec_rule *r = &c->set->rules[rule], *by = &c->set->rules[h->rule[0]];
	struct diag *g;

	if (h->n == 1) {
		g = diag_warning(c->diags, &r->loc, "this rule never matches: the rule at line %u takes all its packets",
				 by->loc.line);
	} else if (h->n == 2) {
		g = diag_warning(c->diags, &r->loc,
				 "this rule never matches: the rules at lines %u and %u together take all its packets",
				 by->loc.line, c->set->rules[h->rule[1]].loc.line);
	} else {
		g = diag_warning(c->diags, &r->loc,
				 "this rule never matches: earlier rules together take all its packets, among them those at "
				 "lines %u, %u and %u",
				 by->loc.line, c->set->rules[h->rule[1]].loc.line, c->set->rules[h->rule[2]].loc.line);
	}
	diag_hint(g, "move it up, or remove it");
}

/* 1: never matches, *h says why (n 0: contradiction); 0: may match; -EAGAIN; -errno */
static int rule_hidden(struct check *c, uint32_t rule, size_t *at, uint32_t *ids, struct hiders *h)
{
	bool possible = false;

	c->rule_work = 0;
	*h = (struct hiders){};
	for (unsigned int v = 0; v < ARENA_VIEWS; v++) {
		const struct boxes *x = &c->boxes[v];

		for (size_t i = at[v]; i < x->n && x->rule[i] == rule; i++) {
			struct box b, real[3];
			size_t n;

			box_get(x, i, &b);
			n = box_realise(&b, v & 1 ? 6 : 4, real);
			for (size_t k = 0; k < n; k++) {
				int r;

				possible = true;
				if (c->arena.lines && reachable_by_point(c, v, &real[k]))
					return 0;
				r = box_hidden(c, v, &real[k], ids, h);
				if (r != 1)
					return r;
			}
		}
	}
	if (!possible)
		h->n = 0;
	return 1;
}

int rules_check(const struct spec *spec, const struct spec_ruleset *set, struct tcctl_diags *diags)
{
	struct check c = { .set = set, .diags = diags, .seed = 1 };
	struct tcctl_diags *quiet = diags_new();
	size_t at[ARENA_VIEWS] = {}, most = 0, skipped = 0, bad;
	_cleanup_free_ uint32_t *zeros = calloc(set->n_rules + 1, sizeof(*zeros));
	_cleanup_free_ uint32_t *ids = NULL;
	struct box_sets sets = {};
	struct box_mode mode;
	int err = 0;

	if (!quiet || !zeros) {
		diags_free(quiet);
		return -ENOMEM;
	}
	/* without an arena everything is decided the long way */
	(void)rules_compile(spec, set, zeros, NULL, quiet, &c.arena, NULL);
	diags_free(quiet);
	box_mode_of(set, &mode);
	for (unsigned int v = 0; v < ARENA_VIEWS && !err; v++) {
		if (v & 2 && !mode.views)
			continue;
		err = boxes_expand(spec, set, &mode, v & 1 ? 6 : 4, v & 2, RULES_BUDGET_DEFAULT / 48, &sets, &c.boxes[v],
				   &bad);
		if (c.boxes[v].n > most)
			most = c.boxes[v].n;
	}
	ids = malloc((most + 1) * sizeof(*ids));
	if (!ids && !err)
		err = -ENOMEM;
	for (uint32_t r = 0; r < set->n_rules && !err; r++) {
		struct hiders h;
		int hidden = c.work > WORK ? -EAGAIN : rule_hidden(&c, r, at, ids, &h);

		if (hidden == 1 && h.n)
			report(&c, r, &h);
		else if (hidden == 1)
			diag_hint(diag_warning(diags, &set->rules[r].loc,
					       "this rule never matches: no packet can have all its keys at once"),
				  "ports need tcp, udp or sctp; flags need tcp; icmp excludes ports; both addresses must be "
				  "of one family");
		else if (hidden == -EAGAIN)
			skipped++;
		for (unsigned int v = 0; v < ARENA_VIEWS; v++)
			while (at[v] < c.boxes[v].n && c.boxes[v].rule[at[v]] <= r)
				at[v]++;
	}
	if (skipped && !err)
		diag_add(diags, DIAG_NOTE, &set->loc,
			 "%zu of %zu rules of %s overlap with so many others that whether they can match was not worked out",
			 skipped, set->n_rules, set->name);
	box_sets_done(&sets);
	for (unsigned int v = 0; v < ARENA_VIEWS; v++)
		boxes_done(&c.boxes[v]);
	rules_arena_done(&c.arena);
	return err == -E2BIG ? 0 : err; /* the compiler says so, with figures */
}
