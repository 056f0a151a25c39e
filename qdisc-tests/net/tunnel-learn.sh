#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A forwarding table that is learned: what the underlay's hook learns, the hook of the device sends by, over changes of the
# configuration; it is forgotten with its tunnel.
#
#  client c0 ==== s0 server       client: br-vx by tcctl, server: vxk by the kernel; 10.9.0.0/24 inside
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
topo_vxlan

config() { # NAME FLOOD
	cat <<-Y
	tcctl: 1
	tunnels:
	  $1: { type: vxlan, local: 10.0.1.1, vni: 42, device: br-vx, fdb: { learn: true, flood: [$2] } }
	interfaces:
	  c0: { decap: $1 }
	Y
}
t() { "$TCCTL" "$@" --netns client; }
stations() { t status -j | tr '\n' ' ' | grep -oE '"stations": ?[0-9]+' | grep -oE '[0-9]+$'; }
before=$(in_ns client ip -o link; in_ns client tc qdisc show)

config lan 10.0.1.2 >a.yaml
check "apply" t apply a.yaml
addr client br-vx 10.9.0.1/24
check "the first packet is flooded, the answer is learned" in_ns client ping -qc3 -i0.05 -W2 10.9.0.2
check_eq "one station" "$(stations)" 1
check_match "status says so" "$(t status)" '10\.0\.1\.1 → stations .*1 station learned'
check_rc "plan sees nothing in that" 0 t plan a.yaml

config lan "10.0.1.2, 10.0.1.3" >b.yaml
check "a change" t apply b.yaml
check_eq "the station lasts" "$(stations)" 1
check "packets reach it" in_ns client ping -qc2 -i0.05 -W2 10.9.0.2

# by what was learned alone: nothing to flood to any more
sed 's/, flood: \[10.0.1.2\]//' a.yaml >c.yaml
mac=$(ip -n server -br link show vxk | awk '{print $3}')
must ip -n client neigh replace 10.9.0.2 lladdr "$mac" dev br-vx nud permanent
check "without flooding" t apply c.yaml
check "what was learned is enough" in_ns client ping -qc2 -i0.05 -W2 10.9.0.2

config other 10.0.1.2 >d.yaml
check "another tunnel" t apply d.yaml
check_eq "knows nobody" "$(stations)" 0
check "and back: it is the same one" t apply a.yaml
check_eq "with what it knew" "$(stations)" 1
config other "10.0.1.2, 10.0.1.3" >d2.yaml
check "another tunnel" t apply d.yaml
check "and a change of that" t apply d2.yaml
check "and back" t apply a.yaml
check_eq "by now it is a new one" "$(stations)" 0

config lan 10.0.1.2 | sed 's/, fdb: .*/, remote: 10.0.1.2 }/' >e.yaml
check "without learning" t apply e.yaml
check_eq "the table of stations is gone" "$(find /sys/fs/bpf/tcctl -name learned | wc -l)" 0
check "with it again" t apply a.yaml
in_ns client ping -qc1 -W2 10.9.0.2 >/dev/null
check_eq "which learns" "$(stations)" 1
sed 's/local: 10.0.1.1/local: 10.0.1.9/' a.yaml >f.yaml
check "another address of its own" t apply f.yaml
check_eq "makes it another one: what it knew may be of another family" "$(stations)" 0
check "remove" t remove
check_eq "nothing is left" "$(in_ns client ip -o link; in_ns client tc qdisc show)" "$before"
check "no pins" test ! -e /sys/fs/bpf/tcctl
