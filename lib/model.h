/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The model: pipelines and hooks, as wanted (from `desired`) and as found (from `observe`). Both make the
 * same types; `plan` is a pure function of two of them and is tested without a kernel.
 */
#ifndef TCCTL_LIB_MODEL_H
#define TCCTL_LIB_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/tunnels.h"
#include "spec.h"

/* Where our filters sit: a preference of our own below those that tc picks by itself (49152 and down to the
 * lowest one there), and a fixed handle. */
#define MODEL_PRIO 31744
#define MODEL_HANDLE 1

enum model_link { MODEL_LINK_ETHER, MODEL_LINK_RAW, MODEL_LINK_MAX }; /* with / without an L2 header */

/* What is at a hook's (prio, handle). */
enum model_found {
	MODEL_FOUND_NOTHING,
	MODEL_FOUND_OURS,    /* as recorded: program, classid and flags agree */
	MODEL_FOUND_STALE,   /* our name on it, but not what was recorded */
	MODEL_FOUND_FOREIGN, /* somebody else's */
	MODEL_FOUND_MAX,
};

/* A hook: device and direction in one network namespace. The key is (ifindex, dir): names change. */
struct model_hook {
	char device[16];
	uint32_t ifindex;
	enum spec_dir dir;
	int pipeline; /* index into model.pipelines; observed: SPEC_NONE when it is not recorded */
	uint16_t hook_id; /* see tcctl/abi.h; desired: flags only, plan chooses the index */
	uint32_t prio, handle;
	/* desired only */
	int interface; /* index into spec.interfaces */
	/* observed only */
	bool recorded; /* the state says that we attached there; if not, it is wanted or a filter without pins */
	enum model_found found;
	char what[96]; /* MODEL_FOUND_STALE, _FOREIGN: name or kind of what is there; room for every name of ours */
	uint32_t prog_id;
};

enum model_clsact_kind { MODEL_CLSACT_NONE, MODEL_CLSACT_PRESENT, MODEL_CLSACT_LEGACY, MODEL_CLSACT_BLOCK };

/* Observed only: the clsact slot of a device that hooks need or sit on. */
struct model_clsact {
	uint32_t ifindex;
	char device[16];
	enum model_clsact_kind kind;
	bool ours; /* made by us, and nobody has taken it away since */
};

/* A tunnel that a pipeline's tables hold. */
struct model_tunnel {
	char *name;
	uint64_t digest; /* of everything that its row, its keys and its forwarding table are made from */
	int tunnel;	 /* desired only: index into spec.tunnels */
};

/* A device that tunnels name (`device:`). Desired: each of them; observed: those that we made and that are still there. */
struct model_device {
	char name[16];
	uint32_t ifindex; /* of one that is to be made: chosen by us */
	uint32_t mtu;	  /* desired: as it is to be set, if we made it; observed: as it is */
	bool gso;	  /* the same; false: aggregates are cut, the tunnel begins behind that, at the other end */
	uint8_t mac[6];
	/* desired only */
	bool make;     /* there is none of that name */
	uint32_t peer; /* its other end, where it has to be a veth pair: chosen by us */
	char peer_name[16];
	bool arp; /* Ethernet inside: neighbours are asked for; otherwise all go into the tunnel anyway */
	int tunnel; /* index into spec.tunnels: one that names it */
	/* observed only */
	bool gone; /* recorded, but not there any more */
};

/* What a pipeline runs. Two with equal content share one load. */
struct model_pipeline {
	unsigned int id; /* pN in the pin directory; desired: 0, plan chooses */
	enum model_link link;
	char *ruleset_name; /* NULL: none */
	uint64_t code_digest; /* programs and constants: a change needs a new generation */
	uint64_t data_digest; /* rules, sets, classes, tunnels: a change needs new tables only */
	uint64_t rules_digest; /* the part of it that the compiled rule set is made from */
	struct model_tunnel *tunnels; /* sorted by name */
	size_t n_tunnels;
	char *order; /* "classify(wan: 4 rules) → mark → end" */
	/* desired only */
	int ruleset; /* index into the spec's rulesets, or SPEC_NONE */
	enum spec_mode mode;
	enum spec_verdict verdict;
	const struct spec_run *runs; /* the spec's */
	size_t n_runs;
	struct pipeline_tunnels needs; /* programs for its tunnels */
	uint32_t tunnel_flags; /* more TCCTL_TF_* of all of its tunnels */
	const struct spec_hook *hook; /* whose tunnels; the spec's, or one of model.hook_copies */
	/* observed only */
	bool usable; /* false: made by an incompatible version or damaged, so it cannot be kept */
};

struct model {
	struct model_pipeline *pipelines;
	size_t n_pipelines;
	struct model_hook *hooks; /* sorted by device, direction */
	size_t n_hooks;
	struct model_clsact *clsacts; /* sorted by ifindex */
	size_t n_clsacts;
	struct model_device *devices;
	size_t n_devices;
	/* desired only: hooks that tunnels have changed (an implicit `encap`: spec_hook.by_device, which all of them share) */
	struct spec_hook **hook_copies;
	size_t n_hook_copies;
	bool *by_device;
	/* observed only */
	unsigned int *orphans; /* pN directories that no state knows */
	size_t n_orphans;
	bool interrupted; /* an apply was cut short: what it left is to be cleared up */
	uint64_t spec_digest; /* of the normalised configuration; 0: none */
};

void model_done(struct model *m);
void model_pipeline_done(struct model_pipeline *p);
void model_sort(struct model *m);
const struct model_clsact *model_clsact_find(const struct model *m, uint32_t ifindex);

/* "ingress", "egress" */
const char *model_dir_name(enum spec_dir dir);

#endif
