/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files about `tunnels:` share. */
#ifndef TCCTL_LIB_SPEC_TUNNEL_IMPL_H
#define TCCTL_LIB_SPEC_TUNNEL_IMPL_H

#include "spec/impl.h"
#include "tcctl/tunnel.h"

#define SPEC_INNER_IP (TCCTL_TF_INNER_IPV4 | TCCTL_TF_INNER_IPV6)
#define SPEC_VNI_MAX 0xffffffU
#define SPEC_SPORT_MIN 49152 /* unless configured */
#define SPEC_AGEING 300

/* Words of `type`, `inner`, `df`. */
extern const struct spec_words spec_tunnel_words, spec_inner_words;
extern const char *const spec_df_words[SPEC_DF_MAX];

/* The UDP port of a type unless configured; 0: not in UDP. */
uint16_t spec_tunnel_port(uint8_t type);
/* What the number that tells tunnels of a type apart is called: `vni`, `key`, `teid`, or NULL. */
const char *spec_tunnel_id_key(uint8_t type);

/* Prefixes and sets (written out) into a list; false: something is wrong (reported), or no memory. */
bool spec_prefix_list(struct spec_ctx *c, const struct yaml_node *v, const char *key,
		      struct spec_prefix **ret, size_t *ret_n, bool *ret_sets);
/* One address without length. */
bool spec_host(struct spec_ctx *c, const struct yaml_node *v, const char *key, struct spec_prefix *ret);
/* The name of a network device. */
char *spec_device(struct spec_ctx *c, const struct yaml_node *v, const char *key);
/* "300", "300s", "5m", "1h" in seconds, 1 to a week. */
bool spec_seconds(struct spec_ctx *c, const struct yaml_node *v, const char *key, uint32_t *ret);
/* `remote`; `local` has been read. */
void spec_tunnel_remote(struct spec_ctx *c, const struct yaml_node *v, struct spec_tunnel *t);
/* The remotes of the forwarding table are other addresses than `local`, of its family. */
void spec_tunnel_fdb_remotes(struct spec_ctx *c, const struct yaml_node *v, const struct spec_tunnel *t);

/* Keys of a tunnel; `dst` is a struct spec_tunnel whose `type` is set. */
void spec_tunnel_id(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void spec_tunnel_labels(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void spec_tunnel_tags(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);
void spec_tunnel_options(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			 const struct spec_key *key);
void spec_tunnel_qfi_map(struct spec_ctx *c, const struct yaml_node *v, void *dst,
			 const struct spec_key *key);
void spec_tunnel_fdb(struct spec_ctx *c, const struct yaml_node *v, void *dst, const struct spec_key *key);

#endif
