// SPDX-License-Identifier: GPL-2.0-only
/* pkt raw, pkt sniff: whole frames */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/packet.h"
#include "pkt/pkt.h"

static int open_device(const struct pkt_options *o, int protocol, struct sockaddr_ll *ret)
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

int pkt_raw(const struct pkt_options *o, const char *text)
{
	struct packet one = { 0 }, *list = &one;
	struct sockaddr_ll ll;
	size_t n = 1;
	uint64_t sent = 0, bytes = 0;
	double start = pkt_now(), deadline = start + o->timeout;
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
		return pkt_die(o->device);
	if (pkt_set_options(fd, AF_PACKET, &(struct pkt_options){ .dscp = -1, .mark = o->mark, .priority = o->priority }))
		return 1;
	want = o->count * n;
	for (uint64_t i = 0; i < want && !pkt_stop && pkt_now() < deadline; i++) {
		const struct packet *p = &list[i % n];

		pkt_pace(o, start, i);
		if (p->len >= 14)
			memcpy(&ll.sll_protocol, p->data + 12, 2);
		while (sendto(fd, p->data, p->len, MSG_DONTWAIT, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
			if ((errno == EAGAIN || errno == ENOBUFS) && pkt_wait_fd(fd, POLLOUT, deadline))
				continue;
			pkt_die("send");
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
int pkt_sniff(const struct pkt_options *o)
{
	static uint8_t buf[65536 + 64];
	static uint64_t count[2][256][64];
	struct sockaddr_ll ll;
	double start = pkt_now(), deadline = start + o->timeout;
	uint64_t total = 0, other = 0;
	const char *sep = "";
	int fd;

	if (!o->device) {
		fprintf(stderr, "pkt sniff: needs -i DEVICE\n");
		return 2;
	}
	fd = open_device(o, htons(ETH_P_ALL), &ll);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		return pkt_die(o->device);
	if (pkt_set_options(fd, AF_PACKET, &(struct pkt_options){ .dscp = -1, .mark = -1, .priority = -1 }))
		return 1;
	/* Only now is it bound to the one device: throw away what came from others before. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0)
		;
	pkt_ready();
	while (total < o->count && pkt_now() < deadline) {
		struct sockaddr_ll from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		struct packet p = { buf, n > 0 ? (size_t)n : 0 };
		size_t l3;

		if (n < 0) {
			if (pkt_stop)
				break;
			pkt_wait_fd(fd, POLLIN, deadline);
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
	printf("],\"seconds\":%.3f}\n", pkt_now() - start);
	return o->count_set && total != o->count ? 1 : 0;
}
