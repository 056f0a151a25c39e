#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The SCHED_ACT program: behind a matchall filter, with the rules of a live pipeline (its maps are found by name),
# it tags and drops like the pipeline itself, and lets the actions behind it run.
#
#   client c0 ---- s0 server [ingress: matchall action bpf act; pipeline on d0]
# vm: 5.10 6.1 6.12
# modules: act_bpf act_gact act_skbedit sch_ingress cls_bpf cls_matchall veth
# timeout: 120
. "${0%/*}/../lib/lib.sh"
has_act_bpf || skip_all "act_bpf in this kernel"
need_file "$TCCTL" "$BPF/act.bpf.o" "$PKT"
topo_pair
in_ns server ip link add d0 type veth peer name d1
in_ns server ip link set d0 up
cat >"$T/a.yaml" <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF, mark: 0x7 }
rules:
  wan:
    - { proto: udp, local-port: 5060, class: voice }
    - { proto: icmp, class: voice }
    - { proto: udp, local-port: 9, class: drop }
interfaces:
  d0: { rules: wan }
Y
check "a pipeline with rules" "$TCCTL" --netns server apply "$T/a.yaml"
dir=$(find /sys/fs/bpf -path '*/tc/globals/arenas' | head -n1)
dir=${dir%/tc/globals/arenas}
in_ns server tc qdisc add dev s0 clsact
check "act loads" in_ns server env TC_BPF_MNT="$dir" tc filter add dev s0 ingress prio 10 matchall \
	action bpf object-file "$BPF/act.bpf.o" section action program act \
	action skbedit priority 6

for dst in 10.0.1.2 fd00:1::2; do
	receiver_start r server -P 5060 -P 5061 -P 9 -n 40 -t 10
	in_ns client "$PKT" send -d $dst -P 9 -n 20 >/dev/null
	in_ns client "$PKT" send -d $dst -P 5060 -n 20 >/dev/null
	in_ns client "$PKT" send -d $dst -P 5061 -n 20 >/dev/null
	receiver_wait r >"$T/got"
	check_eq "$dst: tagged by rule, the rest as it was, one class dropped" \
		"$(jq -c '[.dscp."46", .dscp."0", .ports."5060", .ports."5061", .ports."9"]' <"$T/got")" "[20,20,20,20,0]"
done
in_ns client "$PKT" send -p icmp -d 10.0.1.2 -n 10 >"$T/out"
check_eq "ICMP: replies have the DSCP that the request was given" "$(jq '.reply_dscp."46"' <"$T/out")" 10
stats=$(in_ns server tc -s -j actions list action skbedit | jq '[.. | .packets? // empty] | max')
check_match "the action behind it ran" "${stats:-0}" '^[1-9]'
check "remove leaves it in place" "$TCCTL" --netns server remove
check "traffic passes without rules" in_ns client ping -qc2 -i0.01 -W2 10.0.1.2
