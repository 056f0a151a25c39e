/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Counters of a pipeline: which id a (rule, class) pair has, and the chunks that hold the numbers.
 *
 * A pair keeps its id for as long as its rule stays, whatever else changes. When the rule goes, the entry is kept
 * (STATE_GONE), since packets in flight may still count there; the next change of rules adds what it counted to
 * its class and gives the id up, and the one after that may hand it out again.
 */
#ifndef TCCTL_LIB_COUNTERS_H
#define TCCTL_LIB_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "diag.h"
#include "spec.h"
#include "state.h"

#define COUNTERS_RULES_FIRST (TCCTL_CHUNK_RULES * TCCTL_CHUNK)
#define COUNTERS_RULES_MAX ((TCCTL_CHUNK_TUNNELS - TCCTL_CHUNK_RULES) * TCCTL_CHUNK)

/* What a counter shows now; ctx is the caller's. */
typedef int counters_read_fn(void *ctx, uint32_t id, struct tcctl_counter *ret);

/*
 * Pure. Fill `next`'s classes and counters for the rules of `set` (NULL: none), starting from what `old` (NULL: a
 * new pipeline) has. *ret_ids (malloc()ed) has the counter id of each rule; *ret_fresh (malloc()ed) the ids that
 * must be set to zero before use because an earlier rule had them. -E2BIG with a diagnostic: too many.
 */
int counters_assign(const struct spec *spec, const struct spec_ruleset *set, const struct state_pipeline *old,
		    counters_read_fn *read, void *ctx, struct tcctl_diags *diags, struct state_pipeline *next,
		    uint32_t **ret_ids, uint32_t **ret_fresh, size_t *ret_n_fresh);

/* Chunks (TCCTL_CHUNK ids each) needed to hold all of a pipeline's rule counters. */
uint32_t counters_rule_chunks(const struct state_pipeline *p);

/*
 * Make these chunks: pinned as c<index> in the pipeline's directory, because a look-up in a map of
 * maps gives an id and opening by id needs CAP_SYS_ADMIN; then put into the map of maps, all at once where the kernel
 * can, since each change of a map of maps waits for an RCU grace period.
 */
int counters_chunks_make(int dir_fd, int counters_fd, const uint32_t *chunks, uint32_t n);

/* A reader keeps what it has read. */
struct counters_chunk;
struct counters_reader {
	int dir_fd; /* the pipeline's directory (borrowed) */
	struct counters_chunk **chunks; /* [TCCTL_CHUNKS_MAX], NULL: nothing read yet */
	int fd;				/* of chunk `open`, -1: none */
	uint32_t open;
};
int counters_reader_init(int dir_fd, struct counters_reader *ret);
void counters_reader_done(struct counters_reader *r);
/* A counters_read_fn; ctx is a struct counters_reader. A chunk that is not there reads as 0. Fixed counters have ids too. */
int counters_reader_get(void *reader, uint32_t id, struct tcctl_counter *ret);

/* Set counters to zero; those in chunks that are not there are. */
int counters_zero(int dir_fd, const uint32_t *ids, size_t n);

/* All of a PERCPU_ARRAY of counters, summed over CPUs; *ret is malloc()ed with `n` entries, 0 where the map has less. */
int counters_array_read(int fd, uint32_t n, struct tcctl_counter **ret);

#endif
