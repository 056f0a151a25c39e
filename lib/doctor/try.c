// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Finding out by doing. Everything happens on `lo` of a network namespace that this thread makes for itself; it
 * and all in it are gone when the thread ends.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "caps.h"
#include "doctor.h"
#include "nl/internal.h"
#include "nl/tcx.h"
#include "pipeline.h"
#include "util.h"

#define BPF "bpf"
#define TC "traffic control"

#ifndef BPF_F_INNER_MAP
#define BPF_F_INNER_MAP (1U << 12)
#endif

/* `return -1`, with what `extra` puts before it. */
static int load(const struct bpf_insn *extra, size_t n_extra, enum bpf_prog_type type)
{
	struct bpf_insn insns[16];

	for (size_t i = 0; i < n_extra; i++)
		insns[i] = extra[i];
	insns[n_extra] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1 };
	insns[n_extra + 1] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return bpf_prog_load(type, "tcctl_doctor", "GPL", insns, n_extra + 2, NULL);
}

static void try_programs(struct tcctl_doctor *d, int *ret_prog)
{
	/* r10[-8] = 0; r0 = 0; r1 = 0; lock cmpxchg(r10[-8], r1) */
	static const struct bpf_insn cmpxchg[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 0 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW,
		  .dst_reg = BPF_REG_10,
		  .src_reg = BPF_REG_1,
		  .off = -8,
		  .imm = BPF_CMPXCHG },
	};
	_cleanup_close_ int atomic = -1, act = -1;

	*ret_prog = load(NULL, 0, BPF_PROG_TYPE_SCHED_CLS);
	if (*ret_prog < 0) {
		int err = errno;

		if (err == EPERM && !caps_have(CAPS_LOAD)) {
			finding_add(d, TCCTL_FINDING_UNKNOWN, BPF, "programs", "not tried: needs %s",
				    caps_needed(CAPS_LOAD));
			return;
		}
		finding_add(d, TCCTL_FINDING_FATAL, BPF, "programs", "loading a SCHED_CLS program fails: %s",
			    strerror(err));
		finding_hint(d, "%s",
			     err == EPERM ? "kernel lockdown, a security module or a container refuses it" :
					    "the kernel needs CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF");
		return;
	}
	finding_add(d, TCCTL_FINDING_OK, BPF, "programs", "SCHED_CLS programs load");
	atomic = load(cmpxchg, ARRAY_SIZE(cmpxchg), BPF_PROG_TYPE_SCHED_CLS);
	if (atomic >= 0) {
		finding_add(d, TCCTL_FINDING_OK, BPF, "atomics", "compare-and-exchange (Linux 5.12)");
	} else {
		finding_add(d, TCCTL_FINDING_LIMITED, BPF, "atomics", "no compare-and-exchange: %s",
			    strerror(errno));
		finding_hint(d, "comes with Linux 5.12; counters are per CPU and do not need it");
	}
	act = load(NULL, 0, BPF_PROG_TYPE_SCHED_ACT);
	if (act < 0)
		finding_add(d, TCCTL_FINDING_NO, BPF, "action-programs", "SCHED_ACT programs do not load: %s",
			    strerror(errno));
}

/* See tcctl_is_uncut() of tcctl/deliver.h. */
static void try_decap(struct tcctl_doctor *d)
{
	const int known = pipeline_knows_adjust_room(PIPELINE_CLEAR_GSO);

	if (known > 0) {
		finding_add(d, TCCTL_FINDING_OK, BPF, "decap-segments", "UDP segments in one piece come out of UDP tunnels");
	} else if (!known) {
		finding_add(d, TCCTL_FINDING_INFO, BPF, "decap-segments",
			    "UDP segments in one piece (UDP_SEGMENT), sent on this host, are lost behind UDP tunnels");
		finding_hint(d, "ethtool -K DEV tx-udp-segmentation off where they leave; `tcctl status` counts them: tunnel-uncut");
	}
}

static void try_maps(struct tcctl_doctor *d)
{
	LIBBPF_OPTS(bpf_map_create_opts, inner_opts, .map_flags = BPF_F_INNER_MAP);
	LIBBPF_OPTS(bpf_map_create_opts, outer_opts);
	_cleanup_close_ int small = -1, large = -1, outer = -1;
	uint32_t key = 0;
	int err;

	small = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcctl_doctor", 4, 64, 1, &inner_opts);
	if (small < 0) {
		err = errno;
		if (err == EPERM && !caps_have(CAPS_LOAD)) {
			finding_add(d, TCCTL_FINDING_UNKNOWN, BPF, "maps", "not tried: needs %s",
				    caps_needed(CAPS_LOAD));
			return;
		}
		finding_add(d, TCCTL_FINDING_FATAL, BPF, "maps", "arrays of different size as inner maps: %s",
			    strerror(err));
		finding_hint(d, "%s",
			     err == EINVAL ? "rule sets need BPF_F_INNER_MAP: Linux 5.10" :
			     err == EPERM ? "before Linux 5.11 raise RLIMIT_MEMLOCK (`ulimit -l unlimited`)" :
					    "the kernel needs CONFIG_BPF_SYSCALL");
		return;
	}
	large = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcctl_doctor", 4, 64, 16, &inner_opts);
	outer_opts.inner_map_fd = (uint32_t)small;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "tcctl_doctor", 4, 4, 1, &outer_opts);
	err = large < 0 || outer < 0 || bpf_map_update_elem(outer, &key, &large, BPF_ANY) ? errno : 0;
	if (err) {
		finding_add(d, TCCTL_FINDING_FATAL, BPF, "maps", "arrays of different size as inner maps: %s",
			    strerror(err));
		finding_hint(d, "rule sets need map-in-map with BPF_F_INNER_MAP: Linux 5.10");
	} else {
		finding_add(d, TCCTL_FINDING_OK, BPF, "maps", "arrays of different size as inner maps");
	}
}

/* Send a request and wait for its answer: 0 or what the kernel says against it. */
static int try_request(struct nl *nl, const struct nlmsghdr *nlh)
{
	struct nl_op op = { .type = NL_OP_CLSACT_ADD };
	bool answered = false;
	int n, err;

	err = nl_send(nl, nlh, nlh->nlmsg_len);
	while (!err && !answered) {
		n = nl_receive(nl, 1);
		err = n < 0 ? n :
			      nl_run_feed(&op, &answered, 1, nlh->nlmsg_seq, nl->portid, nl->rx, (size_t)n);
	}
	return err ? err : op.err;
}

static int tc_request(struct nl *nl, uint16_t type, const char *kind, uint32_t parent, uint32_t handle)
{
	struct nlmsghdr *nlh = nl_request(nl, nl->tx, type, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	tcm->tcm_ifindex = 1;
	tcm->tcm_parent = parent;
	tcm->tcm_handle = handle;
	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	return try_request(nl, nlh);
}

/* An action of a kind that is not there is ENOENT; one that is there misses its parameters. */
static int try_action(struct nl *nl, const char *kind)
{
	struct nlmsghdr *nlh = nl_request(nl, nl->tx, RTM_NEWACTION, NLM_F_ACK | NLM_F_CREATE);
	struct nlattr *list, *one;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct tcamsg));
	list = mnl_attr_nest_start(nlh, TCA_ACT_TAB);
	one = mnl_attr_nest_start(nlh, 1);
	mnl_attr_put_strz(nlh, TCA_ACT_KIND, kind);
	mnl_attr_nest_end(nlh, one);
	mnl_attr_nest_end(nlh, list);
	return try_request(nl, nlh);
}

static void try_qdiscs(struct tcctl_doctor *d, struct nl *nl)
{
	static const struct {
		const char *kind, *what;
	} kinds[] = {
		{ "fq", "pacing by departure time" },
		{ "fq_codel", "fair queueing with AQM" },
		{ "cake", "shaping with fairness by host" },
		{ "htb", "classes with rates" },
		{ "tbf", "a plain rate limit" },
	};
	char here[128] = "", missing[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int err = tc_request(nl, RTM_NEWQDISC, kinds[i].kind, TC_H_ROOT, 0x10000);
		char *to = err == -ENOENT ? missing : here;
		size_t room = err == -ENOENT ? sizeof(missing) : sizeof(here), len = strlen(to);

		/* Another error than "unknown" (tbf without its parameters) means that it is there. */
		if (err == -ENOENT)
			snprintf(to + len, room - len, "%s%s (%s)", len ? ", " : "", kinds[i].kind,
				 kinds[i].what);
		else
			snprintf(to + len, room - len, "%s%s", len ? ", " : "", kinds[i].kind);
		if (!err)
			tc_request(nl, RTM_DELQDISC, kinds[i].kind, TC_H_ROOT, 0x10000);
	}
	if (here[0])
		finding_add(d, TCCTL_FINDING_OK, TC, "qdiscs", "%s", here);
	if (missing[0]) {
		finding_add(d, TCCTL_FINDING_INFO, TC, "qdiscs-missing", "%s", missing);
		finding_hint(d, "modules sch_*; classification and tagging do without");
	}
}

static void try_tc(struct tcctl_doctor *d, struct nl *nl, int prog)
{
	struct nl_op clsact = { .type = NL_OP_CLSACT_ADD, .key.ifindex = 1 };
	struct nl_op filter = { .type = NL_OP_FILTER_ADD,
				.key = { 1, NL_PARENT_INGRESS, 1, 1 },
				.bpf = { prog, "tcctl:doctor", 1, NL_BPF_DIRECT_ACTION } };
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	struct nl_tcx tcx;
	int err, link;

	err = nl_run_one(nl, &clsact);
	if (err) {
		finding_add(d, TCCTL_FINDING_FATAL, TC, "clsact", "cannot be made: %s%s%s", strerror(-err),
			    nl_extack(nl)[0] ? ": " : "", nl_extack(nl));
		finding_hint(d, "the kernel needs CONFIG_NET_SCH_INGRESS (module sch_ingress)");
		return;
	}
	finding_add(d, TCCTL_FINDING_OK, TC, "clsact", "can be made");
	if (prog < 0) {
		finding_add(d, TCCTL_FINDING_UNKNOWN, TC, "cls_bpf", "not tried without a program");
	} else {
		err = nl_run_one(nl, &filter);
		if (err) {
			finding_add(d, TCCTL_FINDING_FATAL, TC, "cls_bpf", "attaching fails: %s%s%s",
				    strerror(-err), nl_extack(nl)[0] ? ": " : "", nl_extack(nl));
			finding_hint(d, "the kernel needs CONFIG_NET_CLS_BPF (module cls_bpf)");
		} else {
			finding_add(d, TCCTL_FINDING_OK, TC, "cls_bpf", "programs attach to clsact");
		}
		link = bpf_link_create(prog, 1, NL_TCX_INGRESS, &opts);
		err = link < 0 ? -errno : nl_tcx_query(1, SPEC_INGRESS, &tcx);
		if (link >= 0)
			close(link);
		if (err) {
			finding_add(d, TCCTL_FINDING_INFO, TC, "tcx",
				    "not in this kernel (Linux 6.6 has it); clsact does");
		} else {
			finding_add(d, TCCTL_FINDING_OK, TC, "tcx",
				    "there; programs of others on it run before clsact");
		}
	}
	err = try_action(nl, "bpf");
	if (err == -ENOENT) {
		finding_add(d, TCCTL_FINDING_INFO, TC, "act_bpf",
			    "not there: `tc … action bpf` will not work");
		finding_hint(d, "module act_bpf; tcctl itself does not need it");
	} else {
		finding_add(d, TCCTL_FINDING_OK, TC, "act_bpf", "there");
	}
	try_qdiscs(d, nl);
}

static void *try_all(void *arg)
{
	struct tcctl_doctor *d = arg;
	_cleanup_close_ int prog = -1;
	struct nl *nl = NULL;
	int err;

	try_maps(d);
	try_programs(d, &prog);
	if (prog >= 0)
		try_decap(d);
	if (unshare(CLONE_NEWNET)) {
		err = errno;
		finding_add(d, TCCTL_FINDING_UNKNOWN, TC, "clsact",
			    "not tried: no network namespace to try it in (%s)", strerror(err));
		if (err == EPERM)
			finding_hint(d, "as root, `tcctl doctor` tries it");
		return NULL;
	}
	err = nl_open(&nl);
	if (err) {
		finding_add(d, TCCTL_FINDING_FATAL, TC, "netlink", "no rtnetlink socket: %s", strerror(-err));
		return NULL;
	}
	try_tc(d, nl, prog);
	nl_close(nl);
	return NULL;
}

void doctor_try(struct tcctl_doctor *d)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, try_all, d))
		d->oom = true;
	else
		pthread_join(thread, NULL);
}
