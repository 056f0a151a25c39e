/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One rule while it is read. It is read as two halves by the same table, what must match and what `not:` excludes, which
 * are then settled into one value per key.
 */
#ifndef TCCTL_LIB_SPEC_RULE_H
#define TCCTL_LIB_SPEC_RULE_H

#include "spec/impl.h"

#define PROTO_TCP 6
#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

/* Kinds of keys that exclude each other in one rule. */
enum { GROUP_RELATIVE = 1, GROUP_ABSOLUTE = 2 };

struct rule_half {
	struct spec_rule rule; /* match keys only */
	const struct yaml_node *icmp;
	const struct yaml_node *first;	  /* of the match keys, in the order of the file */
	const struct yaml_node *group[3]; /* first key of GROUP_* */
};

struct rule_reader {
	struct rule_half half[2]; /* [1] is `not:` */
	bool in_not;
	const struct yaml_node *excluded; /* the key `not` */
	char *name;
	int class;
};

/* The half that is being read. */
static inline struct rule_half *rule_half(struct rule_reader *rr)
{
	return &rr->half[rr->in_not];
}

/* `arg` of the table's rows whose values are ranges: enum spec_port, or one of these. */
enum { RANGE_PORT, RANGE_PROTO = SPEC_PORT_MAX, RANGE_DSCP, RANGE_VLAN, RANGE_LENGTH };

/* Parsers of the match keys, as struct spec_key has them; dst is the struct rule_reader. */
void rule_parse_address(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void rule_parse_ranges(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void rule_parse_flags(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void rule_parse_mark(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void rule_parse_mac(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void rule_parse_frag(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
/* Only notes where it is: its meaning depends on the rule's protocols. */
void rule_parse_icmp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
/* Reads it, into half[0]. After `proto` has been settled there. */
void rule_settle_icmp(struct spec_ctx *c, struct rule_reader *rr);

bool rule_ranges_contain(const struct spec_ranges *r, uint32_t value);

/* Reads one rule. Its first match key, or NULL for a catch-all. *ret is to be done with spec_rule_done() in any case. */
const struct yaml_node *rule_read(struct spec_ctx *c, const struct yaml_node *v, struct spec_rule *ret);

#endif
