// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The configuration that runs, from the kernel. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "context.h"
#include "diag.h"
#include "state.h"
#include "util.h"

static int choose_name(struct tcctl *t, struct tcctl_diags *diags, char **ret_name)
{
	char **names;
	size_t n;
	int err;

	err = tcctl_owners(t, diags, &names, &n);
	if (err)
		return err;
	if (n == 0) {
		diag_errno(diag_error(diags, NULL, "nothing is applied in this network namespace"), ENOENT);
		err = -ENOENT;
	} else if (n > 1) {
		struct diag *g = diag_error(diags, NULL, "%zu configurations are applied here; say which one", n);
		char *list = NULL;

		for (size_t i = 0; i < n; i++) {
			char *longer;

			if (asprintf(&longer, "%s%s%s", list ? list : "", list ? ", " : "", names[i]) < 0)
				break;
			free(list);
			list = longer;
		}
		diag_errno(diag_hint(g, "names: %s", list ? list : "?"), EINVAL);
		free(list);
		err = -EINVAL;
	} else {
		*ret_name = strdup(names[0]);
		err = *ret_name ? 0 : -ENOMEM;
	}
	tcctl_owners_free(names, n);
	return err;
}

int tcctl_export(struct tcctl *t, const char *name, struct tcctl_diags *diags, char **ret_text, size_t *ret_len)
{
	_cleanup_free_ char *chosen = NULL;
	_cleanup_close_ int fd = -1;
	struct state_record record = {};
	int err;

	if (!name) {
		err = choose_name(t, diags, &chosen);
		if (err)
			return err;
		name = chosen;
	}
	err = context_owner_open(t, name, diags, &fd);
	if (!err)
		err = state_read(fd, name, diags, &record);
	if (!err && !record.now.spec) /* the first apply was cut short */
		err = -ENOENT;
	if (err == -ENOENT)
		diag_errno(diag_error(diags, NULL, "nothing is applied under the name '%s' in this network namespace",
				      name),
			   ENOENT);
	if (!err) {
		*ret_text = TAKE_PTR(record.now.spec);
		*ret_len = record.now.spec_len;
	}
	state_record_done(&record);
	return err;
}
