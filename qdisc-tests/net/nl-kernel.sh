#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The netlink layer against this kernel; other kernels answer some requests in other words.
# also-vm
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_cmd ip tc
need_file "$B/tests/unit/nl_kernel"
"$B/tests/unit/nl_kernel"
