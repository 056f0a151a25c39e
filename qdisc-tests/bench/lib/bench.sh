# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# What the benchmark scripts share. Sourced after qdisc-tests/lib/lib.sh, so everything happens in namespaces
# that vanish with the script. Rows are described in lib/measure.h.

BENCH=$B/bench
QUICK=${BENCH_QUICK-}
[[ $QUICK = 0 ]] && QUICK=

row() { # ID WHAT VALUE UNIT [LOW HIGH]
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5-$3}" "${6-$3}"
}

# Median and extremes of the numbers on stdin.
row_stat() { # ID WHAT UNIT
	sort -g | awk -v id="$1" -v what="$2" -v unit="$3" '{ v[NR] = $1 }
		END { if (NR) printf "%s\t%s\t%.3f\t%s\t%.3f\t%.3f\n", id, what,
			NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, unit, v[1], v[NR] }'
}

bench_skip() { # PART REASON
	printf 'skip\t%s\t%s\n' "$1" "$(tr '\t\n' '  ' <<<"$2")"
}

say() { printf '#   %s\n' "$*" >&2; }
