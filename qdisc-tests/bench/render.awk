# SPDX-License-Identifier: GPL-2.0-only
# Rows (lib/measure.h) on stdin, Markdown on stdout. Every number and every "met" comes from the rows.
BEGIN { FS = "\t"; rule_mixes = "acl acl-narrow fw fw-narrow ipc ipc-narrow" }
$1 == "host" { host[$2] = $3; next }
$1 == "skip" { n_skips++; skip_part[n_skips] = $2; skip_why[n_skips] = $3; skipped[$2] = 1; next }
NF >= 6 { if (!($1 in value)) order[++n] = $1; what[$1] = $2; value[$1] = $3; unit[$1] = $4; low[$1] = $5; high[$1] = $6 }

function has(id) { return id in value }
function num(x) {
	if (x == "") return "–"
	if (x == int(x) && x < 1e9) return sprintf("%d", x)
	if (x >= 1000 || x <= -1000) return sprintf("%.0f", x)
	if (x >= 100) return sprintf("%.0f", x)
	if (x >= 10) return sprintf("%.1f", x)
	return sprintf("%.2f", x)
}
function cell(id) { return has(id) ? num(value[id]) : "–" }
function spread(id) { return low[id] == high[id] ? "" : num(low[id]) " – " num(high[id]) }
# Net of the mean of the A/A pair.
function net(n, kind,    id) {
	id = "e2e." n "." kind
	return has(id) ? value[id] - (value["e2e." n ".bare"] + value["e2e." n ".bare2"]) / 2 : ""
}
# What a way through a tunnel costs on top of the path without one; how: "udp" (socket to socket, forwarding on), "host" (the same,
# forwarding off) or "e2e" (injected).
function tunnel_net(how, way,    id) {
	id = "tunnels." how "."
	return has(id way) && has(id "plain") ? value[id way] - (value[id "plain"] + value[id "plain2"]) / 2 : ""
}
function tunnel_ratio(how, way,    k) {
	k = tunnel_net(how, "kernel")
	return tunnel_net(how, way) != "" && k > 0 ? tunnel_net(how, way) / k : ""
}
function tunnel_part(how, way) { return has("tunnels." how "." way) ? num(tunnel_net(how, way)) : "–" }
function tunnel_row(how, text) {
	if (!has("tunnels." how ".plain")) return
	printf "| %s | %s | %s %% | %s | %s | %s (%s) | %s (%s) | %s × | %s (%s) | %s × |\n", text, cell("tunnels." how ".plain"), cell("tunnels." how ".aa"), \
		tunnel_part(how, "hooks"), tunnel_part(how, "hand"), \
		num(tunnel_net(how, "kernel")), cell("tunnels." how ".kernel"), \
		num(tunnel_net(how, "device")), cell("tunnels." how ".device"), num(tunnel_ratio(how, "device")), \
		num(tunnel_net(how, "direct")), cell("tunnels." how ".direct"), num(tunnel_ratio(how, "direct"))
}
function section(title) { printf "\n## %s\n\n", title }
function table(re,    i) {
	print "| what | median | unit | spread |\n|---|---:|---|---|"
	for (i = 1; i <= n; i++)
		if (order[i] ~ re) { printf "| %s | %s | %s | %s |\n", what[order[i]], cell(order[i]), unit[order[i]], spread(order[i]); shown[order[i]] = 1 }
}
function any(re,    i) {
	for (i = 1; i <= n; i++) if (order[i] ~ re) return 1
	return 0
}
# Mixes of which no rule set of this size could be measured.
function refused(size,    i, mixes, list) {
	split(rule_mixes, mixes, " ")
	for (i = 1; i in mixes; i++)
		if (("rules." mixes[i] "." size) in skipped) list = list (list == "" ? "" : ", ") mixes[i]
	return list
}
# A goal: text, measured value ("" when not measured), limit (at most), unit, and what failed altogether.
function goal(text, x, limit, u, failed,    met) {
	n_goals++
	met = x == "" && failed == "" ? "–" : x != "" && failed == "" && x <= limit ? "met" : "**not met**"
	goal_row[n_goals] = sprintf("| %s | ≤ %s %s | %s%s | %s |", text, limit, u, x == "" ? (failed == "" ? "not measured" : "") : num(x) " " u,
		failed == "" ? "" : (x == "" ? "" : "; ") "failed: " failed, met)
	if (met == "–") n_unknown++
	else if (met == "met") n_met++
	else n_missed++
}
function ratio(a, b) { return has(a) && has(b) && value[b] > 0 ? value[a] / value[b] : "" }
function val(id) { return has(id) ? value[id] : "" }
# The worst over the mixes of rule sets.
function worst(suffix,    m, w, i, mixes) {
	w = ""
	split(rule_mixes, mixes, " ")
	for (i = 1; i in mixes; i++) { m = "rules." mixes[i] "." suffix; if (has(m) && (w == "" || value[m] > w)) w = value[m] }
	return w
}
function worst_ratio(a, b,    w, i, r, mixes) {
	w = ""
	split(rule_mixes, mixes, " ")
	for (i = 1; i in mixes; i++) { r = ratio("rules." mixes[i] "." a, "rules." mixes[i] "." b); if (r != "" && (w == "" || r > w)) w = r }
	return w
}

END {
	print "<!-- Written by `make bench` (qdisc-tests/bench/run). Do not edit. -->"
	print "# Benchmarks\n"
	print "Everything on this page was measured in one run on one machine, side by side with what one would use instead."
	print "Absolute numbers are this machine's; the ratios are what carries over. `make bench` measures yours."
	if (host["parts"]) printf "\n**Not one run**: only %s of it was measured now, the other rows are from before.\n", host["parts"]
	if (host["quick"]) print "\n**Quick run** (`BENCH_QUICK=1`): fewer rounds, loads and sizes than the method asks for."
	print "\n| | |\n|---|---|"
	printf "| machine | %s |\n| kernel | %s |\n| mitigations | %s |\n| JIT | %s |\n| peers | %s |\n| version | %s |\n| date | %s |\n| load average before, after | %s, %s |\n", \
		host["machine"], host["kernel"], host["mitigations"], host["JIT"], host["peers"], host["version"], host["date"], host["before"], host["load"]
	if (host["before"] > 1 || host["load"] > 2)
		print "\n**The machine was not quiet**: other work ran beside this. The cheapest of many short slices bears that well, times by the clock do not."

	goal("Dispatch: root, entry, IPv4, UDP and one stage, all counters on, net of a classifier that does nothing", val("dispatch.full"), 25, "ns")
	goal("10 rules, 1,000 live flows: against a hash table that holds those flows", worst("10.local.ratio"), 1.5, "×", refused("10"))
	goal("1,000 rules, 1,000 live flows: against a hash table that holds those flows", worst("1000.local.ratio"), 2, "×", refused("1000"))
	goal("1,000 rules, no locality: net of a classifier that does nothing", worst("1000.spread.ours"), 400, "ns", refused("1000"))
	goal("10,000 rules, 1,000 live flows: against 10 rules", worst_ratio("10000.local.ours", "10.local.ours"), 1.5, "×", refused("10000"))
	goal("10,000 rules: compile and load", worst("10000.compile"), 2, "s", refused("10000"))
	goal("100,000 rules, 1,000 live flows: against 10 rules", worst_ratio("100000.local.ours", "10.local.ours"), 3, "×", refused("100000"))
	goal("100,000 rules: table lines that any of 100,000 random headers touches", worst("100000.lines_max"), 8, "lines", refused("100000"))
	goal("100,000 rules: compile and load", worst("100000.compile"), 20, "s", refused("100000"))
	goal("10 rules: kernel memory of the whole pipeline", val("memory.10.total"), 1024, "KiB")
	goal("100,000 rules: compiled size, counters excluded", worst("100000.bytes"), 64, "MB", refused("100000"))
	goal("1,000,000 IPv4 prefixes: look-up against an LPM trie", val("prefix.v4.1000000.ratio"), 0.10, "×")
	goal("1,000,000 IPv4 prefixes, a tenth longer than /24: look-up against an LPM trie", val("prefix.v4long.1000000.ratio"), 0.15, "×")
	goal("1,000,000 IPv6 prefixes: look-up against an LPM trie", val("prefix.v6.1000000.ratio"), 0.4, "×")
	goal("VXLAN, small UDP from socket to socket: what it adds to the plain path, against what the kernel's vxlan device adds", tunnel_ratio("udp", "direct"), 0.25, "×")
	goal("VXLAN, small UDP from socket to socket: the whole path, against that by the kernel's vxlan device", ratio("tunnels.udp.direct", "tunnels.udp.kernel"), 0.66, "×")
	goal("The same with a device at each end: what it adds", tunnel_ratio("udp", "device"), 0.25, "×")
	goal("The same with a device at each end: the whole path", ratio("tunnels.udp.device", "tunnels.udp.kernel"), 0.66, "×")
	goal("The same on hosts that do not forward: what it adds", tunnel_ratio("host", "direct"), 0.25, "×")
	goal("The same on hosts that do not forward, with a device at each end: what it adds", tunnel_ratio("host", "device"), 0.25, "×")
	goal("First apply on 1,000 devices, attaching the filters: against `tc -batch` (CPU, less start and end of the process)", has("control.1000.first.ours.filter") && has("control.1000.add.tc.cpu") ? value["control.1000.first.ours.filter"] / (value["control.1000.add.tc.cpu"] - value["control.1000.empty.tc.cpu"]) : "", 0.20, "×")
	goal("New rules on 1,000 devices: time in process against one device", ratio("control.1000.replace.ours.total", "control.1.replace.ours.total"), 1.5, "×")
	goal("Status of our filters on 1,000 devices (`--ours`): CPU time against `tc -batch` showing the filters", ratio("control.1000.ours.ours.cpu", "control.1000.show.tc.cpu"), 0.25, "×")

	section("Goals")
	printf "%d met, %d not met, %d not measured. Where several rule set mixes and orders were measured the worst one counts.\n\n", n_met, n_missed, n_unknown
	print "| goal | limit | measured | |\n|---|---:|---:|---|"
	for (i = 1; i <= n_goals; i++) print goal_row[i]

	if (any("^dispatch")) {
		section("Dispatch")
		print "`BPF_PROG_TEST_RUN`, one pinned process, interleaved slices of 1.5 ms, 61 rounds, the cheapest slice of each;"
		print "less the same for a classifier that does nothing. Median and extremes over fresh loads of the programs, because"
		print "where the JIT puts them moves results. The path is cut short at each hop to see what the hop adds.\n"
		table("^dispatch\\.")
	}
	if (any("^rules")) {
		section("Classification")
		print "Rule sets after ClassBench's mixes (access lists, firewalls, IP chains; fixed seeds), IPv4 TCP and UDP packets near the"
		print "rules, through the whole pipeline: root, entry, IPv4, TCP or UDP, classify, mark, end. Beside it a program"
		print "written by hand with the same packet parsing and counters and one look-up in a hash table that holds exactly these"
		print "flows. No hash table can hold prefixes and ranges: it is the yardstick, not an alternative. 1,000 flows: live"
		print "traffic with locality. 65,536 flows: each seen once a round. Method as above; both count every packet under its"
		print "rule, and must agree.\n"
		print "Each mix comes in two orders. Its rules overlap a lot: in random order a few wide ones hide most of what comes behind them (of"
		print "100,000 firewall rules some 400 can be reached), so that packets end early. With specific rules first (`-narrow`), as people"
		print "write them, nearly all can be reached: this is the harder case, and the one that is closer to rule sets in use.\n"
		print "| mix | rules | tcctl, 1,000 flows | hash | ratio | tcctl, 65,536 flows | hash | ratio | compile and load | size | lines, mean / most |"
		print "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
		split(rule_mixes, mixes, " ")
		split("10 1000 10000 100000", sizes, " ")
		for (i = 1; i in mixes; i++) for (j = 1; j in sizes; j++) {
			r = "rules." mixes[i] "." sizes[j]
			if (has(r ".compile"))
				printf "| %s | %s | %s ns (%s) | %s ns | %s × | %s ns (%s) | %s ns | %s × | %s s | %s MB | %s / %s |\n", mixes[i], sizes[j], \
					cell(r ".local.ours"), spread(r ".local.ours"), cell(r ".local.hash"), cell(r ".local.ratio"), \
					cell(r ".spread.ours"), spread(r ".spread.ours"), cell(r ".spread.hash"), cell(r ".spread.ratio"), \
					cell(r ".compile"), cell(r ".bytes"), cell(r ".lines"), cell(r ".lines_max")
		}
		print "\nLines: distinct 64-byte table lines that a header with every field random touches, counted in the user-space twin of the"
		print "look-up, header and class line excluded."
	}
	if (any("^e2e")) {
		section("End to end")
		print "Real frames, injected by an XDP program run with `BPF_F_TEST_XDP_LIVE_FRAMES` and sent through veth pairs, each with another"
		print "classifier at ingress of its far end. 1,000 flows over all rules; each rule is a source /24, UDP"
		print "and a destination port, and sets a mark. Per round ten slices of 2 ms for each pair in turn, the cheapest"
		print "counts; median and extremes over the rounds. Nanoseconds a packet on top of the path without a classifier; the"
		print "whole path in brackets. Two pairs are set up alike (A/A): when they differ by more than 5 % the run is void.\n"
		printf "| rules | no classifier | A/A | tcctl | u32 | nft, rules in a row | nft map | flower |\n|---:|---:|---:|---:|---:|---:|---:|---:|\n"
		split("10 1000 10000", e2e_n, " ")
		split("tcctl u32 nft nftmap flower", kinds, " ")
		for (i = 1; i in e2e_n; i++) {
			m = e2e_n[i]
			if (!has("e2e." m ".bare")) continue
			printf "| %s | %s | %s %% |", m, cell("e2e." m ".bare"), cell("e2e." m ".aa")
			for (j = 1; j in kinds; j++)
				printf " %s |", has("e2e." m "." kinds[j]) ? num(net(m, kinds[j])) " (" num(value["e2e." m "." kinds[j]]) ")" : "–"
			print ""
		}
		print "\nu32 has one list (several above 4,000 rules) and no counters; the nft map has one counter for all rules, tcctl and nft's rules"
		print "one for each.\n"
		table("^e2e\\.[0-9]+\\.[a-z0-9]+$")
		print "\nTime to load the rules, by the clock:\n"
		table("^e2e\\..*\\.setup$")
	}
	if (any("^tunnels")) {
		section("Tunnels")
		print "The smallest UDP datagrams over VXLAN (IPv4, no outer checksum, the default of both), over a veth pair from one network namespace to"
		print "another. All look the remote up and check where packets come from. Nanoseconds a packet for"
		print "encapsulation and decapsulation together, on top of plain; the whole path in brackets.\n"
		print "From socket to socket: sent and received by one process in batches of 32, both IP stacks in between. Plain: no tunnel,"
		print "twice (A/A). Kernel: a vxlan device at each end. Device: tcctl with a device at each end, as many steps as the kernel's. Without:"
		print "tcctl without devices, the tunnel's addresses are on the veth itself. The cheapest of 61 interleaved slices of 1.5 ms; median"
		print "over fresh loads of the programs. This is what the goals are about. Forwarding: `net.ipv4.ip_forward` at both ends. A router has"
		print "it on; where it is off, the kernel tells programs no next hops.\n"
		print "The floor: hooks are two classifiers that do nothing; by hand is a tunnel between two programs made of constants, without"
		print "a table, a counter, a route or a check of the sender. No classifier can do the work for less, whoever wrote it.\n"
		print "Injected: below the stacks, as under \"End to end\": frames come in by a port, are encapsulated there, and are dropped at the far"
		print "end as soon as they are out of the tunnel; forwarding is on. Plain frames are only patched through. So ours pays for a whole"
		print "dispatch that a vxlan device, which takes no part in classification, does not have.\n"
		print "| | plain | A/A | hooks | by hand | kernel | tcctl, device | ratio | tcctl, without | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
		tunnel_row("udp", "socket to socket, forwarding on")
		tunnel_row("host", "socket to socket, forwarding off")
		tunnel_row("e2e", "injected")
		if (any("^tunnels\\.run")) {
			print "\nThe programs alone, in one test run (`BPF_PROG_TEST_RUN`, with headroom, everything in the cache, nothing is sent), less a"
			print "program that does nothing:\n"
			table("^tunnels\\.run\\.")
		}
	}
	if (any("^prefix")) {
		section("Prefix sets")
		print "One rule with a set of N source prefixes, against a program written by hand with the kernel's LPM trie. Lengths as in global"
		print "routing tables: IPv4 /24 60 %, /22 12 %, /23 10 %, the rest /16 to /21; \"a tenth longer\" has 5 % /32 and 5 % /25, /28,"
		print "/30; IPv6 /48 45 %, /32 15 %, /44 10 %, the rest /29 to /64. Queries: 65,536 different addresses in a fixed order, nine"
		print "of ten a random host in a random prefix, one of ten any address; no locality. Look-up: less the same path"
		print "without a set. Both count what matched, and must agree.\n"
		print "| prefixes | tcctl, look-up | LPM trie, look-up | ratio | tcctl, whole | LPM, whole | compiled | compile and load | filling the trie |"
		print "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
		split("v4 v4long v6", pm, " ")
		split("1000 100000 1000000", pn, " ")
		for (i = 1; i in pm; i++) for (j = 1; j in pn; j++) {
			r = "prefix." pm[i] "." pn[j]
			if (has(r ".ratio"))
				printf "| %s %s | %s ns (%s) | %s ns (%s) | %s × | %s ns | %s ns | %s MB | %s s | %s s |\n", pn[j], \
					pm[i] == "v6" ? "IPv6" : pm[i] == "v4" ? "IPv4" : "IPv4, a tenth longer than /24", \
					cell(r ".ours.lookup"), spread(r ".ours.lookup"), cell(r ".lpm.lookup"), spread(r ".lpm.lookup"), cell(r ".ratio"), \
					cell(r ".ours.total"), cell(r ".lpm.total"), cell(r ".bytes"), cell(r ".compile"), cell(r ".lpm.load")
		}
	}
	if (any("^control")) {
		section("Control plane")
		print "N veth devices in one network namespace, both directions of each. `tc -batch` adds clsact and two filters a device, with a program"
		print "loaded and pinned beforehand; tcctl reads the configuration, loads its programs and does the same. Alternating"
		print "runs. CPU: user and system time of the process; in process: what `apply -j` reports. Milliseconds.\n"
		split("1 100 1000", dn, " ")
		print "| | 1 device | 100 devices | 1000 devices | spread at 1000 |\n|---|---:|---:|---:|---|"
		split("empty.tc.cpu qdisc.tc.cpu add.tc.cpu replace.tc.cpu show.tc.cpu get.tc.cpu clear.tc.cpu first.ours.cpu first.ours.total first.ours.load first.ours.clsact first.ours.filter again.ours.cpu again.ours.total replace.ours.cpu replace.ours.total swap.ours.cpu swap.ours.total status.ours.cpu ours.ours.cpu remove.ours.cpu", rows, " ")
		for (i = 1; i in rows; i++) {
			text = ""
			for (j = 1; j in dn; j++) if (has("control." dn[j] "." rows[i])) text = what["control." dn[j] "." rows[i]]
			if (text == "") continue
			printf "| %s |", text
			for (j = 1; j in dn; j++) printf " %s |", cell("control." dn[j] "." rows[i])
			printf " %s |\n", has("control.1000." rows[i]) ? spread("control.1000." rows[i]) : ""
		}
		print "\nSystem calls and netlink requests of one run (strace):\n"
		print "| | 1 device | 100 devices | 1000 devices |\n|---|---:|---:|---:|"
		split("qdisc.tc add.tc replace.tc show.tc first.ours replace.ours status.ours remove.ours", rows2, " ")
		for (i = 1; i in rows2; i++) for (k = 1; k <= 2; k++) {
			r = rows2[i] (k == 1 ? ".calls" : ".messages")
			text = ""
			for (j = 1; j in dn; j++) if (has("control." dn[j] "." r)) text = what["control." dn[j] "." r]
			if (text == "") continue
			printf "| %s |", text
			for (j = 1; j in dn; j++) printf " %s |", cell("control." dn[j] "." r)
			print ""
		}
	}
	if (any("^figures")) {
		section("Programs")
		print "As the kernel reports them after loading. Helper calls: left in the text after the verifier inlined what it can; look-ups: in the"
		print "source form. Slow paths are included in both, so a packet meets far fewer.\n"
		print "| program | machine code, bytes | instructions verified | helper calls | map look-ups |\n|---|---:|---:|---:|---:|"
		for (i = 1; i <= n; i++)
			if (order[i] ~ /^figures\..*\.jited$/) {
				r = order[i]; sub(/\.jited$/, "", r); m = r; sub(/^figures\./, "", m)
				printf "| %s | %s | %s | %s | %s |\n", m, cell(r ".jited"), cell(r ".insns"), cell(r ".helpers"), cell(r ".lookups")
			}
		if (has("figures.load")) printf "\nLoading a pipeline, every program verified: %s s (%s).\n", cell("figures.load"), spread("figures.load")
	}
	if (any("^memory")) {
		section("Memory")
		print "As the kernel accounts it, for everything that is pinned, maps inside maps and programs in jump tables included; access-list mix.\n"
		print "| rules | maps | of which counters | programs | together | maps, programs | first apply |\n|---:|---:|---:|---:|---:|---:|---:|"
		split("10 1000 100000", mn, " ")
		for (i = 1; i in mn; i++) {
			r = "memory." mn[i]
			if (has(r ".total"))
				printf "| %s | %s KiB | %s KiB | %s KiB | %s KiB | %s, %s | %s s |\n", mn[i], cell(r ".maps"), cell(r ".counters"), \
					cell(r ".programs"), cell(r ".total"), cell(r ".n_maps"), cell(r ".n_programs"), cell(r ".apply")
		}
	}
	section("Not measured")
	if (n_skips) {
		print "| part | why |\n|---|---|"
		for (i = 1; i <= n_skips; i++) { gsub(/\|/, "\\|", skip_why[i]); printf "| %s | %s |\n", skip_part[i], skip_why[i] }
	} else print "Everything was."
}
