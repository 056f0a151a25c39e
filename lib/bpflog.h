/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What libbpf has to say goes into a buffer of the calling thread instead of to stderr. libbpf's print callback is
 * one per process: while any thread captures, ours is installed and hands the messages of all other threads on
 * to the one that was there before; after the last capture that one is back.
 */
#ifndef TCCTL_LIB_BPFLOG_H
#define TCCTL_LIB_BPFLOG_H

#include <stddef.h>

struct bpflog {
	char *text; /* NULL: nothing said */
	size_t len;
	struct bpflog *outer;
};

void bpflog_begin(struct bpflog *log);
void bpflog_end(struct bpflog *log); /* the text stays until bpflog_done() */
void bpflog_done(struct bpflog *log);

/* The end of the verifier's log in what was captured, else the end of all of it: at most `lines` lines, malloc()ed;
 * NULL if there is nothing. */
char *bpflog_tail(const struct bpflog *log, unsigned int lines);

#endif
