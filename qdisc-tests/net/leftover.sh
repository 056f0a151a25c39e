#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody deletes our pins: the filters stay and do nothing. Status says so, remove and apply clean up, and nothing of
# others goes with them.
#
#  host: eth0 ---- eth1
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$BPF/end.bpf.o"
need_cmd bpftool
must ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
config() { # NAME DEVICE
	printf 'tcctl: 1\nname: %s\nrules:\n  wan:\n    - { proto: udp, class: keep }\ninterfaces:\n  %s: { rules: wan }\n' "$1" "$2"
}
config default eth0 >a.yaml
config default eth1 >b.yaml
config two eth1 >two.yaml
ours() { local d; for d in ingress egress; do tc filter show dev "$1" $d 2>/dev/null | grep -c tcctl:; done; }
lose_pins() { rm -rf /sys/fs/bpf/tcctl; }
foreign() { tc filter show dev eth0 ingress | grep -v tcctl: | grep handle; }

must "$TCCTL" apply -q a.yaml
must tc filter add dev eth0 ingress prio 10 handle 7 bpf da obj "$BPF/end.bpf.o" sec tc
theirs=$(foreign)
lose_pins
OUT=$("$TCCTL" status 2>&1)
check_match "status names the filter without pins" "$OUT" 'eth0 ingress.*tcctl:default/p1'
check_match "and the other one" "$OUT" 'eth0 egress.*tcctl:default/p1'
check_rc "remove" 0 "$TCCTL" remove
check_match "says what it did" "$OUT" 'removed 2 hooks'
check_eq "they are gone" "$(ours eth0 | xargs)" "0 0"
check_eq "a filter of others stays" "$(foreign)" "$theirs"
check_match "so does the clsact, of which nobody knows who made it" "$(tc qdisc show dev eth0)" clsact
check_rc "again" 0 "$TCCTL" remove
check_match "there is nothing" "$OUT" 'nothing to remove'
check_eq "status agrees" "$("$TCCTL" status 2>&1)" "nothing is applied here"

# The new configuration is for another device: the old filters must not stay behind.
must "$TCCTL" apply -q a.yaml
lose_pins
check_rc "plan shows" 2 "$TCCTL" plan b.yaml
check_match "what is left over" "$OUT" 'eth0 ingress.*left over'
check "apply to another device" "$TCCTL" apply b.yaml
check_eq "the old device is clean" "$(ours eth0 | xargs)" "0 0"
check_eq "the new one is attached" "$(ours eth1 | xargs)" "1 1"
check_rc "for good" 0 "$TCCTL" plan b.yaml

# At another prio than now.
lose_pins
check "apply with another prio" "$TCCTL" apply --prio 77 b.yaml
check_eq "one filter a direction" "$(ours eth1 | xargs)" "1 1"
check_rc "nothing is left to do" 0 "$TCCTL" plan b.yaml
check "remove" "$TCCTL" remove
check_eq "clean" "$(ours eth1 | xargs)" "0 0"

# The state alone is gone or damaged.
must "$TCCTL" apply -q a.yaml
state=$(find /sys/fs/bpf/tcctl -name state)
rm "$state"
check_match "status names a filter without a state" "$("$TCCTL" status 2>&1)" 'eth0 ingress.*tcctl:default/p1'
check "remove" "$TCCTL" remove
check_eq "clean" "$(ours eth0 | xargs) $(find /sys/fs/bpf/tcctl 2>/dev/null)" "0 0 "
must "$TCCTL" apply -q a.yaml
rm "$state"
must bpftool map create "$state" type array key 4 value 4096 entries 1 name damaged flags 1024
for command in status remove "apply a.yaml" "plan a.yaml"; do
	check_rc "$command with a damaged state" 1 "$TCCTL" $command
	check_match "says what to do" "$OUT" "is damaged.*hint: .*rm $state"
done
rm "$state"
check "what it says works" "$TCCTL" remove
check_eq "clean" "$(ours eth0 | xargs) $(find /sys/fs/bpf/tcctl 2>/dev/null)" "0 0 "

# Another owner's filters are not ours to clean up.
must "$TCCTL" apply -q a.yaml
must "$TCCTL" apply -q two.yaml
must [ -d /sys/fs/bpf/tcctl/*/two ]
rm -rf /sys/fs/bpf/tcctl/*/default
check "remove one of two names" "$TCCTL" remove --name default
check_eq "its filters go" "$(ours eth0 | xargs)" "0 0"
check_eq "those of the other name stay" "$(ours eth1 | xargs)" "1 1"
lose_pins
check "remove without a name takes all" "$TCCTL" remove
check_eq "clean" "$(ours eth1 | xargs)" "0 0"
