/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of qt's runner share. Functions that return int return 0, or -1 with a message in the error buffer. */
#ifndef QT_RUNNER_H
#define QT_RUNNER_H

#include <bpf/libbpf.h>

#include "qt/qt.h"

struct qt_observe; /* skeleton of observe.bpf.c */

#define LOG_TAIL_LINES 20

struct qt_runner {
	const struct qt_setup *setup;
	struct bpf_object *obj;
	char *log; /* verifier's */
	int prog_fd;
	struct qt_observe *observer; /* NULL: none, observer_why says why */
	char observer_why[4100];
	uint64_t seen[OBSERVE_MAX];
	/* net */
	int send_fd, wire_fd; /* wire_fd: the other end, on egress */
	int ifindex;
};

/* Writes the message. -1. */
int runner_fail(char *err, size_t err_len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* --- object.c: the object under test ------------------------------------------------------------------------ */

/* What libbpf says from now on is kept, to be shown with an error. */
void libbpf_listen(void);
const char *libbpf_heard(void);
int object_open(struct qt_runner *r, struct bpf_program **ret, char *err, size_t err_len);
int object_load(struct qt_runner *r, char *err, size_t err_len);
/* Slots and maps, of a loaded object. */
int object_fill(struct qt_runner *r, char *err, size_t err_len);
/* The last lines of a text, without those at the end that only count instructions. */
const char *log_tail(char *text, unsigned int lines);

/* --- observers.c: our programs around it ---------------------------------------------------------------------- */

/* Load the observers of one mode. Returns 0, or -1 with observer_why. */
int observers_open(struct qt_runner *r);
/* What was seen at a place since the last call; NULL: nothing. Valid until the next call. */
const struct observed *observer_read(struct qt_runner *r, enum observe_place place);
void outcome_fields(struct qt_outcome *o, const struct observed *v);

/* --- the modes -------------------------------------------------------------------------------------------------- */

int prog_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o, char *err,
	      size_t err_len);
/* `p`: the program, or NULL with a configuration. */
int net_open(struct qt_runner *r, struct bpf_program *p, char *err, size_t err_len);
int net_send(struct qt_runner *r, const struct packet *p, const struct qt_input *in, struct qt_outcome *o, char *err,
	     size_t err_len);

#endif
