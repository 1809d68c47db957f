/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c - the policy as data: what it has rules for, and
   which devices it lists */

#include "model/policy.h"

#include <criterion/criterion.h>

#include "base/mem.h"

/* "amd" with two devices. */
static void fill(struct policy *policy)
{
	struct policy_vendor vendor = {.name = xstrdup("amd"), .max = 3};

	vendor.n_devices = 2;
	vendor.devices = xcalloc(2, sizeof(*vendor.devices));
	cr_assert(pci_address_parse("0000:c1:00.0", &vendor.devices[0]));
	cr_assert(pci_address_parse("10000:01:00.1", &vendor.devices[1]));
	policy_allow_all(policy);
	policy_take_vendor(policy, &vendor);
	cr_assert_null(vendor.name, "it is taken");
}

Test(policy, allow_all_has_no_rule)
{
	struct policy policy;

	policy_allow_all(&policy);
	cr_expect(policy.allows_others);
	cr_expect(policy.allows_exclusive);
	cr_expect_eq(policy.capabilities, 0x1fU, "all five");
	cr_expect_null(policy_find_vendor(&policy, "amd"));
}

Test(policy, zeroed_allows_nothing)
{
	const struct policy policy = {0};

	cr_expect_not(policy.allows_others);
	cr_expect_not(policy.allows_exclusive);
	cr_expect_eq(policy.capabilities, 0);
}

Test(policy, vendors_are_found_without_case_and_whole)
{
	cleanup(policy_clearp) struct policy policy = {0};

	fill(&policy);
	cr_assert_not_null(policy_find_vendor(&policy, "amd"));
	cr_expect_eq(policy_find_vendor(&policy, "AMD")->max, 3);
	cr_expect_null(policy_find_vendor(&policy, "amdgpu"));
	cr_expect_null(policy_find_vendor(&policy, "am"));
}

Test(policy, devices_are_found_by_their_address)
{
	cleanup(policy_clearp) struct policy policy = {0};
	const struct policy_vendor *vendor;

	fill(&policy);
	vendor = policy_find_vendor(&policy, "amd");
	cr_expect(policy_vendor_lists(vendor, "0000:c1:00.0"));
	cr_expect(policy_vendor_lists(vendor, "10000:01:00.1"));
	cr_expect(policy_vendor_lists(vendor, "00010000:01:00.1"), "the same number");
	cr_expect_not(policy_vendor_lists(vendor, "0000:c1:00.1"));
	cr_expect_not(policy_vendor_lists(vendor, "0001:c1:00.0"));
}

Test(policy, a_device_without_an_address_is_in_no_list)
{
	cleanup(policy_clearp) struct policy policy = {0};
	const struct policy_vendor *vendor;

	fill(&policy);
	vendor = policy_find_vendor(&policy, "amd");
	cr_expect_not(policy_vendor_lists(vendor, NULL));
	cr_expect_not(policy_vendor_lists(vendor, ""));
	cr_expect_not(policy_vendor_lists(vendor, "platform-v3d"));
}
