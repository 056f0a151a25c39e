// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Encoding and decoding are one description, read in both directions: see the code_…() functions. */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "tcctl/tunnel.h"
#include "util.h"

static const char *const table_names[] = {
	[STATE_JT_L3] = "l3",
	[STATE_JT_L4] = "l4",
	[STATE_JT_UDP] = "udp",
	[STATE_JT_STAGE] = "stage",
};
_Static_assert(ARRAY_SIZE(table_names) == STATE_JT_MAX, "a name for each table");

const char *state_table_name(enum state_table table)
{
	return table < STATE_JT_MAX ? table_names[table] : "?";
}

void state_pipeline_done(struct state_pipeline *p)
{
	for (size_t i = 0; i < p->n_slots; i++)
		free(p->slots[i].name);
	for (size_t i = 0; i < p->n_classes; i++)
		free(p->classes[i].name);
	for (size_t i = 0; i < p->n_counters; i++)
		free(p->counters[i].name);
	free(p->slots);
	free(p->classes);
	free(p->counters);
	free(p->tunnels);
	free(p->ruleset);
	free(p->order);
	memset(p, 0, sizeof(*p));
}

static void tunnels_done(struct state *s)
{
	for (size_t i = 0; i < s->n_tunnels; i++) {
		struct state_tunnel *t = &s->tunnels[i];

		free(t->name);
		free(t->type);
		free(t->local);
		free(t->remote);
		free(t->device);
	}
	free(s->tunnels);
	s->tunnels = NULL;
	s->n_tunnels = 0;
}

void state_done(struct state *s)
{
	tunnels_done(s);
	free(s->devices);
	for (size_t i = 0; i < s->n_pipelines; i++)
		state_pipeline_done(&s->pipelines[i]);
	free(s->pipelines);
	free(s->hooks);
	free(s->clsacts);
	free(s->spec);
	memset(s, 0, sizeof(*s));
}

void state_record_done(struct state_record *r)
{
	state_done(&r->now);
	state_done(&r->next);
	r->has_next = false;
}

struct state_pipeline *state_pipeline_find(const struct state *s, uint32_t id)
{
	for (size_t i = 0; i < s->n_pipelines; i++)
		if (s->pipelines[i].id == id)
			return &s->pipelines[i];
	return NULL;
}

static int compare_clsacts(const void *va, const void *vb)
{
	const struct state_clsact *a = va, *b = vb;

	return a->ifindex < b->ifindex ? -1 : a->ifindex > b->ifindex;
}

const struct state_clsact *state_clsact_find(const struct state *s, uint32_t ifindex)
{
	const struct state_clsact key = { .ifindex = ifindex };

	return s->n_clsacts ? bsearch(&key, s->clsacts, s->n_clsacts, sizeof(key), compare_clsacts) : NULL;
}

void state_clsacts_sort(struct state *s)
{
	if (s->n_clsacts)
		qsort(s->clsacts, s->n_clsacts, sizeof(*s->clsacts), compare_clsacts);
}

static int compare_tunnels(const void *va, const void *vb)
{
	const struct state_tunnel *a = va, *b = vb;

	return strcmp(a->name, b->name);
}

const struct state_tunnel *state_tunnel_find(const struct state *s, const char *name)
{
	const struct state_tunnel key = { .name = (char *)name };

	return s->n_tunnels ? bsearch(&key, s->tunnels, s->n_tunnels, sizeof(key), compare_tunnels) : NULL;
}

void state_tunnels_sort(struct state *s)
{
	if (s->n_tunnels)
		qsort(s->tunnels, s->n_tunnels, sizeof(*s->tunnels), compare_tunnels);
}

const struct state_device *state_device_find(const struct state *s, uint32_t ifindex, const uint8_t mac[6])
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].ifindex == ifindex && !memcmp(s->devices[i].mac, mac, sizeof(s->devices[i].mac)))
			return &s->devices[i];
	return NULL;
}

/* --- codec: one pass over the structure, writing to or reading from a buffer ---------------------------- */

struct codec {
	bool writing;
	uint32_t schema; /* of what is read; writing: STATE_SCHEMA */
	char *buf;
	size_t len, cap; /* writing: used and allocated; reading: cap is the end, len the position */
	int err; /* sticky */
};

static void code_raw(struct codec *c, void *data, size_t n)
{
	if (c->err)
		return;
	if (c->writing) {
		if (c->cap - c->len < n) {
			size_t cap = c->cap * 2 > c->len + n ? c->cap * 2 : c->len + n + 4096;
			char *buf = realloc(c->buf, cap);

			if (!buf) {
				c->err = -ENOMEM;
				return;
			}
			c->buf = buf;
			c->cap = cap;
		}
		if (n)
			memcpy(c->buf + c->len, data, n);
	} else {
		if (c->cap - c->len < n) {
			c->err = -EBADMSG;
			return;
		}
		if (n)
			memcpy(data, c->buf + c->len, n);
	}
	c->len += n;
}

static void code_u32(struct codec *c, uint32_t *v)
{
	code_raw(c, v, sizeof(*v));
}

static void code_u64(struct codec *c, uint64_t *v)
{
	code_raw(c, v, sizeof(*v));
}

/* Text of any length with a 0 behind it for the reader; NULL stays NULL. */
static void code_text(struct codec *c, char **s, size_t *len)
{
	uint32_t n = c->writing ? (*s ? (uint32_t)*len + 1 : 0) : 0;

	code_u32(c, &n);
	if (c->err || !n)
		return;
	if (!c->writing) {
		if (c->cap - c->len < n - 1) {
			c->err = -EBADMSG;
			return;
		}
		*s = malloc(n);
		if (!*s) {
			c->err = -ENOMEM;
			return;
		}
		(*s)[n - 1] = 0;
		*len = n - 1;
	}
	code_raw(c, *s, n - 1);
}

static void code_str(struct codec *c, char **s)
{
	size_t len = c->writing && *s ? strlen(*s) : 0;

	code_text(c, s, &len);
}

/* The number of elements; when reading it also makes the zeroed array. `least` is the fewest bytes that an
 * element takes, so that a damaged count cannot ask for more memory than the blob could fill. */
static void code_array(struct codec *c, void **items, size_t *n, size_t size, size_t least)
{
	uint32_t count = (uint32_t)*n;

	code_u32(c, &count);
	if (c->err || c->writing)
		return;
	if (count > (c->cap - c->len) / least) {
		c->err = -EBADMSG;
		return;
	}
	if (!count)
		return;
	*items = calloc(count, size);
	if (!*items) {
		c->err = -ENOMEM;
		return;
	}
	*n = count;
}

static void code_device(struct codec *c, char device[16])
{
	code_raw(c, device, 16);
	if (!c->err && !c->writing && memchr(device, 0, 16) == NULL)
		c->err = -EBADMSG;
}

static void code_pipeline(struct codec *c, struct state_pipeline *p)
{
	code_u32(c, &p->id);
	code_u32(c, &p->link);
	code_str(c, &p->ruleset);
	code_str(c, &p->order);
	code_u64(c, &p->code_digest);
	code_u64(c, &p->data_digest);
	code_u64(c, &p->elf_digest);
	code_u64(c, &p->abi_digest);
	code_u32(c, &p->generation);
	code_u32(c, &p->odd);
	code_u32(c, &p->root_id);
	code_u32(c, &p->entry_id);
	code_u32(c, &p->hook_chunks);
	code_u32(c, &p->rule_chunks);
	code_array(c, (void **)&p->slots, &p->n_slots, sizeof(*p->slots), 20);
	for (size_t i = 0; i < p->n_slots && !c->err; i++) {
		struct state_slot *s = &p->slots[i];

		code_u32(c, &s->table);
		code_u32(c, &s->slot);
		code_u32(c, &s->prog_id);
		code_u32(c, &s->port);
		code_str(c, &s->name);
		if (s->table >= STATE_JT_MAX || !s->name)
			c->err = c->err ? c->err : -EBADMSG;
	}
	code_array(c, (void **)&p->classes, &p->n_classes, sizeof(*p->classes), 28);
	for (size_t i = 0; i < p->n_classes && !c->err; i++) {
		struct state_class *k = &p->classes[i];

		code_str(c, &k->name);
		code_raw(c, &k->retired, sizeof(k->retired));
		if (!k->name)
			c->err = c->err ? c->err : -EBADMSG;
	}
	code_array(c, (void **)&p->counters, &p->n_counters, sizeof(*p->counters), 24);
	for (size_t i = 0; i < p->n_counters && !c->err; i++) {
		struct state_counter *k = &p->counters[i];

		code_u64(c, &k->identity);
		code_u32(c, &k->id);
		code_u32(c, &k->rule);
		code_u32(c, &k->class);
		code_str(c, &k->name);
		if (k->class >= p->n_classes)
			c->err = c->err ? c->err : -EBADMSG;
	}
	if (c->schema >= 2) {
		code_u64(c, &p->rules_digest);
		code_u32(c, &p->tunnel_chunks);
		code_array(c, (void **)&p->tunnels, &p->n_tunnels, sizeof(*p->tunnels), 12);
		for (size_t i = 0; i < p->n_tunnels && !c->err; i++) {
			code_u32(c, &p->tunnels[i].id);
			code_u64(c, &p->tunnels[i].digest);
		}
	}
	if (!c->err && !c->writing && (p->link >= MODEL_LINK_MAX || !p->id || !p->order))
		c->err = -EBADMSG;
}

static void code_tunnels(struct codec *c, struct state *s)
{
	code_array(c, (void **)&s->tunnels, &s->n_tunnels, sizeof(*s->tunnels), 32);
	for (size_t i = 0; i < s->n_tunnels && !c->err; i++) {
		struct state_tunnel *t = &s->tunnels[i];

		code_str(c, &t->name);
		code_u32(c, &t->id);
		code_u32(c, &t->gone);
		code_u32(c, &t->ageing);
		code_str(c, &t->type);
		code_str(c, &t->local);
		code_str(c, &t->remote);
		code_str(c, &t->device);
		if (!c->err && (!t->name || !t->type || !t->local || !t->remote || !t->device || !t->id ||
				t->id > TCCTL_TUNNELS_MAX))
			c->err = -EBADMSG;
	}
}

static void code_devices(struct codec *c, struct state *s)
{
	code_array(c, (void **)&s->devices, &s->n_devices, sizeof(*s->devices), 26);
	for (size_t i = 0; i < s->n_devices && !c->err; i++) {
		code_device(c, s->devices[i].name);
		code_u32(c, &s->devices[i].ifindex);
		code_raw(c, s->devices[i].mac, sizeof(s->devices[i].mac));
	}
}

static void code_state(struct codec *c, struct state *s)
{
	code_text(c, &s->spec, &s->spec_len);
	code_array(c, (void **)&s->pipelines, &s->n_pipelines, sizeof(*s->pipelines), 84);
	for (size_t i = 0; i < s->n_pipelines && !c->err; i++)
		code_pipeline(c, &s->pipelines[i]);
	code_array(c, (void **)&s->hooks, &s->n_hooks, sizeof(*s->hooks), 40);
	for (size_t i = 0; i < s->n_hooks && !c->err; i++) {
		struct state_hook *h = &s->hooks[i];

		code_device(c, h->device);
		code_u32(c, &h->ifindex);
		code_u32(c, &h->dir);
		code_u32(c, &h->pipeline);
		code_u32(c, &h->hook_id);
		code_u32(c, &h->prio);
		code_u32(c, &h->handle);
		if (!c->err && !c->writing && (h->dir >= SPEC_DIR_MAX || !state_pipeline_find(s, h->pipeline)))
			c->err = -EBADMSG;
	}
	code_array(c, (void **)&s->clsacts, &s->n_clsacts, sizeof(*s->clsacts), 20);
	for (size_t i = 0; i < s->n_clsacts && !c->err; i++) {
		code_device(c, s->clsacts[i].device);
		code_u32(c, &s->clsacts[i].ifindex);
	}
	if (!c->writing && !c->err)
		state_clsacts_sort(s);
	if (c->schema >= 2) {
		code_tunnels(c, s);
		code_devices(c, s);
	}
}

struct state_header {
	uint32_t magic, schema;
	uint64_t length; /* of the body, in bytes */
	uint64_t checksum;
};

int state_encode(const struct state *now, const struct state *next, void **ret_blob, size_t *ret_len)
{
	struct codec c = { .writing = true, .schema = STATE_SCHEMA };
	struct state_header h = { .magic = STATE_MAGIC, .schema = STATE_SCHEMA };
	uint32_t has_next = !!next;

	code_raw(&c, &h, sizeof(h));
	/* writing only reads the structures */
	code_state(&c, (struct state *)now);
	code_u32(&c, &has_next);
	if (next)
		code_state(&c, (struct state *)next);
	if (c.err) {
		free(c.buf);
		return c.err;
	}
	h.length = c.len - sizeof(h);
	h.checksum = digest_bytes(DIGEST_INIT, c.buf + sizeof(h), h.length);
	memcpy(c.buf, &h, sizeof(h));
	*ret_blob = c.buf;
	*ret_len = c.len;
	return 0;
}

int state_decode(const void *blob, size_t len, struct state_record *ret, uint32_t *ret_schema)
{
	struct codec c = { .buf = (char *)blob, .len = sizeof(struct state_header) };
	struct state_record r = {};
	struct state_header h;
	uint32_t has_next = 0;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, blob, sizeof(h));
	if (h.magic != STATE_MAGIC)
		return -EBADMSG;
	*ret_schema = h.schema;
	if (!h.schema || h.schema > STATE_SCHEMA)
		return -EPROTONOSUPPORT;
	c.schema = h.schema;
	if (h.length > len - sizeof(h) ||
	    digest_bytes(DIGEST_INIT, (const char *)blob + sizeof(h), h.length) != h.checksum)
		return -EBADMSG;
	c.cap = sizeof(h) + h.length;
	code_state(&c, &r.now);
	code_u32(&c, &has_next);
	r.has_next = has_next;
	if (has_next)
		code_state(&c, &r.next);
	if (!c.err && c.len != c.cap)
		c.err = -EBADMSG;
	if (c.err) {
		state_record_done(&r);
		return c.err;
	}
	*ret = r;
	return 0;
}

/* Copies go through the codec too: one description of the structure, none to forget. Turns what has been written into what is
 * to be read; the caller frees its buffer. */
static struct codec read_back(const struct codec *written)
{
	return (struct codec){ .schema = STATE_SCHEMA, .buf = written->buf, .cap = written->len, .err = written->err };
}

int state_pipeline_copy(const struct state_pipeline *p, struct state_pipeline *ret)
{
	struct codec out = { .writing = true, .schema = STATE_SCHEMA }, in;
	struct state_pipeline copy = {};

	code_pipeline(&out, (struct state_pipeline *)p);
	in = read_back(&out);
	code_pipeline(&in, &copy);
	free(out.buf);
	if (in.err)
		state_pipeline_done(&copy);
	else
		*ret = copy;
	return in.err;
}

int state_copy(const struct state *s, struct state *ret)
{
	struct codec out = { .writing = true, .schema = STATE_SCHEMA }, in;
	struct state copy = {};

	code_state(&out, (struct state *)s);
	in = read_back(&out);
	code_state(&in, &copy);
	free(out.buf);
	if (in.err)
		state_done(&copy);
	else
		*ret = copy;
	return in.err;
}

int state_tunnels_copy(const struct state *from, struct state *to)
{
	struct codec out = { .writing = true, .schema = STATE_SCHEMA }, in;

	code_tunnels(&out, (struct state *)from);
	in = read_back(&out);
	code_tunnels(&in, to);
	free(out.buf);
	if (in.err)
		tunnels_done(to);
	return in.err;
}
