// SPDX-License-Identifier: GPL-2.0-only
#include "tunnels.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline.h"

#define ENCAP_L2_ETH (1U << 6) /* BPF_F_ADJ_ROOM_ENCAP_L2_ETH, Linux 5.13 */
#define ROUTES_MAX 4096
#define ENTRIES_MAX 1024

static int say(const char *what, int err)
{
	if (err)
		fprintf(stderr, "tunnels: %s: %s\n", what, strerror(-err));
	return err;
}

static int add(struct tunnels *t, uint32_t half, const char *name, enum bpf_map_type type, uint32_t key, uint32_t value,
	       uint32_t entries, uint32_t flags, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int err, fd = bpf_map_create(type, name, key, value, entries, &opts);

	if (fd < 0)
		return say(name, fd);
	err = bpf_map_update_elem(pipe_map(t->p, name), &half, &fd, BPF_ANY);
	if (err) {
		close(fd);
		return say(name, err);
	}
	*ret_fd = fd;
	return 0;
}

int tunnels_open(struct tunnels *t, struct pipe *p, uint32_t half)
{
	int err;

	*t = (struct tunnels){ p, -1, -1, -1, -1, -1, -1, -1 };
	err = add(t, half, "tunnels", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct tcctl_tunnel), TUNNELS_MAX, BPF_F_INNER_MAP,
		  &t->rows);
	if (!err)
		err = add(t, half, "decaps", BPF_MAP_TYPE_HASH, sizeof(struct tcctl_decap_key), 4, ENTRIES_MAX, 0, &t->decaps);
	if (!err)
		err = add(t, half, "sources", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct tcctl_source_key), 4, ROUTES_MAX,
			  BPF_F_NO_PREALLOC, &t->sources);
	if (!err)
		err = add(t, half, "routes", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct tcctl_route_key), 4, ROUTES_MAX,
			  BPF_F_NO_PREALLOC, &t->routes);
	if (!err)
		err = add(t, half, "stations", BPF_MAP_TYPE_HASH, sizeof(struct tcctl_station_key),
			  sizeof(struct tcctl_station), ENTRIES_MAX, 0, &t->stations);
	if (!err)
		err = add(t, half, "remotes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct tcctl_remote), ENTRIES_MAX,
			  BPF_F_INNER_MAP, &t->remotes);
	if (!err)
		err = add(t, half, "devices", BPF_MAP_TYPE_HASH, 4, 4, ENTRIES_MAX, 0, &t->devices);
	if (!err && p->chunk[TCCTL_CHUNK_TUNNELS] < 0)
		err = say("counters", pipe_add_chunk(p, TCCTL_CHUNK_TUNNELS));
	if (err)
		tunnels_close(t);
	return err;
}

void tunnels_close(struct tunnels *t)
{
	int *const fds[] = { &t->rows, &t->decaps, &t->sources, &t->routes, &t->stations, &t->remotes, &t->devices };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

uint32_t tunnels_counters(uint32_t id)
{
	return TCCTL_CHUNK_TUNNELS * TCCTL_CHUNK + id * TCCTL_TUN_MAX;
}

struct tcctl_counter tunnels_counter(const struct tunnels *t, uint32_t id, uint32_t which)
{
	return pipe_counter(t->p, tunnels_counters(id) + which);
}

static int set(const char *what, int fd, const void *key, const void *value)
{
	return say(what, bpf_map_update_elem(fd, key, value, BPF_ANY));
}

/* As the controller does it: rows must not name a flag that the kernel refuses. */
static bool knows_l2_eth(void)
{
	static int known = -1;

	if (known < 0)
		known = pipeline_knows_adjust_room(ENCAP_L2_ETH) > 0;
	return known;
}

int tunnels_set(struct tunnels *t, uint32_t id, const struct tcctl_tunnel *row)
{
	struct tcctl_tunnel copy = *row;

	if (!id || id >= TUNNELS_MAX)
		return say("id", -EINVAL);
	if (!knows_l2_eth())
		copy.adjust &= ~(uint64_t)ENCAP_L2_ETH;
	copy.counters = tunnels_counters(id);
	return set("row", t->rows, &id, &copy);
}

int tunnels_settings(struct tunnels *t, const struct tcctl_tunnel_settings *s)
{
	uint32_t id = 0;

	return set("settings", t->rows, &id, s);
}

int tunnels_decap(struct tunnels *t, const struct tcctl_decap_key *key, uint32_t value)
{
	return set("decaps", t->decaps, key, &value);
}

int tunnels_undecap(struct tunnels *t, const struct tcctl_decap_key *key)
{
	return say("decaps", bpf_map_delete_elem(t->decaps, key));
}

int tunnels_source(struct tunnels *t, uint32_t group, const uint8_t *addr, uint32_t bits, uint32_t id)
{
	struct tcctl_source_key key = { .prefixlen = 32 + bits, .group = group };

	memcpy(key.addr, addr, sizeof(key.addr));
	return set("sources", t->sources, &key, &id);
}

int tunnels_route(struct tunnels *t, uint32_t family, const uint8_t *addr, uint32_t bits, uint32_t id)
{
	struct tcctl_route_key key = { .prefixlen = 32 + bits, .family = family };

	memcpy(key.addr, addr, sizeof(key.addr));
	return set("routes", t->routes, &key, &id);
}

int tunnels_station(struct tunnels *t, const struct tcctl_station_key *key, const struct tcctl_station *station)
{
	return set("stations", t->stations, key, station);
}

int tunnels_remote(struct tunnels *t, uint32_t index, const struct tcctl_remote *remote)
{
	return set("remotes", t->remotes, &index, remote);
}

int tunnels_device(struct tunnels *t, uint32_t ifindex, uint32_t id)
{
	return set("devices", t->devices, &ifindex, &id);
}

int tunnels_learned(const struct tunnels *t, const struct tcctl_station_key *key, struct tcctl_station *ret)
{
	return bpf_map_lookup_elem(pipe_map(t->p, "learned"), key, ret);
}

void tunnels_forget(const struct tunnels *t, const struct tcctl_station_key *key)
{
	bpf_map_delete_elem(pipe_map(t->p, "learned"), key);
}
