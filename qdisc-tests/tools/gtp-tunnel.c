// SPDX-License-Identifier: GPL-2.0-only
/*
 * gtp-tunnel: gives a gtp device of the kernel's a PDP context, which neither ip(8) nor a packaged tool can. The command
 * line is that of the program of this name in libgtpnl:
 *
 *	gtp-tunnel add DEVICE v1 TEID_IN TEID_OUT ADDRESS_OF_THE_USER ADDRESS_OF_THE_PEER
 *
 * GTP_CMD_NEWPDP of the generic netlink family "gtp":
 *
 *	genlmsghdr | GTPA_LINK u32 | GTPA_VERSION u32 | GTPA_I_TEI u32 | GTPA_O_TEI u32
 *		   | GTPA_MS_ADDRESS be32 | GTPA_PEER_ADDRESS be32
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/gtp.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(void *buf, uint16_t type, uint8_t cmd, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = cmd;
}

static int family_id(const struct nlmsghdr *h, void *ret_id)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, h, sizeof(struct genlmsghdr))
		if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID)
			*(uint16_t *)ret_id = mnl_attr_get_u16(a);
	return MNL_CB_OK;
}

/* Sends what is in `buf` and takes everything up to the acknowledgement. Returns 0 or a negative errno. */
static int talk(struct mnl_socket *nl, void *buf, size_t size, uint32_t seq, mnl_cb_t cb, void *data)
{
	ssize_t n;
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(nl, buf, ((struct nlmsghdr *)buf)->nlmsg_len) < 0)
		return -errno;
	while (rc > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(nl, buf, size);
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)n, seq, mnl_socket_get_portid(nl), cb, data);
	}
	return rc == MNL_CB_STOP ? 0 : -errno;
}

int main(int argc, char **argv)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	struct in_addr user, peer;
	uint16_t family = 0;
	unsigned int link;
	struct mnl_socket *nl;
	int err;

	if (argc != 8 || strcmp(argv[1], "add") || strcmp(argv[3], "v1") || inet_pton(AF_INET, argv[6], &user) != 1 ||
	    inet_pton(AF_INET, argv[7], &peer) != 1) {
		fprintf(stderr, "usage: gtp-tunnel add DEVICE v1 TEID_IN TEID_OUT USER PEER\n");
		return 2;
	}
	link = if_nametoindex(argv[2]);
	if (!link) {
		fprintf(stderr, "gtp-tunnel: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	nl = mnl_socket_open(NETLINK_GENERIC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		fprintf(stderr, "gtp-tunnel: netlink: %s\n", strerror(errno));
		return 1;
	}
	begin(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	mnl_attr_put_strz((struct nlmsghdr *)buf, CTRL_ATTR_FAMILY_NAME, "gtp");
	err = talk(nl, buf, sizeof(buf), 1, family_id, &family);
	if (err) {
		fprintf(stderr, "gtp-tunnel: no netlink family gtp (module gtp): %s\n", strerror(-err));
		return 1;
	}
	begin(buf, family, GTP_CMD_NEWPDP, 2);
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_LINK, link);
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_VERSION, GTP_V1);
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_I_TEI, (uint32_t)strtoul(argv[4], NULL, 0));
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_O_TEI, (uint32_t)strtoul(argv[5], NULL, 0));
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_MS_ADDRESS, user.s_addr);
	mnl_attr_put_u32((struct nlmsghdr *)buf, GTPA_PEER_ADDRESS, peer.s_addr);
	err = talk(nl, buf, sizeof(buf), 2, NULL, NULL);
	mnl_socket_close(nl);
	if (err)
		fprintf(stderr, "gtp-tunnel: %s: %s\n", argv[2], strerror(-err));
	return err ? 1 : 0;
}
