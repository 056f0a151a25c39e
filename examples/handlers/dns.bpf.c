/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handler of a UDP port: counts DNS queries and answers, and drops queries of type ANY for the root name, a
 * favourite of amplification attacks. Everything else goes on to the stages.
 *
 *	bpftool map dump name dns_counters
 */
#include <tcctl/handler.h>

/* The first slot for ports of a configuration. tcctl sets the slot it really uses; this is for stock tc. */
TCCTL_SLOT(TCCTL_UDP_USER);

enum { DNS_QUERIES, DNS_ANSWERS, DNS_DROPPED, DNS_MAX };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DNS_MAX);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} dns_counters SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&dns_counters, &what);

	if (n)
		++*n;
}

SEC("tc")
int dns(struct __sk_buff *skb)
{
	__u8 h[17]; /* header, empty name, type, class */

	tcctl_udp_begin(skb);
	if (!tcctl_l4(skb) || bpf_skb_load_bytes(skb, tcctl_l4(skb) + 8, h, sizeof(h)))
		return tcctl_handled(skb); /* too short to judge */
	if (h[2] & 0x80) {
		count(DNS_ANSWERS);
		return tcctl_handled(skb);
	}
	count(DNS_QUERIES);
	if (h[12] == 0 && h[13] == 0 && h[14] == 255) {
		count(DNS_DROPPED);
		return tcctl_drop(skb, TCCTL_R_RULE_DROP);
	}
	return tcctl_handled(skb);
}
