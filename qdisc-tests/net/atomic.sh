#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Any system call of an apply fails: the exit status and the message tell the truth, and every hook is as it was, or, where
# the failure comes after the change is in force, that is said. POINTS=all tries every call that changes something.
#
#  host: eth0 ---- eth1
# timeout: 600
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd strace
must ip link add eth0 type veth peer name eth1
classes='tcctl: 1
classes: { voice: { dscp: EF }, bulk: { dscp: CS1 } }
rules:
  one:
    - { proto: udp, port: 5060, class: voice }
  two:
    - { proto: udp, port: 5060, class: bulk }
interfaces:'
printf '%s\n  eth0: { rules: one }\n' "$classes" >old.yaml
printf '%s\n  eth0: { rules: two, ingress: { mode: observe } }\n  eth1: { rules: one }\n' "$classes" >new.yaml

CALLS=bpf,sendto,renameat,mkdirat,fchmodat
filters() { for d in eth0 eth1; do for b in ingress egress; do tc filter show dev $d $b 2>/dev/null; done; tc qdisc show dev $d clsact; done; }
pins() { find /sys/fs/bpf/tcctl -printf '%P %y\n' 2>/dev/null | sort; }
# The system calls in `trace` that change something, each with its number among those of its name.
changes() {
	mapfile -t points < <(sed -E 's/^[0-9]+ +//' trace | awk -F'[(,]' '
		/^[a-z]/ { n[$1]++; if ($1 != "bpf" || $2 ~ /MAP_CREATE|MAP_UPDATE|OBJ_PIN|PROG_LOAD/) print $1, n[$1] }')
}

sweep() { # WHAT N COMMAND_TO_START_FROM…
	local what=$1 want=$2 i call n at rc bad=0 kept=0 done_=0 before
	shift 2
	"$@" >out 2>&1 || { not_ok "$what: start" "$(<out)"; return; }
	strace -f -qq -o trace -e trace=$CALLS "$TCCTL" apply -q new.yaml
	changes
	"$TCCTL" remove -q
	[[ $want = all || $want -gt ${#points[@]} ]] && want=${#points[@]}
	for ((i = 0; i < want; i++)); do
		read -r call n <<<"${points[i * ${#points[@]} / want]}"
		at="$what, error at $call $n"
		[[ $(running) ]] || "$@" >out 2>&1
		before=$(filters; pins; running)
		strace -f -qq -o /dev/null -e trace=$CALLS -e inject="$call:error=ENOMEM:when=$n" \
			"$TCCTL" apply -q new.yaml >out 2>&1
		rc=$?
		if ((rc == 0)); then
			# a call that only sped things up, or asked about a feature
			done_=$((done_ + 1))
			"$TCCTL" plan -q new.yaml >out 2>&1 || { not_ok "$at: it said it was done" "$(<out)"; bad=1; }
		elif grep -q 'is in force' out; then
			done_=$((done_ + 1))
			"$TCCTL" apply -q new.yaml >out 2>&1 || { not_ok "$at: apply after it" "$(<out)"; bad=1; }
		else
			kept=$((kept + 1))
			grep -q 'error: .*' out || { not_ok "$at: a message" "$(<out)"; bad=1; }
			[[ $(filters; pins; running) = "$before" ]] || {
				not_ok "$at: all is as it was" "$(diff <(echo "$before") <(filters; pins; running) | head -n5) said: $(<out)"
				bad=1
			}
			continue
		fi
		"$TCCTL" remove -q >out 2>&1 || { not_ok "$at: remove after it" "$(<out)"; bad=1; }
		"$@" >out 2>&1
	done
	((bad)) || ok "$what: error at $want system calls: $kept times all as before, $done_ times done"
	[[ $kept -gt 0 ]]
	check_eq "$what: some of them failed" $? 0
	"$TCCTL" remove -q
}

sweep "first apply" "${POINTS:-8}" true
sweep "change" "${POINTS:-12}" "$TCCTL" apply -q old.yaml
check_eq "nothing is left" "$(pins)$(tc qdisc show | grep clsact)" ""
