/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - what an annotation may ask for, in the operator's words */

#include "model/policy.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "model/gpu_spec.h"

const char *const gpu_order_names[GPU_ORDER_COUNT] = {
	[GPU_ORDER_FIRST] = "first",
	[GPU_ORDER_SPREAD] = "spread",
};
_Static_assert(GPU_ORDER_COUNT == 2, "an order has no name");

const char *const node_source_names[NODE_SOURCE_COUNT] = {
	[NODES_AUTO] = "auto",
	[NODES_HOST] = "host",
};
_Static_assert(NODE_SOURCE_COUNT == 2, "a source of nodes has no name");

void policy_allow_all(struct policy *policy)
{
	*policy = (struct policy){
		.allows_others = true,
		.allows_exclusive = true,
		.capabilities = (1U << GPU_CAPABILITY_COUNT) - 1,
	};
}

void policy_vendor_clear(struct policy_vendor *vendor)
{
	free(vendor->name);
	free(vendor->devices);
	*vendor = (struct policy_vendor){0};
}

void policy_clear(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_vendors; i++) {
		policy_vendor_clear(&policy->vendors[i]);
	}
	free(policy->vendors);
	*policy = (struct policy){0};
}

void policy_take_vendor(struct policy *policy, struct policy_vendor *vendor)
{
	policy->vendors =
		xgrow(policy->vendors, policy->n_vendors, sizeof(*policy->vendors));
	policy->vendors[policy->n_vendors++] = *vendor;
	*vendor = (struct policy_vendor){0};
}

const struct policy_vendor *policy_find_vendor(const struct policy *policy,
					       const char *name)
{
	for (size_t i = 0; i < policy->n_vendors; i++) {
		if (text_equals_no_case(policy->vendors[i].name, name)) {
			return &policy->vendors[i];
		}
	}
	return NULL;
}

bool policy_vendor_lists(const struct policy_vendor *vendor, const char *pci)
{
	struct pci_address address;

	if (!pci || !pci_address_parse(pci, &address)) {
		return false;
	}
	for (size_t i = 0; i < vendor->n_devices; i++) {
		if (pci_address_compare(&vendor->devices[i], &address) == 0) {
			return true;
		}
	}
	return false;
}
