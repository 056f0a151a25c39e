// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tunnels in words. */
#include <arpa/inet.h>
#include <stdio.h>

#include "tunnel/device.h"
#include "util.h"

static const char *const type_names[] = {
	[TCCTL_T_NONE] = "?",	     [TCCTL_T_IPIP] = "ipip",	      [TCCTL_T_GRE] = "gre",
	[TCCTL_T_VXLAN] = "vxlan",   [TCCTL_T_GENEVE] = "geneve",     [TCCTL_T_GTPU] = "gtpu",
	[TCCTL_T_FOU] = "fou",	     [TCCTL_T_GUE] = "gue",	      [TCCTL_T_MPLS_UDP] = "mpls-udp",
	[TCCTL_T_MPLS_GRE] = "mpls-gre", [TCCTL_T_VLAN] = "vlan",     [TCCTL_T_METADATA] = "metadata",
};
_Static_assert(ARRAY_SIZE(type_names) == TCCTL_T_MAX, "a name for each type");

const char *tunnel_type_name(uint8_t type)
{
	return type < TCCTL_T_MAX ? type_names[type] : "?";
}

void tunnel_address_text(const struct spec_prefix *items, size_t n, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?", len[8] = "", more[32] = "";

	if (!n) {
		snprintf(buf, size, "any");
		return;
	}
	inet_ntop(items->family == 4 ? AF_INET : AF_INET6, items->addr, text, sizeof(text));
	if (!spec_is_host(items))
		snprintf(len, sizeof(len), "/%u", items->len);
	if (n > 1)
		snprintf(more, sizeof(more), " and %zu more", n - 1);
	snprintf(buf, size, "%s%s%s", text, len, more);
}
