// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What a packet must look like to belong to a tunnel. */
#include <string.h>

#include "tunnel.h"

static struct tcctl_decap_key vlan_key(const struct spec_tunnel *t)
{
	return (struct tcctl_decap_key){
		.type = TCCTL_T_VLAN,
		.port = t->tags[0].proto,
		.id = (uint32_t)t->tags[0].id << 12 | (t->n_tags > 1 ? t->tags[1].id : 0U),
		.has_id = (uint32_t)t->n_tags,
	};
}

unsigned int tunnel_decap_keys(const struct spec_tunnel *t, struct tcctl_decap_key ret[2])
{
	bool metadata = t->mode == SPEC_TUNNEL_METADATA;
	struct tcctl_decap_key key = {
		.type = metadata ? TCCTL_T_METADATA : t->type,
		.family = t->family,
		.port = metadata ? 0 : t->port, /* what the device has taken off has none */
		.id = t->id,
		.has_id = t->type == TCCTL_T_GRE && !metadata && t->has_id,
	};

	if (t->type == TCCTL_T_VLAN) {
		ret[0] = vlan_key(t);
		return 1;
	}
	if (t->has_local)
		memcpy(key.local, t->local.addr, t->family == 4 ? 4 : 16);
	ret[0] = ret[1] = key;
	if (t->family)
		return 1;
	ret[0].family = 4;
	ret[1].family = 6;
	return 2;
}
