#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What tunnels put on the wire, as tshark reads it: nothing malformed, every checksum right, and each field as configured.
# The overheads are those that docs/tunnels.md promises.
#   client ---- near [tcctl] ======== far: only listens
# timeout: 120
. "${0%/*}/../lib/lib.sh"
. "$LIB/tunnel.sh"
need_file "$TCCTL" "$PKT"
need_cmd tshark text2pcap
FLOWS=32

# What a page says that a kind costs: the first two numbers of its row.
documented() { # ROW FAMILY
	awk -F'|' -v row=" $1 " -v col=$(($2 == 4 ? 3 : 4)) '$2 == row && $col ~ /^ [0-9]+ $/ { gsub(/ /, "", $col); print $col }' "$TOP/docs/tunnels.md"
}

cases="ipip-4 ipip-6 gre-4 gre-6 gre-key-4 gre-all-4 gre-all-6 gretap-4 gretap-6 vxlan-4 vxlan-6 vxlan-csum-4 vxlan-csum-6
	geneve-4 geneve-6 geneve-csum-4 geneve-ip-4 geneve-options-4 gtpu-4 gtpu-6 gtpu-pdu-4 gtpu-pdu-6 fou-in4-4 fou-in4-6 fou-in6-4
	gue-4 gue-6 mpls-gre-4 mpls-gre-6 mpls-udp-4 mpls-udp-6 mpls-udp-stack-4"
tunnel_topo
for c in ${CASES:-$cases}; do
	case $c in
	vxlan* | geneve-[46] | geneve-csum* | geneve-options* | gretap*) tunnel_add "$c" device none ;;
	*) tunnel_add "$c" direct none ;;
	esac
done
tunnel_start
# Whole checksums, no segments: what is captured is what a wire would carry.
offloads client c0 off
mac=$(in_ns far ip -j link show dev u0 | jq -r '.[0].address')
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	[[ $NEAR = device && $ETH ]] || continue
	in_ns near ip neigh replace 10.8.$I.2 lladdr 02:00:00:00:00:02 dev d$I
	in_ns near ip neigh replace fd00:8:0:$I::2 lladdr 02:00:00:00:00:02 dev d$I
	in_ns near ethtool -K d$I tx off >/dev/null
done
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	# Neighbours of the underlay first, so that no packet waits for them.
	[[ $OUTER = 4 ]] && in_ns near ip neigh replace 10.9.$I.2 lladdr "$mac" dev u0 || in_ns near ip neigh replace fd00:9::$I:2 lladdr "$mac" dev u0
done

capture_start wire far u0 -Q in 'ip or (ip6 and not icmp6)'
for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	for f in $INNER; do
		to=10.8.$I.2 from=10.7.$I.1
		[[ $f = 6 ]] && to=fd00:8:0:$I::2 from=fd00:7::$I:1
		in_ns client "$PKT" send -s $from -S 62000 -d $to -P 61001-$((61000 + FLOWS)) -n $FLOWS -l 333 -q EF >"$T/sent" || not_ok "$CASE: send" "$(<"$T/sent")"
		in_ns client "$PKT" send -p tcp -s $from -S 62000 -d $to -P 80 -t 0.05 >/dev/null 2>&1
	done
done
capture_stop wire

# One line for each packet: tab-separated, first (outer) and last (inner) occurrences. FOU ports are IP by themselves.
dissect() { # PCAP FIELDS…
	local pcap=$1 f e=()
	shift
	for f; do e+=(-e "$f"); done
	tshark -nr "$pcap" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o tcp.check_checksum:TRUE \
		-d udp.port==14001,vxlan -d udp.port==14002,vxlan -d udp.port==14003,geneve -d udp.port==14006,geneve -d udp.port==14007,geneve -d udp.port==14004,ip -d udp.port==14005,ipv6 \
		-T fields -E separator=/t -E occurrence=a -E aggregator=' ' "${e[@]}" -Y "${FILTER-}" 2>"$T/tshark.err"
}
FIELDS="ip.dst ipv6.dst ip.ttl ipv6.hlim ip.dsfield.dscp ipv6.tclass.dscp ip.flags.df udp.srcport udp.dstport ip.len ipv6.plen
	udp.checksum.status ip.checksum.status tcp.checksum.status gre.checksum.status vxlan.vni geneve.vni gre.key gtp.teid mpls.label
	gtp.ext_hdr.pdu_ses_con.qos_flow_id gtp.ext_hdr.pdu_ses_con.pdu_type geneve.option.class geneve.option.type gre.sequence_number
	_ws.malformed _ws.expert.message frame.protocols data.data"
dissect "$T/wire.pcap" $FIELDS >"$T/all.tsv"
check "tshark reads what was captured" test -s "$T/all.tsv"

declare -A at=()
n=0
for f in $FIELDS; do n=$((n + 1)) at[$f]=$n; done
# Values of a field in the packets of case I; `first` is of the outer header, `last` of the inner.
values() { # FIELD [first|last]
	awk -F'\t' -v dst="$B" -v d4="${at[ip.dst]}" -v d6="${at[ipv6.dst]}" -v col="${at[$1]}" -v which="${2-}" '
		{ split($d4, a, " "); split($d6, b, " ") }
		a[1] == dst || b[1] == dst {
			n = split($col, v, " ")
			if (which == "first") print v[1]; else if (which == "last") print v[n]; else print $col
		}' "$T/all.tsv"
}
distinct() { sort | uniq | xargs; }

for ((I = 1; I <= _n; I++)); do
	tunnel_case "$I"
	families=$(wc -w <<<"$INNER")
	n=$(values udp.dstport last | grep -cE '^610[0-9][0-9]$')
	ip=ip dsfield=ip.dsfield.dscp ttl=ip.ttl
	[[ $OUTER = 6 ]] && ip=ipv6 dsfield=ipv6.tclass.dscp ttl=ipv6.hlim
	if [[ $KIND = gue ]]; then
		# No dissector: the four bytes of its header are told here, the rest is read as IP.
		check_match "$CASE: header: version 0, protocol, no flags" "$(values data.data | cut -c 1-8 | distinct)" '^(00040000|00040000 00290000)$'
		values data.data | cut -c 9- | sed 's/../& /g; s/^/000000 /' >"$T/inner.txt"
		text2pcap -q -l 101 "$T/inner.txt" "$T/inner.pcap" 2>/dev/null
		dissect "$T/inner.pcap" udp.dstport udp.checksum.status ip.checksum.status tcp.checksum.status _ws.malformed >"$T/inner.tsv"
		n=$(awk '$1 ~ /^610[0-9][0-9]$/' "$T/inner.tsv" | wc -l)
		check_eq "$CASE: inner checksums" "$(awk -F'\t' '$2 == "0" || $3 == "0" || $4 == "0" || $5 != ""' "$T/inner.tsv" | wc -l)" 0
	fi
	check_eq "$CASE: every datagram is there" "$n" $((FLOWS * families))
	check_eq "$CASE: nothing malformed" "$(values _ws.malformed | distinct)" ""
	check_eq "$CASE: no complaint" "$(values _ws.expert.message | grep -viE 'connection establish|possible traceroute|^$' |
		{ if [[ $OUTER = 6 ]]; then grep -v 'Illegal checksum value (0)'; else cat; fi; } | distinct)" "" # RFC 6935 allows 0 here
	bad=0
	for f in udp.checksum.status ip.checksum.status tcp.checksum.status gre.checksum.status; do
		bad=$((bad + $(values $f | tr ' ' '\n' | grep -cx 0)))
	done
	check_eq "$CASE: no wrong checksum" $bad 0
	check_eq "$CASE: outer DSCP is the inner one" "$(values $dsfield first | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')" 46
	check_eq "$CASE: outer TTL" "$(values $ttl first | distinct)" 64
	[[ $OUTER = 4 ]] && check_match "$CASE: DF" "$(values ip.flags.df first | distinct)" '^(1|True)$'
	if [[ $PORT ]]; then
		check_eq "$CASE: destination port" "$(values udp.dstport first | distinct)" "$PORT"
		ports=$(values udp.srcport first | sort -n | uniq)
		[[ $KIND = gtpu* ]] || check "$CASE: source ports are dynamic ones, and many" \
			test "$(head -n1 <<<"$ports")" -ge 49152 -a "$(wc -l <<<"$ports")" -ge $((FLOWS / 4))
		want=3
		[[ $KIND = *-csum || $OUTER = 6 && ($KIND = fou* || $KIND = gue) ]] && want=1
		got=$(values udp.checksum.status first | distinct)
		if [[ $want = 1 ]]; then check_eq "$CASE: outer UDP checksum is there and right" "$got" 1
		else check_match "$CASE: no outer UDP checksum" "$got" '^[234]?$'; fi
	fi
	# The far end expects what near calls out.
	case $KIND in
	vxlan*) check_eq "$CASE: VNI" "$(values vxlan.vni | distinct)" $IN ;;
	geneve*) check_eq "$CASE: VNI" "$((16#$(values geneve.vni | distinct | sed 's/^0x//')))" $IN ;;
	gtpu*) check_eq "$CASE: TEID" "$((16#$(values gtp.teid | distinct | sed 's/^0x//')))" $OUT ;;
	mpls-*-stack) check_eq "$CASE: labels" "$(values mpls.label | distinct)" "$OUT 1000" ;;
	mpls-*) check_eq "$CASE: label" "$(values mpls.label | distinct)" $OUT ;;
	gre-key | gre-all) check_eq "$CASE: key" "$((16#$(values gre.key | distinct | sed 's/^0x//')))" $OUT ;;
	esac
	[[ $KIND = geneve-options ]] && check_eq "$CASE: option" "$(values geneve.option.class | distinct) $(values geneve.option.type | distinct)" "0x0102 0x01"
	[[ $KIND = gtpu-pdu ]] && check_eq "$CASE: QFI 1 of DSCP EF, 9 of others, uplink" \
		"$(values gtp.ext_hdr.pdu_ses_con.qos_flow_id | distinct), $(values gtp.ext_hdr.pdu_ses_con.pdu_type | distinct)" "1 9, 1"
	[[ $KIND = gre-all ]] && check_eq "$CASE: sequence numbers go up by one" \
		"$(values gre.sequence_number | awk 'NR > 1 && $1 != last + 1 { bad++ } { last = $1 } END { print bad + 0 }')" 0

	# 333 bytes of data and UDP: what is left of the outer packet is the tunnel's.
	row="\`${KIND%%-*}\`"
	case $KIND in
	gretap) row='`gre`, `inner: eth`' ;;
	geneve-ip) row='`geneve`, `inner: ip`' ;;
	gtpu-pdu) row='`gtpu`, `pdu`' ;;
	mpls-udp) row='`mpls-udp`, one label' ;;
	mpls-gre) row='`mpls-gre`, one label' ;;
	gre-* | *-options | *-stack) row= ;;
	esac
	[[ $row ]] || continue
	fixed=$(((OUTER == 6 ? 40 : 0)))
	first=ip.len
	[[ $OUTER = 6 ]] && first=ipv6.plen
	for f in $INNER; do
		inner=$((333 + 8 + (f == 4 ? 20 : 40)))
		want=$(documented "$row" $OUTER)
		check_eq "$CASE, IPv$f inside: overhead as documented" \
			"$(($(values $first first | awk -v want=$((inner + ${want:-0} - fixed)) '$1 == want' | wc -l) == FLOWS))" 1
	done
done
