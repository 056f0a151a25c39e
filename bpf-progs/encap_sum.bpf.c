/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the encap stage, for tunnels with a checksum over the payload (UDP and GRE with `csum: true`): sums the payload
 * up and leaves the result in `encaps`. Then the outer header, as ever. Not for GSO packets.
 */
#include "tcctl/encap.h"

#define SUM_CHUNKS 19 /* 10 KiB: jumbo frames; what is bigger was TCP or UDP, most of which is not read */

/*
 * End of the IP packet at l3 (offset) when it is TCP or UDP with a checksum, with the sum of its pseudo header; else 0.
 *
 * Such a packet's L4 header and payload sum up to the complement of the pseudo header, whether the checksum is there or
 * left to the device (CHECKSUM_PARTIAL). That saves reading them, and is the only way to get it right in the second
 * case.
 */
static __always_inline __u32 l4_end(struct __sk_buff *skb, const struct tcctl_encap *s, __u32 l3, __u64 *ret_pseudo)
{
	__u32 l4 = tcctl_l4(skb), flags = tcctl_flags(skb), proto = tcctl_proto(skb), end, w[2];
	__u64 pseudo;

	if (!l4 || flags & TCCTL_F_FRAG || (proto != TCCTL_IP_TCP && proto != TCCTL_IP_UDP))
		return 0;
	if (s->kind == TCCTL_F_IPV4) {
		end = l3 + (bpf_ntohl(s->w[0]) & 0xffff);
		pseudo = (__u64)s->w[3] + s->w[4];
	} else {
		end = l3 + 40 + (bpf_ntohl(s->w[1]) >> 16);
		pseudo = 0;
		for (int i = 2; i < 10; i++)
			pseudo += s->w[i];
	}
	if (end < l4 + 8 || end > skb->len)
		return 0;
	if (proto == TCCTL_IP_UDP && (!tcctl_read_slow(skb, l4, w, 2) || !(bpf_ntohl(w[1]) & 0xffff)))
		return 0;
	*ret_pseudo = pseudo + bpf_htonl(proto) + (__u64)bpf_htonl(end - l4);
	return end;
}

/* Sum of what the tunnel carries, folded; -1: cannot be told. */
static __always_inline __s64 payload_sum(struct __sk_buff *skb, struct tcctl_encap *s, bool eth)
{
	__u32 l3 = tcctl_l3(skb), l4 = tcctl_l4(skb), end;
	__u64 pseudo = 0, tag = 0;
	__s64 sum, rest;

	end = l4_end(skb, s, l3, &pseudo);
	end = tcctl_forget(skb, end);
	if (eth && skb->vlan_present) /* it will be in the frame */
		tag = (__u64)(skb->vlan_proto & 0xffff) + bpf_htons(skb->vlan_tci);
	tag = tcctl_forget(skb, tag);
	sum = tcctl_sum(skb, s, eth ? 0 : l3, end ? l4 : skb->len, SUM_CHUNKS);
	if (sum < 0)
		return -1;
	sum += tag;
	if (end) {
		rest = tcctl_sum(skb, s, end, skb->len, 1); /* padding, which may begin at an odd offset */
		if (rest < 0)
			return -1;
		rest = tcctl_fold(rest);
		if ((end - l3) & 1)
			rest = (rest & 0xff) << 8 | rest >> 8;
		sum += rest + (tcctl_fold(pseudo) ^ 0xffff);
	}
	return tcctl_fold(sum);
}

SEC("tc")
int encap_sum(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_encap *s;
	__s64 sum;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_ENCAP_SUM);
	s = tcctl_encap_state();
	row = s ? tcctl_encap_row(skb, s) : NULL;
	if (!row || !s->id)
		return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
	sum = payload_sum(skb, s, row->flags & TCCTL_TF_INNER_ETH);
	if (sum >= 0) {
		s->sum = sum;
		s->flags |= TCCTL_EN_SUM;
	}
	tcctl_jump(skb, jt_stage, TCCTL_STAGE_ENCAP_HEADER);
	tcctl_count(skb, TCCTL_CNT_EMPTY_STAGE + TCCTL_STAGE_ENCAP_HEADER);
	return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
}
