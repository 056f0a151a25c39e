#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# One of the tunnels of this folder, made in one of three ways, with traffic through it. Each command is printed before it
# runs; they are the ones to type on a gateway of your own.
#
#	sudo examples/tunnels/try.sh site-to-site|gre|island|gtpu  tcctl|stock-tc|kernel  [BUILD_FOLDER]
#
#   host-a ─── lan0 gw-a wan0 ══════════ wan0 gw-b lan0 ─── host-b
#   10.1.0.2   .1    192.0.2.1      192.0.2.2    10.2.0.1   10.2.0.2
#   2001:db8:a::2                                           2001:db8:b::2
#
# gw-a is ours: by `tcctl` and the .yaml file, by the BPF objects as `stock-tc` loads them, or by `kernel` devices. gw-b is
# the other side: the kernel's device where this kernel has one, else another tcctl. Everything is in namespaces that vanish
# with this script.
set -eu
cd "$(dirname "$0")"
here=$PWD
name=${1-} way=${2-}
build=$(realpath "${3:-$here/../../build}")
PATH=$build:$here:$PATH:/usr/sbin:/sbin:$build/tests/tools # the last one for gtp-tunnel
case $name:$way in
site-to-site:tcctl | gre:tcctl | island:tcctl | gtpu:tcctl) ;;
site-to-site:stock-tc | gre:stock-tc | island:stock-tc | gtpu:stock-tc) ;;
site-to-site:kernel | gre:kernel | island:kernel | gtpu:kernel) ;;
*) sed -n 's/^#\tsudo /usage: /p' "$0" >&2; exit 2 ;;
esac
if [[ ${4-} != inside ]]; then
	((EUID == 0)) || { echo "try.sh: needs root" >&2; exit 1; }
	exec unshare --net --mount --pid --fork --kill-child --mount-proc -- "$here/${0##*/}" "$name" "$way" "$build" inside
fi
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf
mkdir -p /run/work
cd /run/work

say() { printf '\n# %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
# A gateway's prompt. `ip netns exec` would hide the BPF file system, nsenter does not.
at() { # NS COMMAND…
	local ns=$1
	shift
	printf '%s$ %s\n' "$ns" "$*"
	nsenter --net="/run/netns/$ns" -- "$@"
}
quiet() { nsenter --net="/run/netns/$1" -- "${@:2}"; }
has() { ip link add probe0 type "$@" 2>/dev/null && ip link del probe0; } # can this kernel make such a device?
if [[ $name:$way = gtpu:kernel ]] && ! { has gtp role sgsn && command -v gtp-tunnel >/dev/null; }; then
	echo "try.sh: needs the kernel's gtp device and gtp-tunnel, of libgtpnl or of this project's tests" >&2
	exit 77
fi

# --- two sites and the network between them ---------------------------------------------------------------
for ns in host-a gw-a gw-b host-b; do
	ip netns add $ns
	quiet $ns sh -c 'ip link set lo up; echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
		for d in all default; do echo 0 >/proc/sys/net/ipv4/conf/$d/rp_filter; done'
done
for s in a b; do
	ip link add eth0 netns host-$s type veth peer name lan0 netns gw-$s
	quiet host-$s ip link set eth0 up
	quiet gw-$s ip link set lan0 up
	quiet gw-$s sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
done
ip link add wan0 netns gw-a type veth peer name wan0 netns gw-b
quiet gw-a sh -c 'ip addr add 192.0.2.1/24 dev wan0; ip addr add 2001:db8::1/64 dev wan0 nodad; ip link set wan0 up'
quiet gw-b sh -c 'ip addr add 192.0.2.2/24 dev wan0; ip addr add 2001:db8::2/64 dev wan0 nodad; ip link set wan0 up'
if [[ $name = site-to-site ]]; then
	quiet host-a ip addr add 10.0.0.1/24 dev eth0
	quiet host-b ip addr add 10.0.0.2/24 dev eth0
	to_b=10.0.0.2 to_a=10.0.0.1
else
	n=1
	for s in a b; do
		quiet host-$s sh -c "ip addr add 10.$n.0.2/24 dev eth0; ip addr add 2001:db8:$s::2/64 dev eth0 nodad
			ip route add default via 10.$n.0.1; ip route add ::/0 via 2001:db8:$s::1"
		quiet gw-$s sh -c "ip addr add 10.$n.0.1/24 dev lan0; ip addr add 2001:db8:$s::1/64 dev lan0 nodad"
		n=2
	done
	to_b=10.2.0.2 to_a=10.1.0.2
	[[ $name = island ]] && to_b=2001:db8:b::2 to_a=2001:db8:a::2
fi

# --- the other side ----------------------------------------------------------------------------------------
say "The other side"
case $name in
site-to-site)
	at gw-b ip link add br0 type bridge
	at gw-b ip link add vxlan42 type vxlan id 42 local 192.0.2.2 remote 192.0.2.1 dstport 4789
	at gw-b ip link set vxlan42 up master br0
	at gw-b ip link set lan0 master br0
	at gw-b ip link set br0 up ;;
gre)
	if has gre local 192.0.2.2 remote 192.0.2.1; then
		at gw-b ip link add gre1 type gre local 192.0.2.2 remote 192.0.2.1 key 7 ttl 64
		at gw-b ip link set gre1 up
		at gw-b ip route add 10.1.0.0/16 dev gre1
	else
		sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; s/10\.2\./10.1./' "$here/gre.yaml" >other.yaml
	fi ;;
island)
	if has sit local 192.0.2.2 remote 192.0.2.1; then
		at gw-b ip link add sit1 type sit local 192.0.2.2 remote 192.0.2.1 ttl 64
		at gw-b ip link set sit1 up
		at gw-b ip route add 2001:db8:a::/48 dev sit1
	else
		sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; /keep/d; s|2000::/3|2001:db8:a::/48|' "$here/island.yaml" >other.yaml
	fi ;;
gtpu)
	sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; s/in: 0x1001, out: 0x2001/in: 0x2001, out: 0x1001/
		s/uplink/downlink/; s|0.0.0.0/0|10.1.0.0/24|; /keep/d' "$here/gtpu.yaml" >other.yaml
	# The kernel's device has no PDU sessions.
	[[ $way != kernel ]] || sed -i '/pdu:/d; /qfi/d' other.yaml ;;
esac
if [[ -e other.yaml ]]; then
	grep -v '^#' other.yaml
	printf 'gw-b$ tcctl apply other.yaml\n'
	tcctl --netns gw-b apply other.yaml
	# What comes from the users goes into the tunnel before it is routed.
fi

# --- ours ---------------------------------------------------------------------------------------------------
say "Ours, by $way"
bridge_a() { # DEVICE: a port of the site's bridge
	at gw-a ip link add br0 type bridge
	at gw-a ip link set "$1" up master br0
	at gw-a ip link set lan0 master br0
	at gw-a ip link set br0 up
}
vx0() { # lends the tunnel its name: what is sent there is encapsulated, what is decapsulated arrives there
	at gw-a ip link add vx0 mtu 1450 type veth peer name vx0-end
	at gw-a ip link set vx0-end up
	bridge_a vx0
}
bpf=$build/bpf
decap_by() { # HANDLER: alone on the outside; what comes out of the tunnel goes on to the stack
	at gw-a tc qdisc add dev wan0 clsact
	at gw-a tc filter add dev wan0 ingress prio 1 handle 1 bpf da obj "$bpf/$1.bpf.o" sec tc
}
encap_by() { # DEVICE ingress|egress FLOWID: the stage alone, with the parts that it jumps to
	at gw-a tc qdisc add dev "$1" clsact
	at gw-a tc filter add dev "$1" "$2" prio 1 handle 1 bpf da obj "$bpf/encap.bpf.o" sec tc flowid "$3"
	stage 27 encap_header
	stage 28 too_big
	stage 17 deliver
}
stage() { # SLOT PROGRAM: enum tcctl_stage_slot
	at gw-a tc exec bpf graft m:globals/jt_stage key "$1" obj "$bpf/$2.bpf.o" sec tc type cls
}
case $name:$way in
site-to-site:kernel)
	at gw-a ip link add vxlan42 type vxlan id 42 local 192.0.2.1 remote 192.0.2.2 dstport 4789
	bridge_a vxlan42 ;;
gre:kernel)
	at gw-a ip link add gre1 type gre local 192.0.2.1 remote 192.0.2.2 key 7 ttl 64
	at gw-a ip link set gre1 up
	at gw-a ip route add 10.2.0.0/16 dev gre1 ;;
island:kernel)
	at gw-a ip link add sit1 type sit local 192.0.2.1 remote 192.0.2.2 ttl 64
	at gw-a ip link set sit1 up
	at gw-a ip route add 2000::/3 dev sit1 ;;
gtpu:kernel)
	at gw-a ip link add gtp1 type gtp role sgsn
	at gw-a ip link set gtp1 up mtu 1464
	at gw-a gtp-tunnel add gtp1 v1 0x1001 0x2001 10.1.0.2 192.0.2.2
	at gw-a ip route add 10.2.0.0/16 dev gtp1 ;;
*:tcctl)
	[[ $name = site-to-site ]] && vx0
	cp "$here/$name.yaml" .
	printf 'gw-a$ tcctl apply %s.yaml\n' $name
	tcctl --netns gw-a apply $name.yaml ;;
site-to-site:stock-tc)
	vx0
	decap_by vxlan
	stage 0 deliver # into the tunnel's device
	encap_by vx0 egress 1:1 # 1: packets leave there
	at gw-a tunnel-maps.sh init default 1
	at gw-a tunnel-maps.sh tunnel 1 vxlan local 192.0.2.1 remote 192.0.2.2 vni 42 device vx0 ;;
gre:stock-tc)
	decap_by gre
	encap_by lan0 ingress 1:0
	at gw-a tunnel-maps.sh init
	at gw-a tunnel-maps.sh tunnel 1 gre local 192.0.2.1 remote 192.0.2.2 key 7 clamp-mss
	at gw-a tunnel-maps.sh route 10.2.0.0/16 1 ;;
island:stock-tc)
	decap_by ip6ip
	encap_by lan0 ingress 1:0
	at gw-a tunnel-maps.sh init unknown-drop ipip
	at gw-a tunnel-maps.sh tunnel 1 ipip inner ipv6 local 192.0.2.1 remote 192.0.2.2 clamp-mss
	at gw-a tunnel-maps.sh route 2000::/3 1
	at gw-a tunnel-maps.sh route 2001:db8:a::/48 0 ;;
gtpu:stock-tc)
	decap_by gtpu
	encap_by lan0 ingress 1:0
	at gw-a tunnel-maps.sh init
	at gw-a tunnel-maps.sh tunnel 1 gtpu local 192.0.2.1 remote 192.0.2.2 teid 0x1001 0x2001 pdu uplink qfi 9 \
		dscp-qfi 46 1 dscp-qfi 34 2
	at gw-a tunnel-maps.sh route 0.0.0.0/0 1
	at gw-a tunnel-maps.sh route 10.1.0.1/32 0 ;;
esac

# --- traffic ------------------------------------------------------------------------------------------------
say "From host to host, and past the sites what is really sent"
i=0
until quiet host-a ping -qc1 -W1 $to_b >/dev/null 2>&1; do ((++i < 5)) || fail "no answer from $to_b"; done
quiet gw-b tcpdump --immediate-mode -lni wan0 -c 2 ip >wire 2>/dev/null &
tcpdump=$!
until [[ -s wire ]]; do quiet host-a ping -qc1 -W1 $to_b >/dev/null || :; done
wait $tcpdump
at host-a ping -qc3 -i0.01 -W2 $to_b
at host-b ping -qc3 -i0.01 -W2 $to_a
printf 'gw-b$ tcpdump -ni wan0 ip\n'
cat wire

copy() { # FROM TO ADDRESS: a file by TCP arrives as it was
	rm -f copy
	quiet "$2" nc -lN "$3" 5000 </dev/null >copy &
	local listener=$! end=$((SECONDS + 30))
	printf '%s$ nc -N %s 5000 <file\n' "$1" "$3"
	until quiet "$1" timeout 30 nc -N "$3" 5000 <file 2>/dev/null; do
		((SECONDS < end)) || fail "no connection to $3"
		read -rt 0.1 <> <(:) || :
	done
	wait $listener
	cmp file copy || fail "the file arrived changed"
}
if [[ $name = gtpu ]]; then
	# Each packet needs a header of its own, so segments must be cut before they get one; see the limits in docs/tunnels.md.
	at host-a ethtool -K eth0 tso off gso off
	at host-b ethtool -K eth0 tso off gso off
fi
head -c 2000000 /dev/urandom >file
copy host-a host-b $to_b
copy host-b host-a $to_a
case $way in
tcctl)
	printf 'gw-a$ tcctl status\n'
	tcctl --netns gw-a status ;;
stock-tc)
	at gw-a tunnel-maps.sh show 1 | tee counters
	for i in received sent; do
		(($(awk -v w=$i '$1 == w { print $2 }' counters) > 30)) || fail "not through our tunnel: few packets $i"
	done ;;
esac

# --- and not without the other end ----------------------------------------------------------------------------
say "The other end is gone: nothing gets through, though plain packets would"
if [[ -e other.yaml ]]; then
	tcctl --netns gw-b remove >/dev/null
else
	for i in vxlan42 gre1 sit1; do quiet gw-b ip link del $i 2>/dev/null || :; done
fi
plain() { # GATEWAY PREFIX PREFIX6 VIA
	quiet "$1" sh -c "ip route replace $2 via 192.0.2.$4; ip route replace $3 via 2001:db8::$4"
}
if [[ $name != site-to-site ]]; then
	plain gw-b 10.1.0.0/16 2001:db8:a::/48 1
	[[ $way = kernel ]] || plain gw-a 10.2.0.0/16 2001:db8:b::/48 2
fi
at host-a ping -qc2 -i0.2 -W1 $to_b && fail "an answer came without the other end"
if [[ $name != site-to-site ]]; then
	say "Ours is gone as well: plain packets do"
	case $way in
	tcctl) tcctl --netns gw-a remove >/dev/null ;;
	stock-tc)
		at gw-a tc qdisc del dev lan0 clsact
		at gw-a tc qdisc del dev wan0 clsact
		at gw-a rm -r /sys/fs/bpf/tc ;;
	kernel) for i in gre1 sit1 gtp1; do quiet gw-a ip link del $i 2>/dev/null || :; done ;;
	esac
	plain gw-a 10.2.0.0/16 2001:db8:b::/48 2
	at host-a ping -qc2 -i0.2 -W1 $to_b || fail "no answer without any tunnel"
fi
echo
echo "$name by $way: works"
