// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What a device does itself about segments and checksums: features, by the ethtool ioctl. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "nl/internal.h"
#include "nl/route.h"
#include "util.h"

#define WORD_BITS 32

static int ask(struct nl *nl, const char *device, void *data)
{
	struct ifreq ifr = { .ifr_data = data };

	strncpy(ifr.ifr_name, device, sizeof(ifr.ifr_name) - 1);
	return ioctl(mnl_socket_get_fd(nl->sock), SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

/* Features change their numbers from kernel to kernel, not their names. */
static int feature_names(struct nl *nl, const char *device, struct ethtool_gstrings **ret)
{
	_cleanup_free_ struct ethtool_sset_info *info = calloc(1, sizeof(*info) + sizeof(info->data[0]));
	struct ethtool_gstrings *names;
	uint32_t n;
	int err;

	if (!info)
		return -ENOMEM;
	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ULL << ETH_SS_FEATURES;
	err = ask(nl, device, info);
	if (err)
		return err;
	n = info->data[0];
	names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	if (!names)
		return -ENOMEM;
	*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = n };
	err = ask(nl, device, names);
	if (err)
		free(names);
	else
		*ret = names;
	return err;
}

/* "tx-checksum-ip-generic", "tx-tcp6-segmentation", "tx-gso-list", … */
static bool is_transmit_offload(const char name[ETH_GSTRING_LEN])
{
	return !strncmp(name, "tx-", 3) &&
	       (memmem(name, ETH_GSTRING_LEN, "segmentation", 12) || memmem(name, ETH_GSTRING_LEN, "checksum", 8) ||
		memmem(name, ETH_GSTRING_LEN, "-gso-", 5));
}

int nl_link_offload(struct nl *nl, const char *device, bool on)
{
	_cleanup_free_ struct ethtool_gstrings *names = NULL;
	_cleanup_free_ struct ethtool_sfeatures *set = NULL;
	uint32_t words;
	int err;

	err = feature_names(nl, device, &names);
	if (err)
		return err;
	words = (names->len + WORD_BITS - 1) / WORD_BITS;
	set = calloc(1, sizeof(*set) + words * sizeof(set->features[0]));
	if (!set)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = words;
	for (uint32_t i = 0; i < names->len; i++) {
		if (!is_transmit_offload((const char *)names->data + (size_t)i * ETH_GSTRING_LEN))
			continue;
		set->features[i / WORD_BITS].valid |= 1U << i % WORD_BITS;
		if (on)
			set->features[i / WORD_BITS].requested |= 1U << i % WORD_BITS;
	}
	/* what a device does not have, and what is fixed, the kernel leaves out */
	return ask(nl, device, set);
}

static bool is_on(struct nl *nl, const char *device, uint32_t cmd)
{
	struct ethtool_value value = { .cmd = cmd };

	return !ask(nl, device, &value) && value.data;
}

bool nl_link_merges(struct nl *nl, const char *device)
{
	return is_on(nl, device, ETHTOOL_GGRO);
}

bool nl_link_segments(struct nl *nl, const char *device)
{
	return is_on(nl, device, ETHTOOL_GTSO) || is_on(nl, device, ETHTOOL_GGSO);
}
