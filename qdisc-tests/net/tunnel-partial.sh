#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Outer checksums that are left to the device (CHECKSUM_PARTIAL, as sockets and tunnels on the same host do) are not done any more
# once the header is gone: what was inside arrives as it was, also where it leaves by a device that cannot compute any.
#   client ---- lan0 near [tcctl] ======== far [sockets that send what a tunnel would]
# timeout: 60
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL"
need_cmd tcpdump ethtool
tunnel_topo
addr client c0 10.7.0.1/16 fd00:7::1/64
addr near u0 10.9.0.1/24 fd00:9::1/64
addr far u0 10.9.0.2/24 fd00:9::2/64
cat >near.yaml <<-Y
	tcctl: 1
	tunnels:
	  f4: { type: fou, port: 5555, local: 10.9.0.1, remote: 10.9.0.2 }
	  f6: { type: fou, port: 5555, local: "fd00:9::1", remote: "fd00:9::2" }
	  g4: { type: gue, local: 10.9.0.1, remote: 10.9.0.2 }
	  g6: { type: gue, local: "fd00:9::1", remote: "fd00:9::2" }
	  m4: { type: mpls-udp, labels: 100, local: 10.9.0.1, remote: 10.9.0.2 }
	  m6: { type: mpls-udp, labels: 100, local: "fd00:9::1", remote: "fd00:9::2" }
	interfaces:
	  u0: { decap: [f4, f6, g4, g6, m4, m6] }
Y
check "apply" "$TCCTL" --netns near apply near.yaml

# ICMP echo requests, 10.8.0.2 > 10.7.0.1 and fd00:8::2 > fd00:7::1, each with 8 bytes of data and right checksums.
I4=4500002400010000400166c70a0800020a07000108003b1cabcd00014142434445464748
I6=6000000000103a40fd000008000000000000000000000002fd0000070000000000000000000000018000c8bdabcd00014142434445464748
payload() { sed 's/../\\x&/g' <<<"$1"; }
send() { # ADDRESS PORT HEX: by a socket, which leaves the UDP checksum to u0
	printf "$(payload "$3")" >"$T/datagram"
	in_ns far bash -c 'cat "$1" >"/dev/udp/$2/$3"' - "$T/datagram" "$1" "$2" # one write
}
mpls=00064140
mac=$(in_ns near ip -j link show dev lan0 | jq -r '.[0].address')
for offload in on off; do
	must in_ns near ethtool -K lan0 tx $offload >/dev/null
	capture_start got-$offload client c0 -Q in 'ip src 10.8.0.2 or ip6 src fd00:8::2'
	for to in 10.9.0.1 fd00:9::1; do
		send $to 5555 $I4
		send $to 5555 $I6
		send $to 6080 "00040000$I4"
		send $to 6080 "00290000$I6"
		send $to 6635 "$mpls$I4"
		send $to 6635 "$mpls$I6"
	done
	capture_stop got-$offload 12
	check_eq "tx checksums $offload: all arrived" "$(capture_count got-$offload)" 12
	check_eq "tx checksums $offload: with their data and the right checksum" \
		"$(tcpdump -nvv -r "$T/got-$offload.pcap" 2>/dev/null | grep 'echo request' | grep -cv -e wrong -e bad)" 12
	check_eq "tx checksums $offload: from lan0's address" "$(capture_count got-$offload "ether src $mac")" 12
	check_eq "tx checksums $offload: and the right length" \
		"$(tcpdump -n -r "$T/got-$offload.pcap" 2>/dev/null | grep -c 'echo request.*length 16$')" 12
done
check_eq "all of them came out of tunnels" \
	"$("$TCCTL" status -j --netns near | jq '[.tunnels[].rx.packets] | add')" 24
