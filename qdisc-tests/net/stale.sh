#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Pins of network namespaces that are gone are cleared; those of one that lives are not, whatever holds it.
#
#   a, b, c, d: namespaces with one device each; tcctl works in them
# timeout: 60
# also-vm: full
. "${0%/*}/../lib/lib.sh"
need_cmd jq
need_file "$TCCTL"
t() { "$TCCTL" "$@"; }
dirs() { find /sys/fs/bpf/tcctl -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
pins_finding() { t doctor -j | jq -r '.findings[] | select(.name == "pins") | "\(.state): \(.found)"'; }
configure() { # NAME
	must ip -n "$1" link add x0 type veth peer name x1
	must t apply -q -n "$1" a.yaml
}
here() { # NAME: a namespace with a configuration
	ns_add "$1"
	configure "$1"
}
cat >a.yaml <<-END
	tcctl: 1
	classes: { voice: { dscp: EF } }
	rules: { all: [ { proto: udp, class: voice } ] }
	interfaces: { x0: { rules: all } }
END

here a
must test "$(dirs)" = 1
check_eq "all is well" "$(pins_finding)" "ok: of 1 namespace"
check_eq "the witness is no configuration" "$(t status -j -n a | jq -c '[.hooks[].owner] | unique')" '["default"]'

# Deleted, and nothing holds it: gone with the next first apply elsewhere.
dir_a=$(echo /sys/fs/bpf/tcctl/*)
pins_a=$(stat -c %i "$dir_a/default/state")
ns_del a
gone() { [[ $(pins_finding) = "info: of $1 namespace"*", 1 gone" ]]; }
check "doctor knows that it is gone" wait_until 10 gone 1
here b
# Before Linux 5.14 the new one may have the number, and so the directory, of the old one; never its pins.
check "cleared by an apply in a new namespace" [ "$(stat -c %i "$dir_a/default/state" 2>/dev/null)" != "$pins_a" ]
check_eq "the new one has its pins" "$(dirs)" 1

# Without a name, but alive by an open file. In it everything goes on.
dir_b=$(echo /sys/fs/bpf/tcctl/*)
exec {held}</run/netns/b
ns_del b
here c
check "one that an open file holds is left alone" [ -e "$dir_b/default/state" ]
check_eq "doctor knows that it lives" "$(pins_finding)" "ok: of 2 namespaces"
check_eq "its hooks are attached" "$(t status -j -n /proc/self/fd/$held | jq -c '[.hooks[].state] | unique')" '["attached"]'
check "nothing to do in it" t plan -q -n /proc/self/fd/$held a.yaml
check "remove elsewhere" t remove -q -n c
check "leaves it alone, too" [ -e "$dir_b/default/state" ]
exec {held}<&-
check "then it is gone" wait_until 10 gone 1
check "cleared by a remove" t remove -q -n c
check "with all below" [ ! -e "$dir_b" ]
check_eq "nothing is left" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""

# Held by a socket alone, of a process that is elsewhere.
here d
dir_d=$(echo /sys/fs/bpf/tcctl/*)
exec {fd}</run/netns/d
coproc SOCKET { exec python3 -c '
import ctypes, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
home = os.open("/proc/self/ns/net", os.O_RDONLY)
assert libc.setns(int(sys.argv[1]), 0x40000000) == 0
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
assert libc.setns(home, 0x40000000) == 0
os.close(int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()' "$fd"; }
if read -r -t 10 -u "${SOCKET[0]}" word && [[ $word = ready ]]; then
	exec {fd}<&-
	ns_del d
	here c2
	check "one that a socket holds is left alone" [ -e "$dir_d/default/state" ]
	eval "exec ${SOCKET[1]}>&-"
	wait "$SOCKET_PID" 2>/dev/null
	check "then it is gone" wait_until 10 gone 2
	must t remove -q -n c2
	check_eq "and cleared" "$(find /sys/fs/bpf/tcctl 2>/dev/null)" ""
else
	skip "held by a socket" "python3"
	must t remove -q -n d
fi

# Without a witness nothing is proven: never cleared, only named.
here e
rm /sys/fs/bpf/tcctl/*/@lo
ns_add f
ns_del e
configure f
check_eq "without proof the pins stay" "$(dirs)" 2
check_match "doctor names them" "$(pins_finding)" '^limited: of 2 namespaces, 1 seems to be gone: [ci][0-9]+$'
check "an apply puts the witness back" [ -e "$(echo /sys/fs/bpf/tcctl/*/@lo)" ]
