#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels that cannot take aggregates: where one is encapsulated, whether tcctl made the device or not; and warnings where
# aggregates may come.
#  client c0 ==== s0 server       client also has lan0, with GRO
# timeout: 60
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd ethtool
topo_pair
must ip -n client link add lan0 type bridge
must ip -n client link set lan0 up
tc_client() { "$TCCTL" "$@" --netns client; }
config() { # MORE_OF_THE_TUNNEL INTERFACES
	cat <<-Y
	tcctl: 1
	tunnels:
	  a: { type: gtpu, local: 10.0.1.1, remote: 10.0.1.2, teid: 1$1 }
	  b: { type: gtpu, local: 10.0.1.1, remote: 10.0.1.2, teid: 2$1 }
	interfaces:
	$2
	Y
}
offload() { must in_ns client ethtool -K "$@" >/dev/null; }
warned() { tc_client plan "$1" 2>&1 >/dev/null | grep aggregates; }

config "" "  c0: { decap: [a, b], encap: b }" >a.yaml
check_match "encap on the way out: line, device, what to do" "$(tc_client plan a.yaml 2>&1)" \
	'a.yaml:6:.*warning: c0: tunnel b: aggregates of TCP \(segmentation offload is on\).* are dropped|`device:`.*ethtool -K c0 tso off gso off'
offload c0 tso off gso off
check_eq "not without segmentation offload" "$(warned a.yaml)" ""
config "" "  lan0: { side: lan, encap: [ { dst: 10.2.0.0/16, tunnel: a }, { dst: 10.3.0.0/16, tunnel: b } ] }" >b.yaml
offload lan0 gro on
check_match "encap where packets come in, GRO" "$(warned b.yaml)" \
	'b.yaml:6:.*lan0: tunnel a \(and 1 more\): aggregates of TCP \(GRO is on\)'
check_match "what to do" "$(tc_client plan b.yaml 2>&1)" 'ethtool -K lan0 gro off'
offload lan0 gro off
check_eq "not without GRO" "$(warned b.yaml)" ""
config "" "  c0: { side: lan, encap: a }" >c.yaml
offload c0 gro off
check_match "a veth hands over what its other end sends" "$(warned c.yaml)" 'c0: tunnel a: aggregates of TCP \(segmentation offload at the other end'
sed 's/gtpu\(.*\)teid: \([12]\)/vxlan\1vni: \2/' a.yaml >d.yaml
offload c0 tso on gso on
check_eq "nothing about tunnels that take aggregates" "$(warned d.yaml)" ""
sed 's/vni: 2/vni: 2, csum: true/' d.yaml >e.yaml
check_match "UDP checksums" "$(warned e.yaml)" 'tunnel b: aggregates of TCP .* without the UDP checksum'

config "" "  c0: { decap: [a, b] }" | sed 's/teid: 1/&, device: gtp0/; s/teid: 2/&, device: tcctl0/' >n.yaml
check "a device that is named as the other ends of ours are" tc_client apply n.yaml
check_match "the next numbers are theirs" "$(in_ns client ip -br link)" 'tcctl1@gtp0(.|\n)*tcctl2@tcctl0'
check "remove" tc_client remove

# one device for many tunnels, routes, rules; a pattern that matches everything
before=$(in_ns client ip -o link)
config ", device: gtp0" "$(printf '  %s\n  %s' 'gtp0: { egress: { encap: [ { dst: 10.2.0.0/16, tunnel: a }, { dst: 10.3.0.0/16, tunnel: b } ] } }' \
	'"*": { decap: [a, b] }')" >f.yaml
must ip -n client link add tcctl0 type bridge # the name is somebody else's
before=$(in_ns client ip -o link)
check_rc "a device of ours is to be made" 2 tc_client plan f.yaml
check_match "where packets are encapsulated" "$OUT" 'tcctl1 ingress.*encap\(a, b; 2 routes\)'
check_no_match "without a warning" "$OUT" 'warning'
check "apply" tc_client apply f.yaml
check_match "at the other end" "$(in_ns client tc filter show dev tcctl1 ingress)" 'tcctl:default'
check_eq "not on the way out" "$(in_ns client tc filter show dev gtp0 egress)" ""
check_eq "whose offloads are off" "$(in_ns client ethtool -k gtp0 |
	grep -E '^(tx-checksumming|tcp-segmentation-offload|generic-segmentation-offload|\s*tx-udp-segmentation): on')" ""
check_rc "plan sees no difference" 0 tc_client plan f.yaml
check_no_match "and has no warning" "$OUT" 'warning'
config ", device: gtp0" "$(sed -n '/^interfaces/,$p' f.yaml | sed 1d | sed 's/{ dst: 10.2.*tunnel: a }, //')" >g.yaml
check "fewer routes" tc_client apply g.yaml
check_match "same place" "$(in_ns client tc filter show dev tcctl1 ingress)" 'tcctl:default'
sed 's/gtpu\(.*\)teid: \([12]\)/geneve\1inner: ip, vni: \2/; s/"\*"/c0/' g.yaml >h.yaml
check "a type that takes aggregates" tc_client apply h.yaml
check_match "is encapsulated on the way out" "$(in_ns client tc filter show dev gtp0 egress)" 'tcctl:default'
check_eq "nothing at the other end" "$(in_ns client tc filter show dev tcctl1 ingress)" ""
check_match "segmentation is on again" "$(in_ns client ethtool -k gtp0)" 'generic-segmentation-offload: on'
check "and back" tc_client apply f.yaml
check_eq "off again" "$(in_ns client ethtool -k gtp0 | grep -E '^(tcp|generic)-segmentation-offload: on')" ""
check "remove" tc_client remove
check_eq "nothing is left" "$(in_ns client ip -o link)" "$before"

# made as a dummy, before its tunnel had checksums
has_link dummy || { skip "devices that are dummies" "dummy devices"; exit 0; }
sed 's/gtpu\(.*\)teid: \([12]\)/geneve\1inner: ip, vni: \2/' f.yaml >i.yaml
check "a device without another end" tc_client apply i.yaml
check_match "cannot cut" "$(warned f.yaml)" 'gtp0: tunnel b.*aggregates of TCP|gtp0: tunnel a.*aggregates of TCP'
check "remove" tc_client remove
check_eq "nothing is left" "$(in_ns client ip -o link)" "$before"
