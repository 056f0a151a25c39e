/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tables of octets in a map's value, read without a pointer that has a variable offset. */
#ifndef TCCTL_OCTETS_H
#define TCCTL_OCTETS_H

#include "tcctl/handler.h"
#include "tcctl/tunnel.h"

#define TCCTL_OCTETS_AT(row, field, at)                                                                      \
	case (at):                                                                                           \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                                        \
			     : "=r"(_octets)                                                                 \
			     : "r"(row), "i"(__builtin_offsetof(struct tcctl_tunnel, field) + 8 * (at)));    \
		break
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TCCTL_OCTET_SHIFT(i) (8 * (~(i) & 7))
#else
#define TCCTL_OCTET_SHIFT(i) (8 * ((i) & 7))
#endif

/*
 * Octet `index` (the lower six bits of it) of one of the tables of 64 in a tunnel's row, aligned to 8. Eight cases with a
 * constant offset each: after a variable one, without CAP_PERFMON, no two states of a program are the same to the verifier,
 * and kernels such as 6.1 walk on until they give up.
 */
#define tcctl_octet(skb, row, field, index)                                      \
	({                                                                       \
		__u32 _index = (index);                                          \
		__u64 _octets = 0;                                               \
		switch (_index >> 3 & 7) {                                       \
			TCCTL_OCTETS_AT(row, field, 0);                          \
			TCCTL_OCTETS_AT(row, field, 1);                          \
			TCCTL_OCTETS_AT(row, field, 2);                          \
			TCCTL_OCTETS_AT(row, field, 3);                          \
			TCCTL_OCTETS_AT(row, field, 4);                          \
			TCCTL_OCTETS_AT(row, field, 5);                          \
			TCCTL_OCTETS_AT(row, field, 6);                          \
			TCCTL_OCTETS_AT(row, field, 7);                          \
		}                                                                \
		tcctl_forget(skb, _octets >> TCCTL_OCTET_SHIFT(_index) & 0xff);  \
	})

#endif
