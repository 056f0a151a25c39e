/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pipeline for program tests: the built-in skeleton, loaded without pins, its jump tables filled the way the
 * controller fills them, and packets run through it with BPF_PROG_TEST_RUN.
 *
 * Stages not asked for are replaced by a probe: a program that returns PIPE_PROBED and leaves the context as it
 * is, so that a test can look at it.
 */
#ifndef QDISC_TESTS_PIPE_H
#define QDISC_TESTS_PIPE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcctl/abi.h"

#define PIPE_PROBED 42

/* Stages a pipeline runs; without PIPE_END the slots behind the last one hold the probe. */
#define PIPE_CLASSIFY 0x1U
#define PIPE_MARK 0x2U
#define PIPE_END 0x4U
#define PIPE_DECAP 0x10U   /* handlers of tunnels in jt_udp, and the decap stage */
#define PIPE_DELIVER 0x20U /* `deliver` in place of `end` */
#define PIPE_ALONE 0x8U /* the programs as stock tc gets them, which also run without a root */

struct bpf_object;
struct pipe {
	struct bpf_object *obj;
	int probe;
	int ncpus;
	int chunk[TCCTL_CHUNKS_MAX]; /* fds of counter chunks, -1: none */
	int arena[2];
};

struct pipe_run {
	const void *in;
	size_t in_len;
	void *out; /* NULL, or room for out_cap bytes */
	size_t out_cap, out_len;
	struct __sk_buff skb; /* in and out: mark, priority, cb, gso_size, … */
	uint32_t flags;	      /* BPF_F_TEST_* */
	uint32_t repeat;      /* 0: 1 */
	uint32_t ns;	      /* time per run */
	int verdict;
};

/* Returns 0 or -errno (a message goes to stderr). `entry` goes into jt_root. */
int pipe_open(struct pipe *p, const struct tcctl_cfg *cfg, unsigned int stages, const char *entry);
void pipe_close(struct pipe *p);

/* fd of a program or map by name, or -1. */
int pipe_prog(const struct pipe *p, const char *name);
int pipe_map(const struct pipe *p, const char *name);

/* Put a program (fd; -1 empties it) into a slot of a jump table. */
int pipe_graft(const struct pipe *p, const char *table, uint32_t slot, int prog_fd);

/* Add a chunk of counters. */
int pipe_add_chunk(struct pipe *p, uint32_t chunk);
/* Put an arena into half `half`, with its head; the fd stays the caller's. */
int pipe_put_arena(struct pipe *p, uint32_t half, int fd);
/* Put an arena of n 64-byte lines into half `half`, and make `generation` the running one. */
int pipe_set_arena(struct pipe *p, uint32_t half, const void *lines, uint32_t n);
int pipe_set_generation(struct pipe *p, uint32_t generation);

/* Sum over CPUs of a counter id (chunk 0: the fixed ones). */
struct tcctl_counter pipe_counter(const struct pipe *p, uint32_t id);
/* All fixed counters at once; ret has TCCTL_CNT_FIXED_MAX entries. */
void pipe_counters(const struct pipe *p, struct tcctl_counter *ret);
void pipe_counters_zero(const struct pipe *p);

/* Returns 0 or -errno. */
int pipe_test(int prog_fd, struct pipe_run *r);

#endif
