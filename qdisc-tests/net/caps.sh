#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# All of plan, apply, change, status, export and remove works with CAP_BPF and CAP_NET_ADMIN only; without one of them it is
# refused by name and nothing has changed.
#
#  host: eth0 ---- eth1
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd setpriv
must ip link add eth0 type veth peer name eth1
cat >a.yaml <<'Y'
tcctl: 1
classes: { voice: { dscp: EF, mark: 0x10/0xf0 } }
rules:
  wan:
    - { proto: udp, port: 5060, class: voice }
interfaces:
  eth0: { rules: wan }
Y
sed 's/5060/5061/; s/rules: wan }/rules: wan, mode: observe }/' a.yaml >b.yaml
# uid 0 without any capability but these; a kernel from 5.8 on
with() { local caps=-all c; for c in $1; do caps+=,+$c; done; shift; setpriv --inh-caps="$caps" --bounding-set="$caps" -- "$@"; }
with "bpf net_admin" true 2>/dev/null || skip_all "setpriv that knows CAP_BPF"
pins() { find /sys/fs/bpf/tcctl 2>/dev/null | sort; }
both="bpf net_admin"

check_rc "plan" 2 with "$both" "$TCCTL" plan a.yaml
check "apply" with "$both" "$TCCTL" apply a.yaml
check "change rules and programs" with "$both" "$TCCTL" apply b.yaml
check "status" with "$both" "$TCCTL" status
check "export" with "$both" "$TCCTL" export
check_rc "same again" 0 with "$both" "$TCCTL" plan b.yaml
tc filter del dev eth0 egress prio 31744
check "repair" with "$both" "$TCCTL" apply b.yaml

before=$(pins; tc filter show dev eth0 ingress; tc filter show dev eth0 egress)
check_rc "a change without CAP_BPF" 1 with net_admin "$TCCTL" apply a.yaml
check_match "is refused by name" "$OUT" 'CAP_BPF'
check_rc "a change without CAP_NET_ADMIN" 1 with bpf "$TCCTL" apply a.yaml
check_match "is refused by name" "$OUT" 'CAP_NET_ADMIN'
check_eq "nothing has changed" "$(pins; tc filter show dev eth0 ingress; tc filter show dev eth0 egress)" "$before"
check "remove" with "$both" "$TCCTL" remove
check_eq "nothing is left" "$(pins)$(tc qdisc show dev eth0 clsact)" ""

check_rc "a first apply without CAP_NET_ADMIN" 1 with bpf "$TCCTL" apply a.yaml
check_match "is refused by name" "$OUT" 'CAP_NET_ADMIN'
check_eq "nothing is left" "$(pins)$(tc qdisc show dev eth0 clsact)" ""
