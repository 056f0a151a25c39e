/* SPDX-License-Identifier: GPL-2.0-only */
/* The encap stage in a pipeline for program tests. */
#ifndef QDISC_TESTS_ENCAPSTAGE_H
#define QDISC_TESTS_ENCAPSTAGE_H

#include "pipe.h"
#include "tunnel.h"

/* Fill the slots of jt_stage up to encap, and those of its parts, as the controller does. Returns 0 or -errno. */
int encapstage_fill(struct pipe *p);

/*
 * Load a program that puts a VLAN tag into skb metadata and then enters the pipeline by its root: test runs cannot begin with
 * a tag there. Returns its fd.
 */
int encapstage_tagger(struct pipe *p, uint16_t proto, uint16_t tci);

/*
 * Load a program that sends to the encap stage what was not in a tunnel yet, and ends the run with PIPE_PROBED otherwise: in the
 * first slot, it makes a packet go there and back. Returns its fd.
 */
int encapstage_fork(struct pipe *p);

/* A tunnel from 203.0.113.1 to 203.0.113.9, or from 2001:db8:ff::1 to ::9: with the usual defaults. */
struct spec_tunnel encapstage_tunnel(uint8_t type, bool v6);

#endif
