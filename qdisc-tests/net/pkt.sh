#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The packet tool that other tests count with: what it says was sent and received is what tcpdump saw.
#   client c0 ---- s0 server
. "${0%/*}/../lib/lib.sh"
need_file "$PKT"
topo_pair
field() { jq -r "$1"; }

for dst in 10.0.1.2 fd00:1::2; do
	receiver_start r server -P 5000-5003 -n 200 -e -t 10
	capture_start cap server s0 udp and dst portrange 5000-5003
	in_ns client "$PKT" send -d "$dst" -P 5000-5003 -n 200 -q EF -R >"$T/sent"
	check_eq "udp $dst: exit status" $? 0
	receiver_wait r >"$T/got"
	capture_stop cap 200
	check_eq "udp $dst: sent" "$(field .sent <"$T/sent")" 200
	check_eq "udp $dst: every reply came back once" "$(field .replies <"$T/sent")" 200
	check_eq "udp $dst: received, all with DSCP 46" "$(field '[.received,.duplicates,.dscp."46"]|tostring' <"$T/got")" "[200,0,200]"
	check_eq "udp $dst: evenly on all ports" "$(field '.ports|map(.)|tostring' <"$T/got")" "[50,50,50,50]"
	check_eq "udp $dst: tcpdump agrees" "$(capture_count cap)" 200
	check_eq "udp $dst: tcpdump sees the DSCP" \
		"$(tshark -nr "$T/cap.pcap" -T fields -e ip.dsfield.dscp -e ipv6.tclass.dscp 2>/dev/null | tr -d '\t' | sort | uniq -c | xargs)" "200 46"

	receiver_start r server -p tcp -P 6000 -n 1 -t 20
	in_ns client "$PKT" send -p tcp -d "$dst" -P 6000 -l 65000 -n 100 >"$T/sent"
	check_eq "tcp $dst: both ends have the same hash" "$?:$(field .same <"$T/sent")" 0:true
	receiver_wait r >"$T/got"
	check_eq "tcp $dst: all bytes, in place" "$(field '[.connections,.bytes,.wrong]|tostring' <"$T/got")" "[1,6500000,0]"

	in_ns client "$PKT" send -p icmp -d "$dst" -n 50 -q CS1 >"$T/sent"
	check_eq "icmp $dst: every reply, with the DSCP of the request" \
		"$?:$(field '[.sent,.replies,.duplicates,.reply_dscp."8"]|tostring' <"$T/sent")" "0:[50,50,0,50]"
done

# Segmentation of UDP: one piece for the kernel, exact datagrams for the receiver.
receiver_start r server -P 5000 -n 200 -e -t 10
in_ns client "$PKT" send -d 10.0.1.2 -P 5000 -n 200 -l 1000 -g 16 -R >"$T/sent"
check_eq "udp in pieces of 16: all come back unchanged" "$?:$(field '[.sent,.replies,.changed]|tostring' <"$T/sent")" "0:[200,200,0]"
receiver_wait r >"$T/got"
check_eq "udp in pieces of 16: received one by one" "$(field '[.received,.duplicates,.bytes]|tostring' <"$T/got")" "[200,0,200000]"

# Losses are seen.
receiver_start r server -P 5000 -n 10 -t 1
in_ns client "$PKT" send -d 10.0.1.2 -P 5000 -n 9 >/dev/null
receiver_wait r >"$T/got"
check_eq "a missing packet is a failure of the receiver" "$?:$(field .received <"$T/got")" 1:9
in_ns client "$PKT" send -d 10.0.1.2 -P 5001 -n 3 -R -t 1 >"$T/sent"
check_eq "a missing reply is a failure of the sender" "$?:$(field .replies <"$T/sent")" 1:0
in_ns client "$PKT" send -p tcp -d 10.0.1.2 -P 6001 -t 2 2>"$T/err"
check_eq "a refused connection is a failure" "$?:$(cat "$T/err")" "1:pkt: 10.0.1.2: Connection refused"

# Frames from text, judged by tshark, on a link where nobody else speaks.
ns_add quiet1 quiet2
for ns in quiet1 quiet2; do in_ns $ns sysctl -qw net.ipv6.conf.{all,default}.disable_ipv6=1; done
veth quiet1 c0 quiet2 s0
bg sniff nsenter --net=/run/netns/quiet2 "$PKT" sniff -i s0 -n 12 -t 10
wait_until 5 grep -q ready "$T/sniff.err"
capture_start cap quiet2 s0
n=0
while read -r frame; do
	[[ $frame ]] || continue
	n=$((n + 1))
	must in_ns quiet1 "$PKT" raw -i c0 "$frame" >/dev/null
done <<'F'
eth/ip(dscp=EF)/udp/"hello"
eth/ip(options=01010100)/tcp(flags=S,options=020405b4)
eth/vlan(id=7,prio=3)/ip/icmp/"ping"
eth/vlan(tpid=0x88a8,id=8)/vlan(id=9)/ip6/icmp6/"pong"
eth/ip6(dscp=AF41,flow=5)/hopopts(len=1)/dstopts/routing/udp/zero(100)
eth/ip6/frag(more=1,id=7)/udp(len=2000,csum=1)/zero(64)
eth/ip/gre(key=7)/ip6/tcp
eth/ip/udp(sport=1)/vxlan(vni=42)/eth/ip/udp/"inner"
eth/mpls(label=100)/mpls(label=200)/ip/udp
eth/pppoe(session=9)/ip/udp
eth/arp
eth/ip/sctp/hex(0b000004)
F
capture_stop cap $n
bg_wait sniff
check_eq "raw: sniff counted all frames" "$?:$(field .received <"$T/sniff.out")" "0:$n"
check_eq "raw: DSCP of the first one" "$(field '.ip[]|select(.dscp==46)|tostring' <"$T/sniff.out")" '{"family":4,"proto":17,"dscp":46,"packets":1}'
decode=$(tshark -nr "$T/cap.pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE -o sctp.checksum:CRC32C -T fields -e frame.protocols -e _ws.expert.message 2>/dev/null)
check_no_match "raw: no checksum or length that tshark finds wrong" "$decode" "(Bad checksum|[Bb]ad length|Malformed|\[Checksum)"
check_eq "raw: headers as tshark reads them" "$(cut -f1 <<<"$decode" | sed 's/^eth:ethertype://' | xargs)" "$(xargs <<'W'
ip:udp:data ip:tcp vlan:ethertype:ip:icmp:data ieee8021ad:ethertype:vlan:ethertype:ipv6:icmpv6:data
ipv6:ipv6.hopopts:ipv6.dstopts:ipv6.routing:udp:data ipv6:ipv6.fraghdr:data ip:gre:ipv6:tcp
ip:udp:vxlan:eth:ethertype:ip:udp:data mpls:ip:udp pppoes:ppp:ip:udp arp ip:sctp
W
)"

bad() { # NAME DESCRIPTION EXPECTED_MESSAGE
	local out
	out=$(in_ns client "$PKT" raw -i c0 "$2" 2>&1)
	check_match "bad description: $1" "$?:$out" "^2:.*$3.*\^"
}
bad "unknown header" 'eth/ipx' "unknown header 'ipx'"
bad "unknown field" 'eth/ip(source=1.2.3.4)' "ip has no field 'source'; it has src, dst"
bad "bad address" 'eth/ip(src=1.2.3)' "not an IPv4 address"
bad "port out of range" 'eth/ip/udp(dport=70000)' "not a number from 0 to 65535"
bad "field twice" 'eth/ip(ttl=1,ttl=2)' "given twice"
bad "open text" 'eth/ip/"abc' "no closing quote"
bad "open parenthesis" 'eth/ip(ttl=1' "expected , or \)"
bad "junk behind" 'eth/ip/"a" x' "expected /"
