#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tags hold under every verdict and in both directions: they are read where a user needs them, by the root qdisc of the
# sending device. HTB's own class counters prove `classid`; a filter of HTB notes the other fields.
#
#   client c0 ---- r0 router r1 ---- s0 server
#         HTB       [ingress]  HTB
#     [egress]                 [notes]
#     [notes]
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_cmd jq bpftool
OBJ=$B/tests/net/verdict.bpf.o
need_file "$TCCTL" "$OBJ"
has_qdisc htb || skip_all "qdisc htb"
ns_add client router server
must ip link add c0 netns client numtxqueues 4 numrxqueues 4 type veth peer name r0 netns router numtxqueues 4 numrxqueues 4
veth router r1 server s0
in_ns client ip link set c0 up
in_ns router ip link set r0 up
addr client c0 10.0.1.1/24
addr router r0 10.0.1.2/24
addr router r1 10.0.2.2/24
addr server s0 10.0.2.1/24
in_ns router bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
must in_ns client ip route add default via 10.0.1.2
must in_ns server ip route add default via 10.0.2.2
must wait_until 5 in_ns client ping -qc1 -W1 10.0.2.1

SEEN=/sys/fs/bpf/tc/globals/verdict_seen
htb() { # NS DEV: classes 1:10, 1:20 and, for the rest, 1:99; a filter that notes what comes to it
	local c
	must in_ns "$1" tc qdisc add dev "$2" root handle 1: htb default 99
	for c in 10 20 99; do must in_ns "$1" tc class add dev "$2" parent 1: classid 1:$c htb rate 1gbit quantum 60000; done
	must in_ns "$1" tc filter add dev "$2" parent 1: prio 1 protocol all bpf da obj "$OBJ" sec tc program note
}
htb_packets() { in_ns "$1" tc -s class show dev "$2" classid 1:"$3" | sed -n 's/^ Sent .* bytes \([0-9]*\) pkt.*/\1/p'; }
clear_seen() {
	local k zero
	zero=$(printf '00 %.0s' {1..20})
	for k in {0..15}; do bpftool map update pinned $SEEN key hex "$(printf %x "$k")" 00 00 00 value hex $zero; done
}
seen() { # PORT FIELDS
	bpftool -j map lookup pinned $SEEN key hex "$(printf %x $(($1 - 5000)))" 00 00 00 |
		jq -r ".formatted.value | \"$2\""
}
send() { # PORT…: a packet each, from a socket of its own
	local p
	for p; do in_ns client "$PKT" send -d 10.0.2.1 -P "$p" >/dev/null || not_ok "send to $p"; done
}

config() { # VERDICT DEVICE DIRECTION [MODE]
	local other=ingress
	[[ $3 = ingress ]] && other=egress
	cat <<-Y
	tcctl: 1
	classes:
	  fields: { mark: 0x500/0xff00, tc-index: 77 }
	  tall:   { tc-index: 0xfffe }
	  queue:  { queue: 2 }
	  prio:   { priority: 6 }
	  htb:    { classid: "1:10" }
	  all:    { dscp: EF, mark: 9, tc-index: 5, classid: "1:20", queue: 1 }
	rules:
	  r:
	    - { proto: udp, dport: 5000, class: fields }
	    - { proto: udp, dport: 5001, class: tall }
	    - { proto: udp, dport: 5002, class: queue }
	    - { proto: udp, dport: 5003, class: prio }
	    - { proto: udp, dport: 5004, class: htb }
	    - { proto: udp, dport: 5005, class: all }
	    - { proto: udp, dport: 5006, class: drop }
	interfaces:
	  $2: { $3: { rules: r, verdict: $1, mode: ${4:-enforce} }, $other: false }
	Y
}

# Values at the qdisc: mark priority tc_index. A neighbour before us stamps tc_index 0x123 and mark 0xabc.
check_tags() { # NAME NS DEV
	local ten twenty
	clear_seen
	ten=$(htb_packets "$2" "$3" 10) twenty=$(htb_packets "$2" "$3" 20)
	send 5000 5001 5002 5003 5004 5005 5006 5007
	check_eq "$1: mark keeps the bits outside of its mask, tc-index" "$(seen 5000 '\(.packets) \(.mark) \(.tc_index)')" "1 $((0x5bc)) 77"
	check_eq "$1: a tc-index above 0x8000" "$(seen 5001 '\(.mark) \(.tc_index)')" "$((0xabc)) $((0xfffe))"
	check_eq "$1: a class that writes neither leaves both" "$(seen 5002 '\(.mark) \(.tc_index)')" "$((0xabc)) $((0x123))"
	check_eq "$1: so does no class" "$(seen 5007 '\(.packets) \(.mark) \(.tc_index)')" "1 $((0xabc)) $((0x123))"
	check_eq "$1: drop" "$(seen 5006 '\(.packets)')" 0
	if [[ $3 = c0 ]]; then
		check_eq "$1: queue" "$(seen 5002 '\(.queue)')" 2
		check_eq "$1: priority" "$(seen 5003 '\(.priority)')" 6
		check_eq "$1: classid 1:10 is HTB's class 1:10" "$(($(htb_packets "$2" "$3" 10) - ten))" 1
		check_eq "$1: classid beside other tags" "$(($(htb_packets "$2" "$3" 20) - twenty))" 1
	fi
}

for where in "client c0 egress c0" "router r0 ingress r1"; do
	read -r ns dev dir at <<<"$where"
	htb "$ns" $at
	must in_ns "$ns" tc qdisc add dev $dev clsact
	must in_ns "$ns" tc filter add dev $dev $dir prio 1 bpf da obj "$OBJ" sec tc program stamp
	for verdict in continue ok; do
		config $verdict $dev $dir >a.yaml
		check "$dir, $verdict: apply" "$TCCTL" --netns "$ns" apply a.yaml
		check_tags "$dir, $verdict" "$ns" $at
	done
	config ok $dev $dir observe >a.yaml
	check "$dir, observe: apply" "$TCCTL" --netns "$ns" apply a.yaml
	clear_seen
	send 5000 5006
	check_eq "$dir, observe: nothing is written under ok" "$(seen 5000 '\(.packets) \(.mark) \(.tc_index)')" "1 $((0xabc)) $((0x123))"
	check_eq "$dir, observe: nothing is dropped" "$(seen 5006 '\(.packets)')" 1
	check "$dir: remove" "$TCCTL" --netns "$ns" remove
	in_ns "$ns" tc qdisc del dev $dev clsact
	in_ns "$ns" tc qdisc del dev $at root
done
