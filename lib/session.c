// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "session.h"

#include <errno.h>
#include <string.h>

#include "desired.h"
#include "diag.h"
#include "digest.h"
#include "observe.h"
#include "pin.h"
#include "tx/recover.h"
#include "util.h"

static int read_state(struct session *s, bool write)
{
	struct state_record record = {};
	int err;

	err = state_read(s->owner_fd, s->owner, s->diags, &record);
	if (err && err != -ENOENT)
		return err;
	s->has_state = !err;
	s->interrupted = !err && record.has_next;
	if (write) {
		err = recover_pins(s->owner_fd, s->has_state ? &record : NULL);
		if (err) {
			diag_errno(diag_error(s->diags, NULL, "cannot clear up what an interrupted run left: %s",
					      strerror(-err)),
				   err);
			state_record_done(&record);
			return err;
		}
	}
	return recover_state(s->owner, s->owner_fd, s->t->nl, &record, s->diags, &s->state);
}

/*
 * The directory of a namespace gets its witness with the first apply; pins of namespaces that are gone meanwhile are
 * cleared then, so that they never become many. None of it is needed to go on.
 */
static int settle_namespace(struct session *s)
{
	const enum pin_witness witness = pin_witness_ask(s->lock_fd);
	int err;

	if (witness == PIN_WITNESS_ALIVE || (witness == PIN_WITNESS_NONE && !s->spec))
		return 0;
	/* a dead one in the place of ours: it had the same inode number, on a kernel without cookies */
	err = witness == PIN_WITNESS_DEAD ? pin_clear(s->lock_fd) : 0;
	if (!err && s->spec && !pin_witness_make(s->lock_fd, s->t->netns_fd))
		pin_prune(s->t->bpffs_fd);
	return err;
}

static int open_owner(struct session *s, bool write)
{
	int err;

	if (!write) {
		err = context_owner_open(s->t, s->owner, s->diags, &s->owner_fd);
		return err == -ENOENT ? 0 : err;
	}
	err = context_bpffs(s->t, true, s->diags);
	if (!err)
		err = pin_lock(s->t->bpffs_fd, s->t->identity, s->t->lock_ms, s->diags, &s->lock_fd);
	if (!err)
		err = settle_namespace(s);
	if (!err) {
		err = pin_dir_open(s->lock_fd, s->escaped, !!s->spec, s->diags, &s->owner_fd);
		if (err == -ENOENT)
			return 0;
	}
	if (err && !s->diags->n_errors)
		diag_errno(diag_error(s->diags, NULL, "cannot open the pins of '%s': %s", s->owner, strerror(-err)), err);
	return err;
}

static int make_desired(struct session *s)
{
	int err;

	err = spec_emit(s->spec, &s->text, &s->text_len);
	if (!err)
		err = pipeline_objects_read(s->spec, s->diags, &s->objects);
	if (!err)
		err = tunnel_world_make(s->spec, s->t->nl, &s->links, s->diags, &s->world);
	if (!err)
		err = desired_make(s->spec, &s->links, s->objects, s->world.tunnels, s->diags, &s->want);
	if (!err) {
		desired_warn_aggregates(s->spec, &s->links, s->world.tunnels, &s->want, s->t->nl, s->diags);
		s->want.devices = TAKE_PTR(s->world.devices);
		s->want.n_devices = s->world.n_devices;
	}
	for (size_t i = 0; i < s->want.n_hooks && !err; i++)
		s->want.hooks[i].prio = s->t->prio;
	return err;
}

int session_begin(struct session *s, struct tcctl *t, const struct spec *spec, const char *owner, bool write,
		  struct tcctl_diags *diags)
{
	const size_t errors = diags->n_errors;
	struct observe_input in;
	int err;

	*s = (struct session){ .t = t, .diags = diags, .spec = spec, .owner = owner, .lock_fd = -1, .owner_fd = -1 };
	s->escaped = pin_escape(owner);
	if (!s->escaped) {
		diag_errno(diag_error(diags, NULL, "the name '%s' is too long", owner), ENAMETOOLONG);
		return -ENAMETOOLONG;
	}
	err = nl_links_dump(t->nl, &s->links);
	if (err) {
		diag_errno(diag_error(diags, NULL, "cannot list devices: %s", strerror(-err)), err);
		return err;
	}
	/* what the configuration itself gets wrong needs no lock */
	if (spec)
		err = make_desired(s);
	if (!err)
		err = open_owner(s, write);
	if (!err && s->owner_fd >= 0)
		err = read_state(s, write);
	if (!err) {
		in = (struct observe_input){
			.owner = owner, .owner_fd = s->owner_fd, .state = s->has_state ? &s->state : NULL,
			.interrupted = s->interrupted, .want = &s->want, .links = &s->links, .nl = t->nl,
		};
		err = observe_make(&in, diags, &s->have);
	}
	if (!err)
		err = plan_make(owner, &s->want, &s->have, spec ? digest_bytes(DIGEST_INIT, s->text, s->text_len) : 0,
				diags, &s->plan);
	if (err && diags->n_errors == errors)
		diag_errno(diag_error(diags, NULL, "%s", strerror(-err)), err);
	return err;
}

void session_done(struct session *s)
{
	tcctl_plan_free(s->plan);
	tunnel_world_done(&s->world);
	model_done(&s->want);
	model_done(&s->have);
	if (s->spec)
		pipeline_objects_free(s->objects, s->spec->n_programs);
	nl_links_done(&s->links);
	state_done(&s->state);
	if (s->owner_fd >= 0)
		close(s->owner_fd);
	if (s->lock_fd >= 0) {
		pin_rmdir(s->lock_fd, s->escaped); /* only when it is empty */
		pin_namespace_tidy(s->t->bpffs_fd, s->t->identity);
		close(s->lock_fd);
	}
	free(s->text);
	free(s->escaped);
}
