/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The typed configuration: what the YAML said, checked, with every name resolved. No kernel, no devices.
 *
 * `yaml` makes nodes, `spec` makes this, `desired` turns it into the objects of model.h for the devices
 * that exist, `rules` compiles its rule sets, spec_emit() writes it out again as YAML.
 */
#ifndef TCCTL_LIB_SPEC_H
#define TCCTL_LIB_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

#define SPEC_VERSION 1
#define SPEC_NONE (-1)

enum spec_dir { SPEC_INGRESS, SPEC_EGRESS, SPEC_DIR_MAX };

/* Address prefix. Bytes in network order; host bits are zero. */
struct spec_prefix {
	uint8_t family; /* 4 or 6 */
	uint8_t len;	/* 0..32 or 0..128 */
	uint8_t addr[16];
};

/* Inclusive range of an integer field. */
struct spec_range {
	uint32_t lo, hi;
};

/* Value under a mask: matches x when (x & mask) == value. */
struct spec_masked {
	uint32_t value, mask;
};

struct spec_set {
	char *name;
	struct loc loc;
	char *file;		   /* as written, NULL when all items are in line */
	struct spec_prefix *items; /* sorted, without duplicates; prefixes inside others are kept */
	size_t n_items;
	bool used; /* a rule names it (not part of spec_equal()) */
};

/* A list of alternatives (OR) for one address key. */
/* A key given both positively and under `not:` is resolved into the positive values that remain. */
struct spec_addrs {
	bool set;		      /* the key was given */
	bool neg;		      /* under `not:` */
	struct spec_prefix *prefixes; /* sorted, without duplicates */
	size_t n_prefixes;
	int *sets; /* indices into spec.sets */
	size_t n_sets;
};

struct spec_ranges {
	bool set, neg;
	struct spec_range *items; /* sorted, merged */
	size_t n;
};

struct spec_maskeds {
	bool set, neg;
	struct spec_masked *items;
	size_t n;
};

struct spec_mac {
	uint8_t addr[6];
};

struct spec_macs {
	bool set, neg;
	struct spec_mac *items;
	size_t n;
};

enum spec_addr_key { SPEC_REMOTE, SPEC_LOCAL, SPEC_SRC, SPEC_DST, SPEC_ADDR_MAX };
enum spec_port_key { SPEC_PORT, SPEC_LOCAL_PORT, SPEC_SPORT, SPEC_DPORT, SPEC_PORT_MAX };

/* Bits of spec_rule.frag: which packets a rule wants. */
#define SPEC_FRAG_WHOLE 0x1U /* not a fragment (IPv6 atomic fragments included) */
#define SPEC_FRAG_FIRST 0x2U
#define SPEC_FRAG_LATER 0x4U

/* VLAN: ids 0..4094; SPEC_VLAN_NONE stands for "no tag". */
#define SPEC_VLAN_NONE 0x1000U

struct spec_rule {
	struct loc loc;
	char *name; /* NULL unless given; unique in its rule set */
	int class;  /* index into spec.classes (TCCTL_CLASS_KEEP and TCCTL_CLASS_DROP come first) */
	struct spec_addrs addr[SPEC_ADDR_MAX];
	struct spec_ranges port[SPEC_PORT_MAX];
	struct spec_ranges proto;  /* IP protocol numbers; for IPv6 that of the upper layer */
	struct spec_ranges dscp;   /* 0..63 */
	struct spec_ranges vlan;   /* of the outermost tag, or SPEC_VLAN_NONE */
	struct spec_ranges length; /* bytes of the largest segment from the L3 header on */
	/* type << 8 | code; a type without code is a range of 256. `icmp` is of ICMPv4 packets, `icmp6` of ICMPv6
	 * ones, and `icmp: echo-request` fills both. If either is set, a packet must be ICMP of a family whose
	 * list is set and contains it. Never `neg`: what `not:` leaves over is written out. */
	struct spec_ranges icmp, icmp6;
	struct spec_maskeds flags; /* TCP flags byte; FIN 0x01 … CWR 0x80 */
	struct spec_maskeds mark;  /* skb->mark */
	struct spec_macs mac;	   /* the neighbour: source at ingress, destination at egress */
	uint32_t frag;		   /* SPEC_FRAG_*; 0: key not given */
	bool frag_neg;
};

struct spec_ruleset {
	char *name;
	struct loc loc;
	struct spec_rule *rules;
	size_t n_rules;
};

struct spec_class {
	char *name;
	struct loc loc;
	uint32_t flags; /* TCCTL_C_* of tcctl/abi.h; tells which of the following were given */
	uint8_t dscp;
	uint32_t mark, mark_mask;
	uint32_t priority; /* with classid: major << 16 | minor */
	bool is_classid;   /* priority was given as `classid` */
	uint16_t queue;	   /* as configured, from 0 */
	uint16_t tc_index;
	int tunnel; /* index into spec.tunnels; with TCCTL_C_TUNNEL SPEC_NONE is `keep`: into no tunnel */
};

enum spec_tunnel_mode { SPEC_TUNNEL_DIRECT, SPEC_TUNNEL_METADATA, SPEC_TUNNEL_MODE_MAX };
enum spec_df { SPEC_DF_SET, SPEC_DF_CLEAR, SPEC_DF_INHERIT, SPEC_DF_MAX };
enum spec_pdu { SPEC_PDU_NONE, SPEC_PDU_DOWNLINK, SPEC_PDU_UPLINK, SPEC_PDU_MAX }; /* TS 38.415 PDU type 0, 1 */

#define SPEC_LABELS_MAX 8
#define SPEC_OPTIONS_MAX 64 /* bytes of GENEVE options */

struct spec_tag {
	uint16_t id;	/* 0..4094 */
	uint16_t proto; /* EtherType: 0x8100, 0x88a8 */
	int pcp;	/* 0..7, -1: upper three bits of the packet's DSCP */
};

struct spec_station {
	struct loc loc;
	uint8_t mac[6];
	uint16_t vlan;		   /* of the frame's outermost tag; 0: none */
	struct spec_prefix remote; /* a host */
	uint32_t id;		   /* 0: the tunnel's */
};

struct spec_qfi {
	uint8_t qfi;  /* 0..63 */
	uint8_t dscp; /* 0..63 */
};

struct spec_tunnel {
	char *name;
	struct loc loc;
	uint8_t type;  /* enum tcctl_tunnel_type of tcctl/tunnel.h; for SPEC_TUNNEL_METADATA the external device's kind */
	enum spec_tunnel_mode mode;
	uint32_t flags; /* TCCTL_TF_*, without those that tunnel_row_build() adds: _DF, _DF_INHERIT, _ENTROPY, _QFI, _QFI_IN */
	uint8_t family; /* of the outer header: 4, 6; 0: VLAN, or neither local nor remote (decapsulation only, both families) */
	bool has_local;
	struct spec_prefix local;   /* a host; without it decapsulation only, to any of this host's addresses */
	/* Sorted. One host: encapsulation's remote too. Sets are resolved, addresses of the other family in them left out.
	 * Empty: any. */
	struct spec_prefix *remotes;
	size_t n_remotes;
	bool has_id; /* VNI, key, TEID, labels given */
	uint32_t id, id_out; /* as expected on arrival, as sent; MPLS: the top label */
	uint16_t port;	/* UDP destination port; 0: not UDP, or metadata */
	uint16_t sport_min, sport_max; /* 0 with port 0 */
	uint8_t ttl;  /* without TCCTL_TF_TTL_INHERIT; 1..255 */
	uint8_t dscp; /* without TCCTL_TF_DSCP_INHERIT */
	enum spec_df df;
	uint16_t mtu;  /* of inner packets; 0: from the device that leads to the remote */
	char *device;  /* NULL: deviceless; never NULL for metadata */
	char *underlay; /* device that outer packets must leave through; NULL: by route */
	uint32_t mark;	/* of the route look-up */
	/* Ethernet inside: the forwarding table */
	struct spec_station *stations; /* by MAC address and VLAN */
	size_t n_stations;
	struct spec_prefix *flood; /* hosts, as written */
	size_t n_flood;
	uint32_t ageing; /* seconds */
	/* MPLS: labels to send, the top one first; `id` is the top one expected on arrival */
	uint32_t labels[SPEC_LABELS_MAX];
	size_t n_labels;
	/* VLAN: one or two tags, the outer one first */
	struct spec_tag tags[2];
	size_t n_tags;
	/* GENEVE: options in wire format */
	uint8_t options[SPEC_OPTIONS_MAX];
	size_t options_len;
	/* VXLAN group policy: TCCTL_TF_GBP. GTP-U: */
	enum spec_pdu pdu;
	uint8_t qfi; /* where no entry of the map says otherwise */
	struct spec_qfi *qfis;
	size_t n_qfis;
	bool used; /* something names it (not part of spec_equal()) */
	bool wrong; /* while it is read: there are errors in it (nor this) */
};

/* Inner destination prefixes and the tunnel they go through; the longest prefix wins. */
struct spec_route {
	struct loc loc;
	struct spec_prefix *prefixes; /* sets are resolved */
	size_t n_prefixes;
	int tunnel; /* index into spec.tunnels; SPEC_NONE: `keep`, left alone */
};

struct spec_program {
	char *name;
	struct loc loc;
	char *object;  /* path, resolved against the config's folder or --base */
	char *program; /* function name inside the object */
};

enum spec_run_at { SPEC_AT_L3, SPEC_AT_L4, SPEC_AT_UDP_PORT, SPEC_AFTER_STAGE, SPEC_RUN_AT_MAX };

struct spec_run {
	struct loc loc;
	int program; /* index into spec.programs */
	enum spec_run_at at;
	/* enum tcctl_l3_slot, enum tcctl_l4_slot, UDP port, or enum tcctl_stage_slot of the stage it follows */
	uint32_t slot;
};

enum spec_side { SPEC_SIDE_WAN, SPEC_SIDE_LAN, SPEC_SIDE_MAX };
enum spec_mode { SPEC_MODE_ENFORCE, SPEC_MODE_OBSERVE, SPEC_MODE_MAX };
enum spec_verdict { SPEC_VERDICT_CONTINUE, SPEC_VERDICT_OK, SPEC_VERDICT_MAX };

/* One direction of an interface, after inheritance. */
struct spec_hook {
	bool enabled; /* false: nothing is attached there */
	int ruleset;  /* index into spec.rulesets or SPEC_NONE */
	enum spec_mode mode;
	enum spec_verdict verdict;
	struct spec_run *runs;
	size_t n_runs;
	int *decaps; /* indices into spec.tunnels, as written */
	size_t n_decaps;
	bool refuse_unknown; /* encapsulated packets of those types from nobody we know are dropped, not left to the stack */
	int encap;	     /* index into spec.tunnels: where everything goes that no class or route sends elsewhere; SPEC_NONE */
	struct spec_route *routes;
	size_t n_routes;
	/* Per spec.tunnels, instead of `encap`: those that are told by the device that a packet leaves through. NULL: none. Only
	 * in the copies that lib/desired makes, which own it. */
	const bool *by_device;
	/* A class of the rules here has `tunnel:`, and `side` makes this direction the way out. Not part of
	 * spec_hook_equal(), for it follows from the rest. */
	bool class_tunnels;
};

struct spec_interface {
	char *key; /* device name, glob, or a label when match_* is set */
	struct loc loc;
	bool is_glob;
	bool has_mac;
	uint8_t mac[6];
	char *altname; /* NULL unless given */
	bool optional; /* a missing device is not an error */
	enum spec_side side;
	struct spec_hook hook[SPEC_DIR_MAX];
};

struct spec {
	char **files; /* what loc.file of everything below points to */
	size_t n_files;
	char *name; /* owner of everything made from this spec; `default` unless given */
	struct spec_set *sets;
	size_t n_sets;
	struct spec_class *classes; /* [0] keep, [1] drop, then the file's in order */
	size_t n_classes;
	struct spec_ruleset *rulesets;
	size_t n_rulesets;
	struct spec_program *programs;
	size_t n_programs;
	struct spec_tunnel *tunnels;
	size_t n_tunnels;
	struct spec_interface *interfaces;
	size_t n_interfaces;
};

struct spec_options {
	const char *base; /* folder for relative file names; NULL: the folder of the file that names it */
};

/*
 * Read and merge configurations. `paths` are files or folders (of *.yaml, in name order). All errors are
 * reported at once in `diags`. Returns 0 and *ret_spec, or -EINVAL (bad content), -ENOENT/-EACCES/… (a file).
 */
int spec_load(const char *const *paths, size_t n_paths, const struct spec_options *options,
	      struct tcctl_diags *diags, struct spec **ret_spec);

/* The same from memory; `file` is the name used in diagnostics. */
int spec_parse(const char *text, size_t len, const char *file, const struct spec_options *options,
	       struct tcctl_diags *diags, struct spec **ret_spec);

/* Write a spec as YAML that spec_parse() accepts and that gives an equal spec: every scalar that could be
 * misread is quoted, sets from files are written with their items. The text is malloc()ed. */
int spec_emit(const struct spec *spec, char **ret_text, size_t *ret_len);

/* The same configuration? Places, file names of sets and `used` do not count. */
bool spec_equal(const struct spec *a, const struct spec *b);
bool spec_hook_equal(const struct spec_hook *a, const struct spec_hook *b);

/* One address? */
bool spec_is_host(const struct spec_prefix *p);

/* Can packets be put into the tunnel? NULL, or why not: "it has no `local`". */
const char *spec_tunnel_cannot_send(const struct spec_tunnel *t);

/* Does what leaves its device go into the tunnel, without an interface having to say so? */
bool spec_tunnel_takes_device(const struct spec_tunnel *t);

/*
 * Add warnings about what is allowed and yet hardly meant: tags that the kernel would lose, definitions
 * that nothing uses, a catch-all that drops, programs whose object is not there. Touches no kernel state.
 * Unreachable rules are for rules_check(). Returns 0 or -ENOMEM.
 */
int spec_check(const struct spec *spec, struct tcctl_diags *diags);

void spec_free(struct spec *spec);

#endif
