#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels by the objects that stock tc loads, their tables filled by examples/tunnels/tunnel-maps.sh: all that should get through, and
# that nothing does without the other end. The examples themselves are in net/tunnel-examples.
#   client ---- lan0 near [tc, bpftool] u0 ======== u0 far [vxlan: the kernel's; others: tcctl]
# timeout: 180
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
. "$LIB/stock.sh"
need_file "$TCCTL" "$EXCHANGE" "$BPF/encap.bpf.o"
need_cmd jq
maps() { must in_ns near "$TOP/examples/tunnels/tunnel-maps.sh" "$@"; }
handler() { # the object for what arrives
	case $KIND in
	gre*) echo gre ;;
	ipip-in4) echo ipip ;;
	ipip-in6) echo ip6ip ;;
	*) echo "${KIND%%-*}" ;;
	esac
}

stock_near() { # near's end of case I
	local h options=()
	h=$(handler)
	must in_ns near tc qdisc add dev u0 clsact
	filter near u0 ingress 1 0 "$BPF/$h.bpf.o" "$h"
	if [[ $ETH ]]; then
		must in_ns near ip link add d$I mtu $MTU type veth peer name e$I
		in_ns near ip link set e$I up
		in_ns near ip link set d$I up
		_addr_lines d$I 1 | in_ns near ip -batch -
		must in_ns near tc qdisc add dev d$I clsact
		filter near d$I egress 1 1 "$BPF/encap.bpf.o" encap
		graft jt_stage 0 "$BPF/deliver.bpf.o" deliver
		maps init default 1
		options=(device d$I)
	else
		must in_ns near tc qdisc add dev lan0 clsact
		filter near lan0 ingress 1 0 "$BPF/encap.bpf.o" encap
		maps init
		maps route 10.8.$I.0/24 1
		maps route fd00:8:0:$I::/64 1
	fi
	graft jt_stage 17 "$BPF/deliver.bpf.o" deliver
	graft jt_stage 27 "$BPF/encap_header.bpf.o" encap_header
	graft jt_stage 28 "$BPF/too_big.bpf.o" too_big
	case $KIND in
	ipip-in*) options+=(inner ipv${KIND: -1}) ;;
	gre-key) options+=(key $IN okey $OUT) ;;
	vxlan) options+=(vni $IN) ;;
	gtpu*) options+=(teid $IN $OUT) ;;
	esac
	[[ $KIND = *-pdu ]] && options+=(pdu downlink qfi 9 dscp-qfi 46 1)
	maps tunnel 1 "${KIND%%-*}" local "$A" remote "$B" "${options[@]}"
}

for c in ${CASES:-vxlan-6 gre-key-6 ipip-in6-4 ipip-in4-6 gtpu-pdu-6}; do
	tunnel_topo
	_n=0
	case $c in
	vxlan*) tunnel_add $c none kernel ;;
	gtpu*) tunnel_add $c none pair ;;
	*) tunnel_add $c none direct ;;
	esac
	tunnel_start
	I=1
	tunnel_case 1
	NEAR=tc
	# Each packet needs a GTP-U header of its own.
	[[ $KIND = gtpu* ]] && offloads client c0 off
	stock_near
	a=(-m $MTU)
	[[ $PORT ]] && a+=(-p both)
	[[ $ETH ]] && a+=(-f)
	[[ $KIND = gtpu* ]] || a+=(-u near:u0,far:u0)
	_exchange "${a[@]}"
	check_match "$CASE: counted" "$(maps show 1 | xargs)" '^received [1-9][0-9]+ packets sent [1-9][0-9]+ packets'
	if [[ $FAR = kernel ]]; then in_ns far ip link set t1 down; else "$TCCTL" --netns far remove >/dev/null; fi
	_exchange -n
	ns_del client near far
	must rm -r /sys/fs/bpf/tc
done
