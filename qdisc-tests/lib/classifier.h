/* SPDX-License-Identifier: GPL-2.0-only */
/* The real classify program and walk, its other part, fed with made packets through BPF_PROG_TEST_RUN. */
#ifndef QDISC_TESTS_CLASSIFIER_H
#define QDISC_TESTS_CLASSIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules.h"

struct bpf_object;

struct classifier {
	struct bpf_object *obj;
	struct bpf_object *obj_walk;		  /* with the maps of obj */
	int walk;				  /* fd of its program */
	int prog, arenas, heads, counters, stage, fixed; /* fds owned by obj */
	int stop;				  /* program in the next slot: ends, leaving cb alone */
	int arena[2];				  /* inner maps */
};

/* Load `path`, and walk.bpf.o from the same folder. 0 or -errno; -EPERM without the capabilities. */
int classifier_open(const char *path, struct classifier *ret);
void classifier_close(struct classifier *c);

/* Put an arena into half `generation & 1`. */
int classifier_set(struct classifier *c, unsigned int generation, const struct rules_arena *arena);
/* Make counter chunks for ids below `n`. */
int classifier_counters(struct classifier *c, uint32_t n);
/* Sum over CPUs of a counter's packets; -1: no such counter. */
long long classifier_counter(const struct classifier *c, uint32_t id);
long long classifier_fixed(const struct classifier *c, uint32_t id);

/* A packet as bytes from Ethernet on (headers only) and as context. */
struct classifier_packet {
	uint8_t data[160];
	uint32_t len;
	uint32_t cb[5];
	uint32_t mark;
};
/* `id`: fragment id. `egress`: sets the hook's direction bit. */
void classifier_packet_make(const struct rules_packet *p, uint32_t id, unsigned int generation, bool egress,
			    struct classifier_packet *ret);

/* Run once (repeat 0 or 1) or often. *ret_class: class id, or -1 when it was dropped. *ret_ns: per run, if not NULL. */
int classifier_run(const struct classifier *c, const struct classifier_packet *p, uint32_t repeat, int *ret_class,
		   uint32_t *ret_ns);

/* Where the build put an object: next to the running program, ../bpf or ../../bpf. */
const char *classifier_object(const char *name);
#endif
