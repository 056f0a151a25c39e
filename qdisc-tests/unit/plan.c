// SPDX-License-Identifier: GPL-2.0-only
/* The plan is a pure function of two models: what is wanted and what was found. */
#include <errno.h>

#include "diag.h"
#include "plan.h"
#include "tcctl/abi.h"
#include "test.h"

#define LAN (TCCTL_HOOK_SRC_LOCAL)
#define ID(index, flags) ((index) << TCCTL_HOOK_INDEX_SHIFT | (flags))
#define SPEC_DIGEST 77

static struct model want, have;
static struct tcctl_diags *diags;
static struct tcctl_plan *plan;

static void begin(const char *name)
{
	test_case(name);
	tcctl_plan_free(plan);
	plan = NULL;
	model_done(&want);
	model_done(&have);
	diags_free(diags);
	diags = diags_new();
	want.pipelines = calloc(8, sizeof(*want.pipelines));
	have.pipelines = calloc(8, sizeof(*have.pipelines));
	want.hooks = calloc(16, sizeof(*want.hooks));
	have.hooks = calloc(16, sizeof(*have.hooks));
	have.clsacts = calloc(16, sizeof(*have.clsacts));
	have.spec_digest = SPEC_DIGEST;
}

static int pipeline(struct model *m, unsigned int id, const char *ruleset, uint64_t code, uint64_t data)
{
	m->pipelines[m->n_pipelines] = (struct model_pipeline){
		.id = id, .ruleset_name = ruleset ? strdup(ruleset) : NULL, .code_digest = code, .data_digest = data,
		.order = strdup(ruleset ? ruleset : "end"), .usable = true, .ruleset = SPEC_NONE,
	};
	return m->n_pipelines++;
}

static void want_hook(const char *device, uint32_t ifindex, enum spec_dir dir, int p, uint16_t flags)
{
	struct model_hook *h = &want.hooks[want.n_hooks++];

	*h = (struct model_hook){ .ifindex = ifindex, .dir = dir, .pipeline = p, .hook_id = flags, .prio = MODEL_PRIO,
				  .handle = MODEL_HANDLE };
	strcpy(h->device, device);
}

static struct model_hook *have_hook(const char *device, uint32_t ifindex, enum spec_dir dir, int p, uint16_t id,
				    enum model_found found)
{
	struct model_hook *h = &have.hooks[have.n_hooks++];

	*h = (struct model_hook){ .ifindex = ifindex, .dir = dir, .pipeline = p, .hook_id = id, .prio = MODEL_PRIO,
				  .handle = MODEL_HANDLE, .recorded = true, .found = found };
	strcpy(h->device, device);
	return h;
}

static void clsact(uint32_t ifindex, const char *device, enum model_clsact_kind kind, bool ours)
{
	struct model_clsact *c = &have.clsacts[have.n_clsacts++];

	*c = (struct model_clsact){ .ifindex = ifindex, .kind = kind, .ours = ours };
	strcpy(c->device, device);
}

static int make(void)
{
	model_sort(&want);
	model_sort(&have);
	return plan_make("default", &want, &have, SPEC_DIGEST, diags, &plan);
}

static bool has_step(enum tcctl_step_kind kind, const char *device)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == kind && (!device || !strcmp(plan->steps[i].device, device)))
			return true;
	return false;
}

/* eth0 both ways as p1, attached and whole. */
static void attached(void)
{
	int p = pipeline(&have, 1, "wan", 10, 20);

	have_hook("eth0", 2, SPEC_INGRESS, p, ID(1, 0), MODEL_FOUND_OURS);
	have_hook("eth0", 2, SPEC_EGRESS, p, ID(2, TCCTL_HOOK_EGRESS | LAN), MODEL_FOUND_OURS);
	clsact(2, "eth0", MODEL_CLSACT_PRESENT, true);
}

static void wanted(uint64_t code, uint64_t data)
{
	int p = pipeline(&want, 0, "wan", code, data);

	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	want_hook("eth0", 2, SPEC_EGRESS, p, TCCTL_HOOK_EGRESS | LAN);
}

static void test_first(void)
{
	begin("first apply: load, clsact, two hooks with different indices");
	have.spec_digest = 0;
	wanted(10, 20);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 4);
	test_ok(has_step(TCCTL_STEP_PIPELINE_ADD, NULL));
	test_ok(has_step(TCCTL_STEP_CLSACT_ADD, "eth0"));
	test_eq(plan->pipelines[0].op, PLAN_ADD);
	test_eq(plan->pipelines[0].id, 1);
	test_eq(plan->hooks[0].op, PLAN_ADD);
	test_eq(plan->hooks[0].hook_id, ID(1, 0));
	test_eq(plan->hooks[1].hook_id, ID(2, TCCTL_HOOK_EGRESS | LAN));
	test_eq(plan->n_orders, 2);

	begin("a clsact of somebody else is used, not made");
	wanted(10, 20);
	clsact(2, "eth0", MODEL_CLSACT_PRESENT, false);
	test_eq(make(), 0);
	test_eq(plan->n_clsacts, 0);
}

static void test_same(void)
{
	begin("what is there already plans nothing");
	attached();
	wanted(10, 20);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 0);

	begin("another text with the same meaning is stored, nothing else");
	attached();
	wanted(10, 20);
	have.spec_digest = 1;
	test_eq(make(), 0);
	test_eq(plan->n_steps, 1);
	test_ok(has_step(TCCTL_STEP_STATE, NULL));
}

static void test_content(void)
{
	begin("new rules keep pipeline and hooks: one generation write");
	attached();
	wanted(10, 21);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 1);
	test_ok(plan->pipelines[0].data && !plan->pipelines[0].swap);
	test_eq(plan->pipelines[0].id, 1);

	begin("new programs keep pipeline and hooks: one slot write");
	attached();
	wanted(11, 20);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 1);
	test_ok(plan->pipelines[0].swap && !plan->pipelines[0].data);

	begin("another rule set with equal rules is a change of rules");
	attached();
	wanted(10, 20);
	free(want.pipelines[0].ruleset_name);
	want.pipelines[0].ruleset_name = strdup("lan");
	test_eq(make(), 0);
	test_ok(plan->pipelines[0].data);

	begin("a pipeline of an incompatible version is replaced");
	attached();
	wanted(10, 20);
	have.pipelines[0].usable = false;
	test_eq(make(), 0);
	test_eq(plan->pipelines[0].op, PLAN_ADD);
	test_eq(plan->pipelines[0].id, 2);
	test_eq(plan->pipelines[1].op, PLAN_REMOVE);
	test_eq(plan->hooks[0].op, PLAN_REPLACE);

	begin("another kind of device cannot take the pipeline over");
	attached();
	wanted(10, 20);
	want.pipelines[0].link = MODEL_LINK_RAW;
	test_eq(make(), 0);
	test_eq(plan->pipelines[0].op, PLAN_ADD);
}

static void test_hooks(void)
{
	int p;

	begin("a hook that joins is one filter add; the others stay");
	attached();
	wanted(10, 20);
	want_hook("eth1", 3, SPEC_INGRESS, 0, 0);
	test_eq(make(), 0);
	test_ok(has_step(TCCTL_STEP_HOOK_ADD, "eth1"));
	test_ok(has_step(TCCTL_STEP_CLSACT_ADD, "eth1"));
	test_eq(plan->n_steps, 2);
	test_eq(plan->hooks[2].hook_id, ID(3, 0));

	begin("a hook that leaves is one filter delete; the interface stays, and so does clsact");
	attached();
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 1);
	test_ok(has_step(TCCTL_STEP_HOOK_REMOVE, "eth0"));

	begin("an interface that leaves is announced, its clsact goes, its pipeline goes");
	attached();
	p = pipeline(&want, 0, "lan", 10, 30);
	want_hook("eth1", 3, SPEC_INGRESS, p, 0);
	test_eq(make(), 0);
	test_ok(has_step(TCCTL_STEP_INTERFACE_REMOVE, "eth0"));
	test_ok(has_step(TCCTL_STEP_CLSACT_REMOVE, "eth0"));
	test_ok(has_step(TCCTL_STEP_PIPELINE_REMOVE, NULL));
	test_eq(plan->pipelines[0].id, 2);

	begin("a clsact that we did not make stays");
	attached();
	have.clsacts[0].ours = false;
	p = pipeline(&want, 0, "lan", 10, 30);
	want_hook("eth1", 3, SPEC_INGRESS, p, 0);
	test_eq(make(), 0);
	test_ok(!has_step(TCCTL_STEP_CLSACT_REMOVE, NULL));

	begin("a hook that moves to another pipeline is one replace");
	attached();
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	p = pipeline(&want, 0, "lan", 10, 30);
	want_hook("eth0", 2, SPEC_EGRESS, p, TCCTL_HOOK_EGRESS | LAN);
	test_eq(make(), 0);
	test_eq(plan->hooks[0].op, PLAN_KEEP);
	test_eq(plan->hooks[1].op, PLAN_REPLACE);
	test_eq(plan->hooks[1].pipeline, 2);

	begin("the other side keeps the index and replaces the filter");
	attached();
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 2, SPEC_INGRESS, p, LAN);
	want_hook("eth0", 2, SPEC_EGRESS, p, TCCTL_HOOK_EGRESS);
	test_eq(make(), 0);
	test_eq(plan->hooks[0].op, PLAN_REPLACE);
	test_eq(plan->hooks[0].hook_id, ID(1, LAN));

	begin("an index is not given out again in the change that frees it");
	attached();
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	want_hook("eth1", 3, SPEC_INGRESS, p, 0);
	test_eq(make(), 0);
	test_eq(plan->hooks[1].hook_id, ID(3, 0));

	begin("the pipeline goes with most of its hooks");
	attached();
	p = 0;
	have_hook("eth1", 3, SPEC_INGRESS, p, ID(3, 0), MODEL_FOUND_OURS);
	clsact(3, "eth1", MODEL_CLSACT_PRESENT, true);
	p = pipeline(&want, 0, "lan", 10, 30);
	want_hook("eth1", 3, SPEC_INGRESS, p, 0);
	p = pipeline(&want, 0, "wan", 10, 21);
	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	want_hook("eth0", 2, SPEC_EGRESS, p, TCCTL_HOOK_EGRESS | LAN);
	test_eq(make(), 0);
	test_eq(plan->pipelines[1].id, 1);
	test_eq(plan->pipelines[0].op, PLAN_ADD);

	begin("where overlap is equal, equal content decides");
	attached();
	p = pipeline(&want, 0, "lan", 10, 30);
	want_hook("eth0", 2, SPEC_INGRESS, p, 0);
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 2, SPEC_EGRESS, p, TCCTL_HOOK_EGRESS | LAN);
	test_eq(make(), 0);
	test_eq(plan->pipelines[1].op, PLAN_KEEP);
	test_eq(plan->pipelines[1].id, 1);

	begin("all hooks on other devices: equal content keeps its counters");
	attached();
	p = pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth1", 3, SPEC_INGRESS, p, 0);
	test_eq(make(), 0);
	test_eq(plan->pipelines[0].op, PLAN_KEEP);
	test_ok(!has_step(TCCTL_STEP_PIPELINE_ADD, NULL));
}

static void test_drift(void)
{
	begin("a filter that somebody deleted is attached again, with its index");
	attached();
	have.hooks[0].found = MODEL_FOUND_NOTHING;
	wanted(10, 20);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 1);
	test_eq(plan->hooks[0].op, PLAN_ADD);
	test_eq(plan->hooks[0].hook_id, ID(1, 0));

	begin("a filter that somebody replaced is put back");
	attached();
	have.hooks[0].found = MODEL_FOUND_FOREIGN;
	wanted(10, 20);
	test_eq(make(), 0);
	test_eq(plan->hooks[0].op, PLAN_REPLACE);

	begin("somebody's filter at our place that we never had is refused by name");
	wanted(10, 20);
	clsact(2, "eth0", MODEL_CLSACT_PRESENT, false);
	*have_hook("eth0", 2, SPEC_INGRESS, SPEC_NONE, 0, MODEL_FOUND_FOREIGN) = (struct model_hook){
		.device = "eth0", .ifindex = 2, .dir = SPEC_INGRESS, .pipeline = SPEC_NONE, .prio = MODEL_PRIO,
		.handle = 1, .found = MODEL_FOUND_FOREIGN, .what = "mine.o:[tc]",
	};
	test_eq(make(), -EEXIST);
	test_eq(diags->n_errors, 1);
	test_ok(strstr(diags->items[0].message, "mine.o:[tc]"));
	test_streq(diags->items[0].device, "eth0 ingress");

	begin("what was replaced is not taken away");
	attached();
	have.hooks[0].found = MODEL_FOUND_FOREIGN;
	test_eq(make(), 0);
	test_eq(plan->hooks[0].op, PLAN_FORGET);
	test_eq(plan->hooks[1].op, PLAN_REMOVE);

	begin("a legacy ingress qdisc in the way is named");
	wanted(10, 20);
	clsact(2, "eth0", MODEL_CLSACT_LEGACY, false);
	test_eq(make(), -EEXIST);
	test_ok(strstr(diags->items[0].message, "ingress"));
	test_ok(strstr(diags->items[0].hint, "tc qdisc del dev eth0 ingress"));

	begin("a shared block is named");
	wanted(10, 20);
	clsact(2, "eth0", MODEL_CLSACT_BLOCK, false);
	test_eq(make(), -EEXIST);

	begin("a device that was made again gets its hooks again");
	attached();
	have.hooks[0].found = have.hooks[1].found = MODEL_FOUND_NOTHING;
	have.n_clsacts = 0;
	pipeline(&want, 0, "wan", 10, 20);
	want_hook("eth0", 9, SPEC_INGRESS, 0, 0);
	want_hook("eth0", 9, SPEC_EGRESS, 0, TCCTL_HOOK_EGRESS | LAN);
	test_eq(make(), 0);
	test_eq(plan->pipelines[0].op, PLAN_KEEP);
	test_eq(plan->hooks[0].op, PLAN_ADD);
	test_eq(plan->hooks[2].op, PLAN_FORGET);

	begin("pins that no state knows are cleared up, and their number is not taken");
	wanted(10, 20);
	have.orphans = calloc(1, sizeof(*have.orphans));
	have.orphans[have.n_orphans++] = 1;
	test_eq(make(), 0);
	test_ok(has_step(TCCTL_STEP_CLEANUP, NULL));
	test_eq(plan->pipelines[0].id, 2);
}

static void test_remove(void)
{
	begin("removing all takes hooks, clsact and pipeline");
	attached();
	test_eq(make(), 0);
	test_eq(plan->hooks[0].op, PLAN_REMOVE);
	test_eq(plan->hooks[1].op, PLAN_REMOVE);
	test_ok(has_step(TCCTL_STEP_CLSACT_REMOVE, "eth0"));
	test_ok(has_step(TCCTL_STEP_PIPELINE_REMOVE, NULL));

	begin("removing nothing plans nothing");
	have.spec_digest = SPEC_DIGEST;
	test_eq(make(), 0);
	test_eq(plan->n_steps, 0);
}

static void tunnel(struct model_pipeline *p, const char *name, uint64_t digest)
{
	if (!p->tunnels)
		p->tunnels = calloc(4, sizeof(*p->tunnels));
	p->tunnels[p->n_tunnels++] = (struct model_tunnel){ .name = strdup(name), .digest = digest };
}

static const char *step_text(enum tcctl_step_kind kind)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].kind == kind)
			return plan->steps[i].text;
	return "";
}

static void test_tunnels(void)
{
	begin("tunnels that change are named, and nothing is loaded");
	attached();
	wanted(10, 21);
	tunnel(&have.pipelines[0], "changes", 1);
	tunnel(&have.pipelines[0], "goes", 2);
	tunnel(&have.pipelines[0], "stays", 3);
	tunnel(&want.pipelines[0], "changes", 4);
	tunnel(&want.pipelines[0], "comes", 5);
	tunnel(&want.pipelines[0], "stays", 3);
	test_eq(make(), 0);
	test_ok(plan->pipelines[0].data && !plan->pipelines[0].swap && !plan->pipelines[0].rules);
	test_streq(step_text(TCCTL_STEP_PIPELINE_TUNNELS),
		   "switch pipeline p1 to new tunnels: changes changed, comes added, goes removed");
	test_ok(!has_step(TCCTL_STEP_PIPELINE_RULES, NULL) && !has_step(TCCTL_STEP_PIPELINE_SWAP, NULL));

	begin("rules and tunnels, by one write");
	attached();
	wanted(10, 21);
	want.pipelines[0].rules_digest = 7;
	tunnel(&want.pipelines[0], "comes", 5);
	test_eq(make(), 0);
	test_ok(plan->pipelines[0].rules);
	test_ok(has_step(TCCTL_STEP_PIPELINE_RULES, NULL) && has_step(TCCTL_STEP_PIPELINE_TUNNELS, NULL));

	begin("a route more, the same tunnels");
	attached();
	wanted(10, 21);
	tunnel(&have.pipelines[0], "stays", 3);
	tunnel(&want.pipelines[0], "stays", 3);
	test_eq(make(), 0);
	test_ok(has_step(TCCTL_STEP_PIPELINE_TUNNELS, NULL) && !has_step(TCCTL_STEP_PIPELINE_RULES, NULL));
}

static struct model_device *device(struct model *model, const char *name, uint32_t ifindex, uint32_t mtu)
{
	struct model_device *d;

	if (!model->devices)
		model->devices = calloc(4, sizeof(*model->devices));
	d = &model->devices[model->n_devices++];
	*d = (struct model_device){ .ifindex = ifindex, .mtu = mtu, .gso = true };
	strcpy(d->name, name);
	return d;
}

static void test_devices(void)
{
	begin("a device that is not there is made");
	device(&want, "vx0", 9, 1450)->make = true;
	test_eq(make(), 0);
	test_ok(has_step(TCCTL_STEP_DEVICE_ADD, "vx0"));
	test_eq(plan->devices[0].op, PLAN_ADD);

	begin("ours stays, with another MTU, or goes");
	device(&want, "vx0", 9, 1450);
	device(&want, "vx1", 10, 1400);
	device(&have, "vx0", 9, 1450);
	device(&have, "vx1", 10, 1450);
	device(&have, "vx2", 11, 1450);
	test_eq(make(), 0);
	test_eq(plan->n_steps, 2);
	test_ok(has_step(TCCTL_STEP_DEVICE_CHANGE, "vx1"));
	test_ok(has_step(TCCTL_STEP_DEVICE_REMOVE, "vx2"));

	begin("somebody else's is never in a plan");
	device(&want, "vx0", 9, 1450)->gso = false;
	test_eq(make(), 0);
	test_eq(plan->n_devices, 0);
	test_eq(plan->n_steps, 0);
	test_eq(diags->n, 0);

	begin("one of ours that is gone is not removed again");
	device(&have, "vx0", 9, 1450)->gone = true;
	test_eq(make(), 0);
	test_eq(plan->n_steps, 0);
}

static void test_many(void)
{
	begin("more hooks than one pipeline can tell apart are refused");
	free(want.hooks);
	want.hooks = calloc(TCCTL_HOOK_INDEX_MAX, sizeof(*want.hooks));
	pipeline(&want, 0, "wan", 10, 20);
	for (unsigned int i = 0; i < TCCTL_HOOK_INDEX_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "v%05u", i);
		want_hook(name, i + 2, SPEC_INGRESS, 0, 0);
	}
	test_eq(make(), -E2BIG);
}

int main(void)
{
	test_first();
	test_same();
	test_content();
	test_hooks();
	test_drift();
	test_remove();
	test_tunnels();
	test_devices();
	test_many();
	tcctl_plan_free(plan);
	model_done(&want);
	model_done(&have);
	diags_free(diags);
	return test_done();
}
