// SPDX-License-Identifier: GPL-2.0-only
/* pkt recv */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkt/pkt.h"

/* A socket for IPv4 and IPv6 alike (IPv4 alone where there is no IPv6). */
static int open_receiver(const struct pkt_options *o, int type, uint16_t port)
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
	if (pkt_set_options(fd, v6 ? AF_INET6 : AF_INET, o))
		goto fail;
	pkt_ask_dscp(fd, v6 ? AF_INET6 : AF_INET);
	if (bind(fd, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, v6 ? sizeof(a6) : sizeof(a4)) ||
	    (type == SOCK_STREAM && listen(fd, 64)))
		goto fail;
	return fd;
fail:
	close(fd);
	return -1;
}

int pkt_recv_udp(const struct pkt_options *o)
{
	static uint8_t buf[65536];
	struct pollfd fds[64];
	struct sockaddr_storage from;
	struct pkt_tally t = { 0 };
	double start = pkt_now(), deadline = start + o->timeout;
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
	pkt_ready();
	while (total < o->count && pkt_now() < deadline) {
		bool any = false;

		if (pkt_stop == 0)
			poll(fds, o->n_ports, 50);
		for (size_t p = 0; p < o->n_ports; p++) {
			int dscp;
			ssize_t n;

			while (total < o->count &&
			       (n = pkt_recv_dscp(fds[p].fd, buf, sizeof(buf), &from, &from_len, &dscp)) >= 0) {
				uint64_t seq;

				any = true;
				total++;
				t.packets++;
				t.bytes += (uint64_t)n;
				t.dscp[dscp]++;
				t.per_port[p]++;
				if ((size_t)n >= sizeof(seq)) {
					memcpy(&seq, buf, sizeof(seq));
					if (!pkt_seen_first(&t, be64toh(seq)))
						t.duplicates++;
				}
				if (o->echo)
					sendto(fds[p].fd, buf, (size_t)n, 0, (struct sockaddr *)&from, from_len);
			}
		}
		if (pkt_stop && !any) /* told to stop: what is in the sockets already was still counted */
			break;
	}
	printf("{\"received\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",", t.packets, t.bytes,
	       t.duplicates);
	pkt_print_dscp("dscp", &t);
	printf(",\"ports\":{");
	for (size_t p = 0; p < o->n_ports; p++)
		printf("%s\"%u\":%" PRIu64, p ? "," : "", o->ports[p], t.per_port[p]);
	printf("},\"seconds\":%.3f}\n", pkt_now() - start);
	free(t.seen);
	return o->count_set && t.packets != o->count ? 1 : 0;
}

int pkt_recv_tcp(const struct pkt_options *o)
{
	static uint8_t buf[65536], want[65536];
	double start = pkt_now(), deadline = start + o->timeout;
	uint64_t connections = 0, bytes = 0, wrong = 0, count = o->count_set ? o->count : 1;
	int listener = open_receiver(o, SOCK_STREAM, o->ports[0]);

	if (listener < 0) {
		fprintf(stderr, "pkt: TCP port %u: %s\n", o->ports[0], strerror(errno));
		return 1;
	}
	fcntl(listener, F_SETFL, O_NONBLOCK);
	pkt_ready();
	while (connections < count && pkt_wait_fd(listener, POLLIN, deadline)) {
		uint64_t hash = FNV_START, pos = 0;
		int fd = accept(listener, NULL, NULL);
		char text[24];
		bool eof = false;

		if (fd < 0)
			continue;
		while (pkt_wait_fd(fd, POLLIN, deadline)) {
			ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

			if (n < 0 && errno == EAGAIN)
				continue;
			if (n <= 0) {
				eof = n == 0;
				break;
			}
			pkt_fill(want, (size_t)n, pos);
			wrong += memcmp(buf, want, (size_t)n) != 0;
			hash = pkt_fnv1a(hash, buf, (size_t)n);
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
	       bytes, wrong, pkt_now() - start);
	return connections == count && !wrong ? 0 : 1;
}
