#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The example programs do what they say: a stage and a handler of a UDP port in a live pipeline of tcctl, built by
# the documented command; then a slot of the running pipeline is replaced by stock tc.
#
#   client c0 ---- s0 server [ingress]
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_cmd jq clang
need_file "$TCCTL" "$PKT"
topo_pair

for p in count-by-port dns; do
	check "$p builds with one command" clang -O2 -g -target bpf -mcpu=v2 -Wall -Werror \
		"-I/usr/include/$(uname -m)-linux-gnu" -I"$TOP/bpf-progs/include" \
		-c "$TOP/examples/handlers/$p.bpf.c" -o "$T/$p.bpf.o"
done
cat >"$T/a.yaml" <<'Y'
tcctl: 1
programs:
  ports: { object: count-by-port.bpf.o, program: count_by_port }
  dns: { object: dns.bpf.o, program: dns }
interfaces:
  s0:
    ingress:
      run:
        - { program: ports, after: classify }
        - { program: dns, at: udp/53 }
Y
check "apply" "$TCCTL" --netns server apply "$T/a.yaml"

# A user's maps are private to the program: found from the slot it sits in.
map_of() { # TABLE SLOT MAP: id
	local prog id
	prog=$(bpftool -j map lookup pinned "$tables/$1" key hex $(printf '%02x 00 00 00' "$2") |
		jq -r '.value | map(ltrimstr("0x")) | reverse | join("")')
	for id in $(bpftool -j prog show id $((16#$prog)) | jq '.map_ids[]'); do
		[[ $(bpftool -j map show id "$id" | jq -r .name) = "$3" ]] && echo "$id"
	done
}
for tables in /sys/fs/bpf/tcctl/*/*/p*/tc/globals; do # ingress and egress are pipelines of their own here
	ports=$(map_of jt_stage 5 port_packets)
	[[ $ports ]] && break
done
dns=$(map_of jt_udp 6 dns_counters)
port_packets() { bpftool -j map dump id "$ports" | jq "[.[] | select(.formatted.key == $1 * 65536 + $2) | .formatted.value] | add // 0"; }
dns_counter() { bpftool -j map dump id "$dns" | jq "[.[] | select(.formatted.key == $1) | .formatted.values[].value] | add"; }

receiver_start r server -P 5000 -n 20 -t 10
in_ns client "$PKT" send -d 10.0.1.2 -P 5000 -n 20 >/dev/null
check "packets pass the user's stage" receiver_wait r
check_eq "and are counted by it" "$(port_packets 17 5000)" 20

# Queries: the flags' first bit is 0; "." ANY has an empty name and type 255.
server_mac=$(in_ns server ip -j link show s0 | jq -r '.[0].address')
query() { in_ns client "$PKT" raw -i c0 "eth(dst=$server_mac)/ip(src=10.0.1.1,dst=10.0.1.2)/udp(sport=1000,dport=53)/$1" >/dev/null; }
header=123401000001000000000000
capture_start cap server s0 udp dst port 53
query "hex(${header}0000010001)"
query "hex(${header}0000ff0001)"
query "hex(1234818000010000000000000000010001)"
capture_stop cap 3
check_eq "DNS handler: queries, answers, dropped" "$(dns_counter 0) $(dns_counter 1) $(dns_counter 2)" "2 1 1"
check_eq "what it passed on reached the stages" "$(port_packets 17 53)" 2

# Stock tc, into the tables of the running pipeline.
dir=${tables%/tc/globals}
check "tc exec bpf graft into the live pipeline" env TC_BPF_MNT="$dir" tc exec bpf graft m:globals/jt_stage key 0 \
	obj "$BPF/end.bpf.o" sec tc type cls
in_ns client "$PKT" send -d 10.0.1.2 -P 5000 -n 20 >/dev/null
check_eq "packets take the new way: the user's stage is not run any more" "$(port_packets 17 5000)" 20
in_ns client ping -qc2 -i0.01 -W2 10.0.1.2 >/dev/null
check_eq "and still pass" $? 0
check "remove" "$TCCTL" --netns server remove
