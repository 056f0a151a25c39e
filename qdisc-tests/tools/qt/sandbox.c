// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qt/qt.h"

/*
 * A private /run that shows what is in the real one, except for what named namespaces and tcctl keep there: what
 * they write is gone with us.
 */
static int run_enter(void)
{
	struct dirent *e;
	DIR *old = opendir("/run");
	int rc = 0;

	if (!old)
		return -errno;
	if (mount("run", "/run", "tmpfs", 0, "mode=755"))
		rc = -errno;
	while (!rc && (e = readdir(old))) {
		char from[600], to[600];
		struct stat st;
		int fd;

		if (e->d_name[0] == '.' || !strcmp(e->d_name, "netns") || !strncmp(e->d_name, "tcctl", 5) ||
		    fstatat(dirfd(old), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || S_ISLNK(st.st_mode))
			continue;
		snprintf(from, sizeof(from), "/proc/self/fd/%d/%s", dirfd(old), e->d_name);
		snprintf(to, sizeof(to), "/run/%s", e->d_name);
		if (S_ISDIR(st.st_mode)) {
			if (mkdir(to, 0755))
				continue;
		} else {
			fd = open(to, O_CREAT | O_CLOEXEC | O_WRONLY, 0600);
			if (fd < 0)
				continue;
			close(fd);
		}
		/* What cannot be shown is missing, no more. */
		if (mount(from, to, NULL, MS_BIND | MS_REC, NULL))
			continue;
	}
	closedir(old);
	return rc;
}

int sandbox_enter(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700"))
		return -errno;
	return run_enter();
}
