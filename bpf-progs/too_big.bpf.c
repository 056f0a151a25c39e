/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the encap stage: a packet does not fit into its tunnel. Its sender gets "fragmentation needed" (ICMP 3/4,
 * RFC 1191) or "packet too big" (ICMPv6 2/0, RFC 8201), made out of the packet itself: cut, moved back, addresses
 * swapped. It comes from the address that the packet was for; that one is certain to have a way back.
 *
 *	way in    out of the device that the packet came in by
 *	way out   into the device that it would have left by, as if the next router had said it
 *
 * IPv4 without DF is answered too: it cannot be fragmented here, and hosts that hear of the MTU do it themselves.
 */
#include "tcctl/encap.h"

#define L3 TCCTL_DATA_OFFSET
#define ANSWERS 100		  /* a second and CPU */
#define QUOTE4 548		  /* with the new header 576 bytes */
#define QUOTE6 1232		  /* 1280 bytes */

static __always_inline bool may_answer(struct tcctl_encap *s)
{
	__u64 now = bpf_ktime_get_ns(), since = now - s->refill;

	if (since > 1000000000) {
		s->refill = now;
		s->answers = ANSWERS;
	}
	if (!s->answers)
		return false;
	s->answers--;
	return true;
}

/* RFC 1122 3.2.2, RFC 4443 2.4 e: not about errors, not to or from groups, not about later fragments. */
static __always_inline bool is_answerable(struct __sk_buff *skb, const __u32 *w, bool v6)
{
	__u32 flags = tcctl_flags(skb), type = tcctl_icmp_type(skb), src, dst;

	if (flags & TCCTL_F_LATER || (skb->pkt_type != 0 && skb->pkt_type != 3 && skb->pkt_type != 4))
		return false; /* PACKET_HOST, _OTHERHOST, _OUTGOING */
	if (v6) {
		src = bpf_ntohl(w[2]);
		dst = bpf_ntohl(w[6]);
		if (src >> 24 == 0xff || dst >> 24 == 0xff || !(w[2] | w[3] | w[4] | w[5]))
			return false;
		if (tcctl_proto(skb) == TCCTL_IP_ICMPV6)
			return flags & TCCTL_F_ICMP && type >= 128;
		return true;
	}
	src = bpf_ntohl(w[3]);
	dst = bpf_ntohl(w[4]);
	if (src >> 28 >= 0xe || dst >> 28 >= 0xe || !(src >> 24) || src >> 24 == 127)
		return false;
	if (tcctl_proto(skb) == TCCTL_IP_ICMP) /* queries and their answers */
		return flags & TCCTL_F_ICMP && (type == 0 || type == 8 || (type >= 13 && type <= 18));
	return true;
}

/*
 * Sum of the `len` bytes from l3 on as they will be sent. Where a TCP or UDP checksum was left to the device
 * (CHECKSUM_PARTIAL), that fills it in even here, inside the quoted packet, over what is left of it: then all from L4 on
 * sums up to the complement of what is in its place now, the pseudo header's sum.
 */
static __always_inline __s64 quote_sum(struct __sk_buff *skb, struct tcctl_encap *s, const __u32 *w, __u32 len, bool v6)
{
	__u32 l4 = tcctl_l4(skb), proto = tcctl_proto(skb), total, check[1], at = 0, end = L3 + len;
	__u64 pseudo;
	__s64 sum;

	if (l4 && proto == TCCTL_IP_TCP)
		at = l4 + 16;
	else if (l4 && proto == TCCTL_IP_UDP)
		at = l4 + 6;
	if (at && !(tcctl_flags(skb) & TCCTL_F_FRAG) && at + 2 <= end && tcctl_read_slow(skb, at - 2, check, 1)) {
		total = s->mtu; /* length of the packet, left there by the caller */
		if (v6) {
			pseudo = 0;
			for (int i = 2; i < 10; i++)
				pseudo += w[i];
		} else {
			pseudo = (__u64)w[3] + w[4];
		}
		pseudo += bpf_htonl(proto) + (__u64)bpf_htonl(L3 + total - l4);
		check[0] = bpf_htons(bpf_ntohl(check[0]) & 0xffff);
		if (tcctl_fold(pseudo) == check[0] && check[0]) {
			sum = tcctl_sum(skb, s, L3, l4, 1);
			return sum < 0 ? sum : sum + (~check[0] & 0xffff);
		}
	}
	return tcctl_sum(skb, s, L3, end, QUOTE6 / TCCTL_SUM_CHUNK);
}

/* Makes the answer; -1: cannot be done, the packet is spoilt. */
static __always_inline int answer(struct __sk_buff *skb, struct tcctl_encap *s, const __u32 *w, __u32 mtu, bool v6)
{
	__u32 len = skb->len - L3, quote = v6 ? QUOTE6 : QUOTE4, room = v6 ? 48 : 28, i;
	__u8 *out = s->frame;
	__u64 store = room;
	__s64 sum;

	s->mtu = len;
	if (len > quote)
		len = quote;
	len = tcctl_forget(skb, len);
	/* also where nothing is cut: it makes one packet of what were many segments */
	if (bpf_skb_change_tail(skb, L3 + len, 0))
		return -1;
	sum = quote_sum(skb, s, w, len, v6);
	if (sum < 0)
		return -1;
	if (bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0))
		return -1;
	for (i = 0; i < 12; i++)
		((__u32 *)out)[i] = 0;
	if (v6) {
		((__u32 *)out)[0] = bpf_htonl(0x60000000);
		((__u32 *)out)[1] = bpf_htonl((len + 8) << 16 | TCCTL_IP_ICMPV6 << 8 | 64);
		for (i = 0; i < 4; i++) {
			((__u32 *)out)[2 + i] = w[6 + i];
			((__u32 *)out)[6 + i] = w[2 + i];
		}
		((__u32 *)out)[10] = bpf_htonl(2 << 24);
		((__u32 *)out)[11] = bpf_htonl(mtu < 1280 ? 1280 : mtu);
		for (i = 2; i < 12; i++)
			sum += ((__u32 *)out)[i];
		sum += bpf_htonl(len + 8) + (__u64)bpf_htonl(TCCTL_IP_ICMPV6);
		*(__u16 *)(out + 42) = ~tcctl_fold(sum);
	} else {
		((__u32 *)out)[0] = bpf_htonl(0x45000000 | (len + 28));
		((__u32 *)out)[2] = bpf_htonl(64 << 24 | TCCTL_IP_ICMP << 16);
		((__u32 *)out)[3] = w[4];
		((__u32 *)out)[4] = w[3];
		*(__u16 *)(out + 10) = ~tcctl_fold((__u64)((__u32 *)out)[0] + ((__u32 *)out)[2] + w[3] + w[4]);
		((__u32 *)out)[5] = bpf_htonl(3 << 24 | 4 << 16);
		((__u32 *)out)[6] = bpf_htonl(mtu);
		sum += (__u64)((__u32 *)out)[5] + ((__u32 *)out)[6];
		*(__u16 *)(out + 22) = ~tcctl_fold(sum);
	}
	asm volatile("%0 &= 63" : "+r"(store));
	if (!store || bpf_skb_store_bytes(skb, L3, out, store, BPF_F_RECOMPUTE_CSUM))
		return -1;
	if (!(cfg.flags & TCCTL_CFG_RAW)) {
		__u16 *mac = (__u16 *)tcctl_data_at(skb, 0);

		if ((__u8 *)mac + 14 > tcctl_data_end(skb))
			return -1;
		for (i = 0; i < 3; i++) {
			__u16 swap = mac[i];

			mac[i] = mac[3 + i];
			mac[3 + i] = swap;
		}
	}
	return 0;
}

SEC("tc")
int too_big(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_encap *s;
	__u32 w[10] = {}, mtu, flags, egress = tcctl_hook(skb) & TCCTL_HOOK_EGRESS;
	bool v6;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_TOO_BIG);
	s = tcctl_encap_state();
	row = s ? tcctl_encap_row(skb, s) : NULL;
	if (!row || !row->type || !s->id)
		return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
	flags = tcctl_flags(skb);
	mtu = s->mtu;
	v6 = flags & TCCTL_F_IPV6;
	/* behind tags in the frame there is no making room */
	if (!(row->flags & TCCTL_TF_ANSWER) || !(flags & (TCCTL_F_IPV4 | TCCTL_F_IPV6)) || tcctl_l3(skb) != L3)
		goto drop;
	if (v6) {
		if (!tcctl_read_l3(skb, L3, w, 10) || !is_answerable(skb, w, true) || !may_answer(s))
			goto drop;
	} else {
		if (!tcctl_read_l3(skb, L3, w, 5) || !is_answerable(skb, w, false) || !may_answer(s))
			goto drop;
	}
	/* The packet did not go: counted as it was. */
	tcctl_count_id(skb, row->counters + TCCTL_TUN_TX_MTU);
	if (v6 ? answer(skb, s, w, mtu, true) : answer(skb, s, w, mtu, false)) {
		tcctl_clear(skb);
		return TC_ACT_SHOT;
	}
	tcctl_count_id(skb, row->counters + TCCTL_TUN_TX_ANSWERED);
	return tcctl_redirect(skb, skb->ifindex, egress ? BPF_F_INGRESS : 0);
drop:
	return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_MTU);
}
