// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "caps.h"
#include "diag.h"
#include "nl.h"
#include "util.h"

#define NETNS_DIR "/run/netns"
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#ifndef NS_GET_NSTYPE
#define NS_GET_NSTYPE _IO(0xb7, 0x3)
#endif

/* Names in /run/netns; the strings and the array are malloc()ed. */
static size_t names_read(char ***ret_names)
{
	char **names = NULL, **grown;
	struct dirent *e;
	size_t n = 0;
	DIR *dir = opendir(NETNS_DIR);

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		grown = realloc(names, (n + 1) * sizeof(*names));
		if (!grown)
			break;
		names = grown;
		names[n] = strdup(e->d_name);
		if (!names[n])
			break;
		n++;
	}
	if (dir)
		closedir(dir);
	*ret_names = names;
	return n;
}

static void strings_free(char **strings, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static int open_failed(const char *name, int err, struct tcctl_diags *diags)
{
	char **names = NULL;
	size_t n = 0;
	const char *near;
	struct diag *g;

	if (!diags)
		return err;
	g = diag_errno(diag_error(diags, NULL, "no network namespace '%s': %s", name, strerror(-err)), err);
	if (err != -ENOENT || strchr(name, '/'))
		return err;
	n = names_read(&names);
	near = diag_nearest(name, (const char *const *)names, n);
	if (near)
		diag_hint(g, "did you mean '%s'?", near);
	else
		diag_hint(g, "`ip netns list` shows the names; a path such as /proc/PID/ns/net works too");
	strings_free(names, n);
	return err;
}

int netns_open(const char *name, struct tcctl_diags *diags, int *ret_fd)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int type, len;

	if (!name || !name[0]) {
		/* Of the thread, not of the process: a caller may have moved one of its threads. */
		fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return open_failed("/proc/thread-self/ns/net", -errno, diags);
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return open_failed(name, -EINVAL, diags);
	len = snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : NETNS_DIR "/", name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return open_failed(name, -ENAMETOOLONG, diags);
	/* O_NONBLOCK: the path may be a fifo. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return open_failed(name, -errno, diags);
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type != CLONE_NEWNET) {
		if (diags)
			diag_hint(
				diag_errno(diag_error(diags, NULL, "'%s' is not a network namespace", path),
					   EINVAL),
				"after its last process or `ip netns del` the empty file may stay: remove it");
		return -EINVAL;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* 1: fd is the calling thread's namespace. */
static int netns_is_ours(int netns_fd)
{
	_cleanup_close_ int self = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat a, b;

	if (self < 0 || fstat(self, &a) || fstat(netns_fd, &b))
		return -errno;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

struct job {
	int netns_fd, result;
	int (*fn)(void *arg);
	void *arg;
};

static void *job_run(void *data)
{
	struct job *job = data;

	/* The thread ends after this: there is nothing to switch back. */
	if (setns(job->netns_fd, CLONE_NEWNET) < 0)
		job->result = -errno;
	else
		job->result = job->fn(job->arg);
	return NULL;
}

int netns_run(int netns_fd, int (*fn)(void *arg), void *arg)
{
	struct job job = { .netns_fd = netns_fd, .fn = fn, .arg = arg };
	pthread_t thread;
	int err;

	err = netns_is_ours(netns_fd);
	if (err < 0)
		return err;
	if (err)
		return fn(arg);
	err = pthread_create(&thread, NULL, job_run, &job);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return job.result;
}

static int open_nl(void *arg)
{
	return nl_open(arg);
}

int netns_nl_open(int netns_fd, struct nl **ret_nl)
{
	return netns_run(netns_fd, open_nl, ret_nl);
}

static int read_cookie(void *arg)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return -errno;
	*(uint64_t *)arg = cookie;
	return 0;
}

int netns_identity(int netns_fd, char ret_identity[NETNS_IDENTITY_MAX])
{
	uint64_t cookie = 0;
	struct stat st;
	int err;

	err = netns_run(netns_fd, read_cookie, &cookie);
	if (!err) {
		snprintf(ret_identity, NETNS_IDENTITY_MAX, "c%llu", (unsigned long long)cookie);
		return 0;
	}
	/* Only a kernel without cookies gets the inode: a namespace must not have two identities. */
	if (err != -ENOPROTOOPT)
		return err;
	if (fstat(netns_fd, &st))
		return -errno;
	snprintf(ret_identity, NETNS_IDENTITY_MAX, "i%llu", (unsigned long long)st.st_ino);
	return 0;
}

struct seen {
	char **items;
	size_t n;
	ino_t *inodes; /* of those already asked */
	size_t n_inodes;
};

static int seen_add(struct seen *seen, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char identity[NETNS_IDENTITY_MAX], **items, *copy;
	struct stat st;
	ino_t *inodes;

	if (fd < 0 || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET || fstat(fd, &st))
		return 0; /* gone, or not ours to see */
	for (size_t i = 0; i < seen->n_inodes; i++)
		if (seen->inodes[i] == st.st_ino)
			return 0;
	inodes = realloc(seen->inodes, (seen->n_inodes + 1) * sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	seen->inodes = inodes;
	inodes[seen->n_inodes++] = st.st_ino;
	if (netns_identity(fd, identity))
		return 0;
	items = realloc(seen->items, (seen->n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	seen->items = items;
	copy = strdup(identity);
	if (!copy)
		return -ENOMEM;
	items[seen->n++] = copy;
	return 0;
}

static int seen_add_dir(struct seen *seen, const char *dir_path, bool is_proc)
{
	char path[PATH_MAX];
	struct dirent *e;
	int err = 0;
	DIR *dir = opendir(dir_path);

	while (dir && !err && (e = readdir(dir))) {
		if (e->d_name[0] == '.' || (is_proc && (e->d_name[0] < '1' || e->d_name[0] > '9')))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", dir_path, e->d_name, is_proc ? "/ns/net" : "");
		err = seen_add(seen, path);
	}
	if (dir)
		closedir(dir);
	return err;
}

static int string_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int netns_identities(char ***ret_identities, size_t *ret_n)
{
	struct seen seen = { 0 };
	int err;

	err = seen_add(&seen, "/proc/thread-self/ns/net");
	if (!err)
		err = seen_add_dir(&seen, NETNS_DIR, false);
	if (!err)
		err = seen_add_dir(&seen, "/proc", true);
	free(seen.inodes);
	if (err) {
		strings_free(seen.items, seen.n);
		return err;
	}
	if (seen.n)
		qsort(seen.items, seen.n, sizeof(*seen.items), string_cmp);
	*ret_identities = seen.items;
	*ret_n = seen.n;
	return 0;
}

/* `ip netns exec NAME` mounts sysfs with NAME as its source: nothing else tells as surely. */
static bool exec_name(char ret_name[256])
{
	char line[4096], source[256], at[256], type[64], path[PATH_MAX];
	FILE *f = fopen("/proc/thread-self/mounts", "re");

	ret_name[0] = '\0';
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%255s %255s %63s", source, at, type) == 3 && !strcmp(at, "/sys")) {
			/* Mounts come in order: the last one is on top. */
			snprintf(path, sizeof(path), NETNS_DIR "/%s", source);
			strcpy(ret_name,
			       !strcmp(type, "sysfs") && !strchr(source, '/') && !access(path, F_OK) ?
				       source :
				       "");
		}
	if (f)
		fclose(f);
	return ret_name[0] != '\0';
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (f)
		fclose(f);
	return parent;
}

/* 1: `pid` has other mounts than we, and they can be reached; 0: the same; -errno. */
static int mounts_differ(pid_t pid, char ret_root[NETNS_ROOT_MAX])
{
	char path[64];
	struct stat ours, theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat("/proc/thread-self/ns/mnt", &ours) || stat(path, &theirs))
		return -errno;
	if (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
		return 0;
	snprintf(ret_root, NETNS_ROOT_MAX, "/proc/%d/root", pid);
	snprintf(path, sizeof(path), "/proc/%d/root/sys", pid);
	return access(path, F_OK) ? -errno : 1;
}

enum netns_mounts netns_mounts(char ret_root[NETNS_ROOT_MAX], char ret_name[256])
{
	bool exec = exec_name(ret_name);
	int rc = mounts_differ(1, ret_root);

	if (rc == 1)
		return exec ? NETNS_MOUNTS_EXEC : NETNS_MOUNTS_PRIVATE;
	if (!exec)
		return NETNS_MOUNTS_ORDINARY;
	/* Process 1 is out of reach, or `ip netns exec` was its own doing: the nearest of our ancestors then. */
	for (pid_t pid = parent_of(getpid()); pid > 1; pid = parent_of(pid)) {
		rc = mounts_differ(pid, ret_root);
		if (rc == 1)
			return NETNS_MOUNTS_EXEC;
		if (rc < 0)
			break;
	}
	ret_root[0] = '\0';
	return NETNS_MOUNTS_HIDDEN;
}
