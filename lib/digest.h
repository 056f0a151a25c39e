/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* 64-bit digests of content, to tell whether something changed. Not against an attacker: what they cover comes
 * from files and pins that only root can write. */
#ifndef TCCTL_LIB_DIGEST_H
#define TCCTL_LIB_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DIGEST_INIT 0xcbf29ce484222325ULL

/* FNV-1a over eight bytes at a time with a final mix per word. */
static inline uint64_t digest_u64(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9fb21c651e98df25ULL;
	return h ^ (h >> 32);
}

static inline uint64_t digest_bytes(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t v;

	h = digest_u64(h, len);
	for (; len >= sizeof(v); len -= sizeof(v), p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		h = digest_u64(h, v);
	}
	v = 0;
	if (len) /* `data` may be NULL then */
		memcpy(&v, p, len);
	return digest_u64(h, v);
}

/* NULL and "" differ. */
static inline uint64_t digest_str(uint64_t h, const char *s)
{
	return s ? digest_bytes(h, s, strlen(s)) : digest_u64(h, 0x6e756c6cULL);
}

#endif
