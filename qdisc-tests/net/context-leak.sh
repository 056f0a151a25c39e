#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# One packet through two hooks: whatever path it takes, nobody sees the context of the hook before.
#
#   client c0 ==[hook 1: egress]==> s0 server [hook 2: ingress] --(redirect, copy)--> d0 [hook 3: egress] ==> d1 third
#
# The kernel does not clear skb->cb: the first cases show that a careless program's words do arrive.
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "${0%/*}/../lib/stock.sh"
need_cmd jq nc
OBJ=$B/tests/net/leak.bpf.o
need_file "$BPF/root.bpf.o" "$OBJ" "$PKT"

topo_pair
ns_add third
veth server d0 third d1
addr server d0 10.0.9.1/24
addr third d1 10.0.9.2/24
in_ns client tc qdisc add dev c0 clsact
in_ns server tc qdisc add dev s0 clsact
in_ns server tc qdisc add dev d0 clsact
in_ns third tc qdisc add dev d1 clsact

seen() { # KEY FIELD…: fields of leak_seen, as a list
	local fields
	fields=$(printf ', .%s' "${@:2}")
	bpftool -j map lookup pinned $G/leak_seen key hex $(le32 "$1") | jq -c ".formatted.value | [${fields:2}]"
}
reset() {
	local i
	for i in {0..15}; do
		must bpftool map update pinned $G/leak_seen key hex $(le32 "$i") value hex $(printf '00 %.0s' {1..48})
	done
}
send() { must in_ns client "$PKT" send -d 10.0.1.2 -P 5000 -n 10 >/dev/null; }

# --- the danger is real -------------------------------------------------------------------------------
filter server s0 ingress 20 1 "$OBJ" detect
filter server d0 egress 20 2 "$OBJ" detect
filter third d1 ingress 20 3 "$OBJ" detect
reset
filter client c0 egress 10 0 "$OBJ" dirty
send
check_eq "a careless program's cb arrives over a veth in another namespace" "$(seen 1 packets dirty)" "[10,10]"
unfilter client c0 egress 10
map_set leak_cfg 0 "$(in_ns server ip -j link show d0 | jq ".[0].ifindex")"
filter server s0 ingress 10 0 "$OBJ" dirty
filter server s0 ingress 30 0 "$OBJ" redirect
reset
send
check_eq "… and at the device it is redirected to" "$(seen 2 packets dirty)" "[10,10]"
unfilter server s0 ingress 10
unfilter server s0 ingress 30
unfilter server s0 ingress 20

# --- two hooks of one pipeline ------------------------------------------------------------------------
# Hook ids: index << 2, bit 0 for egress.
filter client c0 egress 10 5 "$BPF/root.bpf.o" root
graft jt_root 0 "$BPF/entry_eth.bpf.o" entry_eth
graft jt_l3 0 "$BPF/ipv4.bpf.o" ipv4
graft jt_l4 1 "$BPF/udp.bpf.o" udp
graft jt_stage 1 "$BPF/end.bpf.o" end
graft jt_stage 0 "$OBJ" record
reset
filter server s0 ingress 20 1 "$OBJ" detect
filter server s0 ingress 21 8 "$BPF/root.bpf.o" root
filter server s0 ingress 22 4 "$OBJ" detect
send
check_eq "hook 1 classified them all, starting clean" "$(seen 9 packets dirty)" "[10,0]"
check_eq "nothing of it arrives over the veth" "$(seen 1 packets dirty)" "[10,0]"
check_eq "hook 2 starts clean, with its own id" "$(seen 10 packets dirty cb[0])" "[10,0,$((0x7c000008))]"
check_eq "nothing is left for the filter behind ours" "$(seen 4 packets dirty)" "[10,0]"

reset
filter server s0 ingress 30 0 "$OBJ" redirect
filter server d0 egress 21 13 "$BPF/root.bpf.o" root
send
check_eq "redirected behind us: clean at the other device" "$(seen 2 packets dirty)" "[10,0]"
check_eq "hook 3 starts clean, with its own id" "$(seen 11 packets dirty cb[0])" "[10,0,$((0x7c00000d))]"
check_eq "and clean at its peer" "$(seen 3 packets dirty)" "[10,0]"
unfilter server s0 ingress 30

# --- a copy in the middle of a stage ------------------------------------------------------------------
# Hook 3 runs inside hook 2's stage, on the copy.
graft jt_stage 0 "$OBJ" copy
reset
send
check_eq "copied in a stage: clean at the other device" "$(seen 2 packets dirty)" "[10,0]"
check_eq "hook 3 has its own context, inside hook 2" "$(seen 11 packets dirty cb[0])" "[10,0,$((0x7c00000d))]"
check_eq "hook 2 has its own context back after it" "$(seen 7 packets foreign)" "[10,0]"
check_eq "and goes on with it" "$(seen 10 packets dirty cb[0])" "[10,0,$((0x7c000008))]"
check_eq "nothing is left behind it" "$(seen 4 packets dirty)" "[10,0]"

# --- a program alone at the second hook ---------------------------------------------------------------
unfilter server d0 egress 21
filter server d0 egress 21 13 "$BPF/ipv4.bpf.o" ipv4
reset
send
check_eq "a handler alone behind a copy works its own context out" "$(seen 11 packets dirty cb[0])" "[10,0,$((0x7c00000d))]"
