#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The command line without a kernel: help, manual and completion agree, usage errors help, exit status.
# timeout: 60
top=$(cd "${0%/*}/../.." && pwd)
tcctl=${TCCTL:-${TCCTL_BUILD:-$top/build}/tcctl}
man=$top/docs/man/tcctl.8
T=$(mktemp -d) || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 130' INT TERM
cd "$T" || exit 1
[[ -x $tcctl ]] || { echo "not ok - cli: $tcctl is not built"; exit 1; }

result() { # NAME PROBLEM
	if [[ -z $2 ]]; then echo "ok - $1"; else echo "not ok - $1: $2"; fi
}

commands=$("$tcctl" --help | sed -nE 's/^  ([a-z]+) .*/\1/p')
result "there are commands" "$([[ $commands = *check*apply*status* ]] || echo "only: $commands")"

# --- the manual has what --help has, in the same words, and nothing else -------------------------------
plain() { sed -E 's/^\.[A-Z]+ *//; s/\\-/-/g; s/\\f.//g; s/[" ,]+/ /g' "$@"; }

problem=
for c in $commands; do
	plain "$man" | grep -qE "^tcctl\\\\ $c\$|^tcctl $c\$" || problem+="$c is not in the synopsis; "
	grep -qE "^\.B $c\$" <(sed -n '/^\.SH COMMANDS/,/^\.SH OPTIONS/p' "$man") || problem+="$c is not among the commands; "
done
for c in $(sed -nE 's/^\.SY tcctl\\ ([a-z]+).*/\1/p' "$man"); do
	[[ " ${commands//$'\n'/ } " = *" $c "* ]] || problem+="$c is no command any more; "
done
result "the manual has every command" "$problem"

# "LETTER NAME VALUE|HELP|COMMANDS" of every option, from both.
for c in $commands; do
	"$tcctl" "$c" --help | sed -nE "s/^  (-(.), |    )--([a-z]+)( ([A-Z]+))? +(.*)/\2 \3 \5|\6|$c/p"
done | awk -F'|' '{ k = $1 "|" $2; if (!(k in c)) order[n++] = k; c[k] = c[k] (c[k] ? " " : "") $3 }
	END { for (i = 0; i < n; i++) print order[i] "|" c[order[i]] }' | sed 's/ |/|/; s/^ //' | sort >help.txt
sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' "$man" | awk '
	/^\.TP/ { state = 1; next }
	state == 1 { head = $0; state = 2; next }
	state == 2 { help = $0; state = 3; next }
	state == 3 { print head "|" help "|" $0; state = 0 }' | sed -E '
	s/\\f.//g; s/\\-/-/g; s/"//g
	s/^\.B[IR] -(.) *, *--([a-z]+) *([A-Z]*)/\1 \2 \3/; s/^\.B[IR] --([a-z]+) *([A-Z]*)/\1 \2/
	s/ *\|/|/g
	s/\|\.RB \( *([^)]*[^ )]) *\)$/|\1/; s/ , / /g; s/  +/ /g' | sort >man.txt
result "the manual has every option, with its help and its commands" "$(diff help.txt man.txt)"
result "there are options" "$([[ $(wc -l <help.txt) -ge 8 ]] || cat help.txt)"

if command -v mandoc >/dev/null; then
	result "the manual is clean" "$(mandoc -T lint -W warning "$man" 2>&1 | grep -vE 'STYLE|missing date|SY|YS' | head -n 3)"
else
	echo "skip - the manual is clean: mandoc"
fi

# --- completion ----------------------------------------------------------------------------------------
"$tcctl" completion bash >completion
result "the packaged completion is what the tool prints" "$(diff completion "$top/packaging/completion/tcctl.bash")"
complete_words() { # WORDS…: the last one is being typed
	bash -c '. ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tcctl; echo "${COMPREPLY[*]}"' bash "$@"
}
result "completion of a command" "$([[ $(complete_words tcctl st) = status ]] || complete_words tcctl st)"
result "completion of an option" "$([[ $(complete_words tcctl apply --w) = --wait ]] || complete_words tcctl apply --w)"
result "only options that the command takes" "$([[ $(complete_words tcctl check --net) = "" ]] || complete_words tcctl check --net)"
touch some.yaml
result "completion of a file" "$([[ $(complete_words tcctl check so) = some.yaml ]] || complete_words tcctl check so)"

# --- usage errors ----------------------------------------------------------------------------------------
usage() { # NAME ERROR HINT ARGUMENT…: on stderr, exit status 1
	local name=$1 error=$2 hint=$3 out rc
	shift 3
	out=$("$tcctl" "$@" 2>&1 >stdout)
	rc=$?
	if ((rc != 1)); then result "$name" "exit status $rc: $out"
	elif [[ -s stdout ]]; then result "$name" "on stdout: $(<stdout)"
	elif ! grep -qE -- "^tcctl: error: $error" <<<"$out"; then result "$name" "no '$error' in: $out"
	elif [[ -n $hint ]] && ! grep -qE -- "^  hint: .*$hint" <<<"$out"; then result "$name" "no hint '$hint' in: $out"
	else result "$name" ""
	fi
}
usage "a command with a typo" "unknown command 'aply'" "did you mean .tcctl apply" aply
usage "an unknown command" "unknown command 'frobnicate'" "tcctl --help" frobnicate
usage "an option with a typo" "unknown option --nets" "did you mean --netns" plan --nets x
usage "an unknown letter" "unknown option -x" "" plan -x
usage "options are not abbreviated" "unknown option --verb" "did you mean --verbose" check --verb
usage "an option of another command" ".tcctl check. takes no option --netns" "" check --netns x
usage "the same, standing before the command" ".tcctl check. takes no option --netns" "" -n x check
usage "an option without its value" "--netns needs a value" "" plan --netns
usage "a value for a flag" "--json takes no value" "" plan --json=yes
usage "a bad number" "--wait: 'soon' is not valid, expected seconds" "" apply --wait soon
usage "a negative number" "--wait: '-1' is not valid" "" apply --wait -1
usage "an argument where none goes" ".tcctl status. takes no argument, but got 'x'" "" status x
usage "an empty value" "--netns: '' is not valid" "" plan --netns=
usage "an unknown shell" ".tcctl completion. takes the name of a shell" "" completion csh

out=$("$tcctl" check -- --nosuch.yaml 2>&1)
result "what follows -- is a file" "$([[ $? = 1 && $out = *"--nosuch.yaml"*"No such file"* ]] || echo "$out")"
out=$("$tcctl" -j aply 2>err)
result "usage errors come as JSON with -j" "$([[ $? = 1 && ! -s err && $out = *'"ok":false'*"unknown command"* ]] || echo "$out $(<err)")"
out=$("$tcctl" 2>&1)
result "without a command: help, status 1" "$([[ $? = 1 && $out = usage:* ]] || echo "$out")"
for a in --help -h help; do
	out=$("$tcctl" $a)
	result "$a: status 0" "$([[ $? = 0 && $out = usage:* ]] || echo "$out")"
done
problem=
for c in $commands; do
	[[ $("$tcctl" "$c" --help) = "usage: tcctl $c"* && $("$tcctl" help "$c") = "usage: tcctl $c"* ]] || problem+="$c "
done
result "every command has help" "$problem"
result "--version is version" "$([[ $("$tcctl" --version) = $("$tcctl" version) && $("$tcctl" version) = "tcctl "[0-9]* ]] || "$tcctl" --version)"

# --- output --------------------------------------------------------------------------------------------
printf 'tcctl: 1\nclases: {}\n' >typo.yaml
result "no colours in a pipe" "$("$tcctl" check typo.yaml 2>&1 | grep -n $'\033')"
if command -v script >/dev/null; then
	out=$(TERM=xterm script -qec "$tcctl check typo.yaml" /dev/null)
	result "colours on a terminal" "$([[ $out = *$'\033['* ]] || echo "$out")"
	out=$(NO_COLOR=1 TERM=xterm script -qec "$tcctl check typo.yaml" /dev/null)
	result "but not with NO_COLOR" "$([[ $out = *error* && $out != *$'\033['* ]] || echo "$out")"
else
	echo "skip - colours on a terminal: command script"
fi
printf 'tcctl: 1\n"x\\e[31m": {}\n' >escape.yaml
result "control characters are not passed on" "$("$tcctl" check escape.yaml 2>&1 | grep -n $'\033')"
printf 'tcctl: 1\nrules:\n  a:\n    - { %0500d: 1 }\n' 0 >long.yaml
result "long lines are cut" "$("$tcctl" check long.yaml 2>&1 | grep '|' | awk 'length > 140')"
printf 'tcctl: 1\nrules:\n  wan:\n    - { port: 53, class: keep }\ninterfaces:\n  eth0: { rules: wan }\n' >fine.yaml
result "- is standard input" "$("$tcctl" check -q - <fine.yaml 2>&1)"
result "quiet says nothing" "$("$tcctl" check -q fine.yaml 2>&1)"
"$tcctl" check fine.yaml >/dev/full 2>err
result "a full disk is an error" "$([[ $? = 1 && $(<err) = *"No space left"* ]] || cat err)"
