// SPDX-License-Identifier: GPL-2.0-only
#include "status.h"

#include "out.h"

static void add_count(struct json_object *o, const struct tcctl_count *c)
{
	json_add_u64(o, "packets", c->packets);
	json_add_u64(o, "segments", c->segments);
	json_add_u64(o, "bytes", c->bytes);
}

static struct json_object *row(const char *owner, unsigned int pipeline)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "owner", owner);
	json_add_u64(o, "pipeline", pipeline);
	return o;
}

static struct json_object *hooks(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_hook h = { .sz = sizeof(h) };

	for (size_t i = 0; i < tcctl_status_hook_count(status); i++) {
		struct json_object *o;

		if (tcctl_status_hook_get(status, i, &h))
			continue;
		o = row(h.owner, h.pipeline);
		json_add_text(o, "device", h.device);
		json_add_u64(o, "ifindex", h.ifindex);
		json_add_text(o, "direction", h.direction);
		json_add_text(o, "state", tcctl_hook_state_name(h.state));
		json_add_u64(o, "prio", h.prio);
		json_add_u64(o, "handle", h.handle);
		json_add_u64(o, "program_id", h.program_id);
		json_add_bool(o, "clsact_ours", h.clsact_ours);
		json_add_text(o, "order", h.order);
		json_add_u64(o, "ahead", h.ahead);
		add_count(o, &h.count);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *classes(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_class c = { .sz = sizeof(c) };

	for (size_t i = 0; i < tcctl_status_class_count(status); i++) {
		struct json_object *o;

		if (tcctl_status_class_get(status, i, &c))
			continue;
		o = row(c.owner, c.pipeline);
		json_add_text(o, "name", c.name);
		add_count(o, &c.count);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *rules(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_rule r = { .sz = sizeof(r) };

	for (size_t i = 0; i < tcctl_status_rule_count(status); i++) {
		struct json_object *o;

		if (tcctl_status_rule_get(status, i, &r))
			continue;
		o = row(r.owner, r.pipeline);
		json_add_text(o, "rule_set", r.ruleset);
		if (r.index != SIZE_MAX)
			json_add_u64(o, "index", r.index);
		json_add_text(o, "name", r.name);
		json_add_text(o, "class", r.class_name);
		add_count(o, &r.count);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *slots(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_slot s = { .sz = sizeof(s) };

	for (size_t i = 0; i < tcctl_status_slot_count(status); i++) {
		struct json_object *o, *empty;

		if (tcctl_status_slot_get(status, i, &s))
			continue;
		o = row(s.owner, s.pipeline);
		json_add_text(o, "table", s.table);
		json_add_text(o, "slot", s.slot);
		json_add_text(o, "program", s.program);
		add_count(o, &s.count);
		empty = json_object_new_object();
		add_count(empty, &s.empty);
		json_add(o, "empty", empty);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *reasons(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_reason r = { .sz = sizeof(r) };

	for (size_t i = 0; i < tcctl_status_reason_count(status); i++) {
		struct json_object *o;

		if (tcctl_status_reason_get(status, i, &r))
			continue;
		o = row(r.owner, r.pipeline);
		json_add_text(o, "name", r.name);
		json_add_text(o, "text", r.text);
		json_add_bool(o, "drop", r.drop);
		add_count(o, &r.count);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *neighbours(const struct tcctl_status *status)
{
	struct json_object *list = json_object_new_array();
	struct tcctl_status_neighbour b = { .sz = sizeof(b) };

	for (size_t i = 0; i < tcctl_status_neighbour_count(status); i++) {
		struct json_object *o;

		if (tcctl_status_neighbour_get(status, i, &b))
			continue;
		o = json_object_new_object();
		json_add_text(o, "device", b.device);
		json_add_text(o, "direction", b.direction);
		json_add_text(o, "kind", b.kind);
		if (b.prio)
			json_add_u64(o, "prio", b.prio);
		json_add_text(o, "name", b.name);
		if (b.program_id)
			json_add_u64(o, "program_id", b.program_id);
		json_add_bool(o, "ahead", b.ahead);
		json_object_array_add(list, o);
	}
	return list;
}

void status_json(const struct tcctl_status *status, struct json_object *to)
{
	json_add(to, "hooks", hooks(status));
	json_add(to, "classes", classes(status));
	json_add(to, "rules", rules(status));
	json_add(to, "slots", slots(status));
	json_add(to, "reasons", reasons(status));
	json_add(to, "neighbours", neighbours(status));
}
