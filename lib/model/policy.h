/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * policy.h - what an annotation may ask for, in the operator's words
 *
 * Plain data, from the configuration file. A zeroed policy denies everything.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "model/inventory.h"

#define POLICY_NO_MAX UINT32_MAX

/* Which of the GPUs that fit come first. */
enum gpu_order {
	GPU_ORDER_FIRST,  /* in PCI order; default */
	GPU_ORDER_SPREAD, /* those with the fewest holders */
	GPU_ORDER_COUNT,
};

extern const char *const gpu_order_names[GPU_ORDER_COUNT];

/* What a container gets whose process may not open the host's nodes. */
enum node_source {
	NODES_AUTO, /* nodes of its own */
	NODES_HOST, /* the host's all the same */
	NODE_SOURCE_COUNT,
};

extern const char *const node_source_names[NODE_SOURCE_COUNT];

/* GPUs of one vendor. */
struct policy_vendor {
	char *name;	  /* as `list` shows it; compared without case */
	uint32_t max;	  /* GPUs of it that one container may have, or POLICY_NO_MAX */
	bool has_devices; /* only the listed ones may be given */
	struct pci_address *devices; /* a GPU without an address is in no list */
	size_t n_devices;
};

struct policy {
	bool allows_others;    /* GPUs of vendors that are not listed */
	bool allows_exclusive; /* asking for a GPU that nobody else gets */
	uint32_t capabilities; /* that may be asked for: bit (1 << enum gpu_capability) */
	struct policy_vendor *vendors;
	size_t n_vendors;
};

/* Everything is allowed: the policy of who has written none. */
void policy_allow_all(struct policy *policy);

void policy_vendor_clear(struct policy_vendor *vendor);
void policy_clear(struct policy *policy);
DEFINE_CLEANUP(struct policy, policy_clear)
DEFINE_CLEANUP(struct policy_vendor, policy_vendor_clear)

/* Appends @vendor, which is taken and emptied. */
void policy_take_vendor(struct policy *policy, struct policy_vendor *vendor);

/* The rules for GPUs of this vendor, or NULL: it is not listed. */
const struct policy_vendor *policy_find_vendor(const struct policy *policy,
					       const char *name);

/* Is this address in the list? @pci may be NULL: a GPU that has none. */
bool policy_vendor_lists(const struct policy_vendor *vendor, const char *pci);
