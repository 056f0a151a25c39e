#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Moving a pin into place fails, at each of the moves of a change in turn. Whatever the exit status says is true, packets are
# classified at once and after the next run has cleared up, and that run leaves nothing to do.
#
#  host: eth0 (10.0.1.1) ---- eth1
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd strace jq
topo_local
config() { # VERDICT PORT
	printf 'tcctl: 1\nclasses: { voice: { dscp: EF } }\nrules:\n  wan:\n    - { name: r, proto: udp, port: %s, class: voice }\n' "$2"
	printf 'interfaces:\n  eth0: { rules: wan, verdict: %s }\n' "$1"
}
config continue 5060 >a.yaml
config ok 5060 >b.yaml
counted() { "$TCCTL" status -j | jq '[.rules[] | select(.name == "r").packets] | add'; }
classifies() {
	local before
	before=$(counted)
	"$PKT" send -d 10.0.1.2 -P 5060 -n 3 >/dev/null
	(($(counted) == before + 3))
}
strace -qq -e trace=renameat,renameat2 -o try true 2>/dev/null || skip_all "strace may not trace here"

must "$TCCTL" apply -q a.yaml
must classifies
"$TCCTL" apply -q a.yaml
moves=$(strace -f -e trace=renameat,renameat2 "$TCCTL" apply -q b.yaml 2>&1 | grep -c '^\(\[pid.*\] \)\?renameat')
check "a change of programs moves pins" test "$moves" -gt 4
must "$TCCTL" apply -q a.yaml
for ((n = 1; n <= moves; n++)); do
	strace -f -o trace -e trace=renameat,renameat2 -e inject=renameat,renameat2:error=EIO:when=$n "$TCCTL" apply -q b.yaml 2>err
	rc=$?
	check_eq "move $n fails: the exit status says so" "$rc $(grep -c INJECTED trace)" "1 1"
	check "move $n: packets are classified" classifies
	check "move $n: the next run" "$TCCTL" apply -q b.yaml
	check "move $n: packets are classified after it" classifies
	check_rc "move $n: nothing is left to do" 0 "$TCCTL" plan -q b.yaml
	check_eq "move $n: no pins are left beside" "$(find /sys/fs/bpf/tcctl -name '~*')" ""
	must "$TCCTL" apply -q a.yaml
done
check "remove" "$TCCTL" remove
check_eq "no pins" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""
