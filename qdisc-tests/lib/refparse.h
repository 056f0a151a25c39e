/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference for the dispatcher: what a packet's context and counters must be, in plain C and written apart
 * from the BPF sources. Only tcctl/abi.h is shared, because that is the contract.
 */
#ifndef QDISC_TESTS_REFPARSE_H
#define QDISC_TESTS_REFPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcctl/abi.h"

struct ref_result {
	bool staged;	/* went to the first stage; else straight out */
	uint32_t cb[5]; /* as the first stage sees it, class and guard 0 */
	uint8_t counted[TCCTL_CNT_FIXED_MAX]; /* how often each fixed counter moved */
};

/* `ethertype` is what the stack says of a device without an L2 header (`l2` false). Slots of jt_udp count as empty. */
void ref_parse(const uint8_t *data, size_t len, bool l2, uint16_t ethertype, struct ref_result *ret);

#endif
