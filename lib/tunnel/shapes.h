/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The inner maps of tunnel tables, as tcctl/maps.h declares them. */
#ifndef TCCTL_LIB_TUNNEL_SHAPES_H
#define TCCTL_LIB_TUNNEL_SHAPES_H

#include <linux/bpf.h>

#include "tunnel/half.h"

struct tunnel_shape {
	const char *name;
	enum bpf_map_type type;
	uint32_t key_size, value_size, flags;
};
extern const struct tunnel_shape tunnel_shapes[];

#endif
