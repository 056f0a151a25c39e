#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The examples of tunnels work as they are: by tcctl, by the programs as stock tc loads them, and by the kernel's devices
# where there are such. Each sends traffic both ways, and none may arrive once the other end is gone.
# also-vm: full
# modules: vxlan sit ip_gre gtp bridge veth sch_ingress cls_bpf
# timeout: 400
. "${0%/*}/../lib/lib.sh"
need_cmd jq nc
need_file "$TCCTL"
try() { check "$1 by $2" "$TOP/examples/tunnels/try.sh" "$1" "$2" "$B"; }
for e in site-to-site gre island gtpu; do
	check "$e.yaml is valid" "$TCCTL" check "$TOP/examples/tunnels/$e.yaml"
	try $e tcctl
	try $e stock-tc
done
try site-to-site kernel
if has_link gre local 192.0.2.1 remote 192.0.2.2; then
	try gre kernel
	try island kernel
fi
if has_link gtp role sgsn; then
	try gtpu kernel
else
	check_rc "gtpu says what it needs of the kernel" 77 "$TOP/examples/tunnels/try.sh" gtpu kernel "$B"
fi
