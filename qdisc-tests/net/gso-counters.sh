#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Counters tell what is on the wire: TCP in GSO packets of 64 KiB is counted on its way into the router; behind the
# router, where the packets are cut up, a capture counts frames and bytes. Both must agree to the byte.
#
#   client c0 --64 KiB--> r0 router r1 --1500 bytes--> s0 server
#                         [counters]                   [tcpdump]
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "${0%/*}/../lib/stock.sh"
need_cmd jq
need_file "$BPF/root.bpf.o" "$PKT"
topo_router
in_ns router tc qdisc add dev r0 clsact
stock_pipeline router r0 ingress 4 "$BPF/end.bpf.o:end:24"
for d in "client c0" "router r0"; do offloads $d on; done
for d in "router r1" "server s0"; do offloads $d off; done

counter() { # INDEX: packets segments bytes
	bpftool -j map lookup pinned $G/counters_fixed key hex $(le32 "$1") |
		jq -r '.formatted.values | map(.value) | "\(map(.packets) | add) \(map(.segments) | add) \(map(.bytes) | add)"'
}

for dst in 10.0.2.1 fd00:2::1; do
	read -r p0 s0 b0 <<<"$(counter 16)"
	capture_start cap server s0 "tcp and dst port 6000 or ip6 proto 6 and dst port 6000"
	receiver_start r server -p tcp -P 6000 -n 1 -t 20
	in_ns client "$PKT" send -p tcp -d $dst -P 6000 -l 65000 -n 30 >"$T/out"
	check_eq "$dst: transfer" "$?:$(jq .same <"$T/out")" 0:true
	receiver_wait r >/dev/null
	capture_stop cap
	read -r p1 s1 b1 <<<"$(counter 16)"
	frames=$(tcpdump -nr "$T/cap.pcap" 2>/dev/null | wc -l)
	bytes=$(tshark -nr "$T/cap.pcap" -T fields -e frame.len 2>/dev/null | awk '{ n += $1 } END { print n }')
	check_eq "$dst: segments and bytes are what the capture has" "$((s1 - s0)) $((b1 - b0))" "$frames $bytes"
	check "$dst: they came in fewer, larger packets" test $((2 * (p1 - p0))) -lt $((s1 - s0))
done
