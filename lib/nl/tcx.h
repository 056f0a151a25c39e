/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Programs attached to a device over TCX (Linux 6.6): they run before clsact. By bpf(2), which answers for
 * the calling thread's network namespace. */
#ifndef TCCTL_LIB_NL_TCX_H
#define TCCTL_LIB_NL_TCX_H

#include <stddef.h>
#include <stdint.h>

#include "spec.h"

#define NL_TCX_MAX 64	  /* programs a hook can have */
#define NL_TCX_INGRESS 46 /* enum bpf_attach_type, newer than libbpf 1.1's headers */
#define NL_TCX_EGRESS 47

struct nl_tcx_prog {
	uint32_t prog_id;
	uint32_t link_id; /* 0: attached without a link */
	char name[16];	  /* of the program; "" where looking it up needs CAP_SYS_ADMIN that we do not have */
};

struct nl_tcx {
	struct nl_tcx_prog items[NL_TCX_MAX]; /* in the order they run */
	size_t n;
	uint64_t revision; /* changes with every attach and detach */
};

/* 0 with what is attached (n may be 0), -EOPNOTSUPP where the kernel has no TCX, -ENODEV, -EPERM without
 * CAP_NET_ADMIN. */
int nl_tcx_query(uint32_t ifindex, enum spec_dir dir, struct nl_tcx *ret_tcx);

#endif
