// SPDX-License-Identifier: GPL-2.0-only
/* The table of tunnels. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"
#include "status.h"

struct cells {
	char packets[24], bytes[32];
};

static void count_cells(const struct tcctl_count *c, struct cells *cells)
{
	snprintf(cells->packets, sizeof(cells->packets), "%" PRIu64, c->segments);
	bytes_text(c->bytes, cells->bytes);
}

static void tunnel_rows(const struct tcctl_status *status)
{
	static const char *const titles[] = { "TUNNEL",	  "TYPE",	"LOCAL → REMOTE", "RX PACKETS",
					      "RX BYTES", "TX PACKETS", "TX BYTES",	  "" };
	static const bool right[] = { false, false, false, true, true, true, true, false };
	struct tcctl_status_tunnel s = { .sz = sizeof(s) };
	struct table t = { .titles = titles, .right = right, .n_columns = 8 };

	for (size_t i = 0; i < tcctl_status_tunnel_count(status); i++) {
		char name[300], ends[200] = "", remark[80] = "";
		struct cells rx, tx;

		if (tcctl_status_tunnel_get(status, i, &s))
			continue;
		snprintf(name, sizeof(name), "%s %s", s.owner, s.name);
		if (s.local[0] || s.remote[0])
			snprintf(ends, sizeof(ends), "%s → %s", s.local, s.remote);
		count_cells(&s.rx, &rx);
		count_cells(&s.tx, &tx);
		if (s.device)
			snprintf(remark, sizeof(remark), "device %s", s.device);
		if (s.stations)
			snprintf(remark + strlen(remark), sizeof(remark) - strlen(remark),
				 "%s%zu station%s learned", remark[0] ? ", " : "", s.stations,
				 s.stations == 1 ? "" : "s");
		table_row(&t, (const char *const[]){ name, s.type, ends, rx.packets, rx.bytes, tx.packets,
						     tx.bytes, remark });
		table_colour(&t, 0, BOLD);
	}
	if (t.n_rows)
		putchar('\n');
	table_print(&t, "");
	table_done(&t);
}

static void event_rows(const struct tcctl_status *status)
{
	static const char *const titles[] = { "NOTED OF TUNNELS", "", "PACKETS", "BYTES", "" };
	static const bool right[] = { false, false, true, true, false };
	struct tcctl_status_tunnel_event e = { .sz = sizeof(e) };
	struct table t = { .titles = titles, .right = right, .n_columns = 5 };

	for (size_t i = 0; i < tcctl_status_tunnel_event_count(status); i++) {
		char name[300], remark[200];
		struct cells cells;

		if (tcctl_status_tunnel_event_get(status, i, &e))
			continue;
		snprintf(name, sizeof(name), "%s %s", e.owner, e.tunnel);
		snprintf(remark, sizeof(remark), "%s%s", e.drop ? "DROPPED: " : "", e.text);
		count_cells(&e.count, &cells);
		table_row(&t, (const char *const[]){ name, e.name, cells.packets, cells.bytes, remark });
		if (e.drop)
			table_colour(&t, 4, RED);
	}
	if (t.n_rows)
		putchar('\n');
	table_print(&t, "");
	table_done(&t);
}

void status_print_tunnels(const struct tcctl_status *status)
{
	tunnel_rows(status);
	event_rows(status);
}
