// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "context.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "caps.h"
#include "diag.h"
#include "model.h"
#include "pin.h"
#include "record.h"
#include "util.h"

#define LOCK_MS_DEFAULT 5000

const char *tcctl_version(void)
{
	return TCCTL_VERSION;
}

int tcctl_open(const struct tcctl_open_options *options, struct tcctl_diags *diags, struct tcctl **ret_tcctl)
{
	struct tcctl_open_options o;
	struct tcctl *t;
	int err;

	err = record_options(&o, sizeof(o), options);
	if (err)
		return err;
	if (o.prio > 0xffff) {
		diag_errno(diag_error(diags, NULL, "prio %u is not in 1..65535", o.prio), EINVAL);
		return -EINVAL;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->netns_fd = t->bpffs_fd = -1;
	t->lock_ms = o.lock_ms ? o.lock_ms : LOCK_MS_DEFAULT;
	t->prio = o.prio ? o.prio : MODEL_PRIO;
	if (o.bpffs) {
		t->bpffs_path = strdup(o.bpffs);
		if (!t->bpffs_path) {
			err = -ENOMEM;
			goto fail;
		}
	}
	if (o.netns_fd > 0) {
		t->netns_fd = fcntl(o.netns_fd, F_DUPFD_CLOEXEC, 3);
		err = t->netns_fd < 0 ? -errno : 0;
	} else {
		err = netns_open(o.netns, diags, &t->netns_fd);
	}
	if (!err)
		err = netns_identity(t->netns_fd, t->identity);
	if (err) {
		if (!diags->n_errors && !(err == -EPERM && caps_require(CAPS_NETNS, diags)))
			diag_errno(diag_error(diags, NULL, "cannot open the network namespace: %s", strerror(-err)), err);
		goto fail;
	}
	err = netns_nl_open(t->netns_fd, &t->nl);
	if (err) {
		struct diag *g = diag_error(diags, NULL, "cannot open a netlink socket in the network namespace: %s",
					    strerror(-err));

		if (err == -EPERM)
			diag_hint(g, "entering another network namespace needs CAP_SYS_ADMIN");
		diag_errno(g, err);
		goto fail;
	}
	/* Now, because the way out of a private mount namespace needs privileges that the caller may give up after this.
	 * That there is none may change, or matter to nobody. */
	err = context_bpffs(t, false, diags);
	if (err && err != -ENOENT)
		goto fail;
	*ret_tcctl = t;
	return 0;
fail:
	tcctl_close(t);
	return err;
}

void tcctl_close(struct tcctl *t)
{
	if (!t)
		return;
	if (t->nl)
		nl_close(t->nl);
	if (t->netns_fd >= 0)
		close(t->netns_fd);
	if (t->bpffs_fd >= 0)
		close(t->bpffs_fd);
	free(t->bpffs_path);
	free(t);
}

int context_bpffs(struct tcctl *t, bool create, struct tcctl_diags *diags)
{
	char *path;
	int err;

	if (t->bpffs_fd >= 0)
		return 0;
	err = pin_bpffs_open(t->bpffs_path, create, diags, &t->bpffs_fd, &path);
	if (!err)
		free(path);
	return err;
}

int context_owner_open(struct tcctl *t, const char *owner, struct tcctl_diags *diags, int *ret_fd)
{
	_cleanup_free_ char *escaped = pin_escape(owner);
	_cleanup_close_ int ns = -1;
	int err;

	if (!escaped)
		return -ENAMETOOLONG;
	err = context_bpffs(t, false, diags);
	if (!err)
		err = pin_namespace_open(t->bpffs_fd, t->identity, diags, &ns);
	if (!err)
		err = pin_dir_open(ns, escaped, false, diags, ret_fd);
	if (err && err != -ENOENT && !diags->n_errors) {
		struct diag *g = diag_error(diags, NULL, "cannot look below the bpf filesystem: %s", strerror(-err));

		diag_hint(g, "the pins of tcctl belong to root");
		diag_errno(g, err);
	}
	return err;
}

int tcctl_owners(struct tcctl *t, struct tcctl_diags *diags, char ***ret_names, size_t *ret_n)
{
	_cleanup_close_ int ns = -1;
	char **names, **owners;
	size_t n, n_owners = 0;
	int err;

	err = context_bpffs(t, false, diags);
	if (!err)
		err = pin_namespace_open(t->bpffs_fd, t->identity, diags, &ns);
	if (err == -ENOENT) {
		*ret_names = NULL;
		*ret_n = 0;
		return 0;
	}
	if (!err)
		err = pin_list(ns, &names, &n);
	if (err) {
		if (!diags->n_errors)
			diag_errno(diag_hint(diag_error(diags, NULL, "cannot look below the bpf filesystem: %s",
							strerror(-err)),
					     "the pins of tcctl belong to root"),
				   err);
		return err;
	}
	owners = calloc(n + 1, sizeof(*owners));
	for (size_t i = 0; owners && i < n; i++) {
		char *name = pin_unescape(names[i]);

		if (name)
			owners[n_owners++] = name;
	}
	pin_list_free(names, n);
	if (!owners)
		return -ENOMEM;
	*ret_names = owners;
	*ret_n = n_owners;
	return 0;
}

void tcctl_owners_free(char **names, size_t n)
{
	pin_list_free(names, n);
}
