/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* cache.h - what a host is read for once only. For the files of lib/host. */

#include <stdbool.h>

#include "host/drm.h"

struct host_cache {
	bool has_drm_nodes;   /* nodes and paths of `drm` are filled */
	bool has_drm_parents; /* so is the rest */
	struct drm_devices drm;
	char *proc_devices; /* text of /proc/devices, or NULL: not read yet */
};
