/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of the plan share. */
#ifndef TCCTL_LIB_PLAN_INTERNAL_H
#define TCCTL_LIB_PLAN_INTERNAL_H

#include "model.h"

/* Do two pipelines hold the same tunnels? */
bool plan_tunnels_same(const struct model_pipeline *want, const struct model_pipeline *have);
/* "site-b changed, lan added"; malloc()ed, "" if they are the same, NULL without memory. */
char *plan_tunnels_text(const struct model_pipeline *want, const struct model_pipeline *have);

#endif
