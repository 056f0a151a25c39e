// SPDX-License-Identifier: GPL-2.0-only
/* Packets from a file. */
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

int packet_read_pcap(const char *file, struct packet **ret, size_t *ret_n, int *ret_linktype, char *err,
		     size_t err_len)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	struct packet *list = NULL;
	size_t n = 0, cap = 0;
	const u_char *data;
	pcap_t *pc;
	int rc;

	pc = pcap_open_offline(file, errbuf);
	if (!pc) {
		snprintf(err, err_len, "%s", errbuf);
		return -1;
	}
	while ((rc = pcap_next_ex(pc, &h, &data)) == 1) {
		if (h->caplen != h->len) {
			snprintf(err, err_len, "%s: packet %zu is cut off (%u of %u bytes); capture with -s 0", file, n + 1,
				 h->caplen, h->len);
			goto fail;
		}
		if (n == cap) {
			struct packet *more = realloc(list, (cap = cap ? cap * 2 : 16) * sizeof(*list));

			if (!more)
				goto oom;
			list = more;
		}
		list[n].len = h->caplen;
		list[n].data = malloc(h->caplen ? h->caplen : 1);
		if (!list[n].data)
			goto oom;
		memcpy(list[n++].data, data, h->caplen);
	}
	if (rc == PCAP_ERROR) {
		snprintf(err, err_len, "%s: %s", file, pcap_geterr(pc));
		goto fail;
	}
	*ret = list;
	*ret_n = n;
	*ret_linktype = pcap_datalink(pc);
	pcap_close(pc);
	return 0;
oom:
	snprintf(err, err_len, "out of memory");
fail:
	while (n--)
		packet_done(&list[n]);
	free(list);
	pcap_close(pc);
	return -1;
}
