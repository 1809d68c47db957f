/* SPDX-License-Identifier: Apache-2.0 */
/* test_intel.c - lib/injector/intel.c */

#include <criterion/criterion.h>

#include "made_host.h"

#define GPU_DIR "devices/pci0000:00/0000:00:02.0"

static struct made_host made;
static struct inventory inv;
static struct err err;

static void start(void)
{
	made_host_new(&made);
}

static void stop(void)
{
	inventory_clear(&inv);
	made_host_free(&made);
}

TestSuite(intel, .init = start, .fini = stop);

static size_t probe(unsigned int vendor, unsigned int pci_class, const char *driver)
{
	made_pci(&made, GPU_DIR, vendor, 0x46a6, pci_class, driver);
	made_drm(&made, GPU_DIR, "card1", 1);
	made_drm(&made, GPU_DIR, "renderD128", 128);
	cr_assert_eq(intel_injector.probe(&made.host, &inv, &err), 0);
	return inv.n_gpus;
}

static void assert_plan(const char *request, const char *want)
{
	autofree char *got = made_plan(&intel_injector, inv.gpus, request, &err);

	cr_assert_str_eq(got, want);
}

Test(intel, integrated_gpu_is_found)
{
	cr_assert_eq(probe(0x8086, 0x030000, "i915"), 1);
	cr_assert_str_eq(inv.gpus[0].vendor, "intel");
	cr_assert_str_eq(inv.gpus[0].driver, "i915");
	cr_assert_str_eq(inv.gpus[0].model, "8086:46a6");
	cr_assert_str_eq(inv.gpus[0].pci, "0000:00:02.0");
	cr_assert(inv.gpus[0].can_compute);
	cr_assert_null(inv.gpus[0].uuid);
	cr_assert_null(inv.gpus[0].unusable_reason);
}

Test(intel, data_center_gpu_under_xe_is_found)
{
	cr_assert_eq(probe(0x8086, 0x038000, "xe"), 1);
}

Test(intel, device_of_another_vendor_is_left_alone)
{
	cr_assert_eq(probe(0x1002, 0x030000, "i915"), 0);
}

Test(intel, device_given_to_a_virtual_machine_is_left_alone)
{
	cr_assert_eq(probe(0x8086, 0x030000, "vfio-pci"), 0);
}

Test(intel, device_of_another_class_is_left_alone)
{
	cr_assert_eq(probe(0x8086, 0x040300, "xe"), 0);
}

Test(intel, device_that_is_known_is_left_alone)
{
	cr_assert_eq(probe(0x8086, 0x030000, "i915"), 1);
	cr_assert_eq(intel_injector.probe(&made.host, &inv, &err), 0);
	cr_assert_eq(inv.n_gpus, 1);
}

Test(intel, request_gets_render_node_and_its_link)
{
	cr_assert_eq(probe(0x8086, 0x030000, "i915"), 1);
	assert_plan("intel", "/dev/dri/renderD128 "
			     "/dev/dri/by-path/pci-0000:00:02.0-render>../renderD128");
	assert_plan("vendor=intel;capabilities=compute+graphics",
		    "/dev/dri/renderD128 "
		    "/dev/dri/by-path/pci-0000:00:02.0-render>../renderD128");
}

Test(intel, display_gets_the_card)
{
	cr_assert_eq(probe(0x8086, 0x030000, "i915"), 1);
	assert_plan("vendor=intel;capabilities=display",
		    "/dev/dri/renderD128 /dev/dri/card1 "
		    "/dev/dri/by-path/pci-0000:00:02.0-render>../renderD128 "
		    "/dev/dri/by-path/pci-0000:00:02.0-card>../card1");
}

Test(intel, gpu_without_an_id_path_gets_no_links)
{
	cr_assert_eq(probe(0x8086, 0x030000, "i915"), 1);
	free(inv.gpus[0].id_path);
	inv.gpus[0].id_path = NULL;
	assert_plan("intel", "/dev/dri/renderD128");
}
