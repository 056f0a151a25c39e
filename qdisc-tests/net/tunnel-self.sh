#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels between two tcctl, every type over both families, on any kernel: what is encapsulated by one is taken apart by the
# other, whole segments included, and nothing larger or smaller than it should be gets through.
#   client ---- near [tcctl] ======== far [tcctl]
# timeout: 180
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
cases="gtpu-4 gtpu-6 gtpu-pdu-4 gtpu-pdu-6 ipip-4 ipip-6 ipip-in4-4 ipip-in6-4 gre-4 gre-6 gre-key-4 fou-in4-4 fou-in6-4
	gue-4 mpls-gre-4 mpls-gre-6 mpls-udp-4 mpls-udp-6 mpls-udp-stack-4 geneve-ip-4 geneve-ip-6
	vxlan-4 geneve-6 geneve-options-4 gretap-key-4"
tunnel_topo
for c in ${CASES:-$cases}; do
	case $c in
	gtpu*) tunnel_add "$c" pair pair ;; # its header tells the length of each packet
	geneve-[46] | geneve-options* | vxlan* | gretap*) tunnel_add "$c" device device ;;
	*) tunnel_add "$c" direct direct ;;
	esac
done
tunnel_start
tunnel_check
