// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Load and compile all that is new, out of sight of every packet. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "diag.h"
#include "digest.h"
#include "object.h"
#include "observe.h"
#include "pin.h"
#include "rules.h"
#include "tx/tunnels.h"
#include "tx/tx.h"
#include "util.h"

static int undo_pipeline(void *ctx, size_t i)
{
	struct tx *tx = ctx;

	pipeline_wait(); /* it may have been attached for a moment */
	return pipeline_remove(tx->s->owner_fd, tx->pipelines[i].pp->id);
}

static int undo_tables(void *ctx, size_t i)
{
	struct tx *tx = ctx;

	generation_pin_drop(&tx->pipelines[i].p);
	return 0;
}

static int undo_arena(void *ctx, size_t i)
{
	struct tx *tx = ctx;

	struct tx_pipeline *tp = &tx->pipelines[i];

	pipeline_arena_drop(&tp->p, tp->new_slot);
	if (tp->keeps_new_arena)
		pipeline_keep_not(&tp->p, ARENA_KIND, tp->kept_arena);
	tx_tunnels_undo(tp);
	return 0;
}

static void drop_counters(struct state_pipeline *sp)
{
	for (size_t i = 0; i < sp->n_classes; i++)
		free(sp->classes[i].name);
	for (size_t i = 0; i < sp->n_counters; i++)
		free(sp->counters[i].name);
	free(sp->classes);
	free(sp->counters);
	sp->classes = NULL;
	sp->counters = NULL;
	sp->n_classes = sp->n_counters = 0;
}

/* The counter chunks that the new state has and the old one had not, in one go. */
static int make_chunks(struct tx *tx, struct tx_pipeline *tp, const struct state_pipeline *old,
		       const struct state_pipeline *sp)
{
	uint32_t chunks[TCCTL_CHUNKS_MAX], n = 0;
	int err;

	for (uint32_t i = old ? old->hook_chunks : 0; i < sp->hook_chunks; i++)
		chunks[n++] = TCCTL_CHUNK_HOOKS + i;
	for (uint32_t i = old ? old->rule_chunks : 0; i < sp->rule_chunks; i++)
		chunks[n++] = TCCTL_CHUNK_RULES + i;
	for (uint32_t i = old ? old->tunnel_chunks : 0; i < sp->tunnel_chunks; i++)
		chunks[n++] = TCCTL_CHUNK_TUNNELS + i;
	err = n ? counters_chunks_make(tp->p.dir_fd, pipeline_map(&tp->p, "counters"), chunks, n) : 0;
	if (err)
		diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot make counters: %s", strerror(-err)),
				       "p%u map counters", tp->pp->id),
			   err);
	return err;
}

/* All that an arena is made from; never 0. */
static uint64_t arena_digest(const struct tx *tx, const struct model_pipeline *want, const struct spec_ruleset *set,
			     const uint32_t *counter_ids)
{
	const struct spec *spec = tx->s->spec;
	uint64_t h = digest_u64(want->rules_digest, object_builtin_digest());

	h = digest_bytes(h, counter_ids, set->n_rules * sizeof(*counter_ids));
	for (size_t i = 0; i < spec->n_classes; i++) {
		const struct spec_class *c = &spec->classes[i];

		h = digest_str(h, c->name);
		h = digest_u64(h, c->flags & TCCTL_C_TUNNEL && c->tunnel != SPEC_NONE ? tx->tunnel_ids[c->tunnel] : 0);
	}
	return h ? h : 1;
}

/* A compiled rule set, as a map: a new fd. */
static int compile_rules(struct tx *tx, const struct model_pipeline *want, const struct spec_ruleset *set,
			 const uint32_t *counter_ids)
{
	const struct rules_options options = { .tunnel_ids = want->hook->class_tunnels && want->n_tunnels ? tx->tunnel_ids :
													    NULL };
	struct rules_arena arena = {};
	int fd;

	fd = rules_compile(tx->s->spec, set, counter_ids, &options, tx->s->diags, &arena, NULL);
	if (fd)
		return fd;
	fd = pipeline_arena_make(arena.lines, arena.n_lines);
	rules_arena_done(&arena);
	return fd;
}

/* Put the compiled rule set where the next data generation finds it. With tunnels, which change more often than rules
 * that take seconds to compile, it is kept. */
static int build_rules(struct tx *tx, struct tx_pipeline *tp, const struct model_pipeline *want,
		       const struct spec_ruleset *set, const uint32_t *counter_ids)
{
	const uint64_t digest = want->n_tunnels ? arena_digest(tx, want, set, counter_ids) : 0;
	const size_t errors = tx->s->diags->n_errors;
	_cleanup_close_ int fd = -1;
	int err = 0;

	tp->kept_arena = digest;
	fd = digest ? pipeline_kept(&tp->p, ARENA_KIND, digest) : -ENOENT;
	if (fd < 0) {
		fd = compile_rules(tx, want, set, counter_ids);
		if (fd >= 0 && digest) {
			err = pipeline_keep(&tp->p, ARENA_KIND, digest, fd);
			tp->keeps_new_arena = !err;
		}
	}
	if (fd < 0)
		err = fd;
	if (!err)
		err = pipeline_arena_put(&tp->p, tp->new_slot, fd);
	if (err && tx->s->diags->n_errors == errors)
		diag_errno(diag_object(diag_error(tx->s->diags, &set->loc, "cannot load rule set '%s': %s", set->name,
						  strerror(-err)),
				       "p%u map arenas", tp->pp->id),
			   err);
	return err;
}

/* Rules and tunnels, for the next data generation. */
static int build_data(struct tx *tx, size_t i, const struct state_pipeline *old, struct state_pipeline *sp)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	const struct model_pipeline *want = &tx->s->want.pipelines[tp->pp->want];
	const struct spec *spec = tx->s->spec;
	const struct spec_ruleset *set = want->ruleset == SPEC_NONE ? NULL : &spec->rulesets[want->ruleset];
	_cleanup_free_ uint32_t *ids = NULL, *fresh = NULL;
	struct counters_reader reader = {};
	size_t n_fresh = 0;
	int err;

	drop_counters(sp);
	err = counters_reader_init(tp->p.dir_fd, &reader);
	if (!err)
		err = counters_assign(spec, set, old, counters_reader_get, &reader, tx->s->diags, sp, &ids, &fresh,
				      &n_fresh);
	counters_reader_done(&reader);
	if (!err)
		err = counters_zero(tp->p.dir_fd, fresh, n_fresh);
	if (err)
		return err;
	free(sp->ruleset);
	sp->ruleset = want->ruleset_name ? strdup(want->ruleset_name) : NULL;
	sp->data_digest = want->data_digest;
	sp->rules_digest = want->rules_digest;
	if (!set && !want->n_tunnels) {
		sp->n_tunnels = 0;
		return 0;
	}
	/* with new programs, which read the other slot, the generation stays: see TCCTL_ARENA_SLOT */
	if (tp->pp->op != PLAN_ADD && !tp->pp->swap)
		tp->new_generation = tp->old_generation + 1;
	tp->new_slot = TCCTL_ARENA_SLOT(tp->new_generation, sp->odd ? TCCTL_CFG_ODD : 0);
	if (tp->pp->op != PLAN_ADD)
		undo_push(&tx->undo, undo_arena, i);
	sp->generation = tp->new_generation;
	err = set ? build_rules(tx, tp, want, set, ids) : 0;
	return err ? err : tx_tunnels_build(tx, tp, old, sp);
}

static int build_code(struct tx *tx, size_t i, struct state_pipeline *sp)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	const struct model_pipeline *want = &tx->s->want.pipelines[tp->pp->want];
	struct pipeline_want pw = {
		.link = want->link, .classify = want->ruleset != SPEC_NONE, .mode = want->mode,
		.verdict = want->verdict, .spec = tx->s->spec, .runs = want->runs, .n_runs = want->n_runs,
		.tunnels = want->needs,
		.learned_fd = want->needs.flags & PIPELINE_TUNNELS_LEARN ? tx->learned_fd : -1,
	};
	int err;

	if (tp->pp->op != PLAN_ADD && tp->pp->data && (pw.classify || want->n_tunnels))
		sp->odd = !sp->odd;
	pw.odd = sp->odd;
	err = generation_load(&tp->p, &pw, tx->s->objects, tx->s->diags, &tp->g);
	if (err)
		return err;
	for (size_t k = 0; k < sp->n_slots; k++)
		free(sp->slots[k].name);
	free(sp->slots);
	sp->slots = TAKE_PTR(tp->g.slots);
	sp->n_slots = tp->g.n_slots;
	tp->g.n_slots = 0;
	sp->root_id = tp->p.root_id;
	sp->entry_id = tp->g.entry_id;
	sp->code_digest = want->code_digest;
	sp->elf_digest = object_builtin_digest();
	err = pipeline_abi_digest(tx->s->diags, &sp->abi_digest);
	if (err)
		return err;
	if (tp->pp->op == PLAN_ADD) {
		/* nothing is attached yet: into place at once */
		err = generation_pin_new(&tp->p, &tp->g);
		if (!err)
			err = generation_pin_commit(&tp->p);
		if (!err)
			err = pipeline_switch(&tp->p, tp->g.entry_fd);
	} else {
		tp->old_entry_fd = pin_get(tp->p.dir_fd, "entry");
		err = generation_pin_new(&tp->p, &tp->g);
		if (!err)
			undo_push(&tx->undo, undo_tables, i);
	}
	if (err)
		diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot pin the jump tables: %s", strerror(-err)),
				       "p%u", tp->pp->id),
			   err);
	return err;
}

/* Counters of hooks that are new start at zero; a chunk that is new does. */
static int build_hook_counters(struct tx *tx, size_t i, struct state_pipeline *sp)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	const struct tcctl_plan *plan = tx->s->plan;
	_cleanup_free_ uint32_t *ids = calloc(plan->n_hooks + 1, sizeof(*ids));
	const uint32_t had = sp->hook_chunks;
	size_t n = 0;

	if (!ids)
		return -ENOMEM;
	for (size_t k = 0; k < plan->n_hooks; k++) {
		const struct plan_hook *ph = &plan->hooks[k];
		const uint32_t index = ph->hook_id >> TCCTL_HOOK_INDEX_SHIFT;
		const struct model_hook *have = ph->have >= 0 ? &tx->s->have.hooks[ph->have] : NULL;

		if (ph->want < 0 || ph->pipeline != tp->pp->id)
			continue;
		if (index >= TCCTL_HOOKS_FIXED && index / TCCTL_CHUNK >= sp->hook_chunks)
			sp->hook_chunks = index / TCCTL_CHUNK + 1;
		/* the same hook as before keeps its numbers */
		if (have && have->recorded && have->hook_id >> TCCTL_HOOK_INDEX_SHIFT == index && have->pipeline >= 0 &&
		    tx->s->have.pipelines[have->pipeline].id == tp->pp->id)
			continue;
		if (index < TCCTL_HOOKS_FIXED || index / TCCTL_CHUNK < had)
			ids[n++] = TCCTL_HOOK_COUNTER(index);
	}
	return counters_zero(tp->p.dir_fd, ids, n);
}

static int build_pipeline(struct tx *tx, size_t i)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	const struct plan_pipeline *pp = tp->pp;
	const struct state_pipeline *old = state_pipeline_find(&tx->s->state, pp->id);
	const struct model_pipeline *want;
	struct state_pipeline *sp;
	int err;

	observe_filter_name(tp->filter_name, tx->s->owner, pp->id);
	if (pp->op == PLAN_REMOVE) {
		pipeline_open(tx->s->owner_fd, pp->id, &tp->p); /* to put filters back, if it is whole */
		return 0;
	}
	want = &tx->s->want.pipelines[pp->want];
	sp = &tx->next.pipelines[tx->next.n_pipelines];
	if (pp->op == PLAN_ADD) {
		old = NULL;
		sp->id = pp->id;
		sp->link = want->link;
		err = pipeline_make(tx->s->owner_fd, pp->id, tx->s->diags, &tp->p);
		if (!err)
			undo_push(&tx->undo, undo_pipeline, i);
	} else {
		err = pipeline_open(tx->s->owner_fd, pp->id, &tp->p);
		if (err)
			return err;
		err = state_pipeline_copy(old, sp);
		tp->old_generation = tp->new_generation = old->generation;
		tp->old_slot = tp->new_slot = TCCTL_ARENA_SLOT(old->generation, old->odd ? TCCTL_CFG_ODD : 0);
	}
	if (err)
		return err;
	tx->next.n_pipelines++;
	free(sp->order);
	sp->order = strdup(want->order);
	if (!sp->order)
		return -ENOMEM;
	if (pp->op == PLAN_ADD || pp->swap)
		err = build_code(tx, i, sp);
	if (!err)
		err = build_hook_counters(tx, i, sp);
	if (!err && (pp->op == PLAN_ADD || pp->data))
		err = build_data(tx, i, old, sp);
	if (!err)
		err = make_chunks(tx, tp, old, sp);
	return err;
}

/* Hooks and clsact of the state that is being headed for. */
static int build_next(struct tx *tx)
{
	const struct session *s = tx->s;
	const struct tcctl_plan *plan = s->plan;

	tx->next.spec = s->text ? strdup(s->text) : NULL;
	tx->next.spec_len = s->text_len;
	tx->next.hooks = calloc(plan->n_hooks + 1, sizeof(*tx->next.hooks));
	tx->next.clsacts = calloc(s->have.n_clsacts + plan->n_clsacts + 1, sizeof(*tx->next.clsacts));
	if ((s->text && !tx->next.spec) || !tx->next.hooks || !tx->next.clsacts)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_hooks; i++) {
		const struct plan_hook *ph = &plan->hooks[i];
		struct state_hook *h = &tx->next.hooks[tx->next.n_hooks];
		const struct model_hook *want;

		if (ph->want < 0)
			continue;
		want = &s->want.hooks[ph->want];
		*h = (struct state_hook){ .ifindex = want->ifindex, .dir = want->dir, .pipeline = ph->pipeline,
					  .hook_id = ph->hook_id, .prio = ph->prio, .handle = ph->handle };
		memcpy(h->device, want->device, sizeof(h->device));
		tx->next.n_hooks++;
	}
	for (size_t i = 0; i < s->have.n_clsacts; i++) {
		const struct model_clsact *c = &s->have.clsacts[i];
		bool goes = !c->ours || c->kind != MODEL_CLSACT_PRESENT;

		for (size_t k = 0; k < plan->n_clsacts && !goes; k++)
			goes = plan->clsacts[k].op == PLAN_REMOVE && plan->clsacts[k].ifindex == c->ifindex;
		if (goes)
			continue;
		tx->next.clsacts[tx->next.n_clsacts].ifindex = c->ifindex;
		memcpy(tx->next.clsacts[tx->next.n_clsacts++].device, c->device, sizeof(c->device));
	}
	for (size_t k = 0; k < plan->n_clsacts; k++) {
		const struct plan_clsact *c = &plan->clsacts[k];

		if (c->op != PLAN_ADD)
			continue;
		tx->next.clsacts[tx->next.n_clsacts].ifindex = c->ifindex;
		memcpy(tx->next.clsacts[tx->next.n_clsacts++].device, c->device, sizeof(c->device));
	}
	return 0;
}

int tx_build(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	const size_t errors = tx->s->diags->n_errors;
	int err = 0;

	tx->n_pipelines = plan->n_pipelines;
	tx->pipelines = calloc(plan->n_pipelines + 1, sizeof(*tx->pipelines));
	tx->next.pipelines = calloc(plan->n_pipelines + 1, sizeof(*tx->next.pipelines));
	if (!tx->pipelines || !tx->next.pipelines)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_pipelines; i++)
		tx->pipelines[i] = (struct tx_pipeline){ .pp = &plan->pipelines[i], .p = PIPELINE_INIT,
							 .g = GENERATION_INIT, .old_entry_fd = -1 };
	/* per pipeline: make, tables, arena; switch and generation come with the commit */
	err = undo_reserve(&tx->undo, 5 * plan->n_pipelines + 1);
	if (!err)
		err = tx_tunnels_begin(tx);
	for (size_t i = 0; i < plan->n_pipelines && !err; i++)
		err = build_pipeline(tx, i);
	if (!err)
		err = build_next(tx);
	if (!err)
		err = tx_devices_next(tx);
	if (err && tx->s->diags->n_errors == errors)
		diag_errno(diag_error(tx->s->diags, NULL, "cannot prepare the change: %s", strerror(-err)), err);
	return err;
}
