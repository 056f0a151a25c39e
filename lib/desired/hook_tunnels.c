// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The tunnels of one hook: which ones, and a digest of all that their tables are made from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "desired/internal.h"
#include "digest.h"
#include "tcctl/abi.h"
#include "util.h"

#define NAMES_SHOWN 4

/* --- which ------------------------------------------------------------------------------------------------ */

static void mark_class_tunnels(const struct spec *spec, const struct spec_hook *hook, bool *used)
{
	const struct spec_ruleset *set;

	if (!hook->class_tunnels || hook->ruleset == SPEC_NONE)
		return;
	set = &spec->rulesets[hook->ruleset];
	for (size_t i = 0; i < set->n_rules; i++) {
		const struct spec_class *c = &spec->classes[set->rules[i].class];

		if (c->flags & TCCTL_C_TUNNEL && c->tunnel != SPEC_NONE)
			used[c->tunnel] = true;
	}
}

/* Those that the device does not tell. */
static void mark_told(const struct spec *spec, const struct spec_hook *hook, bool *used)
{
	mark_class_tunnels(spec, hook, used);
	if (hook->encap != SPEC_NONE)
		used[hook->encap] = true;
	for (size_t i = 0; i < hook->n_routes; i++)
		if (hook->routes[i].tunnel != SPEC_NONE)
			used[hook->routes[i].tunnel] = true;
}

bool *desired_out(const struct spec *spec, const struct spec_hook *hook)
{
	bool *used = calloc(spec->n_tunnels + 1, sizeof(*used));

	if (!used || hook->mode == SPEC_MODE_OBSERVE)
		return used;
	mark_told(spec, hook, used);
	for (size_t i = 0; hook->by_device && i < spec->n_tunnels; i++)
		used[i] |= hook->by_device[i];
	return used;
}

/* --- digests ---------------------------------------------------------------------------------------------- */

static uint64_t digest_prefix(uint64_t h, const struct spec_prefix *p)
{
	h = digest_u64(h, (uint64_t)p->family << 8 | p->len);
	return digest_bytes(h, p->addr, p->family == 4 ? 4 : 16);
}

static uint64_t digest_prefixes(uint64_t h, const struct spec_prefix *items, size_t n)
{
	h = digest_u64(h, n);
	for (size_t i = 0; i < n; i++)
		h = digest_prefix(h, &items[i]);
	return h;
}

/* The row has nearly everything in it already; the rest makes keys and forwarding entries. */
static uint64_t digest_tunnel(const struct spec_tunnel *t, const struct tunnel_resolved *resolved)
{
	struct tcctl_tunnel row = {};
	uint64_t h = DIGEST_INIT;

	if (!tunnel_row_build(t, resolved, &row))
		h = digest_bytes(h, &row, sizeof(row));
	h = digest_u64(h, (uint64_t)t->port << 32 | (uint64_t)t->mode << 16 | (uint64_t)t->has_id << 8 |
				  t->has_local);
	h = digest_prefixes(h, t->remotes, t->n_remotes);
	h = digest_prefixes(h, t->flood, t->n_flood);
	h = digest_u64(h, (uint64_t)resolved->device << 32 | resolved->end);
	h = digest_u64(h, t->n_stations);
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct spec_station *s = &t->stations[i];

		h = digest_bytes(h, s->mac, sizeof(s->mac));
		h = digest_u64(h, (uint64_t)s->vlan << 32 | s->id);
		h = digest_prefix(h, &s->remote);
	}
	return h;
}

static const char *tunnel_name(const struct spec *spec, int tunnel)
{
	return tunnel == SPEC_NONE ? "" : spec->tunnels[tunnel].name;
}

uint64_t desired_tunnels_digest(const struct spec *spec, const struct spec_hook *hook,
				const struct model_tunnel *tunnels, size_t n)
{
	uint64_t h = digest_u64(DIGEST_INIT, n);

	for (size_t i = 0; i < n; i++) {
		h = digest_str(h, tunnels[i].name);
		h = digest_u64(h, tunnels[i].digest);
	}
	h = digest_u64(h, hook->n_decaps);
	for (size_t i = 0; i < hook->n_decaps; i++)
		h = digest_str(h, spec->tunnels[hook->decaps[i]].name);
	h = digest_u64(h, (uint64_t)(hook->by_device != NULL) << 32 | hook->refuse_unknown);
	h = digest_str(h, tunnel_name(spec, hook->encap));
	h = digest_u64(h, hook->n_routes);
	for (size_t i = 0; i < hook->n_routes; i++) {
		h = digest_str(h, tunnel_name(spec, hook->routes[i].tunnel));
		h = digest_prefixes(h, hook->routes[i].prefixes, hook->routes[i].n_prefixes);
	}
	return h;
}

static int compare_tunnels(const void *va, const void *vb)
{
	const struct model_tunnel *a = va, *b = vb;

	return strcmp(a->name, b->name);
}

uint64_t desired_classes_digest(uint64_t h, const struct spec *spec, const struct spec_hook *hook)
{
	if (!hook->class_tunnels || hook->mode == SPEC_MODE_OBSERVE)
		return h;
	for (size_t i = 0; i < spec->n_classes; i++)
		if (spec->classes[i].flags & TCCTL_C_TUNNEL) {
			h = digest_str(h, spec->classes[i].name);
			h = digest_str(h, tunnel_name(spec, spec->classes[i].tunnel));
		}
	return h;
}

int desired_tunnels(const struct spec *spec, const struct spec_hook *hook, const bool *out,
		    const struct tunnel_resolved *resolved, uint32_t flags, struct model_tunnel **ret,
		    size_t *ret_n)
{
	_cleanup_free_ bool *used = malloc((spec->n_tunnels + 1) * sizeof(*used));
	struct model_tunnel *tunnels;
	size_t n = 0;

	if (!used)
		return -ENOMEM;
	memcpy(used, out, spec->n_tunnels * sizeof(*used));
	for (size_t i = 0; i < hook->n_decaps && hook->mode != SPEC_MODE_OBSERVE; i++)
		used[hook->decaps[i]] = true;
	tunnels = calloc(spec->n_tunnels + 1, sizeof(*tunnels));
	if (!tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_tunnels; i++) {
		struct tunnel_resolved r = resolved[i];

		if (!used[i])
			continue;
		r.flags |= flags;
		tunnels[n] = (struct model_tunnel){ .name = strdup(spec->tunnels[i].name),
						    .tunnel = i,
						    .digest = digest_tunnel(&spec->tunnels[i], &r) };
		if (!tunnels[n].name) {
			while (n)
				free(tunnels[--n].name);
			free(tunnels);
			return -ENOMEM;
		}
		n++;
	}
	if (n)
		qsort(tunnels, n, sizeof(*tunnels), compare_tunnels);
	*ret = tunnels;
	*ret_n = n;
	return 0;
}

/* --- text --------------------------------------------------------------------------------------------------- */

static size_t count(const struct spec *spec, const bool *used)
{
	size_t n = 0;

	for (size_t i = 0; i < spec->n_tunnels; i++)
		n += used[i];
	return n;
}

static void print_names(FILE *f, const struct spec *spec, const bool *used, const char *after)
{
	size_t n = 0;

	for (size_t i = 0; i < spec->n_tunnels; i++) {
		if (!used[i] || n++ >= NAMES_SHOWN)
			continue;
		fprintf(f, "%s%s", n > 1 ? ", " : "", spec->tunnels[i].name);
	}
	if (n > NAMES_SHOWN)
		fprintf(f, " and %zu more", n - NAMES_SHOWN);
	fprintf(f, "%s)", after);
}

bool desired_print_decap(FILE *f, const char *sep, const struct spec *spec, const struct spec_hook *hook)
{
	_cleanup_free_ bool *used = calloc(spec->n_tunnels + 1, sizeof(*used));

	if (!used || !hook->n_decaps || hook->mode == SPEC_MODE_OBSERVE)
		return false;
	for (size_t i = 0; i < hook->n_decaps; i++)
		used[hook->decaps[i]] = true;
	fprintf(f, "%sdecap(", sep);
	print_names(f, spec, used, hook->refuse_unknown ? "; unknown: drop" : "");
	return true;
}

bool desired_print_encap(FILE *f, const char *sep, const struct spec *spec, const struct spec_hook *hook)
{
	_cleanup_free_ bool *used = desired_out(spec, hook);
	const char *device = "";
	size_t n_prefixes = 0;
	char after[64] = "";

	if (!used || !count(spec, used))
		return false;
	if (hook->by_device && count(spec, hook->by_device) > 1) { /* the pipeline is that of all of their devices */
		memset(used, 0, spec->n_tunnels * sizeof(*used));
		mark_told(spec, hook, used);
		device = count(spec, used) ? ", by device" : "by device";
	}
	for (size_t i = 0; i < hook->n_routes; i++)
		n_prefixes += hook->routes[i].n_prefixes;
	if (n_prefixes)
		snprintf(after, sizeof(after), "%s; %zu route%s", device, n_prefixes, n_prefixes == 1 ? "" : "s");
	fprintf(f, "%sencap(", sep);
	print_names(f, spec, used, n_prefixes ? after : device);
	return true;
}
