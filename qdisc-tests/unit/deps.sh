#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# packaging/install-deps on machines that are not this one: nothing is installed here.
top=$(cd "${0%/*}/../.." && pwd)
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
mkdir "$T/bin" "$T/packaging"
cp "$top/packaging/packages" "$top/packaging/install-deps" "$T/packaging/"
for c in sh awk dirname mktemp rm id grep cat tr xargs; do ln -s "$(command -v $c)" "$T/bin/$c"; done

fake() { # NAME SCRIPT
	printf '#!/bin/sh\n%s\n' "$2" >"$T/bin/$1"
	chmod +x "$T/bin/$1"
}
try() { # NAME STATUS REGEX
	local out rc
	# PATH is extended by the usual folders, where this machine has everything; the script is told of others.
	out=$(env -i PATH="$T/bin" HOME="$T" "$T/packaging/install-deps" "${@:4}" 2>&1)
	rc=$?
	if [[ $rc = "$2" && $out =~ $3 ]]; then
		echo "ok - $1"
	else
		echo "not ok - $1: status $rc, expected $2 and '$3'"
		sed 's/^/#   /' <<<"$out"
	fi
}
sed -i 's|^PATH=.*|PATH=$PATH|' "$T/packaging/install-deps"

try "no package manager: lists what is missing" 1 "no package manager.*must +clang +cmd:clang +BPF programs.*want +tshark"
fake dnf 'exit 0'
try "another package manager is named" 1 "\\(dnf\\).*must +libbpf-dev +pc:libbpf"
printf 'nothing test want cmd:nosuch why\n' >"$T/packaging/packages"
try "only nice-to-have missing: goes on" 0 "want +nothing.*Going on"
printf 'here build must cmd:sh why\nheader build must - why\n' >"$T/packaging/packages"
try "all there: silent" 0 "^$"

printf 'aaa build must - why a\nbbb test want - why b\nccc lint must - why c\n' >"$T/packaging/packages"
fake apt-get 'echo "apt-get $*" >>"$HOME/log"; exit ${APT:-0}'
fake dpkg-query 'for p; do case $p in aaa) echo "installed aaa" ;; esac; done'
rm "$T/bin/id"
fake id 'echo 1000'
try "not root: says the command" 1 "apt-get install --no-install-recommends bbb "
fake id 'echo 0'
try "installs what is missing, and only that" 0 "installing: bbb"
if [[ $(cat "$T/log") = "apt-get -q update
apt-get -q -y --no-install-recommends install bbb" ]]; then echo "ok - in one go"; else echo "not ok - in one go: $(cat "$T/log")"; fi
rm "$T/log"
fake dpkg-query 'for p; do case $p in aaa|bbb) echo "installed $p" ;; esac; done'
try "nothing missing: silent" 0 "^$"
[[ ! -e $T/log ]] && echo "ok - and without apt" || echo "not ok - and without apt: $(cat "$T/log")"
try "groups are told apart" 0 "installing: ccc" lint
fake apt-get 'exit 100'
fake dpkg-query 'for p; do case $p in aaa) echo "installed aaa" ;; esac; done'
try "a wanted package that cannot be had is named" 0 "still missing: bbb \\(want\\): why b"
fake dpkg-query 'exit 1'
try "a needed package that cannot be had is an error" 1 "still missing: aaa \\(must\\): why a"
try "unknown group" 2 "usage:" nosuch
