// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: any bytes as a configuration. What is accepted must survive being written out: the text
 * is accepted again, means the same, and is written the same way a second time.
 *
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
 *           -Ilib -Ibpf-progs/include qdisc-tests/fuzz/spec.c lib/spec*.c lib/yaml.c lib/names.c lib/diag.c \
 *           -lyaml -o fuzz-spec
 *   ./fuzz-spec -dict=qdisc-tests/fuzz/spec.dict CORPUS qdisc-tests/unit/config examples
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void die(const char *what, const char *text, const struct tcctl_diags *diags)
{
	fprintf(stderr, "%s\n%s\n", what, text ? text : "");
	for (size_t i = 0; i < diags->n; i++)
		fprintf(stderr, "%s\n", diag_format(&diags->items[i]));
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spec_options options = { .base = "/nonexistent" };
	struct tcctl_diags *diags = diags_new();
	struct spec *spec = NULL, *again = NULL;
	char *text = NULL, *text2 = NULL;
	size_t len, len2;
	int r = spec_parse((const char *)data, size, "fuzz.yaml", &options, diags, &spec);

	if (r && !diags->n_errors)
		die("refused without an error", NULL, diags);
	if (!r && diags->n_errors)
		die("accepted with an error", NULL, diags);
	for (size_t i = 0; i < diags->n; i++)
		free(diag_format(&diags->items[i]));
	if (!r) {
		spec_check(spec, diags);
		if (spec_emit(spec, &text, &len))
			die("cannot be written", NULL, diags);
		if (spec_parse(text, len, "emitted.yaml", NULL, diags, &again))
			die("what was written is refused", text, diags);
		if (!spec_equal(spec, again))
			die("what was written means something else", text, diags);
		if (spec_emit(again, &text2, &len2) || len != len2 || memcmp(text, text2, len))
			die("what was written is written differently", text, diags);
	}
	free(text);
	free(text2);
	spec_free(spec);
	spec_free(again);
	diags_free(diags);
	return 0;
}
