/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#ifndef TCCTL_LIB_STATUS_H
#define TCCTL_LIB_STATUS_H

#include "tcctl.h"

#define STATUS_LIST(type, name) \
	struct type *name;      \
	size_t n_##name

struct tcctl_status {
	STATUS_LIST(tcctl_status_hook, hooks);
	STATUS_LIST(tcctl_status_class, classes);
	STATUS_LIST(tcctl_status_rule, rules);
	STATUS_LIST(tcctl_status_slot, slots);
	STATUS_LIST(tcctl_status_reason, reasons);
	STATUS_LIST(tcctl_status_neighbour, neighbours);
	STATUS_LIST(tcctl_status_tunnel, tunnels);
	STATUS_LIST(tcctl_status_tunnel_event, tunnel_events);
	char **strings; /* what the records point to */
	size_t n_strings, cap_strings;
};

#endif
