/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#ifndef TCCTL_LIB_PIPELINE_HEAD_H
#define TCCTL_LIB_PIPELINE_HEAD_H

#include "tcctl/abi.h"

/* What `heads` has to say of an arena, read from its map. Returns 0 or -errno. */
int head_read(int arena_fd, struct tcctl_head *ret);

#endif
