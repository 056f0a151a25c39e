// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What is known of each type of tunnel. */
#include "spec/tunnel_impl.h"

static const struct spec_word type_words[] = {
	{ "vxlan", TCCTL_T_VXLAN },   { "gre", TCCTL_T_GRE },		{ "ipip", TCCTL_T_IPIP },
	{ "geneve", TCCTL_T_GENEVE }, { "gtpu", TCCTL_T_GTPU },		{ "fou", TCCTL_T_FOU },
	{ "gue", TCCTL_T_GUE },	      { "mpls-udp", TCCTL_T_MPLS_UDP }, { "mpls-gre", TCCTL_T_MPLS_GRE },
	{ "vlan", TCCTL_T_VLAN },
};
const struct spec_words spec_tunnel_words = { type_words, ARRAY_SIZE(type_words) };

static const struct spec_word inner[] = {
	{ "ip", SPEC_INNER_IP },
	{ "ipv4", TCCTL_TF_INNER_IPV4 },
	{ "ipv6", TCCTL_TF_INNER_IPV6 },
	{ "eth", TCCTL_TF_INNER_ETH },
};
const struct spec_words spec_inner_words = { inner, ARRAY_SIZE(inner) };

const char *const spec_df_words[] = {
	[SPEC_DF_SET] = "set", [SPEC_DF_CLEAR] = "clear", [SPEC_DF_INHERIT] = "inherit"
};
_Static_assert(ARRAY_SIZE(spec_df_words) == SPEC_DF_MAX, "a word for each policy");

uint16_t spec_tunnel_port(uint8_t type)
{
	static const uint16_t ports[TCCTL_T_MAX] = {
		[TCCTL_T_VXLAN] = 4789, [TCCTL_T_GENEVE] = 6081, [TCCTL_T_GTPU] = 2152,
		[TCCTL_T_FOU] = 5555,	[TCCTL_T_GUE] = 6080,	 [TCCTL_T_MPLS_UDP] = 6635,
	};

	return type < TCCTL_T_MAX ? ports[type] : 0;
}

const char *spec_tunnel_id_key(uint8_t type)
{
	switch (type) {
	case TCCTL_T_VXLAN:
	case TCCTL_T_GENEVE: return "vni";
	case TCCTL_T_GTPU: return "teid";
	case TCCTL_T_GRE: return "key";
	case TCCTL_T_MPLS_UDP:
	case TCCTL_T_MPLS_GRE: return "labels";
	default: return NULL;
	}
}

const char *spec_tunnel_cannot_send(const struct spec_tunnel *t)
{
	if (t->type == TCCTL_T_VLAN)
		return NULL;
	if (!t->has_local && t->mode == SPEC_TUNNEL_DIRECT)
		return "it has no `local`";
	if (t->flags & TCCTL_TF_FDB)
		return NULL;
	if (!t->n_remotes)
		return "it has no `remote`";
	if (t->n_remotes > 1 || !spec_is_host(t->remotes))
		return "its `remote` is not one address";
	return NULL;
}

bool spec_tunnel_takes_device(const struct spec_tunnel *t)
{
	/* in metadata mode the device is the kernel's, which takes what we send */
	return t->device && t->mode == SPEC_TUNNEL_DIRECT && !spec_tunnel_cannot_send(t) &&
	       (t->type != TCCTL_T_VLAN || t->underlay);
}

void spec_tunnel_done(struct spec_tunnel *t)
{
	free(t->name);
	free(t->device);
	free(t->underlay);
	free(t->remotes);
	free(t->stations);
	free(t->flood);
	free(t->qfis);
}
