/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the benchmarks measure, and the rows that they print.
 *
 * A row is one line, tab separated:  id  what  value  unit  low  high
 * qdisc-tests/bench/run collects the rows of all parts and makes the tables. A part that cannot run says so:
 *   skip  part  reason
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_LOADS_MAX 16

/* Pin the process to the last CPU it may use, so that all variants run on the same one. True when $BENCH_QUICK
 * asks for fewer rounds. */
bool bench_init(void);

double bench_now(void); /* seconds, monotonic */
double bench_cpu(void); /* seconds of CPU time of this process */
double bench_median(const double *v, size_t n);
double bench_min(const double *v, size_t n);
double bench_max(const double *v, size_t n);

/* One program on one packet. */
struct bench_prog {
	const char *name;
	int fd;
	const void *packet;
	uint32_t len;
	uint32_t repeat;	   /* runs in a slice; 0: found out by the first call */
	void (*before)(void *arg); /* called before each slice, outside the time measured; may be NULL */
	void *arg;
	double min_ns; /* out: cheapest slice, ns for one run */
};

/*
 * Run `n` programs interleaved: `rounds` times one slice of about `slice_ms` of each. The cheapest slice of
 * each is its cost: everything that disturbs a run makes it longer. Returns 0 or -errno.
 */
int bench_interleave(struct bench_prog *progs, size_t n, unsigned int rounds, double slice_ms);

/* What the kernel says of a loaded program. 0 when it does not say. */
struct bench_prog_info {
	uint32_t jited, xlated, insns_verified, id;
};
void bench_prog_info(int fd, struct bench_prog_info *ret);

/* Print a row. low and high bound the spread over repeats; give value three times where there is none. */
void bench_row(const char *id, const char *what, double value, const char *unit, double low, double high);
/* The median of `n` repeats as value, their extremes as the spread. */
void bench_row_stat(const char *id, const char *what, const double *v, size_t n, const char *unit);
void bench_skip(const char *part, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A formatted row id or text; the last eight stay valid. */
const char *bench_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Path of a benchmark's BPF object, found beside the running binary; static storage. */
const char *bench_object(const char *name);

/* Small, fast and repeatable pseudo-random numbers (xorshift*). */
struct bench_rng {
	uint64_t s;
};
static inline uint64_t bench_rand(struct bench_rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * 0x2545f4914f6cdd1dULL;
}

#endif
