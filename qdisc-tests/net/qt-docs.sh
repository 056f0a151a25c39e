#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every command of qdisc-tests/README.md, in a copy of what it names; where the page shows output, that is compared.
. "${0%/*}/../lib/lib.sh"
need_cmd clang
need_file "$QT" "$TCCTL"
mkdir -p "$T/tree/qdisc-tests" && cp -r "$TOP/examples" "$T/tree/" && cp "$TOP/qdisc-tests/qt" "$T/tree/qdisc-tests/"
cd "$T/tree" || exit 1

# Blocks of ```sh, each with the block of output that follows it, if there is one.
awk -v dir="$T" '
	!open && /^```/ {
		open = 1
		file = ""
		if (/^```sh$/) { n++; file = sprintf("%s/%02d.cmd", dir, n) }
		else if (after) file = sprintf("%s/%02d.want", dir, n)
		after = /^```sh$/
		next
	}
	open && /^```$/ { open = 0; next }
	open && file { print >file }
	!open && NF { after = 0 }' "$TOP/qdisc-tests/README.md"

for cmd in "$T"/[0-9]*.cmd; do
	name=$(tail -n1 "$cmd" | cut -c1-90)
	bash -e "$cmd" >"$T/out" 2>&1
	rc=$?
	if ((rc)); then
		not_ok "$name" "status $rc"
		sed 's/^/#   /' "$T/out"
	elif [[ -e ${cmd%.cmd}.want ]] && ! diff -u "${cmd%.cmd}.want" "$T/out" >"$T/diff"; then
		not_ok "$name" "prints something else than the page says"
		sed 's/^/#   /' "$T/diff"
	else
		ok "$name"
	fi
done
check_eq "blocks with commands were found" "$(ls "$T"/*.cmd | wc -l)" 5
check_eq "blocks with output, too" "$(ls "$T"/*.want | wc -l)" 2
