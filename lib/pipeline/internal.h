/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of the pipeline share. */
#ifndef TCCTL_LIB_PIPELINE_INTERNAL_H
#define TCCTL_LIB_PIPELINE_INTERNAL_H

#include "state.h"

/* Map names of the jump tables that each generation has of its own. */
extern const char *const pipeline_tables[STATE_JT_MAX];
/* enum state_table of a map, or -1: it is a lasting one. */
int pipeline_table(const char *map_name);

#endif
