#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The devices of many tunnels are removed together, by a group that they are put into: nobody else's device goes with them,
# whatever happens in between, and what a kill leaves is put right by the next run.
#
#  client c0 ---- s0 server      in client: vx1 … vx20 by tcctl, theirs* by somebody else
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd strace jq
strace -qq -o trace true || skip_all "strace that can trace"
topo_pair
N=20

{
	echo "tcctl: 1"
	echo "tunnels:"
	for i in $(seq $N); do
		echo "  site-$i: { type: vxlan, local: 10.0.1.1, remote: 10.0.1.2, vni: $i, device: vx$i }"
	done
	echo "interfaces:"
	echo "  c0: { decap: [$(seq -s, -f 'site-%g' $N)] }"
} >many.yaml
sed '/site-1:/!{/site-/d}' many.yaml >few.yaml
echo "  c0: { decap: site-1 }" >>few.yaml
theirs() { # NAME GROUP
	must ip -n client link add "$1" type veth peer name "p$1"
	must ip -n client link set "$1" group "$2"
}
theirs theirs0 0
theirs theirs1 5
theirs theirs2 $((0x74630001)) # just such a number as we use
links() { in_ns client ip -j -d link | jq -c '[.[] | [.ifindex, .ifname, .address, .group]]'; }
ours() { in_ns client ip -o link | grep -c ': vx'; }
group() { in_ns client ip -j -d link show "$1" | jq -r '.[0].group'; }
tc_client() { "$TCCTL" "$@" --netns client; }
apply() { must tc_client apply -q "$1"; }
# Requests as strace shows them: by name, or by number where it does not know the family.
DELLINK='nlmsg_type=(RTM_DELLINK|0x11 )' GETLINK='nlmsg_type=(RTM_GETLINK|0x12 )' SETLINK='nlmsg_type=(RTM_SETLINK|0x13 )'
requests() { grep -cE "sendto.*$1" trace; }
before=$(links)

apply many.yaml
check_eq "devices" "$(ours)" $N
strace -f -qq -o trace -e trace=sendto "$TCCTL" remove -q --netns client
check_eq "remove" "$?" 0
check_eq "leaves no device, and others' as they were" "$(links)" "$before"
check_eq "all are removed by one request" "$(requests "$DELLINK")" 1
numbers() { awk -v what="$1" '/sendto/ { n++ } /sendto/ && $0 ~ what { print n }' trace; } # REQUEST
set_at=$(numbers "$SETLINK") look_at=$((set_at + 1)) del_at=$((set_at + 2))
check_match "they join a group, are looked at," "$(numbers "$GETLINK" | xargs)" "(^| )$look_at( |$)"
check_eq "and go" "$(numbers "$DELLINK")" "$del_at"

apply many.yaml
strace -f -qq -o trace -e trace=sendto "$TCCTL" apply -q --netns client few.yaml
check_eq "an apply that keeps one of them" "$?/$(ours)" 0/1
check_eq "removes the others by one request" "$(requests "$DELLINK")" 1
check_eq "the one that stays is in no group" "$(group vx1)" default
must tc_client remove -q

# Somebody acts while we are about to send request N: strace holds it back.
meanwhile() { # N COMMAND…
	local n=$1 pid
	shift
	apply many.yaml
	strace -f -qq -o trace -e trace=sendto -e inject="sendto:delay_enter=1500000:when=$n" "$TCCTL" remove -q --netns client &
	pid=$!
	wait_until 10 test -s trace
	must wait_until 10 eval '(($(grep -c sendto trace) >= '"$n"'))'
	"$@"
	wait $pid
}
join() { must ip -n client link set theirs0 group "$(group vx7)"; }
meanwhile "$look_at" join
check_eq "a device that somebody put into the group meanwhile: remove" "$?" 0
check_eq "it stays" "$(links | jq -c '[.[] | .[0:3]]')" "$(jq -c '[.[] | .[0:3]]' <<<"$before")"
must ip -n client link set theirs0 group 0
replace() { # others take a device of ours away and make one in its place
	local index
	index=$(in_ns client ip -j link show vx7 | jq '.[0].ifindex')
	must ip -n client link del vx7
	must ip -n client link add vx7 index "$index" type veth peer name pvx7 index 4711
	must ip -n client link del vx8
}
meanwhile "$set_at" replace
check_eq "a device of somebody else in the place of ours: remove" "$?" 0
check_eq "it stays, ours go" "$(in_ns client ip -o link | grep -oE ': p?vx[0-9]+' | sort | xargs)" ": pvx7 : vx7"
check_eq "it is in no group" "$(group vx7)" default
must ip -n client link del vx7
check_eq "the others are as they were" "$(links)" "$before"

# Requests that are refused
for what in joining removing; do
	n=$set_at
	[[ $what = removing ]] && n=$del_at
	apply many.yaml
	strace -f -qq -o trace -e trace=sendto -e inject="sendto:error=EPERM:when=$n" "$TCCTL" remove -q --netns client
	check_eq "$what refused: remove" "$?" 0
	check_eq "one by one" "$(($(requests "$DELLINK") >= N))/$(links)" "1/$before"
done
apply many.yaml
strace -f -qq -o trace -e trace=sendto -e inject="sendto:error=EPERM:when=$del_at+" "$TCCTL" remove --netns client >out 2>&1
check_eq "nothing can be removed: remove" "$?" 1
check_match "says so" "$(<out)" 'cannot remove device vx20'
check "the next one" tc_client remove -q
check_eq "leaves nothing" "$(links)" "$before"

# Killed before each request from the joining on
for ((n = set_at; n <= del_at; n++)); do
	for next in remove apply; do
		apply many.yaml
		strace -f -qq -o trace -e trace=sendto -e inject="sendto:signal=KILL:when=$n" "$TCCTL" remove -q --netns client \
			>/dev/null 2>&1
		if [[ $next = remove ]]; then
			check "killed at request $n: the next remove" tc_client remove -q
		else
			check "killed at request $n: the next apply" tc_client apply -q many.yaml
			check_eq "… has all devices, in no group" "$(in_ns client ip -j -d link |
				jq -c '[.[] | select(.ifname | test("^vx")) | .group] | group_by(.) | map([.[0], length])')" "[[\"default\",$N]]"
			check_rc "… nothing is left to do" 0 tc_client plan -q many.yaml
			must tc_client remove -q
		fi
		check_eq "… nothing is left" "$(links)" "$before"
	done
done

# Going back: an apply that fails when the devices are there
must ip netns exec client tc qdisc add dev c0 clsact
must ip netns exec client tc filter add dev c0 ingress prio 7 protocol ip u32 match u32 0 0 classid 1:1
strace -f -qq -o trace -e trace=sendto "$TCCTL" apply --prio 7 --netns client many.yaml >out 2>&1
check_eq "an apply that fails" "$?" 1
check_match "by the filter" "$(<out)" 'cannot add filter'
check_eq "removes what it made by one request" "$(requests "$DELLINK")/$(links)" "1/$before"
