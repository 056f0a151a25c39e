// SPDX-License-Identifier: GPL-2.0-only
/* lib/nl.h against the running kernel, in a network namespace of this process alone. Without root in a user
 * namespace, where everything but loading programs works. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nl/internal.h"
#include "nl/route.h"
#include "nl/tcx.h"
#include "test.h"
#include "util.h"

static bool can_load; /* programs */
static int prog_a = -1, prog_b = -1;

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int run(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	if (fd >= 0)
		close(fd);
}

/* An own network namespace, or false. */
static bool enter_namespace(void)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!unshare(CLONE_NEWNET))
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return true;
}

/* return -1 (go on); `pad` instructions more make another program of it */
static int prog_load(int pad)
{
	struct bpf_insn insns[16];
	int n = 0;

	for (int i = 0; i <= pad; i++)
		insns[n++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = -1 };
	insns[n++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "nl_test", "GPL", insns, (size_t)n, NULL);
}

static uint32_t prog_id(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static uint32_t add_veth(const char *a, const char *b)
{
	if (run("ip link add %s type veth peer name %s && ip link set %s up && ip link set %s up", a, b, a,
		b))
		return 0;
	return if_nametoindex(a);
}

static void test_links(struct nl *nl)
{
	struct nl_links links = { 0 };
	const struct nl_link *l;

	test_case("devices with their attributes");
	test_ok(add_veth("nla0", "nlb0"));
	test_eq(run("ip link set nla0 address 02:00:00:00:00:2a mtu 1400 && ip link property add dev nla0 altname "
		    "an-other-name-that-is-longer-than-15 altname nlalt"),
		0);
	if (!test_eq(nl_links_dump(nl, &links), 0))
		return;
	l = nl_links_find(&links, "nla0");
	if (test_ok(l != NULL)) {
		static const uint8_t mac[] = { 2, 0, 0, 0, 0, 0x2a };

		test_eq(l->ifindex, if_nametoindex("nla0"));
		test_streq(l->kind, "veth");
		test_eq(l->mtu, 1400);
		test_eq(l->type, ARPHRD_ETHER);
		test_eq(l->mac_len, 6);
		test_ok(!memcmp(l->mac, mac, 6));
		test_eq(l->n_altnames, 2);
		test_ok(l->flags & IFF_UP);
		test_ok(l == nl_links_find(&links, "an-other-name-that-is-longer-than-15"));
		test_ok(l == nl_links_by_index(&links, l->ifindex));
		test_eq(l->operstate, 6);
	}
	l = nl_links_find(&links, "lo");
	if (test_ok(l != NULL)) {
		test_eq(l->type, ARPHRD_LOOPBACK);
		test_streq(l->kind, "");
	}
	test_ok(!nl_links_find(&links, "nla"));
	test_ok(!nl_links_by_index(&links, 0x7fffffff));
	nl_links_done(&links);
	run("ip link del nla0");
}

static uint32_t link_group(struct nl *nl, const char *name)
{
	struct nl_links links = { 0 };
	const struct nl_link *l;
	uint32_t group = 0;

	if (!test_eq(nl_links_dump(nl, &links), 0))
		return 0;
	l = nl_links_find(&links, name);
	if (test_ok(l != NULL))
		group = l->group;
	nl_links_done(&links);
	return group;
}

#define GONE 8

static void test_links_delete(struct nl *nl)
{
	const uint32_t first = 1000;
	struct nl_link_gone gone[GONE] = { 0 };
	struct nl_stats before;

	test_case("many devices are removed by one request, nobody else's with them");
	for (uint32_t i = 0; i < GONE; i++) {
		char name[16], peer[16];
		struct nl_link_want want = {
			.name = name,
			.ifindex = first + 2 * i,
			.peer = first + 2 * i + 1,
			.peer_name = peer,
			.mtu = 1400,
			.mac = { 2, 0, 0, 0, 1, (uint8_t)i },
			.gso = i & 1,
		};

		snprintf(name, sizeof(name), "nlg%u", i);
		snprintf(peer, sizeof(peer), "nlh%u", i);
		test_eq(nl_link_make(nl, &want), 0);
		gone[i].ifindex = want.ifindex;
		memcpy(gone[i].mac, want.mac, sizeof(want.mac));
	}
	test_ok(add_veth("nla0", "nlb0"));
	test_eq(run("ip link set nla0 group 7"), 0);
	/* one is gone already, one is somebody else's now */
	test_eq(nl_link_delete(nl, gone[2].ifindex), 0);
	test_eq(run("ip link set nlg5 address 02:00:00:00:02:00"), 0);
	before = *nl_stats(nl);
	test_eq(nl_links_delete(nl, gone, GONE), 0);
	test_ok(nl_stats(nl)->messages - before.messages < 3 * GONE);
	for (uint32_t i = 0; i < GONE; i++) {
		char name[16];

		snprintf(name, sizeof(name), "nlg%u", i);
		test_ok((if_nametoindex(name) != 0) == (i == 5));
		snprintf(name, sizeof(name), "nlh%u", i);
		test_ok(i == 5 || !if_nametoindex(name));
		test_eq(gone[i].err, 0);
	}
	test_eq(link_group(nl, "nlg5"), 0);
	test_eq(link_group(nl, "nla0"), 7);
	run("ip link del nlg5; ip link del nla0");
}

static void test_clsact(struct nl *nl)
{
	struct nl_op op = { .type = NL_OP_CLSACT_ADD };
	struct nl_qdiscs qdiscs = { 0 };
	const struct nl_qdisc *q = NULL;
	enum nl_clsact what;
	uint32_t dev;

	test_case("clsact is made once, told apart from ingress, deleted only as clsact");
	dev = add_veth("nla0", "nlb0");
	op.key.ifindex = dev;
	test_eq(nl_clsact_get(nl, dev, &what), 0);
	test_eq(what, NL_CLSACT_NONE);
	op.type = NL_OP_CLSACT_DEL;
	test_eq(nl_run_one(nl, &op), -ENOENT);
	op.type = NL_OP_CLSACT_ADD;
	test_eq(nl_run_one(nl, &op), 0);
	test_eq(nl_run_one(nl, &op), -EEXIST);
	test_ok(nl_extack(nl)[0]);
	test_eq(nl_clsact_get(nl, dev, &what), 0);
	test_eq(what, NL_CLSACT_CLSACT);
	op.type = NL_OP_CLSACT_DEL;
	test_eq(nl_run_one(nl, &op), 0);
	/* After the first one is gone the kernel's answers are different from those on a fresh device. */
	test_eq(nl_run_one(nl, &op), -ENOENT);
	test_eq(nl_clsact_get(nl, dev, &what), 0);
	test_eq(what, NL_CLSACT_NONE);

	test_eq(run("tc qdisc add dev nla0 ingress"), 0);
	test_eq(nl_clsact_get(nl, dev, &what), 0);
	test_eq(what, NL_CLSACT_INGRESS);
	test_eq(nl_run_one(nl, &op), -EBUSY);
	op.type = NL_OP_CLSACT_ADD;
	test_eq(nl_run_one(nl, &op), -EEXIST);
	test_eq(nl_clsact_get(nl, dev, &what), 0);
	test_eq(what, NL_CLSACT_INGRESS);
	test_eq(run("tc qdisc del dev nla0 ingress"), 0);

	op.key.ifindex = 0x7ffffff0;
	test_eq(nl_run_one(nl, &op), -ENODEV);
	op.key.ifindex = 0;
	test_eq(nl_run_one(nl, &op), -EINVAL);

	test_case("shared filter blocks and root qdiscs are seen");
	test_eq(run("tc qdisc add dev nla0 ingress_block 7 egress_block 8 clsact && tc qdisc add dev nla0 root handle "
		    "5: htb"),
		0);
	if (test_eq(nl_qdiscs_dump(nl, dev, &qdiscs), 0)) {
		test_eq(nl_qdiscs_clsact(&qdiscs, dev, &q), NL_CLSACT_CLSACT);
		test_ok(q && q->ingress_block == 7 && q->egress_block == 8);
		test_eq(qdiscs.n, 2);
		nl_qdiscs_done(&qdiscs);
	}
	if (test_eq(nl_qdiscs_dump(nl, 0, &qdiscs), 0)) {
		test_ok(qdiscs.n >= 2);
		test_eq(nl_qdiscs_clsact(&qdiscs, dev, NULL), NL_CLSACT_CLSACT);
		test_eq(nl_qdiscs_clsact(&qdiscs, if_nametoindex("nlb0"), NULL), NL_CLSACT_NONE);
		nl_qdiscs_done(&qdiscs);
	}
	run("ip link del nla0");
}

static struct nl_op filter_op(enum nl_op_type type, uint32_t dev, enum spec_dir dir, int fd)
{
	return (struct nl_op){
		.type = type,
		.key = { dev, nl_parent(dir), 40000, 0x7c },
		.bpf = { fd, "tcctl:test", 0x12340001, NL_BPF_DIRECT_ACTION },
	};
}

static void test_filters(struct nl *nl)
{
	uint32_t dev = add_veth("nla0", "nlb0");
	struct nl_op op = filter_op(NL_OP_FILTER_ADD, dev, SPEC_INGRESS, prog_a), get,
		     clsact = { .type = NL_OP_CLSACT_ADD, .key.ifindex = dev };
	struct nl_filters filters = { 0 };
	struct nl_filter f;

	test_case("filters: add is exclusive, replace needs one, get and delete go by key");
	/* Without a clsact there is nothing to find, and nothing to add to. */
	test_eq(nl_filter_get(nl, &op.key, &f), -ENOENT);
	test_eq(nl_run_one(nl, &op), -EINVAL);
	test_ok(strstr(nl_extack(nl), "Qdisc") != NULL);
	test_eq(nl_filters_dump(nl, dev, NL_PARENT_INGRESS, &filters), 0);
	test_eq(filters.n, 0);
	test_eq(nl_run_one(nl, &clsact), 0);
	test_eq(nl_filter_get(nl, &op.key, &f), -ENOENT);

	op.type = NL_OP_FILTER_REPLACE;
	test_eq(nl_run_one(nl, &op), -ENOENT);
	op.type = NL_OP_FILTER_ADD;
	test_eq(nl_run_one(nl, &op), 0);
	test_eq(nl_run_one(nl, &op), -EEXIST);
	if (test_eq(nl_filter_get(nl, &op.key, &f), 0)) {
		test_streq(f.kind, "bpf");
		test_streq(f.name, "tcctl:test");
		test_eq(f.prog_id, prog_id(prog_a));
		test_eq(f.classid, 0x12340001);
		test_eq(f.flags & ~NL_BPF_NOT_IN_HW, NL_BPF_DIRECT_ACTION);
		test_eq(f.protocol, 3); /* ETH_P_ALL */
		test_eq(f.key.ifindex, dev);
		test_eq(f.key.parent, NL_PARENT_INGRESS);
		test_eq(f.key.prio, 40000);
		test_eq(f.key.handle, 0x7c);
	}
	op.type = NL_OP_FILTER_REPLACE;
	op.bpf.prog_fd = prog_b;
	op.bpf.classid = 0;
	test_eq(nl_run_one(nl, &op), 0);
	test_eq(nl_filter_get(nl, &op.key, &f), 0);
	test_eq(f.prog_id, prog_id(prog_b));
	get = op;
	get.key.handle++;
	test_eq(nl_filter_get(nl, &get.key, &f), -ENOENT);
	get.key = op.key;
	get.key.parent = NL_PARENT_EGRESS;
	test_eq(nl_filter_get(nl, &get.key, &f), -ENOENT);
	get.key = op.key;
	get.key.ifindex = 0x7ffffff0;
	test_eq(nl_filter_get(nl, &get.key, &f), -ENODEV);

	test_case("foreign filters are listed in running order and survive our delete");
	test_eq(run("tc filter add dev nla0 ingress prio 50000 protocol ip u32 match u32 0 0 classid 1:1 2>/dev/null && "
		    "tc filter add dev nla0 ingress prio 7 protocol ipv6 u32 match u32 0 0 classid 1:2"),
		0);
	if (test_eq(nl_filters_dump(nl, dev, NL_PARENT_INGRESS, &filters), 0)) {
		size_t ours = SIZE_MAX;

		test_ok(filters.stable);
		test_streq(filters.items[0].kind, "u32");
		test_eq(filters.items[0].key.prio, 7);
		for (size_t i = 0; i < filters.n; i++)
			if (filters.items[i].key.prio == 40000) {
				test_eq(ours, SIZE_MAX);
				ours = i;
			}
		test_ok(ours != SIZE_MAX && ours > 0 && ours < filters.n - 1);
		nl_filters_done(&filters);
	}
	/* Our key's prio belongs to another kind. */
	get = op;
	get.type = NL_OP_FILTER_ADD;
	get.key.prio = 7;
	test_eq(nl_run_one(nl, &get), -EINVAL);
	test_ok(nl_extack(nl)[0]);
	op.type = NL_OP_FILTER_DEL;
	test_eq(nl_run_one(nl, &op), 0);
	test_eq(nl_run_one(nl, &op), -ENOENT);
	if (test_eq(nl_filters_dump(nl, dev, NL_PARENT_INGRESS, &filters), 0)) {
		test_ok(filters.n >= 2);
		for (size_t i = 0; i < filters.n; i++)
			test_streq(filters.items[i].kind, "u32");
		nl_filters_done(&filters);
	}

	test_case("the kernel's words come with the error");
	op = filter_op(NL_OP_FILTER_ADD, dev, SPEC_EGRESS, prog_a);
	op.bpf.flags |= NL_BPF_SKIP_SW; /* veth offloads nothing */
	test_ok(nl_run_one(nl, &op) < 0);
	test_ok(nl_extack(nl)[0]);
	op.bpf.flags = NL_BPF_DIRECT_ACTION | NL_BPF_SKIP_HW;
	test_eq(nl_run_one(nl, &op), 0);
	test_eq(nl_filter_get(nl, &op.key, &f), 0);
	test_ok(f.flags & NL_BPF_SKIP_HW);
	run("ip link del nla0");

	test_case("on a shared block the device's own key is answered");
	dev = add_veth("nla0", "nlb0");
	test_eq(run("tc qdisc add dev nla0 ingress_block 7 clsact && tc filter add block 7 prio 3 protocol ip u32 match "
		    "u32 0 0 classid 1:1"),
		0);
	if (test_eq(nl_filters_dump(nl, dev, NL_PARENT_INGRESS, &filters), 0)) {
		test_ok(filters.n >= 1 && filters.items[0].key.ifindex == dev);
		nl_filters_done(&filters);
	}
	run("ip link del nla0");
}

#define DEVICES 150

static void batch_devices(bool make)
{
	FILE *p = popen("ip -batch -", "w");

	for (int i = 0; p && i < DEVICES; i++)
		if (make)
			fprintf(p, "link add nlp%d type veth peer name nlq%d\n", i, i);
		else
			fprintf(p, "link del nlp%d\n", i);
	test_ok(p && !pclose(p));
}

struct answers {
	int calls[DEVICES * 3], err[DEVICES * 3];
	uint32_t prog_id[DEVICES * 3];
};

static void take_answer(void *arg, size_t i, int err, const struct nl_filter *filter)
{
	struct answers *a = arg;

	a->calls[i]++;
	a->err[i] = err;
	a->prog_id[i] = filter ? filter->prog_id : 0;
}

static void test_batch(struct nl *nl)
{
	static struct nl_op ops[DEVICES * 3];
	static struct nl_filter_key keys[DEVICES * 3];
	static struct answers found;
	struct nl_stats before;
	size_t n = 0, lost = 0;

	test_case("many devices in a few system calls, a result for each");
	batch_devices(true);
	for (int i = 0; i < DEVICES; i++) {
		char name[16];
		uint32_t dev;

		snprintf(name, sizeof(name), "nlp%d", i);
		dev = if_nametoindex(name);
		ops[n++] = (struct nl_op){ .type = NL_OP_CLSACT_ADD, .key.ifindex = dev };
		ops[n++] = filter_op(NL_OP_FILTER_ADD, dev, SPEC_INGRESS, prog_a);
		ops[n++] = filter_op(NL_OP_FILTER_ADD, dev, SPEC_EGRESS, prog_a);
	}
	ops[3 * 70].key.ifindex = 0x7ffffff0;	    /* no such device */
	ops[3 * 71 + 1].key.prio = 0;		    /* nonsense, refused before it is sent */
	ops[3 * 72 + 2].bpf.prog_fd = STDIN_FILENO; /* not a program */
	before = *nl_stats(nl);
	test_eq(nl_run(nl, ops, n), 0);
	test_ok(nl_stats(nl)->sends - before.sends < 10);
	for (size_t i = 0; i < n; i++) {
		if (i == 3 * 70)
			test_eq(ops[i].err, -ENODEV);
		else if (i == 3 * 71 + 1)
			test_eq(ops[i].err, -EINVAL);
		else if (i == 3 * 72 + 2)
			test_ok(ops[i].err < 0);
		else if (i / 3 == 70)
			test_ok(ops[i].err < 0); /* no clsact there */
		else
			test_eq(ops[i].err, 0);
		test_ok(!ops[i].lost);
	}
	test_ok(nl_first_failed(ops, n) == &ops[3 * 70]);
	for (size_t i = 0; i < n; i++) {
		keys[i] = ops[i].key;
		if (i % 3 == 0) /* the clsact's place: a second filter to look for, not there */
			keys[i] = (struct nl_filter_key){ ops[i + 1].key.ifindex, NL_PARENT_INGRESS, 9, 9 };
	}
	test_eq(nl_filters_get(nl, keys, n, take_answer, &found), -EINVAL); /* one of them is nonsense */
	keys[3 * 71 + 1].prio = 7;
	for (int small = 0; small < 2; small++) {
		const struct nl_stats at = *nl_stats(nl);

		test_case(small ? "look-ups whose answers are really lost are asked again" :
				  "many look-ups in a few system calls, one answer for each");
		if (small) { /* a buffer for a few answers, and a socket that does not know it */
			int one = 1;

			setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUF, &one, sizeof(one));
			nl->rcvbuf = 9216 * 2 * 6;
		}
		memset(&found, 0, sizeof(found));
		test_eq(nl_filters_get(nl, keys, n, take_answer, &found), 0);
		for (size_t i = 0; i < n; i++) {
			test_eq(found.calls[i], 1);
			if (i % 3 == 0 || i / 3 == 70 || i == 3 * 71 + 1 || i == 3 * 72 + 2)
				test_eq(found.err[i], -ENOENT);
			else if (test_eq(found.err[i], 0))
				test_eq(found.prog_id[i], prog_id(prog_a));
		}
		test_ok((nl_stats(nl)->lost > at.lost) == small);
		if (!small)
			test_ok(nl_stats(nl)->receives - at.receives <= n / NL_RX_PARTS + 4);
	}
	nl->rcvbuf = 4 << 20;
	ops[3 * 70].key.ifindex = ops[3 * 70 + 1].key.ifindex;

	test_case("answers that are really lost are read back");
	/* A buffer for a few answers only, and a socket that does not know it. */
	for (int round = 0; round < 3; round++) {
		int small = 1;

		setsockopt(mnl_socket_get_fd(nl->sock), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		for (size_t i = 0; i < n; i++) {
			ops[i] = filter_op(round == 0 ? NL_OP_FILTER_REPLACE : NL_OP_FILTER_DEL,
					   ops[i].key.ifindex, i % 3 == 2 ? SPEC_EGRESS : SPEC_INGRESS,
					   prog_b);
			if (i % 3 == 0)
				ops[i].key.prio = 9;
		}
		lost = 0;
		test_eq(nl_run(nl, ops, n), 0);
		for (size_t i = 0; i < n; i++) {
			lost += ops[i].lost;
			/* Only round 1's deletions of filters that were there can have two truths: gone by us, or
			 * not there. */
			if (i % 3 == 0 || i / 3 == 70 || i == 3 * 72 + 2)
				test_ok(ops[i].err == -ENOENT || (round && !ops[i].err && ops[i].lost));
			else if (i == 3 * 71 + 1)
				test_ok(ops[i].err == -ENOENT || (round && !ops[i].err && ops[i].lost));
			else if (round < 2)
				test_eq(ops[i].err, 0);
			else
				test_ok(ops[i].err == -ENOENT || ops[i].lost);
		}
		test_ok(lost > 0);
		if (round == 0) {
			struct nl_filter f;

			test_eq(nl_filter_get(nl, &ops[1].key, &f), 0);
			test_eq(f.prog_id, prog_id(prog_b));
		}
	}
	batch_devices(false);
}

/* A child that does `work` again and again until killed. */
static pid_t child_start(void (*work)(struct nl *nl, uint32_t dev, unsigned int round), uint32_t dev)
{
	pid_t pid = fork();
	struct nl *nl;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (nl_open(&nl))
		_exit(1);
	for (unsigned int i = 0;; i++)
		work(nl, dev, i);
}

static void child_stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	test_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void churn_filters(struct nl *nl, uint32_t dev, unsigned int round)
{
	struct nl_op ops[32];

	for (uint32_t i = 0; i < 32; i++) {
		ops[i] =
			filter_op(round & 1 ? NL_OP_FILTER_DEL : NL_OP_FILTER_ADD, dev, SPEC_INGRESS, prog_b);
		ops[i].key.handle = 0x100 + i;
	}
	nl_run(nl, ops, 32);
}

static void test_filter_churn(struct nl *nl)
{
	uint32_t dev = add_veth("nla0", "nlb0");
	struct nl_op ops[2] = { { .type = NL_OP_CLSACT_ADD, .key.ifindex = dev },
				filter_op(NL_OP_FILTER_ADD, dev, SPEC_INGRESS, prog_a) };
	unsigned int unstable = 0, missed = 0, doubled = 0, bare_missed = 0;
	struct nl_filter f;
	pid_t pid;

	test_case("a filter that is always there is in every dump, whatever others do at its prio");
	test_eq(nl_run(nl, ops, 2), 0);
	test_eq(ops[1].err, 0);
	pid = child_start(churn_filters, dev);
	for (int i = 0; i < 300; i++) {
		struct nl_filters filters = { 0 };
		unsigned int seen = 0;

		if (!test_eq(nl_filters_dump(nl, dev, NL_PARENT_INGRESS, &filters), 0))
			break;
		for (size_t j = 0; j < filters.n; j++)
			seen += filters.items[j].key.handle == 0x7c;
		missed += seen == 0;
		doubled += seen > 1;
		unstable += !filters.stable;
		nl_filters_done(&filters);
		if (!test_eq(nl_filter_get(nl, &ops[1].key, &f), 0))
			break;
	}
	child_stop(pid);
	bare_missed += (unsigned int)nl_stats(nl)->dump_retries;
	test_eq(missed, 0);
	test_eq(doubled, 0);
	printf("# 300 dumps under churn: %u not stable, %u reads repeated so far\n", unstable, bare_missed);
	run("ip link del nla0");
}

static void churn_links(struct nl *nl, uint32_t dev, unsigned int round)
{
	if (run("ip -batch - <<-E >/dev/null 2>&1\nlink add nlz0 type veth peer name nlz1\nlink add nly0 type veth peer "
		"name nly1\nlink del nlz0\nlink del nly0\nE"))
		_exit(1);
}

static void test_link_churn(struct nl *nl)
{
	unsigned int missed = 0, doubled = 0;
	uint64_t retries = nl_stats(nl)->dump_retries;
	pid_t pid;

	test_case("device dumps are whole while devices come and go");
	batch_devices(true);
	pid = child_start(churn_links, 0);
	for (int i = 0; i < 200; i++) {
		struct nl_links links = { 0 };
		unsigned int seen = 0;

		if (!test_eq(nl_links_dump(nl, &links), 0))
			break;
		for (size_t j = 0; j < links.n; j++) {
			seen += !strncmp(links.items[j].name, "nlp", 3);
			doubled += j && links.items[j].ifindex == links.items[j - 1].ifindex;
		}
		missed += seen != DEVICES;
		nl_links_done(&links);
	}
	child_stop(pid);
	run("ip link del nlz0 2>/dev/null; ip link del nly0 2>/dev/null");
	test_eq(missed, 0);
	test_eq(doubled, 0);
	printf("# 200 device dumps under churn: %llu repeated\n",
	       (unsigned long long)(nl_stats(nl)->dump_retries - retries));
	batch_devices(false);
}

static void test_tcx(struct nl *nl)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	uint32_t dev = add_veth("nla0", "nlb0");
	struct nl_tcx tcx = { 0 };
	int err, link;

	test_case("TCX programs of others are listed");
	err = nl_tcx_query(dev, SPEC_INGRESS, &tcx);
	if (err == -EOPNOTSUPP) {
		test_skip("TCX (Linux 6.6)");
		goto out;
	}
	test_eq(err, 0);
	test_eq(tcx.n, 0);
	link = bpf_link_create(prog_a, (int)dev, NL_TCX_INGRESS, &opts);
	test_ok(link >= 0);
	test_eq(nl_tcx_query(dev, SPEC_INGRESS, &tcx), 0);
	test_eq(tcx.n, 1);
	test_eq(tcx.items[0].prog_id, prog_id(prog_a));
	test_ok(tcx.items[0].link_id);
	test_streq(tcx.items[0].name, "nl_test");
	test_eq(nl_tcx_query(dev, SPEC_EGRESS, &tcx), 0);
	test_eq(tcx.n, 0);
	test_eq(nl_tcx_query(0x7ffffff0, SPEC_EGRESS, &tcx), -ENODEV);
	if (link >= 0)
		close(link);
out:
	run("ip link del nla0");
}

int main(void)
{
	struct nl *nl = NULL;
	int fds;

	test_case("namespace");
	if (!enter_namespace()) {
		test_skip("user namespaces or root");
		return 0;
	}
	if (system("ip -V >/dev/null 2>&1 && tc -V >/dev/null 2>&1")) {
		test_skip("iproute2");
		return 0;
	}
	test_eq(nl_open(&nl), 0);
	fds = count_fds();
	test_links(nl);
	test_links_delete(nl);
	test_clsact(nl);
	test_link_churn(nl);
	prog_a = prog_load(0);
	prog_b = prog_load(1);
	can_load = prog_a >= 0 && prog_b >= 0;
	test_case("filters and batches");
	if (can_load) {
		test_filters(nl);
		test_batch(nl);
		nl_close(nl); /* its buffer is small now */
		test_eq(nl_open(&nl), 0);
		test_filter_churn(nl);
		test_tcx(nl);
		close(prog_a);
		close(prog_b);
	} else {
		test_skip("CAP_BPF and CAP_NET_ADMIN");
	}
	test_case("no descriptor is left");
	test_eq(count_fds(), fds);
	nl_close(nl);
	return test_done();
}
