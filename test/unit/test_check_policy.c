/* SPDX-License-Identifier: Apache-2.0 */
/* test_check_policy.c - each rule refuses what it forbids, and names itself */

#include "stage/check_policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

#define FILE_NAME "/etc/c.json"

#define COMPUTE	 (1U << GPU_CAPABILITY_COMPUTE)
#define UTILITY	 (1U << GPU_CAPABILITY_UTILITY)
#define GRAPHICS (1U << GPU_CAPABILITY_GRAPHICS)

/* ---- the request ------------------------------------------------------------------- */

static int check_request(uint32_t allowed, struct gpu_spec *spec, uint32_t *left_out,
			 struct err *err)
{
	struct policy policy;

	policy_allow_all(&policy);
	policy.capabilities = allowed;
	return check_policy_request(&policy, FILE_NAME, spec, left_out, err);
}

Test(check_policy, capability_by_name_outside_the_list_is_refused)
{
	struct gpu_spec spec = {.capabilities = COMPUTE | GRAPHICS,
				.has_capabilities = true};
	uint32_t left_out = 77;
	struct err err = {0};

	cr_assert_eq(check_request(COMPUTE | UTILITY, &spec, &left_out, &err), -EPERM);
	cr_expect_str_eq(err.msg, "check policy: capability 'graphics': capabilities "
				  "does not list it in '" FILE_NAME "'");
	cr_expect_eq(left_out, 77, "outputs are untouched on failure");
	cr_expect_eq(spec.capabilities, COMPUTE | GRAPHICS);
}

Test(check_policy, capability_by_name_in_the_list_is_allowed)
{
	struct gpu_spec spec = {.capabilities = GRAPHICS, .has_capabilities = true};
	uint32_t left_out = 77;
	struct err err = {0};

	cr_assert_eq(check_request(GRAPHICS, &spec, &left_out, &err), 0, "%s", err.msg);
	cr_expect_eq(spec.capabilities, GRAPHICS);
	cr_expect_eq(left_out, 0);
}

Test(check_policy, default_capabilities_are_narrowed)
{
	struct gpu_spec spec = {.capabilities = COMPUTE | UTILITY};
	uint32_t left_out = 0;
	struct err err = {0};

	cr_assert_eq(check_request(UTILITY | GRAPHICS, &spec, &left_out, &err), 0);
	cr_expect_eq(spec.capabilities, UTILITY, "and nothing is added");
	cr_expect_eq(left_out, COMPUTE);
}

Test(check_policy, an_empty_list_leaves_no_capability)
{
	struct gpu_spec spec = {.capabilities = COMPUTE | UTILITY};
	uint32_t left_out = 0;
	struct err err = {0};

	cr_assert_eq(check_request(0, &spec, &left_out, &err), 0);
	cr_expect_eq(spec.capabilities, 0);
	cr_expect_eq(left_out, COMPUTE | UTILITY);
}

Test(check_policy, what_is_left_out_is_a_warning)
{
	cleanup(plan_clearp) struct plan plan = {0};

	check_policy_warn(0, FILE_NAME, &plan);
	cr_assert_eq(plan.n_warnings, 0);
	check_policy_warn(COMPUTE, FILE_NAME, &plan);
	cr_assert_eq(plan.n_warnings, 1);
	cr_expect_str_eq(plan.warnings[0],
			 "capability 'compute' is left out: the policy's capabilities do "
			 "not list it in '" FILE_NAME "'");
}

Test(check_policy, exclusive_is_refused_where_it_is_false)
{
	struct gpu_spec spec = {.sharing = GPU_SHARING_EXCLUSIVE};
	struct policy policy;
	uint32_t left_out = 0;
	struct err err = {0};

	policy_allow_all(&policy);
	cr_assert_eq(check_policy_request(&policy, FILE_NAME, &spec, &left_out, &err), 0);
	policy.allows_exclusive = false;
	cr_assert_eq(check_policy_request(&policy, FILE_NAME, &spec, &left_out, &err),
		     -EPERM);
	cr_expect_str_eq(err.msg, "check policy: sharing 'exclusive': exclusive is "
				  "false in '" FILE_NAME "'");
	spec.sharing = GPU_SHARING_SHARED;
	cr_expect_eq(check_policy_request(&policy, FILE_NAME, &spec, &left_out, &err), 0);
}

/* ---- the GPUs ---------------------------------------------------------------------- */

static char amd[] = "amd";
static char v3d[] = "v3d";
static char pci_a[] = "0000:03:00.0";
static char pci_b[] = "0000:04:00.0";

static const struct gpu amd_a = {.vendor = amd, .index = 0, .pci = pci_a};
static const struct gpu amd_b = {.vendor = amd, .index = 1, .pci = pci_b};
static const struct gpu board = {.vendor = v3d, .index = 0};

static const struct gpu *all[] = {&amd_a, &amd_b, &board};
static const struct selection selection = {.gpus = all, .n_gpus = 3};

static void add_vendor(struct policy *policy, const char *name, uint32_t max,
		       const char *device)
{
	struct policy_vendor vendor = {
		.name = xstrdup(name), .max = max, .has_devices = device != NULL};

	if (device && *device) {
		vendor.n_devices = 1;
		vendor.devices = xcalloc(1, sizeof(*vendor.devices));
		cr_assert(pci_address_parse(device, &vendor.devices[0]));
	}
	policy_take_vendor(policy, &vendor);
}

/* By its id: each GPU is served by its own vendor. */
static char *ids[] = {pci_a};
static const struct gpu_spec spec = {.devices = ids, .n_devices = 1};

static void expect_refused(const struct policy *policy, const char *message)
{
	struct err err = {0};

	cr_assert_eq(check_policy_gpus(policy, FILE_NAME, &spec, &selection, &err),
		     -EPERM);
	cr_assert_str_eq(err.msg, message);
}

static void expect_allowed(const struct policy *policy)
{
	struct err err = {0};

	cr_assert_eq(check_policy_gpus(policy, FILE_NAME, &spec, &selection, &err), 0,
		     "%s", err.msg);
}

Test(check_policy, without_a_rule_the_default_decides)
{
	cleanup(policy_clearp) struct policy policy = {0};

	policy_allow_all(&policy);
	expect_allowed(&policy);
	policy.allows_others = false;
	expect_refused(&policy, "check policy: amd:0 (0000:03:00.0): vendors has no amd, "
				"and default is deny in '" FILE_NAME "'");
	add_vendor(&policy, "amd", POLICY_NO_MAX, NULL);
	expect_refused(&policy,
		       "check policy: v3d:0 (no PCI address): vendors has no v3d, "
		       "and default is deny in '" FILE_NAME "'");
	add_vendor(&policy, "v3d", POLICY_NO_MAX, NULL);
	expect_allowed(&policy);
}

Test(check_policy, max_counts_the_chosen_gpus_of_the_vendor)
{
	cleanup(policy_clearp) struct policy policy = {0};

	policy_allow_all(&policy);
	add_vendor(&policy, "amd", 2, NULL);
	expect_allowed(&policy);
	policy.vendors[0].max = 1;
	expect_refused(&policy,
		       "check policy: amd:1 (0000:04:00.0): vendors.amd.max is 1 "
		       "in '" FILE_NAME "'");
	policy.vendors[0].max = 0;
	expect_refused(&policy,
		       "check policy: amd:0 (0000:03:00.0): vendors.amd.max is 0 "
		       "in '" FILE_NAME "'");
}

Test(check_policy, devices_are_the_only_ones)
{
	cleanup(policy_clearp) struct policy policy = {0};

	policy_allow_all(&policy);
	add_vendor(&policy, "amd", POLICY_NO_MAX, pci_a);
	expect_refused(&policy, "check policy: amd:1 (0000:04:00.0): vendors.amd.devices "
				"does not list it in '" FILE_NAME "'");
}

Test(check_policy, a_gpu_without_an_address_is_in_no_list)
{
	cleanup(policy_clearp) struct policy policy = {0};

	policy_allow_all(&policy);
	add_vendor(&policy, "v3d", POLICY_NO_MAX, "");
	expect_refused(&policy,
		       "check policy: v3d:0 (no PCI address): "
		       "vendors.v3d.devices does not list it in '" FILE_NAME "'");
}

Test(check_policy, a_rule_in_upper_case_is_a_rule)
{
	cleanup(policy_clearp) struct policy policy = {0};

	policy_allow_all(&policy);
	add_vendor(&policy, "AMD", 0, NULL);
	expect_refused(&policy,
		       "check policy: amd:0 (0000:03:00.0): vendors.AMD.max is 0 "
		       "in '" FILE_NAME "'");
}

static char nvidia[] = "nvidia";
static const struct gpu card = {.vendor = nvidia, .index = 0, .pci = pci_a};

static int check_card(const char *vendor, uint32_t allowed, struct err *err)
{
	autofree char *name = xstrdup(vendor);
	const struct gpu_spec by_name = {.vendor = name, .has_vendor = true};
	const struct gpu *cards[] = {&card};
	const struct selection chosen = {.gpus = cards, .n_gpus = 1};
	struct policy policy;

	policy_allow_all(&policy);
	policy.capabilities = allowed;
	return check_policy_gpus(&policy, FILE_NAME, &by_name, &chosen, err);
}

/* NVIDIA's render node is for graphics; by a name that is no vendor's,
   any GPU's is given. */
Test(check_policy, capability_is_not_evaded_by_another_name)
{
	struct err err = {0};

	cr_expect_eq(check_card("nvidia", COMPUTE, &err), 0);
	cr_expect_eq(check_card("foo", COMPUTE | GRAPHICS, &err), 0);
	cr_expect_eq(check_card("foo", COMPUTE, &err), -EPERM);
	cr_expect_str_eq(err.msg,
			 "check policy: nvidia:0 (0000:03:00.0): its render node is for "
			 "capability 'graphics', and capabilities does not list that in "
			 "'" FILE_NAME "'; ask for nvidia");
}
