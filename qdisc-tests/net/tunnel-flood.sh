#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A frame for all remotes of a tunnel reaches each of them once: from hosts that do not forward, where programs are told no next
# hops, and from routers that know no neighbour yet; from the tunnel's device, from its other end, and from a port, there also where
# many frames come at once, whose copies all wait in the queue of received packets.
#
#   host c0 --- lan0 near u0 ─┬─ u0 peer1
#                             ├─ u0 peer2
#                             └─ u0 peer3
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
PEERS="1 2 3"

ns_add host near net peer1 peer2 peer3
veth host c0 near lan0
veth near u0 net p0
in_ns net ip link add sw type bridge mcast_snooping 0
in_ns net ip link set sw up
in_ns net ip link set p0 master sw
addr near u0 10.9.0.1/24 fd00:9::1/64
for p in $PEERS; do
	veth net p$p peer$p u0
	in_ns net ip link set p$p master sw
	addr peer$p u0 10.9.0.1$p/24 fd00:9::1$p/64
done
config() { # NAME KEYS INTERFACES
	cat >"$T/flood.yaml" <<-END
		tcctl: 1
		tunnels:
		  $1: { type: vxlan, vni: 42, $2 }
		interfaces:
		$3
	END
	"$TCCTL" --netns near apply -q "$T/flood.yaml"
}
forward() { in_ns near bash -c 'echo "$1" >/proc/sys/net/ipv4/ip_forward; echo "$1" >/proc/sys/net/ipv6/conf/all/forwarding' - "$1"; }
# A counter of the tunnel's; no number when status cannot be had or shows no tunnel.
counter() { # NAME
	"$TCCTL" --netns near status -j >"$T/status.json" &&
		jq "if (.tunnels | length) == 1 then [.tunnel_events[] | select(.name == \"$1\").packets] | add // 0 else \"no tunnel\" end" \
			"$T/status.json"
}
# Broadcasts of two kinds, N of each, from DEV of NS; every peer is to get one copy of each, as it was.
reach() { # WHAT NS DEV N [once]: all of them leave DEV at once
	local p c
	for p in $PEERS; do capture_start "got$p" peer$p u0 -Q in 'udp port 4789'; done
	[[ ${5-} ]] && must in_ns "$2" tc qdisc replace dev "$3" root tbf rate 8kbit burst 2k limit 1m
	in_ns "$2" "$PKT" raw -i "$3" -n "$4" 'eth(dst=ff:ff:ff:ff:ff:ff)/arp(sip=10.8.0.1,tip=10.8.0.2)/zero(18)' >/dev/null
	in_ns "$2" "$PKT" raw -i "$3" -n "$4" 'eth(dst=01:00:5e:00:00:fb)/ip(src=10.8.0.1,dst=224.0.0.251)/udp(dport=5353)/"a group"' >/dev/null
	[[ ${5-} ]] && must in_ns "$2" tc qdisc change dev "$3" root tbf rate 10gbit burst 1m limit 1m
	for p in $PEERS; do
		capture_stop "got$p" $(($4 * 2))
		check_eq "$1: peer$p gets each once" \
			"$(tcpdump -nr "$T/got$p.pcap" 2>/dev/null | grep -cE 'ARP, Request who-has 10.8.0.2 tell 10.8.0.1|10.8.0.1.* > 224.0.0.251.5353')" \
			$(($4 * 2))
	done
	[[ ${5-} ]] && in_ns "$2" tc qdisc del dev "$3" root
	for c in tx-route tx-mtu tx-failed; do check_eq "$1: none under $c" "$(counter $c)" 0; done
}
flush() { in_ns near ip neigh flush dev u0; in_ns near ip -6 neigh flush dev u0; }

v4='local: 10.9.0.1, fdb: { flood: [10.9.0.11, 10.9.0.12, 10.9.0.13] }'
v6='local: "fd00:9::1", fdb: { flood: ["fd00:9::11", "fd00:9::12", "fd00:9::13"] }'
mtu='mtu: 1400'
for on in 0 1; do
	forward $on
	who="a host"
	((on)) && who="a router"
	for v in 4 6; do
		keys=$v4
		[[ $v = 6 ]] && keys=$v6
		flush
		check "apply" config device$v "$keys, $mtu, device: d0" "  u0: { decap: [device$v] }"
		reach "$who, IPv$v, device" near d0 1
		flush
		check "apply" config cut$v "$keys, $mtu, csum: true, device: d1" "  u0: { decap: [cut$v] }"
		reach "$who, IPv$v, checksums, device's other end" near d1 1
		flush
		check "apply" config port$v "$keys, $mtu" "  lan0: { side: lan, encap: port$v }"
		reach "$who, IPv$v, port" host c0 1
		reach "$who, IPv$v, port, many" host c0 100 once
	done
done

# A copy that is more than the route of its remote takes; the next of that size is known not to fit the tunnel.
check "apply" config narrow "$v4, $mtu" "  lan0: { side: lan, encap: narrow }"
reach "before the route is narrow" host c0 1
must in_ns near ip route add 10.9.0.12 dev u0 src 10.9.0.1 mtu lock 1300
big() { in_ns host "$PKT" raw -i c0 'eth(dst=01:00:5e:00:00:fb)/ip(src=10.8.0.1,dst=224.0.0.251)/udp(dport=5353)/zero(1272)' >/dev/null; }
bigs() { tcpdump -nr "$T/big$1.pcap" 2>/dev/null | grep -c '> 224.0.0.251.5353'; } # a packet is two lines
for p in 1 2 3; do capture_start "big$p" peer$p u0 -Q in 'udp port 4789'; done
big
for p in 1 3; do
	capture_stop "big$p" 1
	check_eq "a narrow route: peer$p gets it" "$(bigs $p)" 1
done
capture_stop big2
check_eq "a narrow route: peer2 does not" "$(bigs 2)" 0
check_eq "a narrow route: counted as too big" "$(counter tx-mtu) $(counter tx-route) $(counter tx-flooded)" "1 0 5"
big
check_eq "a narrow route: the tunnel takes no more" "$(counter tx-mtu) $(counter tx-flooded)" "2 5"
check "remove" "$TCCTL" --netns near remove
