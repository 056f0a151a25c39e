/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the spec_*.c files share: the reading context, key tables, and typed values. */
#ifndef TCCTL_LIB_SPEC_IMPL_H
#define TCCTL_LIB_SPEC_IMPL_H

#include <stdlib.h>

#include "names.h"
#include "spec.h"
#include "tcctl/abi.h"
#include "util.h"
#include "yaml_tree.h"

#define SPEC_NAME_MAX 63		 /* bytes of a name that a configuration gives */
#define SPEC_SET_BYTES_MAX (256UL << 20) /* of one set file */
#define SPEC_PREFIXES_MAX (1UL << 22)	 /* that keys with exceptions may take, or be resolved into, in all */
#define SPEC_MASKEDS_MAX 1024		 /* values of one `mark` or `flags` */

struct spec_ctx {
	struct spec *spec;
	struct tcctl_diags *diags;
	const char *base; /* --base, or NULL */
	const char *file; /* of the tree being read; in spec->files */
	struct names sets, tunnels, classes, rulesets, programs, interfaces; /* name → index in spec */
	size_t prefixes; /* handled for keys with exceptions: see SPEC_PREFIXES_MAX */
	bool oom;	 /* remembered, so that typed parsers need no return value for it */
};

/* A file name that lives as long as the spec; NULL and c->oom without memory. */
const char *spec_file(struct spec_ctx *c, const char *file);
/* `path` seen from the folder of the file being read, or --base; absolute when `absolute`. malloc()ed. */
char *spec_path(struct spec_ctx *c, const char *path, bool absolute);
/* Read a whole file: 0, or -errno (-EFBIG when longer than max). *ret_text is malloc()ed. */
int spec_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len);

struct loc spec_loc(const struct spec_ctx *c, const struct yaml_node *node);
/* An error at a node; nothing when one was reported for the node already. */
struct diag *spec_error(struct spec_ctx *c, const struct yaml_node *node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "key: found …, expected …", with a hint for values that YAML is known to play tricks with. */
struct diag *spec_expected(struct spec_ctx *c, const struct yaml_node *node, const char *key, const char *fmt,
			   ...) __attribute__((format(printf, 4, 5)));
/* Append `did you mean "nearest"?` unless it is NULL. */
struct diag *spec_did_you_mean(struct diag *g, const char *nearest);

/* Grow an array before its n-th element is written: true when there is room. */
bool spec_grow(struct spec_ctx *c, void *array, size_t n, size_t size);
char *spec_strdup(struct spec_ctx *c, const char *text);

/* --- maps with known keys ------------------------------------------------------------------------- */

struct spec_key {
	const char *name;
	/* Reads `v` into `dst` (what it is, is agreed between table and caller). NULL: read by the caller. */
	void (*parse)(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
	unsigned int arg;      /* for parse() */
	const char *later;     /* not NULL: refused as "not yet: …" */
	const char *misplaced; /* not NULL: where the key belongs; refused here */
};

/*
 * Read a map by its table; `what` is "a rule", "a class", …. seen[i], when `seen` is not NULL, becomes the
 * key's node (the value is the pair's) for table row i. False: not a map (reported).
 */
bool spec_map(struct spec_ctx *c, const struct yaml_node *map, const char *what, const struct spec_key *keys,
	      size_t n_keys, void *dst, const struct yaml_pair **seen);

/* A map that does not have a key lacks it, unless it has one that was reported as that one's typo. */
bool spec_lacks(const struct yaml_node *map, const char *name, const struct spec_key *keys, size_t n_keys);

/* Check that a definition's name can be one: [A-Za-z0-9_][A-Za-z0-9_.-]*. */
bool spec_name_ok(struct spec_ctx *c, const struct yaml_node *key, const char *what);
/* Enter a definition; an earlier one of the same name is reported with both places. */
bool spec_define(struct spec_ctx *c, struct names *names, const struct yaml_node *key, const char *name,
		 const char *what, size_t index, const struct loc *(*place)(const struct spec *, int));
/* Look up a reference; reports an unknown name with a suggestion. */
int spec_refer(struct spec_ctx *c, const struct names *names, const struct yaml_node *v, const char *key,
	       const char *what);

/* --- scalars --------------------------------------------------------------------------------------- */

struct spec_word {
	const char *name;
	uint32_t value;
};
struct spec_words {
	const struct spec_word *items;
	size_t n;
};
extern const struct spec_words spec_dscp_words, spec_proto_words, spec_flag_words, spec_icmp_words,
	spec_icmp6_words, spec_l3_words, spec_l4_words, spec_stage_words;

/* Value of a word without regard to case; false when it is none. */
bool spec_word_find(const struct spec_words *words, const char *text, uint32_t *ret);
/* The first word of a value, or NULL. */
const char *spec_word_of(const struct spec_words *words, uint32_t value);
const char *spec_word_nearest(const struct spec_words *words, const char *text);

/* Decimal, or hexadecimal after 0x. NULL, or what is wrong ("" when it is no number at all). */
const char *spec_number(const char *text, size_t len, uint32_t *ret);

bool spec_text(struct spec_ctx *c, const struct yaml_node *v, const char *key, const char *what);
bool spec_uint(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint32_t min, uint32_t max,
	       uint32_t *ret);
bool spec_bool(struct spec_ctx *c, const struct yaml_node *v, const char *key, bool *ret);
/* One of `words`. */
bool spec_enum(struct spec_ctx *c, const struct yaml_node *v, const char *key, const char *const *words,
	       size_t n, unsigned int *ret);
bool spec_masked(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_masked *ret);
bool spec_dscp(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint8_t *ret);
bool spec_mac(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint8_t ret[6]);

/* A value that is one text or a list of them: the texts. Reports anything else; then *ret_n is 0. */
const struct yaml_node *const *spec_list(struct spec_ctx *c, const struct yaml_node *const *v,
					 const char *key, size_t *ret_n);

/* Text to prefix. NULL, or what was expected; `hint` (may stay empty) says what to write instead. */
#define SPEC_HINT_MAX 128
const char *spec_prefix(const char *text, size_t len, struct spec_prefix *ret, char hint[SPEC_HINT_MAX]);
int spec_prefix_compare(const void *a, const void *b);
/* Sort and drop duplicates; returns the new count. */
size_t spec_prefixes_sort(struct spec_prefix *items, size_t n);
/* "10.0.0.0/8"; a host is written without its length. */
#define SPEC_PREFIX_TEXT 64
size_t spec_prefix_text(const struct spec_prefix *p, char buf[SPEC_PREFIX_TEXT]);

/* --- lists of values -------------------------------------------------------------------------------- */

struct spec_range_kind {
	const char *key;
	const char *what; /* "a port (0 to 65535) or a range such as 80-90" */
	uint32_t max;
	const struct spec_words *words; /* or NULL */
};
void spec_ranges_parse(struct spec_ctx *c, const struct yaml_node *v, const struct spec_range_kind *kind,
		       struct spec_ranges *ret);
bool spec_range_text(struct spec_ctx *c, const struct yaml_node *v, const struct spec_range_kind *kind,
		     const char *text, struct spec_range *ret);
bool spec_range_push(struct spec_ctx *c, struct spec_ranges *r, uint32_t lo, uint32_t hi);
/* Sort, merge what touches, give back spare memory. */
void spec_ranges_normalise(struct spec_ranges *r);
/* `a` without what is in `b`; both normalised. `a` may end empty. */
void spec_ranges_subtract(struct spec_ctx *c, struct spec_ranges *a, const struct spec_ranges *b);
/* False: too many pieces are left. */
bool spec_maskeds_subtract(struct spec_ctx *c, struct spec_maskeds *a, const struct spec_maskeds *b);
/* Sort and drop duplicates. */
void spec_macs_normalise(struct spec_macs *m);
void spec_macs_subtract(struct spec_macs *a, const struct spec_macs *b);
/* Sets inside are written out as their prefixes. False (and reported at `v`): too many. */
bool spec_addrs_subtract(struct spec_ctx *c, const struct yaml_node *v, struct spec_addrs *a,
			 const struct spec_addrs *b);

/* --- sections ---------------------------------------------------------------------------------------- */

void spec_parse_sets(struct spec_ctx *c, const struct yaml_node *map);
void spec_parse_tunnels(struct spec_ctx *c, const struct yaml_node *map);
void spec_parse_classes(struct spec_ctx *c, const struct yaml_node *map);
void spec_parse_programs(struct spec_ctx *c, const struct yaml_node *map);
void spec_parse_rulesets(struct spec_ctx *c, const struct yaml_node *map);
void spec_parse_interfaces(struct spec_ctx *c, const struct yaml_node *map);
/* A `run:` list into runs[0..n). */
void spec_parse_runs(struct spec_ctx *c, const struct yaml_node *list, struct spec_run **ret_runs,
		     size_t *ret_n);
/* The built-in classes. */
void spec_add_classes(struct spec_ctx *c);

/* A reference to a tunnel that packets are put into; SPEC_NONE for `keep` and for what is none (reported, then
 * *ret_ok is false). */
int spec_refer_sender(struct spec_ctx *c, const struct yaml_node *v, const char *key, bool *ret_ok);
/* `decap`: what is taken out of tunnels in one direction. */
struct spec_decap {
	const struct yaml_node *node; /* NULL: not given */
	int *tunnels;
	size_t n;
	bool refuse_unknown;
};
void spec_parse_decap(struct spec_ctx *c, const struct yaml_node *v, struct spec_decap *ret);
void spec_decap_done(struct spec_decap *d);
/* `encap`: what is put into tunnels in one direction. */
struct spec_encap {
	const struct yaml_node *node;
	int tunnel;
	struct spec_route *routes;
	size_t n_routes;
};
void spec_parse_encap(struct spec_ctx *c, const struct yaml_node *v, struct spec_encap *ret);
void spec_encap_done(struct spec_encap *e);
/* The UDP ports of a hook's tunnels and programs: each has one user, and there are only so many. */
void spec_check_ports(struct spec_ctx *c, const struct yaml_node *v, const struct spec_hook *hook);
/* Nothing that came out of a tunnel goes into it again at ingress; `v`: where to say so, NULL: the interface. */
void spec_check_return(struct spec_ctx *c, const struct yaml_node *v, const struct spec_interface *in);
/* A UDP port that has a slot of its own in the jump table. */
bool spec_udp_well_known(uint32_t port);
/* Warnings about tunnels, see spec_check(). */
int spec_check_tunnels(const struct spec *spec, struct tcctl_diags *diags);

void spec_rule_done(struct spec_rule *rule);
void spec_tunnel_done(struct spec_tunnel *t);
void spec_hook_done(struct spec_hook *hook);

#endif
