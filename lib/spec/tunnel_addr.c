// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Ends of tunnels: addresses, prefixes and sets, devices. */
#include <ctype.h>
#include <string.h>

#include "spec/tunnel_impl.h"

bool spec_is_host(const struct spec_prefix *p)
{
	return p->len == (p->family == 4 ? 32 : 128);
}

static bool is_none(const struct spec_prefix *p)
{
	return !p->addr[0] && !memcmp(p->addr, p->addr + 1, sizeof(p->addr) - 1);
}

bool spec_host(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_prefix *ret)
{
	static const char expected[] = "an address such as 192.0.2.1 or \"2001:db8::1\"";
	char hint[SPEC_HINT_MAX] = "";
	struct spec_prefix p;
	const char *wrong;
	struct diag *g;

	if (!spec_text(c, v, key, expected))
		return false;
	wrong = spec_prefix(v->text, v->n, &p, hint);
	if (wrong || !spec_is_host(&p)) {
		g = spec_expected(c, v, key, "%s", expected);
		if (strchr(v->text, '/'))
			diag_hint(g, "one address, without a length");
		else if (wrong && *hint)
			diag_hint(g, "%s", hint);
		else if (isalpha((unsigned char)v->text[0]))
			diag_hint(g, "names are not looked up: write the address");
		return false;
	}
	if (p.family == 4 ? p.addr[0] >= 224 : p.addr[0] == 0xff) {
		diag_hint(spec_error(c, v, "%s: %s is no address of one host", key, v->text),
			  "what goes to several remotes is sent to each: fdb: { flood: [ ... ] }");
		return false;
	}
	if (is_none(&p)) {
		diag_hint(spec_error(c, v, "%s: %s is no address of a host", key, v->text),
			  "leave `%s` out for any", key);
		return false;
	}
	*ret = p;
	return true;
}

static bool push(struct spec_ctx *c, struct spec_prefix **items, size_t *n, const struct spec_prefix *p)
{
	if (!spec_grow(c, items, *n, sizeof(**items)))
		return false;
	(*items)[(*n)++] = *p;
	return true;
}

static bool push_set(struct spec_ctx *c, const struct yaml_node *v, const char *key,
		     struct spec_prefix **items, size_t *n)
{
	int i = spec_refer(c, &c->sets, v, key, "set");
	const struct spec_set *set;

	if (i == SPEC_NONE)
		return false;
	c->spec->sets[i].used = true;
	set = &c->spec->sets[i];
	for (size_t k = 0; k < set->n_items; k++)
		if (!push(c, items, n, &set->items[k]))
			return false;
	return true;
}

bool spec_prefix_list(struct spec_ctx *c, const struct yaml_node *v, const char *key,
		      struct spec_prefix **ret, size_t *ret_n, bool *ret_sets)
{
	const struct yaml_node *const *nodes;
	struct spec_prefix *items = NULL;
	size_t n, n_items = 0;
	bool ok = true;

	*ret_sets = false;
	nodes = spec_list(c, &v, key, &n);
	ok = n > 0;
	for (size_t i = 0; i < n; i++) {
		char hint[SPEC_HINT_MAX] = "";
		struct spec_prefix p;
		const char *wrong;
		struct diag *g;

		if (!spec_text(c, nodes[i], key, "an address, a prefix or the name of a set")) {
			ok = false;
		} else if (isalpha((unsigned char)nodes[i]->text[0]) && !strchr(nodes[i]->text, ':')) {
			*ret_sets = true;
			ok &= push_set(c, nodes[i], key, &items, &n_items);
		} else if ((wrong = spec_prefix(nodes[i]->text, nodes[i]->n, &p, hint))) {
			g = spec_expected(c, nodes[i], key, "%s, or the name of a set", wrong);
			if (*hint)
				diag_hint(g, "%s", hint);
			ok = false;
		} else {
			ok &= push(c, &items, &n_items, &p);
		}
	}
	if (!ok) {
		free(items);
		return false;
	}
	*ret = items;
	*ret_n = items ? spec_prefixes_sort(items, n_items) : 0;
	return true;
}

char *spec_device(struct spec_ctx *c, const struct yaml_node *v, const char *key)
{
	if (!spec_text(c, v, key, "the name of a network device"))
		return NULL;
	if (!v->n || v->n > 15 || !strcmp(v->text, ".") || !strcmp(v->text, "..") ||
	    strpbrk(v->text, "/: \t\r\n\v\f*?[")) {
		spec_expected(c, v, key,
			      "the name of a network device: 1 to 15 characters without / : and blanks");
		return NULL;
	}
	return spec_strdup(c, v->text);
}

static void wrong_family(struct spec_ctx *c, const struct yaml_node *v, const struct spec_tunnel *t,
			 const struct spec_prefix *p)
{
	char text[SPEC_PREFIX_TEXT];

	spec_prefix_text(p, text);
	if (t->has_local)
		spec_error(
			c, v,
			"remote: %s is IPv%d, but `local` is IPv%d: both are addresses of the outer header",
			text, p->family, t->family);
	else
		spec_error(c, v,
			   "remote: %s is IPv%d, but others are IPv%d: without `local` all are of one family",
			   text, p->family, t->family);
}

void spec_tunnel_remote(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t)
{
	bool has_sets;
	size_t kept = 0, errors = c->diags->n_errors;

	if (!spec_prefix_list(c, v, "remote", &t->remotes, &t->n_remotes, &has_sets))
		return;
	if (!t->family && t->n_remotes)
		t->family = t->remotes[0].family;
	for (size_t i = 0; i < t->n_remotes; i++) {
		const struct spec_prefix *p = &t->remotes[i];

		if (p->family == t->family)
			t->remotes[kept++] = *p;
		else if (!has_sets || !t->has_local)
			wrong_family(c, v, t, p);
	}
	t->n_remotes = kept;
	if (!kept && errors == c->diags->n_errors)
		diag_hint(spec_error(c, v, "remote: there is no IPv%d address in it",
				     t->family ? t->family : 4),
			  "leave `remote` out to accept any sender");
	if (kept == 1 && spec_is_host(t->remotes)) {
		const uint8_t *a = t->remotes[0].addr;

		if (t->family == 4 ? a[0] >= 224 : a[0] == 0xff)
			diag_hint(spec_error(c, v, "remote: this is no address of one host"),
				  "what goes to several remotes is sent to each: fdb: { flood: [ ... ] }");
		else if (is_none(t->remotes))
			diag_hint(spec_error(c, v, "remote: this is no address of a host"),
				  "leave `remote` out for any");
		else if (t->has_local && !spec_prefix_compare(&t->local, t->remotes))
			spec_error(c, v, "remote: it is the same address as `local`");
	}
}
