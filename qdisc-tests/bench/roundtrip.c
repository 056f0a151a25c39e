// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the programs of a VXLAN tunnel take by themselves, without the way to them: a packet is dispatched, encapsulated,
 * dispatched, decapsulated and dispatched once more in one test run, and is as it was before. Less a program that does nothing.
 * There is headroom, all is in the cache, and nothing is sent: no route is looked up.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "encapstage.h"
#include "lib/measure.h"
#include "packet.h"
#include "pipe.h"
#include "tunnels.h"

#define OUT_ID 5
#define IN_ID 6
#define PORT 4789

enum variant { NOOP, NONE, BOTH, VARIANTS };

static int noop_load(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = PIPE_PROBED },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "noop", "GPL", insns, sizeof(insns) / sizeof(insns[0]),
			     NULL);
}

/* Both ends of a tunnel in one table. */
static int tunnel(struct tunnels *tables)
{
	struct spec_tunnel t = encapstage_tunnel(TCCTL_T_VXLAN, false), back = t;
	struct spec_prefix from = t.local;
	struct tcctl_decap_key key = { .type = TCCTL_T_VXLAN, .family = 4, .port = PORT, .id = t.id };
	struct tcctl_tunnel row;

	t.port = back.port = PORT;
	back.local = t.remotes[0];
	back.remotes = &from;
	memcpy(key.local, back.local.addr, 16);
	memcpy(key.remote, from.addr, 16);
	if (tunnel_row_build(&t, &(struct tunnel_resolved){}, &row) || tunnels_set(tables, OUT_ID, &row) ||
	    tunnel_row_build(&back, &(struct tunnel_resolved){}, &row) || tunnels_set(tables, IN_ID, &row) ||
	    tunnels_decap(tables, &key, IN_ID))
		return -EINVAL;
	return 0;
}

struct both {
	struct pipe p;
	struct tunnels tables;
};

/* Before a slice: everything goes into the tunnel, and out of the encap stage to be dispatched again. */
static void choose(void *arg)
{
	struct both *b = arg;

	pipe_graft(&b->p, "jt_stage", TCCTL_STAGE_ENCAP + 1, pipe_prog(&b->p, "entry_eth"));
	tunnels_settings(&b->tables,
			 &(struct tcctl_tunnel_settings){ .encap = OUT_ID, .flags = TCCTL_TS_BOTH });
}

/* Nothing does. */
static void choose_none(void *arg)
{
	struct both *b = arg;

	pipe_graft(&b->p, "jt_stage", TCCTL_STAGE_ENCAP + 1, b->p.probe);
	tunnels_settings(&b->tables, &(struct tcctl_tunnel_settings){});
}

static int measure(double net[VARIANTS])
{
	struct tcctl_cfg cfg = { .decap = 1U << TCCTL_T_VXLAN, .encap = 1U << TCCTL_T_VXLAN };
	struct bench_prog progs[VARIANTS];
	struct packet k;
	struct both b;
	int err, fork, noop;

	packet_datagram(&k, false, 0, 2000, 18);
	err = pipe_open(&b.p, &cfg, 0, "entry_eth");
	if (err)
		return err;
	noop = noop_load();
	fork = encapstage_fork(&b.p);
	err = encapstage_fill(&b.p) || pipe_graft(&b.p, "jt_stage", 0, fork) ||
			      pipe_graft(&b.p, "jt_stage", TCCTL_STAGE_INNER_ETH,
					 pipe_prog(&b.p, "entry_eth")) ||
			      pipe_graft(&b.p, "jt_udp", TCCTL_UDP_VXLAN, pipe_prog(&b.p, "vxlan")) ||
			      noop < 0 || fork < 0 ?
		      -ENOEXEC :
		      tunnels_open(&b.tables, &b.p, 0);
	if (err)
		goto close_pipe;
	err = tunnel(&b.tables);
	for (int v = 0; v < VARIANTS; v++)
		progs[v] = (struct bench_prog){ .name = "roundtrip",
						.packet = k.data,
						.len = k.len,
						.fd = v == NOOP ? noop : pipe_prog(&b.p, "root"),
						.before = v == BOTH ? choose : choose_none,
						.arg = &b };
	if (!err)
		err = bench_interleave(progs, VARIANTS, 61, 1.5);
	/* what went in came out */
	if (!err && (!tunnels_counter(&b.tables, OUT_ID, TCCTL_TUN_TX).packets ||
		     tunnels_counter(&b.tables, OUT_ID, TCCTL_TUN_TX).packets !=
			     tunnels_counter(&b.tables, IN_ID, TCCTL_TUN_RX).packets))
		err = -ENOLINK;
	net[NOOP] = progs[NOOP].min_ns;
	net[NONE] = progs[NONE].min_ns - progs[NOOP].min_ns;
	net[BOTH] = progs[BOTH].min_ns - progs[NOOP].min_ns;
	tunnels_close(&b.tables);
close_pipe:
	close(noop);
	close(fork);
	pipe_close(&b.p);
	return err;
}

int main(void)
{
	unsigned int loads = bench_init() ? 2 : 5;
	double both[BENCH_LOADS_MAX], none[BENCH_LOADS_MAX];

	for (unsigned int load = 0; load < loads; load++) {
		double net[VARIANTS];
		int err = measure(net);

		if (err) {
			bench_skip("tunnels.run", "%s",
				   err == -ENOLINK ? "packets did not come out of the tunnel" :
						     strerror(-err));
			return 0;
		}
		both[load] = net[BOTH];
		none[load] = net[NONE];
	}
	bench_row_stat("tunnels.run.both", "programs: there and back, three dispatches", both, loads, "ns");
	bench_row_stat("tunnels.run.none", "programs: one dispatch, no tunnel chosen", none, loads, "ns");
	return 0;
}
