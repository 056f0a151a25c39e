#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A device without an L2 header: packets begin with the IP header. The pipeline gets its own entry, and rules, tags and
# counters work in both directions, for IPv4 and IPv6.
#
#   host  tun0 <--- python3 holds the other end of the device: reads what is sent, writes what is to arrive
# timeout: 120
. "${0%/*}/../lib/lib.sh"
need_file "$TCCTL"
need_cmd python3 jq
[[ -c /dev/net/tun ]] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; } 2>/dev/null
{ true <>/dev/net/tun; } 2>/dev/null || skip_all "device /dev/net/tun"

# Prints the IPv4 and IPv6 UDP packets that the device sends as "VERSION DPORT TOS"; lines "4 DPORT" or "6 DPORT" on
# standard input make it receive one from 10.9.0.2 or fd00:9::2.
cat >peer.py <<'P'
import fcntl, os, select, socket, struct, sys

fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
print("ready", flush=True)

def checksum(b):
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff

def packet(version, dport):
    udp = struct.pack("!HHHH", 4000, dport, 12, 0) + b"data"
    if version == 4:
        ends = socket.inet_aton("10.9.0.2") + socket.inet_aton("10.9.0.1")
        head = struct.pack("!BBHHHBBH", 0x45, 0, 32, 1, 0, 64, 17, 0)
        return head[:10] + struct.pack("!H", checksum(head + ends)) + ends + udp
    ends = socket.inet_pton(socket.AF_INET6, "fd00:9::2") + socket.inet_pton(socket.AF_INET6, "fd00:9::1")
    sum_ = checksum(ends + struct.pack("!II", 12, 17) + udp)
    return struct.pack("!IHBB", 6 << 28, 12, 17, 64) + ends + udp[:6] + struct.pack("!H", sum_) + udp[8:]

while True:
    for f in select.select([fd, 0], [], [])[0]:
        if f == 0:
            line = os.read(0, 4096).decode()
            if not line:
                sys.exit()
            for item in line.split("\n")[:-1]:
                os.write(fd, packet(*map(int, item.split())))
            continue
        b = os.read(fd, 65536)
        if b[0] >> 4 == 4 and b[9] == 17:
            good = checksum(b[:20]) == 0
            print(4, struct.unpack("!H", b[22:24])[0], b[1] if good else "bad checksum", flush=True)
        elif b[0] >> 4 == 6 and b[6] == 17:
            print(6, struct.unpack("!H", b[42:44])[0], (b[0] & 15) << 4 | b[1] >> 4, flush=True)
P
mkfifo in
bg peer bash -c 'exec python3 peer.py <in'
exec {IN}>in
wait_until 10 grep -q ready peer.out || die "tun device: $(cat peer.err)"
must ip addr add 10.9.0.1/24 dev tun0
must ip addr add fd00:9::1/64 dev tun0 nodad
must ip link set tun0 up

cat >a.yaml <<'Y'
tcctl: 1
classes:
  voice: { dscp: EF, mark: 7 }
  other: { dscp: CS1 }
rules:
  wan:
    - { name: voice, proto: udp, port: 5060, class: voice }
    - { name: peer, proto: udp, local: [10.9.0.1, "fd00:9::1"], local-port: 6000, class: other }
    - { name: drop, proto: udp, local-port: 6001, class: drop }
interfaces:
  tun0: { rules: wan }
Y
check "apply to a tun device" "$TCCTL" apply a.yaml
check_rc "nothing is left to do" 0 "$TCCTL" plan a.yaml
rule() { "$TCCTL" status -j | jq "[.rules[] | select(.name == \"$1\").packets] | add"; }
got() { grep -c "^$1\$" peer.out; }
sent() { (($(got "$1") == $2)); }

for d in 10.9.0.2 fd00:9::2; do
	"$PKT" send -d $d -P 5060 >/dev/null
	"$PKT" send -d $d -P 5061 >/dev/null
done
wait_until 5 sent "6 5061 0" 1
check_eq "egress: IPv4 has the tag and a right checksum" "$(got "4 5060 184")" 1
check_eq "egress: IPv6 has the tag" "$(got "6 5060 184")" 1
check_eq "egress: what no rule takes is as it was" "$(got "4 5061 0") $(got "6 5061 0")" "1 1"
check_eq "egress: both are counted by the rule" "$(rule voice)" 2

# What arrives has its tag by the time a socket has it.
for v in 4 6; do
	bg "sock$v" python3 -c "
import socket, struct
six = $v == 6
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(*((socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1) if six else (socket.IPPROTO_IP, socket.IP_RECVTOS, 1)))
s.settimeout(10)
s.bind(('fd00:9::1' if six else '10.9.0.1', 6000))
print('ready', flush=True)
_, aux, _, _ = s.recvmsg(2000, 200)
print(aux[0][2][0])"
	wait_until 10 grep -q ready "sock$v.out" || die "$(cat "sock$v.err")"
done
printf '4 6001\n6 6001\n4 6000\n6 6000\n' >&$IN
bg_wait sock4
bg_wait sock6
check_eq "ingress: IPv4 has the tag" "$(tail -n1 sock4.out)" 32
check_eq "ingress: IPv6 has the tag" "$(tail -n1 sock6.out)" 32
check_eq "ingress: both are counted by the rule" "$(rule peer)" 2
check_eq "ingress: both others were dropped by theirs" "$(rule drop)" 2

# The same rules on a device of the other kind are another pipeline: its packets begin with an Ethernet header.
must ip link add eth0 type veth peer name eth1
sed 's/^  tun0:.*/&\n  eth0: { rules: wan }/' a.yaml >b.yaml
check "apply to a device of each kind" "$TCCTL" apply b.yaml
check_eq "two pipelines" "$("$TCCTL" status -j | jq '[.hooks[].pipeline] | unique | length')" 2
check "remove" "$TCCTL" remove
exec {IN}>&-
