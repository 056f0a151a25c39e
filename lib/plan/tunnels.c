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
		const int c = w == want->n_tunnels ? 1 :
			      h == have->n_tunnels ? -1 :
						     strcmp(want->tunnels[w].name, have->tunnels[h].name);
		const bool same = !c && want->tunnels[w].digest == have->tunnels[h].digest;
		const char *name = c > 0 ? have->tunnels[h].name : want->tunnels[w].name;

		w += c <= 0;
		h += c >= 0;
		if (same)
			continue;
		if (n++ < NAMES_SHOWN)
			fprintf(f, "%s%s %s", n > 1 ? ", " : "", name,
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
