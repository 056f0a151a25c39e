/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What encapsulation has to make of a packet: a model written from the RFCs and the configuration (struct spec_tunnel), not
 * from the programs or the rows they read. Tests compare byte by byte.
 */
#ifndef QDISC_TESTS_TUNNELREF_ENCAP_H
#define QDISC_TESTS_TUNNELREF_ENCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec.h"
#include "tcctl/tunnel.h"

struct tunnelref_frame {
	const uint8_t *data; /* an Ethernet frame */
	size_t len;
	bool tagged; /* and a VLAN tag in skb metadata */
	uint16_t tag_proto, tag_tci;
	uint32_t mark;
	bool hop; /* inner ip: the TTL is decremented */
};

/* What cannot be foretold: from the packet that was seen. The model says whether it is allowed. */
struct tunnelref_free {
	uint16_t ip_id, sport;
	uint32_t flow_label;
	uint32_t sequence;
	const uint8_t *remote; /* of a tunnel with a forwarding table; NULL: the configured one */
	uint32_t id;	       /* its VNI; 0: the tunnel's */
};

enum tunnelref_verdict { TUNNELREF_DONE, TUNNELREF_NOT_CARRIED };

/*
 * The packet from the outer IP header on, into out (room for len + 256 bytes). `free` is NULL for the first call, which only
 * gives the verdict and where the outer header's parts are.
 */
struct tunnelref_out {
	uint8_t *data;
	size_t len;
	unsigned int l4_at; /* offset of the header behind the outer IP header */
	uint8_t proto;	    /* IP protocol of the outer header */
	uint16_t ethertype;
	bool udp;
};
enum tunnelref_verdict tunnelref_encap(const struct spec_tunnel *t, const struct tunnelref_frame *f,
				       const struct tunnelref_free *free, struct tunnelref_out *ret);

#endif
