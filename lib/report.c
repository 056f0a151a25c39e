// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Diagnostics as the public header shows them. */
#include <errno.h>

#include "diag.h"
#include "record.h"
#include "tcctl.h"

_Static_assert((int)TCCTL_ERROR == (int)DIAG_ERROR && (int)TCCTL_WARNING == (int)DIAG_WARNING &&
		       (int)TCCTL_NOTE == (int)DIAG_NOTE,
	       "severities are the same inside and outside");

struct tcctl_diags *tcctl_diags_new(void)
{
	return diags_new();
}

void tcctl_diags_free(struct tcctl_diags *diags)
{
	diags_free(diags);
}

size_t tcctl_diags_count(const struct tcctl_diags *diags)
{
	return diags->n;
}

size_t tcctl_diags_errors(const struct tcctl_diags *diags)
{
	return diags->n_errors;
}

int tcctl_diags_get(const struct tcctl_diags *diags, size_t i, struct tcctl_diag *ret)
{
	struct tcctl_diag r = { .sz = sizeof(r) };
	const struct diag *g;

	if (i >= diags->n)
		return -ENOENT;
	g = &diags->items[i];
	r.severity = (enum tcctl_severity)g->severity;
	r.file = g->loc.file;
	r.line = g->loc.line;
	r.col = g->loc.col;
	r.device = g->device;
	r.object = g->object;
	r.message = g->message ? g->message : "out of memory";
	r.hint = g->hint;
	r.detail = g->detail;
	r.err = g->err;
	return record_put(ret, &r, sizeof(r));
}
