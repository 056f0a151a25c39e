#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Tunnels through apply, plan, status, export and remove; a changed parameter under flood loses nothing and loads nothing.
#
#  client c0 ==== s0 server       GRE by tcctl at both ends, for 10.9.0.0/16
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd jq
topo_pair
# What goes to 10.9.0.0/16 leaves through c0 and is put into the tunnel there.
must in_ns client ip route add 10.9.0.0/16 via 10.0.1.2
addr server lo 10.9.0.2/32

config() { # FILE LOCAL REMOTE DEVICE MORE_OF_THE_TUNNEL
	cat >"$1" <<-Y
	tcctl: 1
	tunnels:
	  site-b: { type: gre, local: $2, remote: $3, key: 7${5-} }
	interfaces:
	  $4: { decap: site-b, encap: [ { dst: 10.9.0.0/16, tunnel: site-b } ] }
	Y
}
t() { "$TCCTL" "$@" --netns client; }
filters() { in_ns client tc filter show dev c0 ingress; in_ns client tc filter show dev c0 egress; }
programs() { find /sys/fs/bpf/tcctl -name entry | while read -r f; do bpftool -j prog show pinned "$f" | grep -oE '"id":[0-9]+'; done | sort; }
listing() { filters; in_ns client tc qdisc show; in_ns client ip -o link; find /sys/fs/bpf/tcctl 2>/dev/null; }

before=$(listing)
config a.yaml 10.0.1.1 10.0.1.2 c0
config s.yaml 10.0.1.2 10.0.1.1 s0
check_rc "plan sees differences" 2 t plan a.yaml
check_match "and says what the hooks run" "$OUT" 'c0 ingress .*decap\(site-b\) → end'
check_match "with the number of routes" "$OUT" 'c0 egress .*encap\(site-b; 1 route\) → end'
check "apply at one end" t apply a.yaml
in_ns client "$PKT" send -d 10.9.0.2 -P 5060 -n 5 >/dev/null
check_match "packets go into the tunnel" "$(t status)" 'default site-b +gre +10\.0\.1\.1 → 10\.0\.1\.2 +0 .* 5 '
receiver_start rx server -P 5061 -n 3 -t 30
in_ns client "$PKT" send -d 10.9.0.2 -P 5061 -n 3 >/dev/null
nap 0.3
check_match "with nobody at the other end none arrives" "$(receiver_stop rx)" '"received":0,'
check "apply at the other end" "$TCCTL" apply --netns server s.yaml
check_rc "then plan sees none" 0 t plan a.yaml
check_match "a second apply changes nothing" "$(t apply -j a.yaml)" '"changed": ?false'

# export
check "export" t export >export.yaml
t export >export.yaml
check_rc "what it says is what is there" 0 t plan export.yaml

# parameters under flood
flood() { # N FIRST SECOND: what went out and what came in
	local i
	receiver_start sniff server -P 5060 -n 100000000 -t 600
	bg flood nsenter --net=/run/netns/client -- "$PKT" send -d 10.9.0.2 -P 5060 -r 10000 -n 100000000 -t 600
	for ((i = 0; i < $1; i++)); do
		t apply -q "$3" || not_ok "apply $3"
		t apply -q "$2" || not_ok "apply $2"
	done
	bg_stop flood TERM
	nap 0.5
	receiver_stop sniff >/dev/null
	sent=$(grep -oE '"sent":[0-9]+' flood.out | sed 's/.*://')
	received=$(grep -oE '"(packets|received)":[0-9]+' sniff.out | head -n1 | sed 's/.*://')
	echo "# sent $sent, received $received"
}
config b.yaml 10.0.1.1 10.0.1.2 c0 ", ttl: 9, dscp: EF, mtu: 1400"
ids=$(programs) attached=$(filters)
t plan b.yaml >plan.out
check_match "plan names the tunnel" "$(<plan.out)" 'new tunnels: site-b changed'
check_no_match "and loads nothing" "$(<plan.out)" 'programs|load|attach'
flood "${SWAPS:-5}" a.yaml b.yaml
check_eq "$((${SWAPS:-5} * 2)) changes of a tunnel: nothing was lost" "$received" "$sent"
check_eq "the same programs run" "$(programs)" "$ids"
check_eq "behind the same filters" "$(filters)" "$attached"
count=$(t status -j | tr '\n' ' ' | grep -oE '"name": ?"site-b".*' | grep -oE '"tx": ?\{[^}]*' | grep -oE '"packets": ?[0-9]+' | grep -oE '[0-9]+')
check_eq "its counters lasted: all that was sent" "$((count >= sent))" 1

# another tunnel beside it, then in its place: programs stay as long as the type does
sed 's/^interfaces:/  other: { type: gre, local: 10.0.1.1, remote: 10.0.1.2, key: 8 }\ninterfaces:/; s/decap: site-b/decap: [site-b, other]/' a.yaml >c.yaml
t plan c.yaml >plan.out
check_match "one more tunnel" "$(<plan.out)" 'new tunnels: other added'
check_no_match "loads nothing" "$(<plan.out)" 'programs|load pipeline'
check "apply" t apply c.yaml
check_match "status has both" "$(t status | grep -E '^default (other|site-b) ' | awk '{print $2}' | xargs)" 'other site-b'
check "and takes it away again" t apply a.yaml
check_eq "status has one" "$(t status | grep -cE '^default (other|site-b) +gre')" 1
sed 's/site-b/third/' a.yaml | sed 's/site-b/third/g' >d.yaml
check "a tunnel under another name is another one" t apply d.yaml
check_match "and counts from zero" "$(t status)" 'default third +gre +10\.0\.1\.1 → 10\.0\.1\.2 +0 +0 B +0 '
for i in 1 2 3; do t apply -q a.yaml; t apply -q d.yaml; done
check_eq "names may come and go" "$(t status | grep -cE '^default .* gre ')" 1

# an interface gains tunnels, loses them
cat >rules.yaml <<-Y
tcctl: 1
classes: { voice: { dscp: EF } }
rules: { wan: [ { proto: udp, port: 5060, class: voice } ] }
interfaces: { c0: { rules: wan } }
Y
check "rules, without tunnels" t apply rules.yaml
check_no_match "status has no tunnel" "$(t status)" 'TUNNEL'
sed '/^interfaces/d' a.yaml | sed '/^  c0/d' >both.yaml
cat >>both.yaml <<-Y
classes: { voice: { dscp: EF } }
rules: { wan: [ { proto: udp, port: 5060, class: voice } ] }
interfaces: { c0: { rules: wan, decap: site-b, encap: [ { dst: 10.9.0.0/16, tunnel: site-b } ] } }
Y
check "rules and tunnels" t apply both.yaml
flood 3 both.yaml rules.yaml
check_eq "to and from tunnels, both lead there: nothing was lost" "$received" "$sent"
check "with tunnels in the end" t apply both.yaml
receiver_start rx server -P 5060 -n 3 -t 5
in_ns client "$PKT" send -d 10.9.0.2 -P 5060 -n 3 >/dev/null
out=$(receiver_wait rx)
check_match "packets arrive, tagged inside" "$out" '"received":3,.*"dscp":\{"46":3\}'
check_rc "plan sees none" 0 t plan both.yaml

# rules are not compiled again because a tunnel changes
arenas() { # map ids of the arenas that are kept
	find /sys/fs/bpf/tcctl -name 'arena-*' | while read -r f; do "$BPFTOOL" -j map show pinned "$f" | jq .id; done | sort | xargs
}
rules=$(arenas)
check_match "compiled rules are kept" "$rules" '^[0-9]+'
sed 's/key: 7/key: 7, ttl: 9/' both.yaml >ttl.yaml
check "another tunnel, the same rules" t apply ttl.yaml
check_eq "as they were" "$(arenas)" "$rules"
check "and back" t apply both.yaml
receiver_start rx server -P 5060 -n 3 -t 5
in_ns client "$PKT" send -d 10.9.0.2 -P 5060 -n 3 >/dev/null
check_match "packets are tagged still" "$(receiver_wait rx)" '"received":3,.*"dscp":\{"46":3\}'
sed 's/dscp: EF/dscp: AF41/; s/key: 7/key: 7, ttl: 9/' both.yaml >af.yaml
check "other rules and another tunnel" t apply af.yaml
check_no_match "are new ones" " $(arenas) " " (${rules// /|}) "
receiver_start rx server -P 5060 -n 3 -t 5
in_ns client "$PKT" send -d 10.9.0.2 -P 5060 -n 3 >/dev/null
check_match "that tag otherwise" "$(receiver_wait rx)" '"received":3,.*"dscp":\{"34":3\}'
check "and back" t apply both.yaml

# tables of routes are pinned for the next change: for as long as they are in use
kept() { find /sys/fs/bpf/tcctl -name 'routes-*' | wc -l; }
many() { # N: both.yaml with as many routes more
	local list
	list=$(for ((i = 0; i < $1; i++)); do printf ', 10.%d.%d.0/24' $((100 + i / 256)) $((i % 256)); done)
	sed "s@dst: 10.9.0.0/16@dst: [10.9.0.0/16$list]@" both.yaml
}
many 2000 >many.yaml
many 2001 >more.yaml
check "2001 routes" t apply many.yaml
check_eq "are kept" "$(kept)" 1
if type -P strace >/dev/null && strace -qq -o trace true; then
	strace -f -qq -o trace -e trace=bpf "$TCCTL" apply -q --netns client more.yaml
	check_eq "one more: one table is kept" "$(kept)" 1
	after=$(awk '/bpf\(/ { n++ } /OBJ_PIN/ { pinned = 1 } pinned && /MAP_UPDATE_ELEM/ { print n; exit }' trace)
	t apply -q many.yaml
	pin=$(find /sys/fs/bpf/tcctl -name 'routes-*')
	strace -f -qq -o trace -e trace=bpf -e inject="bpf:error=ENOMEM:when=$after" \
		"$TCCTL" apply --netns client more.yaml >out 2>&1
	check_eq "an apply that fails" $? 1
	check_match "says why" "$(<out)" 'tables of tunnels'
	check_eq "keeps what was kept, and no more" "$(find /sys/fs/bpf/tcctl -name 'routes-*')" "$pin"
else
	skip "failing with many routes" "strace that can trace"
fi
check "rules again, without tunnels" t apply rules.yaml
check_eq "nothing is kept" "$(kept)" 0
check "many routes again" t apply many.yaml
sed 's/c0: .*/c0: { ingress: { rules: wan }, egress: { mode: enforce } } }/' rules.yaml >none.yaml
check "nothing at all at egress" t apply none.yaml
check_eq "nothing is kept then, too" "$(kept)" 0
check_eq "rules without tunnels are not kept" "$(arenas)" ""

check "remove at the other end" "$TCCTL" remove --netns server
check "remove" t remove
check_eq "remove leaves nothing" "$(listing)" "$before"
