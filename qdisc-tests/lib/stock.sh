# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A pipeline by stock tc, for tests of the programs without the controller. Sourced after lib.sh.

G=/sys/fs/bpf/tc/globals

filter() { # NS DEV DIR PRIO MINOR OBJECT PROGRAM: MINOR becomes skb->tc_classid, the hook id
	must in_ns "$1" tc filter add dev "$2" "$3" prio "$4" handle 1 bpf da obj "$6" sec tc program "$7" \
		flowid "1:$(printf %x "$5")"
}
unfilter() { must in_ns "$1" tc filter del dev "$2" "$3" prio "$4"; }	# NS DEV DIR PRIO

graft() { # TABLE SLOT OBJECT PROGRAM
	must tc exec bpf graft "m:globals/$1" key "$2" obj "$3" sec tc program "$4" type cls
}

# A little-endian word, as bpftool wants it.
le32() { printf '%02x %02x %02x %02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

map_set() { must bpftool map update pinned "$G/$1" key hex $(le32 "$2") value hex $(le32 "$3"); } # MAP KEY VALUE

fixed_packets() { # INDEX: packets of a fixed counter, over all CPUs
	bpftool -j map lookup pinned $G/counters_fixed key hex $(le32 "$1") | jq '[.formatted.values[].value.packets] | add'
}

# Root on one hook, the built-in handlers, and from stage slot 0 on: the stages given as OBJECT:PROGRAM:SLOT.
# A stage in slot s jumps to slot s + 1, so the one after it is put there.
stock_pipeline() { # NS DEV DIR MINOR STAGE…
	local at=0 stage obj prog
	filter "$1" "$2" "$3" 10 "$4" "$BPF/root.bpf.o" root
	graft jt_root 0 "$BPF/entry_eth.bpf.o" entry_eth
	graft jt_l3 0 "$BPF/ipv4.bpf.o" ipv4
	graft jt_l3 1 "$BPF/ipv6.bpf.o" ipv6
	graft jt_l4 0 "$BPF/tcp.bpf.o" tcp
	graft jt_l4 1 "$BPF/udp.bpf.o" udp
	graft jt_l4 2 "$BPF/icmp.bpf.o" icmp
	graft jt_l4 3 "$BPF/icmpv6.bpf.o" icmpv6
	for stage in "${@:5}"; do
		IFS=: read -r obj prog slot <<<"$stage"
		graft jt_stage $at "$obj" "$prog"
		at=$((slot + 1))
	done
}

# Class 2 in both halves of `arenas`: FLAGS (TCCTL_C_*) MARK MASK PRIORITY QUEUE TC_INDEX DSCP.
stock_class() {
	local magic half zero
	magic=$(sed -n 's/^#define ARENA_MAGIC \(0x[0-9a-f]*\).*/\1/p' "$TOP/bpf-progs/include/tcctl/arena.h")
	zero=$(printf '00 %.0s' {1..64})
	for half in 0 1; do
		must bpftool map create /sys/fs/bpf/arena$half type array key 4 value 64 entries 4 name arena flags 0x1000
		# magic, lines, stamp, used, seed (two words), first line of the class table, classes
		_line $half 0 "$(le32 "$magic") $(le32 4) $(le32 1) $(le32 0) $(le32 0) $(le32 0) $(le32 2) $(le32 4) ${zero:0:96}"
		_line $half 3 "$(le32 "$1") $(le32 "$2") $(le32 "$3") $(le32 "$4") $(printf '%02x %02x ' $(($5 & 255)) $(($5 >> 8)) \
			$(($6 & 255)) $(($6 >> 8)) "$7" 0) ${zero:0:126}"
		must bpftool map update pinned $G/arenas key hex $(le32 $half) value pinned /sys/fs/bpf/arena$half
	done
}
_line() { must bpftool map update pinned /sys/fs/bpf/arena"$1" key hex $(le32 "$2") value hex $3; }
