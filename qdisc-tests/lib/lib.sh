# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What every shell test uses:
#
#   #!/bin/bash
#   # What is tested, in a sentence.          topology drawn in ASCII
#   # timeout: 60                             seconds; 120 unless given
#   . "${0%/*}/../lib/lib.sh"
#   topo_pair
#   in_ns client ping -c 1 10.0.1.2 >/dev/null; check_eq "ping answers" $? 0
#
# Sourcing it moves the script into namespaces of its own (lib/isolate): an empty network, a private /run and a
# private bpffs. Names need not be unique, nothing has to be removed at the end, and tests run in parallel.
#
# Reporting: one line per case, "ok - NAME", "not ok - NAME: WHY", "skip - NAME: WHAT IS MISSING".
# Everything else that a test prints is shown only when it fails.

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$LIB/../.." && pwd)
if [[ -z ${QT_ISOLATED-} ]]; then
	self=$(cd "$(dirname "$0")" && pwd)/${0##*/}
	[[ $EUID = 0 ]] || { echo "skip - ${0##*/}: root"; exit 0; }
	exec "$LIB/isolate" "$self" "$@"
fi

set -u
PATH=$PATH:/usr/sbin:/sbin

B=${TCCTL_BUILD:-$TOP/build}		# build folder
TCCTL=${TCCTL:-$B/tcctl}		# the tool under test
BPF=$B/bpf				# the product's BPF objects
PKT=$B/tests/tools/pkt			# packet sender and receiver, see pkt --help
QT=$B/tests/tools/qt			# runs one BPF program on packets, see qt --help
BPFTOOL=${BPFTOOL:-$(command -v bpftool || echo /usr/sbin/bpftool)}
T=/run/test				# scratch folder, private and empty
export TCCTL PKT QT TCCTL_BUILD=$B
NAME=${0##*/}
NAME=${NAME%.sh}

_failed=0 _cases=0
declare -A _bg=()

# --- cases --------------------------------------------------------------------------------------------

ok() { _cases=$((_cases + 1)); echo "ok - $1"; }

not_ok() { # NAME WHY
	_cases=$((_cases + 1)) _failed=$((_failed + 1))
	echo "not ok - $1: ${2-}"
	echo "#   at ${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]-0}"
	[[ -n ${QT_SHELL-} ]] && debug_shell
	return 1
}

skip() { _cases=$((_cases + 1)); echo "skip - $1: ${2-}"; }	# NAME WHAT_IS_MISSING

skip_all() { skip "$NAME" "$1"; exit 0; }			# WHAT_IS_MISSING

check_eq() { # NAME GOT WANTED
	if [[ $2 == "$3" ]]; then ok "$1"; else not_ok "$1" "got '$2', expected '$3'"; fi
}

check_match() { # NAME TEXT EXTENDED_REGEX
	if [[ $2 =~ $3 ]]; then ok "$1"; else not_ok "$1" "'$2' does not match '$3'"; fi
}

check_no_match() { # NAME TEXT EXTENDED_REGEX
	if [[ $2 =~ $3 ]]; then not_ok "$1" "'$2' matches '$3'"; else ok "$1"; fi
}

check() { # NAME COMMAND…: it exits 0
	local name=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	if ((rc == 0)); then ok "$name"; else not_ok "$name" "exit status $rc of: $*"; sed 's/^/#   /' <<<"$out"; return 1; fi
}

check_rc() { # NAME STATUS COMMAND…: it exits with STATUS; its output is in $OUT
	local name=$1 want=$2 rc
	shift 2
	OUT=$("$@" 2>&1)
	rc=$?
	if ((rc == want)); then ok "$name"; else not_ok "$name" "exit status $rc, expected $want, of: $*"; sed 's/^/#   /' <<<"$OUT"; return 1; fi
}

die() { not_ok "$NAME" "$*"; exit 1; }

# Setup that must work; when it does not, the test ends there.
must() { "$@" || { not_ok "$NAME" "set-up failed: $*"; exit 1; }; }

# --- what the machine can -----------------------------------------------------------------------------

need_cmd() { # COMMAND…: skip the whole test without them
	local c
	for c; do command -v "$c" >/dev/null || skip_all "command $c"; done
}

need_file() { # FILE…: built things; their absence is a failure, not a skip
	local f
	for f; do [[ -e $f ]] || die "$f is not built"; done
}

has_qdisc() { # KIND: can this kernel make it?
	ip link add qtprobe0 type veth peer name qtprobe1 2>/dev/null || return 1
	tc qdisc add dev qtprobe0 root "$1" 2>/dev/null
	local rc=$?
	ip link del qtprobe0
	return $rc
}

has_link() { # KIND [ARGUMENT…]: can this kernel make such a device?
	ip link add qtprobe2 type "$@" 2>/dev/null || return 1
	ip link del qtprobe2
}

has_act_bpf() { # tc actions of type bpf
	modprobe -q act_bpf 2>/dev/null
	grep -qw tcf_bpf_init /proc/kallsyms
}

# --- waiting ------------------------------------------------------------------------------------------

exec {_clock}<> <(:)
nap() { read -rt "${1:-0.02}" -u "$_clock" || :; } # a pause between two looks, without a process


wait_until() { # SECONDS COMMAND…: until it succeeds; fails when the time is over
	local end=$((SECONDS + $1 * ${QT_TIME_FACTOR:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS > end)) && return 1
		nap
	done
}

# --- namespaces and devices ---------------------------------------------------------------------------
# A namespace of a test is a named one (ip netns), used by `tcctl --netns NAME` and by in_ns.

ns_add() { # NAME…: IPv6 without duplicate address detection, no reverse path filter, loopback up
	local n
	for n; do
		must ip netns add "$n"
		in_ns "$n" bash -c 'ip link set lo up
			for d in all default; do
				echo 0 >/proc/sys/net/ipv4/conf/$d/rp_filter
				echo 0 >/proc/sys/net/ipv6/conf/$d/accept_dad
				echo 0 >/proc/sys/net/ipv6/conf/$d/router_solicitations
			done 2>/dev/null'
	done
}

# Run in a namespace without unsharing mounts: `ip netns exec` and `tc -n` mount a throw-away bpffs, and what is
# pinned there is lost.
in_ns() { nsenter --net="/run/netns/$1" -- "${@:2}"; }

ns_del() { local n; for n; do ip netns del "$n"; done; }

veth() { # NS1 DEV1 NS2 DEV2: both ends up, known MACs 02:00:00:00:00:01 and …:02 not assumed
	must ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	in_ns "$1" ip link set "$2" up
	in_ns "$3" ip link set "$4" up
}

addr() { # NS DEV ADDRESS/LEN…
	local ns=$1 dev=$2 a
	shift 2
	for a; do
		case $a in
		*:*) must in_ns "$ns" ip addr add "$a" dev "$dev" nodad ;;
		*) must in_ns "$ns" ip addr add "$a" dev "$dev" ;;
		esac
	done
}

offloads() { # NS DEV on|off: checksum, segmentation and receive offloads
	in_ns "$1" ethtool -K "$2" tx "$3" rx "$3" tso "$3" gso "$3" gro "$3" >/dev/null 2>&1
}

#  client c0 ---- s0 server
#  10.0.1.1/24    10.0.1.2/24
#  fd00:1::1/64   fd00:1::2/64
topo_pair() {
	ns_add client server
	veth client c0 server s0
	addr client c0 10.0.1.1/24 fd00:1::1/64
	addr server s0 10.0.1.2/24 fd00:1::2/64
	must wait_until 5 in_ns client ping -qc1 -W1 10.0.1.2
	must wait_until 5 in_ns client ping -qc1 -W1 fd00:1::2
}

# eth0 (10.0.1.1) ---- eth1 of the test's own namespace. What goes to 10.0.1.2 leaves eth0, answered by nobody.
topo_local() {
	must ip link add eth0 type veth peer name eth1
	ip link set eth0 up
	ip link set eth1 up
	must ip addr add 10.0.1.1/24 dev eth0
	must ip neigh add 10.0.1.2 lladdr 02:00:00:00:00:02 dev eth0
}

# topo_pair, and the server has the kernel's vxlan device vxk (VNI 42, MTU 1450, 10.9.0.2/24) towards the client.
topo_vxlan() {
	has_link vxlan id 1 dstport 4789 || skip_all "vxlan devices"
	topo_pair
	must ip -n server link add vxk type vxlan id 42 local 10.0.1.2 remote 10.0.1.1 dstport 4789
	must ip -n server link set vxk mtu 1450 up
	addr server vxk 10.9.0.2/24
}

# What packets run, of each pipeline in the test's own namespace: the entries in force, the generation of the data.
running() {
	local p
	for p in /sys/fs/bpf/tcctl/*/default/p*; do
		"$BPFTOOL" -j map dump pinned "$p/tc/globals/jt_root"
		"$BPFTOOL" -j map dump pinned "$p/tc/globals/ctl"
	done 2>/dev/null
}

#  client c0 ---- r0 router r1 ---- s0 server
#  10.0.1.1/24    10.0.1.2  10.0.2.2   10.0.2.1/24
#  fd00:1::1/64   fd00:1::2 fd00:2::2  fd00:2::1/64
# The router's devices have other names when given.
topo_router() { # [CLIENT_SIDE SERVER_SIDE]
	local r0=${1-r0} r1=${2-r1}
	ns_add client router server
	veth client c0 router "$r0"
	veth router "$r1" server s0
	addr client c0 10.0.1.1/24 fd00:1::1/64
	addr router "$r0" 10.0.1.2/24 fd00:1::2/64
	addr router "$r1" 10.0.2.2/24 fd00:2::2/64
	addr server s0 10.0.2.1/24 fd00:2::1/64
	in_ns router bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	must in_ns client ip route add default via 10.0.1.2
	must in_ns client ip -6 route add default via fd00:1::2
	must in_ns server ip route add default via 10.0.2.2
	must in_ns server ip -6 route add default via fd00:2::2
	must wait_until 5 in_ns client ping -qc1 -W1 10.0.2.1
	must wait_until 5 in_ns client ping -qc1 -W1 fd00:2::1
}

# The smallest configuration that counts something anybody can send: echo gets class voice.
ping_config() { # DEVICE
	cat <<-END
		tcctl: 1
		classes:
		  voice: { dscp: EF }
		rules:
		  wan:
		    - { proto: icmp, class: voice }
		interfaces:
		  $1: { rules: wan }
	END
}

# --- background processes -----------------------------------------------------------------------------

bg() { # KEY COMMAND…: output in $T/KEY.out
	local key=$1
	shift
	rm -f "$T/$key.out" "$T/$key.err" # or a wait for its first words would find those of the last one
	"$@" >"$T/$key.out" 2>"$T/$key.err" &
	_bg[$key]=$!
}

bg_wait() { # KEY: its exit status; in a subshell 0 once it has ended
	local pid=${_bg[$1]-}
	[[ -n $pid ]] || return 127
	unset "_bg[$1]"
	if ((BASHPID != $$)); then # in $(…): only its parent can wait for it and knows its exit status
		timeout 60 tail --pid="$pid" -f /dev/null
		return
	fi
	wait "$pid"
}

bg_stop() { # KEY [SIGNAL]
	local pid=${_bg[$1]-}
	[[ -n $pid ]] || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	bg_wait "$1" 2>/dev/null
}

# A packet receiver that is ready when this returns; receiver_stop ends it and prints its JSON line.
receiver_start() { # KEY NS ARGUMENTS_OF_pkt_recv…
	local key=$1 ns=$2
	shift 2
	bg "$key" nsenter --net="/run/netns/$ns" -- "$PKT" recv "$@"
	wait_until 10 grep -q '^ready' "$T/$key.err" || die "receiver $key: $(cat "$T/$key.err")"
}
receiver_wait() { # KEY: until it has what it waits for, or its deadline; its exit status
	bg_wait "$1"
	local rc=$?
	cat "$T/$1.out"
	return $rc
}
receiver_stop() { bg_stop "$1" TERM; cat "$T/$1.out"; }	# KEY: now, what has arrived is still counted

# --- captures -----------------------------------------------------------------------------------------

# KEY NS DEV [FILTER]: into $T/KEY.pcap, ready when this returns. The first 4096 bytes of a packet are kept: room in
# the ring is worth more than the payload of 64 kB segments.
capture_start() {
	local key=$1 ns=$2 dev=$3
	shift 3
	bg "$key" nsenter --net="/run/netns/$ns" -- tcpdump -Z root -B 32768 -U --immediate-mode -s 4096 -ni "$dev" \
		-w "$T/$key.pcap" "$@"
	wait_until 10 grep -q 'listening on' "$T/$key.err" || die "tcpdump $key: $(cat "$T/$key.err")"
}

# KEY [N]: ends it once N packets are in the file, or after 5 seconds; without N, when the file stops growing.
capture_stop() {
	local size=-1
	if [[ -n ${2-} ]]; then
		_captured() { (($(capture_count "$1") >= $2)); }
		wait_until 5 _captured "$1" "$2"
	else
		while [[ $size != $(stat -c %s "$T/$1.pcap") ]]; do
			size=$(stat -c %s "$T/$1.pcap")
			nap 0.2
		done
	fi
	bg_stop "$1" INT
	grep -q '^0 packets dropped by kernel' "$T/$1.err" || echo "# capture $1: $(tail -n1 "$T/$1.err")"
}

capture_count() { tcpdump -nr "$T/$1.pcap" "${@:2}" 2>/dev/null | wc -l; }	# KEY [FILTER]

# --- the end ------------------------------------------------------------------------------------------

debug_shell() {
	if { true </dev/tty; } 2>/dev/null; then
		echo "# a shell where the test stopped; scratch files in $T, leave it with exit" >/dev/tty
		PS1="[$NAME] \\w# " bash --norc -i </dev/tty >/dev/tty 2>&1
	fi
}

_lib_exit() {
	local rc=$? k
	trap '' TERM INT HUP
	for k in "${!_bg[@]}"; do
		kill "${_bg[$k]}" 2>/dev/null
		nap
		kill -KILL "${_bg[$k]}" 2>/dev/null
		wait "${_bg[$k]}" 2>/dev/null
	done
	if [[ -n ${QT_KEEP-} ]] && ((_failed || rc)); then
		mkdir -p "$QT_KEEP/$NAME" && cp -r "$T/." "$QT_KEEP/$NAME/" && echo "# scratch files kept in $QT_KEEP/$NAME"
	fi
	((rc == 0 && _failed)) && rc=1
	exit $rc
}
trap _lib_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$T" || exit 1
