#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# One of the tunnels of this folder, made in one of two ways, with traffic through it. Each command is printed before it
# runs; they are the ones to type on a gateway of your own.
#
#	sudo examples/tunnels/try.sh site-to-site|gre|island|gtpu  tcctl|kernel  [BUILD_FOLDER]
#
#   host-a ─── lan0 gw-a wan0 ══════════ wan0 gw-b lan0 ─── host-b
#   10.1.0.2   .1    192.0.2.1      192.0.2.2    10.2.0.1   10.2.0.2
#   2001:db8:a::2                                           2001:db8:b::2
#
# gw-a is ours: by `tcctl` and the .yaml file, or by `kernel` devices. gw-b is the other
# side: the kernel's device where this kernel has one, else another tcctl. Everything is in namespaces that vanish with this
# script.
set -eu
cd "$(dirname "$0")"
here=$PWD
name=${1-} way=${2-}
build=$(realpath "${3:-$here/../../build}")
PATH=$build:$PATH:/usr/sbin:/sbin
case $name:$way in
site-to-site:tcctl | site-to-site:kernel | gre:tcctl | gre:kernel | island:tcctl | island:kernel | gtpu:tcctl) ;;
gtpu:kernel) echo "try.sh: the kernel's gtp device is set up by a daemon (osmo-ggsn, free5gc), not by ip or tc" >&2; exit 77 ;;
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
# A gateway's prompt. `ip netns exec` would hide the BPF file system, nsenter does not.
at() { # NS COMMAND…
	local ns=$1
	shift
	printf '%s$ %s\n' "$ns" "$*"
	nsenter --net="/run/netns/$ns" -- "$@"
}
quiet() { nsenter --net="/run/netns/$1" -- "${@:2}"; }
has() { ip link add probe0 type "$@" 2>/dev/null && ip link del probe0; } # can this kernel make such a device?

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
quiet gw-a sh -c 'ip addr add 192.0.2.1/24 dev wan0; ip link set wan0 up'
quiet gw-b sh -c 'ip addr add 192.0.2.2/24 dev wan0; ip link set wan0 up'
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
		at gw-b ip tunnel add gre1 mode gre local 192.0.2.2 remote 192.0.2.1 key 7 ttl 64
		at gw-b ip link set gre1 up
		at gw-b ip route add 10.1.0.0/16 dev gre1
	else
		sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; s/10\.2\./10.1./' "$here/gre.yaml" >other.yaml
	fi ;;
island)
	if has sit local 192.0.2.2 remote 192.0.2.1; then
		at gw-b ip tunnel add sit1 mode sit local 192.0.2.2 remote 192.0.2.1 ttl 64
		at gw-b ip link set sit1 up
		at gw-b ip route add 2001:db8:a::/48 dev sit1
	else
		sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; /keep/d; s|2000::/3|2001:db8:a::/48|' "$here/island.yaml" >other.yaml
	fi ;;
gtpu)
	sed 's/192\.0\.2\.1$/X/; s/192\.0\.2\.2$/192.0.2.1/; s/X$/192.0.2.2/; s/in: 0x1001, out: 0x2001/in: 0x2001, out: 0x1001/
		s/uplink/downlink/; s|0.0.0.0/0|10.1.0.0/24|; /keep/d' "$here/gtpu.yaml" >other.yaml ;;
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
case $name:$way in
site-to-site:kernel)
	at gw-a ip link add vxlan42 type vxlan id 42 local 192.0.2.1 remote 192.0.2.2 dstport 4789
	bridge_a vxlan42 ;;
gre:kernel)
	at gw-a ip tunnel add gre1 mode gre local 192.0.2.1 remote 192.0.2.2 key 7 ttl 64
	at gw-a ip link set gre1 up
	at gw-a ip route add 10.2.0.0/16 dev gre1 ;;
island:kernel)
	at gw-a ip tunnel add sit1 mode sit local 192.0.2.1 remote 192.0.2.2 ttl 64
	at gw-a ip link set sit1 up
	at gw-a ip route add 2000::/3 dev sit1 ;;
*:tcctl)
	[[ $name = site-to-site ]] && vx0
	cp "$here/$name.yaml" .
	printf 'gw-a$ tcctl apply %s.yaml\n' $name
	tcctl --netns gw-a apply $name.yaml ;;
esac

# --- traffic ------------------------------------------------------------------------------------------------
say "From host to host, and past the sites what is really sent"
i=0
until quiet host-a ping -qc1 -W1 $to_b >/dev/null 2>&1; do ((++i < 5)) || fail "no answer from $to_b"; done
quiet gw-b tcpdump --immediate-mode -lni wan0 -c 2 >wire 2>/dev/null &
tcpdump=$!
until [[ -s wire ]]; do quiet host-a ping -qc1 -W1 $to_b >/dev/null; done
wait $tcpdump
at host-a ping -qc3 -i0.01 -W2 $to_b
at host-b ping -qc3 -i0.01 -W2 $to_a
printf 'gw-b$ tcpdump -ni wan0\n'
cat wire
if [[ $way = tcctl ]]; then
	printf 'gw-a$ tcctl status\n'
	tcctl --netns gw-a status
fi
echo
echo "$name by $way: works"
