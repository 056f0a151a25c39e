// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every program of the pipeline passes the verifier with CAP_BPF and CAP_NET_ADMIN alone (CAP_SYS_ADMIN before 5.8,
 * which had no CAP_BPF), far below its limit. CAP_PERFMON relaxes the verifier, so it must be absent.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/capability.h>
#include <sys/resource.h>

#include "tcctl/abi.h"
#include "act.skel.h"
#include "alone.skel.h"
#include "pipeline.skel.h"
#include "test.h"

/* The verifier gives up at 1,000,000 instructions; other kernels need more than this one. */
#define INSNS_MAX 100000

static char log_text[1 << 16];

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

/* No pins; `cfg`, which is the first of the constants, as asked for. */
static void constants(struct bpf_map *map, const struct tcctl_cfg *cfg)
{
	size_t len;

	bpf_map__set_pin_path(map, NULL);
	if (cfg && strstr(bpf_map__name(map), ".rodata"))
		memcpy((void *)bpf_map__initial_value(map, &len), cfg, sizeof(*cfg));
}

/* One program at a time: its siblings are switched off, so that its figures are its own. */
static void load_each(struct bpf_object *(*open)(void), const char *which, const struct tcctl_cfg *cfg, long max)
{
	struct bpf_object *obj = open();
	struct bpf_program *prog;
	static char title[64]; /* the case may end after this function */
	char names[64][32];
	size_t n = 0;

	bpf_object__for_each_program(prog, obj)
		snprintf(names[n++], sizeof(names[0]), "%s", bpf_program__name(prog));
	bpf_object__close(obj);
	for (size_t i = 0; i < n; i++) {
		struct bpf_map *map;
		const char *at;
		long insns;
		int err;

		snprintf(title, sizeof(title), "%s%s", names[i], which);
		test_case(title);
		obj = open();
		bpf_object__for_each_map(map, obj)
			constants(map, cfg);
		bpf_object__for_each_program(prog, obj)
			bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), names[i]));
		prog = bpf_object__find_program_by_name(obj, names[i]);
		log_text[0] = 0;
		bpf_program__set_log_buf(prog, log_text, sizeof(log_text));
		bpf_program__set_log_level(prog, 4);
		err = bpf_object__load(obj);
		at = strstr(log_text, "processed ");
		insns = at ? strtol(at + 10, NULL, 10) : -1;
		if (!test_eq(err, 0))
			printf("#   %.400s\n", log_text);
		else if (insns < 0 || insns > max)
			test_fail("%ld instructions verified, expected at most %ld", insns, max);
		printf("# %s: %ld instructions verified\n", names[i], insns);
		bpf_object__close(obj);
	}
}

static struct bpf_object *open_pipeline(void)
{
	size_t size;
	const void *data = pipeline__elf_bytes(&size);

	return bpf_object__open_mem(data, size, NULL);
}

static struct bpf_object *open_alone(void)
{
	size_t size;
	const void *data = alone__elf_bytes(&size);

	return bpf_object__open_mem(data, size, NULL);
}

static struct bpf_object *open_act(void)
{
	size_t size;
	const void *data = act__elf_bytes(&size);

	return bpf_object__open_mem(data, size, NULL);
}

int main(void)
{
	const cap_value_t keep[] = { CAP_BPF, CAP_NET_ADMIN };
	/* every type, and the longer way on kernels that can clear GSO state */
	const struct tcctl_cfg tunnels = { .flags = TCCTL_CFG_CLEAR_GSO, .decap = ~0U, .encap = ~0U };
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	cap_t caps;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* kernels before 5.11 count maps against it */
	libbpf_set_print(silent);
	test_case("only CAP_BPF and CAP_NET_ADMIN are effective");
	caps = cap_init();
	cap_set_flag(caps, CAP_PERMITTED, 2, keep, CAP_SET);
	cap_set_flag(caps, CAP_EFFECTIVE, 2, keep, CAP_SET);
	if (cap_set_proc(caps)) {
		test_skip("CAP_BPF (%s)", strerror(errno));
		cap_free(caps);
		return test_done();
	}
	cap_free(caps);
	load_each(open_pipeline, "", NULL, INSNS_MAX);
	load_each(open_pipeline, " with all tunnels", &tunnels, INSNS_MAX);
	load_each(open_alone, " alone", NULL, INSNS_MAX);
	load_each(open_act, "", NULL, INSNS_MAX);
	return test_done();
}
