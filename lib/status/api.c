// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reading a status from outside. */
#include <errno.h>
#include <stdlib.h>

#include "record.h"
#include "status.h"
#include "util.h"

static const char *const state_names[] = {
	[TCCTL_HOOK_ATTACHED] = "attached",
	[TCCTL_HOOK_MISSING] = "missing",
	[TCCTL_HOOK_REPLACED] = "replaced",
	[TCCTL_HOOK_GONE] = "gone",
};
_Static_assert(ARRAY_SIZE(state_names) == TCCTL_HOOK_STATE_MAX, "a name for each state");

const char *tcctl_hook_state_name(enum tcctl_hook_state state)
{
	return state < TCCTL_HOOK_STATE_MAX ? state_names[state] : "?";
}

void tcctl_status_free(struct tcctl_status *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->n_strings; i++)
		free(st->strings[i]);
	free(st->strings);
	free(st->hooks);
	free(st->classes);
	free(st->rules);
	free(st->slots);
	free(st->reasons);
	free(st->neighbours);
	free(st->tunnels);
	free(st->tunnel_events);
	free(st);
}

#define STATUS_ACCESSORS(kind, list)                                                             \
	size_t tcctl_status_##kind##_count(const struct tcctl_status *st)                        \
	{                                                                                        \
		return st->n_##list;                                                             \
	}                                                                                        \
                                                                                                 \
	int tcctl_status_##kind##_get(const struct tcctl_status *st, size_t i,                   \
				      struct tcctl_status_##kind *ret)                           \
	{                                                                                        \
		return i < st->n_##list ? record_put(ret, &st->list[i], sizeof(*ret)) : -ENOENT; \
	}

STATUS_ACCESSORS(hook, hooks)
STATUS_ACCESSORS(class, classes)
STATUS_ACCESSORS(rule, rules)
STATUS_ACCESSORS(slot, slots)
STATUS_ACCESSORS(reason, reasons)
STATUS_ACCESSORS(neighbour, neighbours)
STATUS_ACCESSORS(tunnel, tunnels)
STATUS_ACCESSORS(tunnel_event, tunnel_events)
