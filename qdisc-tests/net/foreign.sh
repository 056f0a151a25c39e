#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is not ours is never touched: filters, qdiscs, clsact, other owners; and what of it is in our way is named.
#
#  host: eth0 ---- eth1
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$BPF/end.bpf.o"
must ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up

config() { # NAME DEVICE
	cat <<-Y
	tcctl: 1
	name: $1
	rules:
	  wan:
	    - { proto: udp, class: keep }
	interfaces:
	  $2: { rules: wan }
	Y
}
config default eth0 >a.yaml
foreign() { tc filter add dev eth0 "$1" prio "$2" handle 7 bpf da obj "$BPF/end.bpf.o" sec tc; }
theirs() { for d in ingress egress; do tc filter show dev eth0 $d | grep -v tcctl: | grep handle; done; tc qdisc show; }

# A neighbour's clsact with filters before and after ours.
must tc qdisc add dev eth0 clsact
must foreign ingress 10
must foreign ingress 50000
must foreign egress 10
before=$(theirs)
check "apply beside others' filters" "$TCCTL" apply a.yaml
check_match "status says who runs first" "$("$TCCTL" status)" 'eth0 ingress +filter, prio 10 .*before us'
check_match "and who runs after" "$("$TCCTL" status)" 'eth0 ingress +filter, prio 50000 .*after us'
check_eq "their filters are as they were" "$(theirs)" "$before"
check "remove" "$TCCTL" remove
check_eq "their filters and clsact are as they were" "$(theirs)" "$before"
check_eq "ours are gone" "$(tc filter show dev eth0 ingress | grep -c tcctl:)" 0
tc qdisc del dev eth0 clsact
must tc qdisc add dev eth0 clsact
check "apply into an empty clsact of somebody else" "$TCCTL" apply a.yaml
check "remove" "$TCCTL" remove
check_match "it stays" "$(tc qdisc show dev eth0)" clsact
tc qdisc del dev eth0 clsact

# Ours, but somebody moved in: it stays for them.
check "apply makes clsact" "$TCCTL" apply a.yaml
must foreign egress 20
before=$(theirs)
check "remove" "$TCCTL" remove
check_eq "a clsact that others use stays" "$(theirs)" "$before"
tc qdisc del dev eth0 clsact

# Somebody took ours away and made one: it is theirs now.
check "apply" "$TCCTL" apply a.yaml
tc qdisc del dev eth0 clsact
must tc qdisc add dev eth0 clsact
check "remove" "$TCCTL" remove
check_match "a clsact made by somebody else since is not removed" "$(tc qdisc show dev eth0)" clsact
tc qdisc del dev eth0 clsact

# In our way.
must tc qdisc add dev eth0 clsact
must tc filter add dev eth0 egress prio 31744 handle 1 bpf da obj "$BPF/end.bpf.o" sec tc
before=$(theirs)
check_rc "a filter of others at our place is refused" 1 "$TCCTL" apply a.yaml
check_match "it is named with its hook" "$OUT" 'eth0 egress.*end.bpf.o.*prio 31744'
check_eq "nothing was changed on any hook" "$(theirs)" "$before"
check_eq "nothing of ours was attached" "$(tc filter show dev eth0 ingress)" ""
check_eq "nothing was pinned" "$(ls /sys/fs/bpf/tcctl 2>/dev/null)" ""
check "another prio avoids it" "$TCCTL" apply --prio 31000 a.yaml
check_match "it is used" "$(tc filter show dev eth0 egress)" 'pref 31000 bpf .*tcctl:default/p1'
check "and kept" "$TCCTL" apply a.yaml
check_match "by a later apply without it" "$(tc filter show dev eth0 egress)" 'pref 31000 bpf .*tcctl:default/p1'
check "remove" "$TCCTL" remove
check_eq "all is as it was" "$(theirs)" "$before"
tc qdisc del dev eth0 clsact

must tc qdisc add dev eth0 ingress
before=$(theirs)
check_rc "a legacy ingress qdisc is refused" 1 "$TCCTL" apply a.yaml
check_match "by name" "$OUT" "legacy 'ingress' qdisc"
check_eq "it is as it was" "$(theirs)" "$before"
tc qdisc del dev eth0 ingress

# Somebody put a program of theirs over ours: plan says so, apply puts ours back, remove would leave theirs.
check "apply" "$TCCTL" apply a.yaml
must tc filter replace dev eth0 ingress prio 31744 handle 1 bpf da obj "$BPF/end.bpf.o" sec tc
check_match "status sees it" "$("$TCCTL" status)" 'NOT OURS'
check_rc "plan sees it" 2 "$TCCTL" plan a.yaml
check_match "and names it" "$OUT" 'replaced by end.bpf.o'
check "apply repairs it" "$TCCTL" apply a.yaml
check_rc "for good" 0 "$TCCTL" plan a.yaml
must tc filter replace dev eth0 ingress prio 31744 handle 1 bpf da obj "$BPF/end.bpf.o" sec tc
check "remove" "$TCCTL" remove
check_match "leaves theirs" "$(tc filter show dev eth0 ingress)" 'end.bpf.o'
tc qdisc del dev eth0 clsact

# Two owners.
config second eth1 >b.yaml
config second eth0 >c.yaml
check "first owner" "$TCCTL" apply a.yaml
check "second owner on another device" "$TCCTL" apply b.yaml
check_rc "one hook has one owner" 1 "$TCCTL" apply c.yaml
check_match "the other is named" "$OUT" 'tcctl:default/p1'
check_match "the second owner keeps what it had" "$(tc filter show dev eth1 ingress)" 'tcctl:second/p1'
check "the second goes" "$TCCTL" remove --name second
check_match "the first stays" "$(tc filter show dev eth0 ingress)" 'tcctl:default/p1'
check "the first goes" "$TCCTL" remove --name default
check_eq "nothing is pinned" "$(ls /sys/fs/bpf/tcctl 2>/dev/null)" ""

# A shared block takes no filters by device.
must ip link add v0 type veth peer name v1
must tc qdisc add dev v0 ingress_block 5 clsact
config default v0 >v.yaml
check_rc "a clsact with a shared block" 1 "$TCCTL" plan v.yaml
check_match "is named" "$OUT" 'error: v0: its clsact uses a shared filter block'
tc qdisc del dev v0 clsact

# Another handle at our prio is no conflict as long as kind and protocol are the same; else the kernel refuses ours.
must tc qdisc add dev v0 clsact
must tc filter add dev v0 egress prio 31744 protocol ip u32 match u32 0 0
before=$(theirs; tc filter show dev v0 egress)
check_rc "another protocol at our prio" 1 "$TCCTL" apply v.yaml
check_match "names device, prio and the kernel's reason" "$OUT" 'error: v0 egress: filter prio 31744 handle 0x1: cannot add filter'
check_match "and what to do" "$OUT" 'hint: .*at prio 31744 .`tc filter show dev v0 egress`.*--prio'
check_eq "all is as it was" "$(theirs; tc filter show dev v0 egress)" "$before"
check "another prio works" "$TCCTL" apply --prio 31000 v.yaml
check "remove" "$TCCTL" remove
