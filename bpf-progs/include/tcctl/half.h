/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of tunnels come in two halves (tcctl/tunnel.h): the one that a packet's generation says. NULL: there is none. */
#ifndef TCCTL_HALF_H
#define TCCTL_HALF_H

#define TCCTL_WANT_TUNNELS
#include "tcctl/handler.h"
#include "tcctl/tunnel.h"

#define tcctl_half(skb, table)                                                                        \
	(TCCTL_ARENA_SLOT(tcctl_generation(skb), cfg.flags) ?                                         \
		 bpf_map_lookup_elem(&(table), (const void *)&tcctl_key[1]) :                         \
		 bpf_map_lookup_elem(&(table), (const void *)&tcctl_key[0]))

#endif
