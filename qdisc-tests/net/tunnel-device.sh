#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A tunnel's own device: made, routed through, changed and removed by tcctl; one that is there already is used and stays.
# What does not fit or is not there is told by the tunnel's name, before anything changes.
#
#  client c0 ==== s0 server       client: vx-b by tcctl, server: vxk by the kernel; 10.9.0.0/24 inside
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
topo_vxlan

config() { # MORE_OF_THE_TUNNEL [INTERFACES]
	cat <<-Y
	tcctl: 1
	tunnels:
	  site-b: { type: vxlan, local: 10.0.1.1, remote: 10.0.1.2, vni: 42$1 }
	interfaces:
	  c0: { decap: site-b }
	${2-}
	Y
}
tc_client() { "$TCCTL" "$@" --netns client; }
links() { in_ns client ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\1/' | sort | xargs; }
detail() { in_ns client ip -d link show "$1"; }
listing() { in_ns client ip -o link; in_ns client tc qdisc show; in_ns client tc filter show dev c0 ingress; find /sys/fs/bpf/tcctl 2>/dev/null; }

before=$(listing)
config ", device: vx-b" >a.yaml
check_rc "plan sees differences" 2 tc_client plan a.yaml
check_match "it makes the device" "$OUT" 'create device vx-b, mtu 1450'
check_match "which encapsulates without an interface that says so" "$OUT" 'vx-b egress .*encap\(site-b\)'
check_eq "plan makes nothing" "$(listing)" "$before"
check "apply" tc_client apply a.yaml
check_rc "then plan sees none" 0 tc_client plan a.yaml
check_match "the device is up, with the MTU that the way to the remote leaves" "$(detail vx-b)" 'UP.* mtu 1450 '
check_match "a second apply changes nothing" "$(tc_client apply -j a.yaml)" '"changed": ?false'

addr client vx-b 10.9.0.1/24
check "packets go through it both ways" in_ns client ping -qc3 -i0.05 -W2 10.9.0.2
check "the largest that fits does, too" in_ns client ping -qc1 -W2 -Mdo -s 1422 10.9.0.2
status=$(tc_client status)
check_match "status has the tunnel" "$status" 'default site-b +vxlan +10\.0\.1\.1 → 10\.0\.1\.2 +[1-9][0-9]* .* [1-9][0-9]* .*device vx-b'
status=$(tc_client status -j | tr '\n' ' ')
check_match "so has its JSON" "$status" '"tunnels": ?\[[^]]*"name": ?"site-b"[^]]*"type": ?"vxlan"[^]]*"device": ?"vx-b"'

# a tunnel that is smaller
ids() { in_ns client tc filter show dev vx-b egress | grep -oE ' id [0-9]+'; }
id=$(ids)
config ", device: vx-b, mtu: 1400" >b.yaml
tc_client plan b.yaml >plan.out
check_match "a smaller tunnel changes the device" "$(<plan.out)" 'change device vx-b: mtu 1400,.*was: mtu 1450'
check_match "and tables, no programs" "$(<plan.out)" 'new tunnels: site-b changed'
check_no_match "nothing is loaded" "$(<plan.out)" 'new programs|load pipeline'
check "apply" tc_client apply b.yaml
check_match "the device has the MTU" "$(detail vx-b)" ' mtu 1400 '
check_eq "the same programs run" "$(ids)" "$id"
check "packets go on" in_ns client ping -qc2 -i0.05 -W2 10.9.0.2

# checksums: no aggregates
config ", device: vx-b, csum: true" >c.yaml
tc_client plan c.yaml >plan.out
check_match "with checksums there is no segmentation offload" "$(<plan.out)" 'segmentation offload off'
check "apply" tc_client apply c.yaml
check_match "the device knows" "$(detail vx-b)" 'gso_max_segs 1 '
check "and back" tc_client apply a.yaml
check_match "the device knows" "$(detail vx-b)" 'gso_max_segs 65535 '

# without the device it goes
config "" >d.yaml
check "a tunnel without device" tc_client apply d.yaml
check_eq "the device is gone" "$(links)" "c0 lo"
check "with it again" tc_client apply a.yaml
check_match "it is there" "$(links)" 'vx-b'
check "remove" tc_client remove
check_eq "remove leaves nothing" "$(listing)" "$before"

# somebody else's
must ip -n client link add vx-b type veth peer name other
must ip -n client link set vx-b mtu 1300 up
must ip -n client link set other up
theirs=$(in_ns client ip -o link)
check_rc "a device that is there is used" 2 tc_client plan a.yaml
check_no_match "and not made" "$OUT" 'create device'
check "apply" tc_client apply a.yaml
check_match "it is attached to" "$(in_ns client tc filter show dev vx-b egress)" 'tcctl:default'
check_match "its MTU is its owner's" "$(detail vx-b)" ' mtu 1300 '
check_match "checksums: a warning" "$(tc_client apply c.yaml 2>&1)" 'warning: vx-b: .*aggregates of TCP'
check "remove" tc_client remove
check_eq "it stays" "$(in_ns client ip -o link)" "$theirs"
must ip -n client link del vx-b

# ours, replaced by somebody behind our back
check "apply" tc_client apply a.yaml
must ip -n client link del vx-b
must ip -n client link add vx-b type veth peer name other
check "apply again uses the one that is there now" tc_client apply a.yaml
check "remove" tc_client remove
check_match "and leaves it" "$(links)" 'vx-b'
must ip -n client link del vx-b
check_eq "nothing else is left" "$(listing)" "$before"

# the same, and the new one looks just like ours: name, kind and number
check "apply" tc_client apply a.yaml
kind=$(detail vx-b | grep -oE '^ +(dummy|veth)' | xargs)
index=$(in_ns client ip -o link show vx-b | cut -d: -f1)
must ip -n client link del vx-b
must ip -n client link add vx-b index "$index" type "$kind"
must ip -n client link set vx-b mtu 1300 up
check_no_match "plan does not take it for ours" "$(tc_client plan a.yaml)" 'change device'
check "apply uses it" tc_client apply a.yaml
check_match "as it is" "$(detail vx-b)" ' mtu 1300 '
check "remove" tc_client remove
check_match "and leaves it, too" "$(links)" 'vx-b'
must ip -n client link del vx-b
check_eq "nothing else is left" "$(listing)" "$before"

# the answer to making it is lost: it is there all the same
if type -P strace >/dev/null && strace -qq -o trace true; then
	strace -f -qq -o trace -e trace=sendto,recvmmsg "$TCCTL" apply -q --netns client a.yaml
	mapfile -t lost < <(awk '/recvmmsg/ { n++ } /sendto.*nlmsg_type=(RTM_NEWLINK|0x10 )/ { print n + 1 }' trace)
	check_match "creating it takes ${#lost[@]} requests" "${#lost[@]}" '[1-9]'
	for at in "${lost[@]}"; do
		tc_client remove -q
		strace -f -qq -o trace -e trace=recvmmsg -e inject="recvmmsg:error=ENOBUFS:when=$at" \
			"$TCCTL" apply -q --netns client a.yaml >out 2>&1
		check_eq "with answer $at lost, apply does it all the same" "$? $(<out)" "0 "
		check_match "the device is up" "$(detail vx-b)" 'UP.* mtu 1450 '
	done
	check_rc "plan sees none" 0 tc_client plan a.yaml

	# killed half way: the next apply makes it whole
	tc_client remove -q
	strace -f -qq -o trace -e trace=sendto "$TCCTL" apply -q --netns client a.yaml
	flags=$(detail vx-b | grep -oE '<.*>')
	mapfile -t kills < <(awk '/sendto/ { n++ } /sendto.*nlmsg_type=(RTM_NEWLINK|0x10 )/ { print n }' trace)
	for at in "${kills[@]}"; do
		tc_client remove -q
		strace -f -qq -o /dev/null -e trace=sendto -e inject="sendto:signal=KILL:when=$at" \
			"$TCCTL" apply -q --netns client a.yaml >/dev/null 2>&1
		tc_client apply -q a.yaml
		check_eq "killed at request $at, then applied again: it is up" "$(detail vx-b | grep -oE '<.*>')" "$flags"
	done
	check "remove" tc_client remove
	check_eq "nothing is left" "$(listing)" "$before"
else
	skip "a lost answer" "strace that can trace"
fi

# what does not work says so
config ", device: vx-b, underlay: wan7" >e.yaml
check_rc "an underlay that is not there" 1 tc_client apply e.yaml
check_match "by name and line" "$OUT" "e.yaml:3:.*tunnel site-b: no device 'wan7'"
ip -n client link set c0 mtu 1280
check_rc "an MTU that is too small" 1 tc_client apply a.yaml
check_match "names tunnel, device and what is left" "$OUT" 'a.yaml:3:.*tunnel site-b: .*c0, 1280, leaves 1230 .*vxlan over IPv4'
check_rc "plan says it, too" 1 tc_client plan a.yaml
config ", device: vx-b, mtu: 1230" >f.yaml
check "unless that is what is wanted" tc_client apply f.yaml
check_match "the device has it" "$(detail vx-b)" ' mtu 1230 '
config ", device: vx-b, mtu: 1231" >g.yaml
check_rc "one byte more does not fit" 1 tc_client apply g.yaml
check_match "and says so" "$OUT" 'mtu 1231 does not fit: the MTU of c0 is 1280'
check_match "nothing has changed" "$(detail vx-b)" ' mtu 1230 '
ip -n client link set c0 mtu 1500
check "remove" tc_client remove
ip -n client route del 10.0.1.0/24
check_rc "without a route an MTU is assumed" 0 tc_client apply a.yaml
check_match "with a warning" "$OUT" 'no route to 10\.0\.1\.2 now'
check "remove" tc_client remove
sed 's/site-b: {/other: { type: gre, local: 10.0.1.1, remote: 10.0.1.3, inner: eth, device: vx-b }\n  site-b: {/' a.yaml >h.yaml
check_rc "two tunnels and one device: which takes what leaves?" 1 tc_client apply h.yaml
check_match "it says how to tell" "$OUT" 'have the same device.*|interfaces: vx-b:'
must ip -n client route add 10.0.1.0/24 dev c0
config ", device: c0" >i.yaml
check_rc "a device that is the way to the remote" 1 tc_client apply i.yaml
check_match "says what to write" "$OUT" "i.yaml:3:.*tunnel site-b: .*c0 .*the way to its remote.*\`underlay: c0\`"
sed 's/c0: {/c0: { encap: site-b,/' i.yaml >j.yaml
check_rc "unless all of it is meant to go there" 2 tc_client plan j.yaml
config ", device: lo" >k.yaml
check_rc "loopback" 1 tc_client apply k.yaml
check_match "is no device for it" "$OUT" "k.yaml:3:.*tunnel site-b: .*'lo' is the loopback device"
sed 's/local: 10.0.1.1, remote: 10.0.1.2/local: 10.0.1.2, remote: 10.0.1.1/' a.yaml >l.yaml
check_match "a remote that is here" "$(tc_client plan l.yaml 2>&1)" \
	'l.yaml:3:.*warning: tunnel site-b: remote 10.0.1.1 is an address of this host'
check_no_match "a local address that is here" "$(tc_client plan a.yaml 2>&1)" 'no address of this host'
sed 's/local: 10.0.1.1,/local: 10.0.1.9,/' a.yaml >o.yaml
check_match "one that is not" "$(tc_client plan o.yaml 2>&1)" 'o.yaml:3:.*warning: tunnel site-b: local 10.0.1.9 is no address of this host'
sed 's/local: 10.0.1.1,/local: 172.31.0.9,/' a.yaml >p.yaml
check_match "nor is there a way to it" "$(tc_client plan p.yaml 2>&1)" 'p.yaml:3:.*warning: tunnel site-b: local 172.31.0.9 is no address of this host'
must ip -n client link add ext type vxlan external dstport 4790
sed 's/vxlan/gre/; s/vni: 42/mode: metadata, device: ext, key: 42/' a.yaml | sed 's/, device: vx-b//' >m.yaml
check_rc "an external device of another kind" 1 tc_client apply m.yaml
check_match "says which" "$OUT" "m.yaml:3:.*tunnel site-b: 'ext' is of kind vxlan, expected .*gre"
must ip -n client link del ext
must ip -n client link add ext type vxlan id 7 remote 10.0.1.2 dstport 4790
sed 's/vni: 42/mode: metadata, device: ext, vni: 42/; s/, device: vx-b//' a.yaml >n.yaml
check_rc "a device that has its own remote" 1 tc_client apply n.yaml
check_match "says so" "$OUT" "n.yaml:3:.*tunnel site-b: 'ext' is an ordinary vxlan, expected an external vxlan"
check_match "and how to make one" "$OUT" 'hint: .*ip link add ext type vxlan external'
must ip -n client link del ext
check_eq "nothing is left" "$(in_ns client ip -o link | grep -c vx-b)" 0
