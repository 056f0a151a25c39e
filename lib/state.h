/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What one owner has in the kernel, kept in the kernel: a pinned ARRAY map whose value area holds one blob.
 *
 *   header   magic, schema, body length, checksum of the body
 *   body     the state as it was after the last complete apply; then, while an apply is under way, the
 *            state that it is heading for (the intent)
 *
 * It is replaced whole: a new map is filled, pinned under another name and renamed over the old one.
 */
#ifndef TCCTL_LIB_STATE_H
#define TCCTL_LIB_STATE_H

#include "model.h"
#include "tcctl/abi.h"

#define STATE_MAGIC 0x74637374U /* "tcst" */
#define STATE_SCHEMA 2 /* 1: without tunnels and devices; still read */
#define STATE_PIN "state"
#define STATE_GONE UINT32_MAX

/* A counter of one (rule, class) pair. */
struct state_counter {
	uint64_t identity; /* rules_identity() */
	uint32_t id;	   /* counter id */
	uint32_t rule;	   /* index in the rule set, STATE_GONE once the rule is gone */
	uint32_t class;	   /* index into classes */
	char *name;	   /* of the rule, NULL when it has none */
};

/* A class, and what its rules counted that are gone and whose counters were given back. */
struct state_class {
	char *name;
	struct tcctl_counter retired;
};

enum state_table { STATE_JT_L3, STATE_JT_L4, STATE_JT_UDP, STATE_JT_STAGE, STATE_JT_MAX };
/* "l3", …: with "jt_" before it the name of the map. */
const char *state_table_name(enum state_table table);

/* A program that we put into a slot. */
struct state_slot {
	uint32_t table; /* enum state_table */
	uint32_t slot;
	uint32_t prog_id;
	uint32_t port; /* STATE_JT_UDP: the port, else 0 */
	char *name;
};

/* A tunnel that a pipeline's tables hold. */
struct state_pipeline_tunnel {
	uint32_t id;
	uint64_t digest; /* model_tunnel.digest */
};

struct state_pipeline {
	uint32_t id;
	uint32_t link; /* enum model_link */
	char *ruleset; /* NULL: none */
	char *order;
	uint64_t code_digest, data_digest;
	uint64_t rules_digest;
	uint64_t elf_digest; /* of the built-in object it was loaded from */
	uint64_t abi_digest; /* of what must stay: root program and lasting maps */
	uint32_t generation; /* ctl.generation */
	uint32_t odd;	     /* 1: the programs were loaded with TCCTL_CFG_ODD */
	uint32_t root_id, entry_id; /* program ids; entry_id is what jt_root[TCCTL_ROOT_CURRENT] holds */
	uint32_t hook_chunks, rule_chunks; /* counter chunks made, from TCCTL_CHUNK_HOOKS and _RULES on; few hooks need none */
	struct state_slot *slots;
	size_t n_slots;
	struct state_class *classes;
	size_t n_classes;
	struct state_counter *counters;
	size_t n_counters;
	uint32_t tunnel_chunks; /* as above, from TCCTL_CHUNK_TUNNELS on */
	struct state_pipeline_tunnel *tunnels; /* in the order of their names */
	size_t n_tunnels;
};

/* A tunnel of an owner: its id, and what `status` says of it. */
struct state_tunnel {
	char *name;
	uint32_t id;
	uint32_t gone; /* 1: not in the configuration any more; the id is free at the next change */
	uint32_t ageing; /* of learned stations, seconds */
	char *type, *local, *remote, *device; /* as `status` shows them; "" where there is none */
};

/* A device that we made. Numbers and names are given again; its MAC address was chosen at random. */
struct state_device {
	char name[16];
	uint32_t ifindex;
	uint8_t mac[6];
};

struct state_hook {
	char device[16];
	uint32_t ifindex;
	uint32_t dir; /* enum spec_dir */
	uint32_t pipeline; /* N of pN */
	uint32_t hook_id;
	uint32_t prio, handle;
};

/* A clsact that we made. */
struct state_clsact {
	char device[16];
	uint32_t ifindex;
};

struct state {
	char *spec; /* normalised YAML */
	size_t spec_len;
	struct state_pipeline *pipelines;
	size_t n_pipelines;
	struct state_hook *hooks;
	size_t n_hooks;
	struct state_clsact *clsacts; /* by ifindex */
	size_t n_clsacts;
	struct state_tunnel *tunnels; /* by name */
	size_t n_tunnels;
	struct state_device *devices;
	size_t n_devices;
};

struct state_record {
	struct state now;
	bool has_next;
	struct state next;
};

void state_pipeline_done(struct state_pipeline *p);
void state_done(struct state *s);
void state_record_done(struct state_record *r);
struct state_pipeline *state_pipeline_find(const struct state *s, uint32_t id);
const struct state_tunnel *state_tunnel_find(const struct state *s, const char *name);
void state_tunnels_sort(struct state *s);
const struct state_device *state_device_find(const struct state *s, uint32_t ifindex, const uint8_t mac[6]);
int state_tunnels_copy(const struct state *from, struct state *to); /* tunnels only; `to` has none. -ENOMEM */
const struct state_clsact *state_clsact_find(const struct state *s, uint32_t ifindex);
void state_clsacts_sort(struct state *s);

/* Deep copies. -ENOMEM. */
int state_pipeline_copy(const struct state_pipeline *p, struct state_pipeline *ret);
int state_copy(const struct state *s, struct state *ret);

/* The blob, header included; malloc()ed. next may be NULL. */
int state_encode(const struct state *now, const struct state *next, void **ret_blob, size_t *ret_len);
/* -EBADMSG: damaged; -EPROTONOSUPPORT: written by a newer version (*ret_schema tells which). */
int state_decode(const void *blob, size_t len, struct state_record *ret, uint32_t *ret_schema);

/* Read the state pinned in an owner's directory. -ENOENT: there is none. `owner` is for messages. */
int state_read(int dir_fd, const char *owner, struct tcctl_diags *diags, struct state_record *ret);
/* Write it, atomically. */
int state_write(int dir_fd, const char *owner, const struct state *now, const struct state *next,
		struct tcctl_diags *diags);

#endif
