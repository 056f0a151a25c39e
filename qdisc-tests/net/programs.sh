#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs of users: in stages and slots, loaded only from files that nobody else can write, named when they do not fit.
#
#  client c0 ---- s0 server      filters on c0
# timeout: 180
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
need_cmd clang
topo_pair
cat >mine.bpf.c <<'C'
#include <tcctl/handler.h>
TCCTL_SLOT(TCCTL_STAGE_CLASSIFY + 1);
/* a stage: port 9 goes no further */
SEC("tc") int mine(struct __sk_buff *skb)
{
	tcctl_stage_begin(skb);
	if (tcctl_flags(skb) & TCCTL_F_PORTS && tcctl_dport(skb) == 9)
		return tcctl_drop(skb, TCCTL_R_RULE_DROP);
	return tcctl_next(skb);
}
/* a handler of a UDP port: gives its packets a class */
SEC("tc") int port(struct __sk_buff *skb)
{
	tcctl_udp_begin(skb);
	skb->mark = 77;
	return tcctl_handled(skb);
}
C
cat >own.bpf.c <<'C'
#include <tcctl/handler.h>
TCCTL_SLOT(TCCTL_STAGE_CLASSIFY + 1);
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 4); }
	my_table SEC(".maps");
SEC("tc") int own(struct __sk_buff *skb)
{
	tcctl_stage_begin(skb);
	bpf_tail_call(skb, &my_table, 0);
	return tcctl_next(skb);
}
C
build() { clang -O2 -g -target bpf -mcpu=v3 -I"$TOP/bpf-progs/include" -I"/usr/include/$(uname -m)-linux-gnu" -c "$1.bpf.c" -o "$1.bpf.o"; }
must build mine
must build own
config() { # OBJECT PROGRAM RUN…
	local o=$1 p=$2
	shift 2
	cat <<-Y
	tcctl: 1
	classes: { voice: { dscp: EF } }
	rules: { wan: [ { proto: udp, class: voice } ] }
	programs:
	  first: { object: $o, program: $p }
	  second: { object: $o, program: port }
	interfaces:
	  c0: { rules: wan, run: [ $* ] }
	Y
}
config mine.bpf.o mine '{ program: first, after: classify }, { program: second, at: udp/4242 }' >a.yaml
T2="--netns client"
# nobody answers, so that only what is sent is counted
must in_ns client ip neigh add 10.0.1.9 lladdr 02:00:00:00:00:09 dev c0

check "apply" "$TCCTL" apply $T2 a.yaml
check_match "the order names them" "$("$TCCTL" plan $T2 a.yaml)" '\[udp/4242: second\] → classify\(wan: 1 rule\) → first → mark → end'
for p in 9 10 4242; do in_ns client "$PKT" send -d 10.0.1.9 -P $p -n 3 >/dev/null; done
status=$("$TCCTL" status -v $T2)
check_match "the stage ran" "$status" $'\nstage/classify\\+1 +9 .*first'
check_match "it dropped" "$status" $'\nrule-drop +3 .*DROPPED'
check_match "the handler ran" "$status" $'\nudp/4242 +3 .*second'
check_match "what it dropped did not reach mark" "$status" $'\nstage/mark +6 '
check_rc "same again" 0 "$TCCTL" plan $T2 a.yaml

sed -i 's/== 9/== 10/' mine.bpf.c
must build mine
check_rc "another content of the file is seen" 2 "$TCCTL" plan $T2 a.yaml
check_match "as a change of programs" "$OUT" 'switch pipeline p1 to new programs'
check "and applied" "$TCCTL" apply $T2 a.yaml
for p in 9 10; do in_ns client "$PKT" send -d 10.0.1.9 -P $p -n 2 >/dev/null; done
check_match "the new one runs" "$("$TCCTL" status $T2)" $'\nrule-drop +5 '

before=$("$TCCTL" export $T2; in_ns client tc filter show dev c0 egress)
refused() { # NAME REGEX
	check_rc "$1" 1 "$TCCTL" apply $T2 b.yaml
	check_match "$1: named" "$OUT" "$2"
	check_eq "$1: nothing has changed" "$("$TCCTL" export $T2; in_ns client tc filter show dev c0 egress)" "$before"
}
config mine.bpf.o mien '{ program: first, after: classify }' >b.yaml
refused "a program that is not in the object" "b.yaml:5:.*has no program 'mien'"
config mine.bpf.c mine '{ program: first, after: classify }' >b.yaml
refused "a file that is no object" "b.yaml:5:.*not a BPF object"
config own.bpf.o own '{ program: first, after: classify }' >b.yaml
sed -i '/second/d' b.yaml
refused "a jump table of its own" "b.yaml:5:.*jump table of its own"
cp mine.bpf.o w.bpf.o
chmod 666 w.bpf.o
config w.bpf.o mine '{ program: first, after: classify }' >b.yaml
refused "a file that others can write" "b.yaml:5:.*others can change the file"
mkdir open && cp mine.bpf.o open/ && chmod 777 open
config open/mine.bpf.o mine '{ program: first, after: classify }' >b.yaml
refused "a folder that others can write" "b.yaml:5:.*others can change .*/open"
config mine.bpf.o mine '{ program: first, after: classify }, { program: m2, after: classify }, { program: m3, after: classify }, { program: m4, after: classify }' >b.yaml
for i in 2 3 4; do sed -i "s/^programs:/&\n  m$i: { object: mine.bpf.o, program: mine }/" b.yaml; done
refused "more than there is room for" 'more than 3'
check "remove" "$TCCTL" remove $T2
