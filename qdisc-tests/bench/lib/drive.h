/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet driver (driver.bpf.c) from user space: headers to go through, and the program to jump to. */
#ifndef BENCH_DRIVE_H
#define BENCH_DRIVE_H

#include <stddef.h>
#include <stdint.h>

#include "measure.h"

#define DRIVE_HEADER 64 /* bytes from the L3 header on */
#define DRIVE_FRAME (14 + DRIVE_HEADER)

struct bpf_object;

struct drive_header {
	unsigned char b[DRIVE_HEADER];
};

/* Headers that packets get, one after the other; `n` is a power of two. One map for any number of drivers. */
struct drive_headers {
	int fd;
	uint32_t n;
};
int drive_headers_load(const struct drive_header *headers, uint32_t n, struct drive_headers *ret);
void drive_headers_close(struct drive_headers *headers);

/* What a packet of a flow looks like. Addresses in network order, ports in host order. */
struct drive_flow {
	uint8_t family; /* 4 or 6 */
	uint8_t proto;
	uint8_t src[16], dst[16];
	uint16_t sport, dport;
};
void drive_header_write(const struct drive_flow *flow, struct drive_header *ret);

/*
 * A fresh load of the driver in front of `target_fd`; with -1, in front of a program that does nothing: the
 * baseline. `classid` is what a clsact filter would preset. *ret_prog is ready for bench_interleave().
 */
struct drive {
	struct bpf_object *obj;
	unsigned char frame[DRIVE_FRAME];
};
int drive_open(const char *name, int family, const struct drive_headers *headers, int target_fd,
	       uint32_t classid, struct drive *ret_drive, struct bench_prog *ret_prog);
void drive_close(struct drive *drive);

#endif
