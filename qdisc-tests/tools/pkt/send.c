// SPDX-License-Identifier: GPL-2.0-only
/* pkt send */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkt/pkt.h"

/* Replies are what was sent: sequence number, then the pattern of pkt_fill(). Others are counted in *changed. */
static void take_replies(int fd, struct pkt_tally *t, double deadline, uint64_t want, const uint8_t *pattern, size_t len,
			 uint64_t *changed)
{
	static uint8_t buf[65536];
	struct sockaddr_storage from;
	socklen_t from_len;
	int dscp;

	while (t->packets < want) {
		ssize_t n = pkt_recv_dscp(fd, buf, sizeof(buf), &from, &from_len, &dscp);
		uint64_t seq;

		if (n < 0) {
			if (errno == EAGAIN && deadline > 0 && pkt_wait_fd(fd, POLLIN, deadline))
				continue;
			if (errno == ECONNREFUSED)
				continue;
			return;
		}
		if ((size_t)n < sizeof(seq))
			continue;
		memcpy(&seq, buf, sizeof(seq));
		if (!pkt_seen_first(t, be64toh(seq))) {
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

int pkt_send_udp(const struct pkt_options *o)
{
	static uint8_t buf[65536];
	struct sockaddr_storage dst;
	struct pkt_tally replies = { 0 };
	uint64_t sent = 0, errors = 0, blocked = 0, changed = 0, seq;
	int fds[64], last_errno = 0;
	size_t n_ports = o->n_ports ? o->n_ports : 1, len = o->len < sizeof(seq) ? sizeof(seq) : o->len;
	double start = pkt_now(), deadline = start + o->timeout;
	unsigned int n;
	socklen_t dst_len;

	for (size_t p = 0; p < n_ports; p++) {
		fds[p] = pkt_open_sender(o, SOCK_DGRAM, 0, o->n_ports ? o->ports[p] : 9, &dst, &dst_len);
		if (fds[p] < 0)
			return 1;
		pkt_ask_dscp(fds[p], dst.ss_family);
		if (connect(fds[p], (struct sockaddr *)&dst, dst_len))
			return pkt_die(o->dst);
		n = (unsigned int)len;
		if (o->burst > 1 && setsockopt(fds[p], SOL_UDP, UDP_SEGMENT, &n, sizeof(n)))
			return pkt_die("UDP_SEGMENT");
	}
	for (unsigned int k = 0; k < o->burst; k++)
		pkt_fill(buf + k * len, len, 0);
	for (uint64_t i = 0; i < o->count && !pkt_stop && pkt_now() < deadline; i += n) {
		int fd = fds[i % n_ports];

		n = o->count - i < o->burst ? (unsigned int)(o->count - i) : o->burst;
		for (unsigned int k = 0; k < n; k++) {
			seq = htobe64(i + k);
			memcpy(buf + k * len, &seq, sizeof(seq));
		}
		pkt_pace(o, start, i);
		while (send(fd, buf, n * len, MSG_DONTWAIT) < 0) {
			if (errno == ECONNREFUSED)
				continue; /* news about an earlier datagram; this one was not sent yet */
			if (errno == EAGAIN || errno == ENOBUFS) {
				blocked++;
				if (pkt_wait_fd(fd, POLLOUT, deadline))
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
		while (replies.packets < sent && !pkt_stop && pkt_now() < deadline)
			for (size_t p = 0; p < n_ports; p++)
				take_replies(fds[p], &replies, n_ports == 1 ? deadline : pkt_now() + 0.02, sent, buf, len,
					     &changed);
	printf("{\"sent\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"seconds\":%.3f", sent,
	       sent * len, errors, pkt_now() - start);
	if (o->reply) {
		printf(",\"replies\":%" PRIu64 ",\"changed\":%" PRIu64 ",", replies.packets, changed);
		pkt_print_dscp("reply_dscp", &replies);
	}
	printf("}\n");
	free(replies.seen);
	if (errors)
		fprintf(stderr, "pkt: %" PRIu64 " not sent, last: %s\n", errors, strerror(last_errno));
	return sent == o->count && (!o->reply || (replies.packets == sent && !changed)) ? 0 : 1;
}

int pkt_send_tcp(const struct pkt_options *o)
{
	uint64_t total = o->count * o->len, pos = 0, hash = FNV_START;
	struct sockaddr_storage dst;
	static uint8_t buf[65536];
	double start = pkt_now(), deadline = start + o->timeout;
	char peer[40] = "", mine[24];
	size_t got = 0;
	socklen_t dst_len, err_len = sizeof(int);
	int fd, err = 0;

	fd = pkt_open_sender(o, SOCK_STREAM, 0, o->n_ports ? o->ports[0] : 9, &dst, &dst_len);
	if (fd < 0)
		return 1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (connect(fd, (struct sockaddr *)&dst, dst_len) && errno != EINPROGRESS)
		return pkt_die(o->dst);
	if (!pkt_wait_fd(fd, POLLOUT, deadline)) {
		errno = ETIMEDOUT;
		return pkt_die(o->dst);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) || err) {
		errno = err;
		return pkt_die(o->dst);
	}
	while (pos < total) {
		size_t want = total - pos < sizeof(buf) ? (size_t)(total - pos) : sizeof(buf);
		ssize_t n;

		pkt_fill(buf, want, pos);
		n = send(fd, buf, want, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno == EAGAIN && pkt_wait_fd(fd, POLLOUT, deadline))
				continue;
			break;
		}
		hash = pkt_fnv1a(hash, buf, (size_t)n);
		pos += (uint64_t)n;
	}
	shutdown(fd, SHUT_WR);
	/* The receiver answers with the hash of what it got: "0123456789abcdef\n". */
	while (got < 17 && pkt_wait_fd(fd, POLLIN, deadline)) {
		ssize_t n = read(fd, peer + got, sizeof(peer) - 1 - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	peer[strcspn(peer, "\n")] = 0;
	snprintf(mine, sizeof(mine), "%016" PRIx64, hash);
	printf("{\"bytes\":%" PRIu64 ",\"hash\":\"%s\",\"peer_hash\":\"%s\",\"same\":%s,\"seconds\":%.3f}\n", pos, mine,
	       peer, strcmp(mine, peer) ? "false" : "true", pkt_now() - start);
	return pos == total && !strcmp(mine, peer) ? 0 : 1;
}

int pkt_send_icmp(const struct pkt_options *o)
{
	struct sockaddr_storage dst, from;
	struct pkt_tally replies = { 0 };
	double start = pkt_now(), deadline = start + o->timeout;
	static uint8_t buf[65536], in[65536];
	uint16_t id = (uint16_t)(getpid() ^ (getpid() >> 16));
	uint64_t sent = 0, errors = 0;
	socklen_t dst_len, from_len;
	bool v6 = strchr(o->dst, ':');
	size_t len = 8 + (o->len < 8 ? 8 : o->len);
	int fd, dscp;

	fd = pkt_open_sender(o, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 0, &dst, &dst_len);
	if (fd < 0)
		return 1;
	pkt_ask_dscp(fd, dst.ss_family);
	pkt_fill(buf, sizeof(buf), 0);
	for (uint64_t i = 0; i <= o->count && !pkt_stop && pkt_now() < deadline; i++) {
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
			pkt_pace(o, start, i);
			if (sendto(fd, buf, len, 0, (struct sockaddr *)&dst, dst_len) < 0)
				errors++;
			else
				sent++;
		}
		/* Up to one reply per request as we go, the rest at the end. */
		while (replies.packets < sent && pkt_wait_fd(fd, POLLIN, last || o->pps <= 0 ? deadline : pkt_now() + 0.0005)) {
			ssize_t n = pkt_recv_dscp(fd, in, sizeof(in), &from, &from_len, &dscp);
			size_t off = v6 ? 0 : (size_t)(in[0] & 0xf) * 4;
			uint64_t seq;

			if (n < (ssize_t)(off + 16) || in[off] != (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
			    (in[off + 4] << 8 | in[off + 5]) != id)
				continue;
			if (!v6)
				dscp = in[1] >> 2;
			memcpy(&seq, in + off + 8, 8);
			if (!pkt_seen_first(&replies, be64toh(seq))) {
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
	pkt_print_dscp("reply_dscp", &replies);
	printf(",\"seconds\":%.3f}\n", pkt_now() - start);
	free(replies.seen);
	return sent == o->count && replies.packets == sent ? 0 : 1;
}
