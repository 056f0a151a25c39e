/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Records and options of the public header: their first member, `size_t sz`, says how much of them the caller knows. */
#ifndef TCCTL_LIB_RECORD_H
#define TCCTL_LIB_RECORD_H

#include <stddef.h>

/* Copy a record of ours to the caller's, as much of it as the caller has. -EINVAL when sz was not set. */
int record_put(void *ret, const void *record, size_t size);

/* Copy options of the caller (NULL: all default) to ours. -E2BIG: options that we do not know are set. */
int record_options(void *ours, size_t size, const void *theirs);

#endif
