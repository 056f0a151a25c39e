#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The harness that users point at their own programs: right programs pass, wrong ones and wrong input are told.
# also-vm: full
. "${0%/*}/../lib/lib.sh"
one=$B/tests/net/qt_one.bpf.o many=$B/tests/net/qt_many.bpf.o bad=$B/tests/net/qt_bad.bpf.o
need_file "$QT" "$one" "$many" "$bad"
before=$(ip -o link; ip netns; ls -A /sys/fs/bpf)

expect() { # NAME STATUS REGEX_OF_OUTPUT ARGUMENTS…
	local out rc name=$1 want=$2 re=$3
	shift 3
	out=$("$QT" "$@" 2>&1)
	rc=$?
	if [[ $rc = "$want" && $out =~ $re ]]; then
		ok "$name"
	else
		not_ok "$name" "status $rc, expected $want with output matching '$re'"
		sed 's/^/#   /' <<<"$out"
	fi
}

dns='ip/udp(dport=53)/"hello"'
all='verdict=ok mark=0x1021 mark=0x1000/0xff00 priority=1:10 cb0=0xabc cb4=2749 cb1=0 dscp=EF dscp=46 ecn=0 ttl=64 proto=17 dport=53
	src=10.0.0.1 csum=ok len=47 bytes@15=b8 vlan=none map:packets[00000000]=1 map:packets[00000000]=0x0100000000000000 mark!=1'
expect "prog: every kind of expectation" 0 "as expected" run "$one" --in mark=0x21 "$dns" --expect "$all"
expect "prog: shows what came out" 0 "verdict +ok \\(0\\).*mark +0x1000.*45\\*b8" run "$one" "$dns"
expect "prog: skb fields that test runs do not report" 0 "as expected" run "$one" "$dns" \
	--expect 'tc_index=7 queue_mapping=3 classid=0x42'
expect "prog: whole packet" 0 "as expected" run "$one" "$dns" --expect "packet='ip(dscp=EF)/udp(dport=53)/\"hello\"'"
expect "prog: JSON" 0 '^\{"verdict":"ok","verdict_number":0,"len":47,"mark":4096.*"expected":true\}$' run -j "$one" "$dns"
expect "prog: dropped" 0 "as expected" run "$one" 'ip/udp(dport=9)' --expect 'verdict=drop packet=same'

for wrong in verdict=shot mark=1 dscp=AF11 packet=same tc_index=8 bytes@15=00 'map:packets[00000000]=2' ttl!=64 src=10.9.9.9 len=1 vlan=5; do
	expect "prog: $wrong is told" 1 "not as expected: ${wrong%%[=!@[]*}" run "$one" "$dns" --expect "$wrong"
done
expect "all differences are told" 1 "verdict is ok.*mark is 4096 .*dscp is 46" run "$one" "$dns" --expect "verdict=shot mark=1 dscp=1"

expect "net ingress: ok, after the kernel" 0 "as expected" run "$one" -m net "$dns" \
	--expect 'verdict=ok mark=0x1000 priority=1:10 tc_index=0x42 dscp=EF csum=ok delivered=yes map:packets[00000000]=1'
expect "net ingress: drop" 0 "as expected" run "$one" -m net 'ip/udp(dport=9)' --expect 'verdict=shot delivered=no'
expect "net ingress: continue" 0 "as expected" run "$one" -m net 'ip/icmp' --expect 'verdict=continue delivered=yes packet=same'
expect "net ingress: to another host" 0 "as expected" run "$one" -m net "eth(dst=02:00:00:00:00:77)/$dns" --expect 'verdict=ok delivered=yes'
expect "net egress: ok" 0 "as expected" run "$one" -m net --hook egress --in mark=0x33 "$dns" \
	--expect 'verdict=ok mark=0x1033 priority=1:10 cb4=2749 dscp=EF delivered=yes'
expect "net egress: drop" 0 "as expected" run "$one" -m net --hook egress 'ip/udp(dport=9)' --expect 'verdict=shot delivered=no'
expect "net egress: continue" 0 "as expected" run "$one" -m net --hook egress 'ip6/icmp6' --expect 'verdict=unspec delivered=yes packet=same'
expect "net egress: wrong expectation" 1 "not as expected: the packet was delivered" run "$one" -m net --hook egress "$dns" --expect delivered=no
expect "net: setup command with \$DEV" 0 "as expected" run "$one" -m net --dev wan0 --setup 'test "$DEV" = wan0 && ip addr add 10.0.0.2/24 dev $DEV' "$dns" --expect verdict=ok
expect "net: setup command that fails" 2 "'false' failed" run "$one" -m net --setup false "$dns"

expect "several programs: which one?" 2 "say which with --program.*entry.*target.*old_style.*section \"classifier/old\"" run "$many" "$dns"
expect "several programs: empty slot" 0 "as expected" run "$many" -p entry "$dns" --expect 'verdict=shot cb0=1'
expect "several programs: filled slot" 0 "as expected" run "$many" -p entry --slot 'jump[2]=target' "$dns" --expect 'verdict=pipe cb0=1'
expect "net: filled slot of a pinned jump table" 0 "as expected" run "$many" -m net -p entry --slot 'jump[2]=target' "$dns" --expect 'verdict=unspec cb0=1'
expect "map values" 0 "as expected" run "$many" -p target --map 'marks[07000000]=2a000000' --in mark=7 "$dns" --expect 'mark=42 map:marks[07000000]=1'
expect "section name" 0 "as expected" run "$many" -p classifier/old "$dns" --expect 'verdict=unspec len=60'
expect "action program" 0 "as expected" run "$many" -p act "$dns" --expect 'verdict=pipe mark=5'

if has_act_bpf; then
	# the last action's "pipe" ends the classification: no filter behind it sees the packet
	expect "net: action program" 0 "as expected" run "$many" -m net -p act "$dns" --expect 'verdict=ok mark=5'
else
	skip "net: action program" "act_bpf in this kernel"
fi

expect "verifier's words" 2 "verifier refused a program.*invalid access to packet, off=20" run "$bad" "$dns"
expect "verifier's words from stock tc" 2 "stock tc could not attach.*invalid access to packet" run "$bad" -m net "$dns"
expect "no such object" 2 "nosuch.o: No such file" run nosuch.o "$dns"
expect "not an object" 2 "not a BPF object" run "$0" "$dns"
expect "no such program" 2 "no program 'tga'; it has" run "$one" -p tga "$dns"
expect "bad packet" 2 "unknown header 'idp'.*\\^" run "$one" 'ip/idp'
expect "bad expectation key" 2 "nothing called 'marc'" run "$one" "$dns" --expect marc=1
expect "bad expectation value" 2 "'x' is not a number" run "$one" "$dns" --expect mark=x
expect "bad verdict" 2 "verdict: 'yes' is none" run "$one" "$dns" --expect verdict=yes
expect "short frame" 2 "14 or more" run "$one" --hex 0011
expect "missing packet" 2 "no packet" run "$one"
expect "no such map" 2 "no map 'pakets'; it has packets" run "$one" "$dns" --map 'pakets[00]=00'
expect "map sizes" 2 "key has 1 bytes and value 1, the map wants 4 and 8" run "$one" "$dns" --map 'packets[00]=00'
expect "cb cannot be set in mode net" 2 "mode prog can" run "$one" -m net --in cb0=1 "$dns"
expect "help" 0 "usage: qt run.*vxlan.*expect verdict=ok" --help

# A capture, every packet of it.
for f in 'eth/ip/udp(dport=53)/"a"' 'eth/ip/udp(dport=53)/"b"' 'eth/ip/udp(dport=9)/"c"'; do
	"$QT" packet "$f" | cut -c5-53 | tr -d ' \n' | sed 's/../\\x&/g' >>"$T/hex"
	echo >>"$T/hex"
done
{
	printf '\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00'
	while read -r hex; do
		n=$((${#hex} / 4))
		printf '\x00\x00\x00\x00\x00\x00\x00\x00'
		printf "\\x$(printf %02x $n)\\x00\\x00\\x00\\x$(printf %02x $n)\\x00\\x00\\x00$hex"
	done <"$T/hex"
} >"$T/three.pcap"
check_eq "the capture is one" "$(tcpdump -nr "$T/three.pcap" 2>/dev/null | wc -l)" 3
expect "capture: the packet that differs is named" 1 "packet 3 of 3: verdict is shot" run "$one" --pcap "$T/three.pcap" --expect verdict=ok
expect "capture: all" 0 "as expected" run "$one" --pcap "$T/three.pcap" --expect 'proto=17'
expect "capture: not one" 2 "unknown file format" run "$one" --pcap "$0"

# Test files.
cp "$one" "$many" "$T"
cat >"$T/good.qt" <<'Q'
# comment
object qt_one.bpf.o

case DNS gets EF
  packet ip/udp(dport=53)/"hello"
  in     mark=0x21
  expect verdict=ok mark=0x1021
  expect dscp=EF csum=ok

case programs keep their maps within a case
  packet ip/udp(dport=53)
  packet ip/udp(dport=9)
  expect verdict=shot map:packets[00000000]=2

case but not from case to case
  packet ip/udp(dport=9)
  expect map:packets[00000000]=1

case another object, on a device
  object qt_many.bpf.o
  mode net
  hook egress
  program old_style
  packet ip/udp
  expect verdict=unspec len=60 delivered=yes

case a capture
  pcap three.pcap
  expect proto=17
Q
expect "suite: passes" 0 $'ok - DNS gets EF\n.*ok - a capture\n5 passed, 0 failed$' suite "$T/good.qt"
sed 's/mark=0x1021/mark=0x1022/' "$T/good.qt" >"$T/fails.qt"
expect "suite: a failure is told with its line" 1 $'not ok - DNS gets EF: .*fails.qt:5: mark is 4129 .*4 passed, 1 failed$' suite "$T/fails.qt"
expect "suite: both files" 1 $'9 passed, 1 failed$' suite "$T/good.qt" "$T/fails.qt"
while IFS='|' read -r name text want; do
	printf '%b' "$text" >"$T/wrong.qt"
	expect "suite: $name" 2 "wrong.qt:$want" suite "$T/wrong.qt"
done <<'W'
unknown statement|object a.o\ncaze x\n|2: 'caze' is not a statement
packet before a case|object a.o\npacket ip\n|2: 'packet' before the first 'case'
bad packet|object a.o\ncase x\n packet ip(ttl=300)\n expect verdict=ok\n|3: ttl: '300' is not a number from 0 to 255
case without expectation|object a.o\ncase x\n packet ip\n|2: case 'x': nothing is expected
case without object|case x\n packet ip\n expect verdict=ok\n|1: case 'x': no object
empty|# nothing\n|1: no case in this file
W

after=$(ip -o link; ip netns; ls -A /sys/fs/bpf)
check_eq "nothing is left behind" "$after" "$before"
