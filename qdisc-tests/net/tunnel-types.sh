#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels of tcctl at one end, the kernel's own devices at the other: every kind that the kernel has, each with a device
# and without where that goes, all in one pipeline. On hosts with few kinds of devices that is VXLAN.
#   client ---- near [tcctl] ======== far [t1 t2 …: the kernel's]
# also-vm: full
# modules: vxlan ipip sit ip6_tunnel ip_gre ip6_gre geneve fou fou6 mpls_router mpls_iptunnel mpls_gso 8021q gtp veth sch_ingress cls_bpf
# timeout: 360
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
tunnel_topo
for c in $(tunnel_cases "$TUNNEL_CASES" "$TUNNEL_HERE"); do
	tunnel_can "$c" || continue
	for n in $(tunnel_nears "$c"); do tunnel_add "$c" "$n"; done
done
tunnel_start
tunnel_check
