#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# VLAN tags, wherever they are: in the frame on its way out, moved into skb metadata by the kernel on its way in,
# one there and one here. The context always has the outermost tag and the right offset of the IP header.
#
#   client c0 [hook 1: egress] ---- s0 server [hook 2: ingress]
# timeout: 60
. "${0%/*}/../lib/lib.sh"
. "${0%/*}/../lib/stock.sh"
need_cmd jq
OBJ=$B/tests/net/leak.bpf.o
need_file "$BPF/root.bpf.o" "$OBJ" "$PKT"
topo_pair
in_ns client tc qdisc add dev c0 clsact
in_ns server tc qdisc add dev s0 clsact
stock_pipeline client c0 egress 5 "$OBJ:record:0" "$BPF/end.bpf.o:end:24"
filter server s0 ingress 10 8 "$BPF/root.bpf.o" root
mac=$(in_ns server ip -j link show s0 | jq -r '.[0].address')

zero=$(printf '00 %.0s' {1..48})
context() { # HOOK_INDEX: packets, L3 offset, L4 offset, tag as TCI or none
	bpftool -j map lookup pinned $G/leak_seen key hex $(le32 $((8 + $1))) | jq -r '.formatted.value |
		"\(.packets) \(.cb[1] % 65536) \(.cb[1] / 65536 | floor) " +
		(if (.cb[2] / 16384 | floor) % 2 == 1 then "\(.cb[2] / 65536 | floor)" else "none" end)'
}

frame() { # NAME HEADERS EGRESS_CONTEXT INGRESS_CONTEXT
	for i in 9 10; do must bpftool map update pinned $G/leak_seen key hex $(le32 $i) value hex $zero; done
	must in_ns client "$PKT" raw -i c0 "eth(dst=$mac)/$2/ip(src=10.0.1.1,dst=10.0.1.2)/udp(dport=53)/zero(30)" >/dev/null
	check_eq "$1, egress" "$(context 1)" "$3"
	arrived() { [[ $(context 2) = 1\ * ]]; }
	wait_until 2 arrived
	check_eq "$1, ingress" "$(context 2)" "$4"
}

must in_ns client "$PKT" raw -i c0 "eth(dst=$mac)/ip(src=10.0.1.1,dst=10.0.1.2)/udp(dport=53)/zero(30)" >/dev/null
check_eq "no tag, egress" "$(context 1)" "1 14 34 none"
# TCI: priority << 13 | id
frame "802.1Q" "vlan(id=100,prio=5)" "1 18 38 $((5 << 13 | 100))" "1 14 34 $((5 << 13 | 100))"
frame "802.1ad" "vlan(id=7,tpid=0x88a8)" "1 18 38 7" "1 14 34 7"
frame "QinQ" "vlan(id=7,prio=1,tpid=0x88a8)/vlan(id=100)" "1 22 42 $((1 << 13 | 7))" "1 18 38 $((1 << 13 | 7))"
frame "three tags" "vlan(id=1)/vlan(id=2)/vlan(id=3)" "1 26 46 1" "1 22 42 1"
frame "priority tag" "vlan(id=0,prio=3)" "1 18 38 $((3 << 13))" "1 14 34 $((3 << 13))"
frame "old QinQ, tag 0x9100" "vlan(id=9,tpid=0x9100)/vlan(id=8)" "1 22 42 9" "1 22 42 9"
before=$(fixed_packets $((288 + 8)))
must in_ns client "$PKT" raw -i c0 "eth(dst=$mac)/vlan/vlan/vlan/vlan/vlan/vlan/ip(dst=10.0.1.2)/udp(dport=53)" >/dev/null
deeper() { (($(fixed_packets $((288 + 8))) == before + 2)); }
check "more tags than the walk: counted at both hooks" wait_until 2 deeper
