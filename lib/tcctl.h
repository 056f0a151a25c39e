/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * libtcctl: declarative traffic control with eBPF, as a library.
 *
 * Read from top to bottom in the order of a change: open a context, load a configuration, check it, plan,
 * apply, look at the status, export, remove.
 *
 *   struct tcctl_diags *diags = tcctl_diags_new();
 *   struct tcctl_config *config = NULL;
 *   struct tcctl *t = NULL;
 *
 *   if (tcctl_open(NULL, diags, &t) == 0 &&
 *       tcctl_config_parse(text, strlen(text), "router", NULL, diags, &config) == 0)
 *           tcctl_apply(t, config, NULL, diags, NULL);
 *
 * Conventions
 * - Functions return 0 or a negative errno. What a person should read is added to the `diags` that the
 *   caller passes: errors, warnings and notes, each with its place in the configuration or its device.
 * - Out-parameters (`ret_…`) are written on success only. Objects are opaque and freed by their own _free()
 *   or _close(), which accept NULL. Strings inside records belong to the object that they were read from
 *   and live as long as it does.
 * - Records and options start with `size_t sz`, which the caller sets to sizeof() before the call: a library
 *   newer than the caller writes no further, an older one ignores what it does not know (but refuses
 *   options that are not zero there, with -E2BIG). In options all zero means the default.
 * - There is no global state, nothing is printed, no signal handler is set, the process's network namespace
 *   and capabilities are as before when a call returns. One context is for one thread at a time.
 */
#ifndef TCCTL_H
#define TCCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TCCTL_PUBLIC __attribute__((visibility("default")))

/* "0.1.0" */
TCCTL_PUBLIC const char *tcctl_version(void);

/* --- diagnostics -------------------------------------------------------------------------------------- */

struct tcctl_diags;

enum tcctl_severity { TCCTL_ERROR, TCCTL_WARNING, TCCTL_NOTE, TCCTL_SEVERITY_MAX };

struct tcctl_diag {
	size_t sz;
	enum tcctl_severity severity;
	const char *file; /* NULL: not about a place in a file */
	unsigned int line, col; /* from 1; 0: unknown */
	const char *device; /* NULL, or "eth0", "eth0 ingress" */
	const char *object; /* NULL, or "program ipv4", "map jt_l3", … */
	const char *message; /* one sentence without a full stop, never NULL */
	const char *hint; /* NULL, or what to do */
	const char *detail; /* NULL, or long text: the kernel's own words, end of the verifier log */
	int err; /* 0, or a positive errno */
};

TCCTL_PUBLIC struct tcctl_diags *tcctl_diags_new(void); /* NULL: out of memory */
TCCTL_PUBLIC void tcctl_diags_free(struct tcctl_diags *diags);
TCCTL_PUBLIC size_t tcctl_diags_count(const struct tcctl_diags *diags);
TCCTL_PUBLIC size_t tcctl_diags_errors(const struct tcctl_diags *diags);
/* Record `i` of tcctl_diags_count(); -ENOENT beyond. */
TCCTL_PUBLIC int tcctl_diags_get(const struct tcctl_diags *diags, size_t i, struct tcctl_diag *ret);

/* --- configuration: no kernel, no privileges ---------------------------------------------------------- */

struct tcctl_config;

struct tcctl_config_options {
	size_t sz;
	const char *base; /* folder for relative file names; NULL: that of the file that names them */
};

/* Read and merge `paths`: files, or folders of *.yaml in name order. All errors are reported at once.
 * -EINVAL: bad content; -ENOENT, -EACCES, …: a file. */
TCCTL_PUBLIC int tcctl_config_load(const char *const *paths, size_t n_paths,
				   const struct tcctl_config_options *options, struct tcctl_diags *diags,
				   struct tcctl_config **ret_config);
/* The same from memory; `file` is the name used in diagnostics. */
TCCTL_PUBLIC int tcctl_config_parse(const char *text, size_t len, const char *file,
				    const struct tcctl_config_options *options, struct tcctl_diags *diags,
				    struct tcctl_config **ret_config);
TCCTL_PUBLIC void tcctl_config_free(struct tcctl_config *config);

/* The owner of all that an apply of it makes (`name:`). */
TCCTL_PUBLIC const char *tcctl_config_name(const struct tcctl_config *config);
/* As YAML that tcctl_config_parse() accepts and reads as an equal configuration. The caller free()s *ret_text. */
TCCTL_PUBLIC int tcctl_config_emit(const struct tcctl_config *config, char **ret_text, size_t *ret_len);

/* Compile every rule set and look for rules that can never match, tags that the kernel would lose, and the
 * like; findings are added to `diags` as warnings. -E2BIG: a rule set is over its memory budget. */
TCCTL_PUBLIC int tcctl_config_check(struct tcctl_config *config, struct tcctl_diags *diags);

struct tcctl_ruleset {
	size_t sz;
	const char *name;
	size_t rules;
	/* known after tcctl_config_check(), else 0 */
	size_t bytes;	  /* of one compiled copy; a pipeline holds two while rules change */
	size_t counters;  /* needed; each takes 24 bytes per CPU */
	size_t depth_max; /* table lines of 64 bytes that one packet can touch at most */
	double compile_seconds;
};
TCCTL_PUBLIC size_t tcctl_config_ruleset_count(const struct tcctl_config *config);
TCCTL_PUBLIC int tcctl_config_ruleset_get(const struct tcctl_config *config, size_t i,
					  struct tcctl_ruleset *ret);

/* --- context: one network namespace, one bpffs -------------------------------------------------------- */

struct tcctl;

struct tcctl_open_options {
	size_t sz;
	const char *netns; /* NULL: the caller's; a name as in ip-netns(8), or a path with a slash */
	int netns_fd;	   /* > 0: an open namespace instead of a name; stays the caller's */
	const char *bpffs; /* NULL: /sys/fs/bpf */
	unsigned int lock_ms; /* how long a writer waits for another one; 0: 5000 */
	unsigned int prio; /* preference of filters that are new; 0: 31744. Those that are attached keep theirs */
};

/* Needs CAP_SYS_ADMIN to enter another namespace and to mount a bpffs that is not there, else nothing: what
 * reads asks for CAP_BPF, what changes for CAP_BPF and CAP_NET_ADMIN, when it happens. */
TCCTL_PUBLIC int tcctl_open(const struct tcctl_open_options *options, struct tcctl_diags *diags,
			    struct tcctl **ret_tcctl);
TCCTL_PUBLIC void tcctl_close(struct tcctl *tcctl);

/* Names (owners) that have something applied in the namespace, sorted. */
TCCTL_PUBLIC int tcctl_owners(struct tcctl *tcctl, struct tcctl_diags *diags, char ***ret_names, size_t *ret_n);
TCCTL_PUBLIC void tcctl_owners_free(char **names, size_t n);

/* --- plan --------------------------------------------------------------------------------------------- */

struct tcctl_plan;

/* What a step does. Steps are listed for reading: what is loaded first, then by device. */
enum tcctl_step_kind {
	TCCTL_STEP_PIPELINE_ADD,     /* load a pipeline: programs, tables, rules */
	TCCTL_STEP_PIPELINE_SWAP,    /* new programs behind the same hooks: one slot write */
	TCCTL_STEP_PIPELINE_RULES,   /* new rules, sets, classes: one generation write */
	TCCTL_STEP_CLSACT_ADD,
	TCCTL_STEP_HOOK_ADD,	     /* attach */
	TCCTL_STEP_HOOK_REPLACE,     /* another pipeline, or what is there is not ours any more */
	TCCTL_STEP_HOOK_REMOVE,
	TCCTL_STEP_CLSACT_REMOVE,    /* made by us and left empty */
	TCCTL_STEP_INTERFACE_REMOVE, /* announces that a whole interface goes, before its hooks */
	TCCTL_STEP_PIPELINE_REMOVE,
	TCCTL_STEP_CLEANUP,	     /* left over from an interrupted run */
	TCCTL_STEP_STATE,	     /* only the stored configuration changes */
	TCCTL_STEP_PIPELINE_TUNNELS, /* tunnels, routes, forwarding tables: the same generation write as new rules */
	TCCTL_STEP_DEVICE_ADD,	     /* a device that a tunnel names and that is not there */
	TCCTL_STEP_DEVICE_CHANGE,
	TCCTL_STEP_DEVICE_REMOVE,    /* made by us and not wanted any more */
	TCCTL_STEP_MAX,
};
/* "pipeline-add", …; stable names for machine output. */
TCCTL_PUBLIC const char *tcctl_step_kind_name(enum tcctl_step_kind kind);

struct tcctl_step {
	size_t sz;
	enum tcctl_step_kind kind;
	const char *device;    /* NULL when the step is not about one device */
	const char *direction; /* NULL, "ingress" or "egress" */
	unsigned int pipeline; /* N of pN; 0: none */
	const char *text;      /* "attach to eth0 ingress as pipeline p1" */
};

/* What a hook would run, in order. */
struct tcctl_order {
	size_t sz;
	const char *device;
	const char *direction;
	unsigned int pipeline;
	const char *text; /* "classify(wan: 4 rules) → mark → end" */
};

/* Compare `config` with the kernel. Changes nothing, takes no lock. */
TCCTL_PUBLIC int tcctl_plan(struct tcctl *tcctl, struct tcctl_config *config, struct tcctl_diags *diags,
			    struct tcctl_plan **ret_plan);
TCCTL_PUBLIC void tcctl_plan_free(struct tcctl_plan *plan);
/* 0 steps: the kernel is already as the configuration says. */
TCCTL_PUBLIC size_t tcctl_plan_count(const struct tcctl_plan *plan);
TCCTL_PUBLIC int tcctl_plan_get(const struct tcctl_plan *plan, size_t i, struct tcctl_step *ret);
TCCTL_PUBLIC size_t tcctl_plan_order_count(const struct tcctl_plan *plan);
TCCTL_PUBLIC int tcctl_plan_order_get(const struct tcctl_plan *plan, size_t i, struct tcctl_order *ret);

/* --- apply -------------------------------------------------------------------------------------------- */

struct tcctl_apply_options {
	size_t sz;
	unsigned int flags; /* none yet */
};

struct tcctl_result {
	size_t sz;
	bool changed;
	size_t hooks;	       /* attached now */
	size_t hooks_added, hooks_replaced, hooks_removed;
	size_t pipelines;      /* in use now */
	size_t pipelines_added, pipelines_swapped, pipelines_rules, pipelines_removed;
	size_t pipelines_tunnels; /* with new tunnels, but no new rules */
	double seconds;
	/* of which: */
	double load_seconds;   /* compiling rules, loading programs and tables */
	double clsact_seconds; /* creating clsact qdiscs */
	double filter_seconds; /* attaching and detaching */
};

/*
 * Make the kernel as `config` says, on every hook or on none. Plans again under the lock, so no plan is
 * passed in; *ret_plan (may be NULL) is the plan that was carried out. -EBUSY: another writer; -EEXIST:
 * something that is not ours is in the way (named in `diags`).
 */
TCCTL_PUBLIC int tcctl_apply(struct tcctl *tcctl, struct tcctl_config *config,
			     const struct tcctl_apply_options *options, struct tcctl_diags *diags,
			     struct tcctl_plan **ret_plan, struct tcctl_result *ret_result);

/* --- status ------------------------------------------------------------------------------------------- */

struct tcctl_status;

struct tcctl_status_options {
	size_t sz;
	const char *name; /* owner; NULL: all */
	bool no_counters; /* only what is attached */
	bool no_neighbours;
};

TCCTL_PUBLIC int tcctl_status(struct tcctl *tcctl, const struct tcctl_status_options *options,
			      struct tcctl_diags *diags, struct tcctl_status **ret_status);
TCCTL_PUBLIC void tcctl_status_free(struct tcctl_status *status);

struct tcctl_count {
	uint64_t packets;  /* as the kernel handed them over: an aggregate is one */
	uint64_t segments; /* packets as on the wire */
	uint64_t bytes;	   /* on the wire, from the Ethernet header on, every segment's headers included */
};

enum tcctl_hook_state {
	TCCTL_HOOK_ATTACHED,
	TCCTL_HOOK_MISSING,  /* should be there and is not: apply repairs it */
	TCCTL_HOOK_REPLACED, /* somebody put another program under our prio and handle */
	TCCTL_HOOK_GONE,     /* the device does not exist any more */
	TCCTL_HOOK_STATE_MAX,
};
TCCTL_PUBLIC const char *tcctl_hook_state_name(enum tcctl_hook_state state);

struct tcctl_status_hook {
	size_t sz;
	const char *owner;
	const char *device;
	unsigned int ifindex;
	const char *direction; /* "ingress" or "egress" */
	unsigned int pipeline; /* N of pN */
	enum tcctl_hook_state state;
	unsigned int prio, handle;
	unsigned int program_id;
	bool clsact_ours; /* we made the clsact and remove it when it is left empty */
	const char *order; /* "classify(wan: 4 rules) → mark → end" */
	struct tcctl_count count; /* all 0: this hook has seen no packet */
	size_t ahead; /* how many of the neighbours run before us */
};

struct tcctl_status_class {
	size_t sz;
	const char *owner;
	unsigned int pipeline;
	const char *name;
	struct tcctl_count count; /* over its rules, those included that are gone since */
};

struct tcctl_status_rule {
	size_t sz;
	const char *owner;
	unsigned int pipeline;
	const char *ruleset;
	size_t index;	  /* position in the rule set, from 0; SIZE_MAX: rule is gone, packets still counted */
	const char *name; /* NULL when the rule has none */
	const char *class_name;
	struct tcctl_count count;
};

struct tcctl_status_slot {
	size_t sz;
	const char *owner;
	unsigned int pipeline;
	const char *table; /* "l3", "l4", "udp", "stage" */
	const char *slot;  /* "ipv4", "tcp", "2152", "classify", … */
	const char *program; /* NULL: empty */
	struct tcctl_count count; /* packets handled */
	struct tcctl_count empty; /* packets that found the slot empty and went on */
};

struct tcctl_status_reason {
	size_t sz;
	const char *owner;
	unsigned int pipeline;
	const char *name; /* "trunc-l4", … */
	const char *text; /* what it means */
	bool drop;	  /* these packets were dropped; all others went on */
	struct tcctl_count count;
};

struct tcctl_status_neighbour {
	size_t sz;
	const char *device;
	const char *direction;
	const char *kind;  /* "tcx" or "filter" */
	unsigned int prio; /* of a filter; 0 for TCX */
	const char *name;  /* of the program or the filter's kind; NULL: unknown */
	unsigned int program_id; /* 0: unknown */
	bool ahead; /* runs before us, so it can keep packets from us */
};

/* A tunnel, over all pipelines that use it. */
struct tcctl_status_tunnel {
	size_t sz;
	const char *owner;
	const char *name;
	const char *type;   /* "vxlan", "gre", … */
	const char *local;  /* "192.0.2.1"; "any"; "" for VLAN tags */
	const char *remote; /* the same; "stations": by the forwarding table */
	const char *device; /* NULL: none of its own */
	size_t stations;    /* learned and still in use */
	struct tcctl_count rx, tx; /* taken out, put in; bytes as of the inner packets */
};

/* Packets of a tunnel that something happened to; those that it did not happen to are left out. */
struct tcctl_status_tunnel_event {
	size_t sz;
	const char *owner;
	const char *tunnel;
	const char *name; /* "rx-ecn", "tx-mtu", … */
	const char *text; /* what it means */
	bool drop;	  /* these packets were dropped */
	struct tcctl_count count;
};

TCCTL_PUBLIC size_t tcctl_status_hook_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_hook_get(const struct tcctl_status *status, size_t i,
				       struct tcctl_status_hook *ret);
TCCTL_PUBLIC size_t tcctl_status_class_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_class_get(const struct tcctl_status *status, size_t i,
					struct tcctl_status_class *ret);
TCCTL_PUBLIC size_t tcctl_status_rule_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_rule_get(const struct tcctl_status *status, size_t i,
				       struct tcctl_status_rule *ret);
TCCTL_PUBLIC size_t tcctl_status_slot_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_slot_get(const struct tcctl_status *status, size_t i,
				       struct tcctl_status_slot *ret);
TCCTL_PUBLIC size_t tcctl_status_reason_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_reason_get(const struct tcctl_status *status, size_t i,
					 struct tcctl_status_reason *ret);
TCCTL_PUBLIC size_t tcctl_status_neighbour_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_neighbour_get(const struct tcctl_status *status, size_t i,
					    struct tcctl_status_neighbour *ret);
TCCTL_PUBLIC size_t tcctl_status_tunnel_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_tunnel_get(const struct tcctl_status *status, size_t i,
					 struct tcctl_status_tunnel *ret);
TCCTL_PUBLIC size_t tcctl_status_tunnel_event_count(const struct tcctl_status *status);
TCCTL_PUBLIC int tcctl_status_tunnel_event_get(const struct tcctl_status *status, size_t i,
					       struct tcctl_status_tunnel_event *ret);

/* --- export and remove -------------------------------------------------------------------------------- */

/* The configuration that was applied last under `name` (NULL: the only one there is), as YAML that
 * tcctl_config_parse() accepts; the caller free()s *ret_text. -ENOENT: nothing is applied. */
TCCTL_PUBLIC int tcctl_export(struct tcctl *tcctl, const char *name, struct tcctl_diags *diags, char **ret_text,
			      size_t *ret_len);

/* Take away all that `name` made (NULL: every name), and nothing else. Nothing to remove is a success with
 * changed == false. */
TCCTL_PUBLIC int tcctl_remove(struct tcctl *tcctl, const char *name, struct tcctl_diags *diags,
			      struct tcctl_result *ret_result);

/* --- what this host can do ------------------------------------------------------------------------------ */

struct tcctl_doctor;

enum tcctl_finding_state {
	TCCTL_FINDING_OK,
	TCCTL_FINDING_INFO,    /* neither good nor bad */
	TCCTL_FINDING_LIMITED, /* works, but slower or not for everyone */
	TCCTL_FINDING_NO,      /* the features that need it are not there */
	TCCTL_FINDING_FATAL,   /* nothing works without it */
	TCCTL_FINDING_UNKNOWN, /* could not be tried */
	TCCTL_FINDING_STATE_MAX,
};
TCCTL_PUBLIC const char *tcctl_finding_state_name(enum tcctl_finding_state state);

struct tcctl_finding {
	size_t sz;
	enum tcctl_finding_state state;
	const char *group; /* "kernel", "privileges", "bpf", "traffic control", "state" */
	const char *name;  /* "cls_bpf", "jit", …: stable */
	const char *found; /* what was seen */
	const char *hint;  /* NULL, or what to do */
};

/* Look at the host. Trying things out happens in a throw-away network namespace where that may be made; nothing
 * stays. Takes the `bpffs` of the options into account. */
TCCTL_PUBLIC int tcctl_doctor(const struct tcctl_open_options *options, struct tcctl_diags *diags,
			      struct tcctl_doctor **ret_doctor);
TCCTL_PUBLIC void tcctl_doctor_free(struct tcctl_doctor *doctor);
TCCTL_PUBLIC size_t tcctl_doctor_count(const struct tcctl_doctor *doctor);
TCCTL_PUBLIC int tcctl_doctor_get(const struct tcctl_doctor *doctor, size_t i, struct tcctl_finding *ret);

#ifdef __cplusplus
}
#endif

#endif
