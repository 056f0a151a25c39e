#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Devices come, go, are renamed, made again, and there can be many.
#
#  host: eth0 ---- eth1, later d0 … d199
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
pair() { must ip link add "$1" type veth peer name "$2"; ip link set "$1" up; ip link set "$2" up; }
pair eth0 eth1
config() {
	printf 'tcctl: 1\nrules:\n  wan:\n    - { proto: udp, class: keep }\ninterfaces:\n'
	local i
	for i; do printf '  %s\n' "$i"; done
}
ours() { tc filter show dev "$1" ingress 2>/dev/null | grep -c tcctl:; }

config "eth0: { rules: wan }" "wg7: { rules: wan, optional: true }" >a.yaml
check "an optional device may be missing" "$TCCTL" apply a.yaml
pair wg7 wg8
check_rc "when it comes, plan sees it" 2 "$TCCTL" plan a.yaml
check "and apply attaches" "$TCCTL" apply a.yaml
check_eq "there" "$(ours wg7)" 1

ip link del eth0
check_match "status says that the device is gone" "$("$TCCTL" status)" 'eth0 ingress.*does not exist any more'
check_rc "a device that is needed and gone is an error" 1 "$TCCTL" apply a.yaml
check_match "at its line" "$OUT" 'a\.yaml:6:3: error: .*eth0'
check_eq "the other one is as it was" "$(ours wg7)" 1
pair eth0 eth1
check "made again" "$TCCTL" apply a.yaml
check_eq "attached again" "$(ours eth0)" 1
check_rc "for good" 0 "$TCCTL" plan a.yaml

# The same ifindex for another device: what is recorded for the old one must not be believed.
index=$(ip -o link show wg7 | cut -d: -f1)
ip link del wg7
must ip link add other index "$index" type veth peer name other1
must tc qdisc add dev other clsact
check "a reused ifindex" "$TCCTL" apply a.yaml
check_eq "has nothing of ours" "$(ours other)" 0
check_match "and keeps its clsact" "$(tc qdisc show dev other)" clsact
ip link del other

# A device that a pattern matched and that is gone.
pair sub0 x0
config "eth0: { rules: wan }" '"sub*": { rules: wan, optional: true }' >g.yaml
check "a pattern" "$TCCTL" apply g.yaml
ip link del sub0
check_rc "its device goes" 2 "$TCCTL" plan g.yaml
check_match "and plan says so" "$OUT" 'forget sub0 ingress: the device does not exist any more'
check_no_match "not that the configuration has changed" "$OUT" 'not in the configuration'
check "apply" "$TCCTL" apply g.yaml

ip link set eth0 down
ip link set eth0 name lan0
config "lan0: { rules: wan }" >b.yaml
check_rc "a rename is no change of hooks" 0 "$TCCTL" apply b.yaml
check_no_match "nothing is attached again" "$OUT" 'attach|detach'
check_match "status has the new name" "$("$TCCTL" status)" 'lan0 ingress'
check "remove" "$TCCTL" remove
check_eq "clean" "$(tc qdisc show dev lan0 clsact)$(ls /sys/fs/bpf/tcctl 2>/dev/null)" ""
ip link del lan0

# Many: one pipeline, whatever their number.
for i in {0..99}; do echo "link add d$i type veth peer name d$((i + 100))"; done | must ip -batch -
config "'d*': { rules: wan }" >c.yaml
check_match "200 devices" "$("$TCCTL" apply c.yaml | tail -n1)" '400 hooks \(400 added'
check_eq "one pipeline" "$(ls /sys/fs/bpf/tcctl/*/default | xargs)" "p1 state"
check_rc "same again" 0 "$TCCTL" plan c.yaml
check_eq "hook ids differ" "$(for i in {0..199}; do tc filter show dev d$i ingress; tc filter show dev d$i egress; done | grep -o 'flowid [^ ]*' | sort -u | wc -l)" 400
# The first hooks' counters are elsewhere than the others'. A link that comes up sends something by itself.
for i in 0 100 99 199; do ip link set "d$i" up; done
counted() { [[ $("$TCCTL" status -j | jq -c '[.hooks[] | select(.packets > 0) | .device] | unique') = "$1" ]]; }
check "each counts its own" wait_until 10 counted '["d0","d100","d199","d99"]'
for i in 0 100 99 199; do ip link set "d$i" down; done
check "remove" "$TCCTL" remove
check_eq "clean" "$(tc qdisc show | grep -c clsact)$(ls /sys/fs/bpf/tcctl 2>/dev/null)" 0

# Names are bytes; JSON stays JSON.
for i in {0..99}; do echo "link del d$i"; done | must ip -batch -
odd=$'d"\\\x01\xc3\xa9\xff'
must ip link add "$odd" type veth peer name plain
check "a device with an odd name" "$TCCTL" apply -q c.yaml
check_eq "is itself in JSON" "$("$TCCTL" status -j | jq -r '[.hooks[].device] | unique | .[]')" $'d"\\\x01\xc3\xa9\xef\xbf\xbd'
check_eq "rows and what they hold" "$("$TCCTL" status -j | jq -c '[.slots[0].empty, (.hooks[0] | keys | length), .neighbours]')" \
	'[{"packets":0,"segments":0,"bytes":0},15,[]]'
check_eq "a hook a line" "$("$TCCTL" status -j | grep -c '^ *{ "owner": .* "device": .*}')" 2
check "remove" "$TCCTL" remove -q
