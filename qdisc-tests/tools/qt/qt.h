/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of qt. Functions that return int return 0, or -1 with a message in the error buffer. */
#ifndef QT_H
#define QT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/packet.h"
#include "qt/observe.h"

#define QT_ERR 16384

struct strings {
	char **items;
	size_t n;
};

int strings_add(struct strings *s, const char *text);
void strings_done(struct strings *s);

enum qt_mode { QT_PROG, QT_NET, QT_MODE_MAX };
enum qt_hook { QT_INGRESS, QT_EGRESS, QT_HOOK_MAX };

/* What to run a packet through. */
struct qt_setup {
	char *object;  /* a .bpf.o; or … */
	char *config;  /* … a tcctl configuration (net mode) */
	char *program; /* function or section name; NULL: the only one */
	enum qt_mode mode;
	enum qt_hook hook;
	char *device; /* name of the device under test */
	struct strings slots;	/* MAP[INDEX]=PROGRAM */
	struct strings maps;	/* MAP[KEY]=VALUE, both in hex */
	struct strings commands; /* shell commands in the namespace of the device under test */
	bool no_pins;	/* no private bpffs: maps that ask for a pin do without */
	bool whole_log; /* the verifier's whole log, not only its end */
};

/* skb fields that go in. */
struct qt_input {
	uint32_t mark, priority, cb[5];
	bool has_mark, has_priority, has_cb;
};

/* Mode net cannot tell these apart: stolen, queued, trapped, redirected. The packet neither went on nor was dropped. */
#define QT_TAKEN 1000

/* What came out. */
struct qt_outcome {
	int verdict;
	struct packet packet; /* as the program left it */
	bool cut;	      /* only the first OBSERVED_DATA bytes are known */
	size_t len;	      /* its whole length */
	bool has_fields;      /* mark, priority, tstamp: known */
	bool has_all;	      /* tc_index, queue_mapping, vlan: known, too */
	bool has_cb, has_classid;
	uint32_t mark, priority, cb[5];
	uint64_t tstamp;
	uint16_t tc_index, queue_mapping, classid, vlan_tci, vlan_proto;
	bool has_delivered, delivered; /* net mode: it went on to the stack (ingress), out at the wire's end (egress) */
};

struct qt_runner; /* a loaded object or configuration, ready for packets */

int runner_open(const struct qt_setup *setup, struct qt_runner **ret, char *err, size_t err_len);
int runner_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *ret,
		char *err, size_t err_len);
/* Value of a map as hex digits (per-CPU maps: the sum of 64-bit words). Caller frees. */
int runner_map(struct qt_runner *r, const char *map, const char *key_hex, char **ret, char *err, size_t err_len);
void runner_close(struct qt_runner *r);

/* Private network, mounts, /run and bpffs for this process; 0, or -errno where that is not permitted. */
int sandbox_enter(void);

const char *verdict_name(int verdict);
int verdict_parse(const char *text, int *ret);

/* "key=value …" → fields that go in. */
int input_parse(const char *text, struct qt_input *ret, char *err, size_t err_len);

/*
 * Check expectations ("verdict=ok mark=0x10/0xff dscp=EF …") against what came out. Returns 0 when all hold, 1 when
 * one does not (err says which and shows both), -1 when the text is not understood.
 */
int expect_check(const char *text, const struct packet *in, const struct qt_outcome *out, struct qt_runner *r,
		 char *err, size_t err_len);
void expect_help(FILE *f);

#endif
