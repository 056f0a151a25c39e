/* SPDX-License-Identifier: GPL-2.0-only */
/* What the observer programs hand to qt: a packet as it was where they saw it. Host byte order. */
#ifndef QT_OBSERVE_H
#define QT_OBSERVE_H

#include <linux/types.h>

#define OBSERVED_DATA 16384

/* Where a packet can be seen. */
enum observe_place {
	OBSERVE_FREED, /* mode prog: when the kernel frees the packet after the run */
	OBSERVE_NEXT,  /* mode net: the next filter of the hook, that is, the verdict was to go on there */
	OBSERVE_STACK, /* behind the hook: the bridge above the device (ingress), the root qdisc (egress) */
	OBSERVE_OUT,   /* the bridge's other port (ingress) */
	OBSERVE_MAX,
};

struct observed {
	__u64 count; /* packets seen so far */
	__u64 tstamp;
	__u32 mark, priority, len, known; /* known: bytes of data */
	__u32 cb[5];
	__u16 tc_index, queue_mapping, tc_classid, vlan_tci;
	__u16 vlan_proto, pad[5]; /* vlan_proto in network order; 0: no tag beside the packet */
	__u8 data[OBSERVED_DATA];
};

#endif
