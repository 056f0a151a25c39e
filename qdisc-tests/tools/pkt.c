// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkt: sends and receives an exact number of packets and says in one JSON line what it did. For tests and
 * demonstrations: deterministic, never waits longer than its deadline.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/packet.h"

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = 1;
}

enum proto { P_UDP, P_TCP, P_ICMP, P_MAX };
static const char *const proto_names[P_MAX] = { [P_UDP] = "udp", [P_TCP] = "tcp", [P_ICMP] = "icmp" };

struct options {
	enum proto proto;
	const char *dst, *src, *device, *pcap, *hex, *file;
	uint16_t ports[64]; /* destination (send) or local (recv) */
	size_t n_ports;
	uint16_t sport;
	uint64_t count;
	bool count_set;
	size_t len;
	int dscp;    /* -1: leave alone */
	int64_t mark, priority; /* -1: leave alone */
	double timeout; /* seconds */
	double pps;	/* 0: as fast as it goes */
	unsigned int burst; /* send udp: datagrams in one call, cut by UDP_SEGMENT */
	bool echo, no_reply, reply;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int die(const char *what)
{
	fprintf(stderr, "pkt: %s: %s\n", what, strerror(errno));
	return 1;
}

/* Wait until fd is ready. 1: ready, 0: deadline or signal. */
static int wait_fd(int fd, short events, double deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	while (!stop) {
		double left = deadline - now();

		if (left <= 0)
			return 0;
		/* Short slices: a signal between the test of `stop` and poll() must not cost the whole deadline. */
		if (poll(&p, 1, left > 0.1 ? 100 : (int)(left * 1000) + 1) > 0)
			return 1;
	}
	return 0;
}

/* The bulk stream: byte i depends on its position only, so that both ends can check it. */
static void fill(uint8_t *buf, size_t len, uint64_t pos)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (pos + i) * 0x9e3779b97f4a7c15ULL;

		buf[i] = (uint8_t)(x >> 56 ^ x >> 32);
	}
}

#define FNV_START 0xcbf29ce484222325ULL
static uint64_t fnv1a(uint64_t h, const uint8_t *p, size_t len)
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

static int set_options(int fd, int family, const struct options *o)
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
			return die("DSCP");
	}
	if (o->mark >= 0) {
		v = (int)o->mark;
		if (setsockopt(fd, SOL_SOCKET, SO_MARK, &v, sizeof(v)))
			return die("mark");
	}
	if (o->priority >= 0) {
		v = (int)o->priority;
		if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &v, sizeof(v)))
			return die("priority");
	}
	if (o->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->device, (socklen_t)strlen(o->device)))
		return die(o->device);
	return 0;
}

static int open_sender(const struct options *o, int type, int protocol, uint16_t port,
		       struct sockaddr_storage *dst, socklen_t *dst_len)
{
	struct sockaddr_storage src;
	socklen_t src_len;
	int fd;

	if (resolve(o->dst, port, dst, dst_len))
		return -1;
	fd = socket(dst->ss_family, type, protocol);
	if (fd < 0) {
		die("socket");
		return -1;
	}
	if (set_options(fd, dst->ss_family, o))
		goto fail;
	if (o->src || o->sport) {
		if (resolve(o->src ? o->src : dst->ss_family == AF_INET ? "0.0.0.0" : "::", o->sport, &src, &src_len))
			goto fail;
		if (bind(fd, (struct sockaddr *)&src, src_len)) {
			die("bind");
			goto fail;
		}
	}
	return fd;
fail:
	close(fd);
	return -1;
}

static void pace(const struct options *o, double start, uint64_t i)
{
	double wait;
	struct timespec ts;

	if (o->pps <= 0)
		return;
	wait = start + (double)i / o->pps - now();
	if (wait <= 0)
		return;
	ts.tv_sec = (time_t)wait;
	ts.tv_nsec = (long)((wait - (double)ts.tv_sec) * 1e9);
	nanosleep(&ts, NULL);
}

struct tally {
	uint64_t packets, bytes, dscp[64], duplicates, unknown;
	uint64_t per_port[64];
	uint8_t *seen; /* bitmap by sequence number */
	uint64_t seen_bits;
};

static void print_dscp(const char *name, const struct tally *t)
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

/* Note a sequence number; false when it was there before. */
static bool seen_first(struct tally *t, uint64_t seq)
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

/* One datagram with its DSCP. Returns its length, or -1. */
static ssize_t recv_dscp(int fd, uint8_t *buf, size_t len, struct sockaddr_storage *from, socklen_t *from_len,
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

static void ask_dscp(int fd, int family)
{
	int one = 1;

	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
}

/* --- send ------------------------------------------------------------------------------------------------ */

/* Replies are what was sent: sequence number, then the pattern of fill(). Others are counted in *changed. */
static void take_replies(int fd, struct tally *t, double deadline, uint64_t want, const uint8_t *pattern, size_t len,
			 uint64_t *changed)
{
	static uint8_t buf[65536];
	struct sockaddr_storage from;
	socklen_t from_len;
	int dscp;

	while (t->packets < want) {
		ssize_t n = recv_dscp(fd, buf, sizeof(buf), &from, &from_len, &dscp);
		uint64_t seq;

		if (n < 0) {
			if (errno == EAGAIN && deadline > 0 && wait_fd(fd, POLLIN, deadline))
				continue;
			if (errno == ECONNREFUSED)
				continue;
			return;
		}
		if ((size_t)n < sizeof(seq))
			continue;
		memcpy(&seq, buf, sizeof(seq));
		if (!seen_first(t, be64toh(seq))) {
			t->duplicates++;
			continue;
		}
		if ((size_t)n != len || memcmp(buf + sizeof(seq), pattern + sizeof(seq), len - sizeof(seq)))
			(*changed)++;
		t->packets++;
		t->bytes += (uint64_t)n;
		t->dscp[dscp]++;
	}
}

static int send_udp(const struct options *o)
{
	static uint8_t buf[65536];
	struct sockaddr_storage dst;
	struct tally replies = { 0 };
	uint64_t sent = 0, errors = 0, blocked = 0, changed = 0, seq;
	int fds[64], last_errno = 0;
	size_t n_ports = o->n_ports ? o->n_ports : 1, len = o->len < sizeof(seq) ? sizeof(seq) : o->len;
	double start = now(), deadline = start + o->timeout;
	unsigned int n;
	socklen_t dst_len;

	for (size_t p = 0; p < n_ports; p++) {
		fds[p] = open_sender(o, SOCK_DGRAM, 0, o->n_ports ? o->ports[p] : 9, &dst, &dst_len);
		if (fds[p] < 0)
			return 1;
		ask_dscp(fds[p], dst.ss_family);
		if (connect(fds[p], (struct sockaddr *)&dst, dst_len))
			return die(o->dst);
		n = (unsigned int)len;
		if (o->burst > 1 && setsockopt(fds[p], SOL_UDP, UDP_SEGMENT, &n, sizeof(n)))
			return die("UDP_SEGMENT");
	}
	for (unsigned int k = 0; k < o->burst; k++)
		fill(buf + k * len, len, 0);
	for (uint64_t i = 0; i < o->count && !stop && now() < deadline; i += n) {
		int fd = fds[i % n_ports];

		n = o->count - i < o->burst ? (unsigned int)(o->count - i) : o->burst;
		for (unsigned int k = 0; k < n; k++) {
			seq = htobe64(i + k);
			memcpy(buf + k * len, &seq, sizeof(seq));
		}
		pace(o, start, i);
		while (send(fd, buf, n * len, MSG_DONTWAIT) < 0) {
			if (errno == ECONNREFUSED)
				continue; /* news about an earlier datagram; this one was not sent yet */
			if (errno == EAGAIN || errno == ENOBUFS) {
				blocked++;
				if (wait_fd(fd, POLLOUT, deadline))
					continue;
			}
			last_errno = errno;
			errors += n;
			goto next;
		}
		sent += n;
		if (o->reply)
			take_replies(fd, &replies, 0, o->count, buf, len, &changed);
next:;
	}
	if (o->reply)
		while (replies.packets < sent && !stop && now() < deadline)
			for (size_t p = 0; p < n_ports; p++)
				take_replies(fds[p], &replies, n_ports == 1 ? deadline : now() + 0.02, sent, buf, len,
					     &changed);
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"seconds\":%.3f", sent,
	       sent * len, errors, now() - start);
	if (o->reply) {
		printf(",\"replies\":%" PRIu64 ",\"changed\":%" PRIu64 ",", replies.packets, changed);
		print_dscp("reply_dscp", &replies);
	}
	printf("}\n");
	free(replies.seen);
	if (errors)
		fprintf(stderr, "pkt: %" PRIu64 " not sent, last: %s\n", errors, strerror(last_errno));
	return sent == o->count && (!o->reply || (replies.packets == sent && !changed)) ? 0 : 1;
}

static int send_tcp(const struct options *o)
{
	uint64_t total = o->count * o->len, pos = 0, hash = FNV_START;
	struct sockaddr_storage dst;
	static uint8_t buf[65536];
	double start = now(), deadline = start + o->timeout;
	char peer[40] = "", mine[24];
	size_t got = 0;
	socklen_t dst_len, err_len = sizeof(int);
	int fd, err = 0;

	fd = open_sender(o, SOCK_STREAM, 0, o->n_ports ? o->ports[0] : 9, &dst, &dst_len);
	if (fd < 0)
		return 1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (struct sockaddr *)&dst, dst_len) && errno != EINPROGRESS)
		return die(o->dst);
	if (!wait_fd(fd, POLLOUT, deadline)) {
		errno = ETIMEDOUT;
		return die(o->dst);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) || err) {
		errno = err;
		return die(o->dst);
	}
	while (pos < total) {
		size_t want = total - pos < sizeof(buf) ? (size_t)(total - pos) : sizeof(buf);
		ssize_t n;

		fill(buf, want, pos);
		n = send(fd, buf, want, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EAGAIN && wait_fd(fd, POLLOUT, deadline))
				continue;
			break;
		}
		hash = fnv1a(hash, buf, (size_t)n);
		pos += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	/* The receiver answers with the hash of what it got: "0123456789abcdef\n". */
	while (got < 17 && wait_fd(fd, POLLIN, deadline)) {
		ssize_t n = read(fd, peer + got, sizeof(peer) - 1 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	peer[strcspn(peer, "\n")] = 0;
	snprintf(mine, sizeof(mine), "%016" PRIx64, hash);
	printf("{\"bytes\":%" PRIu64 ",\"hash\":\"%s\",\"peer_hash\":\"%s\",\"same\":%s,\"seconds\":%.3f}\n", pos, mine,
	       peer, strcmp(mine, peer) ? "false" : "true", now() - start);
	return pos == total && !strcmp(mine, peer) ? 0 : 1;
}

static int send_icmp(const struct options *o)
{
	struct sockaddr_storage dst, from;
	struct tally replies = { 0 };
	double start = now(), deadline = start + o->timeout;
	static uint8_t buf[65536], in[65536];
	uint16_t id = (uint16_t)(getpid() ^ (getpid() >> 16));
	uint64_t sent = 0, errors = 0;
	socklen_t dst_len, from_len;
	bool v6 = strchr(o->dst, ':');
	size_t len = 8 + (o->len < 8 ? 8 : o->len);
	int fd, dscp;

	fd = open_sender(o, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 0, &dst, &dst_len);
	if (fd < 0)
		return 1;
	ask_dscp(fd, dst.ss_family);
	fill(buf, sizeof(buf), 0);
	for (uint64_t i = 0; i <= o->count && !stop && now() < deadline; i++) {
		bool last = i == o->count;

		if (!last) {
			uint64_t seq = htobe64(i);
			uint32_t sum = 0;

			buf[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
			buf[1] = buf[2] = buf[3] = 0;
			buf[4] = (uint8_t)(id >> 8);
			buf[5] = (uint8_t)id;
			buf[6] = (uint8_t)(i >> 8);
			buf[7] = (uint8_t)i;
			memcpy(buf + 8, &seq, 8);
			if (!v6) { /* the kernel does ICMPv6 */
				for (size_t k = 0; k < len; k += 2)
					sum += (uint32_t)(buf[k] << 8 | (k + 1 < len ? buf[k + 1] : 0));
				while (sum >> 16)
					sum = (sum & 0xffff) + (sum >> 16);
				buf[2] = (uint8_t)(~sum >> 8);
				buf[3] = (uint8_t)~sum;
			}
			pace(o, start, i);
			if (sendto(fd, buf, len, 0, (struct sockaddr *)&dst, dst_len) < 0)
				errors++;
			else
				sent++;
		}
		/* Up to one reply per request as we go, the rest at the end. */
		while (replies.packets < sent && wait_fd(fd, POLLIN, last || o->pps <= 0 ? deadline : now() + 0.0005)) {
			ssize_t n = recv_dscp(fd, in, sizeof(in), &from, &from_len, &dscp);
			size_t off = v6 ? 0 : (size_t)(in[0] & 0xf) * 4;
			uint64_t seq;

			if (n < (ssize_t)(off + 16) || in[off] != (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
			    (in[off + 4] << 8 | in[off + 5]) != id)
				continue;
			if (!v6)
				dscp = in[1] >> 2;
			memcpy(&seq, in + off + 8, 8);
			if (!seen_first(&replies, be64toh(seq))) {
				replies.duplicates++;
				continue;
			}
			replies.packets++;
			replies.dscp[dscp]++;
			if (!last)
				break;
		}
	}
	printf("{\"sent\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"replies\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",",
	       sent, errors, replies.packets, replies.duplicates);
	print_dscp("reply_dscp", &replies);
	printf(",\"seconds\":%.3f}\n", now() - start);
	free(replies.seen);
	return sent == o->count && replies.packets == sent ? 0 : 1;
}

/* --- recv ------------------------------------------------------------------------------------------------ */

/* A socket for IPv4 and IPv6 alike (IPv4 alone where there is no IPv6). */
static int open_receiver(const struct options *o, int type, uint16_t port)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int zero = 0, fd = socket(AF_INET6, type, 0);
	bool v6 = fd >= 0;

	if (!v6)
		fd = socket(AF_INET, type, 0);
	if (fd < 0)
		return -1;
	if (v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (set_options(fd, v6 ? AF_INET6 : AF_INET, o))
		goto fail;
	ask_dscp(fd, v6 ? AF_INET6 : AF_INET);
	if (bind(fd, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, v6 ? sizeof(a6) : sizeof(a4)) ||
	    (type == SOCK_STREAM && listen(fd, 64)))
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

static void ready(void)
{
	fputs("ready\n", stderr);
	fflush(stderr);
}

static int recv_udp(const struct options *o)
{
	static uint8_t buf[65536];
	struct pollfd fds[64];
	struct sockaddr_storage from;
	struct tally t = { 0 };
	double start = now(), deadline = start + o->timeout;
	socklen_t from_len;
	uint64_t total = 0;

	for (size_t p = 0; p < o->n_ports; p++) {
		fds[p].fd = open_receiver(o, SOCK_DGRAM, o->ports[p]);
		fds[p].events = POLLIN;
		if (fds[p].fd < 0) {
			fprintf(stderr, "pkt: UDP port %u: %s\n", o->ports[p], strerror(errno));
			return 1;
		}
	}
	ready();
	while (total < o->count && now() < deadline) {
		bool any = false;

		if (stop == 0)
			poll(fds, o->n_ports, 50);
		for (size_t p = 0; p < o->n_ports; p++) {
			int dscp;
			ssize_t n;

			while (total < o->count &&
			       (n = recv_dscp(fds[p].fd, buf, sizeof(buf), &from, &from_len, &dscp)) >= 0) {
				uint64_t seq;

				any = true;
				total++;
				t.packets++;
				t.bytes += (uint64_t)n;
				t.dscp[dscp]++;
				t.per_port[p]++;
				if ((size_t)n >= sizeof(seq)) {
					memcpy(&seq, buf, sizeof(seq));
					if (!seen_first(&t, be64toh(seq)))
						t.duplicates++;
				}
				if (o->echo)
					sendto(fds[p].fd, buf, (size_t)n, 0, (struct sockaddr *)&from, from_len);
			}
		}
		if (stop && !any) /* told to stop: what is in the sockets already was still counted */
			break;
	}
	printf("{\"received\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",", t.packets, t.bytes,
	       t.duplicates);
	print_dscp("dscp", &t);
	printf(",\"ports\":{");
	for (size_t p = 0; p < o->n_ports; p++)
		printf("%s\"%u\":%" PRIu64, p ? "," : "", o->ports[p], t.per_port[p]);
	printf("},\"seconds\":%.3f}\n", now() - start);
	free(t.seen);
	return o->count_set && t.packets != o->count ? 1 : 0;
}

static int recv_tcp(const struct options *o)
{
	static uint8_t buf[65536], want[65536];
	double start = now(), deadline = start + o->timeout;
	uint64_t connections = 0, bytes = 0, wrong = 0, count = o->count_set ? o->count : 1;
	int listener = open_receiver(o, SOCK_STREAM, o->ports[0]);

	if (listener < 0) {
		fprintf(stderr, "pkt: TCP port %u: %s\n", o->ports[0], strerror(errno));
		return 1;
	}
	fcntl(listener, F_SETFL, O_NONBLOCK);
	ready();
	while (connections < count && wait_fd(listener, POLLIN, deadline)) {
		uint64_t hash = FNV_START, pos = 0;
		int fd = accept(listener, NULL, NULL);
		char text[24];
		bool eof = false;

		if (fd < 0)
			continue;
		while (wait_fd(fd, POLLIN, deadline)) {
			ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

			if (n < 0 && errno == EAGAIN)
				continue;
			if (n <= 0) {
				eof = n == 0;
				break;
			}
			fill(want, (size_t)n, pos);
			wrong += memcmp(buf, want, (size_t)n) != 0;
			hash = fnv1a(hash, buf, (size_t)n);
			pos += (uint64_t)n;
		}
		snprintf(text, sizeof(text), "%016" PRIx64 "\n", hash);
		if (!eof || send(fd, text, 17, MSG_NOSIGNAL) != 17)
			wrong++;
		close(fd);
		bytes += pos;
		connections++;
	}
	printf("{\"connections\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"wrong\":%" PRIu64 ",\"seconds\":%.3f}\n", connections,
	       bytes, wrong, now() - start);
	return connections == count && !wrong ? 0 : 1;
}

/* --- raw, sniff ------------------------------------------------------------------------------------------ */

static int open_device(const struct options *o, int protocol, struct sockaddr_ll *ret)
{
	int fd = socket(AF_PACKET, SOCK_RAW, protocol);

	if (fd < 0)
		return -1;
	memset(ret, 0, sizeof(*ret));
	ret->sll_family = AF_PACKET;
	ret->sll_protocol = htons(ETH_P_ALL);
	ret->sll_ifindex = (int)if_nametoindex(o->device);
	if (!ret->sll_ifindex) {
		close(fd);
		return -1;
	}
	return fd;
}

static int cmd_raw(const struct options *o, const char *text)
{
	struct packet one = { 0 }, *list = &one;
	struct sockaddr_ll ll;
	size_t n = 1;
	uint64_t sent = 0, bytes = 0;
	double start = now(), deadline = start + o->timeout;
	char err[4096];
	uint64_t want;
	int fd, rc, linktype;

	if (!o->device || !!o->pcap + !!o->hex + !!text != 1) {
		fprintf(stderr, "pkt raw: needs -i DEVICE and one of DESCRIPTION, --hex, --pcap\n");
		return 2;
	}
	rc = o->pcap ? packet_read_pcap(o->pcap, &list, &n, &linktype, err, sizeof(err)) :
	     o->hex  ? packet_from_hex(o->hex, &one, err, sizeof(err)) :
		       packet_parse(text, 0, &one, err, sizeof(err));
	if (rc) {
		fprintf(stderr, "pkt raw: %s\n", err);
		return 2;
	}
	fd = open_device(o, 0, &ll);
	if (fd < 0)
		return die(o->device);
	if (set_options(fd, AF_PACKET, &(struct options){ .dscp = -1, .mark = o->mark, .priority = o->priority }))
		return 1;
	want = o->count * n;
	for (uint64_t i = 0; i < want && !stop && now() < deadline; i++) {
		const struct packet *p = &list[i % n];

		pace(o, start, i);
		if (p->len >= 14)
			memcpy(&ll.sll_protocol, p->data + 12, 2);
		while (sendto(fd, p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
			if ((errno == EAGAIN || errno == ENOBUFS) && wait_fd(fd, POLLOUT, deadline))
				continue;
			die("send");
			goto out;
		}
		sent++;
		bytes += p->len;
	}
out:
	for (size_t i = 0; i < n; i++)
		packet_done(&list[i]);
	if (list != &one)
		free(list);
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", sent, bytes);
	return sent == want ? 0 : 1;
}

/* Count what arrives at a device by family, protocol and DSCP. */
static int cmd_sniff(const struct options *o)
{
	static uint8_t buf[65536 + 64];
	static uint64_t count[2][256][64];
	struct sockaddr_ll ll;
	double start = now(), deadline = start + o->timeout;
	uint64_t total = 0, other = 0;
	const char *sep = "";
	int fd;

	if (!o->device) {
		fprintf(stderr, "pkt sniff: needs -i DEVICE\n");
		return 2;
	}
	fd = open_device(o, htons(ETH_P_ALL), &ll);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		return die(o->device);
	if (set_options(fd, AF_PACKET, &(struct options){ .dscp = -1, .mark = -1, .priority = -1 }))
		return 1;
	/* Only now is it bound to the one device: throw away what came from others before. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
	ready();
	while (total < o->count && now() < deadline) {
		struct sockaddr_ll from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		struct packet p = { buf, n > 0 ? (size_t)n : 0 };
		size_t l3;

		if (n < 0) {
			if (stop)
				break;
			wait_fd(fd, POLLIN, deadline);
			continue;
		}
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		total++;
		l3 = packet_l3_offset(&p);
		if (l3 && buf[l3] >> 4 == 4 && l3 + 20 <= p.len)
			count[0][buf[l3 + 9]][buf[l3 + 1] >> 2]++;
		else if (l3 && buf[l3] >> 4 == 6 && l3 + 40 <= p.len)
			count[1][buf[l3 + 6]][(buf[l3] & 0xf) << 2 | buf[l3 + 1] >> 6]++;
		else
			other++;
	}
	printf("{\"received\":%" PRIu64 ",\"other\":%" PRIu64 ",\"ip\":[", total, other);
	for (int f = 0; f < 2; f++)
		for (int p = 0; p < 256; p++)
			for (int d = 0; d < 64; d++)
				if (count[f][p][d]) {
					printf("%s{\"family\":%d,\"proto\":%d,\"dscp\":%d,\"packets\":%" PRIu64 "}", sep,
					       f ? 6 : 4, p, d, count[f][p][d]);
					sep = ",";
				}
	printf("],\"seconds\":%.3f}\n", now() - start);
	return o->count_set && total != o->count ? 1 : 0;
}

/* --- command line ---------------------------------------------------------------------------------------- */

static void usage(FILE *f)
{
	fputs("usage: pkt send -d ADDRESS [OPTION]...      send, one JSON line about it\n"
	      "       pkt recv [OPTION]...                 receive; prints \"ready\" on standard error when it listens\n"
	      "       pkt sniff -i DEVICE [OPTION]...      count what arrives at a device by family, protocol, DSCP\n"
	      "       pkt raw -i DEVICE [OPTION]... DESCRIPTION | --hex DIGITS | --pcap FILE    send frames\n"
	      "\n"
	      "  -p udp|tcp|icmp   protocol (udp)\n"
	      "  -d ADDRESS        destination, IPv4 or IPv6;  -s ADDRESS  source\n"
	      "  -P PORT[-PORT]    destination port (send) or local port (recv); may be repeated\n"
	      "  -S PORT           source port\n"
	      "  -n COUNT          packets (send: 1); recv: stop and succeed after so many; tcp recv: connections (1)\n"
	      "  -l BYTES          payload of each (64); tcp: COUNT times BYTES are sent and hashed by both ends\n"
	      "  -q DSCP           number or name;  -m MARK  SO_MARK;  -k PRIORITY  SO_PRIORITY\n"
	      "  -i DEVICE         bind to a device\n"
	      "  -r PPS            packets a second (send: as fast as it goes)\n"
	      "  -t SECONDS        deadline (10); reached, the exit status is 1 unless nothing more was asked for\n"
	      "  -e                recv udp: send every datagram back;  -R  send udp: wait for them, count and compare\n"
	      "  -g N              send udp: hand the kernel N datagrams in one piece (UDP_SEGMENT), N * BYTES < 64 kB\n"
	      "\n"
	      "Exit status: 0 all that was asked for happened, 1 not, 2 usage.\n"
	      "\n"
	      "Frames are described outermost header first, for example\n"
	      "  eth/ip(src=10.0.0.1,dst=10.0.0.2)/udp(dport=53)/\"payload\"\n"
	      "Headers with their fields and defaults (without default: worked out):\n",
	      f);
	packet_help(f);
}

static int add_ports(struct options *o, const char *text)
{
	unsigned int lo, hi;
	int n = 0;

	if (sscanf(text, "%u%n", &lo, &n) != 1 || (text[n] && text[n] != '-'))
		return -1;
	hi = lo;
	if (text[n] == '-') {
		int m = 0;

		if (sscanf(text + n + 1, "%u%n", &hi, &m) != 1 || text[n + 1 + m])
			return -1;
	}
	if (!lo || hi > 65535 || lo > hi || hi - lo >= 64 - o->n_ports)
		return -1;
	for (; lo <= hi; lo++)
		o->ports[o->n_ports++] = (uint16_t)lo;
	return 0;
}

static int bad(const char *option, const char *value)
{
	fprintf(stderr, "pkt: -%s: '%s' is not valid, see pkt --help\n", option, value);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
					       { "hex", required_argument, NULL, 'X' },
					       { "pcap", required_argument, NULL, 'C' },
					       { 0 } };
	struct options o = { .count = 1, .len = 64, .dscp = -1, .mark = -1, .priority = -1, .timeout = 10, .burst = 1 };
	struct sigaction sa = { .sa_handler = on_signal };
	const char *cmd = argc > 1 ? argv[1] : "";
	bool receiving = !strcmp(cmd, "recv") || !strcmp(cmd, "sniff");
	char *end;
	int c;

	if (!strcmp(cmd, "--help") || !strcmp(cmd, "-h")) {
		usage(stdout);
		return 0;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (receiving)
		o.count = UINT64_MAX;
	argc--;
	argv++;
	while ((c = getopt_long(argc, argv, "p:d:s:P:S:n:l:q:m:k:i:r:t:g:eRh", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			for (o.proto = 0; o.proto < P_MAX && strcmp(optarg, proto_names[o.proto]); o.proto++)
				;
			if (o.proto == P_MAX)
				return bad("p", optarg);
			break;
		case 'd': o.dst = optarg; break;
		case 's': o.src = optarg; break;
		case 'P':
			if (add_ports(&o, optarg))
				return bad("P", optarg);
			break;
		case 'S': o.sport = (uint16_t)strtoul(optarg, &end, 10); break;
		case 'n':
			o.count = strtoull(optarg, &end, 10);
			o.count_set = true;
			if (*end || !*optarg)
				return bad("n", optarg);
			break;
		case 'l':
			o.len = strtoul(optarg, &end, 10);
			if (*end || o.len > 65000)
				return bad("l", optarg);
			break;
		case 'q':
			o.dscp = dscp_parse(optarg);
			if (o.dscp < 0)
				return bad("q", optarg);
			break;
		case 'm':
		case 'k': {
			int64_t v = (int64_t)strtoul(optarg, &end, 0);

			if (*end || v > UINT32_MAX)
				return bad(c == 'm' ? "m" : "k", optarg);
			*(c == 'm' ? &o.mark : &o.priority) = v;
			break;
		}
		case 'i': o.device = optarg; break;
		case 'r': o.pps = strtod(optarg, &end); break;
		case 't': o.timeout = strtod(optarg, &end); break;
		case 'g':
			o.burst = (unsigned int)strtoul(optarg, &end, 10);
			if (*end || !o.burst || o.burst > 64)
				return bad("g", optarg);
			break;
		case 'e': o.echo = true; break;
		case 'R': o.reply = true; break;
		case 'X': o.hex = optarg; break;
		case 'C': o.pcap = optarg; break;
		case 'h': usage(stdout); return 0;
		default: return 2;
		}
	}
	if (o.burst * (o.len < 8 ? 8 : o.len) > 65000)
		return bad("g", "N * BYTES above 65000");
	if (!strcmp(cmd, "raw"))
		return cmd_raw(&o, argv[optind]);
	if (!strcmp(cmd, "sniff"))
		return cmd_sniff(&o);
	if (!strcmp(cmd, "recv")) {
		if (!o.n_ports || o.proto == P_ICMP) {
			fprintf(stderr, "pkt recv: needs -P PORT and udp or tcp\n");
			return 2;
		}
		return o.proto == P_UDP ? recv_udp(&o) : recv_tcp(&o);
	}
	if (!strcmp(cmd, "send")) {
		if (!o.dst) {
			fprintf(stderr, "pkt send: needs -d ADDRESS\n");
			return 2;
		}
		return o.proto == P_UDP ? send_udp(&o) : o.proto == P_TCP ? send_tcp(&o) : send_icmp(&o);
	}
	usage(stderr);
	return 2;
}
