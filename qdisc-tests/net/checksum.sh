#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every packet gets a new DSCP on its way, and what arrives is unharmed: real TCP, UDP and ICMP over both families,
# with offloads (GSO packets of 64 KiB, checksums left to the device) and without (checksums in the packet, judged
# by tshark). A packet shared with a capture keeps its bytes there.
#
#   client c0 ---- r0 router r1 ---- s0 server
#                  [ingress: class EF]
# timeout: 180
. "${0%/*}/../lib/lib.sh"
. "${0%/*}/../lib/stock.sh"
need_cmd jq tshark
OBJ=$B/tests/net/paint.bpf.o
need_file "$BPF/root.bpf.o" "$OBJ" "$PKT"

topo_router
in_ns router tc qdisc add dev r0 clsact
in_ns router tc qdisc add dev r1 clsact
MARK=12
stock_pipeline router r0 ingress 4 "$OBJ:paint:$((MARK - 1))" "$BPF/mark.bpf.o:mark:$MARK" "$BPF/end.bpf.o:end:24"
stock_class 0x2f 0x1200 0xff00 7 0 99 46	# DSCP, mark, priority, tc_index
map_set paint_class 0 2

errors() { # NS: checksum errors its stack has seen
	in_ns "$1" cat /proc/net/snmp /proc/net/snmp6 | awk '
		/^(Tcp|Udp|Icmp): [A-Z]/ { for (i = 2; i <= NF; i++) name[$1, i] = $i; next }
		/^(Tcp|Udp|Icmp): / { for (i = 2; i <= NF; i++) if (name[$1, i] ~ /CsumErrors/) n += $i }
		/^(Udp6|Icmp6)InCsumErrors/ { n += $2 }
		END { print n + 0 }'
}

for mode in on off; do
	for d in "client c0" "router r0" "router r1" "server s0"; do offloads $d $mode; done
	for dst in 10.0.2.1 fd00:2::1; do
		name="offloads $mode, $dst"
		capture_start cap server s0 ip dst 10.0.2.1 or ip6 dst fd00:2::1
		capture_start sent client c0 ip dst 10.0.2.1 or ip6 dst fd00:2::1
		capture_start seen router r0 ip dst 10.0.2.1 or ip6 dst fd00:2::1
		receiver_start r server -p tcp -P 6000 -n 1 -t 20
		in_ns client "$PKT" send -p tcp -d $dst -P 6000 -l 65000 -n 30 >"$T/out"
		check_eq "$name: TCP, same bytes at both ends" "$?:$(jq .same <"$T/out")" 0:true
		receiver_wait r >"$T/got"
		check_eq "$name: TCP, all bytes in place" "$(jq -c '[.bytes,.wrong]' <"$T/got")" "[1950000,0]"
		receiver_start r server -P 5000 -n 50 -e -t 10
		in_ns client "$PKT" send -d $dst -P 5000 -n 50 -R >"$T/out"
		check_eq "$name: UDP, every packet echoed" "$?:$(jq .replies <"$T/out")" 0:50
		receiver_wait r >"$T/got"
		check_eq "$name: UDP arrives with DSCP 46" "$(jq -c '[.received,.dscp."46"]' <"$T/got")" "[50,50]"
		in_ns client "$PKT" send -p icmp -d $dst -n 20 >"$T/out"
		check_eq "$name: ICMP, every reply" "$?:$(jq .replies <"$T/out")" 0:20
		capture_stop cap
		capture_stop sent
		capture_stop seen
		dscps() { tshark -nr "$T/$1.pcap" -T fields -e ip.dsfield.dscp -e ipv6.tclass.dscp \
			'not icmpv6.type in {133..137}' 2>/dev/null | tr -d '\t' | sort -u | xargs; }
		check_eq "$name: every packet at the server has DSCP 46" "$(dscps cap)" 46
		check_eq "$name: the sender's capture has what was sent" "$(dscps sent)" 0
		check_eq "$name: so has a capture in front of the hook" "$(dscps seen)" 0
		bad=$(tshark -nr "$T/cap.pcap" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
			-Y 'ip.checksum.status == 0 or tcp.checksum.status == 0 or udp.checksum.status == 0 or icmp.checksum.status == 0 or icmpv6.checksum.status == 0' 2>/dev/null | wc -l)
		if [[ $mode = off ]]; then
			check_eq "$name: tshark finds every checksum right" "$bad" 0
		else
			big=$(tshark -nr "$T/cap.pcap" -Y 'tcp and frame.len > 3000' 2>/dev/null | wc -l)
			check_match "$name: there were GSO packets" "$big" '^[1-9]'
			check_match "$name: checksums are left to the device, and tshark can tell" "$bad" '^[1-9]'
		fi
	done
done
check_eq "no stack saw a wrong checksum" "$(errors client) $(errors router) $(errors server)" "0 0 0"
check_eq "every tag could be written" "$(fixed_packets $((288 + 13)))" 0

# The other tags, seen by a filter behind the pipeline on the same hook.
filter router r0 ingress 20 0 "$OBJ" look
in_ns client ping -qc1 10.0.2.1 >/dev/null
check_eq "mark, priority and tc_index behind the pipeline" \
	"$(bpftool -j map lookup pinned $G/paint_seen key hex 00 00 00 00 | jq -c '.formatted.value | [.mark,.priority,.tc_index]')" "[$((0x1200)),7,99]"
