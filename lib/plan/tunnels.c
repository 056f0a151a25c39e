// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What is new about the tunnels of a pipeline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/internal.h"

#define NAMES_SHOWN 8

bool plan_tunnels_same(const struct model_pipeline *want, const struct model_pipeline *have)
{
	if (want->n_tunnels != have->n_tunnels)
		return false;
	for (size_t i = 0; i < want->n_tunnels; i++)
		if (strcmp(want->tunnels[i].name, have->tunnels[i].name) ||
		    want->tunnels[i].digest != have->tunnels[i].digest)
			return false;
	return true;
}

char *plan_tunnels_text(const struct model_pipeline *want, const struct model_pipeline *have)
{
	size_t w = 0, h = 0, n = 0, len;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	/* both are sorted by name */
	while (w < want->n_tunnels || h < have->n_tunnels) {
		const struct model_tunnel *a = w < want->n_tunnels ? &want->tunnels[w] : NULL;
		const struct model_tunnel *b = h < have->n_tunnels ? &have->tunnels[h] : NULL;
		const int c = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);

		w += c <= 0;
		h += c >= 0;
		if (!c && a->digest == b->digest)
			continue;
		if (n++ < NAMES_SHOWN)
			fprintf(f, "%s%s %s", n > 1 ? ", " : "", c > 0 ? b->name : a->name,
				c < 0 ? "added" :
				c > 0 ? "removed" :
					"changed");
	}
	if (n > NAMES_SHOWN)
		fprintf(f, " and %zu more", n - NAMES_SHOWN);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
