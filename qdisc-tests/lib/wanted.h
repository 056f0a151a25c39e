/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a configuration's text to what is desired, for tests of that. What came out is in `spec`, `m` and `diags` until the next
 * one, or until wanted_done().
 */
#ifndef QDISC_TESTS_WANTED_H
#define QDISC_TESTS_WANTED_H

#include <errno.h>

#include "desired.h"
#include "test.h"

static struct tcctl_diags *diags;
static struct spec *spec;
static struct model m;

static inline void wanted_done(void)
{
	model_done(&m);
	spec_free(spec);
	spec = NULL;
	diags_free(diags);
	diags = NULL;
}

/* What desired_make() says; -EBADMSG, and the case has failed, when the text is not even a configuration. */
static inline int wanted_make(const char *text, const struct nl_links *links, const struct tunnel_resolved *resolved)
{
	static const struct pipeline_object no_objects[1];

	wanted_done();
	diags = diags_new();
	if (!test_eq(spec_parse(text, strlen(text), "t.yaml", NULL, diags, &spec), 0)) {
		printf("# %s\n", diags->n ? diags->items[0].message : "?");
		return -EBADMSG;
	}
	return desired_make(spec, links, no_objects, resolved, diags, &m);
}

#endif
