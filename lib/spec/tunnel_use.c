// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `decap` and `encap`: which tunnels a direction of an interface takes packets out of and puts them into. */
#include <string.h>

#include "spec/tunnel_impl.h"
#include "tunnel.h"

#define UDP_PORTS_MAX (TCCTL_UDP_MAX - TCCTL_UDP_USER)

static int refer_tunnel(struct spec_ctx *c, const struct yaml_node *v, const char *key)
{
	int i = spec_refer(c, &c->tunnels, v, key, "tunnel");

	if (i != SPEC_NONE)
		c->spec->tunnels[i].used = true;
	return i;
}

int spec_refer_sender(struct spec_ctx *c, const struct yaml_node *v, const char *key, bool *ret_ok)
{
	const struct spec_tunnel *t;
	const char *why;
	int i;

	*ret_ok = v->kind == YAML_TEXT && !strcmp(v->text, "keep");
	if (*ret_ok)
		return SPEC_NONE;
	i = refer_tunnel(c, v, key);
	if (i == SPEC_NONE)
		return i;
	t = &c->spec->tunnels[i];
	why = t->type && !t->wrong ? spec_tunnel_cannot_send(t) : NULL;
	if (why) {
		spec_error(c, v, "%s: nothing can be sent through tunnel \"%s\" (line %u): %s", key, t->name,
			   t->loc.line, why);
		return SPEC_NONE;
	}
	*ret_ok = true;
	return i;
}

/* --- decap: nothing may be expected twice ---------------------------------------------------------------- */

/* What one tunnel accepts; `at` is its place in the list. */
struct accepted {
	struct tcctl_decap_key key;
	struct spec_prefix remote; /* family 0: any */
	size_t at;
};

static int compare_accepted(const struct accepted *a, const struct accepted *b)
{
	int r = memcmp(&a->key, &b->key, sizeof(a->key));

	return r ? r : spec_prefix_compare(&a->remote, &b->remote);
}

static int by_accepted(const void *a, const void *b)
{
	const struct accepted *x = a, *y = b;
	int r = compare_accepted(x, y);

	return r ? r : x->at < y->at ? -1 : x->at > y->at;
}

static void accept_tunnel(struct spec_ctx *c, const struct spec_tunnel *t, size_t at, struct accepted **items,
			  size_t *n)
{
	struct tcctl_decap_key keys[2];
	unsigned int n_keys = t->type ? tunnel_decap_keys(t, keys) : 0;

	for (unsigned int k = 0; k < n_keys; k++)
		for (size_t i = 0; i < (t->n_remotes ? t->n_remotes : 1); i++) {
			struct accepted *a;

			if (!spec_grow(c, items, *n, sizeof(**items)))
				return;
			a = &(*items)[(*n)++];
			memset(a, 0, sizeof(*a)); /* compared as bytes */
			a->key = keys[k];
			a->at = at;
			/* a prefix of all addresses is any */
			if (t->n_remotes && t->remotes[i].len)
				a->remote = t->remotes[i];
		}
}

/* Two tunnels that accept the same packets: which of them would be by chance. */
static void check_clashes(struct spec_ctx *c, const struct yaml_node *const *nodes, const int *tunnels,
			  size_t n)
{
	_cleanup_free_ struct accepted *items = NULL;
	size_t n_items = 0;

	for (size_t i = 0; i < n; i++)
		accept_tunnel(c, &c->spec->tunnels[tunnels[i]], i, &items, &n_items);
	if (n_items > 1)
		qsort(items, n_items, sizeof(*items), by_accepted);
	for (size_t i = 1; i < n_items; i++) {
		const struct accepted *a = &items[i - 1], *b = &items[i];
		const struct spec_tunnel *x = &c->spec->tunnels[tunnels[a->at]],
					 *y = &c->spec->tunnels[tunnels[b->at]];
		struct diag *g;

		if (a->at == b->at || compare_accepted(a, b))
			continue;
		g = spec_error(
			c, nodes[b->at],
			"decap: tunnels \"%s\" (line %u) and \"%s\" (line %u) cannot be told apart on arrival",
			x->name, x->loc.line, y->name, y->loc.line);
		if (x->type == TCCTL_T_IPIP)
			diag_hint(g, "IPv4 and IPv6 inside is one tunnel: inner: ip");
		else
			diag_hint(g, "they have the same %s",
				  x->type == TCCTL_T_VLAN ? "tags" :
				  x->port		  ? "local, remote, port and number" :
							    "local, remote and number");
		return;
	}
}

static void decap_list(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_decap *d)
{
	_cleanup_free_ bool *named = calloc(c->spec->n_tunnels + 1, sizeof(*named));
	const struct yaml_node *const *items;
	size_t n, errors = c->diags->n_errors;

	items = spec_list(c, &v, key, &n);
	d->tunnels = calloc(n + 1, sizeof(*d->tunnels));
	if (!named || !d->tunnels) {
		c->oom = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int t = refer_tunnel(c, items[i], key);

		if (t == SPEC_NONE)
			continue;
		if (named[t])
			spec_error(c, items[i], "decap: tunnel \"%s\" is named twice", items[i]->text);
		named[t] = true;
		d->tunnels[d->n++] = t;
	}
	if (errors == c->diags->n_errors)
		check_clashes(c, items, d->tunnels, d->n);
}

static void parse_decap_tunnels(struct spec_ctx *c, const struct yaml_node *v, void *dst,
				const struct spec_key *key)
{
	decap_list(c, v, "decap", dst);
}

static void parse_unknown(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			  const struct spec_key *key)
{
	static const char *const words[] = { "stack", "drop" };
	struct spec_decap *d = dst;
	unsigned int word = 0;

	if (spec_enum(c, v, key->name, words, ARRAY_SIZE(words), &word))
		d->refuse_unknown = word == 1;
}

static const struct spec_key decap_keys[] = {
	{ .name = "tunnels", .parse = parse_decap_tunnels },
	{ .name = "unknown", .parse = parse_unknown },
};

void spec_parse_decap(struct spec_ctx *c, const struct yaml_node *v, struct spec_decap *ret)
{
	const struct yaml_pair *seen[ARRAY_SIZE(decap_keys)] = { 0 };

	spec_decap_done(ret);
	*ret = (struct spec_decap){ .node = v };
	if (v->kind != YAML_MAP)
		decap_list(c, v, "decap", ret);
	else if (spec_map(c, v, "`decap`", decap_keys, ARRAY_SIZE(decap_keys), ret, seen) && !seen[0] &&
		 spec_lacks(v, "tunnels", decap_keys, ARRAY_SIZE(decap_keys)))
		spec_error(c, v, "decap: `tunnels` is missing");
}

void spec_decap_done(struct spec_decap *d)
{
	free(d->tunnels);
	d->tunnels = NULL;
}

/* --- encap ------------------------------------------------------------------------------------------------ */

struct entry_reader {
	struct spec_route route;
	bool ok, has_dst;
	const struct yaml_node *tunnel;
};

static void parse_dst(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct entry_reader *e = dst;
	bool has_sets;

	e->has_dst = true;
	if (spec_prefix_list(c, v, key->name, &e->route.prefixes, &e->route.n_prefixes, &has_sets) &&
	    !e->route.n_prefixes)
		spec_error(c, v, "dst: the set is empty");
}

static void parse_route_tunnel(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			       const struct spec_key *key)
{
	struct entry_reader *e = dst;

	e->tunnel = v;
	e->route.tunnel = spec_refer_sender(c, v, key->name, &e->ok);
}

static const struct spec_key entry_keys[] = {
	{ .name = "dst", .parse = parse_dst },
	{ .name = "tunnel", .parse = parse_route_tunnel },
};

static void set_default(struct spec_ctx *c, const struct yaml_node *v, struct spec_encap *encap, int tunnel)
{
	if (encap->tunnel != SPEC_NONE)
		spec_error(c, v,
			   "encap: a second tunnel without `dst`: only one can take what no `dst` names");
	else if (tunnel == SPEC_NONE)
		spec_error(c, v, "encap: `keep` needs a `dst`: what nothing names is left alone anyway");
	encap->tunnel = tunnel;
}

static void encap_entry(struct spec_ctx *c, const struct yaml_node *v, struct spec_encap *encap)
{
	struct entry_reader e = { .route = { .loc = spec_loc(c, v), .tunnel = SPEC_NONE } };
	bool ok;
	int t;

	if (v->kind == YAML_TEXT && !yaml_node_is_null(v)) {
		t = spec_refer_sender(c, v, "encap", &ok);
		if (ok)
			set_default(c, v, encap, t);
		return;
	}
	if (spec_map(c, v, "an entry of `encap`", entry_keys, ARRAY_SIZE(entry_keys), &e, NULL) &&
	    !e.tunnel && spec_lacks(v, "tunnel", entry_keys, ARRAY_SIZE(entry_keys)))
		spec_error(c, v, "encap: the entry lacks `tunnel`");
	else if (e.tunnel && e.ok && !e.has_dst)
		set_default(c, v, encap, e.route.tunnel);
	if (e.has_dst && spec_grow(c, &encap->routes, encap->n_routes, sizeof(*encap->routes)))
		encap->routes[encap->n_routes++] = e.route;
	else
		free(e.route.prefixes);
}

struct routed {
	struct spec_prefix prefix;
	size_t at;
};

static int by_prefix(const void *a, const void *b)
{
	const struct routed *x = a, *y = b;
	int r = spec_prefix_compare(&x->prefix, &y->prefix);

	return r ? r : x->at < y->at ? -1 : x->at > y->at;
}

/* One prefix through two tunnels. */
static void check_routes(struct spec_ctx *c, const struct spec_encap *encap)
{
	_cleanup_free_ struct routed *items = NULL;
	char text[SPEC_PREFIX_TEXT];
	size_t n = 0;

	for (size_t i = 0; i < encap->n_routes; i++)
		n += encap->routes[i].n_prefixes;
	items = calloc(n + 1, sizeof(*items));
	if (!items) {
		c->oom = true;
		return;
	}
	n = 0;
	for (size_t i = 0; i < encap->n_routes; i++)
		for (size_t k = 0; k < encap->routes[i].n_prefixes; k++)
			items[n++] = (struct routed){ encap->routes[i].prefixes[k], i };
	if (encap->n_routes > 1)
		qsort(items, n, sizeof(*items), by_prefix);
	for (size_t i = 1; i < n && encap->n_routes > 1; i++) {
		const struct spec_route *a = &encap->routes[items[i - 1].at],
					*b = &encap->routes[items[i].at];

		if (a == b || spec_prefix_compare(&items[i - 1].prefix, &items[i].prefix))
			continue;
		spec_prefix_text(&items[i].prefix, text);
		diag_error(c->diags, &b->loc, "encap: %s is given twice: first at line %u", text,
			   a->loc.line);
		return;
	}
}

void spec_parse_encap(struct spec_ctx *c, const struct yaml_node *v, struct spec_encap *ret)
{
	size_t errors = c->diags->n_errors;

	spec_encap_done(ret);
	*ret = (struct spec_encap){ .node = v, .tunnel = SPEC_NONE };
	if (v->kind == YAML_LIST && v->n) {
		for (uint32_t i = 0; i < v->n; i++)
			encap_entry(c, v->items[i], ret);
		if (errors == c->diags->n_errors)
			check_routes(c, ret);
	} else if (v->kind == YAML_TEXT && !yaml_node_is_null(v)) {
		encap_entry(c, v, ret);
	} else {
		diag_hint(spec_expected(c, v, "encap", "the name of a tunnel, or a list of { dst, tunnel }"),
			  "encap: [ { dst: 10.2.0.0/16, tunnel: NAME } ]");
	}
}

void spec_encap_done(struct spec_encap *e)
{
	for (size_t i = 0; i < e->n_routes; i++)
		free(e->routes[i].prefixes);
	free(e->routes);
	e->routes = NULL;
	e->n_routes = 0;
}

/* --- UDP ports ----------------------------------------------------------------------------------------------- */

static const struct spec_run *program_at(const struct spec_hook *hook, uint16_t port)
{
	for (size_t i = 0; i < hook->n_runs; i++)
		if (hook->runs[i].at == SPEC_AT_UDP_PORT && hook->runs[i].slot == port)
			return &hook->runs[i];
	return NULL;
}

void spec_check_ports(struct spec_ctx *c, const struct yaml_node *v, const struct spec_hook *hook)
{
	_cleanup_free_ const struct spec_tunnel **by_port = calloc(65536, sizeof(*by_port));
	unsigned int user = 0;

	if (!by_port) {
		c->oom = true;
		return;
	}
	for (size_t i = 0; i < hook->n_runs; i++)
		user += hook->runs[i].at == SPEC_AT_UDP_PORT && !spec_udp_well_known(hook->runs[i].slot);
	for (size_t i = 0; i < hook->n_decaps; i++) {
		const struct spec_tunnel *t = &c->spec->tunnels[hook->decaps[i]], *first = by_port[t->port];

		if (!t->port)
			continue;
		if (first && first->type == t->type)
			continue;
		by_port[t->port] = t;
		if (first)
			spec_error(
				c, v,
				"decap: UDP port %u is that of \"%s\" (line %u) and of \"%s\" (line %u), another type",
				t->port, first->name, first->loc.line, t->name, t->loc.line);
		else if (program_at(hook, t->port))
			spec_error(c, v,
				   "decap: UDP port %u of tunnel \"%s\" is taken by the program at line %u",
				   t->port, t->name, program_at(hook, t->port)->loc.line);
		else if (!spec_udp_well_known(t->port) && ++user == UDP_PORTS_MAX + 1)
			spec_error(c, v, "decap: more than %d UDP ports besides the well-known ones",
				   (int)UDP_PORTS_MAX);
	}
}

/* --- what comes out and goes in again ------------------------------------------------------------------------ */

/* The tunnels that an ingress hook puts packets into. */
static void mark_out(const struct spec *s, const struct spec_hook *hook, bool *out)
{
	const struct spec_ruleset *set = hook->class_tunnels ? &s->rulesets[hook->ruleset] : NULL;

	if (hook->encap != SPEC_NONE)
		out[hook->encap] = true;
	for (size_t i = 0; i < hook->n_routes; i++)
		if (hook->routes[i].tunnel != SPEC_NONE)
			out[hook->routes[i].tunnel] = true;
	for (size_t i = 0; set && i < set->n_rules; i++) {
		const struct spec_class *class = set->rules[i].class < 0 ? NULL :
									   &s->classes[set->rules[i].class];

		if (class && class->flags & TCCTL_C_TUNNEL && class->tunnel != SPEC_NONE)
			out[class->tunnel] = true;
	}
}

/*
 * Frames without a device of their own come in once more where they came from, packets with one come in there. Where they are put
 * into their tunnel again, one broadcast goes back and forth for ever.
 */
void spec_check_return(struct spec_ctx *c, const struct yaml_node *v, const struct spec_interface *in)
{
	const struct spec_hook *hook = &in->hook[SPEC_INGRESS];
	_cleanup_free_ bool *out = calloc(c->spec->n_tunnels + 1, sizeof(*out));
	const struct loc loc = v ? spec_loc(c, v) : in->loc;
	bool here;

	if (!out) {
		c->oom = true;
		return;
	}
	if (!hook->enabled || hook->mode == SPEC_MODE_OBSERVE)
		return;
	mark_out(c->spec, hook, out);
	for (size_t i = 0; i < c->spec->n_tunnels; i++) {
		const struct spec_tunnel *t = &c->spec->tunnels[i];

		if (!out[i] || !t->type)
			continue;
		if (t->device) {
			if (!in->has_mac && !in->altname && !strcmp(t->device, in->key))
				diag_hint(
					diag_error(
						c->diags, &loc,
						"encap: what tunnel \"%s\" (line %u) delivers into its device %s would go back "
						"into it",
						t->name, t->loc.line, t->device),
					"what leaves the device is encapsulated without being told; otherwise: egress: { encap: … }");
			continue;
		}
		here = false;
		for (size_t k = 0; k < hook->n_decaps; k++)
			here |= hook->decaps[k] == (int)i;
		if (here && t->flags & TCCTL_TF_INNER_ETH && t->type != TCCTL_T_VLAN)
			diag_hint(
				diag_error(
					c->diags, &loc,
					"encap: frames that tunnel \"%s\" (line %u) brings come in here and would go back into "
					"it",
					t->name, t->loc.line),
				"give it a `device`, for a bridge or for addresses; or encap at another interface");
	}
}
