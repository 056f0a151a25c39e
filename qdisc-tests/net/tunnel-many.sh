#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Many tunnels, each with a device of its own: one pipeline for all of the devices, and each device's packets go into its
# own tunnel. The server has the kernel's vxlan devices.
# timeout: 180
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
has_link vxlan id 1 dstport 4789 || skip_all "vxlan devices"
topo_pair
N=40

config() { # NUMBER_OF_TUNNELS [REST_OF_THE_LAST_ONE]
	echo "tcctl: 1"
	echo "tunnels:"
	for i in $(seq "$1"); do
		echo "  site-$i: { type: vxlan, local: 10.0.1.1, remote: 10.0.1.2, vni: $i, device: vx$i$([ "$i" = "$1" ] && echo "${2-}") }"
	done
	echo "interfaces:"
	echo "  c0: { decap: [$(seq -s, -f 'site-%g' "$1")] }"
}
tc_client() { "$TCCTL" "$@" --netns client; }
program() { in_ns client tc filter show dev "$1" egress | grep -oE ' id [0-9]+'; }
addresses() { # FROM TO
	for i in $(seq "$1" "$2"); do
		addr client "vx$i" "10.9.$i.1/24"
		addr server "vx$i" "10.9.$i.2/24"
	done
}

for i in $(seq $((N + 1))); do
	must ip -n server link add "vx$i" type vxlan id "$i" local 10.0.1.2 remote 10.0.1.1 dstport 4789
	must ip -n server link set "vx$i" mtu 1450 up
done

config $N >a.yaml
check "apply" tc_client apply a.yaml
check_eq "one pipeline for what arrives, one for all devices" "$(find /sys/fs/bpf/tcctl -path '*/p[0-9]*/root' | wc -l)" 2
check_eq "devices run the same program" "$(program vx1)" "$(program vx$N)"
check_match "and the hook says so" "$(tc_client status)" 'by device'
addresses 1 $N
for i in 1 2 $((N / 2)) $N; do
	check "packets of vx$i come back through its tunnel" in_ns client ping -qc2 -i0.05 -W2 "10.9.$i.2"
done

id=$(program vx1)
config $((N + 1)) >b.yaml
tc_client plan b.yaml >plan.out
check_no_match "one more loads no program" "$(<plan.out)" 'load pipeline|new programs'
check "apply" tc_client apply b.yaml
addresses $((N + 1)) $((N + 1))
check "packets go through it" in_ns client ping -qc2 -i0.05 -W2 "10.9.$((N + 1)).2"
check "and through the others" in_ns client ping -qc2 -i0.05 -W2 10.9.1.2
check_eq "the programs are the same" "$(program vx1)" "$id"
check "one less" tc_client apply a.yaml
check_rc "its device is gone" 1 in_ns client ip link show "vx$((N + 1))"
check "packets go through the others" in_ns client ping -qc2 -i0.05 -W2 "10.9.$N.2"
check "remove" tc_client remove
check_eq "no device is left" "$(in_ns client ip -o link | grep -c vx)" 0
