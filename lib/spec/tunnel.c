// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `tunnels:` which encapsulations there are, and which key belongs to which of them. */
#include <string.h>

#include "spec/tunnel_impl.h"

static const char *const mode_words[] = { [SPEC_TUNNEL_DIRECT] = "direct", [SPEC_TUNNEL_METADATA] = "metadata" };
static const char *const pdu_words[] = { "downlink", "uplink" };
_Static_assert(ARRAY_SIZE(mode_words) == SPEC_TUNNEL_MODE_MAX, "a word for each mode");
_Static_assert(SPEC_PDU_DOWNLINK == 1 && 1 + ARRAY_SIZE(pdu_words) == SPEC_PDU_MAX, "a word for each type but none");

/* What other tools call them. */
static const struct {
	const char *name, *write;
} other_names[] = {
	{ "gretap", "type: gre, inner: eth" },	   { "ip6gretap", "type: gre, inner: eth" },
	{ "ip6gre", "type: gre" },		   { "sit", "type: ipip, inner: ipv6" },
	{ "6in4", "type: ipip, inner: ipv6" },	   { "4in4", "type: ipip, inner: ipv4" },
	{ "ip6tnl", "type: ipip" },		   { "ipip6", "type: ipip" },
	{ "ip6ip6", "type: ipip, inner: ipv6" },   { "gtp", "type: gtpu" },
	{ "qinq", "type: vlan with two tags" },	   { "mpls", "type: mpls-udp or mpls-gre" },
	{ "vxlan-gpe", "type: geneve, inner: ip" }, { "nvgre", "type: gre, inner: eth" },
};

static const struct loc *tunnel_place(const struct spec *spec, int i)
{
	return &spec->tunnels[i].loc;
}

/* --- keys ------------------------------------------------------------------------------------------------- */

static void parse_flag(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	bool on = false;

	if (spec_bool(c, v, key->name, &on) && on)
		t->flags |= key->arg;
}

static void parse_ecn(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	bool on = true;

	if (spec_bool(c, v, key->name, &on) && !on)
		t->flags |= TCCTL_TF_ECN_OFF;
}

static void parse_csum_dir(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	bool on = false;

	if (spec_bool(c, v, "csum", &on) && on)
		t->flags |= key->arg;
}

static const struct spec_key csum_keys[] = {
	{ .name = "in", .parse = parse_csum_dir, .arg = TCCTL_TF_CSUM_IN },
	{ .name = "out", .parse = parse_csum_dir, .arg = TCCTL_TF_CSUM },
};

static void parse_csum(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	const struct spec_key out = { .name = key->name, .arg = TCCTL_TF_CSUM };

	if (v->kind == YAML_MAP)
		spec_map(c, v, "`csum`", csum_keys, ARRAY_SIZE(csum_keys), dst, NULL);
	else
		parse_flag(c, v, dst, &out);
}

static void parse_inner(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	uint32_t flags = 0;

	if (!spec_text(c, v, key->name, "ip, ipv4, ipv6 or eth"))
		return;
	if (!spec_word_find(&spec_inner_words, v->text, &flags)) {
		spec_did_you_mean(spec_expected(c, v, key->name, "ip, ipv4, ipv6 or eth"),
				  spec_word_nearest(&spec_inner_words, v->text));
		return;
	}
	t->flags = (t->flags & ~(SPEC_INNER_IP | TCCTL_TF_INNER_ETH)) | flags;
	if (t->type == TCCTL_T_VXLAN && flags != TCCTL_TF_INNER_ETH)
		diag_hint(spec_error(c, v, "inner: VXLAN carries Ethernet frames, found \"%s\"", v->text),
			  "geneve, gre, ipip, fou and gue carry IP");
	else if (flags == TCCTL_TF_INNER_ETH && t->type != TCCTL_T_VXLAN && t->type != TCCTL_T_GENEVE &&
		 t->type != TCCTL_T_GRE)
		diag_hint(spec_error(c, v, "inner: %s carries IP, found \"eth\"",
				     spec_word_of(&spec_tunnel_words, t->type)),
			  "vxlan, geneve and gre carry Ethernet frames");
}

static void parse_port(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	uint32_t port = t->port;

	spec_uint(c, v, key->name, 1, 65535, &port);
	t->port = (uint16_t)port;
}

static void parse_sport(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	static const struct spec_range_kind kind = {
		.key = "sport", .what = "a port or a range of ports such as 49152-65535", .max = 65535
	};
	struct spec_tunnel *t = dst;
	struct spec_range r;

	if (!spec_text(c, v, key->name, kind.what) || !spec_range_text(c, v, &kind, v->text, &r))
		return;
	t->sport_min = (uint16_t)r.lo;
	t->sport_max = (uint16_t)r.hi;
}

static void parse_ttl(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	uint32_t ttl = 64;

	if (v->kind == YAML_TEXT && !strcmp(v->text, "inherit")) {
		t->flags |= TCCTL_TF_TTL_INHERIT;
		t->ttl = 0;
		return;
	}
	if (v->kind == YAML_TEXT && (v->text[0] | 0x20) >= 'a' && (v->text[0] | 0x20) <= 'z')
		spec_expected(c, v, key->name, "a number from 1 to 255, or inherit");
	else
		spec_uint(c, v, key->name, 1, 255, &ttl);
	t->ttl = (uint8_t)ttl;
}

static void parse_dscp(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	if (v->kind == YAML_TEXT && !strcmp(v->text, "inherit"))
		return;
	t->flags &= ~TCCTL_TF_DSCP_INHERIT;
	spec_dscp(c, v, key->name, &t->dscp);
}

static void parse_df(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	unsigned int df;

	if (spec_enum(c, v, key->name, spec_df_words, SPEC_DF_MAX, &df))
		t->df = (enum spec_df)df;
}

static void parse_mtu(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	/* 68: the smallest that IPv4 allows, RFC 791; 1280: IPv6, RFC 8200 */
	uint32_t mtu = 0, min = (t->flags & (SPEC_INNER_IP | TCCTL_TF_INNER_ETH)) == TCCTL_TF_INNER_IPV6 ? 1280 : 68;

	spec_uint(c, v, key->name, min, 65535, &mtu);
	t->mtu = (uint16_t)mtu;
}

static void parse_device(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	t->device = spec_device(c, v, key->name);
}

static void parse_underlay(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	t->underlay = spec_device(c, v, key->name);
}

static void parse_mark(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;

	spec_uint(c, v, key->name, 0, UINT32_MAX, &t->mark);
}

static void parse_pdu(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	unsigned int pdu;

	if (spec_enum(c, v, key->name, pdu_words, ARRAY_SIZE(pdu_words), &pdu))
		t->pdu = (enum spec_pdu)(SPEC_PDU_DOWNLINK + pdu);
}

static void parse_qfi(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct spec_tunnel *t = dst;
	uint32_t qfi = 0;

	spec_uint(c, v, key->name, 0, 63, &qfi);
	t->qfi = (uint8_t)qfi;
}

enum {
	KEY_TYPE, KEY_MODE, KEY_INNER, KEY_LOCAL, KEY_REMOTE, KEY_VNI, KEY_KEY, KEY_TEID, KEY_LABELS, KEY_TAGS,
	KEY_PORT, KEY_SPORT, KEY_TTL, KEY_DSCP, KEY_DF, KEY_ECN, KEY_CSUM, KEY_SEQ, KEY_MTU, KEY_CLAMP, KEY_DEVICE,
	KEY_UNDERLAY, KEY_MARK, KEY_GBP, KEY_OPTIONS, KEY_PDU, KEY_QFI, KEY_QFI_MAP, KEY_FDB,
	KEY_ID, KEY_DSTPORT, KEY_SRCPORT, KEY_DEV, KEY_TOS, KEY_GROUP, KEY_MAX
};

/* Those without a parser are read before or after the others. */
static const struct spec_key tunnel_keys[KEY_MAX] = {
	[KEY_TYPE] = { .name = "type" },
	[KEY_MODE] = { .name = "mode" },
	[KEY_INNER] = { .name = "inner" },
	[KEY_LOCAL] = { .name = "local" },
	[KEY_REMOTE] = { .name = "remote" },
	[KEY_VNI] = { .name = "vni", .parse = spec_tunnel_id },
	[KEY_KEY] = { .name = "key", .parse = spec_tunnel_id },
	[KEY_TEID] = { .name = "teid", .parse = spec_tunnel_id },
	[KEY_LABELS] = { .name = "labels", .parse = spec_tunnel_labels },
	[KEY_TAGS] = { .name = "tags", .parse = spec_tunnel_tags },
	[KEY_PORT] = { .name = "port", .parse = parse_port },
	[KEY_SPORT] = { .name = "sport", .parse = parse_sport },
	[KEY_TTL] = { .name = "ttl", .parse = parse_ttl },
	[KEY_DSCP] = { .name = "dscp", .parse = parse_dscp },
	[KEY_DF] = { .name = "df", .parse = parse_df },
	[KEY_ECN] = { .name = "ecn", .parse = parse_ecn },
	[KEY_CSUM] = { .name = "csum", .parse = parse_csum },
	[KEY_SEQ] = { .name = "seq", .parse = parse_flag, .arg = TCCTL_TF_SEQ },
	[KEY_MTU] = { .name = "mtu", .parse = parse_mtu },
	[KEY_CLAMP] = { .name = "clamp-mss", .parse = parse_flag, .arg = TCCTL_TF_MSS },
	[KEY_DEVICE] = { .name = "device", .parse = parse_device },
	[KEY_UNDERLAY] = { .name = "underlay", .parse = parse_underlay },
	[KEY_MARK] = { .name = "mark", .parse = parse_mark },
	[KEY_GBP] = { .name = "gbp", .parse = parse_flag, .arg = TCCTL_TF_GBP },
	[KEY_OPTIONS] = { .name = "options", .parse = spec_tunnel_options },
	[KEY_PDU] = { .name = "pdu", .parse = parse_pdu },
	[KEY_QFI] = { .name = "qfi", .parse = parse_qfi },
	[KEY_QFI_MAP] = { .name = "qfi-map", .parse = spec_tunnel_qfi_map },
	[KEY_FDB] = { .name = "fdb", .parse = spec_tunnel_fdb },
	/* what others call them, ip(8) above all */
	[KEY_ID] = { .name = "id",
		     .misplaced = "the number is `vni` of vxlan and geneve, `key` of gre, `teid` of gtpu, `tags` of vlan" },
	[KEY_DSTPORT] = { .name = "dstport", .misplaced = "the UDP port is `port`" },
	[KEY_SRCPORT] = { .name = "srcport", .misplaced = "source ports are `sport`" },
	[KEY_DEV] = { .name = "dev",
		      .misplaced = "`underlay` is what outer packets leave through, `device` the tunnel's own" },
	[KEY_TOS] = { .name = "tos", .misplaced = "that is `dscp` and `ecn`" },
	[KEY_GROUP] = { .name = "group", .misplaced = "each remote gets a copy: fdb: { flood: [ ... ] }" },
};

#define T(type) (1U << TCCTL_T_##type)
#define ETH_TYPES (T(VXLAN) | T(GENEVE) | T(GRE))
#define UDP_TYPES TCCTL_T_UDP_TYPES
#define IP_TYPES (UDP_TYPES | T(IPIP) | T(GRE) | T(MPLS_GRE))
#define METADATA (1U << 31) /* also with mode: metadata, where the type allows the key */

/* What has the key. */
static const uint32_t key_types[KEY_MAX] = {
	[KEY_TYPE] = IP_TYPES | T(VLAN) | METADATA,
	[KEY_MODE] = IP_TYPES | T(VLAN) | METADATA,
	[KEY_INNER] = IP_TYPES | METADATA,
	[KEY_LOCAL] = IP_TYPES | METADATA,
	[KEY_REMOTE] = IP_TYPES | METADATA,
	[KEY_VNI] = T(VXLAN) | T(GENEVE) | METADATA,
	[KEY_KEY] = T(GRE) | METADATA,
	[KEY_TEID] = T(GTPU),
	[KEY_LABELS] = T(MPLS_UDP) | T(MPLS_GRE),
	[KEY_TAGS] = T(VLAN),
	[KEY_PORT] = UDP_TYPES,
	[KEY_SPORT] = UDP_TYPES,
	[KEY_TTL] = IP_TYPES | METADATA,
	[KEY_DSCP] = IP_TYPES | METADATA,
	[KEY_DF] = IP_TYPES | METADATA,
	[KEY_ECN] = IP_TYPES,
	[KEY_CSUM] = UDP_TYPES | T(GRE) | T(MPLS_GRE) | METADATA,
	[KEY_SEQ] = T(GRE) | METADATA,
	[KEY_MTU] = IP_TYPES | T(VLAN) | METADATA,
	[KEY_CLAMP] = IP_TYPES | T(VLAN) | METADATA,
	[KEY_DEVICE] = IP_TYPES | T(VLAN) | METADATA,
	[KEY_UNDERLAY] = IP_TYPES | T(VLAN),
	[KEY_MARK] = IP_TYPES,
	[KEY_GBP] = T(VXLAN) | METADATA,
	[KEY_OPTIONS] = T(GENEVE) | METADATA,
	[KEY_PDU] = T(GTPU),
	[KEY_QFI] = T(GTPU),
	[KEY_QFI_MAP] = T(GTPU),
	[KEY_FDB] = ETH_TYPES,
};

/* --- type and mode, which come first ------------------------------------------------------------------------- */

static void read_type(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t)
{
	static const char expected[] =
		"vxlan, gre, ipip, geneve, gtpu, fou, gue, mpls-udp, mpls-gre or vlan";
	uint32_t type = TCCTL_T_NONE;
	struct diag *g;

	if (!spec_text(c, v, "type", expected))
		return;
	if (spec_word_find(&spec_tunnel_words, v->text, &type)) {
		t->type = (uint8_t)type;
		return;
	}
	g = spec_expected(c, v, "type", "%s", expected);
	for (size_t i = 0; i < ARRAY_SIZE(other_names); i++)
		if (!strcasecmp(v->text, other_names[i].name)) {
			diag_hint(g, "write %s", other_names[i].write);
			return;
		}
	spec_did_you_mean(g, spec_word_nearest(&spec_tunnel_words, v->text));
}

static void read_mode(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t)
{
	unsigned int mode = SPEC_TUNNEL_DIRECT;

	spec_enum(c, v, "mode", mode_words, SPEC_TUNNEL_MODE_MAX, &mode);
	t->mode = (enum spec_tunnel_mode)mode;
	if (mode == SPEC_TUNNEL_METADATA && t->type && t->type != TCCTL_T_VXLAN && t->type != TCCTL_T_GENEVE &&
	    t->type != TCCTL_T_GRE && t->type != TCCTL_T_IPIP)
		spec_error(c, v,
			   "mode: the kernel has no external device for %s, expected type vxlan, geneve, gre or ipip",
			   spec_word_of(&spec_tunnel_words, t->type));
}

static void set_defaults(struct spec_tunnel *t)
{
	t->flags = TCCTL_TF_DSCP_INHERIT | TCCTL_TF_ANSWER;
	if (t->type == TCCTL_T_VXLAN || t->type == TCCTL_T_GENEVE || t->type == TCCTL_T_VLAN)
		t->flags |= TCCTL_TF_INNER_ETH;
	else
		t->flags |= SPEC_INNER_IP;
	t->ttl = 64;
	t->ageing = SPEC_AGEING;
	if (t->mode == SPEC_TUNNEL_DIRECT)
		t->port = spec_tunnel_port(t->type);
	if (t->port) {
		t->sport_min = SPEC_SPORT_MIN;
		t->sport_max = 65535;
	}
}

/* --- what belongs together --------------------------------------------------------------------------------- */

/* Keys that the type or mode does not have. */
static void check_keys(struct spec_ctx *c, const struct spec_tunnel *t, const struct yaml_pair *const *seen)
{
	const char *type = spec_word_of(&spec_tunnel_words, t->type), *id = spec_tunnel_id_key(t->type);

	for (unsigned int k = 0; k < KEY_MAX; k++) {
		const struct yaml_node *key = seen[k] ? seen[k]->key : NULL;

		if (!key)
			continue;
		if (!(key_types[k] & 1U << t->type)) {
			struct diag *g = spec_error(c, key, "`%s` does not go with type: %s",
						    tunnel_keys[k].name, type);

			if (id && (k == KEY_VNI || k == KEY_KEY || k == KEY_TEID || k == KEY_LABELS))
				diag_hint(g, "write `%s`", id);
		} else if (t->mode == SPEC_TUNNEL_METADATA && !(key_types[k] & METADATA)) {
			spec_error(c, key, "`%s` is up to the device with mode: metadata", tunnel_keys[k].name);
		}
	}
}

static void check_needed(struct spec_ctx *c, const struct yaml_node *name, const struct yaml_node *v,
			 const struct spec_tunnel *t, const struct yaml_pair *const *seen)
{
	const char *needed = NULL;

	if (t->type == TCCTL_T_VLAN)
		needed = seen[KEY_TAGS] ? NULL : "tags";
	else if (!t->has_id && t->type != TCCTL_T_GRE)
		needed = spec_tunnel_id_key(t->type);
	if (needed && spec_lacks(v, needed, tunnel_keys, KEY_MAX))
		spec_error(c, name, "tunnel \"%s\" lacks `%s`", t->name, needed);
	if (t->mode == SPEC_TUNNEL_METADATA && !seen[KEY_DEVICE] && spec_lacks(v, "device", tunnel_keys, KEY_MAX))
		diag_hint(spec_error(c, name, "tunnel \"%s\" has mode: metadata and lacks `device`", t->name),
			  "name the kernel's device that was made with `external`");
}

static void check_together(struct spec_ctx *c, const struct spec_tunnel *t, const struct yaml_pair *const *seen)
{
	const struct yaml_pair *fdb = t->flags & TCCTL_TF_FDB ? seen[KEY_FDB] : NULL;

	if (fdb && !(t->flags & TCCTL_TF_INNER_ETH))
		diag_hint(spec_error(c, fdb->key,
				     "`fdb` is about Ethernet frames, but the tunnel carries IP"),
			  "inner: eth, or leave `fdb` out");
	if (fdb && !t->has_local && !seen[KEY_LOCAL] && t->mode == SPEC_TUNNEL_DIRECT)
		spec_error(c, fdb->key, "`fdb` needs `local`: the address that frames are sent from");
	if (seen[KEY_DF] && t->family == 6 && t->df != SPEC_DF_SET)
		spec_error(c, seen[KEY_DF]->key, "`df`: IPv6 has no such bit, its routers never fragment");
	if (seen[KEY_QFI_MAP] && !seen[KEY_PDU])
		spec_error(c, seen[KEY_QFI_MAP]->key, "`qfi-map` needs `pdu`: uplink or downlink");
	if (seen[KEY_QFI] && !seen[KEY_PDU])
		spec_error(c, seen[KEY_QFI]->key, "`qfi` needs `pdu`: uplink or downlink");
}

static void parse_tunnel(struct spec_ctx *c, const struct yaml_node *name, const struct yaml_node *v)
{
	const struct yaml_pair *seen[KEY_MAX] = { 0 };
	const struct yaml_node *type = NULL, *mode = NULL, *payload = NULL;
	struct spec_tunnel *t;

	if (!spec_name_ok(c, name, "tunnel"))
		return;
	if (!strcmp(name->text, "keep")) {
		spec_error(c, name, "\"keep\" cannot name a tunnel: it stands for no tunnel");
		return;
	}
	if (c->spec->n_tunnels >= TCCTL_TUNNELS_MAX) {
		spec_error(c, name, "more than %d tunnels", TCCTL_TUNNELS_MAX);
		return;
	}
	if (!spec_grow(c, &c->spec->tunnels, c->spec->n_tunnels, sizeof(*t)))
		return;
	t = &c->spec->tunnels[c->spec->n_tunnels];
	*t = (struct spec_tunnel){ .name = spec_strdup(c, name->text), .loc = spec_loc(c, name) };
	c->spec->n_tunnels++;
	if (!t->name)
		return;
	spec_define(c, &c->tunnels, name, t->name, "tunnel", c->spec->n_tunnels - 1, tunnel_place);
	if (v->kind == YAML_MAP) {
		type = yaml_map_get(v, "type");
		mode = yaml_map_get(v, "mode");
		payload = yaml_map_get(v, "inner");
	}
	if (type)
		read_type(c, type, t);
	if (mode)
		read_mode(c, mode, t);
	set_defaults(t);
	if (payload && t->type)
		parse_inner(c, payload, t, &tunnel_keys[KEY_INNER]);
	if (!spec_map(c, v, "a tunnel", tunnel_keys, KEY_MAX, t, seen))
		return;
	if (!type && spec_lacks(v, "type", tunnel_keys, KEY_MAX))
		diag_hint(spec_error(c, name, "tunnel \"%s\" lacks `type`", t->name),
			  "vxlan, gre, ipip, geneve, gtpu, fou, gue, mpls-udp, mpls-gre or vlan");
	if (seen[KEY_LOCAL] && spec_host(c, seen[KEY_LOCAL]->value, "local", &t->local)) {
		t->has_local = true;
		t->family = t->local.family;
	}
	if (seen[KEY_REMOTE])
		spec_tunnel_remote(c, seen[KEY_REMOTE]->value, t);
	if (!t->type)
		return;
	check_keys(c, t, seen);
	check_needed(c, name, v, t, seen);
	check_together(c, t, seen);
	if (seen[KEY_FDB] && t->has_local)
		spec_tunnel_fdb_remotes(c, seen[KEY_FDB]->key, t);
}

void spec_parse_tunnels(struct spec_ctx *c, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		spec_expected(c, map, "tunnels", "a map of tunnel names");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++) {
		const size_t n = c->spec->n_tunnels, errors = c->diags->n_errors;

		parse_tunnel(c, map->pairs[i].key, map->pairs[i].value);
		if (c->spec->n_tunnels > n)
			c->spec->tunnels[n].wrong = c->diags->n_errors != errors;
	}
}
