// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "measure.h"

bool bench_init(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	const char *quick = getenv("BENCH_QUICK");
	cpu_set_t may, one;

	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	if (!sched_getaffinity(0, sizeof(may), &may))
		for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
			if (CPU_ISSET(cpu, &may)) {
				CPU_ZERO(&one);
				CPU_SET(cpu, &one);
				sched_setaffinity(0, sizeof(one), &one);
				break;
			}
	return quick && *quick && strcmp(quick, "0");
}

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int double_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

double bench_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double bench_median(const double *v, size_t n)
{
	double sorted[512];

	if (!n)
		return 0;
	if (n > 512)
		n = 512;
	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*v), double_cmp);
	return n & 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

double bench_min(const double *v, size_t n)
{
	double m = n ? v[0] : 0;

	for (size_t i = 1; i < n; i++)
		m = v[i] < m ? v[i] : m;
	return m;
}

double bench_max(const double *v, size_t n)
{
	double m = n ? v[0] : 0;

	for (size_t i = 1; i < n; i++)
		m = v[i] > m ? v[i] : m;
	return m;
}

/* Seconds that `repeat` runs take. By our own clock around the system call: the kernel reports whole
 * nanoseconds a run, too coarse for the differences that matter here. */
static int slice(const struct bench_prog *p, uint32_t repeat, double *ret_seconds)
{
	unsigned char out[2048];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->packet, .data_size_in = p->len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = (int)repeat);
	double t0 = bench_now();
	int err = bpf_prog_test_run_opts(p->fd, &opts);

	*ret_seconds = bench_now() - t0;
	return err < 0 ? -errno : 0;
}

int bench_interleave(struct bench_prog *progs, size_t n, unsigned int rounds, double slice_ms)
{
	double seconds;
	int err;

	for (size_t i = 0; i < n; i++) {
		struct bench_prog *p = &progs[i];

		p->min_ns = 1e18;
		if (p->repeat)
			continue;
		if (p->before)
			p->before(p->arg);
		for (p->repeat = 1000; p->repeat < 4000000; p->repeat *= 4) {
			err = slice(p, p->repeat, &seconds);
			if (err)
				return err;
			if (seconds * 1e3 > slice_ms / 4)
				break;
		}
		p->repeat = (uint32_t)(p->repeat * slice_ms / (seconds * 1e3));
		if (p->repeat < 100)
			p->repeat = 100;
	}
	for (unsigned int r = 0; r < rounds; r++) {
		for (size_t i = 0; i < n; i++) {
			struct bench_prog *p = &progs[i];

			if (p->before)
				p->before(p->arg);
			err = slice(p, p->repeat, &seconds);
			if (err)
				return err;
			if (seconds * 1e9 / p->repeat < p->min_ns)
				p->min_ns = seconds * 1e9 / p->repeat;
		}
	}
	return 0;
}

void bench_prog_info(int fd, struct bench_prog_info *ret)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	memset(ret, 0, sizeof(*ret));
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	ret->jited = info.jited_prog_len;
	ret->xlated = info.xlated_prog_len;
	ret->insns_verified = info.verified_insns;
	ret->id = info.id;
}

void bench_row(const char *id, const char *what, double value, const char *unit, double low, double high)
{
	printf("%s\t%s\t%.3f\t%s\t%.3f\t%.3f\n", id, what, value, unit, low, high);
}

void bench_row_stat(const char *id, const char *what, const double *v, size_t n, const char *unit)
{
	bench_row(id, what, bench_median(v, n), unit, bench_min(v, n), bench_max(v, n));
}

void bench_skip(const char *part, const char *fmt, ...)
{
	va_list ap;

	printf("skip\t%s\t", part);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

const char *bench_object(const char *name)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = 0;
	for (int up = 0; up < 2; up++) { /* …/bench/binary */
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = 0;
	}
	n = (ssize_t)strlen(path);
	snprintf(path + n, sizeof(path) - (size_t)n, "/tests/bench/%s.bpf.o", name);
	return path;
}

const char *bench_text(const char *fmt, ...)
{
	static char text[8][256];
	static unsigned int next;
	char *to = text[next++ % 8];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to, sizeof(text[0]), fmt, ap);
	va_end(ap);
	return to;
}
