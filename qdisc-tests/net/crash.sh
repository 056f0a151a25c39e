#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGKILL anywhere in an apply: each hook runs the old or the new pipeline, the next apply finishes, and nothing is left
# over. POINTS=all kills at every system call of the kinds that change something; POINTS=N at N of them, evenly spread.
#
#  client c0 ---- s0 server      filters on c0 and on l0 ---- l1 of the client
# timeout: 600
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd strace
topo_pair
in_ns client ip link add l0 type veth peer name l1
in_ns client ip link set l0 up
in_ns client ip link set l1 up

classes='tcctl: 1
classes: { voice: { dscp: EF }, bulk: { dscp: CS1 } }
rules:
  one:
    - { proto: udp, port: 5060, class: voice }
  two:
    - { proto: udp, port: 5060, class: bulk }
    - { proto: tcp, class: voice }
interfaces:'
# From the first to the second: new rules, new programs, a hook that leaves, one that joins, a pipeline that goes and one
# that comes, clsact made and removed.
printf '%s\n  c0: { rules: one }\n  l0: { rules: one, side: lan, egress: { mode: observe } }\n' "$classes" >old.yaml
printf '%s\n  c0: { rules: two, ingress: { mode: observe } }\n  l1: { rules: one, side: lan }\n' "$classes" >new.yaml

CALLS=bpf,sendto,sendmsg,renameat,unlinkat,mkdirat,fchmodat,membarrier
pins() { find /sys/fs/bpf/tcctl -type f | sed -E 's/.*default//' | grep -v '^/p[0-9]*/c[0-9]*$' | sed -E 's,^/p[0-9]+,/pN,' | sort | uniq -c; }
hooks() { local d; for d in c0 l0 l1; do in_ns client tc filter show dev $d ingress 2>/dev/null | grep -c tcctl:; in_ns client tc filter show dev $d egress 2>/dev/null | grep -c tcctl:; in_ns client tc qdisc show dev $d clsact; done; }
apply() { "$TCCTL" apply -q --netns client "$1"; }

# The system calls in `trace` that change something to be seen later, each with its number among those of its name, as
# strace counts. Loading programs and making maps takes most calls and changes nothing.
changes() {
	mapfile -t points < <(sed -E 's/^[0-9]+ +//' trace | awk -F'[(,]' '
		/^[a-z]/ { n[$1]++; if ($1 != "bpf" || $2 ~ /MAP_UPDATE|OBJ_PIN|MAP_DELETE/) print $1, n[$1] }')
}

# The class that a packet of the client gets now: 46 is the old one, 8 the new one.
dscp() {
	local out
	bg sniff nsenter --net=/run/netns/server -- "$PKT" sniff -i s0 -n 1 -t 10 -p udp
	wait_until 10 grep -q ready "$T/sniff.err"
	in_ns client "$PKT" send -d 10.0.1.2 -P 5060 >/dev/null
	bg_wait sniff
	out=$(<"$T/sniff.out")
	grep -oE '"proto":17,"dscp":[0-9]+' <<<"$out" | grep -oE '[0-9]+$'
}

must apply new.yaml
new_hooks=$(hooks) new_pins=$(pins)
must "$TCCTL" remove --netns client
must apply old.yaml
check_eq "old class" "$(dscp)" 46
strace -f -qq -o trace -e trace=$CALLS "$TCCTL" apply -q --netns client new.yaml
check_eq "new class" "$(dscp)" 8
changes # of the whole apply
echo "# ${#points[@]} system calls that change something"
want=${POINTS:-12}
[[ $want = all ]] && want=${#points[@]}

bad=0 old=0 new=0
for ((i = 0; i < want; i++)); do
	read -r call n <<<"${points[i * ${#points[@]} / want]}"
	at="killed at $call $n"
	apply old.yaml >out 2>&1 || { not_ok "$at: going back to the old one before it" "$(<out)"; bad=1; break; }
	strace -f -qq -o /dev/null -e trace=$CALLS -e inject="$call:signal=KILL:when=$n" \
		"$TCCTL" apply -q --netns client new.yaml >out 2>&1
	d=$(dscp)
	case $d in
	46) old=$((old + 1)) ;;
	8) new=$((new + 1)) ;;
	*) not_ok "$at: the hook is old or new" "DSCP ${d:-none}"; bad=1 ;;
	esac
	# Half of the time straight on, half of the time back: the next run may want either.
	if ((i % 2)); then
		apply new.yaml >out 2>&1 || { not_ok "$at: the next apply" "$(<out)"; bad=1; }
		[[ $(hooks) = "$new_hooks" ]] || { not_ok "$at: hooks after the next apply" "$(hooks)"; bad=1; }
		[[ $(pins) = "$new_pins" ]] || { not_ok "$at: pins after the next apply" "$(diff <(echo "$new_pins") <(pins))"; bad=1; }
		"$TCCTL" plan -q --netns client new.yaml >out 2>&1 || { not_ok "$at: a plan after that finds nothing" "$(<out)"; bad=1; }
	fi
done
((bad)) || ok "killed at $want points: old ($old times) or new ($new times), the next apply finishes"
[[ $old -gt 0 && $new -gt 0 ]]
check_eq "both happened" $? 0

# Killed in remove.
must apply new.yaml
strace -f -qq -o trace -e trace=$CALLS "$TCCTL" remove -q --netns client
changes
want=$((want / 3 > ${#points[@]} ? ${#points[@]} : want / 3))
bad=0
for ((i = 0; i < want; i++)); do
	read -r call n <<<"${points[i * ${#points[@]} / want]}"
	apply new.yaml >out 2>&1 || { not_ok "apply after a remove killed before" "$(<out)"; bad=1; break; }
	strace -f -qq -o /dev/null -e trace=$CALLS -e inject="$call:signal=KILL:when=$n" \
		"$TCCTL" remove -q --netns client >out 2>&1
	"$TCCTL" remove -q --netns client >out 2>&1 || { not_ok "remove killed at $call $n: the next one" "$(<out)"; bad=1; }
	left=$(find /sys/fs/bpf/tcctl 2>/dev/null; in_ns client tc qdisc show | grep clsact)
	[[ -z $left ]] || { not_ok "remove killed at $call $n: leaves nothing" "$left"; bad=1; }
done
((bad)) || ok "remove killed at $want points: the next one finishes, nothing is left"
