// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* plan, apply, remove: the flow for one owner, as far as each goes. */
#include <errno.h>
#include <string.h>

#include "diag.h"
#include "leftover.h"
#include "neighbours.h"
#include "pin.h"
#include "record.h"
#include "session.h"
#include "tx/tx.h"
#include "util.h"

static void warn_of_tcx_at(void *arg, size_t i, const struct nl_tcx *tcx)
{
	const struct session *s = arg;

	diag_device(diag_hint(diag_warning(s->diags, NULL, "%zu TCX program%s of others run%s before ours (first: %s)",
					   tcx->n, tcx->n == 1 ? "" : "s", tcx->n == 1 ? "s" : "",
					   tcx->items[0].name[0] ? tcx->items[0].name : "name unknown"),
			      "packets that they do not pass on are not classified; `tcctl status` lists them"),
		    "%s %s", s->want.hooks[i].device, model_dir_name(s->want.hooks[i].dir));
}

/* TCX programs of others run before every filter; one that does not say "next" keeps packets from us. */
static void warn_of_tcx(struct session *s)
{
	const size_t n = s->want.n_hooks;
	_cleanup_free_ struct neighbours_hook *hooks = calloc(n + 1, sizeof(*hooks));

	for (size_t i = 0; hooks && i < n; i++)
		hooks[i] = (struct neighbours_hook){ s->want.hooks[i].ifindex, s->want.hooks[i].dir };
	if (hooks)
		neighbours_tcx(s->t->netns_fd, hooks, n, warn_of_tcx_at, s);
}

int tcctl_plan(struct tcctl *t, struct tcctl_config *config, struct tcctl_diags *diags, struct tcctl_plan **ret_plan)
{
	struct session s;
	int err;

	err = session_begin(&s, t, config->spec, config->spec->name, false, diags);
	if (!err) {
		warn_of_tcx(&s);
		*ret_plan = TAKE_PTR(s.plan);
	}
	session_done(&s);
	return err;
}

int tcctl_apply(struct tcctl *t, struct tcctl_config *config, const struct tcctl_apply_options *options,
		struct tcctl_diags *diags, struct tcctl_plan **ret_plan, struct tcctl_result *ret_result)
{
	struct tcctl_result result = { .sz = sizeof(result) };
	struct tcctl_apply_options o;
	double start = tx_now();
	struct session s;
	int err;

	err = record_options(&o, sizeof(o), options);
	if (err)
		return err;
	err = session_begin(&s, t, config->spec, config->spec->name, true, diags);
	if (!err && s.plan->n_steps) {
		err = tx_run(&s, &result);
	} else if (!err) {
		result.hooks = s.want.n_hooks;
		result.pipelines = s.want.n_pipelines;
	}
	if (!err) {
		warn_of_tcx(&s);
		result.seconds = tx_now() - start;
		if (ret_result)
			err = record_put(ret_result, &result, sizeof(result));
		if (ret_plan)
			*ret_plan = TAKE_PTR(s.plan);
	}
	session_done(&s);
	return err;
}

static int remove_one(struct tcctl *t, const char *owner, struct tcctl_diags *diags, struct tcctl_result *sum)
{
	struct tcctl_result r = {};
	struct session s;
	int err;

	err = session_begin(&s, t, NULL, owner, true, diags);
	if (!err && (s.has_state || s.plan->n_steps))
		err = tx_run(&s, &r);
	session_done(&s);
	sum->changed |= r.changed;
	sum->hooks_removed += r.hooks_removed;
	sum->pipelines_removed += r.pipelines_removed;
	return err;
}

/* Owners that are known by their filters only. */
static int remove_leftovers(struct tcctl *t, struct tcctl_diags *diags, struct tcctl_result *sum)
{
	struct leftover *items = NULL;
	struct nl_links links = {};
	size_t n = 0;
	int err;

	err = nl_links_dump(t->nl, &links);
	if (err)
		diag_errno(diag_error(diags, NULL, "cannot list devices: %s", strerror(-err)), err);
	else
		err = leftovers_find(t->nl, &links, NULL, diags, &items, &n);
	for (size_t i = 0; i < n && !err; i++) {
		bool done = false;

		for (size_t k = 0; k < i && !done; k++)
			done = !strcmp(items[k].owner, items[i].owner);
		if (!done)
			err = remove_one(t, items[i].owner, diags, sum);
	}
	leftovers_done(items, n);
	nl_links_done(&links);
	return err;
}

int tcctl_remove(struct tcctl *t, const char *name, struct tcctl_diags *diags, struct tcctl_result *ret_result)
{
	struct tcctl_result sum = { .sz = sizeof(sum) };
	double start = tx_now();
	char **owners = NULL;
	size_t n = 0;
	int err = 0;

	if (name) {
		err = remove_one(t, name, diags, &sum);
	} else {
		err = tcctl_owners(t, diags, &owners, &n);
		for (size_t i = 0; i < n && !err; i++)
			err = remove_one(t, owners[i], diags, &sum);
		tcctl_owners_free(owners, n);
		if (!err)
			err = remove_leftovers(t, diags, &sum);
	}
	if (t->bpffs_fd >= 0)
		pin_prune(t->bpffs_fd);
	sum.seconds = tx_now() - start;
	if (!err && ret_result)
		err = record_put(ret_result, &sum, sizeof(sum));
	return err;
}
