// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A pipeline's pins and its lasting maps. */
#include "pipeline.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "object.h"
#include "pin.h"
#include "pipeline/head.h"
#include "tcctl/abi.h"
#include "util.h"

void pipeline_close(struct pipeline *p)
{
	for (size_t i = 0; i < p->n_maps; i++)
		close(p->maps[i].fd);
	if (p->root_fd >= 0)
		close(p->root_fd);
	if (p->globals_fd >= 0)
		close(p->globals_fd);
	if (p->dir_fd >= 0)
		close(p->dir_fd);
	*p = (struct pipeline)PIPELINE_INIT;
}

int pipeline_map(const struct pipeline *p, const char *name)
{
	for (size_t i = 0; i < p->n_maps; i++)
		if (!strcmp(p->maps[i].name, name))
			return p->maps[i].fd;
	return -1;
}

static int open_dirs(int owner_fd, unsigned int id, bool make, struct tcctl_diags *diags, struct pipeline *p)
{
	_cleanup_close_ int tc = -1;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "p%u", id);
	err = pin_dir_open(owner_fd, name, make, diags, &p->dir_fd);
	if (!err)
		err = pin_dir_open(p->dir_fd, "tc", make, diags, &tc);
	if (!err)
		err = pin_dir_open(tc, "globals", make, diags, &p->globals_fd);
	p->id = id;
	return err;
}

int pipeline_make(int owner_fd, unsigned int id, struct tcctl_diags *diags, struct pipeline *ret)
{
	struct pipeline p = PIPELINE_INIT;
	int err = open_dirs(owner_fd, id, true, diags, &p);

	if (err) {
		pipeline_close(&p);
		pipeline_remove(owner_fd, id);
		diag_errno(diag_error(diags, NULL, "cannot make directory p%u below the bpf filesystem: %s", id,
				      strerror(-err)),
			   err);
		return err;
	}
	*ret = p;
	return 0;
}

int pipeline_open(int owner_fd, unsigned int id, struct pipeline *ret)
{
	struct pipeline p = PIPELINE_INIT;
	char **names = NULL;
	size_t n = 0;
	int err;

	err = open_dirs(owner_fd, id, false, NULL, &p);
	if (!err)
		err = pin_list(p.globals_fd, &names, &n);
	for (size_t i = 0; i < n && !err; i++) {
		const char *name = names[i];
		int fd;

		/* A generation's tables are opened when they change. Stock tc pins maps of objects that it grafted here
		 * too: they do no harm. */
		if (name[0] == '~' || (!strncmp(name, "jt_", 3) && strcmp(name, "jt_root")) || strlen(name) > 15 ||
		    p.n_maps == PIPELINE_MAPS_MAX)
			continue;
		fd = pin_get(p.globals_fd, name);
		if (fd < 0) {
			err = fd;
			break;
		}
		strcpy(p.maps[p.n_maps].name, name);
		p.maps[p.n_maps++].fd = fd;
	}
	pin_list_free(names, n);
	if (!err) {
		p.root_fd = pin_get(p.dir_fd, "root");
		err = p.root_fd < 0 ? p.root_fd : 0;
	}
	if (!err) {
		p.root_id = object_prog_id(p.root_fd);
		if (!p.root_id)
			err = errno == EINVAL ? -EBADMSG : -errno; /* not a program */
		else if (pipeline_map(&p, "jt_root") < 0 || pipeline_map(&p, "ctl") < 0 ||
		    pipeline_map(&p, "counters") < 0 || pipeline_map(&p, "arenas") < 0)
			err = -EBADMSG;
	}
	if (err) {
		pipeline_close(&p);
		return err;
	}
	*ret = p;
	return 0;
}

bool pipeline_damaged(int err)
{
	return err == -ENOENT || err == -EBADMSG || err == -ELOOP || err == -ENOTDIR;
}

int pipeline_remove(int owner_fd, unsigned int id)
{
	char name[16];

	snprintf(name, sizeof(name), "p%u", id);
	return pin_tree_remove(owner_fd, name);
}

int pipeline_switch(const struct pipeline *p, int entry_fd)
{
	const uint32_t slot = TCCTL_ROOT_CURRENT;

	if (entry_fd < 0)
		return bpf_map_delete_elem(pipeline_map(p, "jt_root"), &slot) && errno != ENOENT ? -errno : 0;
	return bpf_map_update_elem(pipeline_map(p, "jt_root"), &slot, &entry_fd, BPF_ANY) ? -errno : 0;
}

int pipeline_entry(const struct pipeline *p, uint32_t *ret)
{
	uint32_t slot = TCCTL_ROOT_CURRENT;

	if (!bpf_map_lookup_elem(pipeline_map(p, "jt_root"), &slot, ret))
		return 0;
	*ret = 0;
	return errno == ENOENT ? 0 : -errno;
}

int pipeline_generation_get(const struct pipeline *p, uint32_t *ret)
{
	struct tcctl_ctl ctl;
	uint32_t key = 0;

	if (bpf_map_lookup_elem(pipeline_map(p, "ctl"), &key, &ctl))
		return -errno;
	*ret = ctl.generation;
	return 0;
}

int pipeline_generation_set(const struct pipeline *p, uint32_t generation)
{
	const struct tcctl_ctl ctl = { .generation = generation };
	uint32_t key = 0;

	return bpf_map_update_elem(pipeline_map(p, "ctl"), &key, &ctl, BPF_ANY) ? -errno : 0;
}

#define ARENA_BATCH 16384 /* lines per call: 1 MB */

int pipeline_arena_make(const void *lines, size_t n_lines)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_INNER_MAP);
	_cleanup_free_ uint32_t *keys = NULL;
	_cleanup_close_ int fd = -1;
	bool batches = true;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcctl_arena", 4, 64, n_lines, &opts);
	if (fd < 0)
		return fd;
	keys = malloc(ARENA_BATCH * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t first = 0; first < n_lines; first += ARENA_BATCH) {
		uint32_t n = n_lines - first < ARENA_BATCH ? n_lines - first : ARENA_BATCH, count = n;
		const char *values = (const char *)lines + first * 64;

		for (uint32_t i = 0; i < n; i++)
			keys[i] = first + i;
		if (batches && !bpf_map_update_batch(fd, keys, values, &count, NULL))
			continue;
		batches = false; /* older than 5.6, or no memory for one: slowly, then */
		for (uint32_t i = 0; i < n; i++)
			if (bpf_map_update_elem(fd, &keys[i], values + (size_t)i * 64, BPF_ANY))
				return -errno;
	}
	return TAKE_FD(fd);
}

/* What packets find of the arena without reading it; without one they ask the arena. */
static int head_set(const struct pipeline *p, uint32_t slot, const struct tcctl_head *head)
{
	const int fd = pipeline_map(p, "heads");

	if (fd < 0)
		return 0;
	return bpf_map_update_elem(fd, &slot, head, BPF_ANY) ? -errno : 0;
}

int pipeline_arena_put(const struct pipeline *p, uint32_t slot, int fd)
{
	struct tcctl_head head = {};
	int err;

	err = head_set(p, slot, &head);
	if (!err)
		err = pipeline_inner_put(p, "arenas", slot, fd);
	if (!err)
		err = head_read(fd, &head);
	return err ? err : head_set(p, slot, &head);
}

void pipeline_arena_drop(const struct pipeline *p, uint32_t slot)
{
	const struct tcctl_head none = {};

	head_set(p, slot, &none);
	bpf_map_delete_elem(pipeline_map(p, "arenas"), &slot);
}

void pipeline_wait(void)
{
	/* A global membarrier is an RCU grace period, and programs run inside RCU read sections. */
	if (!syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return;
	/* Not there (nohz_full, seccomp): changing a map of maps waits for one too. */
	{
		_cleanup_close_ int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcctl_wait", 4, 4, 1, NULL), outer = -1;
		LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = inner);
		uint32_t key = 0;

		if (inner >= 0)
			outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "tcctl_wait", 4, 4, 1, &opts);
		if (outer >= 0) {
			int err = bpf_map_update_elem(outer, &key, &inner, BPF_ANY);

			close(outer);
			if (!err)
				return;
		}
	}
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

static const char *const l3_names[] = {
	[TCCTL_L3_IPV4] = "ipv4", [TCCTL_L3_IPV6] = "ipv6",   [TCCTL_L3_ARP] = "arp",
	[TCCTL_L3_MPLS] = "mpls", [TCCTL_L3_PPPOE] = "pppoe", [TCCTL_L3_OTHER] = "other",
};
_Static_assert(ARRAY_SIZE(l3_names) == TCCTL_L3_MAX, "a name for each slot");

static const char *const l4_names[] = {
	[TCCTL_L4_TCP] = "tcp",	  [TCCTL_L4_UDP] = "udp",   [TCCTL_L4_ICMP] = "icmp", [TCCTL_L4_ICMPV6] = "icmpv6",
	[TCCTL_L4_SCTP] = "sctp", [TCCTL_L4_GRE] = "gre",   [TCCTL_L4_IPIP] = "ipip", [TCCTL_L4_IPV6] = "ipv6",
	[TCCTL_L4_ESP] = "esp",	  [TCCTL_L4_AH] = "ah",	    [TCCTL_L4_OTHER] = "other",
};
_Static_assert(ARRAY_SIZE(l4_names) == TCCTL_L4_MAX, "a name for each slot");

static const uint16_t udp_ports[] = {
	[TCCTL_UDP_VXLAN] = 4789, [TCCTL_UDP_GENEVE] = 6081, [TCCTL_UDP_GTPU] = 2152,
	[TCCTL_UDP_MPLS] = 6635,  [TCCTL_UDP_FOU] = 5555,    [TCCTL_UDP_GUE] = 6080,
};
_Static_assert(ARRAY_SIZE(udp_ports) == TCCTL_UDP_USER, "a port for each slot");

static const char *const stage_names[] = {
	[TCCTL_STAGE_DECAP / TCCTL_STAGE_STRIDE] = "decap",   [TCCTL_STAGE_CLASSIFY / TCCTL_STAGE_STRIDE] = "classify",
	[TCCTL_STAGE_POLICE / TCCTL_STAGE_STRIDE] = "police", [TCCTL_STAGE_MARK / TCCTL_STAGE_STRIDE] = "mark",
	[TCCTL_STAGE_ENCAP / TCCTL_STAGE_STRIDE] = "encap",   [TCCTL_STAGE_SHAPE / TCCTL_STAGE_STRIDE] = "shape",
	[TCCTL_STAGE_END / TCCTL_STAGE_STRIDE] = "end",
};

static const char *const aux_names[] = {
	[TCCTL_STAGE_WALK - TCCTL_STAGE_AUX] = "walk",
	[TCCTL_STAGE_INNER_ETH - TCCTL_STAGE_AUX] = "inner-eth",
	[TCCTL_STAGE_ENCAP_HEADER - TCCTL_STAGE_AUX] = "encap-header",
	[TCCTL_STAGE_TOO_BIG - TCCTL_STAGE_AUX] = "too-big",
	[TCCTL_STAGE_FLOOD - TCCTL_STAGE_AUX] = "flood",
	[TCCTL_STAGE_ENCAP_SUM - TCCTL_STAGE_AUX] = "encap-sum",
	[TCCTL_STAGE_COUNT - TCCTL_STAGE_AUX] = "count",
};
_Static_assert(ARRAY_SIZE(aux_names) == TCCTL_STAGE_MAX - TCCTL_STAGE_AUX, "a name for each slot");

const char *pipeline_slot_name(enum state_table table, uint32_t slot, char buf[32])
{
	switch (table) {
	case STATE_JT_L3:
		if (slot < TCCTL_L3_MAX)
			return l3_names[slot];
		break;
	case STATE_JT_L4:
		if (slot < TCCTL_L4_MAX)
			return l4_names[slot];
		break;
	case STATE_JT_STAGE:
		if (slot >= TCCTL_STAGE_MAX)
			break;
		if (slot >= TCCTL_STAGE_AUX)
			return aux_names[slot - TCCTL_STAGE_AUX];
		if (slot % TCCTL_STAGE_STRIDE == 0)
			return stage_names[slot / TCCTL_STAGE_STRIDE];
		snprintf(buf, 32, "%s+%u", stage_names[slot / TCCTL_STAGE_STRIDE], slot % TCCTL_STAGE_STRIDE);
		return buf;
	case STATE_JT_UDP:
		if (slot < TCCTL_UDP_USER)
			snprintf(buf, 32, "%u", udp_ports[slot]);
		else
			snprintf(buf, 32, "user%u", slot - TCCTL_UDP_USER);
		return buf;
	case STATE_JT_MAX:
		break;
	}
	snprintf(buf, 32, "%u", slot);
	return buf;
}

int pipeline_udp_slot(uint16_t port)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(udp_ports); i++)
		if (udp_ports[i] == port)
			return i;
	return -1;
}

uint16_t pipeline_udp_port(uint32_t slot)
{
	return slot < ARRAY_SIZE(udp_ports) ? udp_ports[slot] : 0;
}
