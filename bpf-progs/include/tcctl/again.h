/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Copies that the kernel has to find the next hop for. A program can ask that for its own packet only (bpf_redirect_neigh() is a
 * verdict), so such a copy is sent through the hook itself, and there is the program's own packet:
 *
 *	flood    notes the copy, marks it, bpf_clone_redirect() to this device in the hook's direction
 *	entry    sees the mark, and jumps to flood in place of a handler
 *	flood    finds the copy in its notes, restores what the context was, and jumps to the end, which sends it
 *
 * At egress all of that happens inside the call. At ingress the copy waits in this CPU's queue of received packets.
 *
 * The mark (skb->mark, and skb->tc_index for the place of the note) can be imitated by who sets them, so it only says where to
 * look: a packet whose headers are not those of the note is not one of ours. Per CPU; where received packets
 * change the CPU (RPS) copies at ingress are not found and left to the stack, without having been classified.
 *
 * A note waits for its copy, and no other takes its place: there are as many as the queue has packets (net.core.netdev_max_backlog,
 * 1000), and what would be one more is not sent. A copy that was lost in between leaves its note behind for some ticks.
 */
#ifndef TCCTL_AGAIN_H
#define TCCTL_AGAIN_H

#include "tcctl/encap.h"

#define TCCTL_AGAINS 1024 /* copies that wait on a CPU; a power of two */
#define TCCTL_AGAIN_TICKS 16 /* of the kernel's clock that a note waits: 16 to 160 ms, by CONFIG_HZ */

struct tcctl_again {
	__u32 words[10]; /* of the packet from the outer IP header on; IPv4: UDP and the tunnel's header with it */
	__u32 offsets, proto, ports, class; /* context; class is 0 when no copy waits */
	__u32 made; /* bpf_jiffies64(), low bits */
	__u32 wire; /* of its segments: others may be encapsulated before it is back */
	__u32 mark, priority, tc_index; /* as they were; the kernel clears the priority of what comes in */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TCCTL_AGAINS);
	__type(key, __u32);
	__type(value, struct tcctl_again);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} agains SEC(".maps") __weak;

/* Send a copy of the encapsulated packet through this hook once more. 0, or not: too many wait, or the kernel refused it. */
static __always_inline long tcctl_again_send(struct __sk_buff *skb, struct tcctl_encap *s)
{
	__u32 mark = skb->mark, tc_index = skb->tc_index, now = bpf_jiffies64(), w[10];
	struct tcctl_again *a;
	long err;

	s->again = (s->again + 1) % TCCTL_AGAINS;
	a = bpf_map_lookup_elem(&agains, &s->again);
	if (!a || (a->class && now - a->made < TCCTL_AGAIN_TICKS) || !tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 10))
		return -1;
	for (int i = 0; i < 10; i++)
		a->words[i] = w[i];
	a->offsets = tcctl_cb(skb, TCCTL_CB_OFFSETS);
	a->proto = tcctl_cb(skb, TCCTL_CB_PROTO);
	a->ports = tcctl_cb(skb, TCCTL_CB_PORTS);
	a->class = tcctl_cb(skb, TCCTL_CB_CLASS);
	a->made = now;
	a->wire = s->wire;
	a->mark = mark;
	a->priority = skb->priority;
	a->tc_index = tc_index;
	skb->mark = TCCTL_AGAIN;
	skb->tc_index = s->again;
	err = tcctl_clone_redirect(skb, skb->ifindex, tcctl_hook(skb) & TCCTL_HOOK_EGRESS ? 0 : BPF_F_INGRESS);
	skb->mark = mark;
	skb->tc_index = tc_index;
	if (err)
		a->class = 0;
	return err;
}

/* A packet with the mark: a copy that waits? Its context is restored then. */
static __always_inline bool tcctl_again_take(struct __sk_buff *skb, struct tcctl_encap *s)
{
	struct tcctl_again *a;
	__u32 w[10];

	s->id = skb->tc_index; /* a key outside of the stack */
	a = bpf_map_lookup_elem(&agains, &s->id);
	if (!a || !a->class || !tcctl_read_l3(skb, TCCTL_DATA_OFFSET, w, 10))
		return false;
	for (int i = 0; i < 10; i++)
		if (a->words[i] != w[i])
			return false;
	tcctl_cb_set(skb, TCCTL_CB_OFFSETS, a->offsets);
	tcctl_cb_set(skb, TCCTL_CB_PROTO, a->proto);
	tcctl_cb_set(skb, TCCTL_CB_PORTS, a->ports);
	tcctl_cb_set(skb, TCCTL_CB_CLASS, a->class);
	a->class = 0; /* once */
	s->wire = a->wire;
	skb->mark = a->mark;
	skb->priority = a->priority;
	skb->tc_index = a->tc_index;
	return true;
}

#endif
