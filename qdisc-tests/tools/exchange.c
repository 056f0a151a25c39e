// SPDX-License-Identifier: GPL-2.0-only
/*
 * exchange: everything that should get through a path between two network namespaces, and what should not, from one
 * process: pings around the MTU, UDP compared byte by byte, TCP both ways. One line per case, as tests print them.
 *
 * Sockets belong to the namespace that they were made in, so the process enters one only to make them. Nothing is
 * started or waited for, which is what makes this bearable under emulation.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT 5004
#define PIECE 1000 /* payload of a datagram sent by UDP_SEGMENT */
#define PIECES 16
#define SMALLEST_TRAIN 1600 /* mean bytes a packet on the wire, above any MTU used here: segments stayed together */

struct end {
	int ns;		  /* of the host */
	int watch;	  /* of the device that shows how large packets arrive */
	const char *device;
	const char *addr[2]; /* IPv4, IPv6; NULL: not used */
};

static struct end ends[2];
static const char *name;
static unsigned int mtu = 1500, smallest = 4;
static size_t bulk = 2000000;
static double timeout = 5;
static bool fragments, nothing, no_answer, no_pieces[2];
static int failed;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool wait_fd(int fd, short events, double deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left = deadline - now();

	return left > 0 && poll(&p, 1, (int)(left * 1000) + 1) > 0;
}

static const char *label(int family)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s, IPv%d inside", name, family);
	return text;
}

__attribute__((format(printf, 3, 4))) static void report(int family, const char *what, const char *why, ...)
{
	va_list ap;

	if (!why) {
		printf("ok - %s: %s\n", label(family), what);
		return;
	}
	failed = 1;
	printf("not ok - %s: %s: ", label(family), what);
	va_start(ap, why);
	vprintf(why, ap);
	va_end(ap);
	printf("\n");
}

static int enter(int ns)
{
	return setns(ns, CLONE_NEWNET);
}

/* A socket in the namespace of an end, bound to its address. */
static int open_at(const struct end *e, int family, int type, int proto, uint16_t port, struct sockaddr_storage *ret_addr,
		   socklen_t *ret_len)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)&a;
	struct sockaddr_in *a4 = (struct sockaddr_in *)&a;
	int fd, one = 1, size = 4 << 20;

	if (family == 4) {
		a4->sin_family = AF_INET;
		a4->sin_port = htons(port);
		inet_pton(AF_INET, e->addr[0], &a4->sin_addr);
	} else {
		a6->sin6_family = AF_INET6;
		a6->sin6_port = htons(port);
		inet_pton(AF_INET6, e->addr[1], &a6->sin6_addr);
	}
	if (enter(e->ns))
		return -1;
	fd = socket(a.ss_family, type | SOCK_NONBLOCK, proto);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type != SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	*ret_len = family == 4 ? sizeof(*a4) : sizeof(*a6);
	if (bind(fd, (struct sockaddr *)&a, *ret_len)) {
		close(fd);
		return -1;
	}
	*ret_addr = a;
	return fd;
}

/* Byte i of a stream or of a datagram depends on its place only. */
static void fill(uint8_t *p, size_t len, uint64_t at)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (at + i) * 0x9e3779b97f4a7c15ULL;

		p[i] = (uint8_t)(x >> 56 ^ x >> 32);
	}
}

/* --- ping -------------------------------------------------------------------------------------------------- */

/* An echo request of `size` bytes from the IP header on. Returns 0 when its reply came back unchanged, EMSGSIZE when the
 * path said it was too big (*ret_mtu: how much it takes), ETIMEDOUT, EBADMSG, or another errno. */
static int ping(const struct end *from, const struct end *to, int family, unsigned int size, int discover, double wait,
		unsigned int *ret_mtu)
{
	static uint16_t seq;
	uint8_t out[65536], in[65536 + 64], control[512];
	struct sockaddr_storage dst, src;
	size_t len = size - (family == 4 ? 20 : 40);
	double deadline = now() + wait;
	int fd, on = 1, err = ETIMEDOUT;
	uint32_t sum = 0;
	socklen_t alen;

	fd = open_at(to, family, SOCK_RAW, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0, &dst, &alen);
	if (fd < 0)
		return errno;
	close(fd); /* only its address was wanted */
	fd = open_at(from, family, SOCK_RAW, family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0, &src, &alen);
	if (fd < 0)
		return errno;
	setsockopt(fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
		   &discover, sizeof(discover));
	setsockopt(fd, family == 4 ? IPPROTO_IP : IPPROTO_IPV6, family == 4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on));
	fill(out, len, size);
	seq++;
	memset(out, 0, 8);
	out[0] = family == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	out[4] = 0x7c;
	out[6] = (uint8_t)(seq >> 8);
	out[7] = (uint8_t)seq;
	for (size_t i = 0; family == 4 && i < len; i += 2)
		sum += (uint32_t)out[i] << 8 | (i + 1 < len ? out[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	if (family == 4) {
		out[2] = (uint8_t)(~sum >> 8);
		out[3] = (uint8_t)~sum;
	}
	if (sendto(fd, out, len, 0, (struct sockaddr *)&dst, alen) < 0) {
		err = errno;
		if (err != EMSGSIZE)
			goto out;
	}
	while (wait_fd(fd, POLLIN, deadline)) {
		struct iovec iov = { .iov_base = in, .iov_len = sizeof(in) };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		size_t off;
		ssize_t n;

		if (recvmsg(fd, &m, MSG_ERRQUEUE) >= 0) {
			for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
				const struct sock_extended_err *ee = (const void *)CMSG_DATA(c);

				if (ee->ee_errno == EMSGSIZE) {
					*ret_mtu = ee->ee_info;
					err = EMSGSIZE;
					goto out;
				}
			}
			continue;
		}
		n = recv(fd, in, sizeof(in), 0);
		if (n < 0 && errno == EMSGSIZE)
			continue;
		off = family == 4 ? (size_t)(in[0] & 15) * 4 : 0;
		if (n < (ssize_t)off + 8 || in[off] != (family == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) ||
		    memcmp(in + off + 4, out + 4, 4))
			continue;
		err = (size_t)n - off == len && !memcmp(in + off + 8, out + 8, len - 8) ? 0 : EBADMSG;
		break;
	}
out:
	close(fd);
	return err;
}

static void pings(int family)
{
	static const char *const direction[2] = { "there", "back" };
	unsigned int got = 0;
	char what[96];
	int err;

	for (int d = 0; d < 2; d++)
		for (int less = 1; less >= 0; less--) {
			err = ping(&ends[d], &ends[!d], family, mtu - (unsigned int)less, IP_PMTUDISC_PROBE, timeout, &got);
			snprintf(what, sizeof(what), "ping %s, %s", direction[d], less ? "one byte below the MTU" : "the MTU");
			if (err)
				report(family, what, "%u bytes: %s", mtu - (unsigned int)less, strerror(err));
			else
				report(family, what, NULL);
		}
	if (no_answer)
		return;
	err = ping(&ends[0], &ends[1], family, mtu + 1, IP_PMTUDISC_PROBE, timeout, &got);
	if (err == EMSGSIZE && got == mtu)
		report(family, "a packet that is too big is answered with the MTU", NULL);
	else if (err == EMSGSIZE)
		report(family, "a packet that is too big is answered with the MTU", "got %u, expected %u", got, mtu);
	else
		report(family, "a packet that is too big is answered with the MTU", "%s", err ? strerror(err) : "it got through");
	if (!fragments)
		return;
	err = ping(&ends[0], &ends[1], family, mtu + 1, IP_PMTUDISC_DONT, timeout, &got);
	if (!err)
		err = ping(&ends[0], &ends[1], family, 4000, IP_PMTUDISC_DONT, timeout, &got);
	if (!err)
		err = ping(&ends[1], &ends[0], family, 4000, IP_PMTUDISC_DONT, timeout, &got);
	if (err)
		report(family, "larger packets in fragments", "%s", strerror(err));
	else
		report(family, "larger packets in fragments", NULL);
}

/* --- UDP --------------------------------------------------------------------------------------------------- */

/* Send `n` datagrams in pieces of `burst`; sizes vary unless they go in one piece. Each must arrive as it was. */
static void datagrams(int family, int d, unsigned int n, unsigned int burst)
{
	static uint8_t out[65536], in[65536];
	struct sockaddr_storage a, b;
	unsigned int largest = mtu - (family == 4 ? 28 : 48), got = 0, changed = 0;
	double deadline = now() + timeout;
	char what[64];
	socklen_t len;
	int tx, rx, piece = PIECE;

	snprintf(what, sizeof(what), "UDP%s %s", burst > 1 ? " in pieces of 16" : "", d ? "back" : "there");
	rx = open_at(&ends[!d], family, SOCK_DGRAM, 0, PORT, &b, &len);
	tx = open_at(&ends[d], family, SOCK_DGRAM, 0, (uint16_t)(PORT + 1), &a, &len);
	if (rx < 0 || tx < 0 || connect(tx, (struct sockaddr *)&b, len) ||
	    (burst > 1 && setsockopt(tx, SOL_UDP, UDP_SEGMENT, &piece, sizeof(piece)))) {
		report(family, what, "set-up: %s", strerror(errno));
		goto out;
	}
	for (unsigned int i = 0; i < n; i += burst) {
		size_t size = 0;

		for (unsigned int k = 0; k < burst; k++) {
			size_t one = burst > 1 ? PIECE : smallest + (size_t)i * 7919 % (largest - smallest + 1);
			uint32_t seq = i + k;

			fill(out + size, one, seq);
			memcpy(out + size, &seq, sizeof(seq));
			size += one;
		}
		while (send(tx, out, size, 0) < 0 && (errno == EAGAIN || errno == ENOBUFS) && wait_fd(tx, POLLOUT, deadline))
			;
		while (got < n && (got < i + burst) && wait_fd(rx, POLLIN, i + burst == n ? deadline : now() + 0.001)) {
			ssize_t r = recv(rx, in, sizeof(in), 0);
			uint32_t seq;

			if (r < 4)
				continue;
			memcpy(&seq, in, sizeof(seq));
			fill(out, (size_t)r, seq);
			if ((size_t)r != (burst > 1 ? (size_t)PIECE : smallest + (size_t)seq * 7919 % (largest - smallest + 1)) ||
			    memcmp(in + 4, out + 4, (size_t)r - 4))
				changed++;
			got++;
		}
	}
	if (got != n || changed)
		report(family, what, "%u of %u arrived, %u of them changed", got, n, changed);
	else
		report(family, what, NULL);
out:
	close(rx);
	close(tx);
}

/* --- TCP --------------------------------------------------------------------------------------------------- */

/* What a device has received so far. */
static void received(const struct end *e, uint64_t *ret_packets, uint64_t *ret_bytes)
{
	char line[512];
	FILE *f;

	*ret_packets = *ret_bytes = 0;
	if (!e->device)
		return;
	enter(e->watch);
	f = fopen("/proc/thread-self/net/dev", "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strspn(line, " ");
		size_t len = strlen(e->device);

		if (!strncmp(p, e->device, len) && p[len] == ':')
			sscanf(p + len + 1, "%" SCNu64 " %" SCNu64, ret_bytes, ret_packets);
	}
	if (f)
		fclose(f);
}

static void stream(int family, int d)
{
	static uint8_t out[65536], in[65536], want[65536];
	struct sockaddr_storage a, b;
	uint64_t sent = 0, got = 0, p0, b0, p1, b1;
	double deadline = now() + timeout * 4;
	int listener, tx, rx = -1, err = 0;
	socklen_t len, err_len = sizeof(err);
	char what[64];
	bool same = true;

	snprintf(what, sizeof(what), "TCP %s", d ? "back" : "there");
	received(&ends[!d], &p0, &b0);
	listener = open_at(&ends[!d], family, SOCK_STREAM, 0, PORT, &b, &len);
	tx = open_at(&ends[d], family, SOCK_STREAM, 0, 0, &a, &len);
	if (listener < 0 || tx < 0 || listen(listener, 1) ||
	    (connect(tx, (struct sockaddr *)&b, len) && errno != EINPROGRESS)) {
		report(family, what, "set-up: %s", strerror(errno));
		goto out;
	}
	if (!wait_fd(tx, POLLOUT, deadline) || getsockopt(tx, SOL_SOCKET, SO_ERROR, &err, &err_len) || err ||
	    !wait_fd(listener, POLLIN, deadline) || (rx = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) {
		report(family, what, "no connection: %s", strerror(err ? err : ETIMEDOUT));
		goto out;
	}
	while (got < bulk && same && now() < deadline) {
		struct pollfd p[2] = { { .fd = rx, .events = POLLIN },
				       { .fd = tx, .events = sent < bulk ? POLLOUT : 0 } };
		ssize_t n;

		poll(p, 2, 100);
		if (sent < bulk && p[1].revents & POLLOUT) {
			size_t one = bulk - sent < sizeof(out) ? bulk - sent : sizeof(out);

			fill(out, one, sent);
			n = send(tx, out, one, MSG_NOSIGNAL);
			if (n > 0)
				sent += (uint64_t)n;
		}
		while ((n = recv(rx, in, sizeof(in), 0)) > 0) {
			fill(want, (size_t)n, got);
			same = same && !memcmp(in, want, (size_t)n);
			got += (uint64_t)n;
		}
	}
	received(&ends[!d], &p1, &b1);
	if (got != bulk || !same) {
		report(family, what, "%" PRIu64 " of %zu bytes arrived%s", got, bulk, same ? "" : ", changed");
		goto out;
	}
	report(family, what, NULL);
	if (!ends[!d].device)
		goto out;
	snprintf(what, sizeof(what), "segments of TCP stay together %s", d ? "back" : "there");
	if ((b1 - b0) / (p1 - p0 + 1) < SMALLEST_TRAIN)
		report(family, what, "packets of %" PRIu64 " bytes on %s", (b1 - b0) / (p1 - p0 + 1), ends[!d].device);
	else
		report(family, what, NULL);
out:
	close(rx);
	close(tx);
	close(listener);
}

/* --- command line ------------------------------------------------------------------------------------------ */

static void usage(FILE *f)
{
	fputs("usage: exchange [OPTION]... NAME\n"
	      "  -a NS -b NS       the ends: names of network namespaces\n"
	      "  -4 A,B  -6 A,B    their addresses; at least one family\n"
	      "  -m MTU            what must get through, and not one byte more (1500)\n"
	      "  -u NS:DEV,NS:DEV  devices, for traffic to A and to B, that must receive TCP in pieces above 1600 bytes\n"
	      "  -l BYTES          of each TCP stream (2000000)\n"
	      "  -s BYTES          payload of the smallest datagram, at least 4 (4)\n"
	      "  -t SECONDS        to wait for an answer (5)\n"
	      "  -f                packets above the MTU that may be fragmented get through\n"
	      "  -p back|both      leave UDP in pieces out, from B to A or both ways\n"
	      "  -q                no answer to what is too big\n"
	      "  -n                nothing may get through\n"
	      "Prints \"ok - NAME, IPvN inside: WHAT\" or \"not ok - …: WHY\". Exit status: 0 all ok, 1 not, 2 usage.\n",
	      f);
}

static int open_ns(const char *ns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "exchange: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static void both(char *text, const char **ret_a, const char **ret_b)
{
	*ret_a = strtok(text, ",");
	*ret_b = strtok(NULL, ",");
	if (!*ret_a || !*ret_b) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *w[2] = { NULL };
	int c, family;

	while ((c = getopt(argc, argv, "a:b:4:6:m:u:l:s:t:p:fqnh")) != -1)
		switch (c) {
		case 'a': ends[0].ns = open_ns(optarg); break;
		case 'b': ends[1].ns = open_ns(optarg); break;
		case '4': both(optarg, &ends[0].addr[0], &ends[1].addr[0]); break;
		case '6': both(optarg, &ends[0].addr[1], &ends[1].addr[1]); break;
		case 'm': mtu = (unsigned int)atoi(optarg); break;
		case 'u':
			both(optarg, &w[0], &w[1]);
			for (int i = 0; i < 2; i++) {
				char *dev = strchr(w[i], ':');

				if (!dev)
					return 2;
				*dev = 0;
				ends[i].watch = open_ns(w[i]);
				ends[i].device = dev + 1;
			}
			break;
		case 'l': bulk = (size_t)atol(optarg); break;
		case 's': smallest = (unsigned int)atoi(optarg); break;
		case 't': timeout = atof(optarg); break;
		case 'p':
			no_pieces[1] = true;
			no_pieces[0] = !strcmp(optarg, "both");
			break;
		case 'f': fragments = true; break;
		case 'q': no_answer = true; break;
		case 'n': nothing = true; break;
		case 'h': usage(stdout); return 0;
		default: return 2;
		}
	if (optind + 1 != argc || !ends[0].ns || !ends[1].ns || (!ends[0].addr[0] && !ends[0].addr[1])) {
		usage(stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	name = argv[optind];
	for (family = 4; family <= 6; family += 2) {
		unsigned int got;
		double until = now() + timeout;
		int err;

		if (!ends[0].addr[family == 6])
			continue;
		if (nothing) {
			err = ping(&ends[0], &ends[1], family, 100, IP_PMTUDISC_DONT, 0.3, &got);
			report(family, "nothing gets through without the other end", err ? NULL : "an answer came");
			continue;
		}
		/* Until neighbours know each other. */
		while ((err = ping(&ends[0], &ends[1], family, 100, IP_PMTUDISC_DONT, 0.2, &got)) && now() < until)
			;
		if (err) {
			report(family, "ping", "%s", strerror(err));
			continue;
		}
		pings(family);
		for (int d = 0; d < 2; d++)
			datagrams(family, d, 100, 1);
		for (int d = 0; d < 2; d++)
			if (!no_pieces[d])
				datagrams(family, d, 5 * PIECES, PIECES);
		for (int d = 0; d < 2; d++)
			stream(family, d);
	}
	return failed;
}
