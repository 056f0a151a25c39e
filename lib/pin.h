/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pins. Whoever can open a pin of ours can use it, so directories are 0700, pins 0600, and every step down is
 * taken from an open directory without following links (a path would give a check-then-use gap). Directories
 * are open O_RDONLY | O_DIRECTORY; functions take (directory, name).
 *
 *   <bpffs>/tcctl/<namespace identity>/<owner, escaped>/{state, p<N>/{root, tc/globals/<map>}}
 *   <bpffs>/tcctl/<namespace identity>/@lo    tells whether the namespace still lives
 */
#ifndef TCCTL_LIB_PIN_H
#define TCCTL_LIB_PIN_H

#include <stdbool.h>
#include <stddef.h>

#include "diag.h"

#define PIN_BPFFS "/sys/fs/bpf"
#define PIN_NAME_MAX 255

/*
 * Open the bpffs. `path` NULL: /sys/fs/bpf, which is mounted if nothing is there and we may (`create`); inside
 * `ip netns exec` (netns_mounts()) the one outside, because what is pinned in a throw-away bpffs is gone when the
 * command ends. *ret_path (malloc()ed) is for messages.
 */
int pin_bpffs_open(const char *path, bool create, struct tcctl_diags *diags, int *ret_fd, char **ret_path);

/* Open the directory `name` below dir_fd, making it (0700) if `create`. -ENOENT; -ELOOP: a link; -EPERM: it
 * belongs to someone else or others can write there (with a diagnostic; `diags` may be NULL). */
int pin_dir_open(int dir_fd, const char *name, bool create, struct tcctl_diags *diags, int *ret_fd);

/* Pin as `name`, which must not exist (-EEXIST). */
int pin_put(int dir_fd, const char *name, int obj_fd);
/* Pin as `name`, replacing what is there in one step; `temp` is the name it has in between. */
int pin_replace(int dir_fd, const char *name, const char *temp, int obj_fd);
int pin_rename(int dir_fd, const char *from, const char *to);
/* Open a pinned object: a new file descriptor or -errno; -ELOOP for anything that is not a plain pin. */
int pin_get(int dir_fd, const char *name);
/* 0 also where there is none. */
int pin_remove(int dir_fd, const char *name);
/* Remove a directory with all below it. 0 also where there is none. */
int pin_tree_remove(int dir_fd, const char *name);
/* Remove a directory if it is empty: 0 removed or not there, -ENOTEMPTY. */
int pin_rmdir(int dir_fd, const char *name);

/* Names in a directory, sorted; each malloc()ed, in a malloc()ed array. */
int pin_list(int dir_fd, char ***ret_names, size_t *ret_n);
void pin_list_free(char **names, size_t n);

/* bpffs refuses '.', and '/' would be another directory: all but [A-Za-z0-9_-] becomes %XX. Injective. The result is
 * malloc()ed; NULL without memory or when it would be longer than a file name may be. */
char *pin_escape(const char *name);
/* The reverse; NULL for what pin_escape() does not make. */
char *pin_unescape(const char *escaped);

/* Open <bpffs>/tcctl/<identity> and hold its lock. Another holder is waited for up to `wait_ms`, then -EBUSY with
 * a diagnostic. *ret_fd owns the lock: closing it releases it. */
int pin_lock(int bpffs_fd, const char *identity, unsigned int wait_ms, struct tcctl_diags *diags, int *ret_fd);
/* The same without lock and without making it; -ENOENT. */
int pin_namespace_open(int bpffs_fd, const char *identity, struct tcctl_diags *diags, int *ret_fd);
/* Remove <bpffs>/tcctl/<identity> if nobody has pins there, and <bpffs>/tcctl if it is empty; the lock is held. */
void pin_namespace_tidy(int bpffs_fd, const char *identity);

/* Whether the namespace of a directory lives, as its witness says (see pin/witness.c). */
enum pin_witness {
	PIN_WITNESS_NONE, /* there is none, or it could not be asked: nothing is known */
	PIN_WITNESS_ALIVE, /* also when only an open file or socket holds the namespace */
	PIN_WITNESS_DEAD,
};
enum pin_witness pin_witness_ask(int ns_fd);
/* Put a witness into the directory of a namespace. */
int pin_witness_make(int ns_fd, int netns_fd);
/* Is there nothing else in the directory? */
bool pin_witness_alone(int ns_fd);
/* Remove all that is in the directory of a namespace. */
int pin_clear(int ns_fd);
/* Remove the directories of namespaces that are proven dead. Others' locks are not waited for. */
void pin_prune(int bpffs_fd);

#endif
