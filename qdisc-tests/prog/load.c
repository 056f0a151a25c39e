// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every program of the pipeline passes the verifier with CAP_BPF and CAP_NET_ADMIN alone (CAP_SYS_ADMIN before 5.8,
 * which had no CAP_BPF), far below its limit. CAP_PERFMON relaxes the verifier, so it must be absent; only where the
 * kernel lets no program at all look at packets without it, as 5.10 does, it is there, and that is said.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

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
	static char titles[2][64], *title = titles[0]; /* a case ends when the next one begins */
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

		title = title == titles[0] ? titles[1] : titles[0];
		snprintf(title, sizeof(titles[0]), "%s%s", names[i], which);
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

/* May a program compare packet pointers, as all must that read packets directly? 0 or a negative errno. */
static int reads_packets(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, data) },
		{ .code = BPF_LDX | BPF_MEM | BPF_W,
		  .dst_reg = BPF_REG_3,
		  .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, data_end) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_JGT | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_3, .off = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "compare", "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static bool kernel_before(unsigned int major, unsigned int minor)
{
	unsigned int have[2] = { 0 };
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &have[0], &have[1]) != 2)
		return false;
	return have[0] < major || (have[0] == major && have[1] < minor);
}

/* Only the first `n` of the capabilities below are effective, those up to `permitted` can become so. */
static int capabilities(int permitted, int n)
{
	const cap_value_t keep[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	cap_t caps = cap_init();
	int err;

	cap_set_flag(caps, CAP_PERMITTED, permitted, keep, CAP_SET);
	cap_set_flag(caps, CAP_EFFECTIVE, n, keep, CAP_SET);
	err = cap_set_proc(caps) ? -errno : 0;
	cap_free(caps);
	return err;
}

int main(void)
{
	/* every type, and the longer way on kernels that can clear GSO state */
	const struct tcctl_cfg tunnels = { .flags = TCCTL_CFG_CLEAR_GSO, .decap = ~0U, .encap = ~0U };
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* kernels before 5.11 count maps against it */
	libbpf_set_print(silent);
	test_case("only CAP_BPF and CAP_NET_ADMIN are effective");
	err = capabilities(3, 2);
	if (err) {
		test_skip("CAP_BPF (%s)", strerror(-err));
		return test_done();
	}
	err = reads_packets();
	if (err == -EACCES && kernel_before(6, 1)) {
		test_skip("packet access without CAP_PERFMON in this kernel: it is there from here on");
		test_eq(capabilities(3, 3), 0);
	} else {
		test_eq(err, 0);
		test_eq(capabilities(2, 2), 0);
	}
	load_each(open_pipeline, "", NULL, INSNS_MAX);
	load_each(open_pipeline, " with all tunnels", &tunnels, INSNS_MAX);
	load_each(open_alone, " alone", NULL, INSNS_MAX);
	load_each(open_act, "", NULL, INSNS_MAX);
	return test_done();
}
