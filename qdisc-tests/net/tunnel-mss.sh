#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `clamp-mss`: both sides of a TCP connection through a tunnel are told to send what fits into it, as tcpdump sees at the ends; the
# other end is a device of the kernel's, and clamps nothing.
#   client c0 ---- lan0 near [tcctl] ======== far [t1 t2 …: the kernel's]
#   MTU 1500                                  told to advertise as for 1500
# also-vm: full
# modules: vxlan ipip sit ip6_tunnel ip_gre ip6_gre veth sch_ingress cls_bpf
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$PKT"
tunnel_topo
tunnel_add vxlan-4 device
tunnel_add vxlan-6 device
if [[ ${QT_IN_VM-} ]]; then
	for c in gre-4 ipip-6; do tunnel_add $c direct; done
fi
tunnel_start

syns() { # KEY: MSS of the SYNs that were captured
	tcpdump -vnr "$T/$1.pcap" 2>/dev/null | sed -n 's/.*Flags \[S[^]]*\].*options \[mss \([0-9]*\).*/\1/p' | sort -u | xargs
}
connect() { # NAME MSS_IPV4 MSS_IPV6: MSS that far sees of the client, and the client of far
	local f to from want
	for f in 4 6; do
		to=10.8.$I.2 from=10.7.$I.1 want=$2
		[[ $f = 6 ]] && to=fd00:8:0:$I::2 from=fd00:7::$I:1 want=$3
		capture_start there far t$I "dst host $to and tcp port 6000"
		capture_start back client c0 "dst host $from and tcp port 6000"
		receiver_start r far -p tcp -P 6000 -n 1 -t $((10 * ${QT_TIME_FACTOR:-1}))
		in_ns client "$PKT" send -p tcp -s $from -d $to -P 6000 -l 20000 -t $((10 * ${QT_TIME_FACTOR:-1})) >"$T/sent"
		receiver_wait r >/dev/null
		[[ $4 ]] && check_eq "$CASE, IPv$f inside, $1: TCP bytes arrive as they were" "$(jq .same <"$T/sent")" true
		capture_stop there
		capture_stop back
		check_eq "$CASE, IPv$f inside, $1: MSS at the far end" "$(syns there)" $want
		check_eq "$CASE, IPv$f inside, $1: MSS back at the client" "$(syns back)" $want
	done
}
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	via4='' via6=''
	[[ $ETH ]] && via4="via 10.8.$I.1" via6="via fd00:8:0:$I::1"
	in_ns far ip route change 10.7.$I.1/32 $via4 dev t$I advmss 1460
	in_ns far ip -6 route change fd00:7::$I:1/128 $via6 dev t$I advmss 1440
	((I > 1)) || connect "not asked for" 1460 1440 ''
done
sed -i '/^  n[0-9]*: /s/ }$/, clamp-mss: true }/' "$T/near.yaml"
check "apply with clamp-mss" "$TCCTL" --netns near apply "$T/near.yaml"
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	connect "clamped" $((MTU - 40)) $((MTU - 60)) 1
done
