// SPDX-License-Identifier: GPL-2.0-only
/* Sockets, time, and the tally of what arrived. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkt/pkt.h"

volatile sig_atomic_t pkt_stop;

double pkt_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int pkt_die(const char *what)
{
	fprintf(stderr, "pkt: %s: %s\n", what, strerror(errno));
	return 1;
}

int pkt_wait_fd(int fd, short events, double deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	while (!pkt_stop) {
		double left = deadline - pkt_now();

		if (left <= 0)
			return 0;
		/* Short slices: a signal between the test of `stop` and poll() must not cost the whole deadline. */
		if (poll(&p, 1, left > 0.1 ? 100 : (int)(left * 1000) + 1) > 0)
			return 1;
	}
	return 0;
}

void pkt_fill(uint8_t *buf, size_t len, uint64_t pos)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (pos + i) * 0x9e3779b97f4a7c15ULL;

		buf[i] = (uint8_t)(x >> 56 ^ x >> 32);
	}
}

uint64_t pkt_fnv1a(uint64_t h, const uint8_t *p, size_t len)
{
	while (len--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static int resolve(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *ai;
	char service[8];
	int rc;

	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &ai);
	if (rc) {
		fprintf(stderr, "pkt: %s: not an IPv4 or IPv6 address\n", host);
		return -1;
	}
	memcpy(ret, ai->ai_addr, ai->ai_addrlen);
	*ret_len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

int pkt_set_options(int fd, int family, const struct pkt_options *o)
{
	int one = 1, v;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	v = 8 << 20;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &v, sizeof(v)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v));
	if (o->dscp >= 0) {
		v = o->dscp << 2;
		if (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_TOS, &v, sizeof(v)) :
					setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &v, sizeof(v)))
			return pkt_die("DSCP");
	}
	if (o->mark >= 0) {
		v = (int)o->mark;
		if (setsockopt(fd, SOL_SOCKET, SO_MARK, &v, sizeof(v)))
			return pkt_die("mark");
	}
	if (o->priority >= 0) {
		v = (int)o->priority;
		if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &v, sizeof(v)))
			return pkt_die("priority");
	}
	if (o->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device, (socklen_t)strlen(o->device)))
		return pkt_die(o->device);
	return 0;
}

int pkt_open_sender(const struct pkt_options *o, int type, int protocol, uint16_t port,
		       struct sockaddr_storage *dst, socklen_t *dst_len)
{
	struct sockaddr_storage src;
	socklen_t src_len;
	int fd;

	if (resolve(o->dst, port, dst, dst_len))
		return -1;
	fd = socket(dst->ss_family, type, protocol);
	if (fd < 0) {
		pkt_die("socket");
		return -1;
	}
	if (pkt_set_options(fd, dst->ss_family, o))
		goto fail;
	if (o->src || o->sport) {
		if (resolve(o->src ? o->src : dst->ss_family == AF_INET ? "0.0.0.0" : "::", o->sport, &src, &src_len))
			goto fail;
		if (bind(fd, (struct sockaddr *)&src, src_len)) {
			pkt_die("bind");
			goto fail;
		}
	}
	return fd;
fail:
	close(fd);
	return -1;
}

void pkt_pace(const struct pkt_options *o, double start, uint64_t i)
{
	double wait;
	struct timespec ts;

	if (o->pps <= 0)
		return;
	wait = start + (double)i / o->pps - pkt_now();
	if (wait <= 0)
		return;
	ts.tv_sec = (time_t)wait;
	ts.tv_nsec = (long)((wait - (double)ts.tv_sec) * 1e9);
	nanosleep(&ts, NULL);
}

void pkt_print_dscp(const char *name, const struct pkt_tally *t)
{
	const char *sep = "";

	printf("\"%s\":{", name);
	for (int i = 0; i < 64; i++)
		if (t->dscp[i]) {
			printf("%s\"%d\":%" PRIu64, sep, i, t->dscp[i]);
			sep = ",";
		}
	printf("}");
}

bool pkt_seen_first(struct pkt_tally *t, uint64_t seq)
{
	if (seq >= t->seen_bits) {
		uint64_t bits = (seq + 1 + 65536) / 8 * 8 * 2;
		uint8_t *more;

		if (seq > 1ULL << 32 || !(more = realloc(t->seen, bits / 8)))
			return true;
		memset(more + t->seen_bits / 8, 0, (bits - t->seen_bits) / 8);
		t->seen = more;
		t->seen_bits = bits;
	}
	if (t->seen[seq / 8] & 1U << seq % 8)
		return false;
	t->seen[seq / 8] |= (uint8_t)(1U << seq % 8);
	return true;
}

ssize_t pkt_recv_dscp(int fd, uint8_t *buf, size_t len, struct sockaddr_storage *from, socklen_t *from_len,
			 int *ret_dscp)
{
	char control[256];
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr m = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

	*ret_dscp = 0;
	if (n < 0)
		return -1;
	*from_len = m.msg_namelen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		int tos = 0;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			tos = *(uint8_t *)CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&tos, CMSG_DATA(c), sizeof(tos));
		else
			continue;
		*ret_dscp = tos >> 2;
	}
	return n;
}

void pkt_ask_dscp(int fd, int family)
{
	int one = 1;

	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
}

void pkt_ready(void)
{
	fputs("ready\n", stderr);
	fflush(stderr);
}
