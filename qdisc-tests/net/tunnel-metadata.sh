#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `mode: metadata`: the kernel's device made with `external` adds and takes the header, tcctl says what is in it and decides by what
# was. At the other end a device of the kernel's with all that fixed.
#   client ---- near [tcctl: x1 x2 …, external] ======== far [t1 t2 …: the kernel's]
# also-vm: full
# modules: vxlan geneve ipip ip6_tunnel ip_gre ip6_gre veth sch_ingress cls_bpf
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$EXCHANGE"
cases=$EXTERNAL_CASES
[[ ${QT_IN_VM-} ]] || cases="vxlan-4 vxlan-csum-6 vxlan-gbp-4"
tunnel_topo
for c in ${CASES:-$cases}; do tunnel_add "$c" external; done
tunnel_start
tunnel_check
