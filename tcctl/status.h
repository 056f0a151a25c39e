/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TCCTL_TOOL_STATUS_H
#define TCCTL_TOOL_STATUS_H

#include <json.h>

#include "tcctl.h"

/* All of it, rows of zeroes included; see tcctl(8), "JSON". */
void status_json(const struct tcctl_status *status, struct json_object *to);

/* The tables of tunnels; nothing where there are none. */
void status_print_tunnels(const struct tcctl_status *status);

#endif
