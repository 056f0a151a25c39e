// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What the kernel's helpers know. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "pipeline.h"
#include "util.h"

#define FUNC_ADJUST_ROOM 50 /* bpf_skb_adjust_room() */

/*
 * The helper looks at its flags first and then at the length, so with a length beyond all limits it says -EINVAL to flags that
 * it does not know and -EFAULT to others, and does nothing in either case.
 */
int pipeline_knows_adjust_room(uint32_t flags)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 0x1000 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = BPF_ADJ_ROOM_MAC },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4, .imm = (int)flags },
		{ .code = BPF_JMP | BPF_CALL, .imm = FUNC_ADJUST_ROOM },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	uint8_t packet[64] = { [12] = 0x08 }; /* EtherType IPv4 */
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tcctl_probe", "Dual BSD/GPL", insns,
					       ARRAY_SIZE(insns), NULL);

	if (fd < 0)
		return fd;
	if (bpf_prog_test_run_opts(fd, &run))
		return -errno;
	return (int)run.retval == -EFAULT;
}
