// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Raw bpf(2): libbpf 1.1 has no call for it, and the build host's <linux/bpf.h> may be older than TCX. */
#include "nl/tcx.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util.h"

/* The BPF_PROG_QUERY member of union bpf_attr as Linux 6.6 has it. */
struct query_attr {
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids __attribute__((aligned(8)));
	uint32_t count;
	uint32_t pad;
	uint64_t prog_attach_flags __attribute__((aligned(8)));
	uint64_t link_ids __attribute__((aligned(8)));
	uint64_t link_attach_flags __attribute__((aligned(8)));
	uint64_t revision __attribute__((aligned(8)));
};

static void prog_name(uint32_t id, char name[16])
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		memcpy(name, info.name, 16);
	name[15] = '\0';
}

static int query(uint32_t ifindex, uint32_t attach_type, uint32_t *prog_ids, uint32_t *link_ids,
		 struct query_attr *ret_attr)
{
	struct query_attr attr = {
		.target_ifindex = ifindex,
		.attach_type = attach_type,
		.prog_ids = (uint64_t)(uintptr_t)prog_ids,
		.link_ids = (uint64_t)(uintptr_t)link_ids,
		.count = NL_TCX_MAX,
	};

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -errno;
	*ret_attr = attr;
	return 0;
}

int nl_tcx_query(uint32_t ifindex, enum spec_dir dir, struct nl_tcx *ret_tcx)
{
	uint32_t type = dir == SPEC_INGRESS ? NL_TCX_INGRESS : NL_TCX_EGRESS;
	uint32_t prog_ids[NL_TCX_MAX] = { 0 }, link_ids[NL_TCX_MAX] = { 0 };
	struct query_attr attr = { 0 };
	int err;

	err = query(ifindex, type, prog_ids, link_ids, &attr);
	/* Without TCX the attach type is out of range (-EINVAL), or the query longer than the kernel's (-E2BIG). */
	if (err == -EINVAL || err == -E2BIG)
		return -EOPNOTSUPP;
	if (err == -ENOENT) { /* nothing was ever attached */
		ret_tcx->n = 0;
		ret_tcx->revision = 0;
		return 0;
	}
	if (err)
		return err;
	ret_tcx->n = attr.count < NL_TCX_MAX ? attr.count : NL_TCX_MAX;
	ret_tcx->revision = attr.revision;
	for (size_t i = 0; i < ret_tcx->n; i++) {
		struct nl_tcx_prog *p = &ret_tcx->items[i];

		memset(p, 0, sizeof(*p));
		p->prog_id = prog_ids[i];
		p->link_id = link_ids[i];
		prog_name(p->prog_id, p->name);
	}
	return 0;
}
