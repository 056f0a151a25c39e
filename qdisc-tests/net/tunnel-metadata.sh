#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `mode: metadata`: the kernel's device made with `external` adds and takes the header, tcctl says what is in it and decides by what
# was. At the other end a device of the kernel's with all that fixed. First for what the host's stack sends through that device,
# then for what comes in by another one and never sees the stack.
#   client ---- lan0 near [tcctl: x1 x2 …, external] ======== far [t1 t2 …: the kernel's]
# also-vm: full
# modules: vxlan geneve ipip ip6_tunnel ip_gre ip6_gre veth sch_ingress cls_bpf
# timeout: 360
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
go() { # NEAR CASE…
	local near=$1 c to
	shift
	tunnel_topo
	_n=0
	for c; do
		if [[ $c = ipip-in6-6 && ! $EXTERNAL_LOCAL ]]; then
			skip "$c $near" "an ip6tnl device that can be told its local address: Linux 6.0"
		else
			tunnel_add "$c" "$near"
		fi
	done
	tunnel_start
	# One packet each, to see whom it is from.
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		to=10.8.$I.2
		[[ $INNER = *4* ]] || to=fd00:8:0:$I::2
		capture_start wire far u0 "dst host $B and not arp and not icmp6"
		wait_until 5 in_ns client ping -qc1 -W1 $to
		capture_stop wire 1
		check_match "$CASE $near: it gets through" "$(capture_count wire)" '^[1-9]'
		check_eq "$CASE $near: from local" "$(capture_count wire "not src host $A")" 0
	done
	tunnel_check
	ns_del client near far
}
go external $(tunnel_cases "$EXTERNAL_CASES" "vxlan-4 vxlan-csum-6 vxlan-gbp-4")
go lan $(tunnel_cases "vxlan-4 geneve-csum-6 gre-key-4 gretap-key-4 ipip-in4-4 ipip-in6-6" "vxlan-4 vxlan-csum-6")
