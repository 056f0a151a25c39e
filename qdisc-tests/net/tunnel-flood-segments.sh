#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Segments in one piece (UDP_SEGMENT) that are flooded to several remotes: whether they fit is judged by their own length for each
# remote, whatever was encapsulated since the frame came in: its copies once more on their way out, or other frames while a copy
# waited for its second time through the hook.
#
#   host c0 --- lan0 near ┬ u0, MTU 1480 ─┬─ u0 peer1
#                         │               └─ u0 peer2
#                         └ over, the device of another tunnel, by way of u1, MTU 1700
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd ethtool jq
SEGMENTS=10

ns_add host near net peer1 peer2
veth host c0 near lan0
veth near u0 net p0
in_ns net ip link add sw type bridge mcast_snooping 0
in_ns net ip link set sw up
in_ns net ip link set p0 master sw
for p in 1 2; do
	veth net p$p peer$p u0
	in_ns net ip link set p$p master sw
	addr peer$p u0 10.9.0.1$p/24 fd00:9::1$p/64
done
addr host c0 10.8.0.1/24
addr near u0 10.9.0.1/24 fd00:9::1/64
in_ns near bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
must in_ns near ip link set u0 mtu 1480
veth near u1 net p3
must in_ns near ip link set u1 mtu 1700
addr near u1 10.1.0.1/24
# Each segment is a packet of its own where it is captured.
must in_ns near ethtool -K u0 tso off gso off tx-udp-segmentation off >/dev/null

counter() { # TUNNEL NAME
	"$TCCTL" --netns near status -j | jq "[.tunnel_events[]? | select(.tunnel == \"$1\" and .name == \"$2\").packets] | add // 0"
}
send() { # NS DEV SOURCE PORT PAYLOAD: a group's datagrams, all segments of one frame
	must in_ns "$1" "$PKT" send -i "$2" -s "$3" -d 239.1.1.1 -P "$4" -l "$5" -g $SEGMENTS -n $SEGMENTS >/dev/null
}
got() { tcpdump -nr "$T/got$1.pcap" "len == $2" 2>/dev/null | grep -c '> 239.1.1.1'; } # PEER LENGTH; a packet is two lines
known() { # ADDRESS MAC DEV
	must in_ns near ip neigh replace "$1" lladdr "$2" dev "$3" nud permanent
}

# The first copy is put into `over` on its way out, or would be: the kernel puts no segments into tunnels in tunnels. That each of
# them is 1420 bytes there, which with the outer header of 70 is 10 more than u0 takes, is nothing to the other two.
cat >"$T/nested.yaml" <<-END
	tcctl: 1
	tunnels:
	  t: { type: vxlan, vni: 42, local: "fd00:9::1", mtu: 1405, device: t0, fdb: { flood: ["fd00:9::13", "fd00:9::11", "fd00:9::12"] } }
	  over: { type: gre, local: 10.1.0.1, remote: 10.1.0.2, device: over }
	interfaces:
	  u0: { decap: [t, over] }
END
in_ns near sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' # nothing but ours enters t0
check "apply" "$TCCTL" --netns near apply -q "$T/nested.yaml"
in_ns near sh -c 'echo 0 >/proc/sys/net/ipv6/conf/over/disable_ipv6'
addr near t0 10.8.0.2/24
must in_ns near ip route add fd00:9::13 dev over src fd00:9::1
known fd00:9::13 02:00:00:00:00:13 over
for p in 1 2; do
	known fd00:9::1$p "$(in_ns peer$p ip -j link show dev u0 | jq -r '.[0].address')" u0
	capture_start got$p peer$p u0 -Q in 'udp dst port 4789'
done
send near t0 10.8.0.2 7001 1372
for p in 1 2; do
	capture_stop got$p $SEGMENTS
	check_eq "after a copy that went into another tunnel: peer$p gets every segment" "$(got $p 1484)" $SEGMENTS
done
check_eq "there was such a copy" "$(counter over tx-failed)" 1
check_eq "failed, flooded, too big" "$(counter t tx-failed) $(counter t tx-flooded) $(counter t tx-mtu)" "1 1 0"
check "remove" "$TCCTL" --netns near remove -q

# Two frames come in at once, of short segments and of long ones. Copies for peer2 wait behind the second: its neighbour is to be
# found. Long ones do not fit there, short ones do.
cat >"$T/again.yaml" <<-END
	tcctl: 1
	tunnels:
	  t: { type: vxlan, vni: 42, local: 10.9.0.1, mtu: 1405, fdb: { flood: [10.9.0.11, 10.9.0.12] } }
	interfaces:
	  lan0: { side: lan, encap: t }
END
must in_ns host tc qdisc add dev c0 root tbf rate 8kbit burst 20k limit 1m
send host c0 10.8.0.1 7002 1372 # which leaves too little for the next
check "apply" "$TCCTL" --netns near apply -q "$T/again.yaml"
must in_ns near ip route add 10.9.0.12 dev u0 src 10.9.0.1 mtu lock 1300
must in_ns near ip neigh flush dev u0
for p in 1 2; do capture_start got$p peer$p u0 -Q in 'udp dst port 4789'; done
send host c0 10.8.0.1 7003 1000
send host c0 10.8.0.1 7004 1372
must in_ns host tc qdisc change dev c0 root tbf rate 10gbit burst 1m limit 1m
in_ns host "$PKT" send -i c0 -s 10.8.0.1 -d 239.1.1.1 -P 7005 >/dev/null # with which the others go
capture_stop got1 $((2 * SEGMENTS + 1))
capture_stop got2 $((SEGMENTS + 1))
check_eq "two at once: peer1 gets all" "$(got 1 1092) $(got 1 1464)" "$SEGMENTS $SEGMENTS"
check_eq "two at once: peer2 gets what fits" "$(got 2 1092) $(got 2 1464)" "$SEGMENTS 0"
check_eq "only that was too big" "$(counter t tx-mtu)" 1
check "remove" "$TCCTL" --netns near remove -q
