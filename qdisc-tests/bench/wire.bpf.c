// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A patch cable: what comes in goes out of the device whose number is the filter's classid (1:IFINDEX). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int wire(struct __sk_buff *skb)
{
	__u32 device = skb->tc_classid & 0xffff;

	skb->tc_classid = 0;
	return bpf_redirect(device, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
