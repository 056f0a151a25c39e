// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Loading a generation: the programs that are needed, with tables of their own and the lasting maps. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "object.h"
#include "pin.h"
#include "pipeline.h"
#include "pipeline/internal.h"
#include "tcctl/abi.h"
#include "tcctl/tunnel.h"
#include "util.h"

static const char *const l3_programs[] = {
	[TCCTL_L3_IPV4] = "ipv4", [TCCTL_L3_IPV6] = "ipv6",   [TCCTL_L3_ARP] = "arp",
	[TCCTL_L3_MPLS] = "mpls", [TCCTL_L3_PPPOE] = "pppoe", [TCCTL_L3_OTHER] = "other_l3",
};
_Static_assert(ARRAY_SIZE(l3_programs) == TCCTL_L3_MAX, "a program for each slot");

/*
 * Several slots have the same program: in a pipeline it tells them apart itself. One that decapsulates is there only where it has
 * to, for its code keeps its memory even when it is constants that switch it off.
 */
static const struct {
	const char *program, *decap;
	uint32_t types; /* tunnels that `decap` is for, 1 << enum tcctl_tunnel_type */
} l4_programs[] = {
	[TCCTL_L4_TCP] = { "tcp", NULL, 0 },
	[TCCTL_L4_UDP] = { "udp", NULL, 0 },
	[TCCTL_L4_ICMP] = { "icmp", NULL, 0 },
	[TCCTL_L4_ICMPV6] = { "icmp", NULL, 0 },
	[TCCTL_L4_SCTP] = { "sctp", NULL, 0 },
	[TCCTL_L4_GRE] = { "other_l4", "gre", 1U << TCCTL_T_GRE | 1U << TCCTL_T_MPLS_GRE },
	[TCCTL_L4_IPIP] = { "other_l4", "ipip", 1U << TCCTL_T_IPIP },
	[TCCTL_L4_IPV6] = { "other_l4", "ip6ip", 1U << TCCTL_T_IPIP },
	[TCCTL_L4_ESP] = { "other_l4", NULL, 0 },
	[TCCTL_L4_AH] = { "other_l4", NULL, 0 },
	[TCCTL_L4_OTHER] = { "other_l4", NULL, 0 },
};
_Static_assert(ARRAY_SIZE(l4_programs) == TCCTL_L4_MAX, "a program for each slot");

static const char *l4_program(const struct pipeline_want *w, uint32_t slot)
{
	/* what only observes takes nothing out of tunnels */
	const bool decap = w->mode == SPEC_MODE_ENFORCE && w->tunnels.decap & l4_programs[slot].types;

	return decap ? l4_programs[slot].decap : l4_programs[slot].program;
}

static const char *const entry_programs[] = {
	[MODEL_LINK_ETHER] = "entry_eth",
	[MODEL_LINK_RAW] = "entry_l3",
};
_Static_assert(ARRAY_SIZE(entry_programs) == MODEL_LINK_MAX, "an entry for each kind of device");

/* Auxiliary slots behind TCCTL_STAGE_END: their programs, loaded with the stage or handlers that they are part of. */
static const struct {
	uint32_t slot;
	const char *program;
} aux_programs[] = {
	{ TCCTL_STAGE_WALK, "walk" },
	{ TCCTL_STAGE_INNER_ETH, "entry_eth" },
	{ TCCTL_STAGE_ENCAP_HEADER, "encap_header" },
	{ TCCTL_STAGE_TOO_BIG, "too_big" },
	{ TCCTL_STAGE_FLOOD, "flood" },
	{ TCCTL_STAGE_ENCAP_SUM, "encap_sum" },
	{ TCCTL_STAGE_COUNT, "count" },
};
_Static_assert(ARRAY_SIZE(aux_programs) == TCCTL_STAGE_MAX - TCCTL_STAGE_AUX, "a program for each slot");

/* Maps that every pipeline has, and those that come with rules. All others are those of tunnels. */
static const char *const base_maps[] = { "counters_fixed", "counters", "arenas", "heads", "ctl", "jt_root" };
static const char *const classify_maps[] = { "flows", "scratch", "frags" };

/* Is shared with other pipelines, or of no use: never made and kept by a pipeline. */
#define LEARNED_MAP "learned"
/* Tunnels without an outer header: a stage takes them off, not a handler. */
#define STAGED_TYPES (1U << TCCTL_T_VLAN | 1U << TCCTL_T_METADATA)

static bool map_wanted(const struct pipeline_want *w, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(base_maps); i++)
		if (!strcmp(name, base_maps[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(classify_maps); i++)
		if (!strcmp(name, classify_maps[i]))
			return w->classify;
	return pipeline_tunnels_any(&w->tunnels);
}

void generation_done(struct generation *g)
{
	for (int i = 0; i < STATE_JT_MAX; i++)
		if (g->tables[i] >= 0)
			close(g->tables[i]);
	if (g->entry_fd >= 0)
		close(g->entry_fd);
	for (size_t i = 0; i < g->n_slots; i++)
		free(g->slots[i].name);
	free(g->slots);
	*g = (struct generation)GENERATION_INIT;
}

struct loading {
	struct pipeline *p;
	const struct pipeline_want *want;
	const struct pipeline_object *objects;
	struct tcctl_diags *diags;
	struct bpf_object *obj;
	struct tcctl_cfg cfg;
	struct generation g;
	bool first; /* of its pipeline */
};

static int slot_note(struct loading *l, enum state_table table, uint32_t slot, uint16_t port, int fd, const char *name)
{
	struct generation *g = &l->g;
	struct state_slot *s = realloc(g->slots, (g->n_slots + 1) * sizeof(*s));

	if (!s)
		return -ENOMEM;
	g->slots = s;
	s += g->n_slots;
	*s = (struct state_slot){
		.table = table, .slot = slot, .port = port, .prog_id = object_prog_id(fd), .name = strdup(name)
	};
	if (!s->name)
		return -ENOMEM;
	g->n_slots++;
	return 0;
}

static int slot_fill(struct loading *l, enum state_table table, uint32_t slot, int fd)
{
	int err = bpf_map_update_elem(l->g.tables[table], &slot, &fd, BPF_ANY) ? -errno : 0;

	if (err)
		diag_errno(diag_object(diag_error(l->diags, NULL, "cannot fill slot %u of jump table %s: %s", slot,
						  pipeline_tables[table], strerror(-err)),
				       "map %s", pipeline_tables[table]),
			   err);
	return err;
}

static int builtin_fd(struct loading *l, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(l->obj, name);

	return prog ? bpf_program__fd(prog) : -ENOENT;
}

static int builtin_need(struct loading *l, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(l->obj, name);

	if (!prog) {
		diag_errno(diag_error(l->diags, NULL, "the built-in pipeline has no program '%s'", name), ENOENT);
		return -ENOENT;
	}
	bpf_program__set_autoload(prog, true);
	return 0;
}

/* A user's program replaces a handler or fills a slot that is free otherwise. */
static const struct spec_run *run_at(const struct pipeline_want *w, enum spec_run_at at, uint32_t slot)
{
	for (size_t i = 0; i < w->n_runs; i++)
		if (w->runs[i].at == at && w->runs[i].slot == slot)
			return &w->runs[i];
	return NULL;
}

static int udp_port_add(struct loading *l, uint16_t port, const struct loc *loc, unsigned int *n)
{
	if (pipeline_udp_slot(port) >= 0)
		return 0;
	if (*n == ARRAY_SIZE(l->cfg.udp_port)) {
		diag_errno(diag_error(l->diags, loc, "more than %zu UDP ports with a program of their own",
				      ARRAY_SIZE(l->cfg.udp_port)),
			   E2BIG);
		return -E2BIG;
	}
	l->cfg.udp_port[*n] = port;
	l->cfg.udp_used |= 1U << (*n)++;
	return 0;
}

/* The slot of a port; udp_port_add() has given it one. */
static uint32_t udp_slot(const struct loading *l, uint16_t port)
{
	int slot = pipeline_udp_slot(port);

	for (unsigned int i = 0; slot < 0 && i < ARRAY_SIZE(l->cfg.udp_port); i++)
		if (l->cfg.udp_used >> i & 1 && l->cfg.udp_port[i] == port)
			slot = (int)(TCCTL_UDP_USER + i);
	return (uint32_t)slot;
}

/* Ports of users' handlers and of tunnels: a well-known one has its slot, others get the free ones in order. */
static int udp_slots(struct loading *l)
{
	const struct pipeline_tunnels *t = &l->want->tunnels;
	unsigned int n = 0;
	int err = 0;

	for (size_t i = 0; i < l->want->n_runs && !err; i++) {
		const struct spec_run *run = &l->want->runs[i];

		if (run->at == SPEC_AT_UDP_PORT)
			err = udp_port_add(l, run->slot, &run->loc, &n);
	}
	for (size_t i = 0; i < t->n_ports && !err; i++)
		err = udp_port_add(l, t->ports[i].port, NULL, &n);
	for (size_t i = 0; i < t->n_ports && !err; i++)
		l->cfg.udp_tunnels |= 1U << udp_slot(l, t->ports[i].port);
	return err;
}

/* Does the pipeline need what is in an auxiliary slot? */
static bool aux_wanted(const struct pipeline_want *w, uint32_t slot)
{
	switch (slot) {
	case TCCTL_STAGE_WALK: return w->classify;
	case TCCTL_STAGE_COUNT: return true;
	case TCCTL_STAGE_INNER_ETH: return w->tunnels.flags & PIPELINE_TUNNELS_INNER_ETH;
	case TCCTL_STAGE_FLOOD: return w->tunnels.flags & PIPELINE_TUNNELS_FDB;
	case TCCTL_STAGE_ENCAP_SUM: return w->tunnels.flags & PIPELINE_TUNNELS_CSUM;
	default: return w->tunnels.encap;
	}
}

/* A program of the built-in stages; NULL: the pipeline does without. */
static const char *stage_program(const struct pipeline_want *w, uint32_t stage)
{
	switch (stage) {
	case TCCTL_STAGE_DECAP: return w->tunnels.decap & STAGED_TYPES ? "decap" : NULL;
	case TCCTL_STAGE_CLASSIFY: return w->classify ? "classify" : NULL;
	case TCCTL_STAGE_MARK: return w->classify && w->mode == SPEC_MODE_ENFORCE ? "mark" : NULL;
	case TCCTL_STAGE_ENCAP: return w->tunnels.encap ? "encap" : NULL;
	case TCCTL_STAGE_END: return pipeline_tunnels_any(&w->tunnels) ? "deliver" : "end";
	default: return NULL;
	}
}

/* Programs that may learn get the owner's map, others an empty one, for they name it, too. */
static int learned_use(struct loading *l, struct bpf_map *map)
{
	if (!pipeline_tunnels_any(&l->want->tunnels)) {
		bpf_map__set_autocreate(map, false);
		return 0;
	}
	if (l->want->learned_fd >= 0)
		return bpf_map__reuse_fd(map, l->want->learned_fd);
	return bpf_map__set_max_entries(map, 1);
}

static int choose(struct loading *l)
{
	const struct pipeline_want *w = l->want;
	struct bpf_map *map;
	int err = 0;

	if (l->first)
		err = builtin_need(l, "root");
	if (!err)
		err = builtin_need(l, entry_programs[w->link]);
	for (uint32_t i = 0; i < TCCTL_L3_MAX && !err; i++)
		if (!run_at(w, SPEC_AT_L3, i))
			err = builtin_need(l, l3_programs[i]);
	for (uint32_t i = 0; i < TCCTL_L4_MAX && !err; i++)
		if (!run_at(w, SPEC_AT_L4, i))
			err = builtin_need(l, l4_program(w, i));
	for (size_t i = 0; i < w->tunnels.n_ports && !err; i++)
		err = builtin_need(l, pipeline_tunnel_program(w->tunnels.ports[i].type));
	for (uint32_t i = 0; i <= TCCTL_STAGE_END && !err; i++)
		if (stage_program(w, i))
			err = builtin_need(l, stage_program(w, i));
	for (size_t i = 0; i < ARRAY_SIZE(aux_programs) && !err; i++)
		if (aux_wanted(w, aux_programs[i].slot))
			err = builtin_need(l, aux_programs[i].program);
	if (err)
		return err;

	bpf_object__for_each_map(map, l->obj) {
		const char *name = bpf_map__name(map);
		int fd;

		if (bpf_map__is_internal(map) || pipeline_table(name) >= 0)
			continue;
		if (!strcmp(name, LEARNED_MAP)) {
			err = learned_use(l, map);
			if (err)
				return err;
			continue;
		}
		fd = pipeline_map(l->p, name);
		if (fd < 0) {
			if (!map_wanted(w, name))
				bpf_map__set_autocreate(map, false);
			continue;
		}
		if (!object_map_fits(map, fd)) {
			diag_errno(diag_object(diag_hint(diag_error(l->diags, NULL,
								    "a pinned map is not as this version makes it"),
							 "tcctl remove, then apply again"),
					       "p%u map %s", l->p->id, name),
				   EEXIST);
			return -EEXIST;
		}
		err = bpf_map__reuse_fd(map, fd);
		if (err)
			return err;
	}
	if (w->verdict == SPEC_VERDICT_OK)
		l->cfg.flags |= TCCTL_CFG_VERDICT_OK;
	if (w->mode == SPEC_MODE_OBSERVE)
		l->cfg.flags |= TCCTL_CFG_OBSERVE;
	if (w->odd)
		l->cfg.flags |= TCCTL_CFG_ODD;
	if (w->link == MODEL_LINK_RAW)
		l->cfg.flags |= TCCTL_CFG_RAW;
	if (w->tunnels.decap && pipeline_knows_adjust_room(PIPELINE_CLEAR_GSO) > 0)
		l->cfg.flags |= TCCTL_CFG_CLEAR_GSO;
	l->cfg.decap = w->tunnels.decap;
	l->cfg.encap = w->tunnels.encap;
	err = udp_slots(l);
	if (err)
		return err;
	err = object_rodata_set(l->obj, "cfg", &l->cfg, sizeof(l->cfg));
	if (err)
		diag_errno(diag_error(l->diags, NULL, "the built-in pipeline has no constant 'cfg'"), err);
	return err;
}

static int keep_fd(int fd, int *ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	*ret = copy;
	return 0;
}

/* Take what outlives the object: tables, lasting maps that are new, root and entry. */
static int take(struct loading *l)
{
	struct pipeline *p = l->p;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, l->obj) {
		const char *name = bpf_map__name(map);
		int table = pipeline_table(name), fd = bpf_map__fd(map);

		if (bpf_map__is_internal(map) || fd < 0 || !strcmp(name, LEARNED_MAP))
			continue;
		if (table >= 0) {
			err = keep_fd(fd, &l->g.tables[table]);
		} else if (pipeline_map(p, name) < 0) {
			if (p->n_maps == PIPELINE_MAPS_MAX || strlen(name) >= sizeof(p->maps[0].name))
				return -E2BIG;
			err = keep_fd(fd, &p->maps[p->n_maps].fd);
			if (!err) {
				strcpy(p->maps[p->n_maps++].name, name);
				err = pin_replace(p->globals_fd, name, "~map", fd);
			}
		}
		if (err)
			return err;
	}
	for (int i = 0; i < STATE_JT_MAX; i++)
		if (l->g.tables[i] < 0)
			return -ENOENT;
	if (l->first) {
		int fd = builtin_fd(l, "root");

		err = keep_fd(fd, &p->root_fd);
		if (!err)
			err = pin_replace(p->dir_fd, "root", "~root", fd);
		p->root_id = object_prog_id(fd);
	}
	if (!err)
		err = keep_fd(builtin_fd(l, entry_programs[l->want->link]), &l->g.entry_fd);
	l->g.entry_id = object_prog_id(l->g.entry_fd);
	return err;
}

/* The maps of a user's object that have the name of one of ours are ours. */
static int user_maps(struct loading *l, struct bpf_object *obj, const char *what, const struct loc *loc)
{
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, obj) {
		const char *name = bpf_map__name(map);
		int table = pipeline_table(name), fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = table >= 0 ? l->g.tables[table] : pipeline_map(l->p, name);
		if (fd < 0) {
			if (bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY) {
				diag_errno(diag_object(diag_hint(diag_error(l->diags, loc,
									    "%s brings a jump table of its own", what),
								 "the kernel would empty it as soon as the load is "
								 "done; use tcctl's tables"),
						       "map %s", name),
					   EINVAL);
				return -EINVAL;
			}
			continue;
		}
		if (!object_map_fits(map, fd)) {
			diag_errno(diag_object(diag_hint(diag_error(l->diags, loc,
								    "%s declares map '%s' in another shape", what, name),
							 "build it again against this version's tcctl/handler.h"),
					       "map %s", name),
				   EINVAL);
			return -EINVAL;
		}
		err = bpf_map__reuse_fd(map, fd);
		if (err)
			return err;
	}
	return 0;
}

/* Load the program of a run for its slot. *ret_fd is the caller's. */
static int user_load(struct loading *l, const struct spec_run *run, uint32_t slot, int *ret_fd)
{
	const struct spec_program *sp = &l->want->spec->programs[run->program];
	const struct pipeline_object *o = &l->objects[run->program];
	struct bpf_program *prog;
	struct bpf_object *obj;
	char what[300];
	int err;

	snprintf(what, sizeof(what), "program '%s' of %s", sp->program, sp->object);
	err = object_open(o->data, o->len, sp->object, &sp->loc, l->diags, &obj);
	if (err)
		return err;
	prog = bpf_object__find_program_by_name(obj, sp->program);
	if (!prog) {
		struct diag *g = diag_error(l->diags, &sp->loc, "%s has no program '%s'", sp->object, sp->program);
		struct bpf_program *other = bpf_object__next_program(obj, NULL);

		if (other)
			diag_hint(g, "it has '%s'", bpf_program__name(other));
		diag_errno(g, ENOENT);
		err = -ENOENT;
		goto out;
	}
	bpf_program__set_autoload(prog, true);
	/* a jump table takes one type and one expected attach type only */
	bpf_program__set_type(prog, BPF_PROG_TYPE_SCHED_CLS);
	bpf_program__set_expected_attach_type(prog, 0);
	err = user_maps(l, obj, what, &sp->loc);
	if (err)
		goto out;
	/* an object need not use them */
	err = object_rodata_set(obj, "cfg", &l->cfg, sizeof(l->cfg));
	if (!err || err == -ENOENT)
		err = object_rodata_set(obj, "tcctl_slot", &slot, sizeof(slot));
	if (err && err != -ENOENT) {
		diag_errno(diag_hint(diag_error(l->diags, &sp->loc, "%s was built for another version of tcctl", what),
				     "build it again against this version's tcctl/handler.h"),
			   EINVAL);
		err = -EINVAL;
		goto out;
	}
	err = object_load(obj, what, &sp->loc, l->diags);
	if (!err)
		err = keep_fd(bpf_program__fd(prog), ret_fd);
out:
	bpf_object__close(obj);
	return err;
}

/* Fill one slot: with the user's program if there is a run for it, else the built-in one. */
static int fill_handler(struct loading *l, enum state_table table, uint32_t slot, uint16_t port,
			const struct spec_run *run, const char *builtin)
{
	_cleanup_close_ int own = -1;
	const char *name = builtin;
	int fd, err;

	if (run) {
		err = user_load(l, run, slot, &own);
		if (err)
			return err;
		fd = own;
		name = l->want->spec->programs[run->program].name;
	} else {
		fd = builtin_fd(l, builtin);
	}
	err = slot_fill(l, table, slot, fd);
	return err ? err : slot_note(l, table, slot, port, fd, name);
}

static int fill_stages(struct loading *l)
{
	const struct pipeline_want *w = l->want;
	int fds[TCCTL_STAGE_MAX], owned[TCCTL_STAGE_MAX], next = -1, err = 0;
	const char *names[TCCTL_STAGE_MAX] = {};

	for (int i = 0; i < TCCTL_STAGE_MAX; i++)
		fds[i] = owned[i] = -1;
	for (uint32_t i = 0; i <= TCCTL_STAGE_END; i++) {
		names[i] = stage_program(w, i);
		if (names[i])
			fds[i] = builtin_fd(l, names[i]);
	}
	for (size_t i = 0; i < w->n_runs && !err; i++) {
		const struct spec_run *run = &w->runs[i];
		uint32_t slot = run->slot + 1;

		if (run->at != SPEC_AFTER_STAGE)
			continue;
		while (slot <= run->slot + TCCTL_STAGE_USER && owned[slot] >= 0)
			slot++;
		if (slot > run->slot + TCCTL_STAGE_USER || slot >= TCCTL_STAGE_END) {
			diag_errno(diag_error(l->diags, &run->loc, "no room: at most %d programs after one stage",
					      TCCTL_STAGE_USER),
				   E2BIG);
			err = -E2BIG;
			break;
		}
		err = user_load(l, run, slot, &owned[slot]);
		fds[slot] = owned[slot];
		names[slot] = w->spec->programs[run->program].name;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aux_programs) && !err; i++) {
		const uint32_t slot = aux_programs[i].slot;
		int fd;

		if (!aux_wanted(w, slot))
			continue;
		fd = builtin_fd(l, aux_programs[i].program);
		err = slot_fill(l, STATE_JT_STAGE, slot, fd);
		if (!err)
			err = slot_note(l, STATE_JT_STAGE, slot, 0, fd, aux_programs[i].program);
	}
	for (int slot = TCCTL_STAGE_END; slot >= 0 && !err; slot--) {
		if (fds[slot] >= 0) {
			next = fds[slot];
			err = slot_note(l, STATE_JT_STAGE, slot, 0, next, names[slot]);
		}
		if (!err)
			err = slot_fill(l, STATE_JT_STAGE, slot, next);
	}
	for (int i = 0; i < TCCTL_STAGE_MAX; i++)
		if (owned[i] >= 0)
			close(owned[i]);
	return err;
}

static int fill(struct loading *l)
{
	const struct pipeline_want *w = l->want;
	int err = 0;

	for (uint32_t i = 0; i < TCCTL_L3_MAX && !err; i++)
		err = fill_handler(l, STATE_JT_L3, i, 0, run_at(w, SPEC_AT_L3, i), l3_programs[i]);
	for (uint32_t i = 0; i < TCCTL_L4_MAX && !err; i++)
		err = fill_handler(l, STATE_JT_L4, i, 0, run_at(w, SPEC_AT_L4, i), l4_program(w, i));
	for (size_t i = 0; i < w->n_runs && !err; i++) {
		const struct spec_run *run = &w->runs[i];

		if (run->at == SPEC_AT_UDP_PORT)
			err = fill_handler(l, STATE_JT_UDP, udp_slot(l, run->slot), run->slot, run, NULL);
	}
	for (size_t i = 0; i < w->tunnels.n_ports && !err; i++)
		err = fill_handler(l, STATE_JT_UDP, udp_slot(l, w->tunnels.ports[i].port), w->tunnels.ports[i].port, NULL,
				   pipeline_tunnel_program(w->tunnels.ports[i].type));
	return err ? err : fill_stages(l);
}

int generation_load(struct pipeline *p, const struct pipeline_want *want, const struct pipeline_object *objects,
		    struct tcctl_diags *diags, struct generation *ret)
{
	struct loading l = {
		.p = p, .want = want, .objects = objects, .diags = diags, .g = GENERATION_INIT, .first = p->root_fd < 0,
	};
	const size_t errors = diags->n_errors;
	const void *data;
	size_t len;
	int err;

	data = object_builtin(&len);
	err = object_open(data, len, "the built-in pipeline", NULL, diags, &l.obj);
	if (err)
		return err;
	err = choose(&l);
	if (!err)
		err = object_load(l.obj, "the built-in pipeline", NULL, diags);
	if (!err)
		err = take(&l);
	if (!err)
		err = fill(&l);
	bpf_object__close(l.obj);
	if (err) {
		if (diags->n_errors == errors)
			diag_errno(diag_object(diag_error(diags, NULL, "cannot set up the pipeline: %s", strerror(-err)),
					       "p%u", p->id),
				   err);
		generation_done(&l.g);
		return err;
	}
	*ret = l.g;
	return 0;
}
