#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every object with stock tc alone: `tc filter add … bpf da obj FILE` on both directions, and traffic still passes.
# Then the walk-through of examples/ from start to end.
#
#   client c0 ---- s0 server
# timeout: 300
. "${0%/*}/../lib/lib.sh"
need_cmd jq nc
need_file "$PKT" "$BPF/root.bpf.o" "$BPF/classify.bpf.o"
topo_pair
in_ns server tc qdisc add dev s0 clsact

# Packets of all counters of a fixed range.
counted() { # FIRST LAST
	bpftool -j map dump pinned /sys/fs/bpf/tc/globals/counters_fixed |
		jq "[.[] | select(.formatted.key >= $1 and .formatted.key <= $2) | .formatted.values[].value.packets] | add"
}

n=0
for obj in "$BPF"/*.bpf.o; do
	prog=${obj##*/} prog=${prog%.bpf.o}
	case $prog in pipeline | alone | act) continue ;; esac
	n=$((n + 1))
	rm -rf /sys/fs/bpf/tc
	check "$prog: sec tc" in_ns server tc filter add dev s0 ingress prio 10 handle 1 bpf da obj "$obj" sec tc
	check "$prog: program $prog" in_ns server tc filter add dev s0 egress prio 10 handle 1 bpf da obj "$obj" sec tc program "$prog"
	check_match "$prog: tc shows it" "$(in_ns server tc filter show dev s0 ingress)" "name $prog tag"
	for dst in 10.0.1.2 fd00:1::2; do
		check "$prog: ping $dst" in_ns client ping -qc2 -i0.01 -W2 $dst
	done
	receiver_start r server -p tcp -P 6000 -n 1 -t 20
	in_ns client "$PKT" send -p tcp -d 10.0.1.2 -P 6000 -l 20000 -n 20 >"$T/sent"
	check_eq "$prog: TCP bytes arrive unharmed" "$?:$(jq .same <"$T/sent")" 0:true
	receiver_wait r >/dev/null
	if [[ $prog = root ]]; then # no entry in the jump table: passed on, and counted as that
		check_match "$prog: counts what it passes on" "$(counted 302 302)" '^[1-9]'
	else # TCCTL_R_NO_ROOT
		check_match "$prog: knows that it is alone" "$(counted 300 300)" '^[1-9]'
	fi
	in_ns server tc filter del dev s0 ingress prio 10
	in_ns server tc filter del dev s0 egress prio 10
done
check_match "there were objects" $n '^[34][0-9]$'

check "the walk-through of examples/stock-tc.sh" "$TOP/examples/stock-tc.sh" "$BPF"
