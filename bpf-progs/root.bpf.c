/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root of a hook: the only program that is attached for good. Counts the hook's packets, starts the packet
 * context and jumps to the entry of the running generation. Changing what a pipeline does never touches it.
 */
#define TCCTL_RODATA
#define TCCTL_WANT_JT_ROOT
#define TCCTL_WANT_COUNTERS
#define TCCTL_WANT_CTL
#include "tcctl/handler.h"

static __always_inline struct tcctl_counter *hook_counter(__u32 index)
{
	__u64 key = TCCTL_KEY(TCCTL_HOOK_COUNTER(index) % TCCTL_CHUNK), chunk;
	void *map;

	if (tcctl_likely(index < TCCTL_HOOKS_FIXED))
		return bpf_map_lookup_elem(&counters_fixed, &key);
	chunk = TCCTL_KEY(TCCTL_CHUNK_HOOKS + index / TCCTL_CHUNK);
	map = bpf_map_lookup_elem(&counters, &chunk);
	return map ? bpf_map_lookup_elem(map, &key) : NULL;
}

SEC("tc")
int root(struct __sk_buff *skb)
{
	/* cls_bpf presets tc_classid from the filter's classid: a constant per hook that costs nothing. */
	__u32 hook = skb->tc_classid & 0xffff;
	const struct tcctl_ctl *c = bpf_map_lookup_elem(&ctl, (const void *)&tcctl_key[0]);
	__u32 generation = c ? c->generation & 0xff : 0;
	struct tcctl_counter *counter;

	counter = hook_counter(hook >> TCCTL_HOOK_INDEX_SHIFT);
	if (tcctl_likely(counter))
		tcctl_counter_add(skb, counter);
	tcctl_cb_set(skb, TCCTL_CB_GUARD, TCCTL_CB_MAGIC << 24 | generation << 16 | hook);
	tcctl_cb_set(skb, TCCTL_CB_OFFSETS, 0);
	tcctl_cb_set(skb, TCCTL_CB_PROTO, 0);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, 0);
	tcctl_cb_set(skb, TCCTL_CB_CLASS, 0);
	skb->tc_classid = 0;
	tcctl_jump(skb, jt_root, TCCTL_ROOT_CURRENT);
	/* Nothing loaded: always "continue", whatever the configuration says, as if no filter were here. */
	tcctl_count(skb, TCCTL_CNT_REASON + TCCTL_R_ROOT_EMPTY);
	tcctl_clear(skb);
	return TC_ACT_UNSPEC;
}
