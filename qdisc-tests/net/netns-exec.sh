#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `ip netns exec` hides bpffs behind a new /sys: what is applied inside has to outlive the command.
#
#   client c0 ---- s0 server      tcctl works on c0
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_cmd jq ping
need_file "$TCCTL"
topo_pair
ping_config c0 >wan.yaml
check_eq "the trap is there: bpffs is hidden" "$(ip netns exec client stat -fc %T /sys/fs/bpf)" sysfs
check_rc "doctor notices" 0 ip netns exec client "$TCCTL" doctor
check_match "and says where pins go" "$OUT" 'ip netns exec.*pins go to /sys/fs/bpf outside'

check_rc "apply inside" 0 ip netns exec client "$TCCTL" apply wan.yaml
check_rc "is seen from outside" 0 "$TCCTL" plan --netns client wan.yaml
check_rc "and by the next command inside" 0 ip netns exec client "$TCCTL" plan wan.yaml
check_rc "and from a shell inside" 0 ip netns exec client bash -c "'$TCCTL' plan wan.yaml; exit \$?"
# tc mounts a throw-away bpffs there: that is not the one.
check_rc "also behind a bpffs that tc mounted" 0 ip netns exec client bash -c \
	"mount -t bpf bpf /sys/fs/bpf && '$TCCTL' plan wan.yaml"
in_ns client ping -qc 5 -i 0.01 10.0.1.2 >/dev/null
check_eq "jump tables are still filled" "$("$TCCTL" status -j -n client | jq '[.classes[] | select(.name == "voice") | .packets] | add')" 10
check_rc "a path names a namespace, too" 0 "$TCCTL" plan --netns /run/netns/client wan.yaml
bg sleeper nsenter --net=/run/netns/client -- sleep 100
wait_until 5 grep -q sleep /proc/${_bg[sleeper]}/comm
check_rc "and a process" 0 "$TCCTL" plan --netns "/proc/${_bg[sleeper]}/ns/net" wan.yaml
bg_stop sleeper
check_rc "what is no namespace is refused" 1 "$TCCTL" plan --netns /proc/self/ns/mnt wan.yaml
check_match "by name" "$OUT" "/proc/self/ns/mnt' is not a network namespace"
check_rc "the empty rest of one, too" 1 bash -c "touch /run/netns/rest; '$TCCTL' plan --netns rest wan.yaml"
rm /run/netns/rest

# Nothing outside either: said, and nothing changed.
check_rc "no bpffs anywhere" 1 unshare --mount --pid --fork --mount-proc bash -c \
	"while mountpoint -q /sys/fs/bpf; do umount /sys/fs/bpf; done; ip netns exec client '$TCCTL' apply wan.yaml; exit \$?"
check_match "what to do is said" "$OUT" 'tcctl … --netns client'
check_rc "apply inside: nothing to do" 0 "$TCCTL" plan --netns client wan.yaml
check_rc "remove inside" 0 ip netns exec client "$TCCTL" remove
check_eq "nothing is left" "$(find /sys/fs/bpf/tcctl 2>/dev/null; in_ns client tc qdisc show dev c0 | grep clsact)" ""

# State of a namespace that is gone is found.
ip netns exec client "$TCCTL" apply -q wan.yaml
ns_del client
gone() { [[ $("$TCCTL" doctor) =~ info\ +pins\ +of\ 1\ namespace,\ 1\ gone ]]; }
check "doctor finds what a namespace left" wait_until 10 gone
