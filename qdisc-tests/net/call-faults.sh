#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# mkdirat, fchmodat, unlinkat, openat2 or bpf fails, each with the errors that it can give: the exit status is true, a failure is
# said and names what it was about, what ran before still runs, and the next run puts all right. ALL=1 tries every call.
#
#  host: eth0 (10.0.1.1) ---- eth1
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT" "$BPFTOOL"
need_cmd strace jq
topo_local
config() { # PORT: another one is a change of rules alone, which loads nothing
	printf 'tcctl: 1\nclasses: { voice: { dscp: EF } }\nrules: { wan: [ { name: r, proto: udp, port: [5060, %s], class: voice } ] }\n' "$1"
	printf 'interfaces: { eth0: { rules: wan } }\n'
}
config 1000 >a.yaml
config 2000 >b.yaml
strace -qq -e trace=mkdirat -o try true 2>/dev/null || skip_all "strace may not trace here"
t() { "$TCCTL" "$@"; }

attached() { tc filter show dev eth0 ingress; tc filter show dev eth0 egress; tc qdisc show dev eth0 clsact; }
pins() { find /sys/fs/bpf/tcctl -printf '%P %y%m\n' 2>/dev/null | sort; }
picture() { attached; pins; running; }
classifies() {
	local before after
	before=$(t status -j --ours | jq '[.rules[] | select(.name == "r").packets] | add')
	"$PKT" send -d 10.0.1.2 -P 5060 -n 3 >/dev/null
	after=$(t status -j --ours | jq '[.rules[] | select(.name == "r").packets] | add')
	((after == before + 3))
}

# Each COMMAND once for each of the calls it makes (or MOST of them, evenly spread), with the errors in turn. Before each,
# START makes what it starts from; afterwards NEXT must put all right.
sweep() { # WHAT MOST CALL "ERROR…" START NEXT COMMAND…
	local what=$1 most=$2 call=$3 start=$5 next=$6 n i rc at error bad=0 said=0 done_=0 before
	local -a errors=($4)
	shift 6
	$start >out 2>&1 || { not_ok "$what, $call: start" "$(<out)"; return; }
	strace -f -qq -o trace -e trace=$call "$TCCTL" "$@" >out 2>&1
	n=$(grep -cE "^[0-9]+ +$call\(" trace)
	[[ ${ALL-} || $n -lt $most ]] && most=$n
	((most)) || { not_ok "$what, $call" "it makes no such call"; return; }
	for ((i = 0; i < most; i++)); do
		error=${errors[i % ${#errors[@]}]}
		at="$what, $call $((i * n / most + 1)) of $n gives $error"
		$start >out 2>&1 || { not_ok "$at: start" "$(<out)"; return; }
		before=$(picture)
		strace -f -qq -o trace -e trace=$call -e inject="$call:error=$error:when=$((i * n / most + 1))" "$TCCTL" "$@" >out 2>&1
		rc=$?
		grep -q INJECTED trace || continue
		# 2: a plan that differs, where nothing does
		if ((rc > 1)) || { ((rc)) && ! grep -q 'error: [a-z]*.*' out && ! grep -q '"severity": *"error"' out; }; then
			not_ok "$at: says what is wrong" "status $rc: $(<out)"
			bad=1
		fi
		if ((rc == 1)); then
			said=$((said + 1))
			grep -q 'is in force' out || [[ $(picture) = "$before" ]] || [[ $1 = remove ]] || {
				not_ok "$at: all is as it was" "$(diff <(echo "$before") <(picture) | head -n 5) said: $(<out)"
				bad=1
			}
		else
			done_=$((done_ + 1))
		fi
		$next >out 2>&1 || { not_ok "$at: the next run" "$(<out)"; bad=1; }
	done
	((bad)) || ok "$what: $most calls of $call fail: $said times said, $done_ times overcome"
}
nothing() { t remove -q; }
with_a() { t apply -q a.yaml; }
then_b() { t apply -q b.yaml && t plan -q b.yaml && classifies; }
then_gone() { t remove -q && [[ -z $(pins; tc qdisc show dev eth0 clsact) ]]; }
same() { [[ $(picture) = "$before" ]] && t plan -q a.yaml; }

sweep "first apply" 6 mkdirat "ENOSPC EACCES EROFS" nothing then_b apply -q b.yaml
sweep "first apply" 4 fchmodat "EPERM EROFS EIO" nothing then_b apply -q b.yaml
sweep "first apply" 6 bpf "EPERM ENOMEM E2BIG EINVAL EAGAIN ENOSPC" nothing then_b apply -q b.yaml
nothing
sweep "new rules" 16 bpf "EPERM ENOMEM E2BIG EINVAL EAGAIN EBUSY" with_a then_b apply -q b.yaml
sweep "new rules" 8 mkdirat "ENOSPC EROFS" with_a then_b apply -q b.yaml
sweep "new rules" 8 fchmodat "EPERM EIO" with_a then_b apply -q b.yaml
sweep "new rules" 6 unlinkat "EBUSY EACCES" with_a then_b apply -q b.yaml
sweep "new rules" 8 openat2 "EMFILE ENOMEM EACCES" with_a then_b apply -q b.yaml
with_a
for reader in "status -j" "status" "export" "plan -q a.yaml"; do
	sweep "$reader" 8 bpf "EPERM ENOMEM EMFILE EINVAL" true same $reader
	sweep "$reader" 4 openat2 "EMFILE EACCES" true same $reader
done
sweep "remove" 5 bpf "EPERM ENOMEM EINVAL" with_a then_gone remove -q
sweep "remove" 5 unlinkat "EBUSY EACCES" with_a then_gone remove -q
nothing
check_eq "nothing is left" "$(pins)$(tc qdisc show | grep clsact)" ""
