#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Translation of VLANs between the kernel's VLAN devices: what comes in with one tag, or two, leaves with others, through a bridge
# that looks at no tags: each port taking and pushing its own, and both on one hook. Pushing and popping alone is in vm/tunnels.sh.
#   client c1 [c1.10 …] ---- a1 near [br1; tcctl at a1 and b1] b1 ---- s1 far [s1.20 …]
# vm: 5.10 6.1 6.12
# modules: 8021q bridge veth sch_ingress cls_bpf
# timeout: 180
. "${0%/*}/../lib/lib.sh"
EXCHANGE=$B/tests/tools/exchange
need_file "$TCCTL" "$EXCHANGE"
# Tags of the client and of the other end, the outermost first; 802.1Q unless it says ad.
PAIRS=("10 20" "30 40.ad" "50 60.ad,61" "70.ad,71 80.ad,81")
ns_add client near far

vlans() { # NS DEVICE TAG,TAG HOST: a chain of VLAN devices
	local on=$2 t
	for t in ${3//,/ }; do
		must in_ns "$1" ip link add link "$on" name "$on.${t%.ad}" type vlan id "${t%.ad}" \
			proto "$([[ $t = *.ad ]] && echo 802.1ad || echo 802.1Q)"
		on=$on.${t%.ad}
		in_ns "$1" ip link set "$on" up mtu 1496 # the cable has room for one tag besides
	done
	addr "$1" "$on" "10.$n.0.$4/24" "fd00:$n::$4/64"
}
yaml() { # TAG,TAG: as `tags:` has them
	local t out=''
	for t in ${1//,/ }; do
		out+=", { id: ${t%.ad}, pcp: inherit$([[ $t = *.ad ]] && echo ", proto: 802.1ad") }"
	done
	echo "[ ${out#, } ]"
}

n=0
for p in "${PAIRS[@]}"; do
	n=$((n + 1))
	read -r there here <<<"$p"
	veth client c$n near a$n
	veth near b$n far s$n
	must in_ns near ip link add br$n type bridge
	for l in a$n b$n; do in_ns near ip link set $l master br$n; done
	in_ns near ip link set br$n up
	vlans client c$n "$there" 1
	vlans far s$n "$here" 2
	echo "  a$n: { type: vlan, tags: $(yaml "$there") }" >>"$T/tunnels"
	echo "  b$n: { type: vlan, tags: $(yaml "$here") }" >>"$T/tunnels"
	echo "  a$n: { decap: [a$n], encap: a$n }" >>"$T/ports"
	echo "  b$n: { decap: [b$n], encap: b$n }" >>"$T/ports"
	echo "  a$n: { side: lan, decap: [a$n], encap: b$n }" >>"$T/hooks"
	echo "  b$n: { side: lan, decap: [b$n], encap: a$n }" >>"$T/hooks"
done
for c in ports hooks; do
	printf 'tcctl: 1\ntunnels:\n%s\ninterfaces:\n%s\n' "$(<"$T/tunnels")" "$(<"$T/$c")" >"$T/$c.yaml"
done

exchange() { # NAME OPTION…
	local rc bad
	"$EXCHANGE" -a client -b far -4 "10.$n.0.1,10.$n.0.2" -6 "fd00:$n::1,fd00:$n::2" -m 1496 -q \
		-l $((${QT_TIME_FACTOR:-1} > 3 ? 500000 : 2000000)) -t $((5 * ${QT_TIME_FACTOR:-1})) "${@:2}" "$there to $here, $1" >"$T/exchange"
	rc=$?
	cat "$T/exchange"
	bad=$(grep -c '^not ok - ' "$T/exchange")
	_cases=$((_cases + $(grep -c '^ok - ' "$T/exchange") + bad)) _failed=$((_failed + bad))
	((rc == (bad > 0))) || not_ok "$there to $here, $1" "exchange ended with status $rc"
}
each() { # NAME OPTION…
	n=0
	for p in "${PAIRS[@]}"; do
		n=$((n + 1))
		read -r there here <<<"$p"
		if [[ $1 = "on one hook" && $p = *,* && $(printf '6.12\n%s' "$(uname -r)" | sort -V | head -n1) != 6.12 ]]; then
			skip "$there to $here, $1" "a kernel that counts a second tag pushed on the way in: Linux 6.12"
			continue
		fi
		if [[ $2 = -u ]]; then exchange "$1" -u "client:c$n,far:s$n"; else exchange "$1" "$2"; fi
	done
}
each "before" -n
check "apply, each port its own" "$TCCTL" --netns near apply "$T/ports.yaml" || exit 1
each "each port its own" -u
# PCP is the class of what has a DSCP: EF is 5.
capture_start pcp far s1 'vlan 20 and icmp'
in_ns client ping -qc3 -i0.1 -Q 0xb8 10.1.0.2 >/dev/null
capture_stop pcp
check_match "the tag says the class of the packet's DSCP" "$(tcpdump -enr "$T/pcp.pcap" 2>&1)" 'vlan 20, p 5,.* echo request'
check "remove" "$TCCTL" --netns near remove
each "removed" -n
check "apply, on one hook" "$TCCTL" --netns near apply "$T/hooks.yaml"
each "on one hook" -u
