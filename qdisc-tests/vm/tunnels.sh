#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels of tcctl at one end, devices that only other kernels have at the other: one of each kind. All of them, with every
# option, are in net/tunnel-types.sh, which `make test-vm` runs here as well.
#   client ---- near [tcctl] ======== far [t1 t2 …: the kernel's]
# vm: 5.10 6.1 6.12
# modules: vxlan ipip sit ip6_tunnel ip_gre ip6_gre geneve fou fou6 mpls_router mpls_iptunnel mpls_gso 8021q gtp veth sch_ingress cls_bpf
# timeout: 180
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
tunnel_topo
for c in ipip-4 ipip-6 ipip-in6-4 gre-4 gre-key-6 gue-4 fou-in4-4 mpls-gre-4 mpls-udp-4; do tunnel_add $c direct; done
tunnel_add gretap-key-4 device
tunnel_add geneve-6 device
tunnel_add gre-all-4 made
tunnel_add vlan-4 port
tunnel_add qinq-4 port
tunnel_add gue-6 made
tunnel_add fou-in6-6 made
tunnel_can gtpu-in4-4 && tunnel_add gtpu-in4-4 made
tunnel_add geneve-csum-6 external
tunnel_start
tunnel_check
