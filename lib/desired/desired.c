// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#include "desired.h"

#include <errno.h>
#include <fnmatch.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "desired/internal.h"
#include "digest.h"
#include "object.h"
#include "pipeline/tunnels.h"
#include "tcctl/abi.h"
#include "util.h"

/* --- devices of an interface ---------------------------------------------------------------------------- */

struct matching {
	const struct spec *spec;
	const struct nl_links *links;
	struct tcctl_diags *diags;
	const bool *is_end; /* per link: the other end of one of our devices, which no pattern means */
	int *interface_of; /* per link: index into spec.interfaces or SPEC_NONE */
	int err;
};

static void missing(struct matching *m, const struct spec_interface *iface, const char *kind, const char *word)
{
	const char **names = calloc(m->links->n + 1, sizeof(*names));
	const char *near = NULL;
	struct diag *g;

	for (size_t i = 0; names && i < m->links->n; i++)
		names[i] = m->links->items[i].name;
	if (names)
		near = diag_nearest(word, names, m->links->n);
	g = diag_errno(diag_error(m->diags, &iface->loc, "%s '%s' in this network namespace", kind, word), ENODEV);
	if (near && !iface->is_glob)
		diag_hint(g, "did you mean '%s'? `optional: true` waits for a device that comes and goes", near);
	else
		diag_hint(g, "`optional: true` waits for a device that comes and goes");
	diag_device(g, "%s", iface->key);
	free(names);
	m->err = -ENODEV;
}

static void claim(struct matching *m, size_t link, int iface)
{
	const struct spec_interface *now = &m->spec->interfaces[iface], *other;
	const char *device = m->links->items[link].name;

	if (m->interface_of[link] == SPEC_NONE) {
		m->interface_of[link] = iface;
		return;
	}
	other = &m->spec->interfaces[m->interface_of[link]];
	diag_device(diag_errno(diag_hint(diag_error(m->diags, &now->loc,
						    "device '%s' is matched by '%s' and by '%s' (%s:%u)", device, now->key,
						    other->key, other->loc.file ? other->loc.file : "?", other->loc.line),
					 now->is_glob ? "make one of the patterns narrower, or name the device itself" :
							"remove one of the two"),
			       EINVAL),
		    "%s", device);
	if (!m->err)
		m->err = -EINVAL;
}

static bool has_altname(const struct nl_link *link, const char *name)
{
	for (size_t i = 0; i < link->n_altnames; i++)
		if (!strcmp(link->altnames[i], name))
			return true;
	return false;
}

/* A VLAN or a bond has its lower device's MAC too: hardware is meant then. -1: none, -2: several. */
static int find_mac(const struct nl_links *links, const uint8_t mac[6], const char *altname)
{
	int found = -1, hardware = -1;

	for (size_t i = 0; i < links->n; i++) {
		const struct nl_link *l = &links->items[i];

		if (l->mac_len != 6 || memcmp(l->mac, mac, 6) || (altname && !has_altname(l, altname)))
			continue;
		found = found == -1 ? (int)i : -2;
		if (!l->kind[0])
			hardware = hardware == -1 ? (int)i : -2;
	}
	return found == -2 && hardware >= 0 ? hardware : found;
}

static void match_exact(struct matching *m, int index)
{
	const struct spec_interface *iface = &m->spec->interfaces[index];
	const struct nl_link *link;

	if (iface->has_mac) {
		int i = find_mac(m->links, iface->mac, iface->altname);
		char mac[18];

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", iface->mac[0], iface->mac[1], iface->mac[2],
			 iface->mac[3], iface->mac[4], iface->mac[5]);
		if (i >= 0) {
			claim(m, i, index);
		} else if (i == -2) {
			diag_errno(diag_hint(diag_error(m->diags, &iface->loc, "several devices have the MAC address %s",
							mac),
					     "name the device instead"),
				   EINVAL);
			m->err = -EINVAL;
		} else if (!iface->optional) {
			missing(m, iface, "no device with MAC address", mac);
		}
		return;
	}
	link = nl_links_find(m->links, iface->altname ? iface->altname : iface->key);
	if (link)
		claim(m, link - m->links->items, index);
	else if (!iface->optional)
		missing(m, iface, iface->altname ? "no device with altname" : "no device",
			iface->altname ? iface->altname : iface->key);
}

static void match_glob(struct matching *m, int index, const bool *exact)
{
	const struct spec_interface *iface = &m->spec->interfaces[index];
	bool any = false;

	for (size_t i = 0; i < m->links->n; i++) {
		const struct nl_link *link = &m->links->items[i];

		/* loopback and the far side of our own devices are never meant by a pattern */
		if (link->type == ARPHRD_LOOPBACK || m->is_end[i] || fnmatch(iface->key, link->name, 0))
			continue;
		any = true;
		if (!exact[i])
			claim(m, i, index);
	}
	if (!any && !iface->optional)
		missing(m, iface, "no device matches", iface->key);
}

static int match(struct matching *m)
{
	_cleanup_free_ bool *exact = calloc(m->links->n + 1, sizeof(*exact));

	if (!exact)
		return -ENOMEM;
	for (size_t i = 0; i < m->spec->n_interfaces; i++)
		if (!m->spec->interfaces[i].is_glob)
			match_exact(m, i);
	for (size_t i = 0; i < m->links->n; i++)
		exact[i] = m->interface_of[i] != SPEC_NONE;
	for (size_t i = 0; i < m->spec->n_interfaces; i++)
		if (m->spec->interfaces[i].is_glob)
			match_glob(m, i, exact);
	return m->err;
}

/* --- pipelines ------------------------------------------------------------------------------------------ */

static uint64_t code_digest(uint64_t builtin, enum model_link link, const struct spec *spec,
			    const struct spec_hook *hook, const struct pipeline_object *objects)
{
	uint64_t h = digest_u64(builtin, link);

	h = digest_u64(h, hook->ruleset != SPEC_NONE);
	h = digest_u64(h, hook->mode);
	h = digest_u64(h, hook->verdict);
	h = digest_u64(h, hook->n_runs);
	for (size_t i = 0; i < hook->n_runs; i++) {
		const struct spec_run *run = &hook->runs[i];

		h = digest_u64(h, (uint64_t)run->at << 32 | run->slot);
		h = digest_u64(h, objects[run->program].digest);
		h = digest_str(h, spec->programs[run->program].program);
		h = digest_str(h, spec->programs[run->program].name);
	}
	return h;
}

/* "[udp/2152: gtpu] → classify(wan: 4 rules) → mine → mark → end" */
static char *order_text(const struct spec *spec, const struct spec_hook *hook)
{
	char slot_name[32], *text = NULL;
	const char *sep = "";
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < hook->n_runs; i++) {
		const struct spec_run *run = &hook->runs[i];
		const char *name = spec->programs[run->program].name;

		if (run->at == SPEC_AFTER_STAGE)
			continue;
		if (run->at == SPEC_AT_UDP_PORT)
			fprintf(f, "%s[udp/%u: %s]", sep, run->slot, name);
		else
			fprintf(f, "%s[%s: %s]", sep,
				pipeline_slot_name(run->at == SPEC_AT_L3 ? STATE_JT_L3 : STATE_JT_L4, run->slot,
						   slot_name),
				name);
		sep = " → ";
	}
	for (uint32_t stage = 0; stage < TCCTL_STAGE_END; stage += TCCTL_STAGE_STRIDE) {
		if ((stage == TCCTL_STAGE_DECAP && desired_print_decap(f, sep, spec, hook)) ||
		    (stage == TCCTL_STAGE_ENCAP && desired_print_encap(f, sep, spec, hook)))
			sep = " → ";
		if (stage == TCCTL_STAGE_CLASSIFY && hook->ruleset != SPEC_NONE) {
			const struct spec_ruleset *set = &spec->rulesets[hook->ruleset];

			fprintf(f, "%sclassify(%s: %zu rule%s%s)", sep, set->name, set->n_rules,
				set->n_rules == 1 ? "" : "s", hook->mode == SPEC_MODE_OBSERVE ? ", observe only" : "");
			sep = " → ";
		}
		if (stage == TCCTL_STAGE_MARK && hook->ruleset != SPEC_NONE &&
		    hook->mode == SPEC_MODE_ENFORCE) {
			fprintf(f, "%smark", sep);
			sep = " → ";
		}
		for (size_t i = 0; i < hook->n_runs; i++)
			if (hook->runs[i].at == SPEC_AFTER_STAGE && hook->runs[i].slot == stage) {
				fprintf(f, "%s%s", sep, spec->programs[hook->runs[i].program].name);
				sep = " → ";
			}
	}
	fprintf(f, "%send", sep);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

struct building {
	const struct spec *spec;
	const struct nl_links *links;
	const int *interface_of; /* per link: index into spec.interfaces or SPEC_NONE */
	const int *end_of; /* per link: index of the other end, or SPEC_NONE */
	const struct pipeline_object *objects;
	const struct tunnel_resolved *tunnels;
	uint64_t *rules_digests; /* per rule set, 0: not yet */
	uint64_t builtin; /* digest of the built-in object, which takes a while to make */
	const struct spec_hook **copied; /* what each of m.hook_copies was made from; NULL: nothing was there */
	struct model m;
};

/* What a hook has of tunnels. */
static int add_tunnels(struct building *b, const struct spec_hook *hook, bool terminates, struct model_pipeline *p)
{
	_cleanup_free_ bool *out = desired_out(b->spec, hook);
	const uint32_t flags = terminates ? TCCTL_TF_TERMINATES : 0;
	int err;

	if (!out)
		return -ENOMEM;
	err = desired_tunnels(b->spec, hook, out, b->tunnels, flags, &p->tunnels, &p->n_tunnels);
	if (err || !p->n_tunnels)
		return err;
	p->needs = pipeline_tunnels_make(b->spec, hook, out);
	p->tunnel_flags = flags;
	p->code_digest = pipeline_tunnels_digest(p->code_digest, &p->needs);
	p->data_digest = digest_u64(p->data_digest, desired_tunnels_digest(b->spec, hook, p->tunnels, p->n_tunnels));
	return 0;
}

/* Index of the pipeline that a hook runs; pipelines of equal content are one. `terminates`: what goes into a tunnel there
 * is forwarded by us, not by the stack before. */
static int pipeline_for(struct building *b, const struct spec_hook *hook, enum model_link link, bool terminates)
{
	struct model_pipeline *p, new;
	int err;

	/* all devices of a pattern have the same one */
	for (size_t i = 0; i < b->m.n_pipelines; i++)
		if (b->m.pipelines[i].hook == hook && b->m.pipelines[i].link == link)
			return i;
	new = (struct model_pipeline){
		.link = link, .ruleset = hook->ruleset, .mode = hook->mode, .verdict = hook->verdict,
		.runs = hook->runs, .n_runs = hook->n_runs, .hook = hook,
		.code_digest = code_digest(b->builtin, link, b->spec, hook, b->objects),
	};
	if (hook->ruleset != SPEC_NONE) {
		if (!b->rules_digests[hook->ruleset])
			b->rules_digests[hook->ruleset] =
				desired_ruleset_digest(b->spec, &b->spec->rulesets[hook->ruleset]);
		new.rules_digest = desired_classes_digest(b->rules_digests[hook->ruleset], b->spec, hook);
		new.data_digest = new.rules_digest;
	}
	err = b->spec->n_tunnels ? add_tunnels(b, hook, terminates, &new) : 0;
	if (err)
		goto fail;
	for (size_t i = 0; i < b->m.n_pipelines; i++) {
		p = &b->m.pipelines[i];
		if (p->link == link && p->ruleset == hook->ruleset && p->code_digest == new.code_digest &&
		    p->data_digest == new.data_digest) {
			model_pipeline_done(&new);
			return i;
		}
	}
	err = -ENOMEM;
	new.order = order_text(b->spec, hook);
	if (!new.order)
		goto fail;
	if (hook->ruleset != SPEC_NONE) {
		new.ruleset_name = strdup(b->spec->rulesets[hook->ruleset].name);
		if (!new.ruleset_name)
			goto fail;
	}
	p = realloc(b->m.pipelines, (b->m.n_pipelines + 1) * sizeof(*p));
	if (!p)
		goto fail;
	b->m.pipelines = p;
	p[b->m.n_pipelines] = new;
	return b->m.n_pipelines++;
fail:
	model_pipeline_done(&new);
	return err;
}

static bool has_l2(uint16_t type)
{
	return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
}

static uint16_t hook_flags(enum spec_side side, enum spec_dir dir)
{
	/* On the WAN side what comes in has the remote end as its source, on the LAN side the local one. */
	const bool src_local = (side == SPEC_SIDE_WAN) == (dir == SPEC_EGRESS);

	return (dir == SPEC_EGRESS ? TCCTL_HOOK_EGRESS : 0) | (src_local ? TCCTL_HOOK_SRC_LOCAL : 0);
}

/* Nothing to do in one direction, because the other one has the tunnels of the interface. */
static bool is_idle(const struct spec_hook *hook, const struct spec_hook *other)
{
	return hook->ruleset == SPEC_NONE && !hook->n_runs && !hook->n_decaps && hook->encap == SPEC_NONE && !hook->n_routes &&
	       other->enabled && (other->n_decaps || other->encap != SPEC_NONE || other->n_routes);
}

/* The hook (or none) with the tunnel of the device that a packet leaves through: one for all devices. NULL: no memory. */
static const struct spec_hook *with_device(struct building *b, const struct spec_hook *hook)
{
	const struct spec_hook **copied;
	struct spec_hook **copies, *copy;

	for (size_t i = 0; i < b->m.n_hook_copies; i++)
		if (b->copied[i] == hook)
			return b->m.hook_copies[i];
	copies = realloc(b->m.hook_copies, (b->m.n_hook_copies + 1) * sizeof(*copies));
	if (copies)
		b->m.hook_copies = copies;
	copied = realloc(b->copied, (b->m.n_hook_copies + 1) * sizeof(*copied));
	if (copied)
		b->copied = copied;
	copy = malloc(sizeof(*copy));
	if (!copies || !copied || !copy) {
		free(copy);
		return NULL;
	}
	*copy = hook ? *hook : (struct spec_hook){ .enabled = true, .ruleset = SPEC_NONE, .encap = SPEC_NONE };
	copy->by_device = b->m.by_device;
	copied[b->m.n_hook_copies] = hook;
	copies[b->m.n_hook_copies++] = copy;
	return copy;
}

/* The hook of one direction of a device: the interface's, with the tunnel of the device if that is nowhere told. */
static int hook_for(struct building *b, const struct spec_interface *iface, enum spec_dir dir, int tunnel,
		    const struct spec_hook **ret)
{
	const struct spec_hook *hook = iface ? &iface->hook[dir] : NULL;

	if (hook && (!hook->enabled || is_idle(hook, &iface->hook[!dir])))
		hook = NULL;
	*ret = hook;
	if (dir != SPEC_EGRESS || tunnel == SPEC_NONE)
		return 0;
	*ret = with_device(b, hook);
	return *ret ? 0 : -ENOMEM;
}

/* The hook of device `i`; what goes out of one of our devices may be seen as it comes in at its other end. */
static int add_hook(struct building *b, size_t i, enum spec_dir dir, int tunnel)
{
	const int interface = b->interface_of[i], end = b->end_of[i];
	const struct nl_link *link = &b->links->items[i];
	const struct spec_interface *iface = interface == SPEC_NONE ? NULL : &b->spec->interfaces[interface];
	struct model_hook *hook = &b->m.hooks[b->m.n_hooks];
	enum spec_side side = iface ? iface->side : SPEC_SIDE_WAN;
	const struct spec_hook *wanted;
	bool terminates;
	int pipeline, err;

	err = hook_for(b, iface, dir, tunnel, &wanted);
	if (err || !wanted)
		return err;
	/* what goes out has been forwarded by the stack, or is our own, and so has what comes in at the other end */
	terminates = dir == SPEC_INGRESS;
	/* one that the configuration names is not ours to use */
	if (dir == SPEC_EGRESS && end != SPEC_NONE && b->interface_of[end] == SPEC_NONE) {
		link = &b->links->items[end];
		dir = SPEC_INGRESS;
		side = side == SPEC_SIDE_WAN ? SPEC_SIDE_LAN : SPEC_SIDE_WAN;
	}
	pipeline = pipeline_for(b, wanted, has_l2(link->type) ? MODEL_LINK_ETHER : MODEL_LINK_RAW, terminates);
	if (pipeline < 0)
		return pipeline;
	*hook = (struct model_hook){
		.ifindex = link->ifindex, .dir = dir, .pipeline = pipeline, .prio = MODEL_PRIO,
		.handle = MODEL_HANDLE, .interface = interface,
		.hook_id = hook_flags(side, dir),
	};
	memcpy(hook->device, link->name, sizeof(hook->device));
	b->m.n_hooks++;
	return 0;
}

int desired_make(const struct spec *spec, const struct nl_links *links, const struct pipeline_object *objects,
		 const struct tunnel_resolved *tunnels, struct tcctl_diags *diags, struct model *ret)
{
	_cleanup_free_ int *interface_of = malloc((links->n + 1) * sizeof(*interface_of)), *tunnel_of = NULL,
			   *end_of = NULL;
	_cleanup_free_ bool *is_end = NULL;
	_cleanup_free_ uint64_t *rules_digests = calloc(spec->n_rulesets + 1, sizeof(*rules_digests));
	struct matching m = { .spec = spec, .links = links, .diags = diags, .interface_of = interface_of };
	struct building b = { .spec = spec, .links = links, .interface_of = interface_of, .objects = objects,
			      .tunnels = tunnels, .rules_digests = rules_digests };
	int err;

	if (!interface_of || !rules_digests)
		return -ENOMEM;
	for (size_t i = 0; i < links->n; i++)
		interface_of[i] = SPEC_NONE;
	err = desired_ends(spec, links, tunnels, &end_of, &is_end);
	if (err)
		return err;
	m.is_end = is_end;
	b.end_of = end_of;
	err = match(&m);
	if (!err)
		err = desired_device_tunnels(spec, links, tunnels, interface_of, diags, &tunnel_of);
	if (err)
		return err;
	b.builtin = object_builtin_digest();
	b.m.hooks = calloc(links->n * SPEC_DIR_MAX + 1, sizeof(*b.m.hooks));
	b.m.by_device = calloc(spec->n_tunnels + 1, sizeof(*b.m.by_device));
	if (!b.m.hooks || !b.m.by_device) {
		model_done(&b.m);
		return -ENOMEM;
	}
	for (size_t i = 0; i < links->n; i++)
		if (tunnel_of[i] != SPEC_NONE)
			b.m.by_device[tunnel_of[i]] = true;
	for (size_t i = 0; i < links->n && !err; i++)
		for (enum spec_dir dir = 0; dir < SPEC_DIR_MAX && !err; dir++)
			if (interface_of[i] != SPEC_NONE || tunnel_of[i] != SPEC_NONE)
				err = add_hook(&b, i, dir, tunnel_of[i]);
	free(b.copied);
	if (err) {
		model_done(&b.m);
		return err;
	}
	model_sort(&b.m);
	*ret = b.m;
	return 0;
}
