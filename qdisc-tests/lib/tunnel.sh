# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tunnels between us and the kernel's own devices, many at once. Sourced after lib.sh.
#
#   client c0 ---- lan0 near u0 ======== u0 far [t1 t2 …: the kernel's tunnel devices]
#   10.7.I.1/16    10.7.255.254  10.9.I.1   10.9.I.2/16          10.8.I.2/24
#   fd00:7::I:1/64 fd00:7::ffff  fd00:9::I:1  fd00:9::I:2/64     fd00:8:0:I::2/64
#
# Each case I has addresses of its own on every link, so that tunnels of all kinds live side by side in one pipeline and
# nothing arrives by way of another one. What makes near's end:
#
#   kernel   tI of the kernel there, too: shows that the topology and the traffic are right
#   device   tcctl, with `device: dI`: it has the addresses and the MTU, and the stack routes into it
#   pair     the same, encapsulating at the other end of dI: the veth between has cut all segments by then, for what
#            each packet must have of its own (checksums over IPv6, sequence numbers)
#   made     the same with a dI that tcctl makes, which is all that the configuration says
#   direct   tcctl, deviceless: routes of `encap:` on the way out of u0
#   port     tcctl, on a link of its own, wI, of which everything is in the tunnel (VLANs)
#   external the kernel's device xI made with `external`, which tcctl tells what to write and asks what it read
#   lan      such a device, into which tcctl puts what comes in by lan0, IPv4 by prefix and IPv6 by class; the stack forwards none
#            of it. Frames come as the client made them, so that far's device has lan0's MAC address and knows that of xI
#
#   tunnel_topo
#   tunnel_add gre-key-4 device        a case: kind, options, family of the outer header; near's end
#   tunnel_add gtpu-4 direct direct    the same with far's end, too, by tcctl: for kinds that the kernel lacks
#   tunnel_start                       makes the devices, applies the configuration
#   tunnel_check                       traffic for each, then none without the other end

# Every kind that the kernel has a device for.
TUNNEL_CASES="vxlan-4 vxlan-6 vxlan-csum-4 vxlan-csum-6 ipip-4 ipip-6 ipip-in4-4 ipip-in6-4 ipip-in4-6 ipip-in6-6
	gre-4 gre-6 gre-key-4 gre-key-6 gre-csum-4 gre-csum-6 gre-seq-4 gre-seq-6 gre-all-4 gre-all-6
	gretap-4 gretap-6 gretap-key-4 gretap-key-6 geneve-4 geneve-6 geneve-csum-4 geneve-csum-6 geneve-options-4 geneve-ip-4 geneve-ip-6
	fou-in4-4 fou-in6-4 fou-in4-6 fou-in6-6 gue-4 gue-6 mpls-gre-4 mpls-gre-6 mpls-udp-4 gtpu-in4-4 vlan-4 qinq-4"
# Those that have an external device. It sends GRE with a key always, and ip6gretap from the address that is added last.
EXTERNAL_CASES="vxlan-4 vxlan-csum-6 vxlan-gbp-4 geneve-4 geneve-csum-6 geneve-options-4 gre-key-4 gretap-key-4 ipip-in4-4
	ipip-in6-6 gretap-key-6"
TUNNEL_HERE="vxlan-4 vxlan-6 vxlan-csum-4 vxlan-csum-6"
EXCHANGE=$B/tests/tools/exchange
GTP_TUNNEL=$B/tests/tools/gtp-tunnel
_n=0 _kinds=() _nears=() _fars=()

# What to go through: in the virtual machine ALL, HERE on hosts with few kinds of devices, or what CASES says.
tunnel_cases() { # ALL HERE
	local here=$2
	[[ ${QT_IN_VM-} ]] && here=$1
	echo ${CASES:-$here}
}

# What a case is: INNER (4, 6 or both), MTU of what is inside when u0 has 1500, ETH: frames, addresses, identifiers.
tunnel_case() { # INDEX
	local over=0 base
	I=$1 CASE=${_kinds[$1]} NEAR=${_nears[$1]} FAR=${_fars[$1]}
	base=${CASE%-[46]}
	OUTER=${CASE##*-} INNER="4 6" ETH=
	KIND=$base
	A=10.9.$I.1 B=10.9.$I.2
	[[ $OUTER = 6 ]] && A=fd00:9::$I:1 B=fd00:9::$I:2
	IN=$((100 + I)) OUT=$((500 + I)) # as near sees it
	case $base in
	ipip*) over=0 ;;
	gre) over=4 ;;
	gre-key | gre-csum | gre-seq) over=8 ;;
	gre-all) over=16 ;;
	gretap) over=18 ETH=1 ;;
	gretap-key) over=22 ETH=1 ;;
	geneve-options) over=38 ETH=1 ;;
	geneve-ip) over=16 ;;
	gtpu-pdu) over=24 ;;
	gtpu*) over=16 ;;
	vxlan* | geneve*) over=30 ETH=1 ;;
	fou*) over=8 ;;
	gue*) over=12 ;;
	mpls-gre) over=8 ;;
	mpls-udp-stack) over=16 ;;
	mpls-udp) over=12 ;;
	vlan) over=-20 ETH=1 ;;
	qinq) over=-16 ETH=1 ;; # a device takes one tag on top of its MTU
	*) die "no such case: $CASE" ;;
	esac
	case $base in
	*-in4) INNER=4 ;;
	*-in6) INNER=6 ;;
	esac
	# A socket of the kernel has its options for all tunnels on its port.
	case $base in
	vxlan | vxlan-in*) PORT=4789 ;;
	vxlan-csum) PORT=14001 ;;
	vxlan-gbp) PORT=14002 ;;
	geneve-csum) PORT=14003 ;;
	geneve-options) PORT=14006 ;;
	geneve-ip) PORT=14007 ;;
	geneve*) PORT=6081 ;;
	fou-in4) PORT=14004 ;;
	fou-in6) PORT=14005 ;;
	gue*) PORT=6080 ;;
	gtpu*) PORT=2152 ;;
	mpls-udp*) PORT=6635 ;;
	*) PORT= ;;
	esac
	MTU=$((1500 - (OUTER == 4 ? 20 : 40) - over))
}

# tI by the kernel, as lines for `ip -batch`; IN and OUT as near sees them.
kernel_tunnel() { # NS
	local ns=$1 l=$A r=$B in=$IN out=$OUT v6='' none='' gre=gre tap=gretap sum ends dev=t$I fou='' dev_mtu=$MTU
	[[ $ns = far ]] && l=$B r=$A in=$OUT out=$IN
	ends="local $l remote $r ttl 64"
	[[ $KIND = mpls-* ]] && dev_mtu=$((MTU + 4)) # the label is part of what the device carries
	[[ $OUTER = 6 ]] && v6=-6 none="encaplimit none" gre=ip6gre tap=ip6gretap
	link() { echo "link add $dev type $*"; }
	case $KIND in
	ipip) if [[ $OUTER = 4 ]]; then link sit mode any $ends; else link ip6tnl mode any $ends $none; fi ;;
	ipip-in4) if [[ $OUTER = 4 ]]; then link ipip $ends; else link ip6tnl mode ipip6 $ends $none; fi ;;
	ipip-in6) if [[ $OUTER = 4 ]]; then link sit $ends; else link ip6tnl mode ip6ip6 $ends $none; fi ;;
	gre | mpls-gre) link $gre $ends $none ;;
	gre-key) link $gre $ends ikey $in okey $out $none ;;
	gre-csum) link $gre $ends csum $none ;;
	gre-seq) link $gre $ends seq $none ;;
	gre-all) link $gre $ends ikey $in okey $out csum seq $none ;;
	gretap) link $tap $ends $none ;;
	gretap-key) link $tap $ends ikey $in okey $out $none ;;
	vxlan*)
		sum="udp6zerocsumrx udp6zerocsumtx"
		if [[ $KIND = *-csum ]]; then sum=udpcsum; [[ $OUTER = 6 ]] && sum=''; elif [[ $OUTER = 4 ]]; then sum=''; fi
		[[ $KIND = *-gbp ]] && sum+=" gbp"
		link vxlan id $IN $ends dstport $PORT $sum ;;
	geneve*)
		sum="udp6zerocsumrx udp6zerocsumtx"
		if [[ $KIND = *-csum ]]; then sum=udpcsum; [[ $OUTER = 6 ]] && sum=''; elif [[ $OUTER = 4 ]]; then sum=''; fi
		# It has no local address: the route says which.
		echo "route add $r dev u0 src $l"
		[[ $KIND = *-ip ]] && sum+=" innerprotoinherit"
		link geneve id $IN remote $r ttl 64 dstport $PORT $sum ;;
	fou-in4 | fou-in6 | gue)
		case $KIND in
		gue) fou=gue ;;
		*4) fou="ipproto 4" ;;
		*6) fou="ipproto 41" ;;
		esac
		# The kernel takes no zero checksums over IPv6 on these ports.
		sum=noencap-csum
		[[ $OUTER = 6 ]] && sum=encap-csum
		ip_fou "$ns" $v6 fou add port $PORT $fou
		sum="encap ${fou/ipproto*/fou} encap-sport auto encap-dport $PORT $sum"
		case $KIND$OUTER in
		fou-in44) link ipip $ends $sum ;;
		fou-in64) link sit $ends $sum ;;
		gue4) link sit mode any $ends $sum ;;
		fou-in46) link ip6tnl mode ipip6 $ends $none $sum ;;
		fou-in66) link ip6tnl mode ip6ip6 $ends $none $sum ;;
		gue6) link ip6tnl mode any $ends $none $sum ;;
		esac ;;
	gtpu-in4)
		# The user is the client, near its radio's side. The device has no local address: the route says which.
		echo "route add $r dev u0 src $l"
		if [[ $ns = far ]]; then link gtp role ggsn; else link gtp role sgsn; fi
		echo "add $dev v1 $in $out 10.7.$I.1 $r" >>"$T/$ns.gtp" ;;
	mpls-udp)
		ip_fou "$ns" fou add port $PORT ipproto 137
		link ipip mode mplsip $ends encap fou encap-sport auto encap-dport $PORT noencap-csum ;;
	vlan) echo "link add link w$I name $dev type vlan id $IN" ;;
	qinq)
		echo "link add link w$I name s$I type vlan proto 802.1ad id $IN"
		echo "link set s$I up"
		echo "link add link s$I name $dev type vlan id 200" ;;
	*) die "no kernel device for $KIND" ;;
	esac
	echo "link set $dev up mtu $dev_mtu"
	if [[ $KIND = mpls-* ]]; then
		echo "-f mpls route add $in dev lo" >>"$T/$ns.mpls"
		echo $dev >>"$T/$ns.mpls-in"
	fi
}

EXTERNAL_LOCAL=1
[[ $(printf '6.0\n%s' "$(uname -r)" | sort -V | head -n1) = 6.0 ]] || EXTERNAL_LOCAL=''
# xI, a device that has neither remote nor number of its own, likewise.
kernel_external() { # NS
	local v6='' sum="udp6zerocsumrx udp6zerocsumtx" gre=gre tap=gretap ip=ipip r=$B l=$A
	[[ $1 = far ]] && r=$A l=$B
	[[ $OUTER = 6 ]] && gre=ip6gre tap=ip6gretap ip=ip6tnl
	[[ $KIND = *-csum || $OUTER = 4 ]] && sum=''
	[[ $KIND = *-gbp ]] && sum+=" gbp"
	# Before 6.0 it can neither be told nor asked the local address: the route says that.
	[[ $EXTERNAL_LOCAL ]] || echo "route add $r dev u0 src $l"
	case $KIND in
	vxlan* | geneve*) echo "link add x$I type ${KIND%%-*} external dstport $PORT $sum" ;;
	gre-key) echo "link add x$I type $gre external" ;;
	gretap-key) echo "link add x$I type $tap external" ;;
	ipip*) echo "link add x$I type $ip external" ;;
	*) die "no external device for $KIND" ;;
	esac
	echo "link set x$I up mtu $MTU"
}
declare -A _fou=()
ip_fou() { # NS ARGUMENT…: once each; `ip -batch` has no fou
	[[ ${_fou[$*]-} ]] || must in_ns "$1" ip "${@:2}"
	_fou[$*]=1
}

# The same tunnel as an entry of `tunnels:`, without its name.
our_tunnel() { # NS [MORE_KEYS]
	local keys="local: \"$A\", remote: \"$B\"" t key="{ in: $IN, out: $OUT }" word=ip
	[[ $1 = far ]] && keys="local: \"$B\", remote: \"$A\"" key="{ in: $OUT, out: $IN }"
	[[ $INNER = 4 ]] && word=ipv4
	[[ $INNER = 6 ]] && word=ipv6
	case $KIND in
	ipip*) t="type: ipip, $keys, inner: $word" ;;
	gre*)
		t="type: gre, $keys"
		[[ $KIND = gretap* ]] && t+=", inner: eth"
		[[ $KIND = *-key || $KIND = *-all ]] && t+=", key: $key"
		[[ $KIND = *-csum || $KIND = *-all ]] && t+=", csum: true"
		[[ $KIND = *-seq || $KIND = *-all ]] && t+=", seq: true" ;;
	vxlan* | geneve*)
		t="type: ${KIND%%-*}, $keys, vni: $IN, port: $PORT"
		[[ $KIND = *-csum ]] && t+=", csum: true"
		[[ $KIND = *-gbp ]] && t+=", gbp: true"
		[[ $KIND = *-ip ]] && t+=", inner: ip"
		[[ $KIND = *-options ]] && t+=', options: [ { class: 0x0102, type: 1, data: "00112233" } ]' ;;
	fou* | gue)
		t="type: ${KIND%%-*}, $keys, port: $PORT, inner: $word"
		[[ $OUTER = 6 ]] && t+=", csum: true" ;;
	mpls-gre) t="type: mpls-gre, $keys, labels: $key" ;;
	gtpu*)
		t="type: gtpu, $keys, teid: $key"
		[[ $KIND = *-pdu ]] && t+=", pdu: uplink, qfi: 9, qfi-map: { EF: 1, AF41: 2 }" ;;
	mpls-udp-stack) t="type: mpls-udp, $keys, port: $PORT, labels: ${key/%$OUT \}/[$OUT, 1000] \}}" ;;
	mpls-udp) t="type: mpls-udp, $keys, port: $PORT, labels: $key" ;;
	vlan) t="type: vlan, tags: $IN" ;;
	qinq) t="type: vlan, tags: [ { id: $IN, proto: 802.1ad }, 200 ]" ;;
	*) die "no tunnel of ours for $KIND" ;;
	esac
	echo "{ $t${2:+, $2} }"
}

tunnel_topo() {
	ns_add client near far
	veth client c0 near lan0
	veth near u0 far u0
	addr near lan0 10.7.255.254/16 fd00:7::ffff/64
	in_ns near bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

tunnel_add() { # CASE kernel|device|pair|made|direct|port|external|lan [kernel|device|pair|made|direct|external|none]
	_n=$((_n + 1)) _kinds[_n]=$1 _nears[_n]=$2 _fars[_n]=${3-kernel}
}

# Has this kernel a device for the case that ip(8) can make? Says what is missing if not.
tunnel_can() { # CASE
	case $1 in
	geneve-ip* | gtpu*)
		[[ $(printf '5.18\n%s' "$(uname -r)" | sort -V | head -n1) = 5.18 ]] && return
		skip "$1" "a ${1%%-*} device of Linux 5.18"
		return 1 ;;
	esac
}

# What tcctl can be the near end of a case as.
tunnel_nears() { # CASE
	case $1 in
	vlan* | qinq*) echo port ;;
	gtpu* | gre-csum* | gre-seq* | gre-all* | *-csum-6 | fou*-6 | gue-6) echo made ;;
	geneve-ip*) echo device direct ;;
	vxlan* | geneve* | gretap*) echo device ;;
	*) echo device direct ;;
	esac
}

# Address of tI or dI, and the route to what is behind the other end.
_addr_lines() { # DEV HOST
	local via='' via6='' e=''
	[[ $ETH ]] && via="via 10.8.$I.$((3 - $2))" via6="via fd00:8:0:$I::$((3 - $2))"
	[[ $KIND = mpls-* && $1 = t* ]] && e="encap mpls $(($2 == 1 ? OUT : IN))"
	[[ $INNER = *4* ]] && echo "addr add 10.8.$I.$2/24 dev $1"
	[[ $INNER = *6* ]] && echo "addr add fd00:8:0:$I::$2/64 dev $1 nodad"
	if (($2 == 2)); then
		[[ $INNER = *4* ]] && echo "route add 10.7.$I.1/32 $e $via dev $1"
		[[ $INNER = *6* ]] && echo "route add fd00:7::$I:1/128 $e $via6 dev $1"
	elif [[ $e ]]; then
		# Labels are a route's, so that to the neighbour must have them.
		[[ $INNER = *4* ]] && echo "route add 10.8.$I.2/32 $e dev $1"
		[[ $INNER = *6* ]] && echo "route add fd00:8:0:$I::2/128 $e dev $1"
	fi
	return 0
}

LAN_MAC=02:07:00:00:00:01
_external_mac() { printf '02:08:00:00:00:%02x' "$I"; }

# One end of case I: lines for `ip -batch`, and for tcctl what goes into its configuration.
_end() { # NS HOST MODE
	local dst='' behind without encap
	case $3 in
	kernel)
		kernel_tunnel "$1"
		[[ $NEAR = lan && $ETH ]] && echo "link set t$I address $LAN_MAC"
		_addr_lines t$I "$2"
		if [[ $NEAR = lan && $ETH ]]; then
			echo "neigh replace 10.8.$I.1 lladdr $(_external_mac) dev t$I"
			echo "neigh replace fd00:8:0:$I::1 lladdr $(_external_mac) dev t$I"
		fi
		return ;;
	device | pair)
		# A device that only lends its name and addresses: nobody listens at its other end.
		echo "link add d$I type veth peer name e$I"
		echo "link set e$I up"
		[[ $ETH ]] || echo "link set d$I arp off"
		echo "link set d$I up mtu $MTU"
		_addr_lines d$I "$2"
		echo "  n$I: $(our_tunnel "$1" "device: d$I")" >>"$T/$1.tunnels"
		if [[ $3 = pair ]]; then
			echo "  d$I: { egress: { encap: [ { dst: [0.0.0.0/0, \"::/0\"], tunnel: keep } ] } }" >>"$T/$1.hooks"
			echo "  e$I: { side: lan, encap: n$I }" >>"$T/$1.hooks"
			echo d$I >>"$T/$1.uncut"
		else
			echo "  d$I: { encap: n$I }" >>"$T/$1.hooks"
		fi ;;
	made)
		_addr_lines d$I "$2" >>"$T/$1.made"
		echo "  n$I: $(our_tunnel "$1" "device: d$I")" >>"$T/$1.tunnels" ;;
	direct)
		behind=10.8.$I.0/24 dst=fd00:8:0:$I::/64
		(($2 == 2)) && behind=10.7.$I.1/32 dst=fd00:7::$I:1/128
		[[ $INNER = *4* ]] && echo "route add $behind via 10.9.$I.$((3 - $2)) dev u0"
		[[ $INNER = *6* ]] && echo "route add $dst via fd00:9::$I:$((3 - $2)) dev u0"
		if (($2 == 2)); then
			[[ $INNER = *4* ]] && echo "addr add 10.8.$I.2/32 dev lo"
			[[ $INNER = *6* ]] && echo "addr add fd00:8:0:$I::2/128 dev lo nodad"
		fi
		case $INNER in
		4) dst=$behind ;;
		6) dst="\"$dst\"" ;;
		*) dst="$behind, \"$dst\"" ;;
		esac
		echo "  n$I: $(our_tunnel "$1")" >>"$T/$1.tunnels"
		echo "{ dst: [$dst], tunnel: n$I }" >>"$T/$1.routes" ;;
	external | lan)
		kernel_external "$1"
		_addr_lines x$I "$2"
		without='port: [0-9]*,'
		[[ $EXTERNAL_LOCAL ]] || without+='|local: [^,]*,'
		echo "  n$I: $(our_tunnel "$1" "mode: metadata, device: x$I" | sed -E "s/ ($without)//g")" >>"$T/$1.tunnels"
		# What it is not asked about correctly does not arrive.
		encap=", encap: n$I"
		[[ $3 = lan ]] && encap=''
		echo "  x$I: { decap: { tunnels: [n$I], unknown: drop }$encap }" >>"$T/$1.hooks"
		[[ $3 = lan ]] || return
		[[ $ETH ]] && echo "link set x$I address $(_external_mac)"
		echo "link set lan0 address $LAN_MAC"
		if [[ $INNER = *4* ]]; then
			echo "rule add iif lan0 to 10.8.$I.2 blackhole" >>"$T/$1.rules"
			echo "{ dst: 10.8.$I.2/32, tunnel: n$I }" >>"$T/$1.prefixes"
		fi
		if [[ $INNER = *6* ]]; then
			echo "-6 rule add iif lan0 to fd00:8:0:$I::2 blackhole" >>"$T/$1.rules"
			echo "  c$I: { tunnel: n$I }" >>"$T/$1.classes"
			echo "{ dst: \"fd00:8:0:$I::2\", class: c$I }" >>"$T/$1.class-rules"
		fi
		return ;;
	port)
		echo "link set w$I mtu $MTU"
		_addr_lines w$I "$2"
		echo "  n$I: $(our_tunnel "$1")" >>"$T/$1.tunnels"
		echo "  w$I: { decap: [n$I], encap: n$I }" >>"$T/$1.hooks"
		return ;;
	none) return ;;
	*) die "no such end: $3" ;;
	esac
	echo "n$I" >>"$T/$1.decaps"
}

_list() { paste -sd, "$1" | sed 's/,/, /g'; } # FILE of lines

# The configuration of near or far: what _end left, as YAML.
_apply() { # NS
	[[ -e $T/$1.tunnels ]] || return 0
	{
		echo "tcctl: 1"
		echo "tunnels:"
		cat "$T/$1.tunnels"
		if [[ -e $T/$1.classes ]]; then
			echo "classes:"
			cat "$T/$1.classes"
			echo "rules:"
			echo "  lan: [ $(_list "$T/$1.class-rules") ]"
		fi
		echo "interfaces:"
		if [[ -e $T/$1.decaps ]]; then
			echo "  u0:"
			echo "    decap: [$(_list "$T/$1.decaps")]"
			[[ -e $T/$1.routes ]] && echo "    encap:" && sed 's/^/      - /' "$T/$1.routes"
		fi
		[[ -e $T/$1.hooks ]] && cat "$T/$1.hooks"
		if [[ -e $T/$1.rules ]]; then
			echo "  lan0:"
			echo "    side: lan"
			[[ -e $T/$1.classes ]] && echo "    rules: lan"
			[[ -e $T/$1.prefixes ]] && echo "    encap: [ $(_list "$T/$1.prefixes") ]"
		fi
	} >"$T/$1.yaml"
	check "apply in $1" "$TCCTL" --netns "$1" apply "$T/$1.yaml" || exit 1
	[[ ! -e $T/$1.made ]] || must in_ns "$1" ip -batch "$T/$1.made"
}

tunnel_start() {
	local ns line
	rm -f "$T"/{client,near,far}.*
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		[[ $KIND = vlan || $KIND = qinq ]] && veth near w$I far w$I
		{
			echo "addr add 10.7.$I.1/16 dev c0"
			echo "addr add fd00:7::$I:1/64 dev c0 nodad"
		} >>"$T/client.batch"
		{
			echo "addr add 10.9.$I.1/16 dev u0"
			echo "addr add fd00:9::$I:1/64 dev u0 nodad"
			_end near 1 "$NEAR"
		} >>"$T/near.batch"
		{
			echo "addr add 10.9.$I.2/16 dev u0"
			echo "addr add fd00:9::$I:2/64 dev u0 nodad"
			_end far 2 "$FAR"
		} >>"$T/far.batch"
	done
	{
		echo "route add default via 10.7.255.254"
		echo "route add ::/0 via fd00:7::ffff"
	} >>"$T/client.batch"
	for ns in client near far; do
		must in_ns $ns ip -batch "$T/$ns.batch"
		if [[ -e $T/$ns.uncut ]]; then
			while read -r line; do
				must in_ns $ns ethtool -K "$line" tx off tso off gso off tx-udp-segmentation off >/dev/null
			done <"$T/$ns.uncut"
		fi
		if [[ -e $T/$ns.rules ]]; then
			while read -r line; do must in_ns $ns ip $line; done <"$T/$ns.rules"
		fi
		if [[ -e $T/$ns.gtp ]]; then
			while read -r line; do must in_ns $ns "$GTP_TUNNEL" $line; done <"$T/$ns.gtp"
		fi
		[[ -e $T/$ns.mpls ]] || continue
		in_ns $ns bash -c 'echo 1000 >/proc/sys/net/mpls/platform_labels; for d; do echo 1 >/proc/sys/net/mpls/conf/$d/input; done' - \
			$(<"$T/$ns.mpls-in")
		while read -r line; do must in_ns $ns ip $line; done <"$T/$ns.mpls"
	done
	_apply near
	_apply far
}

# Traffic of case I; its cases are counted like our own.
_exchange() { # OPTIONS…
	local a=() rc bad _ends=$NEAR
	[[ $FAR = kernel ]] || _ends+="-$FAR"
	[[ $INNER = *4* ]] && a+=(-4 "10.7.$I.1,10.8.$I.2")
	[[ $INNER = *6* ]] && a+=(-6 "fd00:7::$I:1,fd00:8:0:$I::2")
	"$EXCHANGE" -a client -b far "${a[@]}" -t $((5 * ${QT_TIME_FACTOR:-1})) "$@" "$CASE $_ends" >"$T/exchange"
	rc=$?
	cat "$T/exchange"
	bad=$(grep -c '^not ok - ' "$T/exchange")
	_cases=$((_cases + $(grep -c '^ok - ' "$T/exchange") + bad)) _failed=$((_failed + bad))
	((rc == (bad > 0))) || not_ok "$CASE $_ends" "exchange ended with status $rc"
}

tunnel_check() {
	local a _left_out=''
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		a=(-m $MTU -l "${TUNNEL_BULK:-$((${QT_TIME_FACTOR:-1} > 3 ? 500000 : 2000000))}")
		[[ $NEAR = direct ]] || a+=(-f)
		_link=u0
		[[ $KIND = vlan || $KIND = qinq ]] && _link=w$I
		# GRE headers with checksum or sequence number are each packet's own: it is segmented before. So is MPLS by
		# the kernel's devices.
		# Frames below 54 bytes that were encapsulated on this same host cannot be taken out from under an IPv6 header
		# before 6.3, whose bpf_skb_adjust_room() wants 40 bytes to be left.
		[[ $ETH && $OUTER = 6 && $(printf '6.3\n%s' "$(uname -r)" | sort -V | head -n1) != 6.3 ]] && a+=(-s 12)
		# UDP in one piece that comes out of a UDP tunnel still looks to the kernel as if it were in it, and is cut
		# wrongly; kernels that can be told (flags of bpf_skb_adjust_room()) are newer than those tested.
		if [[ $PORT ]]; then
			[[ $FAR = kernel ]] && a+=(-p back) || a+=(-p both)
			_left_out=1
		fi
		[[ $NEAR = pair || $NEAR = made || $KIND = gre-csum || $KIND = gre-seq || $KIND = gre-all || $KIND = gtpu* || $KIND = mpls-* || ${TUNNEL_NO_GSO-} ]] || a+=(-u "near:$_link,far:$_link")
		_exchange "${a[@]}"
	done
	[[ $_left_out ]] && skip "UDP in pieces out of UDP tunnels" "a kernel that clears the segmentation state of what is decapsulated"
	# With one end gone nothing may get through, or what was seen above proves nothing.
	[[ -e $T/far.yaml ]] && check "remove in far" "$TCCTL" --netns far remove
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		[[ $FAR = kernel ]] || continue
		echo "link set t$I down"
		[[ $INNER = *4* ]] && echo "addr add 10.8.$I.2/32 dev lo"
		[[ $INNER = *6* ]] && echo "addr add fd00:8:0:$I::2/128 dev lo nodad"
	done | in_ns far ip -batch -
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		_exchange -n
	done
	if [[ -e $T/near.yaml ]]; then
		"$TCCTL" --netns near status >"$T/status" 2>&1
		check "remove in near" "$TCCTL" --netns near remove
	fi
}
