/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels: the tables that the controller makes and the programs read.
 *
 * All of them come in two halves like the arenas (TCCTL_ARENA_SLOT() of abi.h chooses): a change of tunnels is made
 * in the idle half and switched by the same write as rules, so no packet sees half of a change and no program is
 * loaded again. A half has
 *
 *   tunnels    rows (struct tcctl_tunnel) by tunnel id; row 0 is struct tcctl_tunnel_settings
 *   decaps     which tunnel an outer header belongs to: hash, struct tcctl_decap_key to a tunnel id or to a group
 *   sources    groups that accept prefixes of remotes: LPM, struct tcctl_source_key to a tunnel id
 *   routes     destination prefix of the inner packet to tunnel id: LPM, struct tcctl_route_key
 *   stations   static part of the forwarding tables: hash, struct tcctl_station_key to struct tcctl_station
 *   remotes    struct tcctl_remote, for flooding: a tunnel's are [flood_first, flood_first + flood_n)
 *   devices    ifindex of the device that a packet passes to tunnel id: hash
 *
 * What is learned is kept apart, in `learned`, a LRU_HASH that lasts over changes. Tunnel ids are stable: a tunnel keeps
 * its id for as long as its name stays, and an id is given to another one only after everything of the old one is gone.
 *
 * Integers are in host byte order unless a comment says otherwise. IPv4 addresses in 16-byte fields are in the first four
 * bytes, the rest is zero.
 */
#ifndef TCCTL_TUNNEL_H
#define TCCTL_TUNNEL_H

#include <linux/types.h>

/* Kinds of encapsulation. GRE carries IP (inner `ip`), Ethernet (inner `eth`: GRE-TEB, gretap) or MPLS. */
enum tcctl_tunnel_type {
	TCCTL_T_NONE,
	TCCTL_T_IPIP,	  /* IP protocol 4 and 41 directly in IPv4 or IPv6: RFC 2003, 4213, 2473 */
	TCCTL_T_GRE,	  /* RFC 2784, key and sequence number RFC 2890 */
	TCCTL_T_VXLAN,	  /* RFC 7348; group policy: draft-smith-vxlan-group-policy */
	TCCTL_T_GENEVE,	  /* RFC 8926 */
	TCCTL_T_GTPU,	  /* 3GPP TS 29.281, PDU session container TS 38.415 */
	TCCTL_T_FOU,	  /* IP in UDP by port: ip-fou(8) */
	TCCTL_T_GUE,	  /* draft-ietf-intarea-gue, variant 0, without private data */
	TCCTL_T_MPLS_UDP, /* RFC 7510 */
	TCCTL_T_MPLS_GRE, /* RFC 4023 */
	TCCTL_T_VLAN,	  /* one or two tags (802.1Q, 802.1ad): no outer IP header */
	TCCTL_T_METADATA, /* the kernel's external device adds and takes the header: skb tunnel metadata */
	TCCTL_T_MAX,
};

/* Those in UDP, a bit for each. */
#define TCCTL_T_UDP_TYPES                                                                      \
	(1U << TCCTL_T_VXLAN | 1U << TCCTL_T_GENEVE | 1U << TCCTL_T_GTPU | 1U << TCCTL_T_FOU | \
	 1U << TCCTL_T_GUE | 1U << TCCTL_T_MPLS_UDP)
static inline int tcctl_tunnel_is_udp(__u32 type)
{
	return type < TCCTL_T_MAX && TCCTL_T_UDP_TYPES >> type & 1;
}

/*
 * cb[4] bits 31..16, the packet's tunnel: 15 out, 14..13 decapsulations so far, 12..0 tunnel id (0: none).
 * After decapsulation the id is the tunnel that the packet came from. The encap stage sets the id of the tunnel that it
 * put the packet into, with TCCTL_TUNNEL_OUT; from then on the context's offsets and flags are those of the
 * outer header.
 */
#define TCCTL_TUNNEL_ID 0x1fffU
#define TCCTL_TUNNEL_DEPTH_SHIFT 13
#define TCCTL_TUNNEL_DEPTH_MAX 3 /* decapsulations of one packet at one hook */
#define TCCTL_TUNNEL_OUT 0x8000U
#define TCCTL_TUNNELS_MAX 0x1fff /* ids 1..this */

/* tcctl_tunnel.flags */
#define TCCTL_TF_INNER_ETH 0x0001U    /* the payload is an Ethernet frame */
#define TCCTL_TF_INNER_IPV4 0x0002U   /* the payload may be IPv4 */
#define TCCTL_TF_INNER_IPV6 0x0004U   /* the payload may be IPv6 */
#define TCCTL_TF_TTL_INHERIT 0x0008U  /* outer TTL = inner TTL; otherwise the template's */
#define TCCTL_TF_DSCP_INHERIT 0x0010U /* outer DSCP = inner DSCP; otherwise the template's */
#define TCCTL_TF_DF_INHERIT 0x0020U   /* outer DF = inner DF (IPv6 inside: set); otherwise the template's */
#define TCCTL_TF_CSUM 0x0040U	      /* UDP: full outer checksum. GRE: C bit and checksum, at offset 4 of the header */
#define TCCTL_TF_CSUM_IN 0x0080U      /* a packet without checksum is refused (UDP over IPv6: RFC 6935 otherwise) */
#define TCCTL_TF_SEQ 0x0100U	      /* GRE: sequence number in the last four bytes of the template */
#define TCCTL_TF_MSS 0x0200U	      /* clamp the MSS of TCP SYNs, both ways, to what fits into `mtu` */
#define TCCTL_TF_LEARN 0x0400U	      /* inner eth: learn source MAC to remote from what arrives */
#define TCCTL_TF_FDB 0x0800U	      /* inner eth: the remote comes from stations, learned, remotes; not from the row */
#define TCCTL_TF_ENTROPY 0x1000U      /* UDP: source port = sport_base + (hash & sport_mask) */
#define TCCTL_TF_QFI 0x2000U	      /* GTP-U: PDU session container, QFI from DSCP by qfi_of_dscp[] */
#define TCCTL_TF_QFI_IN 0x4000U	      /* GTP-U: inner DSCP from QFI by dscp_of_qfi[] */
#define TCCTL_TF_ANSWER 0x8000U	      /* too big: answer with ICMP 3/4 or ICMPv6 2/0 (otherwise only drop and count) */
#define TCCTL_TF_ECN_OFF 0x10000U     /* outer ECN is Not-ECT and decap ignores it (RFC 6040 "compatibility") */
#define TCCTL_TF_GBP 0x20000U	      /* VXLAN: skb->mark (low 16 bits) to and from the group policy id. The template is
				       * without: encap writes 0x88000000 | id over the first word where the id is not 0 */
#define TCCTL_TF_TERMINATES 0x40000U  /* inner ip: the inner TTL is decremented by encap (we forward), never by decap */
#define TCCTL_TF_DF 0x80000U	      /* outer DF is set; the template has it, this is for tunnel metadata */

/* Where and how the kind of the payload is written into the template: tcctl_tunnel.payload_kind */
enum tcctl_payload_kind {
	TCCTL_PAYLOAD_NONE,	 /* nothing to write: the header does not tell, or there is one kind only and the template has it */
	TCCTL_PAYLOAD_PROTO,	 /* one byte: 4 or 41 (IP header's protocol, GUE's) */
	TCCTL_PAYLOAD_ETHERTYPE, /* two bytes, network byte order: 0x0800, 0x86dd, 0x6558 */
	TCCTL_PAYLOAD_MAX,
};

#define TCCTL_TEMPLATE_MAX 128
/*
 * A tunnel. Lines of 64 bytes: what every packet needs, addresses, then the outer header as a template, from the outer IP
 * header on and without the inner Ethernet header. The template has every constant byte in place; the encap stage
 * writes only what depends on the packet: lengths, payload kind, DSCP/ECN, TTL, DF, IPv4 ID and checksum, UDP source
 * port and checksum, GRE checksum and sequence number, QFI, and for tunnels with a forwarding table the remote and VNI.
 * All of these are 0 in it, but for the VNI (the tunnel's own) and QFI (the default), and but for TTL and DSCP where they
 * are fixed. A multiple of 4 bytes. The QFI is the last but one byte.
 *
 * TCCTL_T_METADATA: header_len bytes of `header` are the GENEVE options for bpf_skb_set_tunnel_opt(). A tunnel that
 * packets can only come out of, for it has no local or no single remote, may have a template without addresses.
 */
struct tcctl_tunnel {
	__u32 flags;	    /* TCCTL_TF_* */
	__u8 type;	    /* enum tcctl_tunnel_type; 0: the row is empty */
	__u8 family;	    /* of the outer header: 4, 6; 0: TCCTL_T_VLAN, and without any address (decapsulation only) */
	__u8 header_len;    /* bytes of the template */
	__u8 l4_at;	    /* offset of the UDP or GRE header in the template: 20, 40; header_len if there is none */
	__u8 payload_at;    /* offset in the template of the payload's kind */
	__u8 payload_kind;  /* enum tcctl_payload_kind */
	__u8 length_at;	    /* offset in the template of a 16-bit length of its own that counts what follows the first
			     * 8 bytes of the tunnel header (GTP-U), 0: none */
	__u8 n_tags;	    /* TCCTL_T_VLAN: 1 or 2 */
	__u16 mtu;	    /* largest inner packet, from the inner L3 header on, bytes; 0: no limit */
	__u16 sport_base, sport_mask;
	__u16 tags[2];	    /* TCCTL_T_VLAN: TCIs, outer first, with TCCTL_TAG_PCP_INHERIT in place of DEI */
	__u16 tag_proto;    /* EtherType of the outer tag when there are two: 0x88a8 or 0x8100; of the only one otherwise */
	__u32 device;	    /* ifindex that decapsulated packets are delivered into (ingress); 0: stay on this device.
			     * TCCTL_T_METADATA: the external device that encapsulated packets are sent to */
	__u32 underlay;	    /* ifindex that outer packets must leave through; 0: as the routing table says */
	__u32 mark;	    /* outer packets' skb->mark, and that of their route look-up; 0: the packet's, and looked up without */
	__u32 counters;	    /* first of TCCTL_TUN_MAX counter ids */
	__u16 flood_first, flood_n; /* in `remotes` */
	__u32 ageing;	    /* learned entries: seconds they live without being seen */
	__u32 id;	    /* VNI, key, TEID, label: as expected on arrival */
	__u32 id_out;	    /* the same as sent; in the template already, for metadata and stations */
	__u8 ttl, tos;	    /* as in the template, 0 where the packet's are taken; for tunnel metadata */
	__u8 kind;	    /* TCCTL_T_METADATA: enum tcctl_tunnel_type of the external device; otherwise `type` */
	__u8 reserved[5];

	__u8 local[16], remote[16]; /* network byte order; remote is 0 with TCCTL_TF_FDB */
	__u64 adjust;	    /* flags of bpf_skb_adjust_room() when growing, all of them for a payload of `inner: ip`. With
			     * TCCTL_TF_INNER_ETH those of a frame without VLAN tag: BPF_F_ADJ_ROOM_ENCAP_L2(14) included, and
			     * _ENCAP_L2_ETH where the kernel knows it */
	__u8 mac[6];	    /* of `device` when it has one: destination of decapsulated IP packets; otherwise 0 */
	__u8 reserved2[2];
	__u32 way;	    /* ifindex that the route to the remote led through when the row was made; 0: unknown. For hosts that
			     * do not forward, where programs cannot look routes up */
	__u32 path_seen;    /* written by the programs: bpf_ktime_get_ns() / 1e9 when `path_mtu` was learned */
	__u16 path_mtu;	    /* of what is inside, as the route to a remote had it then; 0: nothing less than `mtu` */
	__u8 reserved3[6];

	__u8 header[TCCTL_TEMPLATE_MAX];

	__u8 qfi_of_dscp[64]; /* GTP-U */
	__u8 dscp_of_qfi[64]; /* 0xff: leave it */
};
_Static_assert(sizeof(struct tcctl_tunnel) == 384, "whole cache lines");
#define TCCTL_TAG_PCP_INHERIT 0x1000U /* in tcctl_tunnel.tags: PCP = upper three bits of the packet's DSCP */

/* Row 0 of `tunnels`. */
struct tcctl_tunnel_settings {
	__u32 encap;	     /* tunnel of every packet that the encap stage sees, unless its class, a route or the device names one;
			      * 0: none */
	__u32 flags;	     /* TCCTL_TS_* */
	__u32 unknown_types; /* bit per enum tcctl_tunnel_type: packets of this type from nobody we know are dropped, and first
			      * fragments and IPv6 packets that do not show whose they are */
	__u8 reserved[372];
};
#define TCCTL_TS_ROUTES 0x1U	/* there are routes */
#define TCCTL_TS_DEVICE 0x2U	/* there are devices */
/* Which look-ups in `decaps` can hit, from the most to the least exact; others are left out. */
#define TCCTL_TS_BOTH 0x10U	/* local and remote given */
#define TCCTL_TS_LOCAL 0x20U	/* local given, remote any or a group */
#define TCCTL_TS_REMOTE 0x40U	/* remote given, local any */
#define TCCTL_TS_ANY 0x80U	/* neither */
_Static_assert(sizeof(struct tcctl_tunnel_settings) == sizeof(struct tcctl_tunnel), "a row");

/*
 * Key of `decaps`; addresses are those of the outer header: local is its destination. All zero means any.
 *
 * TCCTL_T_VLAN: family 0, port is the EtherType of the outer tag, id its id << 12 | the inner tag's id (0 without),
 * addresses 0 (TCCTL_TS_ANY). TCCTL_T_METADATA: as the kernel's tunnel metadata has it, port 0.
 */
struct tcctl_decap_key {
	__u8 type;   /* enum tcctl_tunnel_type */
	__u8 family; /* of the outer header: 4 or 6 */
	__u16 port;  /* UDP destination port; 0 without UDP */
	__u32 id;    /* VNI, TEID, top label; GRE key. Without one (IPIP, FOU, GUE, GRE without key) 0 */
	__u32 has_id; /* GRE: 1 when the key is present; VLAN: number of tags; 0 otherwise (MPLS in GRE too) */
	__u8 local[16], remote[16];
};
_Static_assert(sizeof(struct tcctl_decap_key) == 44, "no holes");
#define TCCTL_DECAP_GROUP 0x80000000U /* value: the rest is the group of `sources`, not a tunnel id */

struct tcctl_source_key {
	__u32 prefixlen; /* 32 + bits of the address */
	__u32 group;
	__u8 addr[16];
};

/* Key of `routes`: families are kept apart by the first word. Value: __u32 tunnel id, 0: leave the packet alone. */
struct tcctl_route_key {
	__u32 prefixlen; /* 32 + bits of the address */
	__u32 family;	 /* 4 or 6 */
	__u8 addr[16];
};

/* Forwarding table of a tunnel with Ethernet inside, as `bridge fdb` has it. */
struct tcctl_station_key {
	__u16 tunnel;
	__u16 vlan; /* id of the frame's outermost tag; 0: none */
	__u8 mac[6];
	__u8 pad[2];
};
struct tcctl_station {
	__u8 addr[16];	/* remote, in the tunnel's outer family, network byte order */
	__u32 id;	/* VNI to send with; 0: the tunnel's own */
	__u32 seen;	/* learned: bpf_ktime_get_ns() / 1e9 when last seen, low 32 bits */
};
struct tcctl_remote {
	__u8 addr[16];
	__u32 id; /* as above */
	__u32 pad;
};
#define TCCTL_LEARNED_MAX 65536
#define TCCTL_FLOOD_MAX 32 /* remotes of one tunnel that unknown and multicast frames are replicated to */

#define TCCTL_PATH_SECONDS 600 /* that tcctl_tunnel.path_mtu holds, as the kernel's own (net.ipv4.route.mtu_expires) */

#define TCCTL_AGAIN 0x7cca6a11U /* skb->mark of a copy that passes its hook a second time, see tcctl/again.h */

/* Counters of a tunnel, in chunks [TCCTL_CHUNK_TUNNELS, …) of `counters`. Drops are marked. */
enum tcctl_tunnel_counter {
	TCCTL_TUN_RX,		 /* decapsulated; bytes as of the inner packet */
	TCCTL_TUN_TX,		 /* encapsulated; bytes as of the inner packet */
	TCCTL_TUN_RX_BAD,	 /* drop: header cut short, wrong version, reserved or critical bits, length that lies */
	TCCTL_TUN_RX_PAYLOAD,	 /* drop: payload of a kind that the tunnel does not carry */
	TCCTL_TUN_RX_ECN,	 /* drop: CE on the outer header of a packet that is not ECN capable (RFC 6040) */
	TCCTL_TUN_RX_CE,	 /* not a drop: congestion mark copied to the inner header; also counted under RX */
	TCCTL_TUN_RX_CSUM,	 /* drop: checksum missing where the tunnel asks for one */
	TCCTL_TUN_RX_DEPTH,	 /* not a drop: too many tunnels in each other, left to the stack */
	TCCTL_TUN_TX_MTU,	 /* drop: too big; answered where that is allowed */
	TCCTL_TUN_TX_ANSWERED,	 /* not a drop: ICMP errors sent */
	TCCTL_TUN_TX_ROUTE,	 /* drop: no route to the remote, or not through `underlay` */
	TCCTL_TUN_TX_UNKNOWN,	 /* drop: no station, no flooding */
	TCCTL_TUN_TX_PAYLOAD,	 /* not a drop: a kind that the tunnel does not carry (IPv6 into a 4in4 tunnel), what must not
				  * leave its link (neighbour discovery) or has no TTL left, left alone */
	TCCTL_TUN_TX_FAILED,	 /* drop: the kernel refused to make room, or no memory; too many copies wait to be sent */
	TCCTL_TUN_TX_LOOP,	 /* not a drop: already is a packet of this tunnel, left alone */
	TCCTL_TUN_TX_FLOODED,	 /* not a drop: copies made by replication. One that passes the hook a second time and is dropped
				  * at its end (a route that has just gone) counts there as well */
	TCCTL_TUN_MAX,
};
_Static_assert(TCCTL_TUN_MAX == 16, "counter ids of a tunnel: counters + enum tcctl_tunnel_counter");

#endif
