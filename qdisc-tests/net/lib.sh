#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The shell library itself: topologies carry traffic, nothing is shared with the host, captures are complete.
# also-vm: full
. "${0%/*}/../lib/lib.sh"

topo_router
check "IPv4 through the router" in_ns client ping -qc1 -W2 10.0.2.1
check "IPv6 through the router" in_ns client ping -qc1 -W2 fd00:2::1
check_eq "a namespace has no device of the host" "$(in_ns client ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | sort | xargs)" "c0 lo"
check_eq "bpffs is private and empty" "$(ls -A /sys/fs/bpf | grep -vE '^(maps|progs).debug$')" ""

capture_start cap server s0 icmp
in_ns client ping -qc5 -i0.01 -W2 10.0.2.1 >"$T/ping"
capture_stop cap 10
check_eq "capture has every request and reply" "$(capture_count cap)" 10

wait_until 1 false
check_eq "wait_until gives up" $? 1
