// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "record.h"

#include <errno.h>
#include <string.h>

int record_put(void *ret, const void *record, size_t size)
{
	size_t theirs;

	memcpy(&theirs, ret, sizeof(theirs));
	if (theirs < sizeof(size_t))
		return -EINVAL;
	memcpy((char *)ret + sizeof(size_t), (const char *)record + sizeof(size_t),
	       (theirs < size ? theirs : size) - sizeof(size_t));
	return 0;
}

int record_options(void *ours, size_t size, const void *theirs)
{
	size_t given;

	memset(ours, 0, size);
	if (!theirs)
		return 0;
	memcpy(&given, theirs, sizeof(given));
	if (given < sizeof(size_t))
		return -EINVAL;
	for (size_t i = size; i < given; i++)
		if (((const char *)theirs)[i])
			return -E2BIG;
	memcpy(ours, theirs, given < size ? given : size);
	return 0;
}
