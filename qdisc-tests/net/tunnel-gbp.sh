#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# VXLAN group policy with the kernel's vxlan device: the mark that a class gives is the mark that the other end's firewall sees,
# and back. By us, and by the kernel's external device that we tell about it. Marks do not cross a veth by themselves.
#   client c0 ---- lan0 near [tcctl: d1 or x1; nft] u0 ======== u0 far [t1: vxlan … gbp; nft]
# also-vm: full
# modules: vxlan veth sch_ingress cls_bpf nf_tables
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$PKT"
need_cmd nft jq
nft add table inet probe 2>/dev/null || skip_all "nf_tables in this kernel"

count_marks() { # NS CHAIN_HOOK PORT: packets to this port by mark
	local m
	must in_ns "$1" nft add table inet probe
	must in_ns "$1" nft "add chain inet probe c { type filter hook $2 priority 0; }"
	for m in 0 0x1234 0x77; do must in_ns "$1" nft add rule inet probe c udp dport "$3" meta mark $m counter; done
}
marks() { # NS: packets with mark 0, 0x1234, 0x77
	in_ns "$1" nft -j list chain inet probe c |
		jq -r '[.nftables[].rule // empty | .expr[] | .counter // empty | .packets] | join(" ")'
}
seen() { [[ $(marks "$1") = "$2" ]]; }

for mode in device external; do
	tunnel_topo
	_n=0
	tunnel_add vxlan-gbp-4 $mode
	tunnel_start
	sed -e '/^tunnels:/i classes: { blue: { mark: 0x1234 } }\nrules: { out: [ { proto: udp, sport: 6001, class: blue } ] }' \
		-e '$a \  lan0: { ingress: { rules: out } }' "$T/near.yaml" >"$T/gbp.yaml"
	check "apply, $mode" "$TCCTL" --netns near apply "$T/gbp.yaml"
	check "they reach each other, $mode" wait_until 5 in_ns client ping -qc1 -W1 10.8.1.2
	count_marks far input 7001
	count_marks near forward 7002
	for f in 4 6; do
		to=10.8.1.2 from=10.7.1.1
		[[ $f = 6 ]] && to=fd00:8:0:1::2 from=fd00:7::1:1
		in_ns client "$PKT" send -s $from -d $to -S 6001 -P 7001 -n 5 >/dev/null
		in_ns client "$PKT" send -s $from -d $to -S 6002 -P 7001 -n 3 >/dev/null
		in_ns far "$PKT" send -s $to -d $from -P 7002 -m 0x77 -n 4 >/dev/null
		in_ns far "$PKT" send -s $to -d $from -P 7002 -n 2 >/dev/null
	done
	wait_until 3 seen far "6 10 0"
	check_eq "the kernel's device has the mark of our class, and none without a class, $mode" "$(marks far)" "6 10 0"
	wait_until 3 seen near "4 0 8"
	check_eq "we have the mark that the kernel's device sent, $mode" "$(marks near)" "4 0 8"
	# A tunnel without group policy takes no packet that has one, and sends none.
	sed 's/, gbp: true//' "$T/gbp.yaml" >"$T/plain.yaml"
	check "apply without gbp, $mode" "$TCCTL" --netns near apply "$T/plain.yaml"
	in_ns client "$PKT" send -s 10.7.1.1 -d 10.8.1.2 -S 6001 -P 7001 -n 5 >/dev/null
	wait_until 3 seen far "11 10 0"
	check_eq "without gbp nothing is told, $mode" "$(marks far)" "11 10 0"
	ns_del client near far
done
