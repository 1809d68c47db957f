/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * kfd.h - the compute topology of amdkfd
 *
 * Source: Linux drivers/gpu/drm/amd/amdkfd/kfd_topology.c, files
 * /sys/class/kfd/kfd/topology/nodes/N/properties ("name value" lines).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

struct kfd_node {
	uint32_t render_minor; /* drm_render_minor; never 0: processors are left out */
	uint32_t location_id;
	uint32_t domain;    /* 0 where the kernel prints no such line */
	uint64_t unique_id; /* 0: unknown */
};

struct kfd_topology {
	struct kfd_node *node;
	size_t n;
	bool is_incomplete; /* a node could not be read, and so is not in the list */
	/* Number of /dev/kfd. */
	uint32_t major;
	uint32_t minor;
};

void kfd_topology_clear(struct kfd_topology *topology);
DEFINE_CLEANUP(struct kfd_topology, kfd_topology_clear)

/**
 * host_kfd() - GPUs that can compute through /dev/kfd
 *
 * Return: 0; -ENOENT if there is no amdkfd. A node that cannot be read (the device cgroup
 * of the caller forbids the GPU) is left out.
 */
int host_kfd(const struct host *host, struct kfd_topology *ret);
