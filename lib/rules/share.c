/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Nodes that are the same below, though the boxes that they came from are not.
 *
 * A rule with two networks and forty marks is eighty boxes. Below a cut that has settled the network nobody can tell its two
 * halves apart any more: a box there is what the region leaves of it, the fields that it takes all of being open. Boxes
 * with the same rest are one, and so are nodes with the same list of boxes in the same part of the fields that any of them still
 * looks at. Trees become graphs, whose size is no longer the product of all fields.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

#define SLOTS_FIRST 1024
/* Rests of boxes, per box and besides: a bound on memory. */
#define RESTS 16
#define RESTS_BESIDES 65536
/* Words of keys: 32 MiB. */
#define KEYS_MAX (1U << 23)

struct shared_node {
	uint64_t node;
	size_t depth, key; /* place of the key in `keys` */
	uint32_t n_key, hash;
};

struct share {
	struct boxes boxes; /* those given, and what is left of them here and there */
	size_t n_given;
	uint32_t *box_slots; /* number of a box + 1, by content */
	size_t box_mask;
	uint32_t *keys;
	size_t n_keys, cap_keys;
	struct shared_node *nodes;
	size_t n_nodes, cap_nodes;
	uint32_t *node_slots;
	size_t node_mask;
	uint32_t *key; /* scratch */
};

static uint32_t mix(uint64_t h, uint32_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 32);
}

/* A table of at least twice `n` places, all free. */
static int slots_new(size_t n, uint32_t **ret, size_t *ret_mask)
{
	size_t size = SLOTS_FIRST;

	while (size < 2 * n)
		size *= 2;
	*ret = calloc(size, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	*ret_mask = size - 1;
	return 0;
}

static void box_read(const struct boxes *x, uint32_t b, struct box *ret)
{
	ret->rule = x->rule[b];
	for (enum box_field f = 0; f < BOX_FIELDS; f++) {
		ret->lo[f] = box_lo(x, f, b);
		ret->hi[f] = box_hi(x, f, b);
	}
}

static uint32_t box_hash(const struct build *t, const struct box *b)
{
	uint32_t h = b->rule;

	for (unsigned int i = 0; i < t->n_active; i++) {
		h = mix(h, b->lo[t->active[i]]);
		h = mix(h, b->hi[t->active[i]]);
	}
	return h;
}

static bool box_same(const struct build *t, const struct box *b, uint32_t other)
{
	if (t->x->rule[other] != b->rule)
		return false;
	for (unsigned int i = 0; i < t->n_active; i++) {
		const struct box_column *c = &t->x->field[t->active[i]];

		if (c->lo[other] != b->lo[t->active[i]] || c->hi[other] != b->hi[t->active[i]])
			return false;
	}
	return true;
}

/* The place of a box in the table; where it is not in there, the place it belongs to. */
static uint32_t *box_slot(const struct build *t, const struct share *s, const struct box *b)
{
	size_t i = box_hash(t, b) & s->box_mask;

	while (s->box_slots[i] && !box_same(t, b, s->box_slots[i] - 1))
		i = (i + 1) & s->box_mask;
	return &s->box_slots[i];
}

int share_new(struct build *t, const struct boxes *x, struct share **ret)
{
	struct share *s = calloc(1, sizeof(*s));
	struct box b;
	int err;

	if (!s)
		return -ENOMEM;
	*ret = s;
	t->x = &s->boxes;
	s->n_given = x->n;
	err = boxes_copy(x, &s->boxes);
	if (!err)
		err = slots_new(x->n * RESTS + RESTS_BESIDES, &s->box_slots, &s->box_mask);
	if (!err)
		err = slots_new(0, &s->node_slots, &s->node_mask);
	s->key = malloc((x->n + 2 * BOX_FIELDS + 1) * sizeof(*s->key));
	if (!s->key)
		err = -ENOMEM;
	for (uint32_t i = 0; i < x->n && !err; i++) {
		box_read(x, i, &b);
		*box_slot(t, s, &b) = i + 1;
	}
	return err;
}

void share_free(struct share *s)
{
	if (!s)
		return;
	boxes_done(&s->boxes);
	free(s->box_slots);
	free(s->keys);
	free(s->nodes);
	free(s->node_slots);
	free(s->key);
	free(s);
}

/* Fields that stay as they are: the narrow ones, and the words of an address before one of them. An entry has the length of
 * a prefix, which says nothing of a later word once an earlier one is open. */
static uint32_t fields_kept(const struct build *t, uint32_t narrow)
{
	for (unsigned int i = t->n_active; i-- > 1;)
		if (narrow & 1U << i && t->active[i] <= BOX_DST3 && t->active[i - 1] / 4 == t->active[i] / 4)
			narrow |= 1U << (i - 1);
	return narrow;
}

/* What the region leaves of a box. */
static int rest_of(struct build *t, uint32_t b, const struct region *r, uint32_t *ret)
{
	struct share *s = t->share;
	uint32_t kept = fields_kept(t, region_narrow(t, b, r)), *slot;
	bool same = true;
	struct box rest;
	int err;

	box_read(t->x, b, &rest);
	for (unsigned int i = 0; i < t->n_active; i++) {
		enum box_field f = t->active[i];
		uint32_t open = f >= BOX_MASKED ? 0 : box_field_max(f);

		if (kept & 1U << i || (!rest.lo[f] && rest.hi[f] == open))
			continue;
		rest.lo[f] = 0;
		rest.hi[f] = open;
		same = false;
	}
	*ret = b;
	if (same)
		return 0;
	slot = box_slot(t, s, &rest);
	if (!*slot) {
		if (s->boxes.n >= s->n_given * RESTS + RESTS_BESIDES)
			return -EOVERFLOW;
		err = boxes_add(&s->boxes, &rest);
		if (err)
			return err;
		*slot = (uint32_t)s->boxes.n;
	}
	*ret = *slot - 1;
	return 0;
}

int share_boxes(struct build *t, uint32_t *ids, size_t *n, const struct region *r)
{
	size_t kept = 0;

	t->work += *n * t->n_active / 2;
	for (size_t i = 0; i < *n; i++) {
		const uint32_t *rule;
		size_t at = kept;
		uint32_t rest;
		int err = rest_of(t, ids[i], r, &rest);

		if (err)
			return err;
		/* the order of a rule's own boxes does not matter: sorted, so that equal lists look alike */
		rule = t->x->rule; /* which may have moved */
		while (at && rule[ids[at - 1]] == rule[rest] && ids[at - 1] > rest)
			at--;
		t->work += kept - at;
		if (at && ids[at - 1] == rest)
			continue;
		memmove(ids + at + 1, ids + at, (kept - at) * sizeof(*ids));
		ids[at] = rest;
		kept++;
	}
	*n = kept;
	return 0;
}

/* Boxes, fields that they look at, and the region in these fields. */
static uint32_t key_make(const struct build *t, const uint32_t *ids, size_t n, const struct region *r,
			 uint32_t fields, uint32_t *ret_hash)
{
	uint32_t *key = t->share->key, len = 0, h = 0;

	memcpy(key, ids, n * sizeof(*ids));
	len = (uint32_t)n;
	key[len++] = fields;
	for (; fields; fields &= fields - 1) {
		enum box_field f = t->active[__builtin_ctz(fields)];

		key[len++] = r->mask[f];
		key[len++] = r->value[f];
	}
	for (uint32_t i = 0; i < len; i++)
		h = mix(h, key[i]);
	*ret_hash = h;
	return len;
}

bool share_find(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint32_t fields,
		uint64_t *ret, size_t *ret_depth)
{
	const struct share *s = t->share;
	uint32_t hash, len = key_make(t, ids, n, r, fields, &hash);

	for (size_t i = hash & s->node_mask; s->node_slots[i]; i = (i + 1) & s->node_mask) {
		const struct shared_node *node = &s->nodes[s->node_slots[i] - 1];

		if (node->hash != hash || node->n_key != len ||
		    memcmp(s->keys + node->key, s->key, len * sizeof(*s->key)))
			continue;
		*ret = node->node;
		*ret_depth = node->depth;
		return true;
	}
	return false;
}

static void node_place(struct share *s, uint32_t node)
{
	size_t i = s->nodes[node].hash & s->node_mask;

	while (s->node_slots[i])
		i = (i + 1) & s->node_mask;
	s->node_slots[i] = node + 1;
}

/* Room for one more node with a key of `len`. */
static int node_reserve(struct share *s, uint32_t len)
{
	void *p;

	if (s->n_keys + len > s->cap_keys) {
		s->cap_keys = 2 * s->cap_keys + len;
		if (s->cap_keys > KEYS_MAX)
			s->cap_keys = KEYS_MAX;
		p = realloc(s->keys, s->cap_keys * sizeof(*s->keys));
		if (!p)
			return -ENOMEM;
		s->keys = p;
	}
	if (s->n_nodes < s->cap_nodes)
		return 0;
	s->cap_nodes = 2 * s->cap_nodes + SLOTS_FIRST / 2;
	p = realloc(s->nodes, s->cap_nodes * sizeof(*s->nodes));
	if (!p)
		return -ENOMEM;
	s->nodes = p;
	free(s->node_slots);
	s->node_slots = NULL;
	if (slots_new(s->cap_nodes, &s->node_slots, &s->node_mask))
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_nodes; i++)
		node_place(s, i);
	return 0;
}

int share_add(struct build *t, const uint32_t *ids, size_t n, const struct region *r, uint32_t fields,
	      uint64_t node, size_t depth)
{
	struct share *s = t->share;
	uint32_t hash, len = key_make(t, ids, n, r, fields, &hash);
	int err;

	if (s->n_keys + len > KEYS_MAX)
		return -EOVERFLOW;
	err = node_reserve(s, len);
	if (err)
		return err;
	memcpy(s->keys + s->n_keys, s->key, len * sizeof(*s->key));
	s->nodes[s->n_nodes] = (struct shared_node){
		.node = node, .depth = depth, .key = s->n_keys, .n_key = len, .hash = hash
	};
	s->n_keys += len;
	node_place(s, (uint32_t)s->n_nodes++);
	return 0;
}
