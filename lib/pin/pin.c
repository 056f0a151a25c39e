// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "pin.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "util.h"

/* A directory below dir_fd, nothing followed. Kernels before 5.6 and seccomp filters without openat2 get O_NOFOLLOW,
 * which is enough for a single component. */
static int open_below(int dir_fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	if (!*name || strchr(name, '/') || !strcmp(name, ".."))
		return -EINVAL;
	fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOTDIR ? -ELOOP : -errno;
	return fd;
}

int pin_dir_open(int dir_fd, const char *name, bool create, struct tcctl_diags *diags, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	struct diag *g;

	if (create && mkdirat(dir_fd, name, 0700) && errno != EEXIST)
		return -errno;
	fd = open_below(dir_fd, name);
	if (fd == -ELOOP && diags) {
		g = diag_error(diags, NULL, "'%s' below the bpf filesystem is not a directory of ours", name);
		diag_errno(diag_hint(g, "a link or a file was put in its place; look at it and remove it"), fd);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		if (diags) {
			g = diag_error(diags, NULL,
				       "directory '%s' below the bpf filesystem can be changed by others (owner %u, mode %o)",
				       name, st.st_uid, st.st_mode & 07777);
			diag_errno(diag_hint(g, "it must belong to root and be 0700; nothing in it is used"), EPERM);
		}
		return -EPERM;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* bpf(2) takes paths only; the magic link of the open directory keeps what we checked. */
static int pin_path(int dir_fd, const char *name, char path[PIN_NAME_MAX + 40])
{
	int n;

	if (!*name || strchr(name, '/') || strchr(name, '.'))
		return -EINVAL;
	n = snprintf(path, PIN_NAME_MAX + 40, "/proc/self/fd/%d/%s", dir_fd, name);
	return n < PIN_NAME_MAX + 40 ? 0 : -ENAMETOOLONG;
}

int pin_put(int dir_fd, const char *name, int obj_fd)
{
	char path[PIN_NAME_MAX + 40];
	int err = pin_path(dir_fd, name, path);

	if (err)
		return err;
	if (bpf_obj_pin(obj_fd, path))
		return -errno;
	if (fchmodat(dir_fd, name, 0600, 0)) {
		err = -errno;
		unlinkat(dir_fd, name, 0);
	}
	return err;
}

int pin_replace(int dir_fd, const char *name, const char *temp, int obj_fd)
{
	int err;

	if (unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		return -errno;
	err = pin_put(dir_fd, temp, obj_fd);
	if (err)
		return err;
	err = pin_rename(dir_fd, temp, name);
	if (err)
		unlinkat(dir_fd, temp, 0);
	return err;
}

int pin_rename(int dir_fd, const char *from, const char *to)
{
	return renameat(dir_fd, from, dir_fd, to) ? -errno : 0;
}

int pin_get(int dir_fd, const char *name)
{
	char path[PIN_NAME_MAX + 40];
	struct stat st;
	int fd, err = pin_path(dir_fd, name, path);

	if (err)
		return err;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ELOOP;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pin_remove(int dir_fd, const char *name)
{
	return unlinkat(dir_fd, name, 0) && errno != ENOENT ? -errno : 0;
}

int pin_rmdir(int dir_fd, const char *name)
{
	return unlinkat(dir_fd, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void pin_list_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int pin_list(int dir_fd, char ***ret_names, size_t *ret_n)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names = NULL;
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	while ((e = readdir(dir))) {
		char **grown;

		if (e->d_name[0] == '.')
			continue;
		grown = realloc(names, (n + 1) * sizeof(*names));
		if (grown)
			names = grown;
		if (!grown || !(names[n] = strdup(e->d_name))) {
			pin_list_free(names, n);
			closedir(dir);
			return -ENOMEM;
		}
		n++;
	}
	closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	*ret_names = names;
	*ret_n = n;
	return 0;
}

int pin_tree_remove(int dir_fd, const char *name)
{
	_cleanup_close_ int fd = -1;
	char **names = NULL;
	size_t n = 0;
	int err;

	if (!unlinkat(dir_fd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = open_below(dir_fd, name);
	if (fd < 0)
		return fd;
	err = pin_list(fd, &names, &n);
	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++)
		err = pin_tree_remove(fd, names[i]);
	pin_list_free(names, n);
	return err ? err : pin_rmdir(dir_fd, name);
}

static bool plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

char *pin_escape(const char *name)
{
	char *out = malloc(strlen(name) * 3 + 1), *p = out;

	if (!out)
		return NULL;
	for (; *name; name++)
		if (plain(*name))
			*p++ = *name;
		else
			p += sprintf(p, "%%%02X", (unsigned char)*name);
	*p = 0;
	if (p - out > PIN_NAME_MAX || p == out) {
		free(out);
		return NULL;
	}
	return out;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *pin_unescape(const char *escaped)
{
	char *out = malloc(strlen(escaped) + 1), *p = out;

	if (!out)
		return NULL;
	while (*escaped) {
		if (plain(*escaped)) {
			*p++ = *escaped++;
		} else if (*escaped == '%' && hex(escaped[1]) >= 0 && hex(escaped[2]) >= 0) {
			int c = hex(escaped[1]) * 16 + hex(escaped[2]);

			if (!c || plain(c))
				break;
			*p++ = c;
			escaped += 3;
		} else {
			break;
		}
	}
	*p = 0;
	if (*escaped || p == out) {
		free(out);
		return NULL;
	}
	return out;
}
