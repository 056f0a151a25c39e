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
#   direct   tcctl, deviceless: routes of `encap:` on the way out of u0
#
#   tunnel_topo
#   tunnel_add gre-key-4 device        a case: kind, options, family of the outer header
#   tunnel_start                       makes the devices, applies the configuration
#   tunnel_check                       traffic for each, then none without the other end

# Every kind that the kernel has a device for.
TUNNEL_CASES="vxlan-4 vxlan-6 vxlan-csum-4 vxlan-csum-6 ipip-4 ipip-6 ipip-in4-4 ipip-in6-4 ipip-in4-6 ipip-in6-6
	gre-4 gre-6 gre-key-4 gre-key-6 gre-csum-4 gre-csum-6 gre-seq-4 gre-seq-6 gre-all-4 gre-all-6
	gretap-4 gretap-6 gretap-key-4 gretap-key-6 geneve-4 geneve-6 geneve-csum-4 geneve-csum-6 geneve-options-4
	fou-in4-4 fou-in6-4 fou-in4-6 fou-in6-6 gue-4 gue-6 mpls-gre-4 mpls-gre-6 mpls-udp-4 vlan-4 qinq-4"
EXCHANGE=$B/tests/tools/exchange
_n=0 _kinds=() _nears=()

# What a case is: INNER (4, 6 or both), MTU of what is inside when u0 has 1500, ETH: frames, addresses, identifiers.
tunnel_case() { # INDEX
	local over=0 base
	I=$1 CASE=${_kinds[$1]} NEAR=${_nears[$1]}
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
	vxlan* | geneve*) over=30 ETH=1 ;;
	fou*) over=8 ;;
	gue*) over=12 ;;
	mpls-gre) over=8 ;;
	mpls-udp) over=12 ;;
	vlan) over=-20 ETH=1 ;;
	qinq) over=-16 ETH=1 ;; # a device takes one tag on top of its MTU
	*) die "no such case: $CASE" ;;
	esac
	case $base in
	*-in4) INNER=4 ;;
	*-in6) INNER=6 ;;
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
		link vxlan id $IN $ends dstport $((14000 + I)) $sum ;;
	geneve*)
		sum="udp6zerocsumrx udp6zerocsumtx"
		if [[ $KIND = *-csum ]]; then sum=udpcsum; [[ $OUTER = 6 ]] && sum=''; elif [[ $OUTER = 4 ]]; then sum=''; fi
		# It has no local address: the route says which.
		echo "route add $r dev u0 src $l"
		link geneve id $IN remote $r ttl 64 dstport $((14000 + I)) $sum ;;
	fou-in4 | fou-in6 | gue)
		case $KIND in
		gue) fou=gue ;;
		*4) fou="ipproto 4" ;;
		*6) fou="ipproto 41" ;;
		esac
		# The kernel takes no zero checksums over IPv6 on these ports.
		sum=noencap-csum
		[[ $OUTER = 6 ]] && sum=encap-csum
		ip_fou "$ns" $v6 fou add port $((14000 + I)) $fou
		sum="encap ${fou/ipproto*/fou} encap-sport auto encap-dport $((14000 + I)) $sum"
		case $KIND$OUTER in
		fou-in44) link ipip $ends $sum ;;
		fou-in64) link sit $ends $sum ;;
		gue4) link sit mode any $ends $sum ;;
		fou-in46) link ip6tnl mode ipip6 $ends $none $sum ;;
		fou-in66) link ip6tnl mode ip6ip6 $ends $none $sum ;;
		gue6) link ip6tnl mode any $ends $none $sum ;;
		esac ;;
	mpls-udp)
		ip_fou "$ns" fou add port $((14000 + I)) ipproto 137
		link ipip mode mplsip $ends encap fou encap-sport auto encap-dport $((14000 + I)) noencap-csum ;;
	vlan) echo "link add link u0 name $dev type vlan id $IN" ;;
	qinq)
		echo "link add link u0 name s$I type vlan proto 802.1ad id $IN"
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
ip_fou() { must in_ns "$1" ip "${@:2}"; } # `ip -batch` has no fou

# The same tunnel as an entry of `tunnels:`, without its name.
our_tunnel() { # [MORE_KEYS]
	local keys="local: \"$A\", remote: \"$B\"" t key="{ in: $IN, out: $OUT }" word=ip
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
		t="type: ${KIND%%-*}, $keys, vni: $IN, port: $((14000 + I))"
		[[ $KIND = *-csum ]] && t+=", csum: true"
		[[ $KIND = *-gbp ]] && t+=", gbp: true"
		[[ $KIND = *-options ]] && t+=', options: [ { class: 0x0102, type: 1, data: "00112233" } ]' ;;
	fou* | gue)
		t="type: ${KIND%%-*}, $keys, port: $((14000 + I)), inner: $word"
		[[ $OUTER = 6 ]] && t+=", csum: true" ;;
	mpls-gre) t="type: mpls-gre, $keys, labels: $key" ;;
	mpls-udp) t="type: mpls-udp, $keys, port: $((14000 + I)), labels: $key" ;;
	vlan) t="type: vlan, tags: $IN, underlay: u0" ;;
	qinq) t="type: vlan, tags: [ { id: $IN, proto: 802.1ad }, 200 ], underlay: u0" ;;
	*) die "no tunnel of ours for $KIND" ;;
	esac
	echo "{ $t${1:+, $1} }"
}

tunnel_topo() {
	ns_add client near far
	veth client c0 near lan0
	veth near u0 far u0
	addr near lan0 10.7.255.254/16 fd00:7::ffff/64
	in_ns near bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

tunnel_add() { _n=$((_n + 1)) _kinds[_n]=$1 _nears[_n]=$2; } # CASE kernel|device|direct

# Address of tI or dI, and the route to what is behind the other end.
_addr_lines() { # DEV HOST
	local via='' via6='' e='' e6=''
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

tunnel_start() {
	local decap='' routes='' hooks='' ours='' dst ns
	rm -f "$T"/*.batch "$T"/*.mpls*
	echo "tcctl: 1" >"$T/tunnel.yaml"
	echo "tunnels:" >>"$T/tunnel.yaml"
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		{
			echo "addr add 10.7.$I.1/16 dev c0"
			echo "addr add fd00:7::$I:1/64 dev c0 nodad"
		} >>"$T/client.batch"
		{
			echo "addr add 10.9.$I.1/16 dev u0"
			echo "addr add fd00:9::$I:1/64 dev u0 nodad"
		} >>"$T/near.batch"
		{
			echo "addr add 10.9.$I.2/16 dev u0"
			echo "addr add fd00:9::$I:2/64 dev u0 nodad"
			kernel_tunnel far
			_addr_lines t$I 2
		} >>"$T/far.batch"
		case $NEAR in
		kernel)
			kernel_tunnel near >>"$T/near.batch"
			_addr_lines t$I 1 >>"$T/near.batch"
			continue ;;
		device)
			# A device that only lends its name and addresses: nobody listens at its other end.
			{
				echo "link add d$I type veth peer name e$I"
				echo "link set e$I up"
				[[ $ETH ]] || echo "link set d$I arp off"
				echo "link set d$I up mtu $MTU"
				_addr_lines d$I 1
			} >>"$T/near.batch"
			echo "  n$I: $(our_tunnel "device: d$I")" >>"$T/tunnel.yaml"
			hooks+="  d$I: { encap: n$I }"$'\n' ;;
		direct)
			dst=''
			[[ $INNER = *4* ]] && dst="10.8.$I.0/24"
			[[ $INNER = *6* ]] && dst+="${dst:+, }\"fd00:8:0:$I::/64\""
			{
				[[ $INNER = *4* ]] && echo "route add 10.8.$I.0/24 via 10.9.$I.2 dev u0"
				[[ $INNER = *6* ]] && echo "route add fd00:8:0:$I::/64 via fd00:9::$I:2 dev u0"
			} >>"$T/near.batch"
			echo "  n$I: $(our_tunnel)" >>"$T/tunnel.yaml"
			routes+="${routes:+, }{ dst: [$dst], tunnel: n$I }" ;;
		esac
		ours=1
		decap+="${decap:+, }n$I"
	done
	{
		echo "route add default via 10.7.255.254"
		echo "route add ::/0 via fd00:7::ffff"
	} >>"$T/client.batch"
	for ns in client near far; do
		must in_ns $ns ip -batch "$T/$ns.batch"
		[[ -e $T/$ns.mpls ]] || continue
		in_ns $ns bash -c 'echo 1000 >/proc/sys/net/mpls/platform_labels; for d; do echo 1 >/proc/sys/net/mpls/conf/$d/input; done' - \
			$(<"$T/$ns.mpls-in")
		while read -r line; do must in_ns $ns ip $line; done <"$T/$ns.mpls"
	done
	[[ $ours ]] || return 0
	{
		echo "interfaces:"
		echo "  u0: { decap: [$decap]${routes:+, encap: [ $routes ]} }"
		printf '%s' "$hooks"
	} >>"$T/tunnel.yaml"
	check "apply" "$TCCTL" --netns near apply "$T/tunnel.yaml"
}

# Traffic of case I; its cases are counted like our own.
_exchange() { # OPTIONS…
	local a=() rc bad
	[[ $INNER = *4* ]] && a+=(-4 "10.7.$I.1,10.8.$I.2")
	[[ $INNER = *6* ]] && a+=(-6 "fd00:7::$I:1,fd00:8:0:$I::2")
	"$EXCHANGE" -a client -b far "${a[@]}" -t $((5 * ${QT_TIME_FACTOR:-1})) "$@" "$CASE $NEAR" >"$T/exchange"
	rc=$?
	cat "$T/exchange"
	bad=$(grep -c '^not ok - ' "$T/exchange")
	_cases=$((_cases + $(grep -c '^ok - ' "$T/exchange") + bad)) _failed=$((_failed + bad))
	((rc == (bad > 0))) || not_ok "$CASE $NEAR" "exchange ended with status $rc"
}

tunnel_check() {
	local a
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		a=(-m $MTU -l "${TUNNEL_BULK:-$((${QT_TIME_FACTOR:-1} > 3 ? 500000 : 2000000))}")
		[[ $NEAR = direct ]] || a+=(-f)
		# GRE headers with checksum or sequence number are each packet's own: it is segmented before. So is MPLS by
		# the kernel's devices.
		[[ $KIND = gre-csum || $KIND = gre-seq || $KIND = gre-all || $KIND = mpls-* || ${TUNNEL_NO_GSO-} ]] || a+=(-u near:u0,far:u0)
		_exchange "${a[@]}"
	done
	# With one end gone nothing may get through, or what was seen above proves nothing.
	for ((I = 1; I <= _n; I++)); do echo "link set t$I down"; done | in_ns far ip -batch -
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		[[ $INNER = *4* ]] && echo "addr add 10.8.$I.2/32 dev lo"
		[[ $INNER = *6* ]] && echo "addr add fd00:8:0:$I::2/128 dev lo nodad"
	done | in_ns far ip -batch -
	for ((I = 1; I <= _n; I++)); do
		tunnel_case "$I"
		_exchange -n
	done
}
