#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The virtual machine itself: another kernel than the host's, with what the host may lack.
# vm: 5.10 6.1 6.12
# modules: act_bpf sch_fq sch_htb sch_ingress cls_bpf cls_matchall veth
# timeout: 60
. "${0%/*}/../lib/lib.sh"
[[ -n ${QT_IN_VM-} ]] || skip_all "a virtual machine (run it with qdisc-tests/vm/run-vm)"

check_match "the kernel is the one asked for" "$(uname -r)" "^${QT_KERNEL//./\\.}\\."
for q in fq htb netem cake; do
	check "qdisc $q" has_qdisc "$q"
done
ip link add v0 type veth peer name v1
check "veth" ip link set v0 up
tc qdisc add dev v0 clsact
check "matchall" tc filter add dev v0 egress matchall action gact pass
check "act_bpf is a module of this kernel" grep -qw act_bpf /proc/modules
for l in "ipip local 10.0.0.1 remote 10.0.0.2" "gre local 10.0.0.1 remote 10.0.0.2" "vxlan id 1 dstport 4789 dev v0" "geneve id 1 remote 10.0.0.2" dummy; do
	# shellcheck disable=SC2086
	check "device ${l%% *}" has_link $l
done
check "bpffs" touch -c /sys/fs/bpf
check "bpffs takes directories" mkdir /sys/fs/bpf/x
check_eq "two processors" "$(nproc)" 2
check_eq "what is written here does not reach the host's files" "$(touch "$TOP/.qt-vm-test" && ls -A "$TOP/.qt-vm-test")" "$TOP/.qt-vm-test"
