// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "caps.h"

#include <errno.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/utsname.h>

#include "util.h"

struct feature {
	cap_value_t need, also; /* the same twice where there is one */
	const char *needed, *purpose;
};

static const struct feature features[CAPS_FEATURE_MAX] = {
	[CAPS_LOAD] = {
		CAP_BPF, CAP_NET_ADMIN,
		"CAP_BPF and CAP_NET_ADMIN", "loading BPF programs and maps",
	},
	[CAPS_ATTACH] = {
		CAP_NET_ADMIN, CAP_NET_ADMIN,
		"CAP_NET_ADMIN", "changing qdiscs and filters",
	},
	[CAPS_NETNS] = {
		CAP_SYS_ADMIN, CAP_SYS_ADMIN,
		"CAP_SYS_ADMIN", "entering another network namespace",
	},
	[CAPS_MOUNT_BPFFS] = {
		CAP_SYS_ADMIN, CAP_SYS_ADMIN,
		"CAP_SYS_ADMIN", "mounting bpffs",
	},
	[CAPS_FOREIGN_PROGS] = {
		CAP_SYS_ADMIN, CAP_SYS_ADMIN,
		"CAP_SYS_ADMIN", "looking up programs of others by id",
	},
	[CAPS_MEMLOCK] = {
		CAP_SYS_RESOURCE, CAP_SYS_RESOURCE,
		"CAP_SYS_RESOURCE", "locking memory for maps before Linux 5.11",
	},
	[CAPS_PERFMON] = {
		CAP_PERFMON, CAP_PERFMON,
		"CAP_PERFMON", "programs without extra mitigations",
	},
};

/* Before 5.8 there is no CAP_BPF: everything BPF needs CAP_SYS_ADMIN. */
static bool kernel_has_cap_bpf(void)
{
	return cap_max_bits() > CAP_BPF;
}

static bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int x = 0, y = 0;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%u.%u", &x, &y) == 2 &&
	       (x < major || (x == major && y < minor));
}

static bool have(cap_t caps, cap_value_t value)
{
	cap_flag_value_t set = CAP_CLEAR;

	return !cap_get_flag(caps, value, CAP_EFFECTIVE, &set) && set == CAP_SET;
}

/* CAP_SYS_ADMIN implies CAP_BPF, but not CAP_NET_ADMIN. */
static bool have_for_bpf(cap_t caps)
{
	return have(caps, CAP_SYS_ADMIN) || (kernel_has_cap_bpf() && have(caps, CAP_BPF));
}

bool caps_have(enum caps_feature feature)
{
	const struct feature *f = &features[feature];
	cap_t caps = cap_get_proc();
	bool ok;

	ok = caps && (f->need == CAP_BPF ? have_for_bpf(caps) : have(caps, f->need)) && have(caps, f->also);
	if (caps)
		cap_free(caps);
	return ok;
}

const char *caps_needed(enum caps_feature feature)
{
	if (feature == CAPS_LOAD && !kernel_has_cap_bpf())
		return "CAP_SYS_ADMIN and CAP_NET_ADMIN";
	return features[feature].needed;
}

const char *caps_purpose(enum caps_feature feature)
{
	return features[feature].purpose;
}

int caps_require(enum caps_feature feature, struct tcctl_diags *diags)
{
	struct diag *g;

	if (caps_have(feature))
		return 0;
	g = diag_error(diags, NULL, "%s needs %s", caps_purpose(feature), caps_needed(feature));
	diag_errno(g, EPERM);
	if (geteuid())
		diag_hint(g, "run as root (sudo), or give the process %s", caps_needed(feature));
	else
		diag_hint(g, "root, but without the capability: a container or service has to be given %s",
			  caps_needed(feature));
	return -EPERM;
}

int caps_drop(bool keep_admin)
{
	static const cap_value_t wanted[] = { CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON, CAP_SYS_RESOURCE,
					      CAP_SYS_ADMIN };
	cap_t now = cap_get_proc(), next = cap_init();
	int err = now && next ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < ARRAY_SIZE(wanted); i++) {
		cap_flag_value_t set = CAP_CLEAR;

		if (wanted[i] >= cap_max_bits())
			continue;
		/* Without CAP_BPF in the kernel SYS_ADMIN is what BPF needs. */
		if (wanted[i] == CAP_SYS_ADMIN && !keep_admin && kernel_has_cap_bpf())
			continue;
		if (wanted[i] == CAP_SYS_RESOURCE && !kernel_before(5, 11))
			continue;
		if (cap_get_flag(now, wanted[i], CAP_PERMITTED, &set) || set != CAP_SET)
			continue;
		if (cap_set_flag(next, CAP_PERMITTED, 1, &wanted[i], CAP_SET) ||
		    cap_set_flag(next, CAP_EFFECTIVE, 1, &wanted[i], CAP_SET))
			err = -errno;
	}
	/* In the order of dependence: ambient needs inheritable and permitted. */
	if (!err && cap_reset_ambient() && errno != EINVAL && errno != ENOSYS)
		err = -errno;
	if (!err && cap_set_proc(next))
		err = -errno;
	if (now)
		cap_free(now);
	if (next)
		cap_free(next);
	return err;
}
