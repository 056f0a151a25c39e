// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkt: sends and receives an exact number of packets and says in one JSON line what it did. For tests and
 * demonstrations: deterministic, never waits longer than its deadline.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "pkt/pkt.h"

static const char *const proto_names[P_MAX] = { [P_UDP] = "udp", [P_TCP] = "tcp", [P_ICMP] = "icmp" };

static void on_signal(int sig)
{
	pkt_stop = 1;
}

static void usage(FILE *f)
{
	fputs("usage: pkt send -d ADDRESS [OPTION]...      send, one JSON line about it\n"
	      "       pkt recv [OPTION]...                 receive; prints \"ready\" on standard error when it listens\n"
	      "       pkt sniff -i DEVICE [OPTION]...      count what arrives at a device by family, protocol, DSCP\n"
	      "       pkt raw -i DEVICE [OPTION]... DESCRIPTION | --hex DIGITS | --pcap FILE    send frames\n"
	      "\n"
	      "  -p udp|tcp|icmp   protocol (udp)\n"
	      "  -d ADDRESS        destination, IPv4 or IPv6;  -s ADDRESS  source\n"
	      "  -P PORT[-PORT]    destination port (send) or local port (recv); may be repeated\n"
	      "  -S PORT           source port\n"
	      "  -n COUNT          packets (send: 1); recv: stop and succeed after so many; tcp recv: connections (1)\n"
	      "  -l BYTES          payload of each (64); tcp: COUNT times BYTES are sent and hashed by both ends\n"
	      "  -q DSCP           number or name;  -m MARK  SO_MARK;  -k PRIORITY  SO_PRIORITY\n"
	      "  -i DEVICE         bind to a device\n"
	      "  -r PPS            packets a second (send: as fast as it goes)\n"
	      "  -t SECONDS        deadline (10); reached, the exit status is 1 unless nothing more was asked for\n"
	      "  -e                recv udp: send every datagram back;  -R  send udp: wait for them, count and compare\n"
	      "  -g N              send udp: hand the kernel N datagrams in one piece (UDP_SEGMENT), N * BYTES < 64 kB\n"
	      "\n"
	      "Exit status: 0 all that was asked for happened, 1 not, 2 usage.\n"
	      "\n"
	      "Frames are described outermost header first, for example\n"
	      "  eth/ip(src=10.0.0.1,dst=10.0.0.2)/udp(dport=53)/\"payload\"\n"
	      "Headers with their fields and defaults (without default: worked out):\n",
	      f);
	packet_help(f);
}

static int add_ports(struct pkt_options *o, const char *text)
{
	unsigned int lo, hi;
	int n = 0;

	if (sscanf(text, "%u%n", &lo, &n) != 1 || (text[n] && text[n] != '-'))
		return -1;
	hi = lo;
	if (text[n] == '-') {
		int m = 0;

		if (sscanf(text + n + 1, "%u%n", &hi, &m) != 1 || text[n + 1 + m])
			return -1;
	}
	if (!lo || hi > 65535 || lo > hi || hi - lo >= 64 - o->n_ports)
		return -1;
	for (; lo <= hi; lo++)
		o->ports[o->n_ports++] = (uint16_t)lo;
	return 0;
}

static int bad(const char *option, const char *value)
{
	fprintf(stderr, "pkt: -%s: '%s' is not valid, see pkt --help\n", option, value);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' },
					       { "hex", required_argument, NULL, 'X' },
					       { "pcap", required_argument, NULL, 'C' },
					       { 0 } };
	struct pkt_options o = { .count = 1, .len = 64, .dscp = -1, .mark = -1, .priority = -1, .timeout = 10, .burst = 1 };
	struct sigaction sa = { .sa_handler = on_signal };
	const char *cmd = argc > 1 ? argv[1] : "";
	bool receiving = !strcmp(cmd, "recv") || !strcmp(cmd, "sniff");
	char *end;
	int c;

	if (!strcmp(cmd, "--help") || !strcmp(cmd, "-h")) {
		usage(stdout);
		return 0;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	if (receiving)
		o.count = UINT64_MAX;
	argc--;
	argv++;
	while ((c = getopt_long(argc, argv, "p:d:s:P:S:n:l:q:m:k:i:r:t:g:eRh", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			for (o.proto = 0; o.proto < P_MAX && strcmp(optarg, proto_names[o.proto]); o.proto++)
				;
			if (o.proto == P_MAX)
				return bad("p", optarg);
			break;
		case 'd': o.dst = optarg; break;
		case 's': o.src = optarg; break;
		case 'P':
			if (add_ports(&o, optarg))
				return bad("P", optarg);
			break;
		case 'S': o.sport = (uint16_t)strtoul(optarg, &end, 10); break;
		case 'n':
			o.count = strtoull(optarg, &end, 10);
			o.count_set = true;
			if (*end || !*optarg)
				return bad("n", optarg);
			break;
		case 'l':
			o.len = strtoul(optarg, &end, 10);
			if (*end || o.len > 65000)
				return bad("l", optarg);
			break;
		case 'q':
			o.dscp = dscp_parse(optarg);
			if (o.dscp < 0)
				return bad("q", optarg);
			break;
		case 'm':
		case 'k': {
			int64_t v = (int64_t)strtoul(optarg, &end, 0);

			if (*end || v > UINT32_MAX)
				return bad(c == 'm' ? "m" : "k", optarg);
			*(c == 'm' ? &o.mark : &o.priority) = v;
			break;
		}
		case 'i': o.device = optarg; break;
		case 'r': o.pps = strtod(optarg, &end); break;
		case 't': o.timeout = strtod(optarg, &end); break;
		case 'g':
			o.burst = (unsigned int)strtoul(optarg, &end, 10);
			if (*end || !o.burst || o.burst > 64)
				return bad("g", optarg);
			break;
		case 'e': o.echo = true; break;
		case 'R': o.reply = true; break;
		case 'X': o.hex = optarg; break;
		case 'C': o.pcap = optarg; break;
		case 'h': usage(stdout); return 0;
		default: return 2;
		}
	}
	if (o.burst * (o.len < 8 ? 8 : o.len) > 65000)
		return bad("g", "N * BYTES above 65000");
	if (!strcmp(cmd, "raw"))
		return pkt_raw(&o, argv[optind]);
	if (!strcmp(cmd, "sniff"))
		return pkt_sniff(&o);
	if (!strcmp(cmd, "recv")) {
		if (!o.n_ports || o.proto == P_ICMP) {
			fprintf(stderr, "pkt recv: needs -P PORT and udp or tcp\n");
			return 2;
		}
		return o.proto == P_UDP ? pkt_recv_udp(&o) : pkt_recv_tcp(&o);
	}
	if (!strcmp(cmd, "send")) {
		if (!o.dst) {
			fprintf(stderr, "pkt send: needs -d ADDRESS\n");
			return 2;
		}
		return o.proto == P_UDP ? pkt_send_udp(&o) : o.proto == P_TCP ? pkt_send_tcp(&o) : pkt_send_icmp(&o);
	}
	usage(stderr);
	return 2;
}
