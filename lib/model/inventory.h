/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * inventory.h - the GPUs of a host
 *
 * Filled by the injectors' probes, read by the selection and by `list`. Plain data: every
 * string is owned by the inventory.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "model/driver_files.h"

/* What a device node is for; the vendor's injector decides which capability brings it. */
enum device_role {
	DEVICE_GPU,	/* the GPU itself: nvidiaN */
	DEVICE_CONTROL, /* needed for any use: nvidiactl */
	DEVICE_COMPUTE, /* needed for compute: kfd, nvidia-uvm */
	DEVICE_MODESET, /* needed for graphics and display: nvidia-modeset */
	DEVICE_RENDER,	/* DRM render node */
	DEVICE_CARD,	/* DRM primary node */
	DEVICE_ROLE_COUNT,
};

enum device_state {
	DEVICE_PRESENT, /* a character device with the right number */
	DEVICE_ABSENT,	/* sysfs or procfs names it, /dev has nothing there */
	DEVICE_OTHER,	/* something else is there: no device, or another number */
	DEVICE_STATE_COUNT,
};

/* A character device node of the host. Several GPUs of a driver may list the same one. */
struct device_node {
	char *path; /* in the container, and mostly on the host: "/dev/dri/renderD128" */
	char *host_path; /* on the host, or NULL: the same */
	uint32_t major;
	uint32_t minor;
	enum device_role role;
	enum device_state state;
	char *setup; /* the command that makes it; NULL: its driver or udev does */
	bool is_for_reading; /* programs open it read-only, so that is all they need */

	/* Of the node in /dev, for DEVICE_PRESENT only. */
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permission bits */
	/* By its permissions, to whoever runs us. In a user namespace, where the host's
	   ids cannot be seen, this is all there is to know. */
	bool caller_may_open;
};

#define NUMA_NODE_UNKNOWN (-1)
#define NO_PARTITION	  (-1)

struct gpu {
	/* nvidia, amd, intel, apple, else the DRM driver's name. What it really is:
	   policy is decided on this. */
	char *vendor;
	/* A vendor by which a request may name this GPU although it is none of that
	   vendor's (virtio_gpu serves "apple"); NULL: none. */
	char *alias;
	unsigned int index; /* within `vendor`, in PCI order; set by inventory_number() */

	char *pci;     /* "0000:c1:00.0", or NULL: a platform device */
	char *id_path; /* udev's ID_PATH, "pci-0000:c1:00.0", or NULL: unknown */
	char *uuid;    /* as the driver prints it, or NULL */
	char *model;   /* never NULL; "1002:744c" where the driver knows no name */
	char *driver;  /* kernel driver, or NULL: none is bound */
	int partition; /* number within the parent GPU, or NO_PARTITION */
	/* How the vendor's own tools name a partition, "0:1", or NULL: they do not. */
	char *partition_name;
	/* What a partition is, where its number becomes another's when one before it
	   goes: "gi11/ci0"; or NULL: it is its number. */
	char *partition_key;
	int numa_node; /* or NUMA_NODE_UNKNOWN */
	bool can_compute;
	/* Its driver takes a program to be allowed every GPU that the device cgroup
	   allows, and not those whose nodes are there: what happens to one without a
	   device cgroup. A literal, or NULL: nothing. */
	const char *trouble_without_cgroup;

	/* NULL: usable; else why not, and what to do: "no render node". */
	char *unusable_reason;

	struct device_node *nodes;
	size_t n_nodes;

	/* Of its driver, borrowed from the inventory; NULL: nobody
	   has looked for them. */
	const struct driver_files *files;
};

/* Why a vendor's driver is there and none of its GPUs: for who asks for one. */
struct inventory_note {
	const char *vendor; /* both are literals */
	const char *text;
};

struct inventory {
	struct gpu *gpus;
	size_t n_gpus;
	struct inventory_note *notes;
	size_t n_notes;
	struct driver_files *files; /* or NULL; see injectors_find_files() */
};

struct pci_address {
	uint32_t domain; /* 4 to 8 digits: Intel's VMD begins at 10000 */
	uint32_t bus;
	uint32_t device;
	uint32_t function;
};

/* Reads "0000:c1:00.0" as the kernel prints it, nothing around it. */
bool pci_address_parse(const char *text, struct pci_address *ret);

/* For qsort() and the like: below, equal to or above 0. */
int pci_address_compare(const struct pci_address *a, const struct pci_address *b);

/* The same for texts. NULL, or what is no address, comes after all addresses. */
int pci_address_compare_texts(const char *a, const char *b);

extern const char *const device_role_names[DEVICE_ROLE_COUNT];

void device_node_clear(struct device_node *node);
void inventory_clear(struct inventory *inv);
DEFINE_CLEANUP(struct inventory, inventory_clear)
DEFINE_CLEANUP(struct device_node, device_node_clear)

/**
 * inventory_add() - Append an empty GPU
 * @err:	E2BIG over LIMIT_GPUS
 *
 * Return: the GPU to fill, valid until the next inventory_add(); NULL on error. Its model
 * is "", its partition and NUMA node are "none"; everything else is zero.
 */
struct gpu *inventory_add(struct inventory *inv, struct err *err);

/* Appends a note; both texts are literals. */
void inventory_add_note(struct inventory *inv, const char *vendor, const char *text);

/* Appends @node to @gpu; its strings are taken and the struct is emptied. */
void gpu_take_node(struct gpu *gpu, struct device_node *node);

/* The first node with @role, or NULL. */
const struct device_node *gpu_find_node(const struct gpu *gpu, enum device_role role);

/**
 * inventory_number() - Sort and give every GPU its index
 *
 * By PCI address (domain, bus, device, function), then partition; GPUs without a PCI
 * address come after those with one, by id_path. Within a vendor the usable ones are
 * counted first: an excluded GPU, or one without a driver, does not shift the others.
 */
void inventory_number(struct inventory *inv);
