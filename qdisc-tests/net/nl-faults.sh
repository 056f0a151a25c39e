#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Lost and interrupted netlink calls: a lost reply is not a failed request, and nothing is reported that is not so.
#
#   client c0 ---- s0 server      tcctl works on c0
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_cmd strace jq
need_file "$TCCTL"
topo_pair
ping_config c0 >wan.yaml

calls() { # SYSCALL COMMAND…: how many of them it makes
	local call=$1
	shift
	strace -f -qq -o trace -e trace="$call" -- "$@" >/dev/null 2>&1
	grep -c "$call(" trace
}
inject() { # SYSCALL ERROR N COMMAND…: output in $OUT
	local call=$1 error=$2 n=$3
	shift 3
	OUT=$(strace -f -qq -o trace -e trace="$call" -e inject="$call:error=$error:when=$n" -- "$@" 2>&1)
}
attached() { in_ns client tc -j filter show dev c0 "$1" | jq '[.[] | select(.options.prog)] | length'; }
t() { "$TCCTL" "$@"; }

# strace of the machine has to work in here at all.
strace -qq -o trace true || skip_all "strace that can trace"

check "set up" t apply -q -n client wan.yaml
t status -j -n client | jq -c '[.hooks[] | [.device, .direction, .state]]' >want

# Reading: any one call may fail. Either it is overcome, or said, and never half an answer.
for call in recvmmsg sendto; do
	n=$(calls $call "$TCCTL" status -j -n client)
	check "status makes $n calls of $call" [ "$n" -ge 1 ]
	for error in ENOBUFS EINTR; do
		bad= survived=0
		for ((i = 1; i <= n; i++)); do
			inject $call $error $i "$TCCTL" status -j -n client
			rc=$?
			if ((rc == 0)); then
				survived=$((survived + 1))
				[[ $(jq -c '[.hooks[] | [.device, .direction, .state]]' <<<"$OUT") = "$(<want)" ]] ||
					bad+="call $i: another answer: $OUT; "
			elif ! jq -e '.ok == false and (.diagnostics | length > 0)' <<<"$OUT" >/dev/null; then
				bad+="call $i: status $rc without a word; "
			fi
		done
		check_eq "status, $call gives $error: the same answer or an error" "$bad" ""
		check_eq "status, $call gives $error: overcome" "$survived" "$n"
	done
done

# Changing: what is said is what is there. Replies are lost one at a time; sending fails from one call on for good, so
# that going back is not possible either: the next command has to clean up.
check "start from nothing" t remove -q -n client
n=$(calls recvmmsg "$TCCTL" apply -n client wan.yaml)
t remove -q -n client
for call in recvmmsg sendto; do
	plus=
	[[ $call = sendto ]] && plus=+
	for ((i = 1; i <= n; i++)); do
		inject "$call" ENOBUFS "$i$plus" "$TCCTL" apply -n client wan.yaml
		rc=$?
		grep -q INJECTED trace || break
		have="$(attached ingress) $(attached egress)"
		if ((rc == 0)); then
			[[ $have = "1 1" ]] || not_ok "apply, $call $i lost" "says done, attached: $have"
			t plan -q -n client wan.yaml >/dev/null || not_ok "apply, $call $i lost" "says done, plan finds something"
		elif [[ -n $plus ]]; then
			[[ $OUT = *error* ]] || not_ok "apply, $call fails from $i on" "status $rc without a word: $OUT"
		else
			[[ $have = "0 0" && -z $(find /sys/fs/bpf/tcctl -name 'p*' 2>/dev/null) ]] ||
				not_ok "apply, $call $i lost" "says '$OUT', but attached: $have; $(find /sys/fs/bpf/tcctl -name 'p*')"
			[[ $call = recvmmsg ]] && not_ok "apply, $call $i lost" "not overcome: $OUT"
		fi
		inject "$call" ENOBUFS "$i$plus" "$TCCTL" remove -n client
		rc=$?
		have="$(attached ingress 2>/dev/null) $(attached egress 2>/dev/null)"
		((rc == 0)) && [[ $have != "0 0" ]] && not_ok "remove, $call $i lost" "says done, attached: $have"
		t remove -q -n client || not_ok "remove after $call $i" "fails"
	done
	ok "apply and remove with $((i - 1)) lost $call"
done
t remove -q -n client
check_eq "nothing is left" "$(find /sys/fs/bpf/tcctl 2>/dev/null; in_ns client tc qdisc show dev c0 | grep clsact)" ""
