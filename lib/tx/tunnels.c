// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "tx/tunnels.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "diag.h"
#include "pin.h"
#include "tunnel/half.h"
#include "util.h"

#define LEARNED_PIN "learned"
#define KEEP_MIN 1024 /* entries from which on a table is worth a pin */

/* --- ids ---------------------------------------------------------------------------------------------------- */

static bool *used_tunnels(const struct tx *tx)
{
	const struct model *want = &tx->s->want;
	bool *used = calloc(tx->s->spec ? tx->s->spec->n_tunnels + 1 : 1, sizeof(*used));

	for (size_t p = 0; used && p < want->n_pipelines; p++)
		for (size_t i = 0; i < want->pipelines[p].n_tunnels; i++)
			used[want->pipelines[p].tunnels[i].tunnel] = true;
	return used;
}

static int describe(const struct spec_tunnel *t, uint32_t id, struct state_tunnel *ret)
{
	char local[80] = "", remote[80] = "";

	if (t->has_local || t->family)
		tunnel_address_text(&t->local, t->has_local, local, sizeof(local));
	if (t->flags & TCCTL_TF_FDB)
		strcpy(remote, "stations");
	else if (t->type != TCCTL_T_VLAN)
		tunnel_address_text(t->remotes, t->n_remotes, remote, sizeof(remote));
	*ret = (struct state_tunnel){
		.name = strdup(t->name),
		.id = id,
		.type = strdup(tunnel_type_name(t->type)),
		.local = strdup(local),
		.ageing = t->ageing,
		.remote = strdup(remote),
		.device = strdup(t->device ? t->device : ""),
	};
	return ret->name && ret->type && ret->local && ret->remote && ret->device ? 0 : -ENOMEM;
}

/* The lowest id that neither is nor was in use until now. */
static uint32_t free_id(const bool *taken, uint32_t *next)
{
	while (*next <= TCCTL_TUNNELS_MAX && taken[*next])
		++*next;
	return *next <= TCCTL_TUNNELS_MAX ? (*next)++ : 0;
}

static int assign_ids(struct tx *tx)
{
	const struct spec *spec = tx->s->spec;
	const size_t n_spec = spec ? spec->n_tunnels : 0;
	const struct state *old = &tx->s->state;
	_cleanup_free_ bool *used = used_tunnels(tx), *taken = calloc(TCCTL_TUNNELS_MAX + 1, sizeof(*taken));
	struct state_tunnel *out;
	uint32_t next = 1;

	tx->tunnel_ids = calloc(n_spec + 1, sizeof(*tx->tunnel_ids));
	out = tx->next.tunnels = calloc(n_spec + old->n_tunnels + 1, sizeof(*out));
	if (!used || !taken || !tx->tunnel_ids || !out)
		return -ENOMEM;
	for (size_t i = 0; i < old->n_tunnels; i++)
		taken[old->tunnels[i].id] = true;
	for (size_t i = 0; i < n_spec; i++) {
		const struct spec_tunnel *t = &spec->tunnels[i];
		const struct state_tunnel *was;
		uint32_t id;

		if (!used[i])
			continue;
		was = state_tunnel_find(old, t->name);
		id = was ? was->id : free_id(taken, &next);
		if (!id) {
			diag_errno(diag_error(tx->s->diags, &t->loc,
					      "more than %d tunnels together with those that they replace",
					      TCCTL_TUNNELS_MAX),
				   E2BIG);
			return -E2BIG;
		}
		tx->tunnel_ids[i] = (uint16_t)id;
		if (describe(t, id, &out[tx->next.n_tunnels++]))
			return -ENOMEM;
	}
	state_tunnels_sort(&tx->next);
	/* Packets of before may still be in one that goes: its id stays taken until the next change. */
	for (size_t i = 0, n = tx->next.n_tunnels; i < old->n_tunnels; i++) {
		const struct state_tunnel *was = &old->tunnels[i];
		const struct state now = { .tunnels = out, .n_tunnels = n };
		struct state_tunnel *t = &out[tx->next.n_tunnels];

		if (was->gone || state_tunnel_find(&now, was->name))
			continue;
		*t = (struct state_tunnel){ .name = strdup(was->name),
					    .id = was->id,
					    .gone = 1,
					    .ageing = was->ageing,
					    .type = strdup(was->type),
					    .local = strdup(was->local),
					    .remote = strdup(was->remote),
					    .device = strdup(was->device) };
		tx->next.n_tunnels++;
		if (!t->name || !t->type || !t->local || !t->remote || !t->device)
			return -ENOMEM;
	}
	state_tunnels_sort(&tx->next);
	return 0;
}

/* --- learned stations --------------------------------------------------------------------------------------- */

static int undo_learned(void *ctx, size_t arg)
{
	const struct tx *tx = ctx;

	return pin_remove(tx->s->owner_fd, LEARNED_PIN);
}

/* What one hook learns another one sends by: one map for all pipelines of an owner. */
static int open_learned(struct tx *tx)
{
	bool wanted = false;
	int err;

	for (size_t p = 0; p < tx->s->want.n_pipelines; p++)
		wanted |= tx->s->want.pipelines[p].needs.flags & PIPELINE_TUNNELS_LEARN;
	if (!wanted)
		return 0;
	tx->learned_fd = pin_get(tx->s->owner_fd, LEARNED_PIN);
	if (tx->learned_fd != -ENOENT)
		return tx->learned_fd < 0 ? tx->learned_fd : 0;
	err = tx->learned_fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "learned",
					      sizeof(struct tcctl_station_key), sizeof(struct tcctl_station),
					      TCCTL_LEARNED_MAX, NULL);
	if (err >= 0)
		err = pin_replace(tx->s->owner_fd, LEARNED_PIN, "~learned", tx->learned_fd);
	if (!err) {
		undo_push(&tx->undo, undo_learned, 0);
		return 0;
	}
	diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot make the table of learned stations: %s",
					  strerror(-err)),
			       "map %s", LEARNED_PIN),
		   err);
	return err;
}

int tx_tunnels_begin(struct tx *tx)
{
	int err = assign_ids(tx);

	return err ? err : open_learned(tx);
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tcctl_station_key));
}

/* What was learned is about other hosts: it has another way out, or is another kind of tunnel. */
static bool is_another(const struct state_tunnel *was, const struct state_tunnel *is)
{
	return is->id != was->id || strcmp(is->type, was->type) || strcmp(is->local, was->local);
}

/* Forget what was learned through tunnels whose ids are about to be free, or that are others now. */
static void purge_learned(const struct tx *tx)
{
	_cleanup_free_ bool *gone = calloc(TCCTL_TUNNELS_MAX + 1, sizeof(*gone));
	_cleanup_free_ struct tcctl_station_key *keys = calloc(TCCTL_LEARNED_MAX, sizeof(*keys));
	struct tcctl_station_key key, *at = NULL;
	bool any = false;
	size_t n = 0;

	if (!gone || !keys)
		return;
	for (size_t i = 0; i < tx->s->state.n_tunnels; i++) {
		const struct state_tunnel *t = &tx->s->state.tunnels[i];
		const struct state_tunnel *is = state_tunnel_find(&tx->next, t->name);

		if (!is || is_another(t, is))
			any = gone[t->id] = true;
	}
	while (any && n < TCCTL_LEARNED_MAX && !bpf_map_get_next_key(tx->learned_fd, at, &key)) {
		keys[n] = key;
		at = &keys[n++];
	}
	if (n)
		qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		if (keys[i].tunnel <= TCCTL_TUNNELS_MAX && gone[keys[i].tunnel])
			bpf_map_delete_elem(tx->learned_fd, &keys[i]);
}

void tx_tunnels_settle(struct tx *tx)
{
	if (tx->learned_fd >= 0)
		purge_learned(tx);
	else if (tx->s->owner_fd >= 0)
		pin_remove(tx->s->owner_fd, LEARNED_PIN);
}

/* --- tables of a pipeline ----------------------------------------------------------------------------------- */

/* A tunnel that is new to the pipeline counts from zero; a chunk that is new does. */
static int note_tunnels(struct tx *tx, struct tx_pipeline *tp, const struct model_pipeline *want,
			const struct state_pipeline *old, struct state_pipeline *sp)
{
	_cleanup_free_ uint32_t *fresh = calloc(want->n_tunnels * TCCTL_TUN_MAX + 1, sizeof(*fresh));
	_cleanup_free_ bool *had = calloc(TCCTL_TUNNELS_MAX + 1, sizeof(*had));
	const uint32_t old_chunks = old ? old->tunnel_chunks : 0;
	size_t n = 0;

	free(sp->tunnels);
	sp->n_tunnels = 0;
	sp->tunnels = calloc(want->n_tunnels + 1, sizeof(*sp->tunnels));
	if (!fresh || !had || !sp->tunnels)
		return -ENOMEM;
	for (size_t i = 0; old && i < old->n_tunnels; i++)
		if (old->tunnels[i].id <= TCCTL_TUNNELS_MAX)
			had[old->tunnels[i].id] = true;
	for (size_t i = 0; i < want->n_tunnels; i++) {
		const uint32_t id = tx->tunnel_ids[want->tunnels[i].tunnel];
		const uint32_t chunk = tunnel_counters(id) / TCCTL_CHUNK - TCCTL_CHUNK_TUNNELS;

		sp->tunnels[sp->n_tunnels++] =
			(struct state_pipeline_tunnel){ .id = id, .digest = want->tunnels[i].digest };
		if (chunk >= sp->tunnel_chunks)
			sp->tunnel_chunks = chunk + 1;
		for (uint32_t k = 0; k < TCCTL_TUN_MAX && !had[id] && chunk < old_chunks; k++)
			fresh[n++] = tunnel_counters(id) + k;
	}
	return counters_zero(tp->p.dir_fd, fresh, n);
}

static int put_table(struct tx_pipeline *tp, const struct tunnel_entries *e, enum tunnel_table table)
{
	const char *name = tunnel_table_name(table);
	const bool keep = e->n >= KEEP_MIN && table == TUNNEL_ROUTES;
	const uint64_t digest = keep ? tunnel_entries_digest(e, table) : 0;
	_cleanup_close_ int fd = -1;
	int err = 0;

	/* without entries nobody looks there, except for the settings */
	if (!e->n) {
		pipeline_inner_drop(&tp->p, name, tp->new_slot);
		return 0;
	}
	if (keep) {
		tp->kept_routes = digest;
		fd = pipeline_kept(&tp->p, name, digest);
		if (fd >= 0)
			return pipeline_inner_put(&tp->p, name, tp->new_slot, fd);
	}
	fd = tunnel_entries_load(e, table);
	if (fd < 0)
		return fd;
	if (keep)
		err = pipeline_keep(&tp->p, name, digest, fd);
	tp->keeps_new |= keep && !err;
	return err ? err : pipeline_inner_put(&tp->p, name, tp->new_slot, fd);
}

int tx_tunnels_build(struct tx *tx, struct tx_pipeline *tp, const struct state_pipeline *old,
		     struct state_pipeline *sp)
{
	const struct model_pipeline *want = &tx->s->want.pipelines[tp->pp->want];
	const struct tunnel_half_want hw = {
		.spec = tx->s->spec,
		.hook = want->hook,
		.tunnels = want->tunnels,
		.n_tunnels = want->n_tunnels,
		.flags = want->tunnel_flags,
		.ids = tx->tunnel_ids,
		.resolved = tx->s->world.tunnels,
	};
	const char *table = NULL;
	struct tunnel_half half;
	int err;

	err = note_tunnels(tx, tp, want, old, sp);
	if (err || !want->n_tunnels)
		return err;
	err = tunnel_half_make(&hw, &half);
	if (err)
		return err;
	for (enum tunnel_table i = 0; i < TUNNEL_TABLE_MAX && !err; i++) {
		table = tunnel_table_name(i);
		err = put_table(tp, &half.tables[i], i);
	}
	tunnel_half_done(&half);
	if (err)
		diag_errno(diag_object(diag_error(tx->s->diags, NULL, "cannot load the tables of tunnels: %s",
						  strerror(-err)),
				       "p%u map %s", tp->pp->id, table),
			   err);
	return err;
}

void tx_tunnels_undo(const struct tx_pipeline *tp)
{
	tx_tunnels_drop(tp, tp->new_slot);
	if (tp->keeps_new)
		pipeline_keep_not(&tp->p, tunnel_table_name(TUNNEL_ROUTES), tp->kept_routes);
}

void tx_tunnels_drop(const struct tx_pipeline *tp, uint32_t slot)
{
	for (enum tunnel_table i = 0; i < TUNNEL_TABLE_MAX; i++)
		pipeline_inner_drop(&tp->p, tunnel_table_name(i), slot);
}
