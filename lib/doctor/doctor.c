// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "caps.h"
#include "netns.h"
#include "pin.h"
#include "record.h"
#include "util.h"

#define KERNEL "kernel"
#define PRIVILEGES "privileges"
#define STATE "state"

static const char *const state_names[TCCTL_FINDING_STATE_MAX] = {
	[TCCTL_FINDING_OK] = "ok", [TCCTL_FINDING_INFO] = "info",   [TCCTL_FINDING_LIMITED] = "limited",
	[TCCTL_FINDING_NO] = "no", [TCCTL_FINDING_FATAL] = "FATAL", [TCCTL_FINDING_UNKNOWN] = "?",
};

const char *tcctl_finding_state_name(enum tcctl_finding_state state)
{
	return (unsigned int)state < TCCTL_FINDING_STATE_MAX ? state_names[state] : "?";
}

void finding_add(struct tcctl_doctor *d, enum tcctl_finding_state state, const char *group, const char *name,
		 const char *fmt, ...)
{
	struct finding *items;
	va_list ap;
	int len;

	if (d->n == d->cap) {
		items = realloc(d->items, (d->cap + 32) * sizeof(*items));
		if (!items) {
			d->oom = true;
			return;
		}
		d->items = items;
		d->cap += 32;
	}
	d->items[d->n] = (struct finding){ .state = state, .group = group, .name = name };
	va_start(ap, fmt);
	len = vasprintf(&d->items[d->n].found, fmt, ap);
	va_end(ap);
	if (len < 0)
		d->oom = true;
	else
		d->n++;
}

void finding_hint(struct tcctl_doctor *d, const char *fmt, ...)
{
	va_list ap;
	char *hint;

	if (!d->n || d->oom)
		return;
	va_start(ap, fmt);
	if (vasprintf(&hint, fmt, ap) < 0) {
		d->oom = true;
	} else {
		free(d->items[d->n - 1].hint);
		d->items[d->n - 1].hint = hint;
	}
	va_end(ap);
}

/* First number in a file of /proc or /sys; -errno when it cannot be read. */
static int read_number(const char *path, long *ret)
{
	FILE *f = fopen(path, "re");
	int err = 0;

	if (!f)
		return -errno;
	if (fscanf(f, "%ld", ret) != 1)
		err = -EINVAL;
	fclose(f);
	return err;
}

static void look_kernel(struct tcctl_doctor *d)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;
	long v = 0;
	int err;

	if (!uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2) {
		bool old = major < 5 || (major == 5 && minor < 10);

		finding_add(d, old ? TCCTL_FINDING_FATAL : TCCTL_FINDING_OK, KERNEL, "version",
			    "Linux %s, %s", u.release, u.machine);
		if (old)
			finding_hint(d, "tcctl needs Linux 5.10 or newer");
	}
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		finding_add(d, TCCTL_FINDING_OK, KERNEL, "btf", "there");
	else
		finding_add(d, TCCTL_FINDING_INFO, KERNEL, "btf", "not there; tcctl does not need it");

	err = read_number("/proc/sys/net/core/bpf_jit_enable", &v);
	if (err) {
		finding_add(d, TCCTL_FINDING_UNKNOWN, KERNEL, "jit", "bpf_jit_enable: %s", strerror(-err));
	} else if (v) {
		finding_add(d, TCCTL_FINDING_OK, KERNEL, "jit", "on");
	} else {
		finding_add(d, TCCTL_FINDING_LIMITED, KERNEL, "jit",
			    "off: programs are interpreted, several times slower");
		finding_hint(d, "sysctl net.core.bpf_jit_enable=1");
	}
	err = read_number("/proc/sys/net/core/bpf_jit_harden", &v);
	if (!err && v >= 2) {
		finding_add(d, TCCTL_FINDING_LIMITED, KERNEL, "jit-harden",
			    "2: constants are blinded also for root, and jumps between programs are slower");
		finding_hint(d,
			     "sysctl net.core.bpf_jit_harden=1 blinds only programs of unprivileged users");
	} else if (!err) {
		finding_add(d, TCCTL_FINDING_OK, KERNEL, "jit-harden", "%ld", v);
	} else if (err != -EACCES && err != -EPERM) {
		finding_add(d, TCCTL_FINDING_INFO, KERNEL, "jit-harden", "not in this kernel");
	}
	err = read_number("/proc/sys/kernel/unprivileged_bpf_disabled", &v);
	if (!err && v)
		finding_add(d, TCCTL_FINDING_OK, KERNEL, "unprivileged-bpf", "off");
	else if (!err) {
		finding_add(d, TCCTL_FINDING_INFO, KERNEL, "unprivileged-bpf",
			    "on: any user may load BPF programs");
		finding_hint(d, "sysctl kernel.unprivileged_bpf_disabled=1, unless something relies on it");
	}
	err = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	if (err >= 0 && err & MEMBARRIER_CMD_GLOBAL)
		finding_add(d, TCCTL_FINDING_OK, KERNEL, "membarrier", "there");
	else
		finding_add(d, TCCTL_FINDING_INFO, KERNEL, "membarrier",
			    "not there; a map update waits instead");
}

static void look_privileges(struct tcctl_doctor *d)
{
	static const struct {
		enum caps_feature feature;
		const char *name;
		enum tcctl_finding_state without;
	} features[] = {
		{ CAPS_LOAD, "load", TCCTL_FINDING_FATAL },
		{ CAPS_ATTACH, "attach", TCCTL_FINDING_FATAL },
		{ CAPS_NETNS, "namespaces", TCCTL_FINDING_LIMITED },
		{ CAPS_MOUNT_BPFFS, "mount-bpffs", TCCTL_FINDING_LIMITED },
		{ CAPS_FOREIGN_PROGS, "foreign-programs", TCCTL_FINDING_LIMITED },
	};
	cap_flag_value_t set = CAP_CLEAR;
	cap_t caps;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (caps_have(features[i].feature)) {
			finding_add(d, TCCTL_FINDING_OK, PRIVILEGES, features[i].name, "%s: %s",
				    caps_needed(features[i].feature), caps_purpose(features[i].feature));
		} else {
			finding_add(d, features[i].without, PRIVILEGES, features[i].name,
				    "no %s: %s is refused", caps_needed(features[i].feature),
				    caps_purpose(features[i].feature));
			finding_hint(d, "%s",
				     geteuid() ? "run as root (sudo), or give the process the capability" :
						 "the container or service has to be given it");
		}
	/* Not needed, but without it the verifier adds its Spectre mitigations, and jumps between programs are indirect. */
	caps = cap_get_proc();
	if (caps && cap_max_bits() > CAP_PERFMON && !cap_get_flag(caps, CAP_PERFMON, CAP_EFFECTIVE, &set)) {
		bool have = set == CAP_SET || caps_have(CAPS_NETNS);

		if (have) {
			finding_add(d, TCCTL_FINDING_OK, PRIVILEGES, "perfmon",
				    "CAP_PERFMON: programs without extra mitigations");
		} else {
			finding_add(
				d, TCCTL_FINDING_LIMITED, PRIVILEGES, "perfmon",
				"no CAP_PERFMON: the kernel adds mitigations that make every jump and lookup slower");
			finding_hint(d, "works all the same; give the process CAP_PERFMON for full speed");
		}
	}
	if (caps)
		cap_free(caps);
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static void look_bpffs(struct tcctl_doctor *d, const char *path)
{
	char root[NETNS_ROOT_MAX], name[256], outside[NETNS_ROOT_MAX + sizeof(PIN_BPFFS)];
	enum netns_mounts mounts = path ? NETNS_MOUNTS_ORDINARY : netns_mounts(root, name);
	const char *at = path ? path : PIN_BPFFS;
	struct stat st;

	if (mounts == NETNS_MOUNTS_EXEC || mounts == NETNS_MOUNTS_PRIVATE) {
		snprintf(outside, sizeof(outside), "%s" PIN_BPFFS, root);
		if (is_bpffs(outside)) {
			finding_add(d, TCCTL_FINDING_OK, STATE, "bpffs",
				    "private mounts%s; pins go to %s outside",
				    name[0] ? " of `ip netns exec`" : "", at);
			return;
		}
	}
	if (mounts == NETNS_MOUNTS_EXEC || mounts == NETNS_MOUNTS_HIDDEN) {
		finding_add(d, TCCTL_FINDING_FATAL, STATE, "bpffs", "inside `ip netns exec`, and %s",
			    mounts == NETNS_MOUNTS_HIDDEN ? "the bpffs outside is out of reach" :
							    "there is none outside");
		finding_hint(d, "instead of `ip netns exec %s tcctl …` run `tcctl … --netns %s`", name, name);
	} else if (is_bpffs(at)) {
		finding_add(d, TCCTL_FINDING_OK, STATE, "bpffs", "mounted at %s", at);
	} else if (stat(at, &st)) {
		finding_add(d, errno == EACCES ? TCCTL_FINDING_UNKNOWN : TCCTL_FINDING_FATAL, STATE, "bpffs",
			    "%s: %s", at, strerror(errno));
		finding_hint(d, "mount -t bpf bpf %s", at);
	} else if (caps_have(CAPS_MOUNT_BPFFS)) {
		finding_add(d, TCCTL_FINDING_INFO, STATE, "bpffs",
			    "not mounted at %s; `tcctl apply` mounts it", at);
	} else {
		finding_add(d, TCCTL_FINDING_FATAL, STATE, "bpffs", "not mounted at %s", at);
		finding_hint(d, "as root: mount -t bpf bpf %s", at);
	}
}

static int name_cmp(const void *key, const void *item)
{
	return strcmp(key, *(char *const *)item);
}

/* Where nothing proves that a namespace is dead, it is looked for where namespaces usually can be seen. */
static enum pin_witness ask(int top, const char *name, char *const *seen, size_t n_seen)
{
	_cleanup_close_ int ns = -1;
	enum pin_witness witness = PIN_WITNESS_NONE;

	if (!pin_dir_open(top, name, false, NULL, &ns))
		witness = pin_witness_ask(ns);
	if (witness == PIN_WITNESS_NONE && bsearch(name, seen, n_seen, sizeof(*seen), name_cmp))
		witness = PIN_WITNESS_ALIVE;
	return witness;
}

static void look_stale(struct tcctl_doctor *d, const char *path)
{
	struct tcctl_diags *quiet = diags_new(); /* what is wrong with bpffs itself was said before */
	_cleanup_close_ int fs = -1, top = -1;
	_cleanup_free_ char *at = NULL;
	char **names = NULL, **seen = NULL;
	size_t n = 0, n_seen = 0, dead = 0, lost = 0;
	char text[160] = "";
	int err;

	if (!quiet) {
		d->oom = true;
		return;
	}
	err = pin_bpffs_open(path, false, quiet, &fs, &at);
	diags_free(quiet);
	if (err)
		return;
	err = pin_dir_open(fs, "tcctl", false, NULL, &top);
	if (!err)
		err = pin_list(top, &names, &n);
	if (!err)
		err = netns_identities(&seen, &n_seen);
	for (size_t i = 0; i < n && !err; i++) {
		const enum pin_witness witness = ask(top, names[i], seen, n_seen);
		const size_t len = strlen(text);

		dead += witness == PIN_WITNESS_DEAD;
		if (witness == PIN_WITNESS_NONE && (names[i][0] == 'c' || names[i][0] == 'i')) {
			snprintf(text + len, sizeof(text) - len, " %s", names[i]);
			lost++;
		}
	}
	if (err == -ENOENT) {
		finding_add(d, TCCTL_FINDING_OK, STATE, "pins", "none");
	} else if (err) {
		finding_add(d, TCCTL_FINDING_UNKNOWN, STATE, "pins", "%s", strerror(-err));
	} else if (lost) {
		finding_add(d, TCCTL_FINDING_LIMITED, STATE, "pins", "of %zu namespace%s, %zu seem%s to be gone:%s", n,
			    n == 1 ? "" : "s", lost, lost == 1 ? "s" : "", text);
		finding_hint(d, "if nothing holds the namespace any more: rm -r %s/tcctl/%s", at,
			     lost == 1 ? text + 1 : "NAME");
	} else if (dead) {
		finding_add(d, TCCTL_FINDING_INFO, STATE, "pins", "of %zu namespace%s, %zu gone", n, n == 1 ? "" : "s", dead);
		finding_hint(d, "the next `tcctl remove`, or `tcctl apply` in a new namespace, clears what is gone");
	} else {
		finding_add(d, TCCTL_FINDING_OK, STATE, "pins", "of %zu namespace%s", n, n == 1 ? "" : "s");
	}
	for (size_t i = 0; i < n_seen; i++)
		free(seen[i]);
	free(seen);
	if (names)
		pin_list_free(names, n);
}

int tcctl_doctor(const struct tcctl_open_options *options, struct tcctl_diags *diags,
		 struct tcctl_doctor **ret_doctor)
{
	struct tcctl_open_options o = { 0 };
	struct tcctl_doctor *d;
	const char *bpffs;
	int err;

	err = record_options(&o, sizeof(o), options);
	if (err)
		return err;
	bpffs = o.bpffs;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	look_kernel(d);
	look_privileges(d);
	doctor_try(d);
	look_bpffs(d, bpffs);
	look_stale(d, bpffs);
	if (d->oom) {
		tcctl_doctor_free(d);
		return -ENOMEM;
	}
	*ret_doctor = d;
	return 0;
}

void tcctl_doctor_free(struct tcctl_doctor *doctor)
{
	if (!doctor)
		return;
	for (size_t i = 0; i < doctor->n; i++) {
		free(doctor->items[i].found);
		free(doctor->items[i].hint);
	}
	free(doctor->items);
	free(doctor);
}

size_t tcctl_doctor_count(const struct tcctl_doctor *doctor)
{
	return doctor->n;
}

int tcctl_doctor_get(const struct tcctl_doctor *doctor, size_t i, struct tcctl_finding *ret)
{
	struct tcctl_finding f = { 0 };
	const struct finding *g;

	if (i >= doctor->n)
		return -ENOENT;
	g = &doctor->items[i];
	f.state = g->state;
	f.group = g->group;
	f.name = g->name;
	f.found = g->found;
	f.hint = g->hint;
	return record_put(ret, &f, sizeof(f));
}
