// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tx/tx.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "diag.h"
#include "pin.h"
#include "tx/tunnels.h"
#include "util.h"

double tx_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

struct tx_pipeline *tx_pipeline_find(struct tx *tx, unsigned int id)
{
	for (size_t i = 0; i < tx->n_pipelines; i++)
		if (tx->pipelines[i].pp->id == id)
			return &tx->pipelines[i];
	return NULL;
}

static void tx_done(struct tx *tx)
{
	for (size_t i = 0; i < tx->n_pipelines; i++) {
		generation_done(&tx->pipelines[i].g);
		if (tx->pipelines[i].old_entry_fd >= 0)
			close(tx->pipelines[i].old_entry_fd);
		pipeline_close(&tx->pipelines[i].p);
	}
	for (size_t k = 0; tx->was_fds && k < tx->s->plan->n_hooks; k++)
		if (tx->was_fds[k] >= 0)
			close(tx->was_fds[k]);
	if (tx->learned_fd >= 0)
		close(tx->learned_fd);
	free(tx->tunnel_ids);
	free(tx->pipelines);
	free(tx->was_fds);
	free(tx->clsact_made);
	state_done(&tx->next);
	undo_done(&tx->undo);
}

static int compare_u32(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

/* Is nobody's filter in it? Told by two reads that agree, for both directions. 1 yes, 0 no, -errno. */
static int clsact_empty(struct nl *nl, uint32_t ifindex)
{
	for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX; dir++) {
		struct nl_filters filters = {};
		int err = nl_filters_dump(nl, ifindex, nl_parent(dir), &filters);
		bool empty = filters.stable && !filters.n;

		nl_filters_done(&filters);
		if (err)
			return err;
		if (!empty)
			return 0;
	}
	return 1;
}

/* By ifindex; NULL without memory. */
static uint32_t *devices_that_go(const struct tx *tx, size_t *ret_n)
{
	const struct tcctl_plan *plan = tx->s->plan;
	uint32_t *going = malloc((plan->n_devices + 1) * sizeof(*going));
	size_t n = 0;

	for (size_t k = 0; going && k < plan->n_devices; k++)
		if (plan->devices[k].op == PLAN_REMOVE)
			going[n++] = tx->s->have.devices[plan->devices[k].have].ifindex;
	if (n)
		qsort(going, n, sizeof(*going), compare_u32);
	*ret_n = n;
	return going;
}

/* Those of devices that go too went with them. -errno: one that we made and nobody uses is still there, and the state must
 * go on saying so. */
static int remove_clsacts(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;
	_cleanup_free_ uint32_t *going = NULL;
	size_t n_going;
	int err = 0, e;

	going = devices_that_go(tx, &n_going);
	if (!going)
		return -ENOMEM;
	for (size_t k = 0; k < plan->n_clsacts; k++) {
		const struct plan_clsact *c = &plan->clsacts[k];
		struct nl_op op = { .type = NL_OP_CLSACT_DEL, .key.ifindex = c->ifindex };

		if (c->op != PLAN_REMOVE ||
		    (n_going && bsearch(&c->ifindex, going, n_going, sizeof(*going), compare_u32)))
			continue;
		e = clsact_empty(tx->s->t->nl, c->ifindex);
		if (!e) {
			diag_device(diag_add(tx->s->diags, DIAG_NOTE, NULL,
					     "clsact stays: there are filters in it that are not ours"),
				    "%s", c->device);
			continue;
		}
		if (e > 0)
			e = nl_run_one(tx->s->t->nl, &op);
		if (!e || e == -ENOENT || e == -ENODEV)
			continue;
		diag_device(diag_errno(diag_error(tx->s->diags, NULL, "cannot remove clsact: %s", strerror(-e)), e), "%s",
			    c->device);
		err = err ? err : e;
	}
	return err;
}

static int store(struct tx *tx)
{
	struct session *s = tx->s;

	/* a clsact that somebody else made in the same moment is not ours */
	for (size_t k = 0; k < s->plan->n_clsacts; k++)
		for (size_t i = 0; i < tx->next.n_clsacts; i++)
			if (s->plan->clsacts[k].op == PLAN_ADD && !tx->clsact_made[k] &&
			    tx->next.clsacts[i].ifindex == s->plan->clsacts[k].ifindex)
				tx->next.clsacts[i] = tx->next.clsacts[--tx->next.n_clsacts];
	if (s->spec)
		return state_write(s->owner_fd, s->owner, &tx->next, NULL, s->diags);
	return s->owner_fd >= 0 ? pin_remove(s->owner_fd, STATE_PIN) : 0;
}

int tx_settle(struct tx *tx)
{
	struct session *s = tx->s;
	int err = 0, e;

	if (tx->retires)
		pipeline_wait();
	for (size_t i = 0; i < tx->n_pipelines; i++) {
		struct tx_pipeline *tp = &tx->pipelines[i];

		e = 0;
		if (tp->pp->op == PLAN_REMOVE)
			e = pipeline_remove(s->owner_fd, tp->pp->id);
		else if (tp->pp->swap)
			e = generation_pin_commit(&tp->p);
		if (tp->new_slot != tp->old_slot) {
			pipeline_arena_drop(&tp->p, tp->old_slot);
			tx_tunnels_drop(tp, tp->old_slot);
			pipeline_keep_only(&tp->p, "routes", tp->kept_routes);
			pipeline_keep_only(&tp->p, ARENA_KIND, tp->kept_arena);
		} else if (tp->pp->swap && !s->want.pipelines[tp->pp->want].n_tunnels) {
			tx_tunnels_drop(tp, tp->old_slot); /* it has lost its tunnels */
			pipeline_keep_only(&tp->p, "routes", 0);
			pipeline_keep_only(&tp->p, ARENA_KIND, 0);
		}
		if (e && !err) {
			err = e;
			diag_errno(diag_object(diag_error(s->diags, NULL, "cannot tidy up pins: %s", strerror(-e)), "p%u",
					       tp->pp->id),
				   e);
		}
	}
	for (size_t i = 0; i < s->have.n_orphans && s->owner_fd >= 0; i++)
		pipeline_remove(s->owner_fd, s->have.orphans[i]);
	tx_tunnels_settle(tx);
	e = remove_clsacts(tx);
	if (!err)
		err = e;
	e = tx_devices_settle(tx);
	/* While anything is left to do the intent stays: without it the next run would take the tables that wait beside the
	 * old ones for left over, though they are the ones that run. */
	if (!e && !err)
		e = store(tx);
	if (e || err)
		diag_hint(diag_warning(s->diags, NULL, "what was asked for is in force, but not all could be stored"),
			  "run the same command again");
	return e ? e : err;
}

static int go_back(struct tx *tx, bool intent)
{
	struct session *s = tx->s;
	int err;

	err = undo_run(&tx->undo);
	if (err) {
		/* the intent stays, so that the next run knows where to look */
		diag_errno(diag_hint(diag_error(s->diags, NULL, "going back failed too: %s", strerror(-err)),
				     "run the command again when the cause is removed; it will repair what is left"),
			   err);
		return err;
	}
	if (!intent)
		return 0;
	if (s->has_state)
		return state_write(s->owner_fd, s->owner, &s->state, NULL, s->diags);
	return pin_remove(s->owner_fd, STATE_PIN);
}

static void count(struct tx *tx)
{
	const struct tcctl_plan *plan = tx->s->plan;

	tx->result.hooks = tx->next.n_hooks;
	tx->result.pipelines = tx->next.n_pipelines;
	for (size_t i = 0; i < plan->n_pipelines; i++) {
		tx->result.pipelines_rules += plan->pipelines[i].data && plan->pipelines[i].rules;
		tx->result.pipelines_tunnels += plan->pipelines[i].data && !plan->pipelines[i].rules;
		tx->result.pipelines_added += plan->pipelines[i].op == PLAN_ADD;
		tx->result.pipelines_removed += plan->pipelines[i].op == PLAN_REMOVE;
	}
}

int tx_run(struct session *s, struct tcctl_result *ret_result)
{
	struct tx tx = { .s = s, .learned_fd = -1 };
	double start = tx_now();
	bool intent = false;
	int err;

	tx.undo.ctx = &tx;
	err = tx_build(&tx);
	tx.result.load_seconds = tx_now() - start;
	if (!err && s->owner_fd >= 0) {
		err = state_write(s->owner_fd, s->owner, &s->state, &tx.next, s->diags);
		intent = !err;
	}
	if (!err)
		err = tx_commit(&tx);
	if (err) {
		go_back(&tx, intent);
	} else {
		err = tx_settle(&tx);
		count(&tx);
		tx.result.changed = true;
		*ret_result = tx.result;
	}
	tx_done(&tx);
	return err;
}
