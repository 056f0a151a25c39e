#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Least privilege: CAP_BPF and CAP_NET_ADMIN do the work; what needs more is refused by name, alone.
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_cmd capsh jq ping
need_file "$TCCTL"
topo_pair
ping_config c0 >wan.yaml
with() { # CAPABILITIES COMMAND…: as root, but with these alone, in the client's namespace
	local caps=$1 all drop=
	shift
	for all in $(capsh --print | sed -nE 's/^Bounding set =//p' | tr , ' '); do
		[[ ,$caps, = *,$all,* ]] || drop+=,$all
	done
	in_ns client capsh --drop="${drop#,}" -- -c '"$@"' bash "$@"
}

check_rc "check needs nothing" 0 with "" "$TCCTL" check wan.yaml
check_rc "apply without any capability" 1 with "" "$TCCTL" apply wan.yaml
check_match "names what is missing" "$OUT" 'CAP_BPF'
check_rc "apply without CAP_BPF" 1 with cap_net_admin "$TCCTL" apply wan.yaml
check_match "names what is missing" "$OUT" 'CAP_BPF'
check_rc "apply without CAP_NET_ADMIN" 1 with cap_bpf "$TCCTL" apply wan.yaml
check_match "names what is missing" "$OUT" 'CAP_NET_ADMIN'
check_eq "nothing came of all that" "$(find /sys/fs/bpf -mindepth 1 ! -name '*.debug'; in_ns client tc qdisc show dev c0 | grep clsact)" ""

check_rc "apply with CAP_BPF and CAP_NET_ADMIN" 0 with cap_bpf,cap_net_admin "$TCCTL" apply wan.yaml
in_ns client ping -qc 5 -i 0.01 10.0.1.2 >/dev/null
check_rc "status" 0 with cap_bpf,cap_net_admin "$TCCTL" status
check_match "with counts" "$OUT" 'voice +10 '
check_rc "a changed rule" 0 with cap_bpf,cap_net_admin bash -c "sed s/icmp/tcp/ wan.yaml >other.yaml; '$TCCTL' apply other.yaml"
check_rc "export" 0 with cap_bpf,cap_net_admin "$TCCTL" export
check_rc "remove" 0 with cap_bpf,cap_net_admin "$TCCTL" remove
check_eq "nothing is left" "$(find /sys/fs/bpf/tcctl 2>/dev/null; in_ns client tc qdisc show dev c0 | grep clsact)" ""

check_rc "another namespace needs CAP_SYS_ADMIN" 1 with cap_bpf,cap_net_admin "$TCCTL" plan --netns server wan.yaml
check_match "by name" "$OUT" 'entering another network namespace needs CAP_SYS_ADMIN'
check_rc "one's own, named, does not" 2 with cap_bpf,cap_net_admin "$TCCTL" plan --netns client wan.yaml

check_rc "doctor without privileges: it would not work" 1 with "" "$TCCTL" doctor
check_match "says what is missing" "$OUT" 'FATAL +load +no CAP_BPF and CAP_NET_ADMIN'
check_rc "doctor with the two" 0 with cap_bpf,cap_net_admin "$TCCTL" doctor
check_match "says what CAP_PERFMON would give" "$OUT" 'limited +perfmon'
check_rc "doctor as root" 0 "$TCCTL" doctor
check_eq "doctor -j" "$("$TCCTL" doctor -j | jq -c '[.ok, (.findings | map(select(.name == "clsact" or .name == "cls_bpf") | .state))]')" '[true,["ok","ok"]]'
check_eq "doctor leaves nothing" "$(find /sys/fs/bpf -mindepth 1 ! -name '*.debug'; ip -o link | wc -l; ip netns list | wc -l)" $'1\n2'
