#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The commands in the order of a day: check, plan, apply, status, export, remove; text, JSON, exit status.
#
#   client c0 ---- s0 server      tcctl works on c0
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_cmd jq ping
need_file "$TCCTL"
topo_pair
# No neighbour discovery or multicast reports in between: hooks are without packets until there are pings.
for e in client:c0 server:s0; do in_ns "${e%:*}" sysctl -qw "net.ipv6.conf.${e#*:}.disable_ipv6=1"; done

cat >wan.yaml <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF }
  web: { dscp: AF21 }
rules:
  wan:
    - { proto: icmp, class: voice, name: pings }
    - { proto: tcp, port: [80, 443], class: web }
interfaces:
  c0: { rules: wan }
Y
t() { "$TCCTL" "$@"; }
before=$(in_ns client tc qdisc show; in_ns client tc filter show dev c0 ingress; in_ns client tc filter show dev c0 egress)

check_rc "check: valid" 0 t check wan.yaml
check_match "with the memory it takes" "$OUT" 'wan +2 .*'$'\n''memory .* = 2 × compiled \+ 24 bytes × [0-9]+ CPUs × counters'
check_eq "check -j: figures add up" "$(t check -j wan.yaml | jq '. as $d | .rule_sets[0] |
	.memory_bytes == 2 * .compiled_bytes + 24 * $d.cpus * .counters and .rules == 2 and $d.ok')" true

check_rc "plan: there is something to do" 2 t plan -n client wan.yaml
check_match "plan names the order of stages" "$OUT" 'c0 ingress +p[0-9]+ +classify\(wan: 2 rules\) → mark → end'
check_match "and the steps" "$OUT" 'create clsact on c0.*attach'
check_eq "plan changes nothing" "$(find /sys/fs/bpf -mindepth 1 ! -name '*.debug'; in_ns client tc qdisc show | grep clsact)" ""
check_eq "plan -q says it by exit status" "$(t plan -q -n client wan.yaml; echo $?)" 2
check_eq "plan -j" "$(t plan -j -n client wan.yaml | jq -c '[.changed, .ok, (.steps | map(.kind) | sort), (.hooks | map(.device + " " + .direction) | sort)]')" \
	'[true,true,["clsact-add","hook-add","hook-add","pipeline-add"],["c0 egress","c0 ingress"]]'

check_rc "status: nothing yet" 0 t status -n client
check_match "is said" "$OUT" 'nothing is applied'
check_rc "export: nothing yet is an error" 1 t export -n client

check_rc "apply" 0 t apply -n client wan.yaml
check_match "says what it did" "$OUT" '\+ attach .*c0.*done in .* 2 hooks \(2 added'
check_rc "plan: nothing to do" 0 t plan -n client wan.yaml
check_match "is said" "$OUT" 'nothing to do'
check_eq "a second apply changes nothing" "$(t apply -j -n client wan.yaml | jq -c '[.changed, .hook_counts.attached, .steps]')" '[false,2,[]]'

check_match "status: hooks without packets are marked" "$(t status -n client)" 'c0 (in|e)gress .*no packet seen'
in_ns client ping -qc 20 -i 0.01 10.0.1.2 >ping
check_match "20 pings" "$(<ping)" ' 20 received'
t status -j -n client >status.json
check_eq "counted by hook" "$(jq -c '[.hooks[] | select(.packets >= 20) | .direction] | sort' status.json)" '["egress","ingress"]'
check_eq "counted by rule, both directions" "$(jq '[.rules[] | select(.name == "pings") | .packets] | add' status.json)" 40
check_eq "and by class" "$(jq '[.classes[] | select(.name == "voice") | .packets] | add' status.json)" 40
check_eq "bytes with the Ethernet header" "$(jq '[.classes[] | select(.name == "voice") | .bytes] | add' status.json)" $((40 * 98))
check_eq "the hooks are attached" "$(jq -r '[.hooks[].state] | unique[]' status.json)" attached
check_eq "as tc sees it, too" "$(jq -r '.hooks[] | select(.direction == "ingress") | .program_id' status.json)" \
	"$(in_ns client tc -j filter show dev c0 ingress | jq -r '.[] | select(.options.prog) | .options.prog.id')"
t status -n client >status.txt
check_match "text: rule" "$(<status.txt)" 'wan 1, pings +40 +40 .*→ voice'
check_match "text: class" "$(<status.txt)" 'voice +40 +40 +3.9 kB'
check_no_match "text: nothing of reasons that did not happen" "$(<status.txt)" 'trunc|bad-ip'
check_match "all of it with -v" "$(t status -v -n client)" 'trunc'

check_rc "export" 0 t export -n client
t export -n client >exported.yaml
check_rc "what export prints is valid" 0 t check exported.yaml
check_rc "and is what is applied" 0 t plan -n client exported.yaml
check_eq "export -j has the same text" "$(t export -j -n client | jq -r .yaml)" "$(<exported.yaml)"

# Others on the same hook.
in_ns client tc filter add dev c0 ingress prio 1 protocol all u32 match u32 0 0 classid 1:1
check_match "a filter of others ahead is named" "$(t status -n client)" 'c0 ingress +filter, prio 1 +u32 +before us'
check_eq "and counted" "$(t status -j -n client | jq -c '[.hooks[] | select(.direction == "ingress") | .ahead], [.neighbours[].kind]')" $'[1]\n["filter"]'

# Two names.
sed 's/^tcctl: 1/tcctl: 1\nname: second/; s/c0:/c9:/; s/{ rules: wan }/{ rules: wan, optional: true }/' wan.yaml >second.yaml
check_rc "a second name beside it" 0 t apply -n client second.yaml
check_rc "does not disturb the first" 0 t plan -n client wan.yaml
check_rc "export of two needs a name" 1 t export -n client
check_rc "with a name" 0 t export -n client --name default
check_rc "remove one" 0 t remove -n client --name second
check_rc "the other stays" 0 t plan -n client wan.yaml

check_rc "remove" 0 t remove -n client
check_match "says so" "$OUT" 'removed 2 hooks'
check_match "the filter of others is still there" "$(in_ns client tc filter show dev c0 ingress)" 'u32'
in_ns client tc filter del dev c0 ingress prio 1
in_ns client tc qdisc del dev c0 clsact
check_eq "all else is as before" "$(in_ns client tc qdisc show; in_ns client tc filter show dev c0 ingress; in_ns client tc filter show dev c0 egress)" "$before"
check_eq "no pins are left" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""
check_rc "removing nothing is fine" 0 t remove -n client
check_eq "remove -j" "$(t remove -j -n client | jq -c '[.changed, .ok]')" '[false,true]'

check_rc "a namespace that is not there" 1 t plan -n cliemt wan.yaml
check_match "with what was meant" "$OUT" "'cliemt'.*did you mean 'client'"
sed 's/c0:/c1:/' wan.yaml >nodev.yaml
check_rc "a device that is not there" 1 t apply -n client nodev.yaml
check_match "is named with its place" "$OUT" 'nodev.yaml:10:[0-9]+: error: .*c1'
