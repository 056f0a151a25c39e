/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Ownership helpers: outputs stay untouched on failure, and one function can be judged leak-free alone. */
#ifndef TCCTL_LIB_UTIL_H
#define TCCTL_LIB_UTIL_H

#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))

/* Hand a pointer or fd to a new owner: the old variable no longer owns it. */
#define TAKE_PTR(p)                     \
	({                              \
		__typeof__(p) _p = (p); \
		(p) = NULL;             \
		_p;                     \
	})
#define TAKE_FD(fd)          \
	({                   \
		int _fd = (fd); \
		(fd) = -1;   \
		_fd;         \
	})

#endif
