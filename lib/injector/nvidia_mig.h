/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * nvidia_mig.h - the MIG devices that a GPU is split into
 *
 * A GPU is split into GPU instances, and each of those into compute instances; a program
 * needs the GPU's node and the access nodes of one of each. The driver says in procfs
 * which there are, and by which minors of nvidia-caps. It does not say their UUIDs, which
 * NVML makes up with the help of the GPU: so a device is named by its numbers.
 * Source: NVIDIA Multi-Instance GPU User Guide, "/dev based nvidia-capabilities".
 */

#include "host/host.h"

struct nvidia_mig_device {
	uint32_t gpu_instance;
	uint32_t compute_instance;
	uint32_t gpu_instance_minor;
	uint32_t compute_instance_minor;
};

struct nvidia_mig_devices {
	struct nvidia_mig_device *device;
	size_t n;
};

void nvidia_mig_devices_clear(struct nvidia_mig_devices *list);
DEFINE_CLEANUP(struct nvidia_mig_devices, nvidia_mig_devices_clear)

/**
 * nvidia_mig_list() - In the order of the instances' numbers, which is NVML's
 * @minor:	of the GPU: the N of /dev/nvidiaN
 * @ret:	empty for a GPU that is not split; nvidia_mig_devices_clear() it
 */
void nvidia_mig_list(const struct host *host, uint32_t minor,
		     struct nvidia_mig_devices *ret);
