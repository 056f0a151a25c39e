#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels where each packet needs a header of its own, with devices that tcctl makes: aggregates that are forwarded (the
# client segments nothing itself) are cut before they get a header, so that TCP in bulk arrives, every byte of it.
#   client ---- near [tcctl] ======== far [tcctl]
# timeout: 180
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
need_cmd tcpdump
cases="gre-all-4 gre-all-6 gre-csum-4 gre-seq-6 gtpu-4 gtpu-6 gtpu-pdu-4 vxlan-csum-6 vxlan-csum-4 geneve-csum-6 fou-in4-6"
tunnel_topo
for c in ${CASES:-$cases}; do tunnel_add "$c" made made; done
tunnel_start
capture_start wire far u0 -s 100 udp or '(ip6 and ip6[6] == 17)'
tunnel_check
capture_stop wire
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	[[ $KIND = *-csum && $PORT || $KIND = fou* ]] || continue
	filter="ip dst $B and udp dst port $PORT" sum="udp[6:2] == 0"
	[[ $OUTER = 6 ]] && filter="ip6 dst $B and ip6[6] == 17 and ip6[42:2] == $PORT" sum="ip6[46:2] == 0"
	check "$CASE: data was captured" test "$(capture_count wire "$filter")" -gt 1000
	check_eq "$CASE: none without UDP checksum" "$(capture_count wire "$filter and $sum")" 0
done
status=$(grep -E 'tx-failed|rx-csum|rx-bad' "$T/status")
check_eq "nothing was dropped for want of a header" "$status" ""
