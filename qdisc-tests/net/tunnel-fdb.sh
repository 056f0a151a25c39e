#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A bridge over VXLAN with three remotes, the kernel's vxlan devices: flooding, learning and ageing, static stations,
# VLANs inside; what is known goes to one remote only.
#
#   host c0 --- h0 [br0] d0 near u0 ─┬─ u0 peer1 [t0 10.8.0.11]
#   10.8.0.1         10.9.0.1        ├─ u0 peer2 [t0 10.8.0.12]
#                                    └─ u0 peer3 [t0 10.8.0.13]
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
PEERS="1 2 3"

ns_add host near net peer1 peer2 peer3
veth host c0 near h0
veth near u0 net p0
in_ns net ip link add sw type bridge
in_ns net ip link set sw up
in_ns net ip link set p0 master sw
addr near u0 10.9.0.1/24
addr host c0 10.8.0.1/24 fd00:8::1/64
in_ns host ip link set c0 mtu 1450
must in_ns near ip link add d0 mtu 1450 type veth peer name d1
must in_ns near ip link add br0 type bridge
in_ns near ip link set d1 up
for l in h0 d0; do in_ns near ip link set $l up master br0 mtu 1450; done
in_ns near ip link set br0 up
for p in $PEERS; do
	veth net p$p peer$p u0
	in_ns net ip link set p$p master sw
	addr peer$p u0 10.9.0.1$p/24
	must in_ns peer$p ip link add t0 address 02:00:00:00:00:1$p type vxlan id 42 local 10.9.0.1$p dstport 4789
	must in_ns peer$p bridge fdb append 00:00:00:00:00:00 dev t0 dst 10.9.0.1
	in_ns peer$p ip link set t0 up
	addr peer$p t0 10.8.0.1$p/24 fd00:8::1$p/64
done
config() { # FDB [NAME]: what was learned belongs to the name
	cat >"$T/fdb.yaml" <<-END
		tcctl: 1
		tunnels:
		  ${2-lan}: { type: vxlan, local: 10.9.0.1, vni: 42, device: d0, fdb: $1 }
		interfaces:
		  u0: { decap: [${2-lan}] }
		  d0: { encap: ${2-lan} }
	END
	"$TCCTL" --netns near apply "$T/fdb.yaml"
}
# Packets that a peer's underlay received.
got() { in_ns peer"$1" ip -s -j link show dev u0 | jq '.[0].stats64.rx.packets'; }
pings() { in_ns host ping -qc"${2:-2}" -i0.01 -W1 "$1"; }

check "apply: learning, flooding to three" config '{ learn: true, ageing: 2s, flood: [10.9.0.11, 10.9.0.12, 10.9.0.13] }'
for p in $PEERS; do
	check "peer$p is found and answers" pings 10.8.0.1$p
	check "peer$p is found and answers, IPv6" pings fd00:8::1$p
	check "peer$p finds the host" in_ns peer$p ping -qc2 -i0.01 -W1 10.8.0.1
done

# Broadcast: one copy for each.
in_ns host ip neigh flush dev c0
for p in $PEERS; do capture_start arp$p peer$p t0 -Q in 'arp and ether broadcast'; done
pings 10.8.0.11 1 >/dev/null
for p in $PEERS; do
	capture_stop arp$p 1
	check_eq "a broadcast reaches peer$p once" "$(capture_count arp$p)" 1
done

# Unicast to who was heard of goes there alone.
for p in 2 3; do capture_start stray$p peer$p t0 -Q in icmp; done
in_ns peer1 ping -qc1 -W1 10.8.0.1 >/dev/null # not longer ago than it is remembered, however busy the machine is
before=$(got 1)
pings 10.8.0.11 20 >/dev/null
check "what is known goes to one remote" test $(($(got 1) - before)) -ge 20
for p in 2 3; do
	capture_stop stray$p
	check_eq "… and not to peer$p" "$(capture_count stray$p)" 0
done

# The host's frames, tagged: the station is known by its VLAN, too, so this floods, with the tag inside.
capture_start vlan peer2 t0 -Q in 'vlan 10'
in_ns host "$PKT" raw -i c0 'eth(dst=02:00:00:00:00:12)/vlan(id=10)/ip(src=10.8.0.1,dst=10.8.0.12)/udp(dport=7)/"tagged"' >/dev/null
capture_stop vlan 1
check_eq "a tag inside arrives" "$(capture_count vlan)" 1

# Nobody speaks for longer than `ageing`: what was learned is forgotten, and unicast is flooded again.
mac=$(in_ns peer1 ip -j link show dev t0 | jq -r '.[0].address')
for p in $PEERS; do in_ns peer$p ip link set t0 arp off; done
must in_ns host ip neigh replace 10.8.0.11 lladdr "$mac" dev c0 nud permanent
flooded() { local b; b=$(got 3); in_ns host "$PKT" send -d 10.8.0.11 -P 7 -n 1 >/dev/null 2>&1; nap 0.05; (($(got 3) > b)); }
for p in $PEERS; do in_ns peer$p ip link set t0 down; done # they must not answer and so be learned again
check "what was learned is forgotten" wait_until 10 flooded
for p in $PEERS; do in_ns peer$p ip link set t0 up arp on; done

# Static only.
check "apply: one station, no flooding" config "{ learn: false, stations: { \"02:00:00:00:00:11\": 10.9.0.11 } }" static
must in_ns host ip neigh replace 10.8.0.12 lladdr 02:00:00:00:00:12 dev c0 nud permanent
must in_ns peer1 ip neigh replace 10.8.0.1 lladdr "$(in_ns host ip -j link show dev c0 | jq -r '.[0].address')" dev t0
check "the station answers" pings 10.8.0.11
check_rc "nobody else does" 1 in_ns host ping -qc3 -i0.01 -W0.3 10.8.0.12
"$TCCTL" --netns near status -j >"$T/status.json"

# A station by VLAN, with a VNI of its own.
check "apply: a station by VLAN" config "{ learn: false, stations: { \"02:00:00:00:00:13\": { remote: 10.9.0.13, vni: 43, vlan: 10 } } }" static
capture_start vni peer3 u0 -Q in 'udp port 4789'
in_ns host "$PKT" raw -i c0 'eth(dst=02:00:00:00:00:13)/vlan(id=10)/ip(src=10.8.0.1,dst=10.8.0.13)/udp(dport=7)/"tagged"' >/dev/null
in_ns host "$PKT" raw -i c0 'eth(dst=02:00:00:00:00:13)/vlan(id=11)/ip(src=10.8.0.1,dst=10.8.0.13)/udp(dport=7)/"tagged"' >/dev/null
capture_stop vni 1
check_match "VLAN 10 goes there with VNI 43, VLAN 11 nowhere" "$(tcpdump -nr "$T/vni.pcap" 2>/dev/null | grep -o 'vni [0-9]*' | xargs)" '^vni 43$'
check "remove" "$TCCTL" --netns near remove
