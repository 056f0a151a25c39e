/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The difference between two models as steps. Pure: no kernel, no files.
 *
 * A wanted pipeline keeps the identity of the observed one that shares most hooks with it, so that new content
 * becomes one slot write (programs) or one generation write (rules) and only hooks that join, leave or move are
 * touched.
 */
#ifndef TCCTL_LIB_PLAN_H
#define TCCTL_LIB_PLAN_H

#include "model.h"
#include "tcctl.h"

enum plan_op {
	PLAN_KEEP,
	PLAN_ADD,
	PLAN_REPLACE, /* hooks: one filter replace, which loses no packet */
	PLAN_REMOVE,
	PLAN_FORGET, /* recorded, but there is nothing of ours to take away */
};

struct plan_pipeline {
	enum plan_op op; /* KEEP, ADD or REMOVE */
	unsigned int id;
	int want, have; /* indices into the models, -1: none */
	bool swap;	/* KEEP: new programs */
	bool data;	/* KEEP: new rules or tunnels */
	bool rules;	/* … and these are the rules' */
};

struct plan_hook {
	enum plan_op op;
	int want, have;
	unsigned int pipeline; /* id of the pipeline it is to run; REMOVE, FORGET: 0 */
	uint16_t hook_id;
	uint32_t prio, handle;
};

struct plan_clsact {
	enum plan_op op; /* ADD or REMOVE (if nobody else uses it) */
	uint32_t ifindex;
	char device[16];
};

/* A device that tunnels want and that we make or made. */
struct plan_device {
	enum plan_op op; /* ADD, REMOVE, REPLACE (another MTU), KEEP, FORGET (it is gone) */
	int want, have;	 /* indices into the models, -1: none */
};

struct plan_step {
	enum tcctl_step_kind kind;
	char device[16]; /* "": none */
	int dir; /* enum spec_dir, -1: none */
	unsigned int pipeline;
	char *text;
};

struct tcctl_plan {
	struct plan_pipeline *pipelines; /* wanted ones in the order of the wanted model, then those that go */
	size_t n_pipelines;
	struct plan_hook *hooks; /* wanted ones in the order of the wanted model, then those that go */
	size_t n_hooks;
	struct plan_clsact *clsacts;
	size_t n_clsacts;
	struct plan_device *devices;
	size_t n_devices;
	struct plan_step *steps;
	size_t n_steps;
	/* for tcctl_plan_order_get() */
	struct plan_order {
		char device[16];
		enum spec_dir dir;
		unsigned int pipeline;
		char *text;
	} *orders;
	size_t n_orders;
};

/*
 * `owner` is the configuration's name, spec_digest that of its normalised text (0: everything goes). -EEXIST with
 * diagnostics: something that is not ours is in the way; -E2BIG: more hooks than a pipeline can tell apart.
 */
int plan_make(const char *owner, const struct model *want, const struct model *have, uint64_t spec_digest,
	      struct tcctl_diags *diags, struct tcctl_plan **ret);

#endif
