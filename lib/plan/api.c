// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reading a plan from outside. */
#include <errno.h>
#include <stdlib.h>

#include "plan.h"
#include "record.h"
#include "util.h"

static const char *const kind_names[] = {
	[TCCTL_STEP_PIPELINE_ADD] = "pipeline-add",	  [TCCTL_STEP_PIPELINE_SWAP] = "pipeline-swap",
	[TCCTL_STEP_PIPELINE_RULES] = "pipeline-rules",	  [TCCTL_STEP_CLSACT_ADD] = "clsact-add",
	[TCCTL_STEP_HOOK_ADD] = "hook-add",		  [TCCTL_STEP_HOOK_REPLACE] = "hook-replace",
	[TCCTL_STEP_HOOK_REMOVE] = "hook-remove",	  [TCCTL_STEP_CLSACT_REMOVE] = "clsact-remove",
	[TCCTL_STEP_INTERFACE_REMOVE] = "interface-remove", [TCCTL_STEP_PIPELINE_REMOVE] = "pipeline-remove",
	[TCCTL_STEP_CLEANUP] = "cleanup",		  [TCCTL_STEP_STATE] = "state",
	[TCCTL_STEP_PIPELINE_TUNNELS] = "pipeline-tunnels", [TCCTL_STEP_DEVICE_ADD] = "device-add",
	[TCCTL_STEP_DEVICE_CHANGE] = "device-change",	  [TCCTL_STEP_DEVICE_REMOVE] = "device-remove",
};
_Static_assert(ARRAY_SIZE(kind_names) == TCCTL_STEP_MAX, "a name for each kind of step");

const char *tcctl_step_kind_name(enum tcctl_step_kind kind)
{
	return kind < TCCTL_STEP_MAX ? kind_names[kind] : "?";
}

void tcctl_plan_free(struct tcctl_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_steps; i++)
		free(plan->steps[i].text);
	for (size_t i = 0; i < plan->n_orders; i++)
		free(plan->orders[i].text);
	free(plan->steps);
	free(plan->orders);
	free(plan->pipelines);
	free(plan->hooks);
	free(plan->clsacts);
	free(plan->devices);
	free(plan);
}

size_t tcctl_plan_count(const struct tcctl_plan *plan)
{
	return plan->n_steps;
}

int tcctl_plan_get(const struct tcctl_plan *plan, size_t i, struct tcctl_step *ret)
{
	struct tcctl_step s = { .sz = sizeof(s) };

	if (i >= plan->n_steps)
		return -ENOENT;
	s.kind = plan->steps[i].kind;
	s.device = plan->steps[i].device[0] ? plan->steps[i].device : NULL;
	s.direction = plan->steps[i].dir >= 0 ? model_dir_name(plan->steps[i].dir) : NULL;
	s.pipeline = plan->steps[i].pipeline;
	s.text = plan->steps[i].text;
	return record_put(ret, &s, sizeof(s));
}

size_t tcctl_plan_order_count(const struct tcctl_plan *plan)
{
	return plan->n_orders;
}

int tcctl_plan_order_get(const struct tcctl_plan *plan, size_t i, struct tcctl_order *ret)
{
	struct tcctl_order o = { .sz = sizeof(o) };

	if (i >= plan->n_orders)
		return -ENOENT;
	o.device = plan->orders[i].device;
	o.direction = model_dir_name(plan->orders[i].dir);
	o.pipeline = plan->orders[i].pipeline;
	o.text = plan->orders[i].text;
	return record_put(ret, &o, sizeof(o));
}
