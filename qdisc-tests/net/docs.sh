#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every command in README.md and docs/*.md works as printed.
#
# A block fenced as `sh` is run; one that begins with `# FILE` (yaml, c) is written to FILE first. The blocks of a
# page run in order, in one folder, with one device eth0 whose other end is in namespace `peer`. `make` targets
# that are themselves test runs are only looked up in the Makefile, not run. A line `# exit N` ends a block whose
# last command must exit with N.
# timeout: 240
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"

# Pull the blocks out of a page into NNN.sh, and files as they are named.
extract() { # PAGE FOLDER
	awk -v dir="$2" '
	/^```/ && !open { open = 1; lang = substr($0, 4); first = 1; out = ""; n++; if (lang == "sh") out = sprintf("%s/%03d.sh", dir, n); next }
	/^```/ { open = 0; if (out) close(out); next }
	open && first && lang != "sh" && (/^# [A-Za-z0-9_.\/-]+\.(yaml|txt|qt)$/ || /^\/\* [A-Za-z0-9_.\/-]+\.c \*\/$/) { out = dir "/files/" $2; first = 0 }
	open && out { print > out }
	open { first = 0 }' "$1"
}

run_page() { # PAGE
	local page=$1 name=${1#"$TOP"/} dir=$T/page b rc want
	rm -rf "$dir" && mkdir -p "$dir/files" "$dir/work"
	extract "$page" "$dir"
	ls "$dir"/*.sh >/dev/null 2>&1 || return 0
	ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0
	ip netns add peer
	ip link set peer0 netns peer
	ip addr add 192.0.2.1/24 dev eth0
	ip link set eth0 up
	in_ns peer ip addr add 192.0.2.2/24 dev peer0
	in_ns peer ip link set peer0 up
	cp -r "$dir/files/." "$dir/work/"
	ln -s "$TOP/examples" "$dir/work/examples"
	ln -s "$TOP/bpf-progs" "$dir/work/bpf-progs"
	ln -s "$TOP/qdisc-tests" "$dir/work/qdisc-tests"
	ln -s "$B" "$dir/work/build"
	cat >"$dir/env" <<-END
		export PATH=$B:$B/tests/tools:\$PATH TOP=$TOP
		make() { command make -C "$TOP" -n "\$@" >/dev/null; }
		cd "$dir/work"
		set -e
	END
	for b in "$dir"/*.sh; do
		want=$(sed -n 's/^# exit \([0-9]*\)$/\1/p' "$b" | tail -n1)
		bash -c ". $dir/env; . $b" >"$b.out" 2>&1 </dev/null
		rc=$?
		if [[ $rc == "${want:-0}" ]]; then
			ok "$name: $(grep -v '^#' "$b" | head -n1)"
		else
			not_ok "$name: $(grep -v '^#' "$b" | head -n1)" "exit status $rc, expected ${want:-0}"
			sed 's/^/#   /' "$b" "$b.out"
		fi
	done
	"$TCCTL" remove >/dev/null 2>&1
	ip link del eth0
	ip netns del peer
}

for page in "$TOP"/README.md "$TOP"/docs/*.md "$TOP"/qdisc-tests/README.md; do
	[[ -e $page ]] && run_page "$page"
done
