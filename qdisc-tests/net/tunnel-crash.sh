#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# SIGKILL in an apply that changes tunnels and their devices: the next apply finishes, nothing is left over, and a device
# that is somebody else's is never taken for ours. POINTS=all kills at every system call that changes something.
#
#  client c0 ---- s0 server
# timeout: 600
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd strace ethtool
topo_pair

config() { # VXLAN'S_NAME NUMBER_OF_BOTH DEVICE KEYS_OF_C0
	cat <<-Y
	tcctl: 1
	tunnels:
	  $1: { type: vxlan, local: 10.0.1.1, remote: 10.0.1.2, vni: $2, device: $3 }
	  changes: { type: gre, local: 10.0.1.1, remote: 10.0.1.2, key: $2 }
	interfaces:
	  c0: { $4 }
	Y
}
config goes 1 vx-old "decap: [goes, changes]" >old.yaml
config comes 2 vx-new "decap: [changes, comes], egress: { encap: [ { dst: 10.9.0.0/16, tunnel: changes } ] }" >new.yaml
CALLS=bpf,sendto,sendmsg,renameat,unlinkat,membarrier
apply() { "$TCCTL" apply -q --netns client "$1"; }
devices() { in_ns client ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/; s/^tcctl[0-9]+$/peer/' | sort | xargs; }
pins() { find /sys/fs/bpf/tcctl -type f | sed -E 's/.*default//' | sed -E 's,^/p[0-9]+,/pN,' | sort | uniq -c; }
tunnels() { "$TCCTL" status --netns client | grep -oE '^default [a-z]+ +(vxlan|gre) ' | xargs; }

empty=$(in_ns client ip -o link; in_ns client tc qdisc show)
must apply new.yaml
want_devices=$(devices) want_pins=$(pins) want_tunnels=$(tunnels)
check_match "the new device" "$want_devices" 'vx-new'
must "$TCCTL" remove --netns client
must apply old.yaml
check_match "the old device" "$(devices)" 'vx-old'
strace -f -qq -o trace -e trace=$CALLS "$TCCTL" apply -q --netns client new.yaml
mapfile -t points < <(sed -E 's/^[0-9]+ +//' trace | awk -F'[(,]' '
	/^[a-z]/ { n[$1]++; if ($1 != "bpf" || $2 ~ /MAP_UPDATE|OBJ_PIN|MAP_DELETE/) print $1, n[$1] }')
echo "# ${#points[@]} points"
n=${POINTS:-24}
[[ $n == all ]] && n=${#points[@]}
bad=0 tried=0 half=0
for ((i = 0; i < n && i < ${#points[@]}; i++)); do
	read -r name number <<<"${points[$((i * ${#points[@]} / n))]}"
	"$TCCTL" remove -q --netns client
	apply old.yaml || { not_ok "apply of the old one"; break; }
	strace -f -qq -o /dev/null -e trace=$CALLS -e inject="$name:signal=KILL:when=$number" \
		"$TCCTL" apply -q --netns client new.yaml >/dev/null 2>&1
	tried=$((tried + 1))
	at="killed at $name $number:"
	[[ $(devices) == *vx-old*vx-new* || $(devices) == *vx-new*vx-old* ]] && half=$((half + 1))
	"$TCCTL" status --netns client >/dev/null 2>&1 || { not_ok "$at status"; bad=1; }
	apply new.yaml || { not_ok "$at the next apply"; bad=1; }
	[[ $(devices) == "$want_devices" ]] || { not_ok "$at devices" "$(devices)"; bad=1; }
	[[ $(tunnels) == "$want_tunnels" ]] || { not_ok "$at tunnels" "$(tunnels)"; bad=1; }
	"$TCCTL" plan -q --netns client new.yaml >/dev/null || { not_ok "$at something is left to do"; bad=1; }
	diff <(pins) <(echo "$want_pins") >pins.diff || { not_ok "$at pins" "$(<pins.diff)"; bad=1; }
done
check_eq "$tried kills, each repaired by the next apply" "$bad" 0
echo "# $half of them with both devices there"

# Devices that cut aggregates: between making or changing one and switching its offloads, which is done by ioctl.
cut() { # WHAT IT CUTS FOR: keys of the tunnel
	printf 'tcctl: 1\ntunnels:\n  cut: { type: gre, local: 10.0.1.1, remote: 10.0.1.2, key: 9, device: cut0%s }\ninterfaces:\n  c0: { decap: [cut] }\n' \
		"$1"
}
cut ", seq: true" >cut.yaml
cut "" >whole.yaml
offloads() { in_ns client ethtool -k cut0 2>/dev/null | grep -cE '^\s*(tx-checksumming|tcp-segmentation-offload|generic-segmentation-offload|tx-udp-segmentation): on'; }
killed_at_ioctls() { # BEFORE THEN WHAT OFFLOADS
	local k n
	"$TCCTL" remove -q --netns client
	[[ ! $1 ]] || { must apply cut.yaml; must apply "$1"; }
	strace -f -qq -o trace -e trace=ioctl "$TCCTL" apply -q --netns client "$2"
	n=$(grep -c 'ioctl(.*ETHTOOL' trace)
	check "$3: switched by ioctls" test "$n" -ge 3
	for ((k = 1; k <= $(grep -c 'ioctl(' trace); k++)); do
		"$TCCTL" remove -q --netns client
		[[ ! $1 ]] || { must apply cut.yaml; must apply "$1"; }
		strace -f -qq -o /dev/null -e trace=ioctl -e inject=ioctl:signal=KILL:when=$k "$TCCTL" apply -q --netns client "$2" \
			>/dev/null 2>&1
		check "$3, killed at ioctl $k: the next apply" apply "$2"
		if [[ $4 = on ]]; then
			check "… switches the offloads on" test "$(offloads)" -gt 0
		else
			check_eq "… switches the offloads off" "$(offloads)" 0
		fi
	done
}
killed_at_ioctls "" cut.yaml "making" off
killed_at_ioctls whole.yaml cut.yaml "changing" off
"$TCCTL" remove -q --netns client
must apply cut.yaml
killed_at_ioctls cut.yaml whole.yaml "changing back" on
check "remove" "$TCCTL" remove --netns client
check_eq "nothing is left" "$(in_ns client ip -o link; in_ns client tc qdisc show)" "$empty"
check "no pins" test ! -e /sys/fs/bpf/tcctl
