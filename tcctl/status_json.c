// SPDX-License-Identifier: GPL-2.0-only
#include "status.h"

#include "json_rows.h"
#include "out.h"

static void count(struct json_row *row, const struct tcctl_count *c)
{
	row_u64(row, "packets", c->packets);
	row_u64(row, "segments", c->segments);
	row_u64(row, "bytes", c->bytes);
}

static void pipeline(struct json_row *row, const char *owner, unsigned int id)
{
	row_text(row, "owner", owner);
	row_u64(row, "pipeline", id);
}

static bool hook(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_hook h = { .sz = sizeof(h) };

	if (tcctl_status_hook_get(status, i, &h))
		return false;
	pipeline(row, h.owner, h.pipeline);
	row_text(row, "device", h.device);
	row_u64(row, "ifindex", h.ifindex);
	row_text(row, "direction", h.direction);
	row_text(row, "state", tcctl_hook_state_name(h.state));
	row_u64(row, "prio", h.prio);
	row_u64(row, "handle", h.handle);
	row_u64(row, "program_id", h.program_id);
	row_bool(row, "clsact_ours", h.clsact_ours);
	row_text(row, "order", h.order);
	row_u64(row, "ahead", h.ahead);
	count(row, &h.count);
	return true;
}

static bool class(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_class c = { .sz = sizeof(c) };

	if (tcctl_status_class_get(status, i, &c))
		return false;
	pipeline(row, c.owner, c.pipeline);
	row_text(row, "name", c.name);
	count(row, &c.count);
	return true;
}

static bool rule(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_rule r = { .sz = sizeof(r) };

	if (tcctl_status_rule_get(status, i, &r))
		return false;
	pipeline(row, r.owner, r.pipeline);
	row_text(row, "rule_set", r.ruleset);
	if (r.index != SIZE_MAX)
		row_u64(row, "index", r.index);
	row_text(row, "name", r.name);
	row_text(row, "class", r.class_name);
	count(row, &r.count);
	return true;
}

static bool slot(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_slot s = { .sz = sizeof(s) };

	if (tcctl_status_slot_get(status, i, &s))
		return false;
	pipeline(row, s.owner, s.pipeline);
	row_text(row, "table", s.table);
	row_text(row, "slot", s.slot);
	row_text(row, "program", s.program);
	count(row, &s.count);
	row_begin(row, "empty");
	count(row, &s.empty);
	row_end(row);
	return true;
}

static bool reason(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_reason r = { .sz = sizeof(r) };

	if (tcctl_status_reason_get(status, i, &r))
		return false;
	pipeline(row, r.owner, r.pipeline);
	row_text(row, "name", r.name);
	row_text(row, "text", r.text);
	row_bool(row, "drop", r.drop);
	count(row, &r.count);
	return true;
}

static bool neighbour(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_neighbour b = { .sz = sizeof(b) };

	if (tcctl_status_neighbour_get(status, i, &b))
		return false;
	row_text(row, "device", b.device);
	row_text(row, "direction", b.direction);
	row_text(row, "kind", b.kind);
	if (b.prio)
		row_u64(row, "prio", b.prio);
	row_text(row, "name", b.name);
	if (b.program_id)
		row_u64(row, "program_id", b.program_id);
	row_bool(row, "ahead", b.ahead);
	return true;
}

static bool tunnel(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_tunnel t = { .sz = sizeof(t) };

	if (tcctl_status_tunnel_get(status, i, &t))
		return false;
	row_text(row, "owner", t.owner);
	row_text(row, "name", t.name);
	row_text(row, "type", t.type);
	row_text(row, "local", t.local);
	row_text(row, "remote", t.remote);
	row_text(row, "device", t.device);
	row_u64(row, "stations", t.stations);
	row_begin(row, "rx");
	count(row, &t.rx);
	row_end(row);
	row_begin(row, "tx");
	count(row, &t.tx);
	row_end(row);
	return true;
}

static bool tunnel_event(const void *status, size_t i, struct json_row *row)
{
	struct tcctl_status_tunnel_event e = { .sz = sizeof(e) };

	if (tcctl_status_tunnel_event_get(status, i, &e))
		return false;
	row_text(row, "owner", e.owner);
	row_text(row, "tunnel", e.tunnel);
	row_text(row, "name", e.name);
	row_text(row, "text", e.text);
	row_bool(row, "drop", e.drop);
	count(row, &e.count);
	return true;
}

void status_json(const struct tcctl_status *status, struct json_object *to)
{
	json_add(to, "hooks", json_rows_new(tcctl_status_hook_count(status), hook, status));
	json_add(to, "classes", json_rows_new(tcctl_status_class_count(status), class, status));
	json_add(to, "rules", json_rows_new(tcctl_status_rule_count(status), rule, status));
	json_add(to, "slots", json_rows_new(tcctl_status_slot_count(status), slot, status));
	json_add(to, "reasons", json_rows_new(tcctl_status_reason_count(status), reason, status));
	json_add(to, "tunnels", json_rows_new(tcctl_status_tunnel_count(status), tunnel, status));
	json_add(to, "tunnel_events", json_rows_new(tcctl_status_tunnel_event_count(status), tunnel_event, status));
	json_add(to, "neighbours", json_rows_new(tcctl_status_neighbour_count(status), neighbour, status));
}
