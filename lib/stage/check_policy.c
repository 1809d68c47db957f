/* SPDX-License-Identifier: Apache-2.0 */
/* check_policy.c - what the operator's policy says of a request */

#include "stage/check_policy.h"

#include <errno.h>

#include "base/text.h"
#include "injector/injectors.h"

/* In the place of an address. */
#define NO_PCI "no PCI address"

int check_policy_request(const struct policy *policy, const char *file,
			 struct gpu_spec *spec, uint32_t *ret_left_out, struct err *err)
{
	uint32_t left_out = spec->capabilities & ~policy->capabilities;

	for (int i = 0; spec->has_capabilities && i < GPU_CAPABILITY_COUNT; i++) {
		if (left_out & 1U << i) {
			return err_set(
				err, EPERM,
				"check policy: capability '%s': capabilities does not "
				"list it in '%s'",
				gpu_capability_names[i], file);
		}
	}
	if (spec->sharing == GPU_SHARING_EXCLUSIVE && !policy->allows_exclusive) {
		return err_set(err, EPERM,
			       "check policy: sharing '%s': exclusive is false in '%s'",
			       gpu_sharing_names[spec->sharing], file);
	}
	spec->capabilities &= policy->capabilities;
	*ret_left_out = left_out;
	return 0;
}

/* How many of the GPUs up to and with this one are of its vendor? */
static size_t count_vendor(const struct selection *selection, size_t last)
{
	size_t n = 0;

	for (size_t i = 0; i <= last; i++) {
		n += text_equals(selection->gpus[i]->vendor,
				 selection->gpus[last]->vendor);
	}
	return n;
}

static int check_capability(const struct policy *policy, const char *file,
			    const struct gpu_spec *spec, const struct gpu *gpu,
			    struct err *err)
{
	uint32_t missing = injectors_find_evaded(spec, gpu) & ~policy->capabilities;

	for (int i = 0; i < GPU_CAPABILITY_COUNT; i++) {
		if (missing & 1U << i) {
			return err_set(
				err, EPERM,
				"check policy: %s:%u (%s): its render node is for "
				"capability '%s', and capabilities does not list that "
				"in '%s'; ask for %s",
				gpu->vendor, gpu->index, gpu->pci ? gpu->pci : NO_PCI,
				gpu_capability_names[i], file, gpu->vendor);
		}
	}
	return 0;
}

int check_policy_gpus(const struct policy *policy, const char *file,
		      const struct gpu_spec *spec, const struct selection *selection,
		      struct err *err)
{
	for (size_t i = 0; i < selection->n_gpus; i++) {
		const struct gpu *gpu = selection->gpus[i];
		const struct policy_vendor *rule =
			policy_find_vendor(policy, gpu->vendor);
		const char *pci = gpu->pci ? gpu->pci : NO_PCI;

		if (!rule && !policy->allows_others) {
			return err_set(err, EPERM,
				       "check policy: %s:%u (%s): vendors has no %s, and "
				       "default is deny in '%s'",
				       gpu->vendor, gpu->index, pci, gpu->vendor, file);
		}
		if (rule && count_vendor(selection, i) > rule->max) {
			return err_set(err, EPERM,
				       "check policy: %s:%u (%s): vendors.%s.max is %u "
				       "in '%s'",
				       gpu->vendor, gpu->index, pci, rule->name,
				       rule->max, file);
		}
		if (rule && rule->has_devices && !policy_vendor_lists(rule, gpu->pci)) {
			return err_set(err, EPERM,
				       "check policy: %s:%u (%s): vendors.%s.devices "
				       "does not list it in '%s'",
				       gpu->vendor, gpu->index, pci, rule->name, file);
		}
		if (check_capability(policy, file, spec, gpu, err) < 0) {
			return -err->code;
		}
	}
	return 0;
}

void check_policy_warn(uint32_t left_out, const char *file, struct plan *plan)
{
	for (int i = 0; i < GPU_CAPABILITY_COUNT; i++) {
		if (left_out & 1U << i) {
			plan_warn(plan,
				  "capability '%s' is left out: the policy's "
				  "capabilities do not list it in '%s'",
				  gpu_capability_names[i], file);
		}
	}
}
