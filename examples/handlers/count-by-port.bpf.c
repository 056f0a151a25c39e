/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stage of one's own: counts packets by destination port. docs/handlers.md builds and runs it.
 *
 *	bpftool map dump name port_packets
 */
#include <tcctl/handler.h>

/* Behind the classifier. tcctl sets the slot it really uses; this is for stock tc. */
TCCTL_SLOT(TCCTL_STAGE_CLASSIFY + 1);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* protocol << 16 | port */
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} port_packets SEC(".maps");

SEC("tc")
int count_by_port(struct __sk_buff *skb)
{
	__u64 one = 1, *n;
	__u32 key;

	tcctl_stage_begin(skb);
	if (tcctl_flags(skb) & TCCTL_F_PORTS) {
		key = tcctl_proto(skb) << 16 | tcctl_dport(skb);
		n = bpf_map_lookup_elem(&port_packets, &key);
		if (n)
			__sync_fetch_and_add(n, 1);
		else
			bpf_map_update_elem(&port_packets, &key, &one, BPF_ANY);
	}
	return tcctl_next(skb);
}
