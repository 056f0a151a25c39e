// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "drive.h"

int drive_headers_load(const struct drive_header *headers, uint32_t n, struct drive_headers *ret)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "headers", 4, DRIVE_HEADER, n, NULL);

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < n; i++)
		if (bpf_map_update_elem(fd, &i, &headers[i], 0)) {
			int err = -errno;

			close(fd);
			return err;
		}
	ret->fd = fd;
	ret->n = n;
	return 0;
}

void drive_headers_close(struct drive_headers *headers)
{
	close(headers->fd);
	headers->fd = -1;
}

void drive_header_write(const struct drive_flow *flow, struct drive_header *ret)
{
	unsigned char *b = ret->b, *l4;
	uint32_t sum = 0;
	uint16_t port;

	memset(ret, 0, sizeof(*ret));
	if (flow->family == 4) {
		b[0] = 0x45;
		b[3] = DRIVE_HEADER;
		b[8] = 64;
		b[9] = flow->proto;
		memcpy(b + 12, flow->src, 4);
		memcpy(b + 16, flow->dst, 4);
		for (int i = 0; i < 20; i += 2)
			sum += (uint32_t)b[i] << 8 | b[i + 1];
		sum = ~((sum & 0xffff) + (sum >> 16));
		b[10] = (unsigned char)(sum >> 8);
		b[11] = (unsigned char)sum;
		l4 = b + 20;
	} else {
		b[0] = 0x60;
		b[5] = DRIVE_HEADER - 40;
		b[6] = flow->proto;
		b[7] = 64;
		memcpy(b + 8, flow->src, 16);
		memcpy(b + 24, flow->dst, 16);
		l4 = b + 40;
	}
	port = htons(flow->sport);
	memcpy(l4, &port, 2);
	port = htons(flow->dport);
	memcpy(l4 + 2, &port, 2);
	if (flow->proto == 6) {
		l4[12] = 0x50;
		l4[13] = 0x10; /* ACK */
	} else if (flow->proto == 17) {
		l4[5] = (unsigned char)(b + DRIVE_HEADER - l4);
	}
}

int drive_open(const char *name, int family, const struct drive_headers *headers, int target_fd,
	       uint32_t classid, struct drive *ret_drive, struct bench_prog *ret_prog)
{
	static const unsigned char addresses[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	struct bpf_object *obj = bpf_object__open(bench_object("driver"));
	struct {
		uint32_t mask, classid;
	} constants = { headers->n - 1, classid };
	const uint32_t zero = 0;
	struct bpf_map *map;
	int err;

	if (!obj)
		return -errno;
	bpf_object__for_each_map(map, obj)
		if (strstr(bpf_map__name(map), ".rodata"))
			bpf_map__set_initial_value(map, &constants, sizeof(constants));
	map = bpf_object__find_map_by_name(obj, "headers");
	bpf_map__set_max_entries(map, headers->n);
	err = bpf_map__reuse_fd(map, headers->fd);
	if (!err)
		err = bpf_object__load(obj);
	if (err)
		goto fail;
	if (target_fd < 0)
		target_fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "noop"));
	if (bpf_map_update_elem(bpf_map__fd(bpf_object__find_map_by_name(obj, "target")), &zero, &target_fd,
				0)) {
		err = -errno;
		goto fail;
	}
	memset(ret_drive, 0, sizeof(*ret_drive));
	memcpy(ret_drive->frame, addresses, sizeof(addresses));
	ret_drive->frame[12] = family == 4 ? 0x08 : 0x86;
	ret_drive->frame[13] = family == 4 ? 0x00 : 0xdd;
	ret_drive->obj = obj;
	*ret_prog = (struct bench_prog){
		.name = name,
		.fd = bpf_program__fd(bpf_object__find_program_by_name(obj, "driver")),
		.packet = ret_drive->frame,
		.len = DRIVE_FRAME,
	};
	return 0;
fail:
	bpf_object__close(obj);
	return err;
}

void drive_close(struct drive *drive)
{
	bpf_object__close(drive->obj);
	drive->obj = NULL;
}
