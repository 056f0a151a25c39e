#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The runner judged by made-up tests: it must call bad what is bad, and end what does not end.
# timeout: 60
top=$(cd "${0%/*}/../.." && pwd)
T=$(mktemp -d) || exit 1
export D=1000.$$ # told apart from those of another run
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM

mkdir -p "$T/qdisc-tests/unit" "$T/qdisc-tests/lib" "$T/build"
cp "$top/qdisc-tests/run" "$T/qdisc-tests/"
cp "$top/qdisc-tests/lib/isolate" "$top/qdisc-tests/lib/lib.sh" "$T/qdisc-tests/lib/"

try() { # NAME WANTED_STATUS WANTED_LAST_LINE: run the test on stdin under the runner
	local out rc last
	rm -f "$T"/qdisc-tests/unit/*
	{ echo '#!/bin/bash'; cat; } >"$T/qdisc-tests/unit/t.sh"
	chmod +x "$T/qdisc-tests/unit/t.sh"
	out=$(TCCTL_BUILD=$T/build QT_TIME_FACTOR=1 "$T/qdisc-tests/run" unit 2>&1)
	rc=$?
	last=$(tail -n1 <<<"$out")
	if [[ $rc = "$2" && $last = "$3" ]]; then
		echo "ok - $1"
	else
		echo "not ok - $1: status $rc, '$last'; expected $2, '$3'"
		sed 's/^/#   /' <<<"$out"
	fi
	OUT=$out
}

try "cases are counted" 0 "2 passed, 0 failed, 1 skipped" <<<'echo "ok - a"; echo "ok - b"; echo "skip - c: a thing"'
try "a failed case fails the run" 1 "1 passed, 1 failed, 0 skipped" <<<'echo "ok - a"; echo "not ok - b: why"; exit 1'
try "a failed case counts whatever the status says" 1 "0 passed, 1 failed, 0 skipped" <<<'echo "not ok - b: why"'
try "a test without cases fails" 1 "0 passed, 1 failed, 0 skipped" <<<'echo hello'
try "a test that ends badly after its cases fails" 1 "1 passed, 1 failed, 0 skipped" <<<'echo "ok - a"; exit 3'
try "a test that dies of a signal fails" 1 "1 passed, 1 failed, 0 skipped" <<<'echo "ok - a"; kill -SEGV $$'
[[ $OUT = *"killed by signal SEGV"* ]] && echo "ok - the signal is named" || echo "not ok - the signal is named: $OUT"
try "a run of skips fails" 1 "0 passed, 0 failed, 1 skipped" <<<'echo "skip - a: a thing"'
try "a test that hangs is ended and fails" 1 "1 passed, 1 failed, 0 skipped" <<'S'
# timeout: 1
echo "ok - a"
setsid sleep ${D}5 &
sleep ${D}5
S
[[ -z $(pgrep -f "sleep ${D}5") ]] && echo "ok - with all its processes" || echo "not ok - with all its processes: $(pgrep -af "sleep ${D}5")"
try "a process left behind fails the test and is ended" 1 "1 passed, 1 failed, 0 skipped" <<'S'
setsid sleep ${D}6 >/dev/null 2>&1 &
echo "ok - a"
S
[[ -z $(pgrep -f "sleep ${D}6") ]] && echo "ok - really" || echo "not ok - really: $(pgrep -af "sleep ${D}6")"

# Ctrl-C: everything ends, the count is still the last line.
cat >"$T/qdisc-tests/unit/t.sh" <<'S'
#!/bin/bash
echo "ok - a"
touch "$TCCTL_BUILD/started"
sleep ${D}7
S
TCCTL_BUILD=$T/build env --default-signal=INT "$T/qdisc-tests/run" unit >"$T/out" 2>&1 &
run=$!
for ((i = 0; i < 200; i++)); do
	[[ -e $T/build/started ]] && break
	sleep 0.05
done
kill -INT $run
wait $run
rc=$?
if [[ $rc = 130 && -z $(pgrep -f "sleep ${D}7") && $(tail -n1 "$T/out") = "0 passed, 0 failed, 0 skipped" ]]; then
	echo "ok - an interrupt ends everything"
else
	echo "not ok - an interrupt ends everything: status $rc, $(pgrep -af "sleep ${D}7")"
	sed 's/^/#   /' "$T/out"
fi

# A test in C that was not built since its source changed.
rm "$T"/qdisc-tests/unit/*
mkdir -p "$T/build/tests/unit"
printf '#!/bin/bash\necho "ok - a"\n' >"$T/build/tests/unit/c"
chmod +x "$T/build/tests/unit/c"
old() { TCCTL_BUILD=$T/build "$T/qdisc-tests/run" unit 2>&1 >"$T/out"; }
touch -d '1 minute ago' "$T/qdisc-tests/unit/c.c"
out=$(old)
[[ $out != *"older than"* ]] && echo "ok - a test newer than its source" || echo "not ok - a test newer than its source: $out"
touch -d '1 minute' "$T/qdisc-tests/unit/c.c"
out=$(old)
if [[ $out = *"older than their sources"*"make tests"*" unit/c" && $(wc -l <<<"$out") = 1 && $(tail -n1 "$T/out") = "1 passed, 0 failed, 0 skipped" ]]; then
	echo "ok - a test older than its source is named, and run"
else
	echo "not ok - a test older than its source is named, and run: $out; $(tail -n1 "$T/out")"
fi
rm "$T/qdisc-tests/unit/c.c"

"$T/qdisc-tests/run" unit/nosuch >"$T/out" 2>&1
[[ $? = 2 ]] && echo "ok - an unknown test is an error" || echo "not ok - an unknown test is an error: $(cat "$T/out")"

# Isolation (root only): what a test makes is gone with it, also when it is killed.
if ((EUID)); then
	echo "skip - a killed test leaves nothing: root"
	exit 0
fi
mkdir -p "$T/qdisc-tests/net"
cat >"$T/qdisc-tests/net/k.sh" <<'S'
#!/bin/bash
# timeout: 2
. "${0%/*}/../lib/lib.sh"
ns_add victim
ip link add kill0 type veth peer name kill1
ok made
trap '' TERM
while :; do nap 10; done
S
chmod +x "$T/qdisc-tests/net/k.sh"
out=$(TCCTL_BUILD=$T/build QT_TIME_FACTOR=1 "$T/qdisc-tests/run" net/k 2>&1)
if [[ $(tail -n1 <<<"$out") = "1 passed, 1 failed, 0 skipped" && $out != *residue* && ! -e /run/netns/victim && ! -e /sys/class/net/kill0 ]]; then
	echo "ok - a killed test leaves nothing"
else
	echo "not ok - a killed test leaves nothing: $out"
fi
