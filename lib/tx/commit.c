// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Make it visible. Each hook goes from old to new in one step: a filter add or replace, or a slot write. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "caps.h"
#include "diag.h"
#include "tx/tunnels.h"
#include "tx/tx.h"
#include "util.h"

/* --- clsact ------------------------------------------------------------------------------------------------ */

static int undo_clsact(void *ctx, size_t k)
{
	struct tx *tx = ctx;
	struct nl_op op = { .type = NL_OP_CLSACT_DEL, .key.ifindex = tx->s->plan->clsacts[k].ifindex };
	int err = nl_run_one(tx->s->t->nl, &op);

	return err == -ENOENT || err == -ENODEV ? 0 : err;
}

static void op_failed(struct tx *tx, const struct nl_op *op, const char *device, const char *dir)
{
	struct tcctl_diags *diags = tx->s->diags;
	struct diag *g;

	if (op->err == -EPERM && caps_require(CAPS_ATTACH, diags))
		return;
	if (op->err == -ENODEV)
		g = diag_hint(diag_error(diags, NULL, "the device vanished while it was being changed"),
			      "nothing was changed; try again");
	else if (op->err == -EEXIST && op->type == NL_OP_FILTER_ADD)
		g = diag_hint(diag_error(diags, NULL,
					 "somebody put a filter at prio %u handle 0x%x, where ours goes, at this moment",
					 op->key.prio, op->key.handle),
			      "remove it, or choose another prio for ours (--prio)");
	else
		g = diag_error(diags, NULL, "cannot %s: %s", nl_op_name(op->type), strerror(-op->err));
	if (op->err == -EINVAL && op->type == NL_OP_FILTER_ADD)
		diag_hint(g, "a prio holds filters of one kind and protocol: if others have filters of another kind or "
			     "protocol at prio %u (`tc filter show dev %s %s`), remove them or choose another prio for ours "
			     "(--prio)",
			  op->key.prio, device, dir);
	diag_device(g, dir ? "%s %s" : "%s", device, dir);
	if (op->key.prio)
		diag_object(g, "filter prio %u handle 0x%x", op->key.prio, op->key.handle);
	if (op->extack[0])
		diag_detail(g, op->extack);
	diag_errno(g, op->err);
}

static int commit_clsacts(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	_cleanup_free_ struct nl_op *ops = calloc(plan->n_clsacts + 1, sizeof(*ops));
	_cleanup_free_ size_t *which = calloc(plan->n_clsacts + 1, sizeof(*which));
	size_t n = 0;
	int err;

	if (!ops || !which)
		return -ENOMEM;
	for (size_t k = 0; k < plan->n_clsacts; k++)
		if (plan->clsacts[k].op == PLAN_ADD) {
			which[n] = k;
			ops[n++] = (struct nl_op){ .type = NL_OP_CLSACT_ADD, .key.ifindex = plan->clsacts[k].ifindex };
		}
	if (!n)
		return 0;
	err = nl_run(tx->s->t->nl, ops, n);
	for (size_t i = 0; i < n; i++) {
		enum nl_clsact what;

		if (!ops[i].err) {
			tx->clsact_made[which[i]] = true;
			undo_push(&tx->undo, undo_clsact, which[i]);
		} else if (ops[i].err == -EEXIST &&
			   !nl_clsact_get(tx->s->t->nl, ops[i].key.ifindex, &what) && what == NL_CLSACT_CLSACT) {
			/* somebody was faster; it is theirs */
		} else if (!err) {
			op_failed(tx, &ops[i], plan->clsacts[which[i]].device, NULL);
			err = ops[i].err;
		}
	}
	return err;
}

/* --- filters ------------------------------------------------------------------------------------------------ */

/* Wanted or there: each hook of a plan is one of them, or both. */
static const struct model_hook *hook_model(const struct tx *tx, size_t k)
{
	const struct plan_hook *ph = &tx->s->plan->hooks[k];

	return ph->want >= 0 ? &tx->s->want.hooks[ph->want] : &tx->s->have.hooks[ph->have];
}

static struct nl_filter_key hook_key(const struct tx *tx, size_t k)
{
	const struct plan_hook *ph = &tx->s->plan->hooks[k];
	const struct model_hook *h = hook_model(tx, k);

	return (struct nl_filter_key){ .ifindex = h->ifindex, .parent = nl_parent(h->dir), .prio = ph->prio,
				       .handle = ph->handle };
}

/* The filter as it was before; the pipeline it ran is open for as long as the transaction. */
static int op_before(struct tx *tx, size_t k, enum nl_op_type type, struct nl_op *ret)
{
	const struct plan_hook *ph = &tx->s->plan->hooks[k];
	const struct model_hook *h = &tx->s->have.hooks[ph->have];
	struct tx_pipeline *tp =
		h->pipeline >= 0 ? tx_pipeline_find(tx, tx->s->have.pipelines[h->pipeline].id) : NULL;

	*ret = (struct nl_op){
		.type = type, .key = hook_key(tx, k),
		.bpf = { .classid = h->hook_id, .name = h->what, .flags = NL_BPF_DIRECT_ACTION, .prog_fd = -1 },
	};
	if (h->found == MODEL_FOUND_OURS && tp) {
		ret->bpf.prog_fd = tp->p.root_fd;
		ret->bpf.name = tp->filter_name;
	} else {
		ret->bpf.prog_fd = tx->was_fds[k];
	}
	return ret->bpf.prog_fd >= 0 ? 0 : -ENOENT;
}

static int undo_add(void *ctx, size_t k)
{
	struct tx *tx = ctx;
	struct nl_op op = { .type = NL_OP_FILTER_DEL, .key = hook_key(tx, k) };
	int err = nl_run_one(tx->s->t->nl, &op);

	return err == -ENOENT || err == -ENODEV || err == -EINVAL ? 0 : err;
}

static int put_back(struct tx *tx, size_t k, enum nl_op_type type)
{
	struct nl_op op;
	int err = op_before(tx, k, type, &op);

	if (!err)
		err = nl_run_one(tx->s->t->nl, &op);
	return err == -ENODEV ? 0 : err;
}

static int undo_replace(void *ctx, size_t k)
{
	return put_back(ctx, k, NL_OP_FILTER_REPLACE);
}

static int undo_delete(void *ctx, size_t k)
{
	return put_back(ctx, k, NL_OP_FILTER_ADD);
}

static enum nl_op_type hook_op_type(const struct plan_hook *ph)
{
	switch (ph->op) {
	case PLAN_ADD: return NL_OP_FILTER_ADD;
	case PLAN_REPLACE: return NL_OP_FILTER_REPLACE;
	case PLAN_REMOVE: return NL_OP_FILTER_DEL;
	case PLAN_KEEP:
	case PLAN_FORGET: break;
	}
	return NL_OP_MAX;
}

static struct nl_op hook_op(struct tx *tx, size_t k)
{
	const struct plan_hook *ph = &tx->s->plan->hooks[k];
	const struct tx_pipeline *tp = ph->pipeline ? tx_pipeline_find(tx, ph->pipeline) : NULL;
	struct nl_op op = { .type = hook_op_type(ph), .key = hook_key(tx, k) };

	if (tp)
		op.bpf = (struct nl_bpf){ .prog_fd = tp->p.root_fd, .name = tp->filter_name, .classid = ph->hook_id,
					  .flags = NL_BPF_DIRECT_ACTION };
	return op;
}

/* What was there, to be put back; works for others' programs with CAP_SYS_ADMIN only. */
static void keep_programs(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;

	for (size_t k = 0; k < plan->n_hooks; k++) {
		const struct plan_hook *ph = &plan->hooks[k];
		const struct model_hook *have = ph->have >= 0 ? &tx->s->have.hooks[ph->have] : NULL;

		tx->was_fds[k] = -1;
		if ((ph->op == PLAN_REPLACE || ph->op == PLAN_REMOVE) && have && have->found != MODEL_FOUND_OURS && have->prog_id)
			tx->was_fds[k] = bpf_prog_get_fd_by_id(have->prog_id);
	}
}

static bool runs_op(const struct plan_hook *ph, bool deletes)
{
	const enum nl_op_type type = hook_op_type(ph);

	return type != NL_OP_MAX && (type == NL_OP_FILTER_DEL) == deletes;
}

/* Run the operations of these types in one go. */
static int run_ops(struct tx *tx, bool deletes)
{
	const struct tcctl_plan *plan = tx->s->plan;
	_cleanup_free_ struct nl_op *ops = NULL;
	_cleanup_free_ size_t *which = NULL;
	size_t n = 0;
	int err;

	for (size_t k = 0; k < plan->n_hooks; k++)
		n += runs_op(&plan->hooks[k], deletes);
	if (!n)
		return 0;
	ops = malloc(n * sizeof(*ops));
	which = malloc(n * sizeof(*which));
	if (!ops || !which)
		return -ENOMEM;
	n = 0;
	for (size_t k = 0; k < plan->n_hooks; k++) {
		if (!runs_op(&plan->hooks[k], deletes))
			continue;
		which[n] = k;
		ops[n++] = hook_op(tx, k);
	}
	err = nl_run(tx->s->t->nl, ops, n);
	for (size_t i = 0; i < n; i++) {
		const struct model_hook *h = hook_model(tx, which[i]);
		size_t k = which[i];

		/* adding alone takes nothing away from a packet on its way */
		tx->retires |= ops[i].type != NL_OP_FILTER_ADD;
		switch (ops[i].err) {
		case 0:
			undo_push(&tx->undo, deletes ? undo_delete :
					     ops[i].type == NL_OP_FILTER_ADD ? undo_add : undo_replace, k);
			if (deletes)
				tx->result.hooks_removed++;
			else if (ops[i].type == NL_OP_FILTER_ADD)
				tx->result.hooks_added++;
			else
				tx->result.hooks_replaced++;
			continue;
		case -ENOENT:
		case -ENODEV:
		case -EINVAL:
			if (deletes) /* it is gone already */
				continue;
			break;
		}
		if (err)
			continue;
		op_failed(tx, &ops[i], h->device, model_dir_name(h->dir));
		err = ops[i].err;
	}
	return err;
}

/* --- pipelines ---------------------------------------------------------------------------------------------- */

static int undo_switch(void *ctx, size_t i)
{
	struct tx *tx = ctx;
	int err = pipeline_switch(&tx->pipelines[i].p, tx->pipelines[i].old_entry_fd);

	pipeline_wait(); /* packets are in the new generation, whose tables go next */
	return err;
}

static int undo_generation(void *ctx, size_t i)
{
	struct tx *tx = ctx;
	int err = pipeline_generation_set(&tx->pipelines[i].p, tx->pipelines[i].old_generation);

	pipeline_wait();
	return err;
}

static int do_switch(struct tx *tx, size_t i)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	int err;

	if (!tp->pp->swap)
		return 0;
	err = pipeline_switch(&tp->p, tp->g.entry_fd);
	if (err) {
		diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot switch to the new programs: %s",
						  strerror(-err)),
				       "p%u map jt_root", tp->pp->id),
			   err);
		return err;
	}
	tx->retires = true;
	undo_push(&tx->undo, undo_switch, i);
	tx->result.pipelines_swapped++;
	return 0;
}

static int do_generation(struct tx *tx, size_t i)
{
	struct tx_pipeline *tp = &tx->pipelines[i];
	int err;

	if (tp->new_generation == tp->old_generation)
		return 0;
	err = pipeline_generation_set(&tp->p, tp->new_generation);
	if (err) {
		diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot switch to the new rules: %s",
						  strerror(-err)),
				       "p%u map ctl", tp->pp->id),
			   err);
		return err;
	}
	tx->retires = true;
	undo_push(&tx->undo, undo_generation, i);
	return 0;
}

int tx_commit(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	double start = tx_now();
	int err;

	tx->clsact_made = calloc(plan->n_clsacts + 1, sizeof(*tx->clsact_made));
	tx->was_fds = tx->clsact_made ? malloc((plan->n_hooks + 1) * sizeof(*tx->was_fds)) : NULL;
	if (!tx->was_fds)
		return -ENOMEM;
	keep_programs(tx);
	err = undo_reserve(&tx->undo, plan->n_devices + plan->n_hooks + plan->n_clsacts + 2 * plan->n_pipelines);
	if (!err)
		err = tx_devices_commit(tx);
	if (!err)
		err = commit_clsacts(tx);
	tx->result.clsact_seconds = tx_now() - start;
	start = tx_now();
	if (!err)
		err = run_ops(tx, false);
	for (size_t i = 0; i < tx->n_pipelines && !err; i++) {
		err = do_generation(tx, i);
		if (!err)
			err = do_switch(tx, i);
	}
	if (!err)
		err = run_ops(tx, true);
	tx->result.filter_seconds = tx_now() - start;
	return err;
}
