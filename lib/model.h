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

/* What a pipeline runs. Two with equal content share one load. */
struct model_pipeline {
	unsigned int id; /* pN in the pin directory; desired: 0, plan chooses */
	enum model_link link;
	char *ruleset_name; /* NULL: none */
	uint64_t code_digest; /* programs and constants: a change needs a new generation */
	uint64_t data_digest; /* rules, sets and classes: a change needs a new arena only */
	char *order; /* "classify(wan: 4 rules) → mark → end" */
	/* desired only */
	int ruleset; /* index into the spec's rulesets, or SPEC_NONE */
	enum spec_mode mode;
	enum spec_verdict verdict;
	const struct spec_run *runs; /* the spec's */
	size_t n_runs;
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
	/* observed only */
	unsigned int *orphans; /* pN directories that no state knows */
	size_t n_orphans;
	bool interrupted; /* an apply was cut short: what it left is to be cleared up */
	uint64_t spec_digest; /* of the normalised configuration; 0: none */
};

void model_done(struct model *m);
void model_sort(struct model *m);
const struct model_clsact *model_clsact_find(const struct model *m, uint32_t ifindex);

/* "ingress", "egress" */
const char *model_dir_name(enum spec_dir dir);

#endif
