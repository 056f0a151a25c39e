/* SPDX-License-Identifier: GPL-2.0-only */
/* One diagnostic, for people and for machines. */
#ifndef TCCTL_TOOL_OUT_DIAG_H
#define TCCTL_TOOL_OUT_DIAG_H

#include <json.h>
#include <stdbool.h>

#include "tcctl.h"

/*
 * To stderr, as compilers do:
 *
 *   FILE:LINE:COL: error: DEVICE: OBJECT: MESSAGE
 *     12 | the line of the file
 *        |     ^
 *     hint: …
 *     long text, its last lines only unless `whole`
 */
void diag_print(const struct tcctl_diag *d, bool whole);
/* Close the file that diag_print() keeps open from one to the next. */
void diag_print_done(void);

struct json_object *diag_json(const struct tcctl_diag *d);

#endif
