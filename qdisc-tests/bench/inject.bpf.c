// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The packet source of the end-to-end measurement. Run with BPF_F_TEST_XDP_LIVE_FRAMES, every run makes one real
 * frame: this program writes the next prepared header into it and sends it out of a veth, whose peer
 * receives it as if from a wire.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define HEADER 64 /* bytes after the Ethernet header that change */
#define ETH_HLEN 14

struct header {
	__u64 w[HEADER / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* a power of two, set by the loader */
	__type(key, __u32);
	__type(value, struct header);
} headers SEC(".maps");

const volatile __u32 mask; /* number of headers - 1 */
/* Written by inject.c before a run, which reads the time stamps afterwards. A call of the kernel's test run costs
 * 20 ms before and after its frames, so time is taken here, at the first frame and then every `every` frames. */
#define STAMPS 32
struct {
	__u32 device; /* ifindex of the veth to send from */
	__u32 next;   /* frame number */
	__u32 every;  /* frames from stamp to stamp; a multiple of 64, the kernel's batch */
	__u32 left;   /* frames to the next stamp; 1 at first */
	__u32 n_stamps, pad;
	__u64 stamps[STAMPS];
} state;

SEC("xdp")
int inject(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 i = state.next++ & mask;
	const struct header *h = bpf_map_lookup_elem(&headers, &i);
	__u64 *to = data + ETH_HLEN;

	if (--state.left == 0) {
		__u32 k = state.n_stamps++;

		state.left = state.every;
		if (k < STAMPS)
			state.stamps[k] = bpf_ktime_get_ns();
	}
	if (!h || data + ETH_HLEN + HEADER > end)
		return XDP_ABORTED;
	for (int k = 0; k < HEADER / 8; k++)
		to[k] = h->w[k];
	return bpf_redirect(state.device, 0);
}

/* On the receiving end: makes the veth take redirected frames. */
SEC("xdp")
int accept(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
