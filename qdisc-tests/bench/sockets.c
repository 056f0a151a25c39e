// SPDX-License-Identifier: GPL-2.0-only
/*
 * From socket to socket: what a small UDP datagram costs from sendmmsg() in this network namespace to recvmmsg() in
 * another one, by different ways.
 *
 *   sockets --far FILE NAME=FROM,TO NAME=FROM,TO …
 *
 * FILE is the other namespace, FROM an IPv4 address here and TO one there. One process pinned to one CPU does both ends,
 * so all that happens to a datagram is in the time: both system calls, both IP stacks, and what lies between. 18 bytes
 * of payload make the smallest Ethernet frame.
 *
 * Per round one slice of about 1.5 ms of each way in turn, 61 rounds; the cheapest slice is the way's cost. Prints
 * NAME and nanoseconds, one line for each. Every datagram must arrive: a way that loses one fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/measure.h"

#define WAYS_MAX 8
#define BATCH 32
#define PAYLOAD 18
#define PORT 9000
#define SLICE 1.5e-3
#define ROUNDS 61

struct way {
	char name[32], from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
	int tx, rx;
	unsigned int batches; /* in a slice */
	double min;	      /* seconds for one datagram */
};

static struct way ways[WAYS_MAX];
static size_t n_ways;
static struct mmsghdr out[BATCH], in[BATCH];

/* `batches` batches there; seconds they took, negative: -errno. */
static double slice(const struct way *w, unsigned int batches)
{
	double begin = bench_now();

	for (unsigned int i = 0; i < batches; i++) {
		int sent = 0, got = 0, n;

		while (sent < BATCH) {
			n = sendmmsg(w->tx, out + sent, (unsigned int)(BATCH - sent), 0);
			if (n < 0)
				return -errno;
			sent += n;
		}
		while (got < BATCH) {
			n = recvmmsg(w->rx, in + got, (unsigned int)(BATCH - got), MSG_WAITFORONE, NULL);
			if (n < 0)
				return -errno;
			got += n;
		}
	}
	return bench_now() - begin;
}

static int address(struct sockaddr_in *ret, const char *text)
{
	*ret = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(PORT) };
	return inet_pton(AF_INET, text, &ret->sin_addr) == 1 ? 0 : -EINVAL;
}

/* A socket belongs to the namespace that its process was in when it was made. */
static int open_way(struct way *w, int near_fd, int far_fd)
{
	struct timeval patience = { .tv_sec = 1 };
	struct sockaddr_in from, to;

	if (address(&from, w->from) || address(&to, w->to))
		return -EINVAL;
	if (setns(far_fd, CLONE_NEWNET))
		return -errno;
	w->rx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (w->rx < 0 || bind(w->rx, (struct sockaddr *)&to, sizeof(to)) ||
	    setsockopt(w->rx, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return -errno;
	if (setns(near_fd, CLONE_NEWNET))
		return -errno;
	w->tx = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (w->tx < 0 || bind(w->tx, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(w->tx, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return 0;
}

/* How many batches make a slice: by the cheapest of some, for on a busy machine one may take any time. */
static double calibrate(struct way *w)
{
	double min = SLICE, t;

	for (int i = 0; i < 32; i++) {
		t = slice(w, 1);
		if (t < 0)
			return t;
		if (t < min)
			min = t;
	}
	w->batches = (unsigned int)(SLICE / min);
	if (!w->batches)
		w->batches = 1;
	w->min = 1;
	return 0;
}

static int measure(void)
{
	for (unsigned int r = 0; r < ROUNDS; r++)
		for (size_t i = 0; i < n_ways; i++) {
			struct way *w = &ways[i];
			double t = slice(w, w->batches);

			if (t < 0) {
				fprintf(stderr, "sockets: %s: %s\n", w->name, strerror((int)-t));
				return 1;
			}
			t /= (double)w->batches * BATCH;
			if (t < w->min)
				w->min = t;
		}
	for (size_t i = 0; i < n_ways; i++)
		printf("%s %.1f\n", ways[i].name, ways[i].min * 1e9);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "far", required_argument, NULL, 'f' }, {} };
	static char payload[PAYLOAD], into[BATCH][PAYLOAD];
	static struct iovec out_iov = { payload, PAYLOAD }, in_iov[BATCH];
	int c, near_fd, far_fd = -1;
	double err;

	bench_init();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'f')
			return 2;
		far_fd = open(optarg, O_RDONLY | O_CLOEXEC);
	}
	near_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (near_fd < 0 || far_fd < 0) {
		fprintf(stderr, "sockets: cannot open a network namespace: %s\n", strerror(errno));
		return 1;
	}
	for (int i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){ into[i], PAYLOAD };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov, .msg_iovlen = 1 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
	}
	for (; optind < argc && n_ways < WAYS_MAX; optind++) {
		struct way *w = &ways[n_ways++];

		if (sscanf(argv[optind], "%31[^=]=%15[^,],%15s", w->name, w->from, w->to) != 3)
			return 2;
		err = open_way(w, near_fd, far_fd);
		if (err == 0)
			err = calibrate(w);
		if (err < 0) {
			fprintf(stderr, "sockets: %s: %s\n", w->name, strerror((int)-err));
			return 1;
		}
	}
	return n_ways ? measure() : 2;
}
