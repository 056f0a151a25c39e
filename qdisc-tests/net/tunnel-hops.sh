#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Next hops of tunnels are kept for a tick of the clock: a route, a neighbour that changes under full load is followed at
# once, on hosts that forward and on hosts where lo alone does. On others neighbours and gateways are, as long as the route leads
# through the same device; one that leads through another is followed by the next apply.
#
#                     10.1.0.1 ─ u0 ════ v0 ─ 10.1.0.2
#   10.8.0.1 ── near ┤                                ├ far: counts what arrives by which link
#                     10.2.0.1 ─ u1 ════ v1 ─ 10.2.0.2
#        tunnel: 192.0.2.1                192.0.2.2
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"

ns_add near far
veth near u0 far v0
veth near u1 far v1
mac() { in_ns "$1" ip -j link show dev "$2" | jq -r '.[0].address'; }
for i in 0 1; do
	in_ns near sh -c "echo 1 >/proc/sys/net/ipv6/conf/u$i/disable_ipv6"
	in_ns far sh -c "echo 1 >/proc/sys/net/ipv6/conf/v$i/disable_ipv6"
	addr near u$i 10.$((i + 1)).0.1/24
	addr far v$i 10.$((i + 1)).0.2/24
	must in_ns near ip neigh add 10.$((i + 1)).0.2 lladdr "$(mac far v$i)" dev u$i nud permanent
done
addr near lo 192.0.2.1/32 10.8.0.1/32
addr far lo 192.0.2.2/32
must in_ns near ip route add 10.8.0.2 dev u0 src 10.8.0.1
must in_ns near ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:08 dev u0 nud permanent
must in_ns near ip route add 192.0.2.2 via 10.1.0.2 dev u0
cat >"$T/near.yaml" <<-'END'
	tcctl: 1
	tunnels:
	  t: { type: vxlan, local: 192.0.2.1, remote: 192.0.2.2, vni: 42, mtu: 1400 }
	interfaces:
	  u0: { encap: t }
END
forward() { in_ns near sh -c "echo $1 >/proc/sys/net/ipv4/ip_forward; echo ${2-$1} >/proc/sys/net/ipv4/conf/lo/forwarding"; }
got() { in_ns far ip -s -j link show dev "$1" | jq '.[0].stats64.rx.packets'; }
grows() { local a; a=$(got "$1"); _more() { (($(got "$1") > $2 + 500)); }; wait_until 5 _more "$1" "$a"; }
stands() { local a; a=$(got "$1"); nap 0.1; [[ $(got "$1") = "$a" ]]; }
counter() { "$TCCTL" --netns near status -j | jq "[.tunnel_events[]? | select(.name == \"$1\") | .packets] | add // 0"; }
# Packets that passed the hook, whatever became of them.
passed() { "$TCCTL" --netns near status -j | jq '[.hooks[] | .packets] | add'; }
flood() { bg flood nsenter --net=/run/netns/near -- "$PKT" send -d 10.8.0.2 -P 9 -S 9 -n 10000000 -t 60; }
settle() { nap 0.05; } # longer than any tick

# The flood leaves for this MAC address of the link's other end, and for v's own no more.
turns() { # NAME TAG v MAC
	capture_start "old$2" far "$3" ether dst "$(mac far "$3")"
	capture_start "new$2" far "$3" -c 100 ether dst "$4"
	capture_stop "new$2" 100
	bg_stop "old$2" INT
	check_eq "$1, nothing goes to the old one" "$(capture_count "old$2")" 0
	check "$1, all of it to the new one" test "$(capture_count "new$2")" -ge 100
}

changes() { # NAME TAG
	flood
	check "$1: packets leave by the first link" grows v0
	must in_ns near ip route replace 192.0.2.2 via 10.2.0.2 dev u1
	settle
	check "$1: another route, nothing leaves by the old one" stands v0
	check "$1: all of it by the new one" grows v1
	must in_ns near ip neigh replace 10.2.0.2 lladdr 02:00:00:00:00:99 dev u1 nud permanent
	settle
	turns "$1: another address" "$2" v1 02:00:00:00:00:99
	must in_ns near ip neigh replace 10.2.0.2 lladdr "$(mac far v1)" dev u1 nud permanent
	must in_ns near ip route replace 192.0.2.2 via 10.1.0.2 dev u0
	settle
	check "$1: back again" grows v0
	check "$1: and off the other one" stands v1
	must in_ns near ip route replace blackhole 192.0.2.2
	settle
	check "$1: without a route nothing leaves" eval 'stands v0 && stands v1'
	bg_stop flood
	must in_ns near ip route replace 192.0.2.2 via 10.1.0.2 dev u0
}

# Where the kernel tells programs no routes, all goes through the device that the route led through when it was applied.
changes_on_link() { # NAME TAG
	flood
	check "$1: packets leave by the first link" grows v0
	must in_ns near ip neigh replace 10.1.0.2 lladdr 02:00:00:00:00:99 dev u0 nud permanent
	settle
	turns "$1: another address" "$2n" v0 02:00:00:00:00:99
	must in_ns near ip neigh replace 10.1.0.2 lladdr "$(mac far v0)" dev u0 nud permanent
	must in_ns near ip neigh replace 10.1.0.3 lladdr 02:00:00:00:00:98 dev u0 nud permanent
	must in_ns near ip route replace 192.0.2.2 via 10.1.0.3 dev u0
	settle
	turns "$1: another gateway" "$2g" v0 02:00:00:00:00:98
	must in_ns near ip route replace 192.0.2.2 via 10.2.0.2 dev u1
	check "$1: a route through another device, apply" "$TCCTL" --netns near apply -q "$T/near.yaml"
	settle
	check "$1: nothing leaves by the old one" stands v0
	check "$1: all of it by the new one" grows v1
	bg_stop flood
	must in_ns near ip route replace 192.0.2.2 via 10.1.0.2 dev u0
	check "$1: back again, apply" "$TCCTL" --netns near apply -q "$T/near.yaml"
}

check "apply" "$TCCTL" --netns near apply "$T/near.yaml"
forward 1
changes forwarding f
check "forwarding: drops are counted under the route" test "$(counter tx-route)" -gt 0

# Where nothing is forwarded the kernel sends the first packet of each tick, through this hook once more.
check "apply" "$TCCTL" --netns near apply "$T/near.yaml"
for lo in 0 1; do
	forward 0 $lo
	sent=5000 before=$(passed) there=$(got v0)
	check "host, lo.forwarding=$lo: all arrive" in_ns near "$PKT" send -d 10.8.0.2 -P 9 -S 9 -n $sent
	_all() { (($(got v0) >= there + sent)); }
	check "host, lo.forwarding=$lo: on the link" wait_until 5 _all
	again=$(($(passed) - before - sent))
	if ((lo)); then
		check_eq "host, lo.forwarding=1: no packet passes the hook twice" $again 0
	else
		check "host: few packets pass the hook twice ($again of $sent)" test $again -gt 0 -a $again -lt $((sent / 2))
	fi
	check_eq "host, lo.forwarding=$lo: none is taken for a loop" "$(counter tx-loop)" 0
done
forward 0 1
changes "host, lo.forwarding=1" l
forward 0 0
changes_on_link "host, lo.forwarding=0" h
