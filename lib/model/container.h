/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* container.h - what the plan needs to know of the container, from its config.json */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* The ids are the ones inside the container: with a user namespace they are not the host's. */
struct container {
	uid_t uid;
	gid_t gid;
	gid_t *additional_gids;
	size_t n_additional_gids;
	bool has_user_namespace; /* config.json asks for a new one, or names one to join */
	bool keeps_groups;	 /* crun gives it the groups of its caller */
	bool is_rootless;	 /* we run in a user namespace, and so will it */

	/* Where its loader looks for libraries without being told, and the same for its 32-bit
	   programs; NULL: nowhere. Of fixed lists, see stage/inspect_container. */
	const char *library_dir;
	const char *library_dir_32;
	const char
		*no_library_reason; /* without a library_dir: "its C library is musl" */
};

void container_clear(struct container *ctr);
DEFINE_CLEANUP(struct container, container_clear)
