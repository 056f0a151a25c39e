#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `mode: metadata`: the kernel's device made with `external` adds and takes the header, tcctl says what is in it and decides by what
# was. At the other end a device of the kernel's with all that fixed.
#   client ---- near [tcctl: x1 x2 …, external] ======== far [t1 t2 …: the kernel's]
# also-vm: full
# modules: vxlan geneve ipip ip6_tunnel ip_gre ip6_gre veth sch_ingress cls_bpf
# timeout: 240
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
tunnel_topo
for c in $(tunnel_cases "$EXTERNAL_CASES" "vxlan-4 vxlan-csum-6 vxlan-gbp-4"); do
	if [[ $c = ipip-in6-6 && ! $EXTERNAL_LOCAL ]]; then
		skip "$c external" "an ip6tnl device that can be told its local address: Linux 6.0"
	else
		tunnel_add "$c" external
	fi
done
tunnel_start

# One packet each, to see whom it is from.
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	to=10.8.$I.2
	[[ $INNER = *4* ]] || to=fd00:8:0:$I::2
	capture_start wire far u0 "dst host $B and not arp and not icmp6"
	wait_until 5 in_ns near ping -qc1 -W1 $to
	capture_stop wire 1
	check_match "$CASE external: it gets through" "$(capture_count wire)" '^[1-9]'
	check_eq "$CASE external: from local" "$(capture_count wire "not src host $A")" 0
done
tunnel_check
