/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A pipeline in the kernel, and its generations.
 *
 *   p<N>/root               the program that filters run, attached for good
 *   p<N>/entry              entry of the running generation: to put it back if a change must be undone
 *   p<N>/c<i>               counter chunks
 *   p<N>/tc/globals/<map>   lasting maps: counters, arenas, ctl, jt_root, …
 *   p<N>/tc/globals/jt_…    jump tables of the running generation: must stay pinned, for the kernel empties a
 *                           PROG_ARRAY when its last user reference goes
 *   p<N>/tc/globals/~jt_…   those of a generation that is about to run
 */
#ifndef TCCTL_LIB_PIPELINE_H
#define TCCTL_LIB_PIPELINE_H

#include "model.h"
#include "pipeline/tunnels.h"
#include "state.h"

#define PIPELINE_MAPS_MAX 64

struct pipeline_map {
	char name[16];
	int fd;
};

/* Open handles of a pipeline. */
struct pipeline {
	unsigned int id;
	int dir_fd, globals_fd; /* p<N>, p<N>/tc/globals */
	int root_fd;
	uint32_t root_id;
	struct pipeline_map maps[PIPELINE_MAPS_MAX]; /* lasting maps */
	size_t n_maps;
};
#define PIPELINE_INIT { .dir_fd = -1, .globals_fd = -1, .root_fd = -1 }

/* What a generation runs. */
struct pipeline_want {
	enum model_link link;
	bool classify; /* there is a rule set */
	bool odd;      /* TCCTL_CFG_ODD */
	enum spec_mode mode;
	enum spec_verdict verdict;
	const struct spec *spec; /* for the programs of `runs` */
	const struct spec_run *runs;
	size_t n_runs;
	struct pipeline_tunnels tunnels;
	int learned_fd; /* the map of learned stations that the owner's pipelines share, with PIPELINE_TUNNELS_LEARN; else -1 */
};

/* A user's object, read once per apply. */
struct pipeline_object {
	void *data; /* NULL: not read */
	size_t len;
	uint64_t digest;
};
/* One for each of spec.programs that something runs, in the spec's order; malloc()ed array of spec->n_programs. */
int pipeline_objects_read(const struct spec *spec, struct tcctl_diags *diags, struct pipeline_object **ret);
void pipeline_objects_free(struct pipeline_object *objects, size_t n);

/* A loaded generation: programs and tables, seen by nobody yet. */
struct generation {
	int tables[STATE_JT_MAX];
	int entry_fd;
	uint32_t entry_id;
	struct state_slot *slots;
	size_t n_slots;
};
#define GENERATION_INIT { .tables = { -1, -1, -1, -1 }, .entry_fd = -1 }

/* Digest of what must not change under attached filters: the root program and the shapes of the lasting maps of the
 * built-in object. */
int pipeline_abi_digest(struct tcctl_diags *diags, uint64_t *ret);

/* Open a pipeline that is there. */
int pipeline_open(int owner_fd, unsigned int id, struct pipeline *ret);
/* Does that error, or one of pin_get(), mean that pins are missing or not what they should be? Any other says nothing about
 * the pipeline, only that it could not be looked at now. */
bool pipeline_damaged(int err);
/* Make the directory of a new one and open it; maps and root come with its first generation. */
int pipeline_make(int owner_fd, unsigned int id, struct tcctl_diags *diags, struct pipeline *ret);
void pipeline_close(struct pipeline *p);
int pipeline_map(const struct pipeline *p, const char *name); /* borrowed fd or -1 */
/* Remove its pins. The caller has waited for packets in flight. */
int pipeline_remove(int owner_fd, unsigned int id);

/* Load a generation. For a new pipeline this also makes the lasting maps and the root, and pins them. */
int generation_load(struct pipeline *p, const struct pipeline_want *want, const struct pipeline_object *objects,
		    struct tcctl_diags *diags, struct generation *ret);
void generation_done(struct generation *g);

/* Pin the tables and the entry of a generation beside those of the running one. */
int generation_pin_new(const struct pipeline *p, const struct generation *g);
/* The new tables take the place of the old ones; the caller has switched and waited. 0 if there are none. */
int generation_pin_commit(const struct pipeline *p);
/* Forget the new tables. */
void generation_pin_drop(const struct pipeline *p);

/* The entry that runs: one slot write switches every hook. entry_fd < 0 empties the slot. */
int pipeline_switch(const struct pipeline *p, int entry_fd);
/* Program id in jt_root[TCCTL_ROOT_CURRENT]; 0: empty. */
int pipeline_entry(const struct pipeline *p, uint32_t *ret);

/* ctl.generation */
int pipeline_generation_get(const struct pipeline *p, uint32_t *ret);
int pipeline_generation_set(const struct pipeline *p, uint32_t generation);
/* A map for an arena (lines of 64 bytes): a new fd. */
int pipeline_arena_make(const void *lines, size_t n_lines);
/* Put it into a slot that nothing reads now. */
int pipeline_arena_put(const struct pipeline *p, uint32_t slot, int fd);
/* Give the memory of an arena back that nothing can read any more. */
void pipeline_arena_drop(const struct pipeline *p, uint32_t slot);

/* Tables that stay the same over changes: a map of a kind, pinned under a digest of all that it was made from. */
int pipeline_keep(const struct pipeline *p, const char *kind, uint64_t digest, int fd);
int pipeline_kept(const struct pipeline *p, const char *kind, uint64_t digest); /* a new fd; -ENOENT */
/* Forget: the others of its kind; that one. */
void pipeline_keep_only(const struct pipeline *p, const char *kind, uint64_t digest);
void pipeline_keep_not(const struct pipeline *p, const char *kind, uint64_t digest);
/* A map into a slot of a map of maps that nothing reads now; and out of one. */
int pipeline_inner_put(const struct pipeline *p, const char *map, uint32_t slot, int fd);
void pipeline_inner_drop(const struct pipeline *p, const char *map, uint32_t slot);

/* Wait until no packet can be inside programs and tables that were reachable before the call. */
void pipeline_wait(void);

/* Does bpf_skb_adjust_room() know these flags? 1 yes, 0 no, -errno: could not be tried. */
int pipeline_knows_adjust_room(uint32_t flags);
#define PIPELINE_CLEAR_GSO 0x1e00U /* see TCCTL_CFG_CLEAR_GSO; newer than most kernels' headers */

/* Name of a stage that follows in `order` texts, and of slots: "ipv4", "tcp", "vxlan", "classify+1". */
const char *pipeline_slot_name(enum state_table table, uint32_t slot, char buf[32]);
/* The UDP slot of a well-known port, or -1. */
int pipeline_udp_slot(uint16_t port);
/* The port of a well-known UDP slot, or 0. */
uint16_t pipeline_udp_port(uint32_t slot);

#endif
