// SPDX-License-Identifier: GPL-2.0-only
/* The stored state: written and read back equal; damage, truncation and newer versions are noticed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "test.h"

static struct state sample(void)
{
	struct state s = { .spec = strdup("tcctl: 1\n"), .spec_len = 9 };
	struct state_pipeline *p;

	s.pipelines = calloc(1, sizeof(*s.pipelines));
	s.n_pipelines = 1;
	p = &s.pipelines[0];
	p->id = 3;
	p->ruleset = strdup("wan");
	p->order = strdup("classify(wan: 2 rules) → mark → end");
	p->code_digest = 1;
	p->data_digest = 2;
	p->elf_digest = 3;
	p->abi_digest = 4;
	p->generation = 5;
	p->odd = 1;
	p->root_id = 6;
	p->entry_id = 7;
	p->hook_chunks = 1;
	p->rule_chunks = 2;
	p->slots = calloc(1, sizeof(*p->slots));
	p->n_slots = 1;
	p->slots[0] = (struct state_slot){ STATE_JT_UDP, 2, 99, 2152, strdup("gtpu") };
	p->classes = calloc(2, sizeof(*p->classes));
	p->n_classes = 2;
	p->classes[0].name = strdup("keep");
	p->classes[1].name = strdup("voice");
	p->classes[1].retired = (struct tcctl_counter){ 10, 20, 30 };
	p->counters = calloc(2, sizeof(*p->counters));
	p->n_counters = 2;
	p->counters[0] = (struct state_counter){ 11, 17408, 0, 1, strdup("calls") };
	p->counters[1] = (struct state_counter){ 12, 17409, STATE_GONE, 0, NULL };
	s.hooks = calloc(2, sizeof(*s.hooks));
	s.n_hooks = 2;
	s.hooks[0] = (struct state_hook){ "eth0", 2, SPEC_INGRESS, 3, 4, 31744, 1 };
	s.hooks[1] = (struct state_hook){ "eth0.100", 3, SPEC_EGRESS, 3, 11, 31744, 1 };
	s.clsacts = calloc(1, sizeof(*s.clsacts));
	s.n_clsacts = 1;
	s.clsacts[0] = (struct state_clsact){ "eth0", 2 };
	p->rules_digest = 9;
	p->tunnel_chunks = 1;
	p->tunnels = calloc(1, sizeof(*p->tunnels));
	p->n_tunnels = 1;
	p->tunnels[0] = (struct state_pipeline_tunnel){ 5, 77 };
	s.tunnels = calloc(2, sizeof(*s.tunnels));
	s.n_tunnels = 2;
	s.tunnels[0] = (struct state_tunnel){ strdup("old"), 4, 1, 300, strdup("gre"), strdup("192.0.2.1"), strdup("any"), strdup("") };
	s.tunnels[1] = (struct state_tunnel){ strdup("site-b"), 5, 0, 300, strdup("vxlan"), strdup("192.0.2.1"), strdup("192.0.2.2"),
					      strdup("vx0") };
	s.devices = calloc(1, sizeof(*s.devices));
	s.n_devices = 1;
	s.devices[0] = (struct state_device){ "vx0", 12, { 2, 1, 1, 1, 1, 1 } };
	return s;
}

/* sample() as schema 1 had it: without tunnels and devices. Written by the last version with that schema. */
static const char schema_1[] =
	"74736374010000008d0100000000000024f22edd9b5997a40a000000746363746c3a20310a0100000003000000000000"
	"000400000077616e28000000636c6173736966792877616e3a20322072756c65732920e28692206d61726b20e2869220"
	"656e64010000000000000002000000000000000300000000000000040000000000000005000000010000000600000007"
	"00000001000000020000000100000002000000020000006300000068080000050000006774707502000000050000006b"
	"65657000000000000000000000000000000000000000000000000006000000766f6963650a0000000000000014000000"
	"000000001e00000000000000020000000b000000000000000044000000000000010000000600000063616c6c730c0000"
	"000000000001440000ffffffff0000000000000000020000006574683000000000000000000000000002000000000000"
	"000300000004000000007c000001000000657468302e31303000000000000000000300000001000000030000000b0000"
	"00007c00000100000001000000657468300000000000000000000000000200000000000000";

static unsigned char *from_hex(const char *hex, size_t *ret_len)
{
	unsigned char *bytes;

	*ret_len = strlen(hex) / 2;
	bytes = malloc(*ret_len);
	for (size_t i = 0; i < *ret_len; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	return bytes;
}

/* What schema 1 did not have. */
static void forget_tunnels(struct state *s)
{
	struct state_pipeline *p = &s->pipelines[0];

	for (size_t i = 0; i < s->n_tunnels; i++) {
		free(s->tunnels[i].name);
		free(s->tunnels[i].type);
		free(s->tunnels[i].local);
		free(s->tunnels[i].remote);
		free(s->tunnels[i].device);
	}
	p->rules_digest = 0;
	p->tunnel_chunks = 0;
	p->n_tunnels = s->n_tunnels = s->n_devices = 0;
}

/* Encoding is a complete and canonical description, so equal blobs mean equal states. */
static bool equal(const struct state *a, const struct state *b)
{
	void *x, *y;
	size_t nx, ny;
	bool same;

	test_eq(state_encode(a, NULL, &x, &nx), 0);
	test_eq(state_encode(b, NULL, &y, &ny), 0);
	same = nx == ny && !memcmp(x, y, nx);
	free(x);
	free(y);
	return same;
}

int main(void)
{
	struct state s = sample(), next = sample(), copy = {};
	struct state_record r = {};
	uint32_t schema;
	unsigned char *blob;
	size_t len, accepted = 0;

	test_case("round trip");
	test_eq(state_encode(&s, NULL, (void **)&blob, &len), 0);
	test_eq(state_decode(blob, len, &r, &schema), 0);
	test_ok(!r.has_next);
	test_ok(equal(&s, &r.now));
	test_streq(r.now.pipelines[0].counters[0].name, "calls");
	test_ok(!r.now.pipelines[0].counters[1].name);
	test_eq(r.now.pipelines[0].classes[1].retired.bytes, 30);
	test_streq(r.now.hooks[1].device, "eth0.100");
	test_eq(state_tunnel_find(&r.now, "site-b")->id, 5);
	test_ok(!state_tunnel_find(&r.now, "site-c"));
	test_eq(r.now.pipelines[0].tunnels[0].digest, 77);
	test_streq(state_device_find(&r.now, 12, s.devices[0].mac)->name, "vx0");
	test_ok(!state_device_find(&r.now, 12, (const uint8_t[6]){ 2, 1, 1, 1, 1, 2 }));
	state_record_done(&r);

	test_case("padding behind the blob does not matter");
	blob = realloc(blob, len + 4096);
	memset(blob + len, 0xaa, 4096);
	test_eq(state_decode(blob, len + 4096, &r, &schema), 0);
	state_record_done(&r);

	test_case("every cut is noticed");
	for (size_t n = 0; n < len; n++)
		accepted += !state_decode(blob, n, &r, &schema);
	test_eq(accepted, 0);

	test_case("every changed byte is noticed");
	for (size_t n = 0; n < len; n++) {
		blob[n] ^= 0x40;
		accepted += !state_decode(blob, len, &r, &schema);
		blob[n] ^= 0x40;
	}
	test_eq(accepted, 0);

	test_case("a newer schema is told apart from damage");
	blob[4] = STATE_SCHEMA + 1;
	test_eq(state_decode(blob, len, &r, &schema), -EPROTONOSUPPORT);
	test_eq(schema, STATE_SCHEMA + 1);
	free(blob);

	test_case("a state with an intent");
	free(next.pipelines[0].ruleset);
	next.pipelines[0].ruleset = NULL;
	next.n_hooks = 1;
	test_eq(state_encode(&s, &next, (void **)&blob, &len), 0);
	test_eq(state_decode(blob, len, &r, &schema), 0);
	test_ok(r.has_next);
	test_ok(equal(&s, &r.now));
	test_ok(equal(&next, &r.next));
	test_ok(!equal(&r.now, &r.next));
	test_ok(!r.next.pipelines[0].ruleset);
	state_record_done(&r);
	free(blob);

	test_case("an empty state");
	test_eq(state_encode(&(struct state){}, NULL, (void **)&blob, &len), 0);
	test_eq(state_decode(blob, len, &r, &schema), 0);
	test_ok(!r.now.spec && !r.now.n_pipelines && !r.now.n_hooks);
	state_record_done(&r);
	free(blob);

	test_case("copies are deep");
	test_eq(state_copy(&s, &copy), 0);
	test_ok(equal(&s, &copy));
	test_ok(copy.pipelines[0].order != s.pipelines[0].order);

	test_case("a hook without its pipeline is damage");
	copy.hooks[0].pipeline = 4;
	test_eq(state_encode(&copy, NULL, (void **)&blob, &len), 0);
	test_eq(state_decode(blob, len, &r, &schema), -EBADMSG);
	free(blob);

	test_case("a state of schema 1 is read");
	blob = from_hex(schema_1, &len);
	test_eq(state_decode(blob, len, &r, &schema), 0);
	test_eq(schema, 1);
	forget_tunnels(&s);
	test_ok(equal(&s, &r.now));
	test_ok(!r.has_next && !r.now.n_tunnels && !r.now.n_devices && !r.now.pipelines[0].n_tunnels);
	state_record_done(&r);
	accepted = 0;
	for (size_t n = 0; n < len; n++)
		accepted += !state_decode(blob, n, &r, &schema);
	test_eq(accepted, 0);
	free(blob);

	state_done(&copy);
	state_done(&s);
	state_done(&next);
	return test_done();
}
