#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The topology of the tunnel tests and their traffic, with the kernel's own device at both ends: what they ask of tcctl
# is what the kernel does with itself. On hosts with few kinds of devices VXLAN speaks for all.
#   client ---- near [t1 t2 …] ======== [t1 t2 …] far
# also-vm: full
# modules: vxlan ipip sit ip6_tunnel ip_gre ip6_gre geneve fou fou6 mpls_router mpls_iptunnel mpls_gso 8021q gtp veth
# timeout: 240
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$EXCHANGE"
tunnel_topo
for c in $(tunnel_cases "$TUNNEL_CASES" "$TUNNEL_HERE"); do
	tunnel_can "$c" && tunnel_add "$c" kernel
done
tunnel_start
tunnel_check
