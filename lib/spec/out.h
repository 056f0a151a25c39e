/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* YAML text piece by piece: what emit*.c write with. */
#ifndef TCCTL_LIB_SPEC_OUT_H
#define TCCTL_LIB_SPEC_OUT_H

#include "spec/impl.h"

struct out {
	char *text;
	size_t n, cap;
	bool oom;
	bool first; /* nothing was written into the innermost { or [ yet */
};

void out_bytes(struct out *o, const char *text, size_t n);
void out_text(struct out *o, const char *text);
/* Short texts only: at most 159 bytes. */
void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void out_quoted(struct out *o, const char *text);
/* Without quotes where no reader could take it for something else. */
void out_name(struct out *o, const char *text);

/* { key: value, … } */
void out_map_begin(struct out *o);
void out_key(struct out *o, const char *key);
void out_map_end(struct out *o);

/* [a, b]; a list of one is written as the value alone. */
void out_list_begin(struct out *o, size_t n);
void out_list_comma(struct out *o, size_t i);
void out_list_end(struct out *o, size_t n);

/* By its first name in `words` (may be NULL), or in decimal. */
void out_number(struct out *o, uint32_t value, const struct spec_words *words);
void out_prefix(struct out *o, const struct spec_prefix *p);
void out_mac(struct out *o, const uint8_t m[6]);

void spec_emit_tunnels(struct out *o, const struct spec *s);
/* `decap` and `encap` of a direction. */
void spec_emit_hook_tunnels(struct out *o, const struct spec *s, const struct spec_hook *h);

#endif
