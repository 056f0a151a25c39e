#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# UDP in one piece (UDP_SEGMENT) from a kernel's tunnel on the same host: what is lost behind the tunnel, for want of a kernel that
# can be told that the packet has left it, is counted; and nothing is lost where it is cut before.
#   client ---- near [tcctl] ======== far [the kernel's vxlan, geneve and gre]
# timeout: 90
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
need_cmd ethtool
PIECES=16 BURSTS=5
cases="vxlan-4 vxlan-6"
has_link geneve && cases+=" geneve-4"
has_link gretap && cases+=" gretap-4"
tunnel_topo
for c in $cases; do tunnel_add "$c" device; done
tunnel_start
uncut() { "$TCCTL" status -j --netns near | jq '[.. | objects | select(.name? == "tunnel-uncut") | .packets] | add // 0'; }
knows() { "$TCCTL" doctor -j | jq -e '.findings[] | select(.name == "decap-segments") | .state == "ok"' >/dev/null; }
# Datagrams of all bursts from far to the client that arrived.
back() {
	"$EXCHANGE" -a client -b far -4 "10.7.$I.1,10.8.$I.2" -m $MTU -l 1000 -f -t 5 "$CASE" >"$T/exchange"
	if grep -q "^ok - .*pieces of $PIECES back" "$T/exchange"; then
		echo $((PIECES * BURSTS))
	else
		sed -nE "s/^not ok - .*pieces of $PIECES back: ([0-9]+) of $((PIECES * BURSTS)) .*/\\1/p" "$T/exchange"
	fi
}
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	before=$(uncut)
	arrived=$(back)
	lost=$(($(uncut) - before))
	check_eq "$CASE: what did not arrive was counted" "$((arrived + PIECES * lost))" $((PIECES * BURSTS))
	if [[ $KIND = gretap ]] || knows; then
		check_eq "$CASE: all arrived" "$arrived" $((PIECES * BURSTS))
	else
		check_eq "$CASE: lost, as doctor says" "$arrived" 0
	fi
done
must in_ns far ethtool -K u0 tx-udp-segmentation off >/dev/null
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	before=$(uncut)
	check_eq "$CASE, cut where it leaves: all arrived" "$(back)" $((PIECES * BURSTS))
	check_eq "$CASE: none counted" "$(uncut)" "$before"
done
