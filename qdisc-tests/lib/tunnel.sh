# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tunnels between us and the kernel's own devices. Sourced after lib.sh.
#
#   client c0 ---- lan0 near u0 ======== u0 far [t0: kernel tunnel device]
#   10.7.0.1/24    10.7.0.2  10.9.0.1    10.9.0.2    10.8.0.2/24
#   fd00:7::1/64   fd00:7::2 fd00:9::1   fd00:9::2   fd00:8::2/64
#
# `near` reaches 10.8.0.0/24 and fd00:8::/64 through the tunnel, `far` the client through t0. What makes near's end:
#
#   kernel   t0 of the kernel there, too: shows that the topology and the traffic below are right
#   device   tcctl, with `device: d0`: it has the addresses and the MTU, and the stack routes into it
#   direct   tcctl, deviceless: routes of `encap:` on the way out of u0
#
# A case is a kind of tunnel, its options and the family of its outer header: `gre-key-4`. See kernel_tunnel.

# What is inside, and how large it may be when u0 has an MTU of 1500; ETH: frames, so that near needs a device.
tunnel_case() { # CASE: sets INNER (4, 6 or both), MTU, ETH, OUTER, A (near), B (far)
	local over=0 base=${1%-[46]}
	CASE=$1 OUTER=${1##*-} INNER="4 6" ETH=
	A=10.9.0.1 B=10.9.0.2
	[[ $OUTER = 6 ]] && A=fd00:9::1 B=fd00:9::2
	case $base in
	ipip | ipip-*) over=0 ;;
	gre) over=4 ;;
	gre-key | gre-csum | gre-seq) over=8 ;;
	gre-all) over=16 ;;
	gretap | gretap-*) over=18 ETH=1 ;;&
	gretap-key) over=22 ;;
	vxlan | vxlan-*) over=30 ETH=1 ;;
	geneve | geneve-*) over=30 ETH=1 ;;&
	geneve-options) over=38 ;;
	fou | fou-*) over=8 ;;
	gue | gue-*) over=12 ;;
	mpls-gre) over=8 ;;
	mpls-gre-stack) over=12 ;;
	mpls-udp) over=12 ;;
	mpls-udp-stack) over=16 ;;
	vlan) over=-20 ETH=1 ;;
	qinq) over=-16 ETH=1 ;; # devices take one tag on top of their MTU
	esac
	[[ $base = vlan || $base = qinq ]] && OUTER=4
	case $base in
	ipip-in4 | fou-in4 | gue-in4) INNER=4 ;;
	ipip-in6 | fou-in6 | gue-in6) INNER=6 ;;
	esac
	MTU=$((1500 - (OUTER == 4 ? 20 : 40) - over))
}

# t0 in NS by the kernel; IN is the key, VNI or label on arrival there, OUT the one sent.
kernel_tunnel() { # NS CASE LOCAL REMOTE IN OUT
	local ns=$1 kind=${2%-[46]} outer=${2##*-} l=$3 r=$4 in=$5 out=$6 v6=() a
	[[ $outer = 6 ]] && v6=(-6)
	link() { must in_ns "$ns" ip link add t0 type "$@"; }
	local ends=(local "$l" remote "$r" ttl 64) gre=gre tap=gretap none=()
	[[ $outer = 6 ]] && gre=ip6gre tap=ip6gretap none=(encaplimit none)
	case $kind in
	ipip) if [[ $outer = 4 ]]; then link sit mode any "${ends[@]}"; else link ip6tnl mode any "${ends[@]}" "${none[@]}"; fi ;;
	ipip-in4) if [[ $outer = 4 ]]; then link ipip "${ends[@]}"; else link ip6tnl mode ipip6 "${ends[@]}" "${none[@]}"; fi ;;
	ipip-in6) if [[ $outer = 4 ]]; then link sit "${ends[@]}"; else link ip6tnl mode ip6ip6 "${ends[@]}" "${none[@]}"; fi ;;
	gre | mpls-gre*) link $gre "${ends[@]}" "${none[@]}" ;;
	gre-key) link $gre "${ends[@]}" ikey "$in" okey "$out" "${none[@]}" ;;
	gre-csum) link $gre "${ends[@]}" csum "${none[@]}" ;;
	gre-seq) link $gre "${ends[@]}" seq "${none[@]}" ;;
	gre-all) link $gre "${ends[@]}" ikey "$in" okey "$out" csum seq "${none[@]}" ;;
	gretap) link $tap "${ends[@]}" "${none[@]}" ;;
	gretap-key) link $tap "${ends[@]}" ikey "$in" okey "$out" "${none[@]}" ;;
	vxlan*)
		a=(id 42 local "$l" remote "$r" dstport 4789 ttl 64)
		if [[ $kind = vxlan-csum ]]; then [[ $outer = 4 ]] && a+=(udpcsum)
		elif [[ $outer = 6 ]]; then a+=(udp6zerocsumrx udp6zerocsumtx); fi
		[[ $kind = vxlan-gbp ]] && a+=(gbp)
		link vxlan "${a[@]}" ;;
	geneve | geneve-csum)
		a=(id 42 remote "$r" dstport 6081 ttl 64)
		if [[ $kind = geneve-csum ]]; then [[ $outer = 4 ]] && a+=(udpcsum)
		elif [[ $outer = 6 ]]; then a+=(udp6zerocsumrx udp6zerocsumtx); fi
		link geneve "${a[@]}" ;;
	fou-in4 | fou-in6 | gue*)
		local proto=4 inner=ipip
		[[ $kind = *-in6 ]] && proto=41
		if [[ $kind = fou* ]]; then
			must in_ns "$ns" ip "${v6[@]}" fou add port 5555 ipproto $proto
			a=(encap fou encap-sport auto encap-dport 5555 noencap-csum)
		else
			must in_ns "$ns" ip "${v6[@]}" fou add port 6080 gue
			a=(encap gue encap-sport auto encap-dport 6080 noencap-csum)
		fi
		if [[ $outer = 6 ]]; then
			# The kernel accepts no zero checksums over IPv6 on these ports.
			a=("${a[@]/noencap-csum/encap-csum}")
			[[ $kind = *-in4 ]] && inner=ipip6 || inner=any
			[[ $kind = *-in6 ]] && inner=ip6ip6
			link ip6tnl mode $inner "${ends[@]}" "${none[@]}" "${a[@]}"
		elif [[ $kind = *-in4 ]]; then link ipip "${ends[@]}" "${a[@]}"
		elif [[ $kind = *-in6 ]]; then link sit "${ends[@]}" "${a[@]}"
		else link sit mode any "${ends[@]}" "${a[@]}"; fi ;;
	mpls-udp*)
		must in_ns "$ns" ip fou add port 6635 ipproto 137
		link ipip mode mplsip "${ends[@]}" encap fou encap-sport auto encap-dport 6635 noencap-csum ;;
	vlan) must in_ns "$ns" ip link add link u0 name t0 type vlan id 100 ;;
	qinq)
		must in_ns "$ns" ip link add link u0 name t1 type vlan proto 802.1ad id 100
		must in_ns "$ns" ip link set t1 up
		must in_ns "$ns" ip link add link t1 name t0 type vlan id 200 ;;
	*) die "no kernel device for $kind" ;;
	esac
	must in_ns "$ns" ip link set t0 up mtu "$MTU"
	[[ $kind = mpls-* ]] || return 0
	echo 1000 >/proc/self/net/../sys/net/mpls/platform_labels 2>/dev/null
	in_ns "$ns" bash -c 'echo 1000 >/proc/sys/net/mpls/platform_labels; echo 1 >/proc/sys/net/mpls/conf/t0/input'
	must in_ns "$ns" ip -f mpls route add "$in" dev lo
	[[ $kind = *-stack ]] && must in_ns "$ns" ip -f mpls route add $((in + 1)) dev lo
	return 0
}

# The same tunnel as an entry of `tunnels:`, without its name.
our_tunnel() { # CASE LOCAL REMOTE IN OUT [MORE_KEYS]
	local kind=${1%-[46]} in=$4 out=$5 keys="local: \"$2\", remote: \"$3\"" t
	case $kind in
	ipip*) t="type: ipip, $keys, inner: $(inner_word)" ;;
	gre*)
		t="type: gre, $keys"
		[[ $kind = gretap* ]] && t+=", inner: eth"
		[[ $kind = *-key || $kind = *-all ]] && t+=", key: { in: $in, out: $out }"
		[[ $kind = *-csum || $kind = *-all ]] && t+=", csum: true"
		[[ $kind = *-seq || $kind = *-all ]] && t+=", seq: true" ;;
	vxlan*)
		t="type: vxlan, $keys, vni: 42"
		[[ $kind = *-csum ]] && t+=", csum: true"
		[[ $kind = *-gbp ]] && t+=", gbp: true" ;;
	geneve*)
		t="type: geneve, $keys, vni: 42"
		[[ $kind = *-csum ]] && t+=", csum: true"
		[[ $kind = *-options ]] && t+=', options: [ { class: 0x0102, type: 1, data: "00112233" } ]' ;;
	fou*) t="type: fou, $keys, port: 5555, inner: $(inner_word)"; [[ $1 = *-6 ]] && t+=", csum: true" ;;
	gue*) t="type: gue, $keys, inner: $(inner_word)"; [[ $1 = *-6 ]] && t+=", csum: true" ;;
	mpls-gre) t="type: mpls-gre, $keys, labels: { in: $in, out: $out }" ;;
	mpls-udp) t="type: mpls-udp, $keys, labels: { in: $in, out: $out }" ;;
	vlan) t="type: vlan, tags: 100" ;;
	qinq) t="type: vlan, tags: [ { id: 100, proto: 802.1ad }, 200 ]" ;;
	*) die "no tunnel of ours for $kind" ;;
	esac
	echo "{ $t${6:+, $6} }"
}
inner_word() { case $INNER in 4) echo ipv4 ;; 6) echo ipv6 ;; *) echo ip ;; esac; }

# Every kind that the kernel has a device for.
TUNNEL_CASES="vxlan-4 vxlan-6 vxlan-csum-4 vxlan-csum-6 ipip-4 ipip-6 ipip-in4-4 ipip-in6-4 ipip-in4-6 ipip-in6-6
	gre-4 gre-6 gre-key-4 gre-key-6 gre-csum-4 gre-seq-4 gre-all-4 gre-all-6 gretap-4 gretap-6 gretap-key-4 gretap-key-6
	geneve-4 geneve-6 geneve-csum-4 geneve-csum-6 fou-in4-4 fou-in6-4 fou-in4-6 fou-in6-6 gue-4 gue-in4-6 gue-in6-6
	mpls-gre-4 mpls-gre-6 mpls-udp-4 vlan-4 qinq-4"

tunnel_topo() {
	ns_add client near far
	veth client c0 near lan0
	veth near u0 far u0
	addr client c0 10.7.0.1/24 fd00:7::1/64
	addr near lan0 10.7.0.2/24 fd00:7::2/64
	addr near u0 10.9.0.1/24 fd00:9::1/64
	addr far u0 10.9.0.2/24 fd00:9::2/64
	in_ns near bash -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	must in_ns client ip route add default via 10.7.0.2
	must in_ns client ip -6 route add default via fd00:7::2
	must wait_until 5 in_ns near ping -qc1 -W1 10.9.0.2
	must wait_until 5 in_ns near ping -qc1 -W1 fd00:9::2
	receiver_start udp far -P 5004 -e -t 100000
	receiver_start udpc client -P 5004 -e -t 100000
	receiver_start tcp far -p tcp -P 8080 -n 100000 -t 100000
	receiver_start tcpc client -p tcp -P 8080 -n 100000 -t 100000
}

# Addresses of t0 (or d0) and the routes that lead there.
tunnel_addr() { # NS DEV HOST NETWORK_BEHIND
	local ns=$1 dev=$2 host=$3 net=$4 via=() via6=() e=()
	[[ $ETH ]] && via=(via 10.8.0.$((3 - host))) via6=(via fd00:8::$((3 - host)))
	[[ $INNER = *4* ]] && addr "$ns" "$dev" 10.8.0.$host/24
	[[ $INNER = *6* ]] && addr "$ns" "$dev" fd00:8::$host/64
	[[ $CASE = mpls-* && $dev = t0 ]] && e=(encap mpls $((host == 1 ? 200 : 100)))
	[[ $net ]] || return 0
	[[ $INNER = *4* ]] && must in_ns "$ns" ip route replace 10.$net.0.0/24 "${e[@]}" "${via[@]}" dev "$dev"
	[[ $INNER = *6* ]] && must in_ns "$ns" ip -6 route replace fd00:$net::/64 "${e[@]}" "${via6[@]}" dev "$dev"
	return 0
}

tunnel_far() { # the kernel's end
	kernel_tunnel far "$CASE" "$B" "$A" 200 100
	tunnel_addr far t0 2 7
}

tunnel_near() { # kernel | device | direct
	NEAR=$1
	case $1 in
	kernel)
		kernel_tunnel near "$CASE" "$A" "$B" 100 200
		tunnel_addr near t0 1 ""
		# Labels are of a route's, so the connected one must have them.
		[[ $CASE = mpls-* ]] && tunnel_addr near t0 1 8
		return 0 ;;
	device)
		# A device that only lends its name and addresses: nobody listens at its other end.
		must in_ns near ip link add d0 type veth peer name d1
		in_ns near ip link set d1 up
		[[ $ETH ]] || in_ns near ip link set d0 arp off
		must in_ns near ip link set d0 up mtu "$MTU"
		tunnel_addr near d0 1 ""
		{
			echo "tcctl: 1"
			echo "tunnels:"
			echo "  t: $(our_tunnel "$CASE" "$A" "$B" 100 200 "device: d0")"
			echo "interfaces:"
			echo "  u0: { decap: [t] }"
			echo "  d0: { encap: t }"
		} >"$T/tunnel.yaml" ;;
	direct)
		[[ $INNER = *4* ]] && must in_ns near ip route add 10.8.0.0/24 via 10.9.0.2 dev u0
		[[ $INNER = *6* ]] && must in_ns near ip -6 route add fd00:8::/64 via fd00:9::2 dev u0
		{
			echo "tcctl: 1"
			echo "tunnels:"
			echo "  t: $(our_tunnel "$CASE" "$A" "$B" 100 200)"
			echo "interfaces:"
			echo "  u0: { decap: [t], encap: [ { dst: [10.8.0.0/24, \"fd00:8::/64\"], tunnel: t } ] }"
		} >"$T/tunnel.yaml" ;;
	esac
	check "$CASE $NEAR: apply" "$TCCTL" --netns near apply "$T/tunnel.yaml"
}

tunnel_down() {
	[[ $NEAR = kernel ]] || check "$CASE $NEAR: remove" "$TCCTL" --netns near remove
	in_ns near bash -c 'ip link del t0; ip link del t1; ip link del d0; ip route flush 10.8.0.0/24; ip -6 route flush fd00:8::/64' 2>/dev/null
	in_ns far bash -c 'ip link del t0; ip link del t1' 2>/dev/null
	# What the client learned of the path must not help the next case.
	in_ns client bash -c 'ip route flush cache; ip -6 route flush cache' 2>/dev/null
	case $CASE in
	fou-* | gue-* | mpls-udp*)
		local ns
		for ns in near far; do
			in_ns $ns bash -c 'for v in -4 -6; do ip $v fou del port 5555; ip $v fou del port 6080; ip $v fou del port 6635; done'
		done 2>/dev/null ;;
	esac
	for ns in near far; do in_ns $ns bash -c 'for l in 100 200; do ip -f mpls route del $l; done' 2>/dev/null; done
	return 0
}

# --- traffic ------------------------------------------------------------------------------------------

_rx() { in_ns "$1" ip -s -j link show dev u0 | jq -r '.[0].stats64.rx | "\(.packets) \(.bytes)"'; }

# TCP one way; with segmentation on, packets on the underlay are larger than any MTU.
_bulk() { # LABEL FROM TO_ADDRESS TO_NS
	local p0 b0 p b out
	read -r p0 b0 < <(_rx "$4")
	out=$(in_ns "$2" "$PKT" send -p tcp -d "$3" -P 8080 -l 65000 -n "${TUNNEL_BULK:-40}" -t 40 2>&1)
	check_eq "$1: TCP, every byte in its place" "$(jq -r .same <<<"$out" 2>/dev/null)" true || echo "#   $out"
	read -r p b < <(_rx "$4")
	[[ ${TUNNEL_NO_GSO-} ]] || check "$1: segments of TCP stay together ($(((b - b0) / (p - p0 + 1))) bytes each)" \
		test $(((b - b0) / (p - p0 + 1))) -gt 1600
}

_ping() { in_ns "$1" ping -qc2 -i0.01 -W2 -M do -s $(($4 - ($3 == 4 ? 28 : 48))) "$2"; } # NS ADDRESS FAMILY SIZE

tunnel_traffic() {
	local f to back name out
	for f in $INNER; do
		to=10.8.0.2 back=10.7.0.1
		[[ $f = 6 ]] && to=fd00:8::2 back=fd00:7::1
		name="$CASE $NEAR, IPv$f inside"
		wait_until 5 in_ns client ping -qc1 -W1 $to || { not_ok "$name: ping" "no answer"; continue; }
		check "$name: ping, one byte below the MTU" _ping client $to $f $((MTU - 1))
		check "$name: ping, the MTU" _ping client $to $f $MTU
		check "$name: ping back, the MTU" _ping far $back $f $MTU
		out=$(in_ns client ping -c2 -i0.01 -W1 -M do -s $((MTU + 1 - (f == 4 ? 28 : 48))) $to 2>&1)
		check_match "$name: a packet that is too big is answered with the MTU" "$out" "mtu ?= ?$MTU"
		[[ $NEAR = direct ]] || check "$name: fragments of one byte more than the MTU" \
			in_ns client ping -qc2 -i0.01 -W2 -M dont -s $((MTU + 1 - (f == 4 ? 28 : 48))) $to
		out=$(in_ns client "$PKT" send -d $to -P 5004 -n 100 -l 700 -R)
		check_eq "$name: UDP, and back" "$(jq -c '[.replies, .changed]' <<<"$out")" "[100,0]"
		out=$(in_ns far "$PKT" send -d $back -P 5004 -n 64 -l 1000 -g 16 -R)
		check_eq "$name: UDP in pieces of 16, the other way" "$(jq -c '[.replies, .changed]' <<<"$out")" "[64,0]"
		_bulk "$name: there" client $to far
		_bulk "$name: back" far $back near
	done
}

# With one end gone nothing may get through, or what was seen above proves nothing.
tunnel_negative() {
	local to=10.8.0.2
	[[ $INNER = 6 ]] && to=fd00:8::2
	in_ns far ip link set t0 down
	[[ $INNER = 6 ]] && addr far lo fd00:8::2/64 || addr far lo 10.8.0.2/24
	check_rc "$CASE $NEAR: nothing arrives without the other end" 1 in_ns client ping -qc1 -W0.3 $to
	[[ $INNER = 6 ]] && in_ns far ip addr del fd00:8::2/64 dev lo || in_ns far ip addr del 10.8.0.2/24 dev lo
}

# One case from set-up to the end.
tunnel_run() { # CASE NEAR
	tunnel_case "$1"
	tunnel_far
	tunnel_near "$2"
	tunnel_traffic
	tunnel_negative
	tunnel_down
}
