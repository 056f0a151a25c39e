// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finding bpffs, and the directory of one network namespace with its lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "caps.h"
#include "netns.h"
#include "pin.h"
#include "util.h"

#define BPFFS_MAGIC 0xcafe4a11
#define PIN_TOP "tcctl"

static bool is_bpffs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (unsigned int)fs.f_type == BPFFS_MAGIC;
}

static int bpffs_open_given(const char *path, struct tcctl_diags *diags, int *ret_fd)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (err) {
		diag_errno(diag_error(diags, NULL, "cannot open the bpf filesystem %s: %s", path, strerror(-err)), err);
		return err;
	}
	if (!is_bpffs(fd)) {
		diag_errno(diag_hint(diag_error(diags, NULL, "%s is not a bpf filesystem", path),
				     "mount one there: mount -t bpf bpf %s", path),
			   EINVAL);
		return -EINVAL;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int bpffs_mount(struct tcctl_diags *diags)
{
	int err;

	if (!mount("bpf", PIN_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return 0;
	err = -errno;
	diag_errno(diag_hint(diag_error(diags, NULL, "no bpf filesystem at %s, and mounting one failed: %s", PIN_BPFFS,
					strerror(-err)),
			     "as root: mount -t bpf bpf %s", PIN_BPFFS),
		   err);
	return err;
}

/* In a private mount namespace: the bpffs outside, where pins outlive the command. -ENXIO with a diagnostic. */
static int bpffs_open_outside(const char *root, const char *exec_name, bool hidden, struct tcctl_diags *diags,
			      int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	char path[NETNS_ROOT_MAX + sizeof(PIN_BPFFS)];
	struct diag *g;

	if (!hidden) {
		snprintf(path, sizeof(path), "%s" PIN_BPFFS, root);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && is_bpffs(fd)) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
	}
	/* A container may have a lasting one of its own; what `tc` mounts under `ip netns exec` is a throw-away. */
	if (!exec_name[0]) {
		if (fd >= 0)
			close(TAKE_FD(fd));
		fd = open(PIN_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && is_bpffs(fd)) {
			*ret_fd = TAKE_FD(fd);
			return 0;
		}
	}
	g = diag_errno(diag_error(diags, NULL, "no lasting bpf filesystem can be reached from this mount namespace"),
		       ENXIO);
	if (exec_name[0])
		diag_hint(g, "`ip netns exec` hides it: instead of `ip netns exec %s tcctl …` run `tcctl … --netns %s`",
			  exec_name, exec_name);
	else
		diag_hint(g, "mount one that lasts, outside or here: mount -t bpf bpf %s", PIN_BPFFS);
	return -ENXIO; /* not -ENOENT: what is pinned there we do not know */
}

int pin_bpffs_open(const char *path, bool create, struct tcctl_diags *diags, int *ret_fd, char **ret_path)
{
	char root[NETNS_ROOT_MAX], exec_name[256];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *name = NULL;
	enum netns_mounts mounts;
	int err;

	name = strdup(path ? path : PIN_BPFFS);
	if (!name)
		return -ENOMEM;
	mounts = path ? NETNS_MOUNTS_ORDINARY : netns_mounts(root, exec_name);
	if (path) {
		err = bpffs_open_given(path, diags, &fd);
		if (err)
			return err;
	} else if (mounts != NETNS_MOUNTS_ORDINARY) {
		err = bpffs_open_outside(root, exec_name, mounts == NETNS_MOUNTS_HIDDEN, diags, &fd);
		if (err)
			return err;
	} else {
		fd = open(PIN_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || !is_bpffs(fd)) {
			if (!create)
				return -ENOENT;
			if (fd >= 0)
				close(TAKE_FD(fd));
			err = bpffs_mount(diags);
			if (err)
				return err;
			err = bpffs_open_given(PIN_BPFFS, diags, &fd);
			if (err)
				return err;
		}
	}
	*ret_fd = TAKE_FD(fd);
	*ret_path = TAKE_PTR(name);
	return 0;
}

static int namespace_open(int bpffs_fd, const char *identity, bool create, struct tcctl_diags *diags, int *ret_fd)
{
	_cleanup_close_ int top = -1;
	int err;

	err = pin_dir_open(bpffs_fd, PIN_TOP, create, diags, &top);
	return err ? err : pin_dir_open(top, identity, create, diags, ret_fd);
}

int pin_namespace_open(int bpffs_fd, const char *identity, struct tcctl_diags *diags, int *ret_fd)
{
	return namespace_open(bpffs_fd, identity, false, diags, ret_fd);
}

/* Does the path still lead to the directory that we locked? The holder before us may have removed it. */
static bool still_there(int bpffs_fd, const char *identity, int fd)
{
	_cleanup_close_ int again = -1;
	struct stat a, b;

	return !namespace_open(bpffs_fd, identity, false, NULL, &again) && !fstat(fd, &a) && !fstat(again, &b) &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int pin_lock(int bpffs_fd, const char *identity, unsigned int wait_ms, struct tcctl_diags *diags, int *ret_fd)
{
	const long long deadline = now_ms() + wait_ms;

	for (;;) {
		_cleanup_close_ int fd = -1;
		int err = namespace_open(bpffs_fd, identity, true, diags, &fd);

		if (err && err != -ENOENT) {
			if (err != -EPERM && err != -ELOOP)
				diag_errno(diag_error(diags, NULL, "cannot make a directory below the bpf filesystem: %s",
						      strerror(-err)),
					   err);
			pin_rmdir(bpffs_fd, PIN_TOP); /* only when it is empty: we have just made it */
			return err;
		}
		if (!err && !flock(fd, LOCK_EX | LOCK_NB)) {
			if (still_there(bpffs_fd, identity, fd)) {
				*ret_fd = TAKE_FD(fd);
				return 0;
			}
		} else if (!err && errno != EWOULDBLOCK && errno != EINTR) {
			err = -errno;
			diag_errno(diag_error(diags, NULL, "cannot lock: %s", strerror(-err)), err);
			return err;
		}
		if (now_ms() >= deadline) {
			diag_errno(diag_hint(diag_error(diags, NULL,
							"another tcctl is changing this network namespace, waited %u ms",
							wait_ms),
					     "try again when it is done"),
				   EBUSY);
			return -EBUSY;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
}

void pin_namespace_tidy(int bpffs_fd, const char *identity)
{
	_cleanup_close_ int top = -1, ns = -1;

	if (pin_dir_open(bpffs_fd, PIN_TOP, false, NULL, &top))
		return;
	if (!pin_dir_open(top, identity, false, NULL, &ns) && pin_witness_alone(ns))
		pin_clear(ns);
	pin_rmdir(top, identity);
	pin_rmdir(bpffs_fd, PIN_TOP);
}

void pin_prune(int bpffs_fd)
{
	_cleanup_close_ int top = -1;
	char **names;
	size_t n;

	if (pin_dir_open(bpffs_fd, PIN_TOP, false, NULL, &top) || pin_list(top, &names, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int ns = -1;

		if (pin_dir_open(top, names[i], false, NULL, &ns) || pin_witness_ask(ns) != PIN_WITNESS_DEAD ||
		    flock(ns, LOCK_EX | LOCK_NB) || !still_there(bpffs_fd, names[i], ns))
			continue;
		/* asked again under the lock: with inode numbers for names a new namespace may have taken it over */
		if (pin_witness_ask(ns) == PIN_WITNESS_DEAD && !pin_clear(ns))
			pin_rmdir(top, names[i]);
	}
	pin_list_free(names, n);
	pin_rmdir(bpffs_fd, PIN_TOP); /* only when it is empty */
}
