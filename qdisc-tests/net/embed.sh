#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The example that embeds the library builds against the public header alone, with the shared library, and works.
#
#  host: eth0 ---- eth1
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL_BUILD/libtcctl.so" "$PKT"
need_cmd cc
must ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
must ip addr add 10.9.0.1/24 dev eth0
must ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev eth0

# Only the public header, and no libraries but ours: what it needs itself it brings.
mkdir include && cp "$TOP/lib/tcctl.h" include/
san=
[[ $TCCTL_BUILD == *-san ]] && san=-fsanitize=address,undefined
ln -s "$TCCTL_BUILD/libtcctl.so" libtcctl.so.0
check "it builds with strict warnings" cc $san -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -Iinclude -o router \
	"$TOP/examples/embed/router.c" "$TCCTL_BUILD/libtcctl.so" -Wl,-rpath,"$PWD"
check "the header is C++ too" cc -x c++ -fsyntax-only -Wall -Wextra -Werror include/tcctl.h

bg router ./router eth0
check "it applies" wait_until 20 grep -q 'applied: changed, 2 hooks' router.out
check_match "the filter is there" "$(tc filter show dev eth0 egress)" 'tcctl:router/p1'
for i in 1 2 3; do "$PKT" send -d 10.9.0.2 -P 5060 -l 100 >/dev/null; done
kill -USR1 "${_bg[router]}"
check "its numbers agree" wait_until 5 grep -q 'class calls: 3 packets, 426 bytes' router.out
bg_stop router TERM
check_eq "it ends well" $? 0
check_eq "nothing is left" "$(tc qdisc show dev eth0 clsact; find /sys/fs/bpf/tcctl 2>/dev/null)" ""
check_eq "the library printed nothing" "$(<router.err)" ""
check_match "errors come as records" "$(./router nosuch0 2>&1)" "error: nosuch0: no device 'nosuch0'"

# Only tcctl_* is visible, and every function of the header is there.
exported=$(nm -D --defined-only "$TCCTL_BUILD/libtcctl.so" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | sort)
[[ -n $san ]] || check_eq "nothing else is exported" "$(grep -v '^tcctl_' <<<"$exported")" ""
declared=$(sed -n '/^TCCTL_PUBLIC/,/;/p' include/tcctl.h | grep -oE '\btcctl_[a-z_]+\(' | tr -d '(' | sort -u)
check_eq "the header declares what is exported" "$(diff <(grep '^tcctl_' <<<"$exported") - <<<"$declared")" ""
