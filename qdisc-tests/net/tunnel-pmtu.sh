#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A hop behind the next one has a smaller MTU: the kernel learns it from the ICMP error about an outer packet, the tunnel from the
# kernel, and the sender from the tunnel. GRE and FOU, over IPv4 and IPv6.
#   client c0 ---- lan0 near u0 ---- m0 mid m1 ==1300== u0 far
# timeout: 90
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
ns_add client near mid far
veth client c0 near lan0
veth near u0 mid m0
veth mid m1 far u0
in_ns mid ip link set m1 mtu 1300
in_ns far ip link set u0 mtu 1300
addr client c0 10.7.0.1/24
addr near lan0 10.7.0.254/24
addr near u0 10.9.1.1/24 fd00:9:1::1/64
addr mid m0 10.9.1.254/24 fd00:9:1::ff/64
addr mid m1 10.9.2.254/24 fd00:9:2::ff/64
addr far u0 10.9.2.2/24 fd00:9:2::2/64
addr far u0 10.9.2.3/24 fd00:9:2::3/64 # a path of its own for each tunnel
must ip -n client route add default via 10.7.0.254
must ip -n near route add default via 10.9.1.254
must ip -n near -6 route add default via fd00:9:1::ff
must ip -n far route add default via 10.9.2.254
must ip -n far -6 route add default via fd00:9:2::ff
for n in near mid far; do
	in_ns $n bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
done
for i in 1 2 3 4; do must ip -n far addr add 10.8.$i.1/32 dev lo; done
config() { # FILE ENCAP; two ends of IPv4 and two of IPv6: GRE, FOU
	cat >"$1" <<-Y
	tcctl: 1
	tunnels:
	  t1: { type: gre, $3, inner: ipv4 }
	  t2: { type: fou, port: 5555, $4, inner: ipv4 }
	  t3: { type: gre, $5, inner: ipv4 }
	  t4: { type: fou, port: 5556, $6, inner: ipv4 }
	interfaces:
	  u0:
	    decap: [t1, t2, t3, t4]
	    encap: $2
	Y
}
config near.yaml '[ { dst: 10.8.1.0/24, tunnel: t1 }, { dst: 10.8.2.0/24, tunnel: t2 }, { dst: 10.8.3.0/24, tunnel: t3 }, { dst: 10.8.4.0/24, tunnel: t4 } ]' \
	'local: 10.9.1.1, remote: 10.9.2.2' 'local: 10.9.1.1, remote: 10.9.2.3' \
	'local: "fd00:9:1::1", remote: "fd00:9:2::2"' 'local: "fd00:9:1::1", remote: "fd00:9:2::3"'
config far.yaml t1 'local: 10.9.2.2, remote: 10.9.1.1' 'local: 10.9.2.3, remote: 10.9.1.1' \
	'local: "fd00:9:2::2", remote: "fd00:9:1::1"' 'local: "fd00:9:2::3", remote: "fd00:9:1::1"'
check "apply near" "$TCCTL" --netns near apply near.yaml
check "apply far" "$TCCTL" --netns far apply -q far.yaml
names=(- "GRE over IPv4" "FOU over IPv4" "GRE over IPv6" "FOU over IPv6")
least=(- 1276 1272 1256 1252)
remote=(- 10.9.2.2 10.9.2.3 fd00:9:2::2 fd00:9:2::3)
tells() { in_ns client ping -c1 -W0.3 -M "do" -s 1372 "$1" 2>&1 | grep -q "mtu = $2)"; }
for i in 1 2 3 4; do
	check "${names[i]}: a small packet gets through" in_ns client ping -qc1 -W2 10.8.$i.1
	check "${names[i]}: the sender is told" wait_until 10 tells 10.8.$i.1 ${least[i]}
	check_match "${names[i]}: the kernel knows" "$(in_ns near ip route get ${remote[i]})" 'mtu 1300'
	check "${names[i]}: what fits now gets through" in_ns client ping -qc1 -W2 -M "do" -s $((least[i] - 28)) 10.8.$i.1
	in_ns client ip route flush cache
	receiver_start r far -p tcp -P 5000 -n 1 -t 20
	in_ns client "$PKT" send -p tcp -d 10.8.$i.1 -P 5000 -n 30 -l 65000 >sent
	check_eq "${names[i]}: TCP, same bytes at both ends" "$?:$(jq .same <sent)" 0:true
	receiver_wait r >/dev/null
done

# somebody else's: the client's own datagrams to the same port, which go through near as they are
must ip -n mid route add 10.7.0.0/24 via 10.9.1.1
capture_start icmp client c0 'icmp[0] = 3 and icmp[1] = 4'
in_ns client "$PKT" send -d 10.9.2.2 -P 5555 -n 1 -l 1400 >/dev/null
capture_stop icmp 1
check_match "an error about others' packets goes on as it is" "$(tcpdump -nvr icmp.pcap 2>/dev/null | tr '\n' ' ')" \
	'10\.9\.2\.2 unreachable - need to frag \(mtu 1300\).* proto UDP .*\.5555: UDP'
check_match "counted" "$("$TCCTL" --netns near status)" 'tx-answered'
