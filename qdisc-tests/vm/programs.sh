#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The programs on other kernels: every object loads, also with only CAP_BPF and CAP_NET_ADMIN and under a hardened JIT,
# and parser, dispatch and tags do there what they do here.
# vm: 5.10 6.1 6.12
# modules: sch_ingress cls_bpf veth
# timeout: 200
. "${0%/*}/../lib/lib.sh"
need_file "$B/tests/prog/load" "$B/tests/prog/parse" "$B/tests/prog/dispatch" "$B/tests/prog/tag"
export TCCTL_ROUNDS=2000
for harden in ${HARDEN-0 2}; do
	sysctl -qw net.core.bpf_jit_harden=$harden 2>/dev/null
	for t in load parse dispatch tag; do
		out=$("$B/tests/prog/$t" 2>&1)
		rc=$?
		bad=$(grep -c '^not ok' <<<"$out")
		check_eq "$t, bpf_jit_harden=$harden" "$rc:$bad" 0:0 || grep -v '^ok' <<<"$out" | cut -c1-300 | tail -n40 | sed 's/^/#   /'
	done
done
