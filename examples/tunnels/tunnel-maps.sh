#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tunnels for the objects of bpf-progs as stock `tc` loads them: fills the tables that the objects have pinned below
# tc/globals with nothing but bpftool. Rows are those of bpf-progs/include/tcctl/tunnel.h.
#
#	tunnel-maps.sh init [default ID] [unknown-drop TYPE]...	once, after the first `tc filter add`; also empties them
#	tunnel-maps.sh tunnel ID ipip|gre|vxlan|gtpu local ADDRESS remote ADDRESS [OPTION]...
#	tunnel-maps.sh route PREFIX ID				what goes into it by destination; ID 0: what does not
#	tunnel-maps.sh show ID					its counters
#
# ID is a number of yours, 1 to 63; `default`: what no route names goes into that one. OPTION:
#
#	inner ip|ipv4|ipv6		what it carries (ip; vxlan: Ethernet)
#	key N | vni N | teid IN OUT	hexadecimal with 0x; `key N okey M` where the remote has another one
#	pdu uplink|downlink qfi N	gtpu: PDU session container; `dscp-qfi DSCP QFI` maps one DSCP, both ways
#	device NAME			what is decapsulated arrives there; needed for Ethernet that is not for this host
#	mtu N				largest packet inside (from an underlay of 1500 bytes)
#	clamp-mss
# Bytes are words on purpose:
# shellcheck disable=SC2046,SC2206,SC2207
set -eu
PATH=$PATH:/usr/sbin:/sbin
globals=${TC_BPF_MNT:-/sys/fs/bpf}/tc/globals
tables=${globals%/*}/tunnels # the inner maps, under names of their own

usage() { sed -n 's/^#\t//p' "$0" >&2; exit 2; }
die() { echo "tunnel-maps.sh: $*" >&2; exit 1; }

# --- bytes ------------------------------------------------------------------------------------------------

little=$(($(printf '\1\0' | od -An -tu2) == 1))
bytes() { # VALUE SIZE LITTLE: as bpftool wants them
	local i b out=''
	for ((i = 0; i < $2; i++)); do
		printf -v b '%02x' $(($1 >> 8 * i & 255))
		if (($3)); then out="$out $b"; else out="$b $out"; fi
	done
	echo $out
}
host() { bytes "$1" "$2" "$little"; } # in the machine's order
net() { bytes "$1" "$2" 0; }	      # in the network's
zeros() { (($1 > 0)) && printf '00 %.0s' $(seq "$1") || :; }

address() { # 4 or 16 bytes
	local head=${1%%::*} rest='' g h t
	if [[ $1 != *:* ]]; then
		printf '%02x ' ${1//./ }
		return
	fi
	[[ $1 = *::* ]] && rest=${1#*::}
	h=(${head//:/ }) t=(${rest//:/ })
	while ((${#h[@]} + ${#t[@]} < 8)); do h+=(0); done
	for g in "${h[@]}" "${t[@]}"; do net $((16#$g)) 2; done
}
pad16() { local b; b=$(address "$1"); echo $b; [[ $1 = *:* ]] || zeros 12; }
length() { wc -w <<<"$*"; }

row=()
put() { # OFFSET BYTE...: into struct tcctl_tunnel
	local at=$1 b
	shift
	for b; do row[at++]=$b; done
}

# --- tables -----------------------------------------------------------------------------------------------

set_entry() { bpftool map update pinned "$1" key hex $2 value hex $3; } # MAP KEY VALUE

table() { # NAME TYPE KEY VALUE ENTRIES FLAGS [INDEX]: an inner map, put into the outer one of that name
	rm -f "$tables/$1"
	bpftool map create "$tables/$1" type "$2" key "$3" value "$4" entries "$5" name "$1" flags "$6"
	bpftool map update pinned "$globals/$1" key hex $(host "${7-0}" 4) value pinned "$tables/$1"
}

type_number() { # enum tcctl_tunnel_type
	case $1 in
	ipip) echo 1 ;;
	gre) echo 2 ;;
	vxlan) echo 3 ;;
	gtpu) echo 5 ;;
	*) die "type: got '$1', expected ipip, gre, vxlan or gtpu" ;;
	esac
}

chunk=512 # TCCTL_CHUNK_TUNNELS
init() {
	local unknown=0 default=0
	while (($#)); do
		(($# > 1)) || usage
		case $1 in
		default) default=$2 ;;
		unknown-drop) unknown=$((unknown | 1 << $(type_number "$2"))) ;;
		*) usage ;;
		esac
		shift 2
	done
	[[ -e $globals/tunnels ]] || die "no $globals/tunnels: add a filter first, its object brings the table"
	mkdir -p "$tables"
	table decaps hash 44 4 1024 0
	table routes lpm_trie 24 4 1024 1
	table counters percpu_array 4 24 1024 0 $chunk
	table tunnels array 4 384 64 0x1000
	# Row 0: the default tunnel, TCCTL_TS_ROUTES and TCCTL_TS_BOTH, types whose strangers are dropped.
	set_entry "$tables/tunnels" "$(host 0 4)" "$(host "$default" 4) $(host 0x11 4) $(host $unknown 4) $(zeros 372)"
}

route() { # PREFIX ID
	local a=${1%/*} len=${1#*/} family=4
	[[ $a = *:* ]] && family=6
	set_entry "$tables/routes" "$(host $((32 + len)) 4) $(host $family 4) $(pad16 "$a")" "$(host "$2" 4)"
}

tunnel() { # ID TYPE OPTION...
	local id=$1 name=$2 type local='' remote='' inner=ip in=0 out=0 has=0 pdu='' qfi=0 device=0 mac='' mtu=0 port=0
	local flags=$((0x8010)) # answer what is too big; outer DSCP as inside
	local family=4 h l4 adjust over map='' i
	type=$(type_number "$name")
	[[ $name = vxlan ]] && inner=eth
	shift 2
	while (($#)); do
		case $1 in
		local | remote | inner | mtu | qfi) printf -v "$1" %s "$2" ;;
		key) in=$(($2)) out=$in has=1 ;;
		okey) out=$(($2)) ;;
		vni) in=$(($2)) out=$in ;;
		teid) in=$(($2)) out=$(($3)); shift ;;
		pdu) pdu=$2 ;;
		dscp-qfi) map+=" $2:$3"; shift ;;
		device)
			# not from /sys, which may be another namespace's
			read -r device mac < <(ip -j link show dev "$2" | jq -r '.[] | "\(.ifindex) \(.address)"') ||
				die "device $2: no such device" ;;
		clamp-mss)
			flags=$((flags | 0x200))
			shift
			continue ;;
		*) die "'$1' is no option" ;;
		esac
		shift 2
	done
	[[ $local && $remote ]] || die "tunnel: needs local and remote"
	[[ $local = *:* ]] && family=6
	row=($(zeros 256) $(zeros 64) $(printf 'ff %.0s' {1..64}))

	# The outer header: what no packet changes. Lengths, checksums, the source port are 0.
	local proto payload_at=0 payload_kind=0 length_at=0
	case $name in
	ipip) case $inner in ipv4) proto=4 ;; ipv6) proto=41 ;; *) proto=0 payload_kind=1 payload_at=9 ;; esac ;;
	gre) proto=47 ;;
	*) proto=17 ;;
	esac
	if ((family == 4)); then
		h="45 00 00 00 00 00 40 00 40 $(net $proto 1) 00 00 $(address "$local") $(address "$remote")" l4=20 over=20
	else
		((payload_at)) && payload_at=6
		h="60 00 00 00 00 00 $(net $proto 1) 40 $(address "$local") $(address "$remote")" l4=40 over=40
	fi
	case $name in
	gre)
		case $inner in
		ipv4) proto=0800 ;; ipv6) proto=86dd ;; *) proto=0000 payload_kind=2 payload_at=$((l4 + 2)) ;;
		esac
		if ((has)); then h+=" 20 00 $(net 0x$proto 2) $(net $out 4)"; else h+=" 00 00 $(net 0x$proto 2)"; fi ;;
	vxlan)
		port=4789
		h+=" 00 00 $(net $port 2) 00 00 00 00 08 00 00 00 $(net $((out << 8)) 4)" over=$((over + 14)) ;;
	gtpu)
		port=2152 length_at=$((l4 + 10))
		h+=" 00 00 $(net $port 2) 00 00 00 00 $([[ $pdu ]] && echo 34 || echo 30) ff 00 00 $(net $out 4)" ;;
	esac
	if [[ $pdu ]]; then
		i=0
		[[ $pdu = uplink ]] && i=16
		h+=" 00 00 00 85 01 $(net $i 1) $(net "$qfi" 1) 00"
		put 256 $(printf "$(net "$qfi" 1) %.0s" {1..64})
		for i in $map; do
			flags=$((flags | 0x6000))
			put $((256 + ${i%:*})) $(net "${i#*:}" 1)
			put $((320 + ${i#*:})) $(net "${i%:*}" 1)
		done
	fi
	over=$((over + $(length "$h") - l4))

	adjust=$((1 | (family == 4 ? 2 : 4)))	  # BPF_F_ADJ_ROOM_FIXED_GSO, _ENCAP_L3_IPV4 or _IPV6
	((proto == 17)) && adjust=$((adjust | 16 )) # _ENCAP_L4_UDP
	[[ $name = gre ]] && adjust=$((adjust | 8 ))
	case $inner in
	eth) flags=$((flags | 1)) adjust=$((adjust | 14 << 56 | 64)) ;; # _ENCAP_L2(14), _ENCAP_L2_ETH
	ipv4) flags=$((flags | 2)) ;;
	ipv6) flags=$((flags | 4)) ;;
	*) flags=$((flags | 6)) ;;
	esac
	((device)) || flags=$((flags | 0x40000)) # it is a hop: the TTL inside is decremented
	((proto == 17)) && flags=$((flags | 0x1000)) # the source port spreads flows
	((mtu)) || mtu=$((1500 - over))

	put 0 $(host $((flags | 0x80000)) 4) $(host "$type" 1) $(host $family 1) $(host "$(length "$h")" 1) $(host $l4 1)
	put 8 $(host $payload_at 1) $(host $payload_kind 1) $(host $length_at 1)
	put 12 $(host "$mtu" 2) $(host 49152 2) $(host 16383 2)
	put 24 $(host "$device" 4)
	put 36 $(host $((chunk * 1024 + id * 16)) 4)
	put 48 $(host "$in" 4) $(host "$out" 4) 40 00 $(host "$type" 1)
	put 64 $(pad16 "$local")
	put 80 $(pad16 "$remote")
	put 96 $(host $adjust 8) ${mac//:/ }
	put 128 $h
	set_entry "$tables/tunnels" "$(host "$id" 4)" "${row[*]}"
	set_entry "$tables/decaps" "$(host "$type" 1) $(host $family 1) $(host $port 2) $(host "$in" 4) $(host $has 4) \
		$(pad16 "$local") $(pad16 "$remote")" "$(host "$id" 4)"
}

show() { # ID
	local i=0 name n
	for name in received sent rx-bad rx-payload rx-ecn rx-ce rx-csum rx-depth tx-mtu tx-answered tx-route tx-unknown \
		tx-payload tx-failed tx-loop tx-flooded; do
		n=0
		for b in $(bpftool -j map lookup pinned "$tables/counters" key hex $(host $(($1 * 16 + i)) 4) |
			jq -r '.values[].value[0:8] | map(ltrimstr("0x")) | join("")'); do
			((little)) && b=${b:14:2}${b:12:2}${b:10:2}${b:8:2}${b:6:2}${b:4:2}${b:2:2}${b:0:2}
			n=$((n + 16#$b))
		done
		((n == 0 && i > 1)) || printf '%-12s %d packets\n' $name $n
		i=$((i + 1))
	done
}

command -v bpftool >/dev/null || die "needs bpftool"
case ${1-}:$# in
init:*) init "${@:2}" ;;
route:3) route "$2" "$3" ;;
show:2) show "$2" ;;
tunnel:*) (($# > 6 && $2 > 0 && $2 < 64)) || usage; tunnel "${@:2}" ;;
*) usage ;;
esac
