// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mark stage: DSCP of IPv4 and IPv6 at every offset an IP header can have, with ECN kept and checksums right
 * (also for CHECKSUM_COMPLETE, which the kernel itself checks after the run), and the skb fields.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <unistd.h>

#include "packet.h"
#include "pipe.h"
#include "tcctl/arena.h"
#include "test.h"

#define CLASS_BASE 2
#define CLASSES 200

static struct arena_line lines[CLASS_BASE + CLASSES / ARENA_ROWS];

static struct tcctl_class_row *row(unsigned int id)
{
	return (struct tcctl_class_row *)(lines + CLASS_BASE) + id;
}

/* The skb fields, then DSCP 0..63, then the same if unset. The first TCCTL_HEAD_ROWS classes have rows in `heads`, the others do not. */
enum {
	MARK = 2,
	PRIORITY,
	QUEUE,
	TC_INDEX,
	ALL,
	SET,
	IF_UNSET = SET + 64,
};
_Static_assert(IF_UNSET > TCCTL_HEAD_ROWS && SET < TCCTL_HEAD_ROWS, "classes of both kinds");

static void make_arena(uint32_t stamp)
{
	struct arena_header *h = (struct arena_header *)lines;

	memset(lines, 0, sizeof(lines));
	h->magic = ARENA_MAGIC;
	h->n_lines = sizeof(lines) / sizeof(lines[0]);
	h->stamp = stamp;
	h->class_base = CLASS_BASE;
	h->n_classes = CLASSES;
	for (unsigned int i = 0; i < 64; i++) {
		row(SET + i)->flags = TCCTL_C_DSCP;
		row(IF_UNSET + i)->flags = TCCTL_C_DSCP_IF_UNSET;
		row(SET + i)->dscp = row(IF_UNSET + i)->dscp = (uint8_t)i;
	}
	*row(MARK) = (struct tcctl_class_row){ .flags = TCCTL_C_MARK, .mark = 0x1200, .mark_mask = 0xff00 };
	*row(PRIORITY) = (struct tcctl_class_row){ .flags = TCCTL_C_PRIORITY, .priority = 0x10020 };
	*row(QUEUE) = (struct tcctl_class_row){ .flags = TCCTL_C_QUEUE, .queue = 3 };
	*row(TC_INDEX) = (struct tcctl_class_row){ .flags = TCCTL_C_TC_INDEX, .tc_index = 77 };
	*row(ALL) = (struct tcctl_class_row){
		.flags = TCCTL_C_MARK | TCCTL_C_PRIORITY | TCCTL_C_QUEUE | TCCTL_C_TC_INDEX | TCCTL_C_DSCP,
		.mark = 5, .mark_mask = 0xff, .priority = 6, .queue = 2, .tc_index = 8, .dscp = 46,
	};
}

static int mark_fd;

static void context(struct pipe_run *r, unsigned int class, unsigned int generation, unsigned int l3, bool v6)
{
	memset(r, 0, sizeof(*r));
	r->skb.cb[0] = TCCTL_CB_MAGIC << 24 | generation << 16;
	r->skb.cb[1] = l3;
	r->skb.cb[2] = (v6 ? TCCTL_F_IPV6 : TCCTL_F_IPV4) << 8 | 17;
	r->skb.cb[4] = class;
}

/* IP at offset l3, whatever is in front of it. */
static void make_packet(struct packet *p, unsigned int l3, bool v6, uint8_t tos)
{
	packet_init(p);
	packet_eth(p, l3 == 14 ? (v6 ? 0x86dd : 0x800) : 0x88b5);
	packet_add(p, NULL, l3 - 14);
	if (v6)
		packet_ipv6(p, 17, tos);
	else
		packet_ipv4(p, 17, tos, 0);
	packet_udp(p, 1000, 2000);
	packet_payload(p, 33);
	packet_finish(p);
}

/* Bytes after the run are those of the same packet made with the new TOS. */
static void dscp_case(unsigned int l3, bool v6, uint8_t tos, unsigned int class, uint8_t want_tos, uint32_t flags)
{
	static struct packet in, want;
	static uint8_t out[PACKET_MAX];
	struct pipe_run r;
	int err;

	make_packet(&in, l3, v6, tos);
	make_packet(&want, l3, v6, want_tos);
	context(&r, class, 0, l3, v6);
	r.in = in.data;
	r.in_len = in.len;
	r.out = out;
	r.out_cap = sizeof(out);
	r.flags = flags;
	err = pipe_test(mark_fd, &r);
	if (err || r.verdict != PIPE_PROBED || r.out_len != want.len || memcmp(out, want.data, want.len))
		test_fail("l3 %u v%d tos %02x class %u flags %u: err %d verdict %d, TOS bytes %02x%02x, expected %02x%02x",
			  l3, v6 ? 6 : 4, tos, class, flags, err, r.verdict, out[l3], out[l3 + 1], want.data[l3],
			  want.data[l3 + 1]);
}

static const unsigned int offsets[] = { 14, 18, 22, 26, 30 };

static void dscp_all(uint32_t flags, unsigned int step)
{
	for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++) {
		for (unsigned int v6 = 0; v6 < 2; v6++) {
			for (unsigned int tos = 0; tos < 256; tos += step) {
				unsigned int dscp = (tos * 7 + 46) % 64;
				uint8_t set = (uint8_t)(dscp << 2 | (tos & 3));

				dscp_case(offsets[o], v6, (uint8_t)tos, SET + dscp, set, flags);
				dscp_case(offsets[o], v6, (uint8_t)tos, IF_UNSET + dscp,
					  tos >> 2 ? (uint8_t)tos : set, flags);
			}
		}
	}
}

/* A program that returns one word of its context: what a tag wrote, seen by the next program. */
static int reader_load(int offset)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 0, .src_reg = 1, .off = (int16_t)offset },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "reader", "GPL", insns, 2, NULL);
}

/* Swaps two bytes of the IPv6 source address without telling skb->csum; the kernel must notice. */
static int spoiler_load(void)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_B, .dst_reg = 10, .off = -8, .imm = 0x99 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 22 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 3, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 3, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 5, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_skb_store_bytes },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "spoiler", "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);
}

static void checksum_complete(void)
{
	static struct packet p;
	int spoiler = spoiler_load(), err;
	struct pipe_run r;

	make_packet(&p, 14, true, 0);
	context(&r, 0, 0, 14, true);
	r.in = p.data;
	r.in_len = p.len;
	r.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE;
	err = pipe_test(mark_fd, &r);
	if (err == -EINVAL) {
		test_skip("this kernel has no BPF_F_TEST_SKB_CHECKSUM_COMPLETE");
		close(spoiler);
		return;
	}
	context(&r, 0, 0, 14, true);
	r.in = p.data;
	r.in_len = p.len;
	r.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE;
	test_eq(pipe_test(spoiler, &r), -EBADMSG); /* the check can fail */
	close(spoiler);
	dscp_all(BPF_F_TEST_SKB_CHECKSUM_COMPLETE, 5);
}

/* Runs class `class` on a packet with mark 0x34 (under the mask's other bits) and reads a field afterwards. */
static int field_after(const struct pipe *p, unsigned int class, unsigned int generation, int offset)
{
	static struct packet in;
	int reader = reader_load(offset), err;
	struct pipe_run r;

	make_packet(&in, 14, false, 0);
	context(&r, class, generation, 14, false);
	r.skb.mark = 0xab0034;
	r.skb.priority = 9;
	r.in = in.data;
	r.in_len = in.len;
	pipe_graft(p, "jt_stage", TCCTL_STAGE_MARK + 1, reader);
	err = pipe_test(mark_fd, &r);
	pipe_graft(p, "jt_stage", TCCTL_STAGE_MARK + 1, p->probe);
	close(reader);
	return err ? err : r.verdict;
}

#define FIELD(name) ((int)offsetof(struct __sk_buff, name))

static void fields(const struct pipe *p)
{
	test_case("mark under its mask");
	test_eq(field_after(p, MARK, 0, FIELD(mark)), 0xab1234);
	test_case("priority");
	test_eq(field_after(p, PRIORITY, 0, FIELD(priority)), 0x10020);
	test_case("queue");
	test_eq(field_after(p, QUEUE, 0, FIELD(queue_mapping)), 3);
	test_case("tc_index");
	test_eq(field_after(p, TC_INDEX, 0, FIELD(tc_index)), 77);
	test_case("all at once");
	test_eq(field_after(p, ALL, 0, FIELD(mark)), 0xab0005);
	test_eq(field_after(p, ALL, 0, FIELD(priority)), 6);
	test_eq(field_after(p, ALL, 0, FIELD(queue_mapping)), 2);
	test_eq(field_after(p, ALL, 0, FIELD(tc_index)), 8);
	dscp_case(14, true, 1, ALL, 46 << 2 | 1, 0);
}

int main(void)
{
	struct tcctl_cfg observe = { .flags = TCCTL_CFG_OBSERVE };
	const struct tcctl_head none = {};
	const uint32_t half = 0;
	struct pipe p;

	test_case("pipeline loads");
	if (!test_eq(pipe_open(&p, NULL, PIPE_MARK, "entry_eth"), 0))
		return test_done();
	mark_fd = pipe_prog(&p, "mark");

	test_case("no arena: nothing is written");
	test_eq(field_after(&p, MARK, 0, FIELD(mark)), 0xab0034);
	make_arena(1);
	test_eq(pipe_set_arena(&p, 0, lines, sizeof(lines) / sizeof(lines[0])), 0);

	test_case("DSCP at every offset, ECN kept, IPv4 checksum right");
	dscp_all(0, 1);

	test_case("DSCP of a CHECKSUM_COMPLETE packet");
	checksum_complete();

	fields(&p);
	test_case("without a head: the arena is asked");
	test_eq(bpf_map_update_elem(pipe_map(&p, "heads"), &half, &none, BPF_ANY), 0);
	fields(&p);
	dscp_all(0, 7);
	test_eq(pipe_set_arena(&p, 0, lines, sizeof(lines) / sizeof(lines[0])), 0);

	test_case("keep and unknown classes change nothing");
	test_eq(field_after(&p, TCCTL_CLASS_KEEP, 0, FIELD(mark)), 0xab0034);
	test_eq(field_after(&p, CLASSES, 0, FIELD(mark)), 0xab0034);
	test_eq(field_after(&p, 0xffff, 0, FIELD(mark)), 0xab0034);

	test_case("the generation in the context picks the arena");
	row(MARK)->mark = 0x5600;
	test_eq(field_after(&p, MARK, 1, FIELD(mark)), 0xab0034); /* half 1 is empty */
	test_eq(pipe_set_arena(&p, 1, lines, sizeof(lines) / sizeof(lines[0])), 0);
	test_eq(field_after(&p, MARK, 1, FIELD(mark)), 0xab5634);
	test_eq(field_after(&p, MARK, 0, FIELD(mark)), 0xab1234);

	test_case("an arena of another layout is not read");
	lines[0].w[0]++;
	test_eq(pipe_set_arena(&p, 1, lines, sizeof(lines) / sizeof(lines[0])), 0);
	test_eq(field_after(&p, MARK, 1, FIELD(mark)), 0xab0034);

	test_case("packets cut off inside the IP header are counted and passed on");
	{
		static struct packet in;
		struct pipe_run r;

		pipe_counters_zero(&p);
		make_packet(&in, 26, false, 0);
		context(&r, SET + 46, 0, 26, false);
		r.in = in.data;
		r.in_len = 28;
		test_eq(pipe_test(mark_fd, &r), 0);
		test_eq(r.verdict, PIPE_PROBED);
		test_eq(pipe_counter(&p, TCCTL_CNT_REASON + TCCTL_R_TAG_FAILED).packets, 1);
	}
	pipe_close(&p);

	test_case("observe mode changes nothing");
	make_arena(2);
	if (test_eq(pipe_open(&p, &observe, PIPE_MARK, "entry_eth"), 0)) {
		mark_fd = pipe_prog(&p, "mark");
		test_eq(pipe_set_arena(&p, 0, lines, sizeof(lines) / sizeof(lines[0])), 0);
		test_eq(field_after(&p, MARK, 0, FIELD(mark)), 0xab0034);
		dscp_case(14, false, 0, ALL, 0, 0);
		pipe_close(&p);
	}
	return test_done();
}
