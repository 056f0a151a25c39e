/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of the encap stage: a frame for all of a tunnel's remotes (ingress replication). It comes with the outer header for
 * the first of them. A copy is addressed and sent to each of the others; the packet itself goes on, and is sent at
 * the end like any other: it alone is shaped.
 *
 * A copy cannot make the kernel look for its next hop's address, but the packet itself can. So the first remote whose
 * next hop is not known becomes that of the packet itself; copies for others of that kind pass this hook a second
 * time, see tcctl/again.h. So do all copies where the device does not forward: there the kernel tells no next hops at all.
 *
 * Some remotes a run, then the program jumps to itself: this many fit into one that is unrolled.
 */
#include "tcctl/again.h"
#include "tcctl/route.h"

#define L3 TCCTL_DATA_OFFSET
#define REMOTES_A_RUN 8
#define UNSENT 256 /* beyond BPF_FIB_LKUP_RET_*: the kernel, or a full queue, refused a copy */

static __always_inline __u32 add16(__u32 check, __u64 difference)
{
	return ~tcctl_fold((~check & 0xffff) + difference) & 0xffff;
}

/*
 * Change the outer header's destination, and the VNI or key when the remote has one of its own (0: back to the tunnel's).
 * Checksums change by the difference.
 */
static __always_inline bool readdress(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row,
				      const struct tcctl_remote *remote)
{
	__u32 *old = (__u32 *)s->chunk, *new = (__u32 *)(s->chunk + 16), *l4 = (__u32 *)(s->chunk + 32), id, i;
	__u32 v6 = row->family == 6, l4_at = L3 + row->l4_at, udp = row->adjust & BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	__u32 *check = (__u32 *)(s->chunk + 48);
	__u64 difference, of_id;

	for (i = 0; i < 4; i++)
		new[i] = ((const __u32 *)remote->addr)[i];
	for (i = 1; i < 4; i++)
		old[i] = 0;
	if (bpf_skb_load_bytes(skb, l4_at, l4, 16))
		return false;
	if (v6) {
		if (bpf_skb_load_bytes(skb, L3 + 24, old, 16) ||
		    bpf_skb_store_bytes(skb, L3 + 24, new, 16, BPF_F_RECOMPUTE_CSUM))
			return false;
		difference = (__u32)bpf_csum_diff(old, 16, new, 16, 0);
	} else {
		if (bpf_skb_load_bytes(skb, L3 + 16, old, 4) || bpf_skb_load_bytes(skb, L3 + 8, check, 4))
			return false;
		difference = (__u32)bpf_csum_diff(old, 4, new, 4, 0);
		*check = (*check & bpf_htonl(0xffff0000)) |
			 bpf_htonl(bpf_ntohs(add16(bpf_htons(bpf_ntohl(*check) & 0xffff), difference)));
		if (bpf_skb_store_bytes(skb, L3 + 8, check, 4, BPF_F_RECOMPUTE_CSUM) ||
		    bpf_skb_store_bytes(skb, L3 + 16, new, 4, BPF_F_RECOMPUTE_CSUM))
			return false;
	}
	difference = tcctl_forget(skb, tcctl_fold(difference));

	/* l4[]: UDP ports, length and checksum, VXLAN or GENEVE; or GRE flags, [checksum], [key] */
	id = remote->id ? remote->id : row->id_out;
	of_id = 0;
	if (udp) {
		old[0] = l4[3];
		l4[3] = bpf_htonl(id << 8);
		of_id = (__u32)bpf_csum_diff(old, 4, &l4[3], 4, 0);
		i = bpf_ntohl(l4[1]);
		if (i & 0xffff)
			l4[1] = bpf_htonl((i & 0xffff0000) |
					  bpf_ntohs(add16(bpf_htons(i & 0xffff), of_id + difference)));
	} else if (row->flags & TCCTL_TF_CSUM) {
		if (l4[0] & bpf_htonl(0x20000000)) {
			old[0] = l4[2];
			l4[2] = bpf_htonl(id);
			of_id = (__u32)bpf_csum_diff(old, 4, &l4[2], 4, 0);
		}
		i = bpf_ntohl(l4[1]);
		l4[1] = bpf_htonl((i & 0xffff) | bpf_ntohs(add16(bpf_htons(i >> 16), of_id)) << 16);
	} else if (l4[0] & bpf_htonl(0x20000000)) {
		l4[1] = bpf_htonl(id);
	}
	return !bpf_skb_store_bytes(skb, l4_at, l4, 16, BPF_F_RECOMPUTE_CSUM);
}

/* Send a copy to where the outer header says. Returns a BPF_FIB_LKUP_RET_*, UNSENT, or negative: no route. */
static __always_inline long copy(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	__u16 *mac = (__u16 *)s->chunk;
	long ret = tcctl_next_hop(skb, s, row);

	if (ret)
		return ret;
	if (row->underlay && s->fib.ifindex != row->underlay)
		return BPF_FIB_LKUP_RET_UNREACHABLE;
	for (int i = 0; i < 3; i++) {
		mac[i] = ((__u16 *)s->fib.dmac)[i];
		mac[3 + i] = ((__u16 *)s->fib.smac)[i];
	}
	if (bpf_skb_store_bytes(skb, 0, mac, 12, 0) || tcctl_clone_redirect(skb, s->fib.ifindex, 0))
		return UNSENT;
	return BPF_FIB_LKUP_RET_SUCCESS;
}

/* The tunnel's counter for what copy() returned. */
static __always_inline __u32 counter_of(long ret)
{
	if (!ret)
		return TCCTL_TUN_TX_FLOODED;
	if (ret == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return TCCTL_TUN_TX_MTU;
	return ret == UNSENT ? TCCTL_TUN_TX_FAILED : TCCTL_TUN_TX_ROUTE;
}

static __always_inline const struct tcctl_remote *remote_at(void *table, const struct tcctl_tunnel *row, __u32 i)
{
	__u64 key = TCCTL_KEY(row->flood_first + i);

	return bpf_map_lookup_elem(table, &key);
}

static __always_inline int replicate(struct __sk_buff *skb, struct tcctl_encap *s, const struct tcctl_tunnel *row)
{
	const struct tcctl_remote *remote;
	void *table = tcctl_half(skb, remotes);
	__u32 id = s->id, wire = s->wire, at = s->flood_next, own = s->flood_own;
	long ret;

	if (!table)
		return -1;
#pragma clang loop unroll(full)
	for (int i = 0; i < REMOTES_A_RUN; i++) {
		asm volatile("" : "+r"(skb)); /* or the address of a field is kept, which the verifier refuses */
		at = tcctl_forget(skb, at);
		own = tcctl_forget(skb, own);
		if (at >= row->flood_n)
			break;
		remote = remote_at(table, row, at);
		if (!remote)
			break;
		if (at + 1 == row->flood_n && own == TCCTL_FLOOD_NOBODY) {
			own = at++;
			break;
		}
		if (!readdress(skb, s, row, remote))
			return -1;
		s->wire = wire;
		ret = copy(skb, s, row);
		if (ret == BPF_FIB_LKUP_RET_NO_NEIGH && own == TCCTL_FLOOD_NOBODY) {
			own = at++;
			continue;
		}
		if (ret == BPF_FIB_LKUP_RET_NO_NEIGH || ret == BPF_FIB_LKUP_RET_FWD_DISABLED)
			ret = tcctl_again_send(skb, s) ? UNSENT : BPF_FIB_LKUP_RET_SUCCESS;
		else if (ret == BPF_FIB_LKUP_RET_FRAG_NEEDED)
			tcctl_path_learn(skb, s, row);
		tcctl_count_id(skb, row->counters + counter_of(ret));
		at++;
	}
	/* what was sent may have come by here, and left its own in the state */
	s->id = id;
	s->wire = wire;
	s->flood_next = at;
	s->flood_own = own;
	if (at < row->flood_n && at < TCCTL_FLOOD_MAX) {
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_FLOOD);
		return -1;
	}
	remote = remote_at(table, row, own == TCCTL_FLOOD_NOBODY ? 0 : own);
	return remote && readdress(skb, s, row, remote) ? 0 : -1;
}

SEC("tc")
int flood(struct __sk_buff *skb)
{
	const struct tcctl_tunnel *row;
	struct tcctl_encap *s;

	tcctl_stage_begin_of(skb, TCCTL_STAGE_FLOOD);
	s = tcctl_encap_state();
	if (s && skb->mark == TCCTL_AGAIN && !(tcctl_tunnel(skb) & TCCTL_TUNNEL_OUT)) {
		if (!tcctl_again_take(skb, s))
			return tcctl_handled(skb);
		tcctl_jump(skb, jt_stage, TCCTL_STAGE_END);
		return tcctl_pass(skb);
	}
	row = s ? tcctl_encap_row(skb, s) : NULL;
	if (row && tcctl_tunnel(skb) & TCCTL_TUNNEL_OUT && replicate(skb, s, row))
		return tcctl_encap_drop(skb, row, TCCTL_TUN_TX_FAILED);
	return tcctl_next_of(skb, TCCTL_STAGE_ENCAP);
}
