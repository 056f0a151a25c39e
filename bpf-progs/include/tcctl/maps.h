/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps that programs share.
 *
 * Every map is pinned by name and weak: each object loads alone with stock `tc` (which finds or makes the
 * maps under <bpffs>/tc/globals) and `bpftool gen object` links all objects into one pipeline with one copy
 * of each. An object must declare only what it uses, so a program says what it needs *before* it includes
 * any header of this folder:
 *
 *	#define TCCTL_WANT_JT_L4
 *	#include "tcctl/handler.h"
 *
 * `jt_stage` and `counters_fixed` are always there. A PROG_ARRAY is empty when stock tc makes it, and so
 * are the arrays of maps: programs must do something sensible then.
 */
#ifndef TCCTL_MAPS_H
#define TCCTL_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "tcctl/abi.h"

/*
 * Read-only data that all programs share. Each object has its own, for it may be loaded alone; linking keeps the bytes of all
 * of them, used or not, so in a pipeline only one object (TCCTL_RODATA) has them and the others refer to it.
 */
#if defined(TCCTL_PIPELINE) && !defined(TCCTL_RODATA)
#define TCCTL_SHARED(declaration, ...) extern declaration
#else
#define TCCTL_SHARED(declaration, ...) declaration __weak = __VA_ARGS__
#endif

/* Load-time constants. The controller sets them before it loads the pipeline. */
TCCTL_SHARED(const volatile struct tcctl_cfg cfg, {});

char _license[] SEC("license") __weak = "Dual BSD/GPL";

/*
 * A 32-bit key on the stack, as `__u64 key = TCCTL_KEY(id)`: always the whole 8-byte slot, with the key where helpers
 * look for it. Without CAP_PERFMON kernels such as 6.1 refuse a 4-byte store where an 8-byte one was before, and the
 * compiler does put different variables into one slot.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TCCTL_KEY(id) ((__u64)(__u32)(id))
#else
#define TCCTL_KEY(id) ((__u64)(__u32)(id) << 32)
#endif

/* The same for what helpers fill in: such a buffer shares no slot with a neighbour. */
#define TCCTL_BUFFER __attribute__((aligned(8)))

#define TCCTL_JUMP_TABLE(name, slots)                 \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, slots);           \
		__uint(key_size, 4);                  \
		__uint(value_size, 4);                \
		__uint(pinning, LIBBPF_PIN_BY_NAME);  \
	} name SEC(".maps") __weak

TCCTL_JUMP_TABLE(jt_stage, TCCTL_STAGE_MAX);

#ifdef TCCTL_WANT_JT_ROOT
TCCTL_JUMP_TABLE(jt_root, TCCTL_ROOT_MAX);
#endif
#ifdef TCCTL_WANT_JT_L3
TCCTL_JUMP_TABLE(jt_l3, TCCTL_L3_MAX);
#endif
#ifdef TCCTL_WANT_JT_L4
TCCTL_JUMP_TABLE(jt_l4, TCCTL_L4_MAX);
#endif
#ifdef TCCTL_WANT_JT_UDP
TCCTL_JUMP_TABLE(jt_udp, TCCTL_UDP_MAX);
#endif

/* Counters with a place of their own (enum tcctl_fixed_counter): one look-up, and stock tc users have them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCCTL_CNT_FIXED_MAX);
	__type(key, __u32);
	__type(value, struct tcctl_counter);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counters_fixed SEC(".maps") __weak;

#ifdef TCCTL_WANT_COUNTERS
/* Counters of hooks and rules, in chunks that the controller adds. key_size and value_size instead of
 * types: structs used only inside an inner map become forward declarations in clang 14's BTF. */
struct tcctl_chunk {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCCTL_CHUNK);
	__uint(key_size, 4);
	__uint(value_size, 24); /* struct tcctl_counter */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TCCTL_CHUNKS_MAX);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct tcctl_chunk);
} counters SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_ARENAS
/* Compiled rule sets: [TCCTL_ARENA_SLOT(…)], lines of 64 bytes (tcctl/arena.h). Sizes may differ. */
struct tcctl_arena_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, 4);
	__uint(value_size, 64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct tcctl_arena_map);
} arenas SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_HEADS
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 16 + 64 * 32); /* struct tcctl_head */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} heads SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_TUNNELS
/* Tunnels (tcctl/tunnel.h), each [TCCTL_ARENA_SLOT(…)]. The inner maps' max_entries may differ from these. */
#define TCCTL_HALVES(name, inner)                       \
	struct {                                        \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, 2);                 \
		__uint(key_size, 4);                    \
		__uint(value_size, 4);                  \
		__uint(pinning, LIBBPF_PIN_BY_NAME);    \
		__array(values, struct inner);          \
	} name SEC(".maps") __weak

struct tcctl_tunnels_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, 4);
	__uint(value_size, 384); /* struct tcctl_tunnel */
};
TCCTL_HALVES(tunnels, tcctl_tunnels_map);

struct tcctl_decaps_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 44); /* struct tcctl_decap_key */
	__uint(value_size, 4);
};
TCCTL_HALVES(decaps, tcctl_decaps_map);

struct tcctl_sources_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 24); /* struct tcctl_source_key */
	__uint(value_size, 4);
};
TCCTL_HALVES(sources, tcctl_sources_map);

struct tcctl_routes_map {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 24); /* struct tcctl_route_key */
	__uint(value_size, 4);
};
TCCTL_HALVES(routes, tcctl_routes_map);

struct tcctl_stations_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 12);	/* struct tcctl_station_key */
	__uint(value_size, 24); /* struct tcctl_station */
};
TCCTL_HALVES(stations, tcctl_stations_map);

struct tcctl_remotes_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, 4);
	__uint(value_size, 24); /* struct tcctl_remote */
};
TCCTL_HALVES(remotes, tcctl_remotes_map);

struct tcctl_devices_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
};
TCCTL_HALVES(devices, tcctl_devices_map);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536); /* TCCTL_LEARNED_MAX */
	__uint(key_size, 12);	    /* struct tcctl_station_key */
	__uint(value_size, 24);	    /* struct tcctl_station */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} learned SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_DECAP
/* One packet's state while it is decapsulated (tcctl/decap.h). In memory of a map, because a program without
 * CAP_PERFMON pays for every new slot of its stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 256); /* struct tcctl_decap */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} decap_scratch SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_CTL
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tcctl_ctl);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} ctl SEC(".maps") __weak;
#endif

#ifdef TCCTL_WANT_FLOWS
/* The classifier's memory (tcctl/classify.h). By name like all others, because classify and walk must have the same
 * one when stock tc replaces one of them. */
#define TCCTL_FLOWS 2048
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCCTL_FLOWS);
	__uint(key_size, 4);
	__uint(value_size, 64); /* struct tcctl_flow */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps") __weak;

/* One packet's state while the rules are looked up. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 352); /* struct tcctl_scratch */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} scratch SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__uint(key_size, 40);	/* struct tcctl_frag_key */
	__uint(value_size, 12); /* struct tcctl_frag */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} frags SEC(".maps") __weak;
#endif

#endif
