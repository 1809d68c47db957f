/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* nvidia_files.h - the user-space files of NVIDIA's driver */

#include "injector/injector.h"

/* Where the driver's files are in a container. */
#define NVIDIA_OWN_DIR "/run/oci-gpu-hook/nvidia"

/* As struct gpu_injector says. */
int nvidia_find_files(const struct host *host, const struct gpu_spec *spec,
		      const struct container *ctr, struct driver_files *ret,
		      struct err *err);

/**
 * nvidia_contribute_files() - Mounts, links and the driver's parameters
 *
 * Pure. Where the container has no place for libraries, the warning says so.
 */
int nvidia_contribute_files(const struct driver_files *files, const struct container *ctr,
			    struct plan *plan, struct err *err);
