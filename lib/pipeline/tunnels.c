// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Which programs a hook's tunnels need, and where they go. */
#include "pipeline/tunnels.h"

#include "digest.h"
#include "tcctl/tunnel.h"
#include "tunnel.h"
#include "util.h"

static const char *const udp_programs[TCCTL_T_MAX] = {
	[TCCTL_T_VXLAN] = "vxlan", [TCCTL_T_GENEVE] = "geneve", [TCCTL_T_GTPU] = "gtpu",
	[TCCTL_T_FOU] = "fou",	   [TCCTL_T_GUE] = "gue",	[TCCTL_T_MPLS_UDP] = "mpls_udp",
};

const char *pipeline_tunnel_program(uint8_t type)
{
	return type < TCCTL_T_MAX ? udp_programs[type] : NULL;
}

static uint8_t type_of(const struct spec_tunnel *t)
{
	return t->mode == SPEC_TUNNEL_METADATA ? TCCTL_T_METADATA : t->type;
}

/* A port has one handler: the configuration has been checked for that, and for their number. */
static void add_port(const struct spec_tunnel *t, struct pipeline_tunnels *ret)
{
	for (size_t i = 0; i < ret->n_ports; i++)
		if (ret->ports[i].port == t->port)
			return;
	if (ret->n_ports < ARRAY_SIZE(ret->ports))
		ret->ports[ret->n_ports++] =
			(struct pipeline_tunnel_port){ .port = t->port, .type = t->type };
}

struct pipeline_tunnels pipeline_tunnels_make(const struct spec *spec, const struct spec_hook *hook,
					      const bool *out)
{
	struct pipeline_tunnels p = {};

	for (size_t i = 0; i < hook->n_decaps && hook->mode != SPEC_MODE_OBSERVE; i++) {
		const struct spec_tunnel *t = &spec->tunnels[hook->decaps[i]];

		p.decap |= 1U << type_of(t);
		if (t->mode != SPEC_TUNNEL_DIRECT)
			continue;
		if (t->flags & TCCTL_TF_INNER_ETH)
			p.flags |= PIPELINE_TUNNELS_INNER_ETH;
		if (t->flags & TCCTL_TF_LEARN)
			p.flags |= PIPELINE_TUNNELS_LEARN;
		if (tcctl_tunnel_is_udp(t->type))
			add_port(t, &p);
	}
	for (size_t i = 0; i < spec->n_tunnels; i++) {
		const struct spec_tunnel *t = &spec->tunnels[i];

		if (!out[i])
			continue;
		p.encap |= 1U << type_of(t);
		if (t->flags & TCCTL_TF_FDB)
			p.flags |= PIPELINE_TUNNELS_FDB;
		if (t->flags & TCCTL_TF_CSUM)
			p.flags |= PIPELINE_TUNNELS_CSUM;
		if (t->flags & TCCTL_TF_LEARN)
			p.flags |= PIPELINE_TUNNELS_LEARN;
	}
	return p;
}

bool pipeline_tunnels_any(const struct pipeline_tunnels *p)
{
	return p->decap || p->encap;
}

uint64_t pipeline_tunnels_digest(uint64_t h, const struct pipeline_tunnels *p)
{
	h = digest_u64(h, (uint64_t)p->decap << 32 | p->encap);
	h = digest_u64(h, (uint64_t)p->flags << 32 | p->n_ports);
	for (size_t i = 0; i < p->n_ports; i++)
		h = digest_u64(h, (uint64_t)p->ports[i].port << 8 | p->ports[i].type);
	return h;
}
