/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of pkt share. */
#ifndef PKT_H
#define PKT_H

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

enum proto { P_UDP, P_TCP, P_ICMP, P_MAX };

struct pkt_options {
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

/* Set by a signal: everything that waits gives up. */
extern volatile sig_atomic_t pkt_stop;

/* --- socket.c ------------------------------------------------------------------------------------------------- */

/* Seconds of CLOCK_MONOTONIC. */
double pkt_now(void);
/* Says why (errno). 1, the exit status. */
int pkt_die(const char *what);
/* Wait until fd is ready. 1: ready, 0: deadline or signal. */
int pkt_wait_fd(int fd, short events, double deadline);

/* The bulk stream: byte i depends on its position only, so that both ends can check it. */
void pkt_fill(uint8_t *buf, size_t len, uint64_t pos);
#define FNV_START 0xcbf29ce484222325ULL
uint64_t pkt_fnv1a(uint64_t h, const uint8_t *p, size_t len);

/* DSCP, mark, priority and device of a socket. 0, or not with a message. */
int pkt_set_options(int fd, int family, const struct pkt_options *o);
/* A socket towards o->dst, whose address it returns; -1 with a message. */
int pkt_open_sender(const struct pkt_options *o, int type, int protocol, uint16_t port, struct sockaddr_storage *dst,
		    socklen_t *dst_len);
/* Wait until packet i may be sent. */
void pkt_pace(const struct pkt_options *o, double start, uint64_t i);

/* Ask for the DSCP of what arrives. */
void pkt_ask_dscp(int fd, int family);
/* One datagram with its DSCP. Returns its length, or -1. */
ssize_t pkt_recv_dscp(int fd, uint8_t *buf, size_t len, struct sockaddr_storage *from, socklen_t *from_len, int *ret_dscp);

struct pkt_tally {
	uint64_t packets, bytes, dscp[64], duplicates, unknown;
	uint64_t per_port[64];
	uint8_t *seen; /* bitmap by sequence number */
	uint64_t seen_bits;
};

void pkt_print_dscp(const char *name, const struct pkt_tally *t);
/* Note a sequence number; false when it was there before. */
bool pkt_seen_first(struct pkt_tally *t, uint64_t seq);
/* Tell whoever started us that we listen. */
void pkt_ready(void);

/* --- the commands: exit status ---------------------------------------------------------------------------------- */

int pkt_send_udp(const struct pkt_options *o);
int pkt_send_tcp(const struct pkt_options *o);
int pkt_send_icmp(const struct pkt_options *o);
int pkt_recv_udp(const struct pkt_options *o);
int pkt_recv_tcp(const struct pkt_options *o);
int pkt_raw(const struct pkt_options *o, const char *text);
int pkt_sniff(const struct pkt_options *o);

#endif
