// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `interfaces:` which devices, and what runs on each of their directions. */
#include <ctype.h>
#include <string.h>

#include "spec/impl.h"

#define DEVICE_NAME_MAX 15 /* IFNAMSIZ - 1 */
#define ALTNAME_MAX 127	   /* ALTIFNAMSIZ - 1 */

static const char *const mode_words[] = { [SPEC_MODE_ENFORCE] = "enforce", [SPEC_MODE_OBSERVE] = "observe" };
static const char *const verdict_words[] = { [SPEC_VERDICT_CONTINUE] = "continue", [SPEC_VERDICT_OK] = "ok" };
static const char *const side_words[] = { [SPEC_SIDE_WAN] = "wan", [SPEC_SIDE_LAN] = "lan" };
_Static_assert(ARRAY_SIZE(mode_words) == SPEC_MODE_MAX, "a word for each mode");
_Static_assert(ARRAY_SIZE(verdict_words) == SPEC_VERDICT_MAX, "a word for each verdict");
_Static_assert(ARRAY_SIZE(side_words) == SPEC_SIDE_MAX, "a word for each side");

/* What can be said for the interface and again for a direction; direction wins. */
struct hook_settings {
	bool has_ruleset, has_mode, has_verdict, has_runs, off;
	int ruleset;
	unsigned int mode, verdict;
	struct spec_run *runs;
	size_t n_runs;
	struct spec_decap decap;
	struct spec_encap encap;
};

struct interface_settings {
	struct spec_interface *interface;
	struct hook_settings own, dir[SPEC_DIR_MAX];
	bool has_match;
};

static const struct loc *interface_place(const struct spec *spec, int i)
{
	return &spec->interfaces[i].loc;
}

static void read_ruleset(struct spec_ctx *c, const struct yaml_node *v, struct hook_settings *h)
{
	h->has_ruleset = true;
	h->ruleset = SPEC_NONE;
	if (v->kind == YAML_LIST)
		diag_hint(spec_expected(c, v, "rules", "the name of a rule set"),
			  "rules are written under the top-level key `rules` and named here");
	else
		h->ruleset = spec_refer(c, &c->rulesets, v, "rules", "rule set");
}

enum { HOOK_RULES, HOOK_MODE, HOOK_VERDICT, HOOK_RUN, HOOK_DECAP, HOOK_ENCAP };

static void read_hook_key(struct spec_ctx *c, const struct yaml_node *v, struct hook_settings *h,
			  const struct spec_key *key)
{
	switch (key->arg) {
	case HOOK_RULES: read_ruleset(c, v, h); break;
	case HOOK_MODE: h->has_mode = spec_enum(c, v, key->name, mode_words, SPEC_MODE_MAX, &h->mode); break;
	case HOOK_VERDICT:
		h->has_verdict = spec_enum(c, v, key->name, verdict_words, SPEC_VERDICT_MAX, &h->verdict);
		break;
	case HOOK_RUN:
		h->has_runs = true;
		spec_parse_runs(c, v, &h->runs, &h->n_runs);
		break;
	case HOOK_DECAP: spec_parse_decap(c, v, &h->decap); break;
	case HOOK_ENCAP: spec_parse_encap(c, v, &h->encap); break;
	}
}

static void parse_hook_key(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	read_hook_key(c, v, dst, key);
}

static void parse_own_key(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			  const struct spec_key *key)
{
	struct interface_settings *s = dst;

	read_hook_key(c, v, &s->own, key);
}

static const char for_both[] = "it holds for both directions of the interface";
static const char one_of_two[] = "packets are taken out of tunnels by `decap` and put into them by `encap`";
static const struct spec_key hook_keys[] = {
	{ .name = "rules", .parse = parse_hook_key, .arg = HOOK_RULES },
	{ .name = "mode", .parse = parse_hook_key, .arg = HOOK_MODE },
	{ .name = "verdict", .parse = parse_hook_key, .arg = HOOK_VERDICT },
	{ .name = "run", .parse = parse_hook_key, .arg = HOOK_RUN },
	{ .name = "match", .misplaced = for_both },
	{ .name = "optional", .misplaced = for_both },
	{ .name = "side", .misplaced = for_both },
	{ .name = "decap", .parse = parse_hook_key, .arg = HOOK_DECAP },
	{ .name = "encap", .parse = parse_hook_key, .arg = HOOK_ENCAP },
	{ .name = "tunnel", .misplaced = one_of_two },
	{ .name = "shaper", .later = "a shaper on the device" },
};

static void parse_direction(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			    const struct spec_key *key)
{
	struct interface_settings *s = dst;
	struct hook_settings *h = &s->dir[key->arg];
	struct diag *g;

	if (v->kind == YAML_TEXT && (!strcmp(v->text, "false") || !strcmp(v->text, "none"))) {
		h->off = true;
		return;
	}
	if (v->kind == YAML_MAP) {
		spec_map(c, v, key->arg == SPEC_INGRESS ? "`ingress`" : "`egress`", hook_keys,
			 ARRAY_SIZE(hook_keys), h, NULL);
		return;
	}
	g = spec_expected(c, v, key->name, "a map of settings for this direction, or false");
	if (v->kind == YAML_TEXT && (!strcmp(v->text, "no") || !strcmp(v->text, "off")))
		diag_hint(g, "write false: YAML readers do not agree on %s", v->text);
	else if (v->kind == YAML_TEXT && !yaml_node_is_null(v))
		diag_hint(g, "to name a rule set, write %s: { rules: NAME }", key->name);
}

static void parse_match_mac(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			    const struct spec_key *key)
{
	struct interface_settings *s = dst;

	s->interface->has_mac = spec_mac(c, v, key->name, s->interface->mac);
}

static void parse_match_altname(struct spec_ctx *c, const struct yaml_node *v, void *dst,
				const struct spec_key *key)
{
	struct interface_settings *s = dst;

	if (!spec_text(c, v, key->name, "an alternative name of the device, as `ip link` shows it"))
		return;
	if (!v->n || v->n > ALTNAME_MAX || strpbrk(v->text, "/ \t\r\n")) {
		spec_expected(c, v, key->name, "1 to %d characters without / and blanks", ALTNAME_MAX);
		return;
	}
	if (!s->interface->altname)
		s->interface->altname = spec_strdup(c, v->text);
}

static const struct spec_key match_keys[] = {
	{ .name = "mac", .parse = parse_match_mac },
	{ .name = "altname", .parse = parse_match_altname },
};

static void parse_match(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct interface_settings *s = dst;

	s->has_match = true;
	if (spec_map(c, v, "`match`", match_keys, ARRAY_SIZE(match_keys), dst, NULL) && !v->n)
		spec_error(c, v, "match: the map is empty, expected `mac` or `altname`");
}

static void parse_optional(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			   const struct spec_key *key)
{
	struct interface_settings *s = dst;

	spec_bool(c, v, key->name, &s->interface->optional);
}

static void parse_side(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key)
{
	struct interface_settings *s = dst;
	unsigned int side;

	if (spec_enum(c, v, key->name, side_words, SPEC_SIDE_MAX, &side))
		s->interface->side = (enum spec_side)side;
}

static const struct spec_key interface_keys[] = {
	{ .name = "match", .parse = parse_match },
	{ .name = "optional", .parse = parse_optional },
	{ .name = "side", .parse = parse_side },
	{ .name = "rules", .parse = parse_own_key, .arg = HOOK_RULES },
	{ .name = "mode", .parse = parse_own_key, .arg = HOOK_MODE },
	{ .name = "verdict", .parse = parse_own_key, .arg = HOOK_VERDICT },
	{ .name = "run", .parse = parse_own_key, .arg = HOOK_RUN },
	{ .name = "ingress", .parse = parse_direction, .arg = SPEC_INGRESS },
	{ .name = "egress", .parse = parse_direction, .arg = SPEC_EGRESS },
	{ .name = "down", .later = "rates" },
	{ .name = "up", .later = "rates" },
	{ .name = "shaper", .later = "a shaper on the device" },
	{ .name = "track", .later = "replies that inherit the class of their connection" },
	{ .name = "decap", .parse = parse_own_key, .arg = HOOK_DECAP },
	{ .name = "encap", .parse = parse_own_key, .arg = HOOK_ENCAP },
	{ .name = "tunnel", .misplaced = one_of_two },
	{ .name = "attach", .later = "another kind of attachment than clsact" },
};

/* The key when no `match` makes it a label: what dev_valid_name() of the kernel allows, or a glob of it. */
static void check_device(struct spec_ctx *c, const struct yaml_node *key, const struct spec_interface *in)
{
	const char *name = in->key;
	char found[YAML_DESCRIBE_MAX];

	yaml_node_describe(key, found);
	if (!key->n || !strcmp(name, ".") || !strcmp(name, ".."))
		spec_error(c, key, "%s cannot name a device", *found ? found : "\"\"");
	else if (strchr(name, '@'))
		diag_hint(spec_error(c, key, "%s cannot name a device", found),
			  "what follows @ in the output of `ip` is not part of the name: \"%.*s\"",
			  (int)(strchr(name, '@') - name), name);
	else if (strpbrk(name, "/: \t\r\n\v\f"))
		spec_error(c, key, "%s cannot name a device: expected no /, no colon and no blanks", found);
	else if (!in->is_glob && key->n > DEVICE_NAME_MAX)
		diag_hint(spec_error(c, key, "device name %s is %u bytes long, at most %d are possible",
				     found, key->n, DEVICE_NAME_MAX),
			  "a longer name can be an altname: %.15s: { match: { altname: ... } }", name);
	else if (key->n > ALTNAME_MAX)
		spec_error(c, key, "the glob %s is longer than %d bytes", found, ALTNAME_MAX);
	else if (strchr(name, '[') && !strchr(strchr(name, '['), ']'))
		spec_error(c, key, "the glob %s lacks a closing ]", found);
}

static bool copy_runs(struct spec_ctx *c, const struct hook_settings *from, struct spec_hook *to)
{
	if (!from->n_runs)
		return true;
	to->runs = calloc(from->n_runs, sizeof(*to->runs));
	if (!to->runs) {
		c->oom = true;
		return false;
	}
	memcpy(to->runs, from->runs, from->n_runs * sizeof(*to->runs));
	to->n_runs = from->n_runs;
	return true;
}

/* Does a class of the hook's rules name a tunnel? */
static bool has_class_tunnels(const struct spec *spec, const struct spec_hook *hook)
{
	const struct spec_ruleset *set = hook->ruleset == SPEC_NONE ? NULL : &spec->rulesets[hook->ruleset];

	for (size_t i = 0; set && i < set->n_rules; i++)
		if (set->rules[i].class >= 0 && spec->classes[set->rules[i].class].flags & TCCTL_C_TUNNEL)
			return true;
	return false;
}

/* Tunnels: what is said for the interface holds for the direction that it makes sense in. */
static void settle_tunnels(struct spec_ctx *c, struct interface_settings *s, enum spec_dir dir)
{
	const enum spec_dir way_out = s->interface->side == SPEC_SIDE_WAN ? SPEC_EGRESS : SPEC_INGRESS;
	struct hook_settings *own = &s->own, *d = &s->dir[dir];
	struct spec_hook *hook = &s->interface->hook[dir];
	struct spec_decap *decap = d->decap.node ? &d->decap : dir == SPEC_INGRESS ? &own->decap : NULL;
	struct spec_encap *encap = d->encap.node ? &d->encap : dir == way_out ? &own->encap : NULL;

	if (decap && decap->node) {
		hook->decaps = TAKE_PTR(decap->tunnels);
		hook->n_decaps = decap->n;
		hook->refuse_unknown = decap->refuse_unknown;
		spec_check_ports(c, decap->node, hook);
	}
	if (encap && encap->node) {
		hook->encap = encap->tunnel;
		hook->routes = TAKE_PTR(encap->routes);
		hook->n_routes = encap->n_routes;
		encap->n_routes = 0;
	}
	hook->class_tunnels = dir == way_out && has_class_tunnels(c->spec, hook);
	if (dir == SPEC_INGRESS)
		spec_check_return(c, encap && encap->node ? encap->node : decap ? decap->node : NULL, s->interface);
}

/* `decap` or `encap` of the interface, whose direction is off. */
static void check_off(struct spec_ctx *c, const struct interface_settings *s, enum spec_dir dir)
{
	const enum spec_dir way_out = s->interface->side == SPEC_SIDE_WAN ? SPEC_EGRESS : SPEC_INGRESS;
	const char *word = dir == SPEC_INGRESS ? "ingress" : "egress";

	if (dir == SPEC_INGRESS && s->own.decap.node)
		spec_error(c, s->own.decap.node, "decap: it would be done at ingress, which is off");
	if (dir == way_out && s->own.encap.node)
		spec_error(c, s->own.encap.node, "encap: it would be done at %s, which is off", word);
}

static void settle_hook(struct spec_ctx *c, struct interface_settings *s, enum spec_dir dir)
{
	const struct hook_settings *own = &s->own, *d = &s->dir[dir];
	struct spec_hook *hook = &s->interface->hook[dir];

	hook->ruleset = SPEC_NONE;
	hook->encap = SPEC_NONE;
	if (d->off) {
		check_off(c, s, dir);
		return;
	}
	hook->enabled = true;
	if (d->has_ruleset || own->has_ruleset)
		hook->ruleset = d->has_ruleset ? d->ruleset : own->ruleset;
	if (d->has_mode || own->has_mode)
		hook->mode = (enum spec_mode)(d->has_mode ? d->mode : own->mode);
	if (d->has_verdict || own->has_verdict)
		hook->verdict = (enum spec_verdict)(d->has_verdict ? d->verdict : own->verdict);
	copy_runs(c, d->has_runs ? d : own, hook);
	settle_tunnels(c, s, dir);
}

static void settings_done(struct hook_settings *h)
{
	free(h->runs);
	spec_decap_done(&h->decap);
	spec_encap_done(&h->encap);
}

void spec_hook_done(struct spec_hook *hook)
{
	struct spec_encap encap = { .routes = hook->routes, .n_routes = hook->n_routes };

	free(hook->runs);
	free(hook->decaps);
	spec_encap_done(&encap);
}

static void parse_interface(struct spec_ctx *c, const struct yaml_node *key, const struct yaml_node *v)
{
	struct interface_settings s = { 0 };
	struct spec_interface *in;

	if (!spec_grow(c, &c->spec->interfaces, c->spec->n_interfaces, sizeof(*in)))
		return;
	in = &c->spec->interfaces[c->spec->n_interfaces];
	*in = (struct spec_interface){ .key = spec_strdup(c, key->text), .loc = spec_loc(c, key) };
	c->spec->n_interfaces++;
	if (!in->key)
		return;
	s.interface = in;
	spec_define(c, &c->interfaces, key, in->key, "interface", c->spec->n_interfaces - 1, interface_place);
	spec_map(c, v, "an interface", interface_keys, ARRAY_SIZE(interface_keys), &s, NULL);
	if (s.has_match) {
		spec_name_ok(c, key, "device label");
	} else {
		in->is_glob = strpbrk(in->key, "*?[") != NULL;
		check_device(c, key, in);
	}
	for (int d = 0; d < SPEC_DIR_MAX; d++)
		settle_hook(c, &s, (enum spec_dir)d);
	settings_done(&s.own);
	for (int d = 0; d < SPEC_DIR_MAX; d++)
		settings_done(&s.dir[d]);
	if (s.dir[SPEC_INGRESS].off && s.dir[SPEC_EGRESS].off)
		spec_error(c, key, "interface \"%s\": both directions are off, so nothing would be attached",
			   in->key);
}

void spec_parse_interfaces(struct spec_ctx *c, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		diag_hint(spec_expected(c, map, "interfaces", "a map of device names or globs"),
			  "interfaces: { eth0: { rules: NAME } }");
		return;
	}
	for (uint32_t i = 0; i < map->n; i++)
		parse_interface(c, map->pairs[i].key, map->pairs[i].value);
}
