#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Many changes leave no programs, maps, pins or references behind. `make test-leak` is the long run.
#
#  host: eth0 ---- eth1
# timeout: 600
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$TCCTL_BUILD/libtcctl.a"
need_cmd cc pkg-config
must ip link add eth0 type veth peer name eth1
cat >a.yaml <<Y
tcctl: 1
classes: { voice: { dscp: EF } }
rules:
  wan:
    - { proto: udp, port: 5060, class: voice }
interfaces:
  eth0: { rules: wan }
Y
sed 's/5060/5061/' a.yaml >b.yaml
sed 's/rules: wan/rules: wan, mode: observe/' b.yaml >c.yaml

must cc -I"$TOP/lib" $([[ $TCCTL_BUILD == *-san ]] && echo -fsanitize=address,undefined) -o cycle "$TOP/qdisc-tests/net/cycle.c" \
	"$TCCTL_BUILD/libtcctl.a" $(pkg-config --libs libbpf libmnl libcap yaml-0.1 json-c) -lm
check "cycles of apply, change, change, status, remove, and changes of rules, in one process" \
	./cycle "${SECONDS_MAX-45}" "${CYCLES:-500}" "${CHANGES:-500}" a.yaml b.yaml c.yaml
must "$TCCTL" apply -q a.yaml
pins=$(find /sys/fs/bpf | wc -l)
for i in {1..5}; do
	"$TCCTL" apply b.yaml && "$TCCTL" apply c.yaml && "$TCCTL" apply a.yaml || not_ok "change $i"
done >/dev/null
check_eq "same number of pins" "$(find /sys/fs/bpf | wc -l)" "$pins"
check "remove" "$TCCTL" remove
check_eq "no pins" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""
