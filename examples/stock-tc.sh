#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A pipeline built with nothing but stock `tc`: attach the root, fill the jump tables slot by slot, put a stage of
# one's own in, watch the counters, take it all down. Each command is printed before it runs; they are the ones to
# type on a machine of your own.
#
#	sudo examples/stock-tc.sh [FOLDER_OF_THE_BPF_OBJECTS]		default: build/bpf
#
# Runs in namespaces of its own with a private bpffs: whatever happens, nothing is left behind.
set -eu
cd "$(dirname "$0")/.."
BPF=$(realpath "${1:-build/bpf}")
EXAMPLES=$(realpath "$BPF/../examples/handlers")
PATH=$PATH:/usr/sbin:/sbin

if [[ ${2-} != inside ]]; then
	((EUID == 0)) || { echo "stock-tc.sh: needs root" >&2; exit 1; }
	exec unshare --net --mount --pid --fork --kill-child --mount-proc -- "$0" "$BPF" inside
fi

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Packets of a fixed counter; the numbers are those of enum tcctl_fixed_counter in tcctl/abi.h.
packets() { # INDEX
	bpftool -j map lookup pinned /sys/fs/bpf/tc/globals/counters_fixed \
		key hex $(printf '%02x %02x 00 00' $(($1 & 255)) $(($1 >> 8))) |
		jq '[.formatted.values[].value.packets] | add'
}
L3=0 L4=16 STAGE=80 REASON=288
IPV4=0 IPV6=1 ICMP=2 ICMPV6=3 NO_ROOT=12 ROOT_EMPTY=14

graft() { # TABLE SLOT OBJECT
	run tc exec bpf graft "m:globals/$1" key "$2" obj "$3" sec tc type cls
}

# --- a neighbour to talk to ---------------------------------------------------------------------------
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
ip netns add peer
ip link add eth0 type veth peer name eth0 netns peer
ip addr add 192.0.2.1/24 dev eth0
ip addr add 2001:db8::1/64 dev eth0 nodad
ip link set eth0 up
nsenter --net=/run/netns/peer sh -c 'ip addr add 192.0.2.2/24 dev eth0
	ip addr add 2001:db8::2/64 dev eth0 nodad; ip link set eth0 up'
ping_both() {
	local to
	for to in 192.0.2.2 2001:db8::2; do
		echo "$ ping -c3 $to"
		ping -qc3 -i0.01 -W2 $to | grep transmitted
	done
}
until ping -qc1 -W1 192.0.2.2 >/dev/null && ping -qc1 -W1 2001:db8::2 >/dev/null; do :; done

say "1. The root: the only program that is attached. Its jump tables are made, empty, under tc/globals."
run tc qdisc add dev eth0 clsact
run tc filter add dev eth0 ingress prio 49152 handle 1 bpf da obj "$BPF/root.bpf.o" sec tc
run ls /sys/fs/bpf/tc/globals
ping_both
n=$(packets $((REASON + ROOT_EMPTY)))
echo "empty root slot, packets passed on: $n"
((n >= 6)) || fail "the root saw $n packets"

say "2. Fill the tables. Each object brings the table it jumps through; an empty slot passes packets on meanwhile."
graft jt_stage 0 "$BPF/end.bpf.o"
graft jt_root 0 "$BPF/entry_eth.bpf.o"
graft jt_l3 $IPV4 "$BPF/ipv4.bpf.o"
graft jt_l3 $IPV6 "$BPF/ipv6.bpf.o"
graft jt_l4 0 "$BPF/tcp.bpf.o"
graft jt_l4 1 "$BPF/udp.bpf.o"
graft jt_l4 $ICMP "$BPF/icmp.bpf.o"
graft jt_l4 $ICMPV6 "$BPF/icmpv6.bpf.o"
ping_both
echo "IPv4: $(packets $((L3 + IPV4))), ICMP: $(packets $((L4 + ICMP))), IPv6: $(packets $((L3 + IPV6))), ICMPv6: $(packets $((L4 + ICMPV6)))"
(($(packets $((L4 + ICMP))) >= 3 && $(packets $((L4 + ICMPV6))) >= 3)) || fail "handlers did not count"

say "3. A stage of one's own, put into the running pipeline. Handlers jump to slot 0; its source says 5, so it jumps to 6."
graft jt_stage 6 "$BPF/end.bpf.o"
graft jt_stage 0 "$EXAMPLES/count-by-port.bpf.o"
echo hello | nsenter --net=/run/netns/peer nc -u -q0 -w1 192.0.2.1 7777 || :
until bpftool -j map dump pinned /sys/fs/bpf/tc/globals/port_packets | jq -e '.[] | select(.formatted.key == 17 * 65536 + 7777)' >/dev/null
do ((i = ${i:-0} + 1)); ((i < 50)) || fail "the stage saw no packet to UDP port 7777"; done
run bpftool map dump pinned /sys/fs/bpf/tc/globals/port_packets
echo "stage ran: $(packets $((STAGE + 5)))"

say "4. A handler alone, without a root: it works out by itself what it needs."
run tc filter add dev eth0 egress prio 49152 handle 1 bpf da obj "$BPF/ipv4.bpf.o" sec tc
ping_both
n=$(packets $((REASON + NO_ROOT)))
echo "packets without a root: $n"
((n >= 3)) || fail "the handler alone saw $n packets"

say "5. Down again: the filters, then the tables."
run tc qdisc del dev eth0 clsact
run rm -r /sys/fs/bpf/tc
ping_both
echo
echo "done"
