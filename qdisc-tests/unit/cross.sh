#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every BPF program compiles for big-endian, and the library and the tool for aarch64.
# timeout: 300
top=$(cd "${0%/*}/../.." && pwd)
if ! command -v aarch64-linux-gnu-gcc >/dev/null; then
	echo "skip - compiles for big-endian and aarch64: command aarch64-linux-gnu-gcc"
	exit 0
fi
if out=$(make -C "$top" --no-print-directory B="${TCCTL_BUILD:-$top/build}" SAN= cross-check 2>&1); then
	echo "ok - compiles for big-endian and aarch64"
else
	echo "not ok - compiles for big-endian and aarch64: make cross-check failed"
	sed 's/^/#   /' <<<"$out"
fi
