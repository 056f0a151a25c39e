/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Network devices, qdiscs and bpf filters of one network namespace, over rtnetlink (libmnl).
 *
 * A socket belongs to the namespace it was opened in, for good: see netns.h for opening one elsewhere.
 * All functions return 0 or -errno. Reads give a whole, checked answer or an error: interrupted dumps are
 * repeated, replies that are cut short, out of sequence or malformed are -EBADMSG.
 *
 * Byte order: everything in host order, except MAC addresses (as on the wire).
 */
#ifndef TCCTL_LIB_NL_H
#define TCCTL_LIB_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"

#define NL_NAME_MAX 16 /* IFNAMSIZ, with the final 0 */
#define NL_KIND_MAX 16
#define NL_MAC_MAX 32	    /* MAX_ADDR_LEN */
#define NL_BPF_NAME_MAX 256 /* CLS_BPF_NAME_LEN, with the final 0 */
#define NL_EXTACK_MAX 160   /* longer texts of the kernel are cut */

/* Parents of filters on clsact (TC_H_CLSACT : TC_H_MIN_INGRESS / _EGRESS), as `enum spec_dir` counts.
 * A legacy ingress qdisc answers to NL_PARENT_INGRESS too. */
#define NL_PARENT_INGRESS 0xfffffff2U
#define NL_PARENT_EGRESS 0xfffffff3U
/* Handle of both the clsact and the legacy ingress qdisc. */
#define NL_HANDLE_CLSACT 0xffff0000U

static inline uint32_t nl_parent(enum spec_dir dir)
{
	return dir == SPEC_INGRESS ? NL_PARENT_INGRESS : NL_PARENT_EGRESS;
}

struct nl;

/* Open a socket in the calling thread's network namespace. Needs no capability. */
int nl_open(struct nl **ret_nl);
void nl_close(struct nl *nl);

/* What the kernel said about the last request of `nl` that failed: extack text, "" if it said nothing.
 * Valid until the next call. */
const char *nl_extack(const struct nl *nl);

/* Work done by this socket, for benchmarks and tests. */
struct nl_stats {
	uint64_t messages;     /* requests sent */
	uint64_t sends;	       /* sendmsg calls */
	uint64_t receives;     /* recvmmsg calls */
	uint64_t dump_retries; /* dumps read again because they were interrupted or did not agree */
	uint64_t lost;	       /* replies lost to ENOBUFS and read back */
};
const struct nl_stats *nl_stats(const struct nl *nl);

/* --- devices ---------------------------------------------------------------------------------------- */

struct nl_link {
	uint32_t ifindex;
	char name[NL_NAME_MAX];
	char **altnames; /* n_altnames strings, up to 127 bytes each */
	size_t n_altnames;
	char kind[NL_KIND_MAX]; /* "veth", "vlan", …; "" for real hardware */
	uint8_t mac[NL_MAC_MAX];
	uint8_t mac_len; /* 0: none; 6: Ethernet */
	uint16_t
		type; /* ARPHRD_*: ARPHRD_ETHER 1, ARPHRD_NONE 65534, ARPHRD_PPP 512, ARPHRD_LOOPBACK 772 … */
	uint32_t flags;	   /* IFF_* */
	uint32_t mtu;	   /* bytes */
	uint8_t operstate; /* IF_OPER_*: 6 up, 2 down, 0 unknown */
	uint32_t master;   /* ifindex or 0 */
	uint32_t lower;	   /* ifindex or 0: what it is on top of; of a veth: its other end */
	bool lower_elsewhere; /* that is in another network namespace */
	uint32_t group;	      /* IFLA_GROUP; 0: the one that new devices are in */
	uint32_t gso_segs; /* most segments of an aggregate; 0: the kernel did not say */
	bool external;	   /* a tunnel's device whose header is told by each packet's metadata */
};

struct nl_links {
	struct nl_link *items; /* by ifindex, ascending */
	size_t n;
};

/* All devices of the namespace. */
int nl_links_dump(struct nl *nl, struct nl_links *ret_links);
void nl_links_done(struct nl_links *links);
/* By name or altname; NULL if there is none. */
const struct nl_link *nl_links_find(const struct nl_links *links, const char *name);
/* The name that a device has now. -ENODEV: it is gone. */
int nl_link_name(struct nl *nl, uint32_t ifindex, char ret_name[NL_NAME_MAX]);
const struct nl_link *nl_links_by_index(const struct nl_links *links, uint32_t ifindex);

/* --- qdiscs ----------------------------------------------------------------------------------------- */

struct nl_qdisc {
	uint32_t ifindex;
	uint32_t
		parent; /* TC_H_ROOT 0xffffffff; TC_H_INGRESS 0xfffffff1 for clsact and ingress; else MAJ:MIN */
	uint32_t handle;
	char kind[NL_KIND_MAX];
	uint32_t ingress_block, egress_block; /* shared filter blocks, 0: private */
};

struct nl_qdiscs {
	struct nl_qdisc *items; /* by ifindex, then parent */
	size_t n;
};

/* Of one device, or of all with ifindex 0. Two reads have agreed. */
int nl_qdiscs_dump(struct nl *nl, uint32_t ifindex, struct nl_qdiscs *ret_qdiscs);
void nl_qdiscs_done(struct nl_qdiscs *qdiscs);

/* What sits at a device's ingress slot. */
enum nl_clsact { NL_CLSACT_NONE, NL_CLSACT_CLSACT, NL_CLSACT_INGRESS, NL_CLSACT_MAX };
enum nl_clsact nl_qdiscs_clsact(const struct nl_qdiscs *qdiscs, uint32_t ifindex,
				const struct nl_qdisc **ret_qdisc);
/* The same asked of the kernel, for one device. */
int nl_clsact_get(struct nl *nl, uint32_t ifindex, enum nl_clsact *ret_what);

/* --- filters ---------------------------------------------------------------------------------------- */

/* What names one filter. Chain is always 0, protocol ETH_P_ALL for ours. */
struct nl_filter_key {
	uint32_t ifindex;
	uint32_t parent; /* NL_PARENT_* */
	uint32_t prio;	 /* 1..65535 */
	uint32_t handle;
};

/* flags of nl_bpf and nl_filter */
#define NL_BPF_DIRECT_ACTION 0x1U
#define NL_BPF_SKIP_HW 0x2U
#define NL_BPF_SKIP_SW 0x4U
#define NL_BPF_IN_HW 0x8U      /* observed only */
#define NL_BPF_NOT_IN_HW 0x10U /* observed only */

struct nl_filter {
	struct nl_filter_key key;
	uint32_t chain;
	uint16_t protocol;	/* ETH_P_* */
	char kind[NL_KIND_MAX]; /* "bpf", "flower", … */
	/* kind "bpf" */
	char name[NL_BPF_NAME_MAX];
	uint32_t prog_id; /* 0: classic BPF */
	uint8_t tag[8];
	uint32_t classid;
	uint32_t flags; /* NL_BPF_* */
};

struct nl_filters {
	struct nl_filter *items; /* in the order the kernel runs them: prio, then as dumped */
	size_t n;
	/* Two reads agreed. If not (someone keeps changing filters) `items` has everything that any of the reads
	 * saw, so that a filter which is always there is never missed; do not delete anything on the strength of it. */
	bool stable;
};

/* All filters at one parent of a device. -ENODEV, or n = 0 where there is no such qdisc. */
int nl_filters_dump(struct nl *nl, uint32_t ifindex, uint32_t parent, struct nl_filters *ret_filters);
void nl_filters_done(struct nl_filters *filters);

/*
 * Filters by their keys: exact, whatever others do meanwhile. fn is called once for each key, in no promised order:
 * err is 0 with the filter (borrowed), or -ENOENT (no filter or no clsact), -ENODEV, -EOPNOTSUPP (a shared block), ….
 * fn must not use `nl`. Returns -errno when the socket failed: then some keys have had no answer.
 */
typedef void nl_filter_fn(void *arg, size_t i, int err, const struct nl_filter *filter);
int nl_filters_get(struct nl *nl, const struct nl_filter_key *keys, size_t n, nl_filter_fn *fn, void *arg);
/* The same for one, whose err is the result. */
int nl_filter_get(struct nl *nl, const struct nl_filter_key *key, struct nl_filter *ret_filter);

/* --- changes, one or thousands ------------------------------------------------------------------------ */

enum nl_op_type {
	NL_OP_CLSACT_ADD, /* exclusive: -EEXIST where there is a clsact or ingress qdisc already */
	NL_OP_CLSACT_DEL, /* of a clsact only: -ENOENT where there is none, -EBUSY where a legacy ingress sits */
	NL_OP_FILTER_ADD,     /* exclusive: -EEXIST where key is taken */
	NL_OP_FILTER_REPLACE, /* one that is there; loses no packet. -ENOENT if it is gone */
	NL_OP_FILTER_DEL,     /* by prio and handle. -ENOENT where it is not */
	NL_OP_MAX,
};

/* What a bpf filter is to be. */
struct nl_bpf {
	int prog_fd;
	const char *name; /* shown by `tc filter show`; < NL_BPF_NAME_MAX bytes */
	uint32_t classid; /* preset in skb->tc_classid; 0: none */
	uint32_t flags;	  /* NL_BPF_DIRECT_ACTION, NL_BPF_SKIP_* */
};

struct nl_op {
	enum nl_op_type type;
	struct nl_filter_key key; /* CLSACT_*: ifindex only */
	struct nl_bpf bpf;	  /* FILTER_ADD, FILTER_REPLACE */
	/* result */
	int err;		    /* 0 or -errno of this operation */
	char extack[NL_EXTACK_MAX]; /* what the kernel said, "" for nothing */
	bool lost;		    /* the reply was lost and the result comes from reading back */
};

/*
 * Do all of them, in order, many in one system call; a failed one does not stop those behind it. Returns 0 when
 * every operation has its result in `err` (look at them), or -errno when the socket itself failed; then those
 * without a known result have err = -EIO.
 *
 * A lost reply (ENOBUFS) is not a failed request: what became of it is read back from the kernel. An answer
 * that cannot be told (someone else made the same filter) counts by what is there now.
 */
int nl_run(struct nl *nl, struct nl_op *ops, size_t n);

/* One operation; returns its err (or the socket's), extack by nl_extack(). */
int nl_run_one(struct nl *nl, struct nl_op *op);

/* The first operation that failed, or NULL. */
const struct nl_op *nl_first_failed(const struct nl_op *ops, size_t n);

/* Short words for messages: "create clsact", "add filter", … */
const char *nl_op_name(enum nl_op_type type);

#endif
