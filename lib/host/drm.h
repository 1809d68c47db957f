/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * drm.h - the DRM devices of a host, from /sys/class/drm
 *
 * A card node and a render node belong together when they have the same parent device;
 * their numbers say nothing about it. Source: Linux Documentation/gpu/drm-uapi.rst.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

struct drm_node {
	char *name; /* "renderD128", or NULL: the device has none */
	uint32_t major;
	uint32_t minor;
};

struct drm_device {
	/* Of the parent device, without "/sys/": "devices/pci0000:00/0000:00:02.0". */
	char *sysfs_dir;
	char *name;   /* its last component: "0000:00:02.0", "virtio0", "amdgpu_xcp_1" */
	char *driver; /* "amdgpu"; for virtio the name on its virtioN; or NULL: none */

	/* The nearest PCI device on the way up, or NULL: none. */
	char *pci;
	uint32_t pci_vendor;
	uint32_t pci_device;
	uint32_t pci_class; /* 24 bits: 0x030000 */

	bool is_pci_function; /* the parent is that PCI device, or its virtio child */
	char *id_path;	      /* as udev builds ID_PATH for /dev/dri/by-path, or NULL */
	int numa_node;	      /* or NUMA_NODE_UNKNOWN */
	struct drm_node render;
	struct drm_node card;
};

struct drm_devices {
	struct drm_device *device;
	size_t n;
};

/**
 * host_drm() - All DRM devices, in the order of their sysfs paths
 *
 * Read once per host and kept. A node without a readable `dev` file is left out.
 *
 * Return: borrowed, valid until host_close(); an empty list where there is no DRM.
 */
const struct drm_devices *host_drm(const struct host *host);

/**
 * host_drm_of_pci() - The DRM device of a PCI function
 * @pci:	its address
 *
 * For who knows the GPU otherwise: of a device, only the nodes and what its path tells
 * (sysfs_dir, name, pci, is_pci_function, id_path) are sure to be filled. The five other
 * attributes would be half of the time that a host of eight GPUs takes.
 *
 * Return: borrowed, valid until host_close(); NULL: none.
 */
const struct drm_device *host_drm_of_pci(const struct host *host, const char *pci);

/* Reads what every vendor needs of DRM, now rather than when it is asked for: the nodes
   and what the paths of their devices tell. */
void host_drm_prefetch(const struct host *host);

/* A GPU's PCI class: 0x0300 VGA, 0x0302 3D, 0x0380 display, 0x1200
   accelerator (MI300). */
bool pci_class_is_gpu(uint32_t pci_class);

/* For drm.c and host.c. */
void drm_devices_clear(struct drm_devices *list);
