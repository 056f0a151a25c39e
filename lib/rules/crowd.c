/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How crowded one address is: prefixes inside each other, and what each of them drags into the cells of those inside it.
 *
 * A cut by addresses gives every prefix a cell of its own, with the boxes of all prefixes around it. When short prefixes
 * have many boxes and many longer ones inside, two trees, one for short prefixes and one for long ones, hold far fewer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../util.h"
#include "tree.h"

struct net {
	uint32_t addr[4];
	uint32_t len;
	size_t boxes; /* here and in the prefixes around */
};

static int net_cmp(const void *a, const void *b)
{
	const struct net *x = a, *y = b;

	for (unsigned int i = 0; i < 4; i++)
		if (x->addr[i] != y->addr[i])
			return x->addr[i] < y->addr[i] ? -1 : 1;
	return x->len < y->len ? -1 : x->len > y->len;
}

static bool net_holds(const struct net *outer, const struct net *inner)
{
	const unsigned int words = outer->len / 32, rest = outer->len % 32;

	for (unsigned int i = 0; i < words; i++)
		if (outer->addr[i] != inner->addr[i])
			return false;
	return !rest || !((outer->addr[words] ^ inner->addr[words]) >> (32 - rest));
}

/* Boxes in the cells of all prefixes of length from..to together. `nets` sorted. */
static double cells(const struct net *nets, size_t n, unsigned int from, unsigned int to)
{
	struct net around[130];
	unsigned int depth = 0;
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		struct net net = nets[i];

		if (net.len < from || net.len > to)
			continue;
		while (depth && !net_holds(&around[depth - 1], &net))
			depth--;
		if (depth)
			net.boxes += around[depth - 1].boxes;
		around[depth++] = net;
		sum += (double)net.boxes;
	}
	return sum;
}

int crowd_split(const struct build *t, const uint32_t *ids, size_t n, enum box_field side, unsigned int *ret)
{
	static const uint8_t v4[] = { 8, 10, 12, 14, 16, 18, 20, 22, 24 },
			     v6[] = { 24, 28, 32, 36, 40, 44, 48, 56, 64 };
	_cleanup_free_ struct net *nets = malloc((n + 1) * sizeof(*nets));
	double least;
	size_t m = 0;

	*ret = 0;
	if (!nets)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		nets[i] = (struct net){ .len = box_prefix_len(t->x, side, ids[i]), .boxes = 1 };
		for (unsigned int w = 0; w < 4; w++)
			nets[i].addr[w] = box_lo(t->x, side + w, ids[i]);
	}
	qsort(nets, n, sizeof(*nets), net_cmp);
	for (size_t i = 0; i < n; i++) {
		if (m && !net_cmp(&nets[m - 1], &nets[i]))
			nets[m - 1].boxes++;
		else
			nets[m++] = nets[i];
	}
	least = cells(nets, m, 0, 128);
	if (least < t->crowd * (double)n)
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(v4); i++) {
		unsigned int len = t->family == 4 ? v4[i] : v6[i];
		double sum = cells(nets, m, 0, len) + cells(nets, m, len + 1, 128);

		if (sum < least) {
			least = sum;
			*ret = len;
		}
	}
	return 0;
}
