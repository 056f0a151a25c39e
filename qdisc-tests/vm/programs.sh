#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The programs on other kernels: every object loads, also with only CAP_BPF and CAP_NET_ADMIN (5.10: CAP_PERFMON too) and
# under a hardened JIT, and parser, dispatch, tags and tunnels do there what they do here.
# vm: 5.10 6.1 6.12
# modules: sch_ingress cls_bpf veth tun
# timeout: 400
. "${0%/*}/../lib/lib.sh"
tests="load parse dispatch tag" tunnels="decap decap_more encap encap_where encap_decap encap_raw"
for t in $tests $tunnels; do need_file "$B/tests/prog/$t"; done
export TCCTL_ROUNDS=2000
run() { # TEST WHERE
	local out rc bad
	out=$("$B/tests/prog/$1" 2>&1)
	rc=$?
	bad=$(grep -c '^not ok' <<<"$out")
	check_eq "$1, $2" "$rc:$bad" 0:0 || { grep '^not ok' <<<"$out"; grep -v '^\(not \)\?ok' <<<"$out" | tail -n40; } | cut -c1-300 | sed 's/^/#   /'
}
for harden in ${HARDEN-0 2}; do
	sysctl -qw net.core.bpf_jit_harden=$harden 2>/dev/null
	for t in $tests; do run "$t" "bpf_jit_harden=$harden"; done
done
sysctl -qw net.core.bpf_jit_harden=0 2>/dev/null
for t in $tunnels; do run "$t" "Linux $(uname -r | cut -d. -f1,2)"; done
