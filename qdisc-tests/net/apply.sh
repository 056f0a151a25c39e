#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Apply, apply again, change, repair what others broke, remove: the kernel is as the configuration says at every
# step, and at the end as it was before.
#
#  host: eth0 ---- eth1     (one namespace is enough: nothing is sent)
# timeout: 120
# also-vm
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
must ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up

config() { # RULES_OF_ETH0 EXTRA_INTERFACE_LINES
	cat <<-Y
	tcctl: 1
	classes:
	  voice: { dscp: EF }
	  bulk: { dscp: CS1 }
	rules:
	  wan:
	$1
	interfaces:
	$2
	Y
}
RULES='    - { proto: udp, port: 5060, class: voice }
    - { class: keep }'
config "$RULES" '  eth0: { rules: wan }' >one.yaml

listing() { tc qdisc show; for d in eth0 eth1; do tc filter show dev $d ingress; tc filter show dev $d egress; done; ip link show; }
prog() { tc filter show dev "$1" "$2" | grep -oE ' id [0-9]+' | tail -n1; }
pins() { find /sys/fs/bpf -mindepth 1 | sort; }
gone() { ((${#} == 0)); }

before=$(listing)
pins_before=$(pins)

check_rc "plan sees differences" 2 "$TCCTL" plan one.yaml
check_match "and names the order of the stages" "$OUT" 'eth0 ingress.*classify\(wan: 2 rules\) → mark → end'
check_eq "plan changes nothing" "$(listing)" "$before"
check_eq "plan pins nothing" "$(pins)" "$pins_before"

check "first apply" "$TCCTL" apply one.yaml
check_match "ingress filter" "$(tc filter show dev eth0 ingress)" 'pref 31744 bpf .*handle 0x1 .*tcctl:default/p1 direct-action'
check_match "egress filter" "$(tc filter show dev eth0 egress)" 'pref 31744 bpf .*handle 0x1 .*tcctl:default/p1 direct-action'
check_eq "directories are 0700, pins 0600" "$(find /sys/fs/bpf/tcctl -printf '%y%m\n' | sort -u | xargs)" "d700 f600"

check_rc "then plan sees none" 0 "$TCCTL" plan one.yaml
id=$(prog eth0 ingress)
filters=$(tc filter show dev eth0 ingress)
pinned=$(pins)
check_match "a second apply does nothing" "$("$TCCTL" apply -j one.yaml)" '"changed": ?false'
check_eq "same programs" "$(prog eth0 ingress)" "$id"
check_eq "same pins" "$(pins)" "$pinned"

# Content changes leave filters alone.
config "    - { proto: udp, port: 5061, class: bulk }
$RULES" '  eth0: { rules: wan }' >rules.yaml
check_match "new rules: one generation write" "$("$TCCTL" apply -j rules.yaml | tr -d ' \n')" '"rules":1'
check_eq "the filter is the same" "$(tc filter show dev eth0 ingress)" "$filters"
config "$RULES" '  eth0: { rules: wan, mode: observe }' >observe.yaml
check_rc "new programs" 0 "$TCCTL" apply observe.yaml
check_eq "the filter is the same still" "$(tc filter show dev eth0 ingress)" "$filters"
check_rc "observe mode has no mark stage" 0 "$TCCTL" plan observe.yaml
check_match "says plan" "$OUT" 'classify\(wan: 2 rules, observe only\) → end'

# Hooks that join and leave.
config "$RULES" '  eth0: { rules: wan }
  eth1: { rules: wan }' >two.yaml
check "eth1 joins" "$TCCTL" apply two.yaml
check_eq "with the same pipeline" "$(prog eth1 ingress)" "$(prog eth0 ingress)"
check_match "and a hook id of its own" "$(tc filter show dev eth1 egress)" 'flowid :13'
check_rc "eth0 leaves: announced" 2 "$TCCTL" plan <(config "$RULES" '  eth1: { rules: wan }')
check_match "announced" "$OUT" 'eth0 is not in the configuration any more'
check "eth0 leaves" "$TCCTL" apply <(config "$RULES" '  eth1: { rules: wan }')
check_eq "nothing of ours on eth0" "$(tc qdisc show dev eth0 clsact; tc filter show dev eth0 ingress 2>/dev/null)" ""
check "and comes back" "$TCCTL" apply two.yaml

# Different rules for the two: the pipeline splits, one filter is replaced.
check "different content" "$TCCTL" apply <(config "$RULES" '  eth0: { rules: wan }
  eth1: { rules: wan, mode: observe }')
[[ $(prog eth1 ingress) != "$(prog eth0 ingress)" ]]
check_eq "two pipelines" $? 0
check "equal again" "$TCCTL" apply two.yaml
check_eq "one pipeline" "$(prog eth1 ingress)" "$(prog eth0 ingress)"

# Drift.
tc filter del dev eth0 ingress prio 31744
check_rc "a deleted filter is seen" 2 "$TCCTL" plan two.yaml
check_match "and named" "$OUT" 'eth0 ingress .*its filter is gone'
check "and put back" "$TCCTL" apply two.yaml
check_rc "for good" 0 "$TCCTL" plan two.yaml
tc qdisc del dev eth0 clsact
check "a deleted clsact is made again" "$TCCTL" apply two.yaml
check_rc "for good, too" 0 "$TCCTL" plan two.yaml
check_match "status agrees" "$("$TCCTL" status)" 'eth0 ingress'
rm -f /sys/fs/bpf/tcctl/*/default/p*/tc/globals/jt_l4
check_rc "a jump table that lost its pin is seen" 2 "$TCCTL" plan two.yaml
check "and loaded again" "$TCCTL" apply two.yaml
check_rc "for good, as well" 0 "$TCCTL" plan two.yaml

# Export is valid input.
"$TCCTL" export >export.yaml
check_rc "what export writes plans nothing" 0 "$TCCTL" plan export.yaml

check "remove" "$TCCTL" remove
check_eq "listings are as before" "$(listing)" "$before"
check_eq "no pins are left" "$(pins)" "$pins_before"
check "removing nothing is fine" "$TCCTL" remove
check_rc "exporting nothing is not" 1 "$TCCTL" export
