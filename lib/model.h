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

enum model_link { MODEL_LINK_ETHER, MODEL_LINK_RAW, MODEL_LINK_MAX }; /* with / without an L2 header */

/* A hook: device and direction in one network namespace. */
struct model_hook {
	char device[16];
	uint32_t ifindex;
	enum spec_dir dir;
	int interface; /* desired: index into spec.interfaces; observed: SPEC_NONE */
	int pipeline;  /* index into model.pipelines */
	uint16_t hook_id; /* see tcctl/abi.h; desired: index part filled in by plan */
	/* observed only */
	bool clsact_made_by_us;
	uint32_t prio, handle, prog_id;
};

/* What a pipeline runs. Two with equal content share one load. */
struct model_pipeline {
	unsigned int id; /* pN in the pin directory; 0: not assigned yet */
	enum model_link link;
	int ruleset; /* index into the spec's rulesets, or SPEC_NONE */
	enum spec_mode mode;
	enum spec_verdict verdict;
	const struct spec_run *runs;
	size_t n_runs;
	uint64_t code_digest; /* programs and constants: a change needs a new generation */
	uint64_t data_digest; /* rules, sets and classes: a change needs a new arena only */
};

struct model {
	struct model_pipeline *pipelines;
	size_t n_pipelines;
	struct model_hook *hooks; /* sorted by device, direction */
	size_t n_hooks;
};

void model_done(struct model *m);

#endif
