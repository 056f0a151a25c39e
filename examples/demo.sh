#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The main job on real traffic, in namespaces that vanish with this script: classify and tag what crosses a
# router, change the rules under flood, leave neighbours alone, tunnel to a vxlan device, refuse a typo, leave nothing behind. Every number
# is read back from tcpdump, the receiver or the kernel; the first that is not as it must be ends in exit 1.
#
#   client c0 ---- lan0 router wan0 ---- s0 server
#   10.0.1.1       .2        10.0.2.2        10.0.2.1
#   fd00:1::1      ::2      fd00:2::2       fd00:2::1
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/qdisc-tests/lib/lib.sh"
need_file "$TCCTL" "$PKT"
ok() { :; } # only what is wrong is worth a line here; what is right is shown as numbers

if [[ -t 1 && -z ${NO_COLOR-} ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi
started=$SECONDS
step() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$off"; } # the command as a reader would type it
indent() { sed 's/^/  /'; }
tcctl() { "$TCCTL" "$@"; }
fail() { printf '\n%sNOT AS IT MUST BE: %s%s\n' "$bold" "$*" "$off"; exit 1; }
same() { # WHAT VALUE VALUE…: all equal and not 0
	local what=$1 want=$2 v
	shift
	[[ $want != 0 ]] || fail "$what is 0"
	for v; do [[ $v == "$want" ]] || fail "$what: $*"; done
}

topo_router lan0 wan0
cp "$top/examples/demo.yaml" .

listing() { # everything of the router that an apply could touch
	in_ns router tc qdisc show dev wan0
	in_ns router tc filter show dev wan0 ingress
	in_ns router tc filter show dev wan0 egress
	find /sys/fs/bpf -mindepth 1 | sort
}

PINGS=20 DATAGRAMS=500 BYTES=2000000
traffic() { # UDP with echo, TCP, ping; over IPv4 and IPv6; sets sent[]
	local a
	capture_start server server s0 -Q in 'udp port 5004 or tcp port 8080 or icmp[icmptype]=icmp-echo or (icmp6 and ip6[40]=128)'
	capture_start client client c0 -Q in 'udp port 5004 or tcp port 8080 or icmp[icmptype]=icmp-echoreply or (icmp6 and ip6[40]=129)'
	receiver_start udp server -p udp -P 5004 -e -t 30 -n $((DATAGRAMS * 2))
	receiver_start tcp server -p tcp -P 8080 -t 30 -n 2
	for a in 10.0.2.1 fd00:2::1; do
		in_ns client "$PKT" send -p udp -d $a -P 5004 -n $DATAGRAMS -r 5000 -R >"$T/udp$a" || fail "UDP to $a: $(cat "$T/udp$a")"
		in_ns client "$PKT" send -p tcp -d $a -P 8080 -n 100 -l $((BYTES / 100)) >"$T/tcp$a" || fail "TCP to $a: $(cat "$T/tcp$a")"
		[[ $(jq .same "$T/tcp$a") == true ]] || fail "TCP to $a arrived changed: $(cat "$T/tcp$a")"
		in_ns client ping -q -c $PINGS -i 0.002 $a >"$T/ping$a" || fail "ping $a: $(cat "$T/ping$a")"
	done
	receiver_wait udp >"$T/udp.json"
	receiver_wait tcp >"$T/tcp.json"
	capture_stop server $((DATAGRAMS * 2 + PINGS * 2))
	capture_stop client $((DATAGRAMS * 2 + PINGS * 2))
}
# Packets in a capture: FILE udp|tcp|ping 4|6 DSCP
seen() {
	local proto=$2 f
	[[ $proto == ping ]] && { [[ $3 == 4 ]] && proto=icmp || proto=icmp6; }
	if [[ $3 == 4 ]]; then f="ip and $proto and ip[1]>>2=$4"; else f="ip6 and $proto and (ip6[0:2]>>6)&0x3f=$4"; fi
	capture_count "$1" "$f"
}
table() { # DSCP_UDP DSCP_TCP DSCP_PING: what both ends saw with those
	printf '  %-6s %6s  %21s  %21s\n' '' '' 'to the server' 'replies to the client'
	printf '  %-6s %6s  %10s %10s  %10s %10s\n' '' DSCP IPv4 IPv6 IPv4 IPv6
	local p d
	for p in "udp $1" "tcp $2" "ping $3"; do
		read -r p d <<<"$p"
		printf '  %-6s %6s  %10s %10s  %10s %10s\n' $p "$d" "$(seen server $p 4 $d)" "$(seen server $p 6 $d)" \
			"$(seen client $p 4 $d)" "$(seen client $p 6 $d)"
	done
}
class_packets() { tcctl --netns router status -j | jq "[.classes[] | select(.name == \"$1\") | .packets] | add // 0"; }

step "1. Before: a router, a neighbour's filter, and traffic that nobody tags"
must in_ns router tc qdisc add dev wan0 clsact
must in_ns router tc filter add dev wan0 egress prio 10 protocol ip u32 match ip dport 22 0xffff flowid :1
show "tc filter add dev wan0 egress prio 10 protocol ip u32 match ip dport 22 0xffff flowid :1"
neighbour() { in_ns router tc filter show dev wan0 egress prio 10; }
theirs=$(neighbour)
before=$(listing)
traffic
show "tcpdump, counted by DSCP at both ends"
table 0 0 0
same "UDP at the server before, DSCP 0" $DATAGRAMS "$(seen server udp 4 0)" "$(seen server udp 6 0)"

step "2. The configuration, and what it would do"
show "cat demo.yaml"
indent <demo.yaml
show "tcctl --netns router plan demo.yaml"
tcctl --netns router plan demo.yaml | indent
[[ ${PIPESTATUS[0]} == 2 ]] || fail "plan must say that something differs (exit 2)"

step "3. Apply; the kernel agrees"
show "tcctl --netns router apply demo.yaml"
tcctl --netns router apply demo.yaml | indent
[[ ${PIPESTATUS[0]} == 0 ]] || fail "apply failed"
for d in ingress egress; do
	show "tc filter show dev wan0 $d"
	in_ns router tc filter show dev wan0 $d | indent
	in_ns router tc filter show dev wan0 $d | grep -q 'bpf.*tcctl' || fail "no filter of ours on wan0 $d"
done
tcctl --netns router plan demo.yaml >"$T/plan" || fail "a second plan must be empty: $(cat "$T/plan")"

step "4. The same traffic again: sent = counted by the class = seen with its DSCP"
traffic
table 46 8 48
show "tcctl --netns router status"
tcctl --netns router status | indent
same "UDP, IPv4: sent and seen with EF both ways" $DATAGRAMS "$(seen server udp 4 46)" "$(seen client udp 4 46)"
same "UDP, IPv6: sent and seen with EF both ways" $DATAGRAMS "$(seen server udp 6 46)" "$(seen client udp 6 46)"
same "pings, both families, both ways, with CS6" $PINGS "$(seen server ping 4 48)" "$(seen server ping 6 48)" "$(seen client ping 4 48)" "$(seen client ping 6 48)"
same "class voice" $((DATAGRAMS * 4)) "$(class_packets voice)"
same "class probe" $((PINGS * 4)) "$(class_packets probe)"
tcp=$(($(seen server tcp 4 8) + $(seen server tcp 6 8) + $(seen client tcp 4 8) + $(seen client tcp 6 8)))
same "class bulk and the TCP packets both ends saw with CS1" "$(class_packets bulk)" $tcp
same "TCP packets and those with CS1" $tcp $(($(capture_count server tcp) + $(capture_count client tcp)))

step "5. Fifty changes of the rules under flood: nothing lost, nothing unclassified"
# The other rule set has more rules, in another order; both give this traffic the class voice.
sed 's/^  wan:$/  wan:\n    - { remote: 192.0.2.0\/24, class: bulk }\n    - { proto: tcp, port: 1-79, class: bulk }/' demo.yaml >other.yaml
voice=$(class_packets voice)
receiver_start flood server -p udp -P 5004 -t 120
bg flood4 nsenter --net=/run/netns/client -- "$PKT" send -d 10.0.2.1 -P 5004 -n 10000000 -r 10000 -t 120
bg flood6 nsenter --net=/run/netns/client -- "$PKT" send -d fd00:2::1 -P 5004 -n 10000000 -r 10000 -t 120
swaps=0
for ((i = 0; i < 25; i++)); do
	for f in other.yaml demo.yaml; do
		out=$(tcctl --netns router apply -j $f) || fail "apply $f under flood: $out"
		[[ $(jq .changed <<<"$out") == true ]] || fail "apply $f changed nothing: $out"
		swaps=$((swaps + 1))
	done
done
for f in flood4 flood6; do
	bg_stop $f # it stops sending and says how many went out
	[[ $(jq .errors "$T/$f.out") == 0 ]] || fail "sender: $(cat "$T/$f.out" "$T/$f.err")"
done
flooded=$(jq -s 'map(.sent) | add' "$T/flood4.out" "$T/flood6.out")
wait_until 10 eval '[[ $(($(class_packets voice) - voice)) -ge $flooded ]]'
flood=$(receiver_stop flood)
received=$(jq .received <<<"$flood") marked=$(jq '.dscp["46"]' <<<"$flood")
counted=$(($(class_packets voice) - voice))
printf '  %d applies while %d packets crossed: %d received, %d of them with EF, %d counted by class voice\n' \
	$swaps "$flooded" "$received" "$marked" "$counted"
same "packets under flood" "$flooded" "$received" "$marked" "$counted"

step "6. The neighbour's filter on the same hook was left alone"
show "tc filter show dev wan0 egress prio 10"
neighbour | indent
same "the neighbour's filter, before and now" "$theirs" "$(neighbour)"

step "7. A tunnel: the router's end by tcctl, the server's by its own vxlan device"
in_ns server ip link add vx0 type vxlan id 42 local 10.0.2.1 remote 10.0.2.2 dstport 4789
{
	sed 's/wan0: { rules: wan }/wan0: { rules: wan, decap: [server] }/' demo.yaml
	echo "tunnels:"
	echo "  server: { type: vxlan, local: 10.0.2.2, remote: 10.0.2.1, vni: 42, device: vx0 }"
} >tunnel.yaml
show "diff demo.yaml tunnel.yaml"
diff demo.yaml tunnel.yaml | indent
show "tcctl --netns router apply tunnel.yaml"
tcctl --netns router apply tunnel.yaml | indent
[[ ${PIPESTATUS[0]} == 0 ]] || fail "apply of the tunnel failed"
addr router vx0 10.0.3.2/24
addr server vx0 10.0.3.1/24
in_ns server ip link set vx0 up
in_ns server ip route add 10.0.1.0/24 via 10.0.3.2 dev vx0
kernel() { in_ns server ip -s -j link show dev vx0 | jq ".[0].stats64.$1.packets"; }
ours() { tcctl --netns router status -j | jq ".tunnels[0].$1.packets"; }
# Both ends have been up for a while: what one of them said before the other was does not count.
wait_until 5 in_ns router ping -qc1 -W1 10.0.3.1
base=("$(ours tx)" "$(kernel rx)" "$(kernel tx)" "$(ours rx)")
since() { echo $(($($1 $2) - base[$3])); }
receiver_start tunnel server -p udp -P 5004 -e -t 30 -n $DATAGRAMS
receiver_start bulk server -p tcp -P 8080 -t 30 -n 1
in_ns client "$PKT" send -p udp -d 10.0.3.1 -P 5004 -n $DATAGRAMS -r 5000 -R >"$T/through" || fail "UDP through the tunnel: $(cat "$T/through")"
in_ns client "$PKT" send -p tcp -d 10.0.3.1 -P 8080 -n 100 -l $((BYTES / 100)) >"$T/bulk" || fail "TCP through the tunnel: $(cat "$T/bulk")"
receiver_wait tunnel >"$T/tunnel.json"
receiver_wait bulk >/dev/null
wait_until 5 eval '[[ $(since ours tx 0) == $(since kernel rx 1) && $(since kernel tx 2) == $(since ours rx 3) ]]'
printf '  %d datagrams and back, %d bytes of TCP; into the tunnel %d packets, the server'"'"'s vxlan device received %d; out of it %d, sent %d\n' \
	"$(jq .received "$T/tunnel.json")" "$(jq .bytes "$T/bulk")" "$(since ours tx 0)" "$(since kernel rx 1)" "$(since ours rx 3)" "$(since kernel tx 2)"
same "datagrams through the tunnel" $DATAGRAMS "$(jq .received "$T/tunnel.json")" "$(jq .replies "$T/through")"
same "packets into the tunnel, and received by the vxlan device" "$(since ours tx 0)" "$(since kernel rx 1)"
same "packets sent by the vxlan device, and out of the tunnel" "$(since kernel tx 2)" "$(since ours rx 3)"
tcctl --netns router apply demo.yaml >/dev/null || fail "back to the configuration without the tunnel"
in_ns router ip link show dev vx0 >/dev/null 2>&1 && fail "the tunnel's device is still there"
in_ns server ip link del vx0

step "8. A typo is caught where it stands and changes nothing"
sed 's/class: voice/class: vioce/' demo.yaml >typo.yaml
show "tcctl --netns router apply typo.yaml"
tcctl --netns router apply typo.yaml >"$T/typo" 2>&1
rc=$?
indent <"$T/typo"
[[ $rc == 1 ]] || fail "exit status $rc for a bad file"
grep -q '^typo.yaml:8:[0-9]*: ' "$T/typo" || fail "the message does not name the place"
tcctl --netns router plan demo.yaml >/dev/null || fail "the refused file changed something"

step "9. Remove: as if nothing had been there"
show "tcctl --netns router remove"
tcctl --netns router remove | indent
after=$(listing)
[[ $before == "$after" ]] || { diff <(echo "$before") <(echo "$after"); fail "something was left behind"; }
echo "  qdiscs, filters and pins: the same $(wc -l <<<"$after") lines as before step 3"

printf '\n%sAll numbers agree%s, after %d seconds.\n' "$bold" "$off" $((SECONDS - started))
