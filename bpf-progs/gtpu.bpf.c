/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handler of GTP-U (3GPP TS 29.281): G-PDUs. Echo requests and all other messages are left to the stack, and so to the
 * program that speaks them.
 *
 *	|ver|PT|0|E|S|PN|  type  |     length      |  length: of all that follows the first 8 bytes
 *	|                  TEID                    |
 *	|  sequence number  | N-PDU | next header  |  with any of E, S, PN
 *	| words | … | next header |                   extension headers, with E; a type from 0x80 on must be understood
 *
 * The PDU session container (TS 38.415) gives the flow (QFI), and that the DSCP, where the tunnel says so. Spare bits are
 * ignored.
 */
#include "tcctl/decap.h"
#include "tcctl/octets.h"

#define GTPU_VERSION 0xf0000000U /* version and protocol type */
#define GTPU_V1 0x30000000U
#define GTPU_E 0x04000000U
#define GTPU_OPTIONAL 0x07000000U
#define GTPU_G_PDU 255
#define GTPU_PDU_SESSION 0x85
#define EXTENSIONS_MAX 4 /* extension headers; a packet with more is refused */

/* Extension headers from `at` on, the first one of type `next`. Sets d->inner behind them. False: refused. */
static __always_inline bool extensions(struct __sk_buff *skb, struct tcctl_decap *d, const struct tcctl_tunnel *row, __u32 at,
				       __u32 next)
{
#pragma clang loop unroll(full)
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		__u32 w, len;

		if (!next)
			break;
		if (at + 4 > d->end || !tcctl_read_slow(skb, at, &w, 1))
			break;
		w = bpf_ntohl(w);
		len = (w >> 24) * 4;
		if (!len || at + len > d->end)
			break;
		if (next == GTPU_PDU_SESSION) {
			if (d->flags & TCCTL_TF_QFI_IN)
				d->dscp = tcctl_octet(skb, row, dscp_of_qfi, w >> 8);
		} else if (next & 0x80) {
			break;
		}
		at += len;
		if (!tcctl_read_slow(skb, at - 4, &w, 1))
			break;
		at = tcctl_forget(skb, at);
		next = tcctl_forget(skb, bpf_ntohl(w) & 0xff);
	}
	d->inner = tcctl_forget(skb, at);
	return !tcctl_forget(skb, next);
}

static __always_inline int run(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_decap *d;
	__u32 w, end;

	tcctl_count(skb, TCCTL_CNT_UDP + TCCTL_UDP_GTPU);
	d = tcctl_decap_begin_udp(skb, TCCTL_TYPE(TCCTL_T_GTPU), 4, 8);
	if (!d)
		return tcctl_decap_not(skb, TCCTL_TYPE(TCCTL_T_GTPU), TCCTL_IP_UDP);
	w = bpf_ntohl(d->h[2]);
	if (tcctl_unlikely((w & GTPU_VERSION) != GTPU_V1))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	if (tcctl_unlikely((w >> 16 & 0xff) != GTPU_G_PDU))
		return tcctl_handled(skb);
	end = tcctl_l4(skb) + 16 + (w & 0xffff);
	if (tcctl_unlikely(tcctl_field(skb, gso_size) && !(w & 0xffff)))
		end = d->end;
	if (tcctl_unlikely(end > d->end || (w & GTPU_OPTIONAL && tcctl_l4(skb) + 20 > end)) && !tcctl_decap_is_part(skb))
		return tcctl_decap_leave(skb, TCCTL_R_TUNNEL_BAD);
	d->end = end;
	row = tcctl_decap_find(skb, d, TCCTL_T_GTPU, tcctl_flags(skb) & TCCTL_F_IPV4, tcctl_dport(skb), bpf_ntohl(d->h[3]), 0);
	if (tcctl_unlikely(!row))
		return tcctl_decap_stranger(skb, d, TCCTL_T_GTPU);
	if (tcctl_decap_is_part(skb))
		return tcctl_decap_part(skb);
	if (tcctl_decap_lacks_csum(d, tcctl_decap_has_csum(d)))
		return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_CSUM);
	d->kind = TCCTL_INNER_GUESS;
	d->inner = tcctl_l4(skb) + 16;
	w = bpf_ntohl(d->h[2]);
	if (w & GTPU_OPTIONAL) {
		d->inner += 4;
		if (w & GTPU_E) {
			if (!tcctl_read_slow(skb, tcctl_l4(skb) + 16, &w, 1) ||
			    !extensions(skb, d, row, tcctl_l4(skb) + 20, bpf_ntohl(w) & 0xff))
				return tcctl_decap_drop(skb, d, row, TCCTL_TUN_RX_BAD);
		}
	}
	return tcctl_decap_finish(skb, d, row, 16, TCCTL_DECAP_L4_UDP, TCCTL_DECAP_CSUM);
}

TCCTL_PROGRAM_LONG(gtpu, run, TCCTL_PARSED_L4)
