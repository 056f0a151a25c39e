/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Network namespaces. Only the network namespace is ever switched: the mount namespace, and with it bpffs,
 * stays ours. Where a piece of work must happen inside (opening a socket, attaching or querying TCX),
 * netns_run() does it in a thread of its own, so nothing needs undoing and other threads notice nothing.
 */
#ifndef TCCTL_LIB_NETNS_H
#define TCCTL_LIB_NETNS_H

#include <stddef.h>
#include <stdint.h>

struct nl;
struct tcctl_diags;

#define NETNS_IDENTITY_MAX 40

/*
 * Open a namespace: NULL or "" is the calling thread's; a name is /run/netns/NAME (or /var/run/netns); a path is
 * anything with a '/', such as /proc/123/ns/net. -ENOENT with a hint that lists near names, -EACCES,
 * -EINVAL for something that is no network namespace. The caller closes *ret_fd.
 */
int netns_open(const char *name, struct tcctl_diags *diags, int *ret_fd);

/* Run fn(arg) in a thread inside the namespace; returns fn's result, or -errno of entering (-EPERM without
 * CAP_SYS_ADMIN). When it is the caller's own namespace already no thread and no capability is needed. */
int netns_run(int netns_fd, int (*fn)(void *arg), void *arg);

/* A netlink socket of that namespace. */
int netns_nl_open(int netns_fd, struct nl **ret_nl);

/*
 * Names the namespace in pin paths, never changes while it lives, and is the same whatever name it was reached by:
 * "c<cookie>" (SO_NETNS_COOKIE, Linux 5.14; never used again until reboot), else "i<inode>".
 */
int netns_identity(int netns_fd, char ret_identity[NETNS_IDENTITY_MAX]);

/*
 * Identities of the namespaces that can be seen from here: ours, /run/netns/ entries and those of /proc/PID/ns/net.
 * Sorted strings, each malloc()ed, in a malloc()ed array. What is not among them may still live (held by an open
 * file alone), so a pin folder without a namespace is *probably* stale.
 */
int netns_identities(char ***ret_identities, size_t *ret_n);

/*
 * Whose mounts do we see? `ip netns exec` gives its command a mount namespace of its own with a new /sys, in which
 * /sys/fs/bpf is missing or a throw-away: what is pinned there is gone when the command ends.
 */
enum netns_mounts {
	NETNS_MOUNTS_ORDINARY, /* those of the host (or container) */
	NETNS_MOUNTS_PRIVATE,  /* private, not by `ip netns exec`; *ret_root is the way outside */
	NETNS_MOUNTS_EXEC,     /* by `ip netns exec` of ret_name; *ret_root is the way outside */
	NETNS_MOUNTS_HIDDEN,   /* the same, and the outside is out of reach */
};
#define NETNS_ROOT_MAX 64
/* ret_root: "/proc/PID/root" of a process outside; ret_name: name given to `ip netns exec`, else "". */
enum netns_mounts netns_mounts(char ret_root[NETNS_ROOT_MAX], char ret_name[256]);

#endif
