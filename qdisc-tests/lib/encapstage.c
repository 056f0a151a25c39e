// SPDX-License-Identifier: GPL-2.0-only
#include "encapstage.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

static const struct {
	uint32_t slot;
	const char *name;
} parts[] = {
	{ TCCTL_STAGE_ENCAP_HEADER, "encap_header" },
	{ TCCTL_STAGE_ENCAP_SUM, "encap_sum" },
	{ TCCTL_STAGE_TOO_BIG, "too_big" },
	{ TCCTL_STAGE_FLOOD, "flood" },
};

int encapstage_fill(struct pipe *p)
{
	int err = 0;

	for (uint32_t i = 0; !err && i <= TCCTL_STAGE_ENCAP; i++)
		err = pipe_graft(p, "jt_stage", i, pipe_prog(p, "encap"));
	for (size_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
		err = pipe_graft(p, "jt_stage", parts[i].slot, pipe_prog(p, parts[i].name));
	return err;
}

int encapstage_tagger(struct pipe *p, uint16_t proto, uint16_t tci)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = htons(proto) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = tci },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_vlan_push },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 6 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = 2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = pipe_map(p, "jt_root") },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = TCCTL_ROOT_PREVIOUS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int err = pipe_graft(p, "jt_root", TCCTL_ROOT_PREVIOUS, pipe_prog(p, "root"));

	if (err)
		return err;
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagger", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

/* r0 = cb[4] >> 16 ? PIPE_PROBED : tail call of the encap stage */
int encapstage_fork(struct pipe *p)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = 2,
		  .src_reg = 1,
		  .off = offsetof(struct __sk_buff, cb[4]) },
		{ .code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = 2, .imm = 16 },
		{ .code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = 2, .off = 4 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = 2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = pipe_map(p, "jt_stage") },
		{},
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = TCCTL_STAGE_ENCAP },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = PIPE_PROBED },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "fork", "GPL", insns, sizeof(insns) / sizeof(insns[0]),
			     NULL);
}

struct spec_tunnel encapstage_tunnel(uint8_t type, bool v6)
{
	static struct spec_prefix remotes[2] = {
		{ .family = 4, .len = 32, .addr = { 203, 0, 113, 9 } },
		{ .family = 6, .len = 128, .addr = { 0x20, 1, 0xd, 0xb8, 0, 0xff, [15] = 9 } },
	};
	static const struct spec_prefix locals[2] = {
		{ .family = 4, .len = 32, .addr = { 203, 0, 113, 1 } },
		{ .family = 6, .len = 128, .addr = { 0x20, 1, 0xd, 0xb8, 0, 0xff, [15] = 1 } },
	};

	return (struct spec_tunnel){
		.type = type,
		.family = v6 ? 6 : 4,
		.has_local = true,
		.local = locals[v6],
		.remotes = &remotes[v6],
		.n_remotes = 1,
		.id = 42,
		.id_out = 42,
		.port = 4789,
		.sport_min = 49152,
		.sport_max = 65535,
		.ttl = 64,
		.flags = TCCTL_TF_DSCP_INHERIT |
			 (type == TCCTL_T_VXLAN ? TCCTL_TF_INNER_ETH :
						  TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6),
	};
}
