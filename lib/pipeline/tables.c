// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The jump tables of a generation: their names and their pins. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pin.h"
#include "pipeline.h"
#include "pipeline/internal.h"
#include "util.h"

const char *const pipeline_tables[STATE_JT_MAX] = {
	[STATE_JT_L3] = "jt_l3",
	[STATE_JT_L4] = "jt_l4",
	[STATE_JT_UDP] = "jt_udp",
	[STATE_JT_STAGE] = "jt_stage",
};
_Static_assert(STATE_JT_MAX == 4, "a map for each table");

int pipeline_table(const char *map_name)
{
	for (int i = 0; i < STATE_JT_MAX; i++)
		if (!strcmp(map_name, pipeline_tables[i]))
			return i;
	return -1;
}

static int pin_beside(int dir_fd, const char *map, int fd)
{
	char name[20];
	int err;

	snprintf(name, sizeof(name), "~%s", map);
	err = pin_remove(dir_fd, name);
	return err ? err : pin_put(dir_fd, name, fd);
}

static int pin_into_place(int dir_fd, const char *map)
{
	char name[20];
	int err;

	snprintf(name, sizeof(name), "~%s", map);
	err = pin_rename(dir_fd, name, map);
	return err == -ENOENT ? 0 : err; /* done by the run that was cut short */
}

static void pin_forget(int dir_fd, const char *map)
{
	char name[20];

	snprintf(name, sizeof(name), "~%s", map);
	pin_remove(dir_fd, name);
}

int generation_pin_new(const struct pipeline *p, const struct generation *g)
{
	int err = pin_beside(p->dir_fd, "entry", g->entry_fd);

	for (int i = 0; i < STATE_JT_MAX && !err; i++)
		err = pin_beside(p->globals_fd, pipeline_tables[i], g->tables[i]);
	if (err)
		generation_pin_drop(p);
	return err;
}

int generation_pin_commit(const struct pipeline *p)
{
	int err = 0;

	for (int i = 0; i < STATE_JT_MAX && !err; i++)
		err = pin_into_place(p->globals_fd, pipeline_tables[i]);
	return err ? err : pin_into_place(p->dir_fd, "entry");
}

void generation_pin_drop(const struct pipeline *p)
{
	for (int i = 0; i < STATE_JT_MAX; i++)
		pin_forget(p->globals_fd, pipeline_tables[i]);
	pin_forget(p->dir_fd, "entry");
}
