#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Rules, programs and both together change under load: every packet is classified by the old or by the new ones, none by
# none or by half of each, none is lost.
#
#  client c0 ---- s0 server      filters on c0, flood from the client
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL" "$PKT"
topo_pair

config() { # RULESET MODE VERDICT
	cat <<-Y
	tcctl: 1
	classes: { voice: { dscp: EF }, bulk: { dscp: CS1 } }
	rules:
	  one:
	    - { proto: udp, port: 5060, class: voice }
	  two:
	    - { proto: tcp, class: voice }
	    - { proto: udp, port: 5060, class: bulk }
	interfaces:
	  c0: { rules: $1, mode: $2, verdict: $3 }
	Y
}
config one enforce continue >a.yaml
config two enforce continue >b.yaml
config one enforce ok >c.yaml
config two observe continue >d.yaml
# With SLOW each bpf() of the change starts late, so that packets come between any two of them.
slow() { [[ -z ${SLOW-} ]] || echo strace -f -qq -o /dev/null -e trace=bpf -e inject=bpf:delay_enter=2000; }
apply() { $(slow) "$TCCTL" apply -q --netns client "$1" || not_ok "apply $1"; }

# Flood while these configurations take turns; the DSCP values that arrived, and how many went out and came in.
flood() { # N FIRST SECOND
	local i out
	apply "$2"
	bg sniff nsenter --net=/run/netns/server -- "$PKT" sniff -i s0 -p udp -t 600
	wait_until 5 grep -q ready sniff.err
	bg flood nsenter --net=/run/netns/client -- "$PKT" send -d 10.0.1.2 -P 5060 -r 10000 -n 100000000 -t 600
	for ((i = 0; i < $1; i++)); do
		apply "$3"
		apply "$2"
	done
	bg_stop flood TERM
	nap 0.3
	bg_stop sniff TERM
	out=$(<sniff.out)
	seen=$(grep -oE '"proto":17,"dscp":[0-9]+,"packets":[0-9]+' <<<"$out" | sed -E 's/.*dscp":([0-9]+).*/\1/' | sort -n | xargs)
	received=$(grep -oE '"proto":17,"dscp":[0-9]+,"packets":[0-9]+' <<<"$out" | sed 's/.*://' | paste -sd+ | bc)
	sent=$(grep -oE '"sent":[0-9]+' flood.out | sed 's/.*://')
	echo "# sent $sent, received $received"
}
need_cmd bc strace bpftool jq

# What packets find in `heads` is what the arenas say: stamp, what the rules look at, seed, the first rows of the class table; nothing
# where there is no arena.
bytes_of() { # MAP KEY FIRST [LAST]: bytes of an element
	"$BPFTOOL" -j map lookup $1 key "$2" 0 0 0 2>/dev/null | jq -r "[.value[$3:${4-}][]? | ltrimstr(\"0x\")] | join(\"\")"
}
heads_hold() { # NAME: of the namespace's only pipeline
	local g slot head id want line used=0
	g=$(echo /sys/fs/bpf/tcctl/*/default/p*/tc/globals)
	for slot in 0 1; do
		head=$(bytes_of "pinned $g/heads" $slot 0) # all of it
		id=$(bytes_of "pinned $g/arenas" $slot 0 4)
		if [[ -n $id ]]; then
			id=$((16#${id:6:2}${id:4:2}${id:2:2}${id:0:2}))
			line=$((16#$(bytes_of "id $id" 0 24 25)))
			want=$(bytes_of "id $id" 0 8 24)$(bytes_of "id $id" $line 0)$(bytes_of "id $id" $((line + 1)) 0)
			want+=$(printf '%0*d' $((2 * (16 + 64 * 32) - ${#want})) 0)
			used=$((used + 1))
		else
			want=$(printf '%0*d' $((2 * (16 + 64 * 32))) 0)
		fi
		check_eq "$1: head $slot is its arena's" "$head" "$want"
	done
	check "$1: there is one in use" test $used -gt 0
}
stamps() { local g; g=$(echo /sys/fs/bpf/tcctl/*/default/p*/tc/globals); for slot in 0 1; do bytes_of "pinned $g/heads" $slot 0 4; done; }
apply a.yaml
heads_hold "apply"
before=$(stamps)
apply b.yaml
heads_hold "other rules"
check "other rules: another stamp" test "$(stamps)" != "$before"
apply d.yaml
heads_hold "other programs"
apply c.yaml
heads_hold "both"
check "remove" "$TCCTL" remove -q --netns client


flood ${SWAPS:-10} a.yaml b.yaml
check_eq "$((${SWAPS:-10} * 2)) changes of rules: only the old and the new class are seen" "$seen" "8 46"
check_eq "nothing was lost" "$received" "$sent"
flood ${SWAPS:-5} a.yaml c.yaml
check_eq "changes of programs: no packet without its class" "$seen" "46"
check_eq "nothing was lost" "$received" "$sent"
# `two` in observe mode writes nothing, `one` writes 46: an 8 would be new rules in old programs.
SLOW=1
flood ${SWAPS:-3} a.yaml d.yaml
SLOW=
check_eq "changes of both: no packet sees one without the other" "$seen" "0 46"
check_eq "nothing was lost" "$received" "$sent"

# Counters of a rule that stays survive, the class keeps what its rules counted that are gone.
apply a.yaml
"$TCCTL" remove -q --netns client
apply a.yaml
in_ns client "$PKT" send -d 10.0.1.2 -P 5060 -n 7 >/dev/null
apply b.yaml
in_ns client "$PKT" send -d 10.0.1.2 -P 5060 -n 5 >/dev/null
apply a.yaml
in_ns client "$PKT" send -d 10.0.1.2 -P 5060 -n 2 >/dev/null
status=$("$TCCTL" status --netns client)
check_match "the rule counts on where it was" "$status" $'\none 1 +9 '
check_match "its class agrees" "$status" $'\nvoice +9 '
check_match "a class whose rules are gone keeps its numbers" "$status" $'\nbulk +5 '
for i in 1 2 3; do apply b.yaml; apply a.yaml; done
status=$("$TCCTL" status --netns client)
check_match "also after more changes" "$status" $'\nbulk +5 '
check_match "the rule, too" "$status" $'\none 1 +9 '
check "remove" "$TCCTL" remove --netns client
