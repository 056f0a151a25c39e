#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A pipeline that an earlier build made, with fewer fixed counters: status works, apply tells to remove it where it does not fit.
#
#   eth0 ---- eth1
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_cmd bpftool jq
need_file "$TCCTL"
topo_local
cat >a.yaml <<-END
	tcctl: 1
	classes: { voice: { dscp: EF } }
	rules: { one: [ { proto: udp, class: voice } ] }
	interfaces: { eth0: { rules: one } }
END
map() { "$BPFTOOL" -j map show pinned "$1" | jq ".$2"; }
reasons() { jq '[.reasons[] | .packets] | add // 0'; }

must "$TCCTL" apply -q a.yaml
pin=$(echo /sys/fs/bpf/tcctl/*/default/p*/tc/globals/counters_fixed)
size=$(map "$pin" bytes_value) n=$(map "$pin" max_entries)
must rm "$pin"
must "$BPFTOOL" map create "$pin" type percpu_array key 4 value "$size" entries $((n - 64)) name counters_fixed
check_rc "status" 0 "$TCCTL" status
check_match "shows the hooks" "$OUT" $'\neth0 egress +default p1'
check_match "and the stages" "$OUT" 'classify.* mark'
sed 's/rules: one }/rules: one, mode: observe }/' a.yaml >b.yaml
check_rc "apply with other programs" 1 "$TCCTL" apply -q b.yaml
check_match "says what to do" "$OUT" 'map counters_fixed: .*tcctl remove, then apply again'
check "remove" "$TCCTL" remove -q
check "apply" "$TCCTL" apply -q b.yaml
check_eq "the map is whole" "$(map "$pin" max_entries)" "$n"
check_rc "status after that" 0 "$TCCTL" status
check "remove" "$TCCTL" remove -q
check_eq "nothing is left" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""
