#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Somebody deletes what is stored about a configuration, and nothing else: the next apply takes over without a gap.
#
#  client c0 ---- s0 server      filters on c0, flood from the client
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd jq bc
topo_pair
cat >a.yaml <<-END
	tcctl: 1
	classes: { voice: { dscp: EF } }
	rules: { one: [ { proto: udp, port: 5060, class: voice } ] }
	interfaces: { c0: { rules: one } }
END
t() { "$TCCTL" "$@" --netns client; }

must t apply -q a.yaml
bg sniff nsenter --net=/run/netns/server -- "$PKT" sniff -i s0 -p udp -t 60
wait_until 5 grep -q ready sniff.err
bg flood nsenter --net=/run/netns/client -- "$PKT" send -d 10.0.1.2 -P 5060 -r 10000 -n 100000000 -t 60
for ((i = 1; i <= 3; i++)); do
	must rm /sys/fs/bpf/tcctl/*/default/state
	check_rc "plan $i sees it" 2 t plan -q a.yaml
	check "apply $i" t apply -q a.yaml
	check "nothing is left to do" t plan -q a.yaml
	check_eq "one pipeline, with its state" "$(ls /sys/fs/bpf/tcctl/*/default | sed 's/^p[0-9]*$/pN/' | xargs)" "pN state"
done
bg_stop flood TERM
nap 0.3
bg_stop sniff TERM
check_eq "every packet got its class" "$(grep -oE '"proto":17,"dscp":[0-9]+' sniff.out | sed 's/.*://' | sort -n | xargs)" 46
check_eq "nothing was lost" "$(grep -oE '"proto":17,"dscp":[0-9]+,"packets":[0-9]+' sniff.out | sed 's/.*://' | paste -sd+ | bc)" \
	"$(grep -oE '"sent":[0-9]+' flood.out | sed 's/.*://')"

# The same for a remove: all goes.
must rm /sys/fs/bpf/tcctl/*/default/state
check "remove" t remove -q
check_eq "nothing is left of ours" "$(find /sys/fs/bpf/tcctl 2>/dev/null; in_ns client tc filter show dev c0 egress)" ""
