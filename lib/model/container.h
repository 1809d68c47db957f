/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* container.h - what the plan needs to know of the container, from its config.json */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "model/id_map.h"

#define DEVICE_RULE_ANY UINT32_MAX

/* One entry of linux.resources.devices. */
struct device_rule {
	bool allows;
	bool is_for_chars; /* both: a rule for all types */
	bool is_for_blocks;
	uint32_t major; /* or DEVICE_RULE_ANY */
	uint32_t minor; /* or DEVICE_RULE_ANY */
	bool reads;
	bool writes;
	bool makes;
};

/* The ids are the ones inside the container: with a user namespace they
   are not the host's. */
struct container {
	uid_t uid;
	gid_t gid;
	gid_t *additional_gids;
	size_t n_additional_gids;
	bool has_user_namespace; /* config.json asks for a new one, or one to join */
	struct id_map uid_map;	 /* of a new one; one that is joined is not known */
	struct id_map gid_map;
	bool overrides_modes; /* the process will have CAP_DAC_OVERRIDE */
	bool keeps_groups;    /* crun gives it the groups of its caller */
	char *mount_label;    /* of SELinux, for what is mounted in it; or NULL */
	struct device_rule *device_rules; /* in the order of config.json */
	size_t n_device_rules;

	/* Where its loader looks for libraries without being told, and the same for its
	   32-bit programs; NULL: nowhere. Of fixed lists, see stage/inspect_container. */
	const char *library_dir;
	const char *library_dir_32;
	const char
		*no_library_reason; /* without a library_dir: "its C library is musl" */
};

void container_clear(struct container *ctr);
DEFINE_CLEANUP(struct container, container_clear)

/* Is the process in this group, by its own or an additional one? */
bool container_has_group(const struct container *ctr, gid_t gid);

/**
 * container_allows_node() - Do the rules of config.json allow reading and writing?
 *
 * Of the rules that fit, the last one decides. Without any rule the answer is no: what a
 * runtime allows then is its own affair.
 * Source: OCI runtime spec 1.2, config-linux.md, "Allowed Device list".
 */
bool container_allows_node(const struct container *ctr, uint32_t major, uint32_t minor);
