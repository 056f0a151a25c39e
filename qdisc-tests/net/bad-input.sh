#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every kind of bad input through the command line: where it is, what was expected, what may be meant, exit status
# 1, and nothing changed, neither on a host without anything nor on one where a configuration is applied.
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"

ns_add host
veth host eth0 host eth1
mkdir conf

cat >good.yaml <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF }
rules:
  wan:
    - { proto: udp, port: 5060, class: voice }
interfaces:
  eth0: { rules: wan }
Y

state() { # all that could have changed
	in_ns host tc qdisc show
	in_ns host tc filter show dev eth0 ingress
	in_ns host tc filter show dev eth0 egress
	find /sys/fs/bpf -mindepth 1 | sort
}

# NAME LINE:COL MESSAGE HINT [FILE]: regular expressions; HINT may be empty. The configuration is on stdin.
bad() {
	local name=$1 place=$2 message=$3 hint=$4 file=${5-bad.yaml} cmd out rc before after
	[[ $# -lt 5 ]] && cat >bad.yaml
	for cmd in check "apply --netns host" "plan --netns host"; do
		before=$(state)
		# shellcheck disable=SC2086
		out=$("$TCCTL" $cmd "$file" 2>&1 >out)
		rc=$?
		after=$(state)
		if ((rc != 1)); then
			not_ok "$name: $cmd" "exit status $rc: $out"
		elif [[ -s out ]]; then
			not_ok "$name: $cmd" "says on stdout: $(<out)"
		elif ! grep -qE "^$file:$place: error: .*$message" <<<"$out"; then
			not_ok "$name: $cmd" "no '$file:$place: error: …$message' in: $out"
		elif [[ -n $hint ]] && ! grep -qE "^  hint: .*$hint" <<<"$out"; then
			not_ok "$name: $cmd" "no hint '$hint' in: $out"
		elif [[ $before != "$after" ]]; then
			not_ok "$name: $cmd" "changed: $(diff <(echo "$before") <(echo "$after"))"
		else
			ok "$name: $cmd"
		fi
	done
}

cases() {
	bad "typo in a key" 3:12 'unknown key "dcsp"' 'did you mean "dscp"' <<'Y'
tcctl: 1
classes:
  voice: { dcsp: EF }
Y
	bad "unknown class" 6:26 'no class "voise"' 'did you mean "voice"' <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF }
rules:
  wan:
    - { port: 53, class: voise }
Y
	bad "bad prefix" 4:17 '10\.0\.0\.0/33.*expected an address or prefix' '0 to 32' <<'Y'
tcctl: 1
rules:
  wan:
    - { remote: 10.0.0.0/33, class: drop }
Y
	bad "port 70000" 4:27 '70000.*0 to 65535' '' <<'Y'
tcctl: 1
rules:
  wan:
    - { proto: tcp, port: 70000, class: drop }
Y
	bad "a name given twice" 4:3 'voice' '' <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF }
  voice: { dscp: CS1 }
Y
	bad "a rule without a class" 4:7 'class' '' <<'Y'
tcctl: 1
rules:
  wan:
    - { port: 53 }
Y
	bad "a key of a later version" 3:11 'not yet' '' <<'Y'
tcctl: 1
classes:
  slow: { police: 10mbps }
Y
	bad "trap: base 60" 3:26 '1:10.*expected a value such as 0x10' '' <<'Y'
tcctl: 1
classes:
  web: { dscp: EF, mark: 1:10 }
Y
	bad "trap: octal" 4:27 '010' 'octal' <<'Y'
tcctl: 1
rules:
  wan:
    - { proto: tcp, port: 010, class: drop }
Y
	bad "trap: brackets eat an address" 4:27 '' 'quote' <<'Y'
tcctl: 1
rules:
  wan:
    - { remote: [2001:db8::, ::1], class: drop }
Y
	bad "trap: ! is a tag" 4:17 '' 'not:' <<'Y'
tcctl: 1
rules:
  wan:
    - { remote: !10.0.0.0/8, class: drop }
Y
	bad "trap: * is an alias" 3:19 '' 'quote' <<'Y'
tcctl: 1
sets:
  zoom: { names: [*.zoom.us] }
Y
	bad "a tab" 3:1 'tab' 'spaces' <<Y
tcctl: 1
rules:
$(printf '\t')wan:
Y
	bad "an alias bomb" '[0-9]+:[0-9]+' '' '' < <(
		echo 'tcctl: 1'
		echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
		for i in 1 2 3 4 5 6 7 8 9; do
			printf 'a%d: &a%d [' $i $i
			for j in 1 2 3 4 5 6 7 8 9; do printf '*a%d, ' $((i - 1)); done
			echo "*a$((i - 1))]"
		done)
	bad "nested too deep" '[0-9]+:[0-9]+' '' '' < <(echo 'tcctl: 1'; printf 'sets: '; printf '[%.0s' {1..2000}; echo)
	bad "a zero byte" '[0-9]+:[0-9]+' '' '' < <(printf 'tcctl: 1\nname: a\0b\n')
}

big() {
	bad "10 MB of one key" '[0-9]+:[0-9]+' '' '' < <(echo 'tcctl: 1'; head -c 10000000 /dev/zero | tr '\0' a; echo ': 1')
	bad "10 MB of rules, the last one wrong" '400004:34' 'class "keap"' 'keep' < <(
		printf 'tcctl: 1\nrules:\n  wan:\n'
		yes '    - { port: 53, class: keep }' | head -n 400000
		echo '    - { dport: 53, class:        keap }')
}

missing() {
	local out
	check_rc "a missing file: $1" 1 "$TCCTL" check nosuch.yaml
	check_match "it is named" "$OUT" 'nosuch.yaml.*error.*No such file'
	check_rc "a missing list" 1 "$TCCTL" check list.yaml
	check_match "is named where it is asked for" "$OUT" 'list\.yaml:3:[0-9]+: error: .*nosuch\.txt'
}
printf 'tcctl: 1\nsets:\n  bad: { file: nosuch.txt }\n' >list.yaml

cases
big
missing "nothing applied"

# Now with something applied that has to stay as it is.
check "good input is applied" "$TCCTL" apply --netns host good.yaml
cases
missing "something applied"
check_rc "what was applied is still there" 0 "$TCCTL" plan --netns host good.yaml

# All errors at once, each with its line and a mark below the column.
cat >many.yaml <<'Y'
tcctl: 1
rules:
  wan:
    - { prot: udp, port: 70000, class: voise }
interfaces:
  eth0: { rules: wann }
Y
out=$("$TCCTL" check many.yaml 2>&1)
check_eq "all errors in one go" "$(grep -c ': error: ' <<<"$out")" 4
check_match "the line and the column are shown" "$out" \
	$'\n     4 \\|     - \\{ prot: udp, port: 70000, class: voise \\}\n       \\|         \\^\n'
out=$("$TCCTL" check -j many.yaml 2>err)
check_eq "with -j nothing goes to stderr" "$(<err)" ""
check_eq "with -j the same places" "$(tr -d ' \n' <<<"$out" | grep -oE '"line":[0-9]+,"column":[0-9]+' | tr -dc '0-9,\n' | xargs)" \
	"4,9 4,26 4,40 6,18"
check_match "with -j it says so" "$out" '"ok":false'
